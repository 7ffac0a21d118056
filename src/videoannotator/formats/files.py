"""Names of the files, and putting them in place so that nobody ever sees half of one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table
from videoannotator.errors import FormatError

__all__ = [
    "dumps",
    "file_names",
    "joined",
    "new_file",
    "new_folder",
    "plain_name",
    "read_json",
    "read_text",
    "was_measured",
]


def plain_name(name: str) -> str:
    """``name`` as one part of a path on any system: whatever is not a letter, digit, ``-``, ``_`` or a dot inside
    is percent-encoded. Different names stay different; ordinary ones stay as they are."""
    quoted = quote(name, safe="")
    # quote() leaves these alone, and as the first character they mean "here", "above" or "home"
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted[:1] in (".", "~") else quoted


def file_names(
    result: Result, stem: str, suffix: str, holds: Callable[[Table[Any]], bool]
) -> list[tuple[str, str, str, Table[Any]]]:
    """The tables that a format holds, each with the name of its file: ``(name, pipeline, output, table)``.

    ``{stem}_{pipeline}{suffix}``, or ``{stem}_{pipeline}_{output}{suffix}`` when the format takes more than one
    table of that pipeline. A pipeline that failed before it looked at anything gets no file: an empty one would say
    that it found nothing. Raises `FormatError` when two would have one name.
    """
    named: dict[str, tuple[str, str, str, Table[Any]]] = {}
    for pipeline, parts in result.pipelines.items():
        mine = {output: table for output, table in parts.tables.items() if holds(table) and was_measured(parts, table)}
        for output, table in mine.items():
            middle = plain_name(pipeline) + (f"_{plain_name(output)}" if len(mine) > 1 else "")
            name = f"{stem}_{middle}{suffix}"
            other = named.get(name.casefold())  # not every file system tells upper from lower case
            if other is not None:
                raise FormatError(f"{other[1]}.{other[2]} and {pipeline}.{output} would both be written to {name}")
            named[name.casefold()] = (name, pipeline, output, table)
    return list(named.values())


def was_measured(parts: PipelineResult, table: Table[Any]) -> bool:
    """False for the empty table of a pipeline that failed before it looked at anything."""
    return len(table) > 0 or parts.ok or parts.coverage.duration > 0


def dumps(plain: Any) -> str:
    """Plain data as JSON on one line, text as it is. NaN and infinity, which JSON has no word for, are refused."""
    return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name, replacing an older one, only when the block ends well.

    Raises `FormatError` when it cannot be written.
    """
    working = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with working.open("xb") as file:
            yield file
        os.replace(working, path)
    except OSError as error:
        raise FormatError(f"{path} could not be written: {error}") from error
    finally:
        with suppress(OSError):
            working.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, *, foreign: Callable[[Path], str | None]) -> Iterator[Path]:
    """A folder that appears under its name only when the block ends well; the block fills what it is given.

    A folder that stands there already is replaced when it is one of ours: it is set aside first and deleted when the
    new one stands. ``foreign`` says why a folder is not one of ours (``"it has no manifest"``), or None. Raises
    `FormatError` with that for any other folder, or when writing fails.
    """
    if path.exists() and (why := foreign(path)) is not None:
        raise FormatError(f"{path} exists and was not written by this format ({why}); move it away first")
    token = secrets.token_hex(4)
    working, aside = path.with_name(f".{path.name}.{token}"), path.with_name(f".{path.name}.{token}.old")
    try:
        working.mkdir(parents=True)
        yield working
        if path.exists():
            path.rename(aside)
        try:
            working.rename(path)
        except OSError:
            if aside.exists():
                aside.rename(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise FormatError(f"{path} could not be written: {error}") from error
    finally:
        shutil.rmtree(working, ignore_errors=True)


def read_text(path: Path) -> str:
    """A file as UTF-8 text, line ends as they are. Raises `FormatError` when it is not there or not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FormatError(f"{path} could not be read: {error}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text: {error}") from error


def read_json(path: Path) -> Any:
    """A file as plain data. Raises `FormatError` when it is not there or not JSON; NaN and infinity are not JSON."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(read_text(path), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not JSON: {error}") from error


def joined(parts: Iterable[str], most: int = 5) -> str:
    """The first few of ``parts`` for a message, and how many more there are."""
    every = list(parts)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
