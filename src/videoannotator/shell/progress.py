"""Progress on standard error, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from videoannotator.run.events import Progress


__all__ = ["drawing", "following", "watching"]


@contextmanager
def watching(name: str) -> Iterator[Callable[[Progress], None] | Literal[False]]:
    """What to hand to ``annotate(progress=...)``: a bar if standard error is a terminal, else False."""
    with _bar(name) as move:
        if move is None:
            yield False
            return

        def show(progress: Progress) -> None:
            move(progress.fraction, f"{progress.seconds:.0f} of {progress.duration:.0f} s")

        yield show


@contextmanager
def drawing(name: str) -> Iterator[Callable[[float], None] | None]:
    """What to hand to ``draw.video(progress=...)``: a bar if standard error is a terminal, else None."""
    with _bar(name) as move:
        yield None if move is None else lambda fraction: move(fraction, "")


@contextmanager
def following(name: str) -> Iterator[Callable[[float, str], None]]:
    """Moves a bar to a part (0..1) with a remark; where standard error is no terminal, does nothing."""
    with _bar(name) as move:
        yield move or (lambda fraction, remark: None)


@contextmanager
def _bar(name: str) -> Iterator[Callable[[float, str], None] | None]:
    """Moves a bar to a part (0..1) with a remark; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[at]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=1.0, at="")

        def move(fraction: float, at: str) -> None:
            bar.update(task, completed=fraction, at=at)

        yield move
