"""What a file format does."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from videoannotator.data.result import Result

__all__ = ["Format"]


@runtime_checkable
class Format(Protocol):
    """Results to files and back. Made without arguments. The class docstring lists what the format cannot hold."""

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write what this format can hold of ``result`` into ``folder``; file names begin with ``stem``.

        Returns the paths written, none when there is nothing this format can hold. A file appears whole or not
        at all. Raises `FormatError` when something cannot be written.
        """
        ...

    def read(self, path: Path) -> Result:
        """The result that ``path`` holds. Raises `FormatError` when it is not of this format, or is damaged."""
        ...
