"""Commands that version 1 had at the top; what each does is in `videoannotator.shell.outdated` and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from videoannotator.shell.places import Folder

__all__ = [
    "backup",
    "diagnose",
    "generate_token",
    "info",
    "process",
    "setup_db",
    "storage_cleanup",
    "validate_emotion",
    "version",
]

FOLDER = Folder()
Flag = Annotated[bool, Parameter(negative="", show_default=False)]


def process(
    video: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("annotations"),
    pipelines: Annotated[
        tuple[str, ...], Parameter(alias="-p", consume_multiple=False, negative="", show_default=False)
    ] = (),
    config: Annotated[Path | None, Parameter(alias="-c")] = None,
) -> int:
    """Annotate one video: a short form of annotate.

    Parameters
    ----------
    video
        A video or audio file.
    output
        The folder to write into.
    pipelines
        Names, separated by commas; see annotate.
    config
        A TOML file with a table of settings for each pipeline.
    """
    from videoannotator.shell.annotating import annotate_files
    from videoannotator.shell.request import Request

    return annotate_files((video,), Request.of(pipelines, config, ()), output, ())


def diagnose(*sections: str, json: Flag = False) -> int:
    """Look at this installation. Exit code 0: all is well, 1: something is broken, 2: warnings only.

    Parameters
    ----------
    sections
        Of system, gpu, storage, database, models, pipelines. [default: all]
    json
        As JSON.
    """
    from videoannotator.shell.diagnosing import diagnose as look

    return look(sections, as_json=json)


def generate_token(
    *,
    user: Annotated[str | None, Parameter(name=["--user", "--username"])] = None,
    key_name: str = "from the command line",
    expires_days: float = 365.0,
    output: Path | None = None,
    where: Folder = FOLDER,
) -> int:
    """Make an API key, as auth keys create does. It goes to standard output, this once.

    Parameters
    ----------
    user
        Whose; made as a researcher when there is none of that name. [default: admin]
    key_name
        What it is for.
    expires_days
        Until when it is valid.
    output
        Write it into this new file, which only you can read, and not to standard output.
    """
    from videoannotator.shell.outdated import generate_token as generate

    return generate(where, user, key_name, expires_days, output)


def setup_db(
    *,
    create_admin: Annotated[bool, Parameter(negative="--skip-admin")] = True,
    force: Annotated[bool, Parameter(show=False, negative="")] = False,
    where: Folder = FOLDER,
) -> int:
    """Make the server's database and the first admin's key. The server does that by itself when it starts.

    Parameters
    ----------
    create_admin
        Make the first admin and a key, which goes to standard output, unless one has a key already.
    force
        Not done any more.
    """
    from videoannotator.shell.outdated import set_up

    return set_up(where, admin=create_admin, force=force)


def backup(folder: Path, /, *, where: Folder = FOLDER) -> int:
    """Save everything the server keeps into a folder, as db backup does.

    Parameters
    ----------
    folder
        A folder that is not there yet, or empty.
    """
    from videoannotator.shell.databases import backup_database

    return backup_database(where, folder, as_json=False)


def storage_cleanup(
    *, retention_days: float | None = None, force: Flag = False, json: Flag = False, where: Folder = FOLDER
) -> int:
    """Say what the server keeps and nobody needs: old jobs, files of none, unfinished uploads. With --force remove it.

    Parameters
    ----------
    retention_days
        Jobs that ended longer ago go, too. [default: the setting retention.days]
    force
        Remove it.
    json
        As JSON.
    """
    from videoannotator.shell.outdated import clean_storage

    return clean_storage(where, retention_days, force=force, as_json=json)


def info(*, json: Flag = False) -> int:
    """Say which version this is, what is installed, and where things are kept.

    Parameters
    ----------
    json
        As JSON.
    """
    from videoannotator.shell.outdated import show_info

    return show_info(as_json=json)


def version() -> int:
    """Print the version."""
    from videoannotator import __version__
    from videoannotator.shell.speaking import give

    give(f"videoannotator {__version__}")
    return 0


def validate_emotion(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> NoReturn:
    """Gone: nothing has ever written such files. Results are checked when they are read."""
    from videoannotator.errors import UsageError

    raise UsageError(
        ".emotion.json is written by nothing; results are checked when they are read: "
        "python -c \"import videoannotator; videoannotator.read('NAME.videoannotator')\""
    )
