"""What is printed and written down: figures with their goals, tables, and the machine on top. All of it is Markdown."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Figure", "Section", "Table", "machine", "median", "spread", "write"]

_TOLD = (
    "videoannotator",
    "ultralytics",
    "trackeval",
    "scenedetect",
    "silero-vad",
    "openvino",
    "torch",
    "av",
    "numpy",
    "pyarrow",
)


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: Sequence[float], how: str = ".2f") -> str:
    """Median and range; of one value, itself."""
    if len(values) == 1:
        return f"{values[0]:{how}}"
    return f"{median(values):{how}} ({min(values):{how}} to {max(values):{how}})"


@attrs.frozen
class Figure:
    """A number that has a goal. ``values``: of every repeat. ``unit``: behind the number. ``how``: it is written.

    ``most``, ``least``: the goal. ``missed``: what stands in the way, printed where it is missed.
    """

    name: str
    values: tuple[float, ...]
    unit: str
    most: float | None = None
    least: float | None = None
    missed: str = ""
    how: str = ".2f"

    @property
    def met(self) -> bool:
        """True when the median keeps to the goal."""
        value = median(self.values)
        return (self.most is None or value <= self.most) and (self.least is None or value >= self.least)

    @property
    def verdict(self) -> str:
        """Met, or by how much not."""
        goal = self.most if self.most is not None else self.least
        if self.met or not goal:
            return "met"
        return f"**missed** by {abs(median(self.values) / goal - 1):.0%}"

    @property
    def goal(self) -> str:
        """The goal in words."""
        return (
            f"at most {self.most:.4g}{self.unit}" if self.most is not None else f"at least {self.least:.4g}{self.unit}"
        )


@attrs.frozen
class Table:
    """``head``: names of the columns; ``rows``: texts."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        widths = [max(len(row[n]) for row in (self.head, *self.rows)) for n in range(len(self.head))]
        lines = [self._line(self.head, widths), "|" + "|".join("-" * (width + 2) for width in widths) + "|"]
        return "\n".join([*lines, *(self._line(row, widths) for row in self.rows)])

    @staticmethod
    def _line(cells: tuple[str, ...], widths: Sequence[int]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"


@attrs.frozen
class Section:
    """One benchmark. ``same``: what was compared, and found equal, before anything was measured; "" for nothing."""

    title: str
    same: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"## {self.title}", *([f"Compared first: {self.same}."] if self.same else [])]
        if self.figures:
            parts.append(str(figures_table(self.figures)))
        parts += [str(table) for table in self.tables]
        parts += self.notes
        parts += [f"{figure.name}: {figure.missed}" for figure in self.figures if not figure.met and figure.missed]
        return "\n\n".join(parts) + "\n"


def figures_table(figures: Iterable[Figure]) -> Table:
    """Figures beside their goals."""
    rows = [(f.name, f"{spread(f.values, f.how)}{f.unit}", f.goal, f.verdict) for f in figures]
    return Table(("figure", "median (range)", "goal", ""), tuple(rows))


def machine() -> str:
    """Processor, memory, system, and versions of what is measured."""
    cpu = _line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = _line_of("/proc/meminfo", "MemTotal")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{name} {found}" for name in _TOLD if (found := _version(name))]
    size = f", {int(memory.split()[0]) / 2**20:.1f} GiB" if memory else ""
    load = ", ".join(f"{part:.2f}" for part in os.getloadavg())
    return (
        f"{cpu}, {cores} CPUs{size}; {platform.system()} {platform.release()}, Python {sys.version.split()[0]}; "
        f"{', '.join(versions)}; load when this began: {load}"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _line_of(file: str, name: str) -> str | None:
    path = Path(file)
    if not path.exists():
        return None
    return next(
        (line.partition(":")[2].strip() for line in path.read_text().splitlines() if line.startswith(name)), None
    )


def write(folder: Path, head: str, sections: Sequence[Section], title: str = "Speed") -> tuple[Path, Path]:
    """Write ``report.md``, with all figures in one table on top, and ``report.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [figure for section in sections for figure in section.figures]
    parts = [f"# {title}", head, *([str(figures_table(figures))] if figures else []), *map(str, sections)]
    text, plain = folder / "report.md", folder / "report.json"
    text.write_text("\n\n".join(parts), encoding="utf-8")
    told: dict[str, Any] = {"machine": head, "sections": [attrs.asdict(section) for section in sections]}
    plain.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return text, plain


def per_side(costs: dict[str, Sequence[Any]], of: Sequence[tuple[str, Callable[[Any], str]]]) -> Table:
    """A row for each side. ``of``: names of columns, and what stands there for all repeats of a side."""
    rows = [(name, *(tell(ran) for _, tell in of)) for name, ran in costs.items()]
    return Table(("side", *(name for name, _ in of)), tuple(rows))
