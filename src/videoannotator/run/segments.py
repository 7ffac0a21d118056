"""What a run has done so far, on disk while it goes on: a run that is killed goes on from there.

A chain is a folder of files ``000000.segment``, ``000001.segment``, ...; each holds the rows that came since the one
before it, and what is needed to go on behind them. A file is a line of JSON, ``{"before", "sha256", "body",
"lengths"}``, and the binary parts it speaks of, one after the other (tables as Arrow IPC streams, then the state).
``sha256`` is that of everything else in the file, ``before`` that of the segment before it: what was cut off,
damaged, or left over from another chain is not taken for a segment.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa

from videoannotator.data.convert import structure, unstructure
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.run.isolation.wire import pack_rows, unpack_rows

__all__ = ["Chain", "Point", "Segment"]

_log = logging.getLogger(__name__)
_SUFFIX = ".segment"
_EVERY = 2.0
"""Seconds between two segments, at least. A kill costs as much of the work."""
_SHARE = 100
"""A segment that takes long to write is followed by at least so many times that without one."""


@attrs.frozen
class Point:
    """Where a pipeline is, between two of its calls.

    ``number``: of the span at work. ``frame``: the first it has not seen, None when it has seen none of the span.
    ``finishing``: it has seen all frames, and `Pipeline.finish` is at work. ``done``: the span is complete.
    ``coverage``: of all spans so far. ``before``: of the complete ones. ``decoded``: of the span, while finishing.
    ``media_failures``: of the file, up to here. ``seconds``: spent inside the pipeline.
    """

    number: int = 0
    frame: int | None = None
    finishing: bool = False
    done: bool = False
    coverage: Coverage = attrs.field(factory=Coverage)
    before: Coverage = attrs.field(factory=Coverage)
    decoded: Coverage = attrs.field(factory=Coverage)
    media_failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    notices: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Segment:
    """``tables``: rows by output, those since the segment before, or of a whole chain. ``state``: of the pipeline."""

    point: Point
    tables: Mapping[str, Table[Any]]
    state: Any = None


class Chain:
    """The segments of one pipeline's run. Only who holds the lock of its cache entry may have one.

    ``folder``: made when the first segment is written, with ``notes``, texts by name of file, beside it.
    ``gives``: what the pipeline's spec declares; None when its rows are of another environment's classes.
    A chain that cannot be written is given up with a warning: results are had without it.
    """

    def __init__(self, folder: Path, gives: Mapping[str, str] | None, notes: Mapping[str, str]) -> None:
        self.folder = folder
        self._notes = notes
        self._gives = gives
        self._before = ""  # SHA-256 of the last segment
        self._count = 0
        self._next = time.monotonic() + _EVERY
        self._broken = False

    @property
    def due(self) -> bool:
        """True when it is time for a segment."""
        return not self._broken and time.monotonic() >= self._next

    def read(self) -> Segment | None:
        """All rows, and the last point; None where there is nothing. What is damaged, and all behind it, is dropped."""
        parts: dict[str, list[Table[Any]]] = {}
        last: Segment | None = None
        self._before, self._count = "", 0
        for file in sorted(self.folder.glob(f"*{_SUFFIX}")):
            found = self._read(file)
            if found is None:
                file.unlink(missing_ok=True)
                continue
            last, self._before = found
            self._count += 1
            for output, table in last.tables.items():
                parts.setdefault(output, []).append(table)
        if last is None:
            return None
        return attrs.evolve(last, tables={output: Table.concat(tables) for output, tables in parts.items()})

    def _read(self, file: Path) -> tuple[Segment, str] | None:
        """A segment and its SHA-256; None when it is not the next of this chain."""
        try:
            line, _, rest = file.read_bytes().partition(b"\n")
            header = json.loads(line)
            digest = header.pop("sha256")
            if file.name != _name(self._count) or header["before"] != self._before or _sha256(header, rest) != digest:
                _log.warning("%s is damaged; what it held is computed again", file)
                return None
            pieces, first = [], 0
            for length in header["lengths"]:
                pieces.append(rest[first : first + length])
                first += length
            state = pickle.loads(pieces.pop())  # noqa: S301 - our own, from `append`, in a folder that only we can write
            tables = unpack_rows(header["body"]["rows"], pieces, self._gives)
            segment = Segment(structure(Point, header["body"]["point"]), tables, state)  # type: ignore[arg-type]  # a mapping went in
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, ImportError) as error:
            _log.warning("%s cannot be read, so what it held is computed again: %s", file, error)
        except (DataError, FormatError, pa.ArrowException, pickle.UnpicklingError) as error:
            _log.warning("%s cannot be read, so what it held is computed again: %s", file, error)
        else:
            return segment, digest
        return None

    def append(self, segment: Segment) -> bool:
        """Write the next segment, whole or not at all. False when it could not be written: keep its rows."""
        if self._broken:
            return False
        began = time.monotonic()
        try:
            self._write(segment)
        except (OSError, pickle.PicklingError, TypeError, AttributeError) as error:
            self._broken = True
            _log.warning("this run cannot be taken up again behind this point, %s: %s", self.folder, error)
            return False
        now = time.monotonic()
        self._next = now + max(_EVERY, _SHARE * (now - began))
        return True

    def _write(self, segment: Segment) -> None:
        rows, pieces = pack_rows("", segment.tables)
        pieces.append(pickle.dumps(segment.state))
        views = [memoryview(piece) for piece in pieces]
        body = {"point": unstructure(segment.point), "rows": rows}
        header = {"before": self._before, "body": body, "lengths": [view.nbytes for view in views]}
        content = b"".join(views)
        digest = _sha256(header, content)
        if not self._count:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            for name, text in self._notes.items():
                (self.folder / name).write_text(text, encoding="utf-8")
        handle, working = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps({**header, "sha256": digest}).encode() + b"\n")
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(working, self.folder / _name(self._count))
        except BaseException:
            with suppress(OSError):
                os.unlink(working)
            raise
        self._before = digest
        self._count += 1


def _name(number: int) -> str:
    return f"{number:06d}{_SUFFIX}"


def _sha256(header: Mapping[str, Any], content: bytes) -> str:
    told = hashlib.sha256(json.dumps(header, sort_keys=True).encode() + b"\n")
    told.update(content)
    return told.hexdigest()
