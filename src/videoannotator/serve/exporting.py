"""Results of jobs: the result itself, its rows as JSON, its files, and archives that are nowhere as a whole."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import numpy as np

from videoannotator.data.convert import unstructure
from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.formats.exporting import read
from videoannotator.serve.errors import ConflictError, NotFoundError
from videoannotator.serve.service import Service
from videoannotator.serve.store.listing import JobResult, JobView
from videoannotator.serve.work.naming import absolute

__all__ = ["Entry", "columns", "files_of", "folder_of", "only", "result_of", "result_row", "zipped"]

_BLOCK = 1 << 20


def result_row(service: Service, view: JobView) -> JobResult:
    """Where the result of a job is. Raises `ConflictError` while there is none, `NotFoundError` if there never is."""
    row = service.listing.result(view.id)
    if row is not None:
        return row
    if not view.job.ended:
        raise ConflictError(
            f"job {view.id} is {view.job.state}: it has no result yet",
            code="NO_RESULT_YET",
            hint=f"follow it: GET /api/v1/jobs/{view.id}/events",
        )
    raise NotFoundError(
        f"job {view.id} is {view.job.state} and has no result",
        code="NO_RESULT",
        hint=view.job.error_message or f"try it again: POST /api/v1/jobs/{view.id}/retry",
    )


def folder_of(service: Service, row: JobResult) -> Path:
    """The folder of a result. Raises `NotFoundError` when somebody took it away."""
    folder = absolute(service.settings, row.folder)
    if not folder.is_dir():
        raise NotFoundError(
            f"the files of job {row.job_id} are not there any more",
            code="FILE_NOT_FOUND",
            hint=f"make them again: POST /api/v1/jobs/{row.job_id}/retry",
        )
    return folder


def result_of(service: Service, row: JobResult) -> Result:
    """The result itself. Raises `NotFoundError`, and `FormatError` when it is damaged."""
    folder = folder_of(service, row)
    native = row.summary.get("files", {}).get("native") or [f"{row.summary.get('name', '')}.videoannotator"]
    place = folder / native[0]
    if not place.exists():
        raise NotFoundError(f"the native result of job {row.job_id} is not there any more", code="FILE_NOT_FOUND")
    return read(place)


def only(result: Result, pipeline: str) -> Result:
    """The part of one pipeline. Raises `NotFoundError` with what there is."""
    if pipeline not in result:
        raise NotFoundError(
            f"this job has no result of {pipeline!r}",
            code="NO_SUCH_PIPELINE",
            hint=f"it has {', '.join(result) or 'none'}",
        )
    kept = tuple(record for record in result.provenance.pipelines if record.name == pipeline)
    return attrs.evolve(
        result,
        pipelines={pipeline: result[pipeline]},
        provenance=attrs.evolve(result.provenance, pipelines=kept),
    )


def columns(
    result: Result, pipeline: str, *, start: float | None = None, end: float | None = None, limit: int | None = None
) -> Iterator[bytes]:
    """One pipeline's rows as JSON, column by column: quick to read for a page. In pieces of one table each.

    ``start``, ``end``: only rows that lie in, or reach into, these seconds. ``limit``: rows of a table, at most.
    """
    part = result[pipeline]
    span = result.provenance.span
    head = {
        "pipeline": pipeline,
        "media": {"duration": result.media.duration, **_size(result)},
        "span": [span.start, span.end],
        "coverage": {"spans": [[s.start, s.end] for s in part.coverage.spans], "rate": part.coverage.rate},
        "failures": [{"kind": f.kind, "message": f.message} for f in part.failures],
    }
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "tables": {'
    for number, (output, table) in enumerate(part.tables.items()):
        chosen = _within(table, start, end)
        total = len(chosen)
        if limit is not None:
            chosen = chosen[:limit]
        told = {
            "row": table.row_class.__name__,
            "rows": len(chosen),
            "total": total,
            "columns": {name: _plain(values) for name, values in chosen.to_arrow().to_pydict().items()},
        }
        text = json.dumps(told, ensure_ascii=False, allow_nan=False)
        yield (b", " if number else b"") + json.dumps(output).encode() + b": " + text.encode("utf-8", "replace")
    yield b"}}"


def _size(result: Result) -> dict[str, Any]:
    video = result.media.video
    return {} if video is None else {"width": video.width, "height": video.height}


def _within(table: Table[Any], start: float | None, end: float | None) -> Table[Any]:
    if start is None and end is None:
        return table
    names = [field.name for field in attrs.fields(table.row_class)]
    first, last = 0.0 if start is None else start, np.inf if end is None else end
    if "time" in names:
        time = np.asarray(table.time, dtype=float)
        return table[(time >= first) & (time < last)]
    if "start" in names and "end" in names:
        return table[(np.asarray(table.end, dtype=float) > first) & (np.asarray(table.start, dtype=float) < last)]
    return table


def _plain(values: Any) -> Any:
    """Values of a column as JSON knows them; what is no number (NaN, infinite) is null."""
    if isinstance(values, float):
        return values if abs(values) < np.inf else None
    if isinstance(values, list):
        return [_plain(value) for value in values]
    if isinstance(values, dict):
        return {key: _plain(value) for key, value in values.items()}
    return values if values is None or isinstance(values, str | int | bool) else unstructure(values)


@attrs.frozen
class Entry:
    """A file of a result. ``name``: relative to its folder, with ``/``."""

    name: str
    path: Path
    bytes: int


def files_of(folder: Path) -> list[Entry]:
    """Every file of a folder, by name. Links are left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(
        (Entry(path.relative_to(folder).as_posix(), path, path.stat().st_size) for path in found),
        key=lambda entry: entry.name,
    )


class _Pipe:
    """What a zip is written into; the pieces are taken out again at once."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0

    def write(self, data: bytes) -> int:
        self._held += data
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        return

    def taken(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


def zipped(files: Sequence[tuple[str, Path]]) -> Iterator[bytes]:
    """A ZIP of these files, ``(name, path)``, piece by piece. Media are stored as they are, all else is compressed."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:  # type: ignore[call-overload]  # all it needs: write, tell
        for name, path in files:
            info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            info.compress_type = zipfile.ZIP_STORED if _is_media(name) else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=info.file_size >= 1 << 31) as target:
                yield from _copied(source, target, pipe)
            yield pipe.taken()
    yield pipe.taken()


def _copied(source: BinaryIO, target: Any, pipe: _Pipe) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        target.write(block)
        yield pipe.taken()


def _is_media(name: str) -> bool:
    return name.lower().endswith((".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mp3", ".m4a", ".parquet"))
