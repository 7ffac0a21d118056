"""Where settings come from: defaults, files, the environment, flags; later ones win. Nothing of the extra ``server``.

::

    defaults  <  the user's file  <  ./videoannotator.toml  <  VIDEOANNOTATOR_... in the environment  <  flags

A file named with ``--config`` is read instead of the two files. A file has the tables ``[server]`` (`ServerSettings`;
its groups are ``[server.limits]``, ``[server.jobs]``, ...) and ``[client]`` (`ClientSettings`). In the environment
``server.jobs.lease`` is ``VIDEOANNOTATOR_SERVER_JOBS_LEASE``; the client's are ``VIDEOANNOTATOR_SERVER`` (the address)
and ``VIDEOANNOTATOR_KEY``. What does not exist is refused, with where it stands. Paths in a file begin at its folder.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import attrs
from platformdirs import user_config_path

from videoannotator.discover.config import setting_value
from videoannotator.errors import ConfigError, UsageError, nearest
from videoannotator.serve.settings import LOOPBACK, ClientSettings, ServerSettings

__all__ = ["FILE_NAME", "PREFIX", "Configuration", "Known", "known_settings", "outdated", "user_file"]

FILE_NAME = "videoannotator.toml"
PREFIX = "VIDEOANNOTATOR_"
DEFAULT = "default"

_TOPS: Mapping[str, type[Any]] = {"server": ServerSettings, "client": ClientSettings}

# what the predecessor read, and what it is called now
_OUTDATED = {
    "API_HOST": "VIDEOANNOTATOR_SERVER_HOST",
    "API_PORT": "VIDEOANNOTATOR_SERVER_PORT",
    "AUTH_REQUIRED": "VIDEOANNOTATOR_SERVER_ACCESS_REQUIRED",
    "CORS_ORIGINS": "VIDEOANNOTATOR_SERVER_ACCESS_ORIGINS",
    "DATABASE_URL": "VIDEOANNOTATOR_SERVER_DATABASE",
    "MAX_CONCURRENT_JOBS": "VIDEOANNOTATOR_SERVER_JOBS_CONCURRENT",
    "STORAGE_BASE_DIR": "VIDEOANNOTATOR_SERVER_DATA_DIR",
    "STORAGE_RETENTION_DAYS": "VIDEOANNOTATOR_SERVER_RETENTION_DAYS",
    "STORAGE_ROOT": "VIDEOANNOTATOR_SERVER_DATA_DIR",
    "VIDEOANNOTATOR_DB_PATH": "VIDEOANNOTATOR_SERVER_DATA_DIR",
}


@attrs.frozen
class Known:
    """A setting that exists: ``key`` is ``server.jobs.lease``, ``hint`` its type."""

    key: str
    hint: Any
    default: Any
    help: str

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return PREFIX + self.key.removeprefix("client.").replace(".", "_").upper()

    @property
    def secret(self) -> bool:
        """True for what is not to be shown."""
        return self.key == "client.key"

    @property
    def optional(self) -> bool:
        """True where ``none`` is allowed."""
        return type(None) in get_args(self.hint)


def known_settings() -> dict[str, Known]:
    """Every setting by its key, in the order of their classes."""
    return {one.key: one for top, cls in _TOPS.items() for one in _known(cls, top)}


def _known(cls: type[Any], place: str) -> Iterator[Known]:
    hints, defaults = get_type_hints(cls, include_extras=True), cls()
    for field in attrs.fields(cls):
        key, default = f"{place}.{field.name}", getattr(defaults, field.name)
        if attrs.has(type(default)):
            yield from _known(type(default), key)
        else:
            yield Known(key, hints[field.name], default, field.metadata.get("help", ""))


def user_file() -> Path:
    """The user's own configuration file; it need not exist."""
    return user_config_path("videoannotator") / FILE_NAME


