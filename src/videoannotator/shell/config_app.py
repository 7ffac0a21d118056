"""``videoannotator config`` and its options; what each does is in `videoannotator.shell.configuring`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

__all__ = ["config"]

config = App(name="config", help="Settings of the server and of the commands that speak with it.")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
File = Annotated[Path | None, Parameter(name="--config")]


@config.command
def show(*, origin: Flag = False, json: Flag = False, config: File = None) -> int:
    """List every setting and its value, as TOML. Keys and passwords are hidden.

    Parameters
    ----------
    origin
        Also say where each value comes from: default, a file, a variable of the environment.
    json
        As JSON, with type, default, origin and what it is for.
    config
        Read this file, and not the user's and this folder's.
    """
    from videoannotator.shell.configuring import show_settings

    return show_settings(config, origin=origin, as_json=json)


@config.command
def validate(file: Path | None = None, /) -> int:
    """Check the settings, and say which files and variables they come from. Exit code 2 when something is wrong.

    Parameters
    ----------
    file
        A file to check. Without it: the settings as a server started here would have them.
    """
    from videoannotator.shell.configuring import validate_settings

    return validate_settings(file)


@config.command
def init(file: Path | None = None, /, *, here: Flag = False, force: Flag = False) -> int:
    """Write a file with every setting, its default, and what it is for, all as comments. Its path is printed.

    Parameters
    ----------
    file
        Where to write it. [default: the user's own file]
    here
        Write videoannotator.toml into this folder: it counts for what is started here.
    force
        Overwrite a file that is there.
    """
    from videoannotator.shell.configuring import init_settings

    return init_settings(file, here=here, force=force)


@config.default
def _nothing(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> int:
    from videoannotator.shell.outdated import no_config_command

    no_config_command(words)
