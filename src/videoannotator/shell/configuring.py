"""``videoannotator config``: which settings there are, what they are here and why, and a file to begin with."""

from __future__ import annotations

import json
import os
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from videoannotator.errors import UsageError
from videoannotator.serve.configuring import DEFAULT, FILE_NAME, Configuration, Known, known_settings, outdated
from videoannotator.serve.configuring import user_file as users_own
from videoannotator.shell.main import Exit
from videoannotator.shell.speaking import give, say

__all__ = [
    "hidden_password",
    "init_settings",
    "say_outdated",
    "settings_table",
    "show_settings",
    "template",
    "validate_settings",
]

HIDDEN = "(hidden)"


def show_settings(file: Path | None, *, origin: bool, as_json: bool) -> int:
    """Print every setting."""
    loaded = Configuration.load(config=file)
    known, values = known_settings(), loaded.values()
    if as_json:
        plain = {
            key: {
                "value": _plain(_shown(one, values[key])),
                "default": _plain(one.default),
                "origin": loaded.origins[key],
                "type": type_of(one),
                "variable": one.variable,
                "help": one.help,
            }
            for key, one in known.items()
        }
        give(json.dumps(plain, indent=2))
        return Exit.WELL
    width = max(len(f"{key} = {_toml(_shown(known[key], value))}") for key, value in values.items())
    for key, value in values.items():
        line = f"{key} = {_toml(_shown(known[key], value))}"
        give(f"{line:{min(width, 60)}}  # {loaded.origins[key]}" if origin else line)
    return Exit.WELL


def validate_settings(file: Path | None) -> int:
    """Check them. What is wrong is raised as `ConfigError`."""
    loaded = Configuration.load(config=file, environment={} if file is not None else os.environ)
    said = [name for name in dict.fromkeys(loaded.origins.values()) if name != DEFAULT]
    for name in said:
        count = sum(origin == name for origin in loaded.origins.values())
        say(f"{name}: {count} setting{'' if count == 1 else 's'}")
        _warn_of_readers(loaded, name)
    say("all is well" if said else "all is well: every setting is the default")
    say_outdated()
    return Exit.WELL


def _warn_of_readers(loaded: Configuration, name: str) -> None:
    secret = name in (loaded.origins["client.key"], loaded.origins["server.database"])
    if secret and os.path.isfile(name) and os.name == "posix" and os.stat(name).st_mode & 0o077:
        say(f"  it holds a key or a password, and others can read it. Type: chmod 600 {name}")


def say_outdated() -> None:
    """Say which variables of earlier versions are set, for nobody reads them any more."""
    for name, now in outdated().items():
        say(f"the environment sets {name}, which is not read any more; it is called {now} now")


def init_settings(file: Path | None, *, here: bool, force: bool) -> int:
    """Write the template. Raises `UsageError` when it would overwrite something, or cannot be written."""
    if file is not None and here:
        raise UsageError("give a file or --here, not both")
    target = file or (Path(FILE_NAME) if here else users_own())
    if target.exists() and not force:
        raise UsageError(f"{target} is there already; --force overwrites it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it will hold a key
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(template())
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    give(target)
    return Exit.WELL


def template() -> str:
    """A configuration file in which every setting is a comment."""
    return "\n".join(_template_lines()) + "\n"


def _template_lines() -> Iterator[str]:
    yield "# Settings of videoannotator. Take away the # in front of what you want to change."
    yield "# videoannotator config show --origin tells what counts, and why."
    table, known = "", known_settings()
    places = list(dict.fromkeys(key.rpartition(".")[0] for key in known))
    for key, one in sorted(known.items(), key=lambda item: places.index(item[0].rpartition(".")[0])):
        place, _, name = key.rpartition(".")
        if place != table:  # each table once, or it is no TOML
            table = place
            yield f"\n[{table}]"
        default = "none" if one.default is None else one.default
        if key == "server.data_dir":
            default = "~/videoannotator"
        yield f"# {name} = {_toml(default)}  # {one.help}"


def settings_table() -> str:
    """All settings as a Markdown table: for the documentation, and a test that it is up to date."""
    lines = ["| setting | type | default | what it is |", "| --- | --- | --- | --- |"]
    for key, one in known_settings().items():
        default = "in the user's data folder" if key == "server.data_dir" else f"`{_toml(one.default)}`"
        lines.append(f"| `{key}` | {type_of(one)} | {default} | {one.help} |")
    return "\n".join(lines)


def type_of(one: Known) -> str:
    """In words."""
    hint, optional = one.hint, one.optional
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is Literal:
        text = " or ".join(map(str, get_args(hint)))
    elif get_origin(hint) is tuple:
        text = "list of paths" if get_args(hint)[0] is Path else "list of texts"
    else:
        text = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}[hint]
    return f"{text}, or none" if optional else text


def _shown(one: Known, value: Any) -> Any:
    if one.secret and value:
        return f"{value[:8]}... {HIDDEN}" if len(value) > 20 else HIDDEN
    if one.key == "server.database" and value:
        return hidden_password(value)
    return value


def hidden_password(url: str) -> str:
    """An address without the password that may stand in it."""
    return re.sub(r"(://[^:/@]*):[^@]*@", rf"\1:{HIDDEN}@", url)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _toml(value: Any) -> str:
    """A value as TOML writes it; none as the text that stands for it."""
    plain = _plain(value)
    return json.dumps("none" if plain is None else plain, ensure_ascii=False)