def outdated(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of the predecessor that are set and not read any more, and what they are called now."""
    return {name: now for name, now in _OUTDATED.items() if environment.get(name)}


@attrs.frozen
class Configuration:
    """All settings, and for each where its value comes from (``origins``: key to a file, a variable, a flag)."""

    server: ServerSettings
    client: ClientSettings
    origins: Mapping[str, str]

    @classmethod
    def load(
        cls,
        *,
        config: Path | None = None,
        flags: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] = os.environ,
        folder: Path | None = None,
    ) -> Configuration:
        """Put the layers together. ``flags``: key to a value, or to text; None values were not given.

        Raises `UsageError` for a file that cannot be read and `ConfigError` for what does not exist or is not allowed.
        """
        known = known_settings()
        files = [user_file(), (folder or Path.cwd()) / FILE_NAME] if config is None else [config]
        values: dict[str, Any] = {}
        origins = dict.fromkeys(known, DEFAULT)
        for file in files:
            if config is None and not file.is_file():
                continue
            for key, value in _flat(_read(file), known, file):
                made = _none_or(known[key], value)
                values[key] = _placed(known[key], setting_value(known[key].hint, made, f"{file}: {key}"), file.parent)
                origins[key] = str(file)
        for key, variable, text in _from_environment(environment, known):
            values[key] = _from_text(known[key], text, variable)
            origins[key] = variable
        for key, value in (flags or {}).items():
            if value is not None:
                values[key] = _from_flag(known, key, value)
                origins[key] = f"--{key.rpartition('.')[2].replace('_', '-')}"
        made_of = {top: _build(kind, top, values, origins) for top, kind in _TOPS.items()}
        return cls(made_of["server"], made_of["client"], origins)

    def values(self) -> dict[str, Any]:
        """Every setting by its key."""
        found = {}
        for key in known_settings():
            value: Any = self
            for name in key.split("."):
                value = getattr(value, name)
            found[key] = value
        return found

    @property
    def address(self) -> str:
        """Of the server that commands speak with: the one that is named, else the one on this machine."""
        if self.client.server is not None:
            named = self.client.server.rstrip("/")
            return named if "://" in named else f"http://{named}"
        host = self.server.host if self.server.host in LOOPBACK else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server.port}"

    @property
    def key(self) -> str | None:
        """The API key for `address`. Raises `ConfigError` where a file of this folder would send a key elsewhere."""
        address, key = self.origins["client.server"], self.origins["client.key"]
        here = self.client.server is not None and address not in (DEFAULT, str(user_file()))
        if here and address.endswith(FILE_NAME) and key not in (DEFAULT, address, "--key"):
            raise ConfigError(
                f"{address} names the server {self.client.server}, and the key comes from {key}: it is not sent there, "
                "for that file may be somebody else's. Give --server, or put both in one place"
            )
        return self.client.key


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error


def _flat(
    content: Mapping[str, Any], known: Mapping[str, Known], file: Path, place: str = ""
) -> Iterator[tuple[str, Any]]:
    """Keys and values of a file. Raises `ConfigError` for a key that does not exist, naming the file."""
    for name, value in content.items():
        key = f"{place}{name}"
        group = any(other.startswith(f"{key}.") for other in known)
        if not group and key not in known:
            beside = {other.removeprefix(place).partition(".")[0] for other in known if other.startswith(place)}
            raise ConfigError(
                f"{file}: there is no setting {key}{nearest(name, sorted(beside))}; "
                "videoannotator config show lists all of them"
            )
        if group and not isinstance(value, Mapping):
            raise ConfigError(f"{file}: {key} is a table, write [{key}] and its settings below; got {value!r}")
        if group:
            yield from _flat(value, known, file, f"{key}.")
        else:
            yield key, value


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Known]) -> Iterator[tuple[str, str, str]]:
    by_variable = {one.variable: one.key for one in known.values()}
    for variable, text in sorted(environment.items()):
        if variable in by_variable:
            if text:  # an empty one is as good as none: compose files have such
                yield by_variable[variable], variable, text
        elif variable.startswith(f"{PREFIX}SERVER_"):
            raise ConfigError(
                f"the environment sets {variable}, and there is no such setting{nearest(variable, sorted(by_variable))}"
            )


def _from_flag(known: Mapping[str, Known], key: str, value: Any) -> Any:
    if key not in known:
        raise ConfigError(f"there is no setting {key}{nearest(key, known)}; videoannotator config show lists all")
    if isinstance(value, str):
        return _from_text(known[key], value, f"--{key}")
    return setting_value(known[key].hint, value, key)


def _from_text(one: Known, text: str, origin: str) -> Any:
    """A value as it is typed in a shell: lists are ``a,b`` or TOML, ``none`` is none. Raises `ConfigError`."""
    value: Any = _none_or(one, text)
    plain = next(hint for hint in (get_args(one.hint) or (one.hint,)) if hint is not type(None))
    if get_origin(one.hint) is tuple:
        value = _list(text)
    elif plain is bool and text.lower() in _BOOLEANS:
        value = _BOOLEANS[text.lower()]
    elif plain in (int, float) and value is not None:
        try:
            value = plain(text)
        except ValueError:
            value = text  # for the error below
    return _placed(one, setting_value(one.hint, value, f"{origin} ({one.key})"), Path.cwd())


_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _list(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        try:
            return list(tomllib.loads(f"value = {text}")["value"])
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{text!r} is no list: {error}") from error
    return [part.strip() for part in text.split(",") if part.strip()]


def _none_or(one: Known, value: Any) -> Any:
    """TOML has no null: ``none`` stands for it where it is allowed."""
    return None if one.optional and isinstance(value, str) and value.lower() == "none" else value


def _placed(one: Known, value: Any, folder: Path) -> Any:
    """Paths begin at ``folder``, and ``~`` is the home."""
    if isinstance(value, Path):
        return folder / value.expanduser()
    if isinstance(value, tuple) and any(isinstance(part, Path) for part in value):
        return tuple(_placed(one, part, folder) for part in value)
    return value


def _build(cls: type[Any], place: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> Any:
    given: dict[str, Any] = {}
    defaults = cls()
    for field in attrs.fields(cls):
        key = f"{place}.{field.name}"
        group = type(getattr(defaults, field.name))
        if attrs.has(group):
            given[field.name] = _build(group, key, values, origins)
        elif key in values:
            given[field.name] = values[key]
    try:
        return cls(**given)
    except ConfigError as error:
        own = {origins[key] for key in values if key.startswith(f"{place}.")}
        raise ConfigError(f"{place}: {error} (set in {', '.join(sorted(own))})") from error
