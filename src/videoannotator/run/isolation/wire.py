"""What crosses the border between a run and the process of a pipeline: a JSON header and binary parts."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from videoannotator.data.convert import structure, unstructure
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage, Failure, ModelRecord
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.discover.pipeline import Rows
from videoannotator.discover.specs import load
from videoannotator.errors import DataError, PluginLoadError
from videoannotator.formats.classes import class_of, class_path, made_class

__all__ = [
    "Message",
    "Parts",
    "Wire",
    "pack_media",
    "pack_result",
    "pack_rows",
    "unpack_media",
    "unpack_result",
    "unpack_rows",
]

Parts = list[Any]
"""Bytes, or whatever shows its bytes (an Arrow buffer)."""


@attrs.frozen(eq=False)
class Message:
    """``kind``: what it is. ``body``: plain data. ``parts``: binary data that the body speaks of, in its order."""

    kind: str
    body: dict[str, Any]
    parts: Parts = attrs.field(factory=list)


class Wire:
    """Sends and receives messages. Several threads may send; one receives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, kind: str, body: Mapping[str, Any] | None = None, parts: Sequence[Any] = ()) -> None:
        """Send a message. Raises `OSError` when nobody listens any more."""
        header = json.dumps({"kind": kind, "body": body or {}, "parts": len(parts)}).encode()
        with self._sending:
            self._connection.send_bytes(header)
            for part in parts:
                self._connection.send_bytes(part)

    def receive(self) -> Message:
        """The next message. Waits for it. Raises `EOFError` or `OSError` when the other side is gone."""
        header = json.loads(self._connection.recv_bytes())
        parts: Parts = [self._connection.recv_bytes() for _ in range(header["parts"])]
        return Message(header["kind"], header["body"], parts)

    def poll(self, seconds: float) -> bool:
        """True when there is something to receive, or the other side is gone, within ``seconds``."""
        return self._connection.poll(seconds)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def pack_media(media: MediaInfo) -> tuple[dict[str, Any], Parts]:
    """A media file as plain data; the times of its frames, which may be millions, as int64 bytes."""
    if media.video is None:
        return unstructure(media), []
    pts = media.video.clock.pts
    clock = attrs.evolve(media.video.clock, pts=np.zeros(0, np.int64))
    lean = attrs.evolve(media, video=attrs.evolve(media.video, clock=clock))
    return unstructure(lean), [pts.tobytes()]


def unpack_media(plain: Mapping[str, Any], parts: Parts) -> MediaInfo:
    """What `pack_media` was given."""
    media = structure(MediaInfo, plain)
    if media.video is None:
        return media
    clock = attrs.evolve(media.video.clock, pts=np.frombuffer(parts[0], np.int64))
    return attrs.evolve(media, video=attrs.evolve(media.video, clock=clock))


def _pack_tables(tables: Mapping[str, Table[Any]]) -> tuple[list[list[str]], Parts]:
    names, parts = [], []
    for name, table in tables.items():
        arrow = table.to_arrow()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, arrow.schema) as stream:
            stream.write_table(arrow)
        names.append([name, class_path(table.row_class)])
        parts.append(sink.getvalue())
    return names, parts


def _unpack_tables(
    names: Sequence[Sequence[str]], parts: Parts, gives: Mapping[str, str] | None
) -> dict[str, Table[Any]]:
    tables = {}
    for (name, path), part in zip(names, parts, strict=True):
        arrow = pa.ipc.open_stream(part).read_all()
        found = class_of(path, arrow.schema) if gives is None else _row_class(path, gives.get(name), arrow.schema)
        tables[name] = Table.from_arrow(found, arrow)
    return tables


def _row_class(path: str, declared: str | None, schema: pa.Schema) -> type[Any]:
    """The class of rows; one made from the columns where the plugin that has it is not installed."""
    for place in (declared, path):  # a plugin may declare a class under another module than the one that defines it
        try:
            found: Any = load(place) if place else None
        except PluginLoadError:
            continue
        if isinstance(found, type) and class_path(found) == path:
            return found
    return made_class(path, schema)


def pack_rows(pipeline: str, rows: Rows) -> tuple[dict[str, Any], Parts]:
    """What `Pipeline.process` gave. Raises `DataError` for what is no rows."""
    if rows is None:
        return {"named": False, "tables": []}, []
    named = isinstance(rows, Mapping)
    tables: Mapping[str, Any] = rows if isinstance(rows, Mapping) else {"": rows}
    for output, table in tables.items():
        if not isinstance(table, Table):
            raise DataError(f"{pipeline} must give a Table{f' for {output!r}' if named else ''}, gave {table!r}")
    names, parts = _pack_tables(tables)
    return {"named": named, "tables": names}, parts


def unpack_rows(plain: Mapping[str, Any], parts: Parts, gives: Mapping[str, str] | None) -> Rows:
    """What `pack_rows` was given.

    ``gives``: what the pipeline's spec declares; None when its classes are those of another environment.
    """
    if plain["named"]:
        return _unpack_tables(plain["tables"], parts, gives)
    if not plain["tables"]:
        return None
    if gives is not None:
        gives = {"": next(iter(gives.values())) if len(gives) == 1 else ""}
    return _unpack_tables(plain["tables"], parts, gives)[""]


def pack_result(result: PipelineResult) -> tuple[dict[str, Any], Parts]:
    """The result of another pipeline."""
    names, parts = _pack_tables(result.tables)
    failures = [unstructure(failure) for failure in result.failures]
    return {
        "name": result.name,
        "tables": names,
        "coverage": unstructure(result.coverage),
        "failures": failures,
        "models": [unstructure(model) for model in result.models],
    }, parts


def unpack_result(plain: Mapping[str, Any], parts: Parts) -> PipelineResult:
    """What `pack_result` was given."""
    return PipelineResult(
        plain["name"],
        _unpack_tables(plain["tables"], parts, {}),
        structure(Coverage, plain["coverage"]),
        tuple(structure(Failure, failure) for failure in plain["failures"]),
        tuple(structure(ModelRecord, model) for model in plain["models"]),
    )
