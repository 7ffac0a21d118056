"""What one run gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Coverage, Failure, ModelRecord, Provenance
from videoannotator.data.table import Table
from videoannotator.errors import DataError, nearest

__all__ = ["PipelineResult", "Result"]


@attrs.frozen
class PipelineResult:
    """The tables of one pipeline, by output name; each is an attribute as well (``.detections``).

    A pipeline that found nothing has empty tables. One that failed has its ``failures``, the rows it gave before
    it failed, and a ``coverage`` that ends there. ``models``: the weights it used, in the order in which it asked for
    them, as in the provenance: for pipelines that read its rows and must know what they are from.
    """

    name: str
    tables: Mapping[str, Table[Any]]
    coverage: Coverage = attrs.field(factory=Coverage)
    failures: tuple[Failure, ...] = ()
    models: tuple[ModelRecord, ...] = attrs.field(default=(), eq=False)  # the provenance is where they are compared

    @property
    def ok(self) -> bool:
        """True when nothing failed."""
        return not self.failures

    def __getattr__(self, name: str) -> Table[Any]:
        if name.startswith("_") or name not in self.tables:
            outputs = ", ".join(self.tables) if not name.startswith("_") else ""
            raise AttributeError(f"{self.name} has no output {name!r}; it has {outputs}")
        return self.tables[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.tables]


@attrs.frozen
class Result(Mapping[str, PipelineResult]):
    """What one run gives: tables by pipeline, what was looked at, what failed, and how it was made.

    >>> result["person_tracking"].detections.to_pandas()  # doctest: +SKIP
    """

    media: MediaInfo
    pipelines: Mapping[str, PipelineResult]
    provenance: Provenance
    media_failures: tuple[Failure, ...] = ()

    def __attrs_post_init__(self) -> None:
        for name, pipeline in self.pipelines.items():
            if pipeline.name != name:
                raise DataError(f"the result of {pipeline.name!r} is filed under {name!r}")

    def __getitem__(self, name: str) -> PipelineResult:
        if name not in self.pipelines:
            raise KeyError(
                f"no pipeline {name!r} in this result{nearest(name, self.pipelines)}; it has {', '.join(self)}"
            )
        return self.pipelines[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pipelines)

    def __len__(self) -> int:
        return len(self.pipelines)

    __hash__ = None  # type: ignore[assignment]  # holds tables

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that is missing and why: first what concerns the file, then pipeline by pipeline."""
        return self.media_failures + tuple(f for p in self.pipelines.values() for f in p.failures)

    @property
    def ok(self) -> bool:
        """True when nothing failed."""
        return not self.failures

    @property
    def notices(self) -> tuple[str, ...]:
        """What is not missing and yet worth knowing: about the file, and about how pipelines had to be run."""
        ran = tuple(f"{record.name}: {notice}" for record in self.provenance.pipelines for notice in record.notices)
        return (*self.media.notices, *ran)

    @property
    def coverage(self) -> dict[str, Coverage]:
        """What each pipeline looked at."""
        return {name: pipeline.coverage for name, pipeline in self.pipelines.items()}

    @property
    def stem(self) -> str:
        """The media file's name without its suffix: how files made from this result begin."""
        return Path(self.media.path).stem

    def tables(self) -> Iterator[tuple[str, str, Table[Any]]]:
        """Every table with its pipeline and output: ``(pipeline, output, table)``."""
        for name, pipeline in self.pipelines.items():
            for output, table in pipeline.tables.items():
                yield name, output, table

    def export(self, folder: str | Path, formats: Sequence[str] = ("native",)) -> list[Path]:
        """Write this result into ``folder`` in each of ``formats``; returns the files written.

        Raises `UnknownFormatError` before anything is written, `FormatError` when writing fails.
        """
        from videoannotator.formats.exporting import export

        return export(self, folder, formats)

    def __repr__(self) -> str:
        lines = [f"Result of {Path(self.media.path).name} {self.provenance.span}"]
        lines += [
            f"  {name}.{output}: {len(table)} x {table.row_class.__name__}" for name, output, table in self.tables()
        ]
        lines += [f"  ! {failure}" for failure in self.failures]
        lines += [f"  note: {notice}" for notice in self.notices]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(output)}</td><td>{escape(table.row_class.__name__)}</td>"
            f"<td>{len(table)}</td><td>{self.pipelines[name].coverage.duration:.1f} s</td></tr>"
            for name, output, table in self.tables()
        )
        wrong = "".join(f"<li>{escape(str(failure))}</li>" for failure in self.failures)
        notes = "".join(f"<li>{escape(notice)}</li>" for notice in self.notices)
        head = "<tr><th>pipeline</th><th>output</th><th>rows of</th><th>number</th><th>covered</th></tr>"
        return (
            f"<table><caption>{escape(Path(self.media.path).name)}, {escape(str(self.provenance.span))}</caption>"
            f"<thead>{head}</thead><tbody>{rows}</tbody></table>"
            + (f"<p>Missing:</p><ul>{wrong}</ul>" if wrong else "")
            + (f"<p>Notes:</p><ul>{notes}</ul>" if notes else "")
        )
