"""Showing how far a run is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm.auto import tqdm

from videoannotator.run.events import Progress

__all__ = ["Bar", "ProgressOption"]

ProgressOption = bool | Callable[[Progress], None]


class Bar:
    """A progress bar in a terminal or notebook (tqdm), a callback, or nothing at all."""

    def __init__(self, option: ProgressOption, path: str) -> None:
        self._call = option if callable(option) else None
        shown = option is True
        self._bar = (
            tqdm(total=1.0, desc=Path(path).name, bar_format="{desc} {percentage:3.0f}%|{bar}| {postfix}")
            if shown
            else None
        )

    def show(self, progress: Progress) -> None:
        """Draw, or call back."""
        if self._call is not None:
            self._call(progress)
        if self._bar is not None:
            self._bar.n = round(progress.fraction, 4)
            left = "" if progress.eta is None else f", {progress.eta:.0f} s left"
            self._bar.set_postfix_str(
                f"{progress.seconds:.1f} of {progress.duration:.1f} s, {progress.frames} frames{left}"
            )

    def tell(self, text: str) -> None:
        """Write a line above the bar, where there is one."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
