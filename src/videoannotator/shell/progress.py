"""Progress on standard error, where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from videoannotator.run.events import Progress

__all__ = ["watching"]


@contextmanager
def watching(name: str) -> Iterator[Callable[[Progress], None] | Literal[False]]:
    """What to hand to ``annotate(progress=...)``: a bar if standard error is a terminal, else False."""
    if not sys.stderr.isatty():
        yield False
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

        def show(progress: Progress) -> None:
            at = f"{progress.seconds:.0f} of {progress.duration:.0f} s"
            bar.update(task, completed=progress.fraction, at=at)

        yield show
