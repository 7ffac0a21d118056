"""What files say of a result besides its rows: the media, how it was made, what was looked at, what failed.

The native manifest is such a record; the open formats carry it where they have room for more than rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.convert import structure, unstructure
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage, Failure, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import class_path

__all__ = [
    "VERSION",
    "PipelineRecord",
    "Record",
    "TableRecord",
    "foreign_result",
    "media_from_plain",
    "plain_media",
]

VERSION = 1
"""Of the layout of records. A reader refuses any other."""

_MOST_FRAMES = 2**27  # weeks of film; a few bytes in a file must not fill the memory


@attrs.frozen
class TableRecord:
    """One table. ``row``: its class, ``"package.module:Class"``. ``rows``: how many. ``file``: relative path."""

    row: str
    rows: int
    file: str | None = None

    @classmethod
    def of(cls, table: Table[Any], file: str | None = None, row: type[Any] | None = None) -> TableRecord:
        """The record of ``table``; ``row`` where the file holds it as another class than its own."""
        return cls(class_path(row or table.row_class), len(table), file)


@attrs.frozen
class PipelineRecord:
    """One pipeline's part of a result, without the rows."""

    coverage: Coverage
    failures: tuple[Failure, ...]
    tables: Mapping[str, TableRecord]


@attrs.frozen
class Record:
    """A result without its rows."""

    media: MediaInfo
    provenance: Provenance
    media_failures: tuple[Failure, ...]
    pipelines: Mapping[str, PipelineRecord]
    format: str = "videoannotator"
    version: int = VERSION

    @classmethod
    def of(cls, result: Result, tables: Mapping[tuple[str, str], TableRecord], pipelines: Iterable[str]) -> Record:
        """The record of ``pipelines`` with the given ``tables``, by pipeline and output."""
        parts = {
            name: PipelineRecord(
                result[name].coverage,
                result[name].failures,
                {output: table for (pipeline, output), table in tables.items() if pipeline == name},
            )
            for name in pipelines
        }
        return cls(result.media, result.provenance, result.media_failures, parts)

    @classmethod
    def of_table(
        cls, result: Result, pipeline: str, output: str, row: type[Any], *, clock: bool = True
    ) -> dict[str, Any]:
        """The plain record for a file of one table that is passed on: see `shared`."""
        table = TableRecord.of(result[pipeline].tables[output], row=row)
        return cls.of(result, {(pipeline, output): table}, [pipeline]).shared(clock=clock).plain()

    def shared(self, *, clock: bool = True) -> Record:
        """This record as files carry it that are passed on: no folder names, no tracebacks.

        Without ``clock`` the picture stream, whose clock is as long as the film, is left out and a notice says so.
        """
        media = attrs.evolve(self.media, path=PurePath(self.media.path).name)
        if not clock and media.video is not None:
            notice = "read from a file that does not tell about the picture stream"
            media = attrs.evolve(media, video=None, notices=(*media.notices, notice))
        parts = {
            name: attrs.evolve(part, failures=tuple(attrs.evolve(f, details=None) for f in part.failures))
            for name, part in self.pipelines.items()
        }
        failures = tuple(attrs.evolve(f, details=None) for f in self.media_failures)
        return attrs.evolve(self, media=media, pipelines=parts, media_failures=failures)

    def plain(self) -> dict[str, Any]:
        """This record as plain data; the times of frames as runs of equal steps."""
        return {**unstructure(self), "media": plain_media(self.media)}

    @classmethod
    def from_plain(cls, plain: Any, path: Path) -> Record:
        """The record in plain data. Raises `FormatError` when it is none, or of another version."""
        if not isinstance(plain, dict) or plain.get("format") != "videoannotator":
            raise FormatError(f"{path} was not written by videoannotator")
        if plain.get("version") != VERSION:
            raise FormatError(
                f"{path} has the layout version {plain.get('version')!r}, this videoannotator reads {VERSION}: "
                "install the version that wrote it, or a newer one"
            )
        try:
            return structure(cls, {**plain, "media": _with_pts(plain["media"])})
        except (DataError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise FormatError(f"{path} is damaged: {error}") from error

    def result(self, tables: Mapping[tuple[str, str], Table[Any]], path: Path) -> Result:
        """The result, with the tables read, by pipeline and output. Raises `FormatError` for a wrong length."""
        pipelines, models = {}, {record.name: record.models for record in self.provenance.pipelines}
        for name, part in self.pipelines.items():
            mine = {output: tables[name, output] for output in part.tables if (name, output) in tables}
            for output, table in mine.items():
                if len(table) != part.tables[output].rows:
                    wanted = part.tables[output].rows
                    raise FormatError(f"{path} is damaged: {name}.{output} has {len(table)} rows instead of {wanted}")
            pipelines[name] = PipelineResult(name, mine, part.coverage, part.failures, models.get(name, ()))
        return Result(self.media, pipelines, self.provenance, self.media_failures)

    def only_table(self, path: Path) -> tuple[str, str, TableRecord]:
        """Pipeline, output and record of the one table in this record. Raises `FormatError` for any other number."""
        every = [(name, output, t) for name, part in self.pipelines.items() for output, t in part.tables.items()]
        if len(every) != 1:
            raise FormatError(f"{path} is damaged: it should hold one table and names {len(every)}")
        return every[0]


def plain_media(media: MediaInfo) -> dict[str, Any]:
    """``media`` as plain data; the times of frames as runs of equal steps."""
    plain: dict[str, Any] = unstructure(media)
    if media.video is not None:
        plain["video"]["clock"]["pts"] = _runs(media.video.clock.pts)
    return plain


def media_from_plain(plain: Any) -> MediaInfo:
    """What `plain_media` gave, as it was. Raises `DataError` where it is something else."""
    try:
        return structure(MediaInfo, _with_pts(plain))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise DataError(f"this is no media: {error}") from error


def _runs(pts: NDArray[np.int64]) -> dict[str, Any]:
    """Times of frames as the first and the steps, equal ones counted (``"1001x300 1002"``)."""
    steps = np.diff(pts)
    begins = np.flatnonzero(np.diff(steps, prepend=-1))
    counts = np.diff(begins, append=len(steps))
    runs = zip(steps[begins].tolist(), counts.tolist(), strict=True)
    text = " ".join(f"{step}x{count}" if count > 1 else f"{step}" for step, count in runs)
    return {"first": int(pts[0]) if len(pts) else None, "steps": text}


def _with_pts(media: dict[str, Any]) -> dict[str, Any]:
    video = media["video"]
    if video is None:
        return media
    runs = video["clock"]["pts"]
    pairs = [step.partition("x") for step in runs["steps"].split()]
    values, counts = [int(step) for step, _, _ in pairs], [int(count or 1) for _, _, count in pairs]
    first = [] if runs["first"] is None else [int(runs["first"])]
    if sum(counts) > _MOST_FRAMES:
        raise DataError(f"a film of {sum(counts)} frames is not believed")
    pts = np.cumsum(np.concatenate([first, np.repeat(np.array(values, dtype=np.int64), counts)]).astype(np.int64))
    return {**media, "video": {**video, "clock": {**video["clock"], "pts": pts}}}


def foreign_result(
    path: Path,
    kind: str,
    pipeline: str,
    output: str,
    table: Table[Any],
    *,
    media: str | None,
    notices: Sequence[str] = (),
) -> Result:
    """A result of one table from a file that somebody else wrote.

    Of the media only the name is known (``media``, or the name of the file read), and that it lasts at least to the
    end of the last row. What was looked at is not known: the coverage is empty. Unknown texts are empty.
    """
    name = media or path.stem
    ends = table.column("end" if "end" in table.columns else "time")
    duration = float(ends.max()) if len(table) else 0.0
    told = (f"read from {kind} ({path.name}): of the media file only its name is known", *notices)
    info = MediaInfo(path=name, size=0, container="", duration=duration, video=None, audio=None, notices=told)
    made = Provenance(media_name=name, media_sha256="", videoannotator="", created="", span=TimeSpan(0, duration))
    return Result(info, {pipeline: PipelineResult(pipeline, {output: table})}, made)
