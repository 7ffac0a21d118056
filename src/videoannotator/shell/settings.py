"""Settings of pipelines from a TOML file and from ``--set``, and lists given as ``a,b``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from videoannotator.errors import ConfigError, UsageError

__all__ = ["comma_list", "read_settings"]

Settings = dict[str, dict[str, Any]]


def comma_list(values: Sequence[str]) -> list[str]:
    """``["a,b", "c"]`` as ``["a", "b", "c"]``, each name once, in the order given."""
    names = [name.strip() for value in values for name in value.split(",")]
    return list(dict.fromkeys(name for name in names if name))


def read_settings(file: Path | None, assignments: Sequence[str]) -> Settings:
    """Pipeline name to settings. What is ``--set`` wins over what stands in the file.

    The file has one table for each pipeline::

        [person_tracking]
        weights = "yolo11n-pose.pt"

    Whether the pipelines and the keys exist, and whether the values are allowed, is for the annotator to say.
    Raises `UsageError` when the file cannot be read and `ConfigError` when it is not of that shape.
    """
    settings = {} if file is None else _read_file(file)
    for assignment in assignments:
        place, equals, text = assignment.partition("=")
        pipeline, dot, key = place.strip().partition(".")
        if not (equals and dot and pipeline and key):
            raise UsageError(f"--set takes PIPELINE.KEY=VALUE, got {assignment!r}")
        _put(settings.setdefault(pipeline, {}), key.split("."), _value(text.strip()), place)
    return settings


def _read_file(file: Path) -> Settings:
    try:
        with file.open("rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    for name, table in content.items():
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"{file}: {name} = {table!r} stands outside a pipeline's table; write [PIPELINE] above it"
            )
    return {name: dict(table) for name, table in content.items()}


def _put(table: dict[str, Any], keys: Sequence[str], value: Any, place: str) -> None:
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {place}: {key} is {inner!r}, which has no keys inside")
        table = inner
    table[keys[-1]] = value


def _value(text: str) -> Any:
    """TOML where it is TOML (``0.5``, ``true``, ``[1, 2]``, ``"0.5"``), else the text itself: paths need no quotes."""
    try:
        value = tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str | list | dict) else text  # no dates
