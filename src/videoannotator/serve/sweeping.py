"""What all parts of a clean-up share: what went, what somebody should look at, and how files are removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from videoannotator.serve.service import Service

__all__ = ["DAY", "GRACE", "Removal", "Sweep", "blocks", "listed", "newest_in", "size_of"]

DAY = 24 * 3600.0
GRACE = 3600.0
"""Seconds that a file is left alone: it may be on its way to a row."""
_AT_ONCE = 200
"""Rows that go in one transaction: others write in between."""


@attrs.frozen
class Removal:
    """One thing that went, or would go. ``what``: job, video, upload, folder, file, rows, cache. ``bytes``: of its
    files.
    """

    what: str
    name: str
    why: str
    bytes: int = 0


class Sweep:
    """One clean-up. ``dry``: nothing is removed, only told. ``jobs``, ``videos``: ids of those that went, or would."""

    def __init__(self, service: Service, dry: bool) -> None:
        self.service = service
        self.database = service.database
        self.data = service.settings.data_dir.absolute()
        self.dry = dry
        self.removals: list[Removal] = []
        self.problems: list[str] = []
        self.jobs: set[str] = set()
        self.videos: set[str] = set()

    def gone(self, what: str, name: str, why: str, size: int = 0) -> None:
        """Tell it."""
        self.removals.append(Removal(what, name, why, size))

    def remove_path(self, path: Path) -> None:
        """Remove a file or folder of the data folder; what cannot be removed is told, and tried the next time."""
        if self.dry or not path.is_relative_to(self.data) or path == self.data:
            return
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        except OSError as error:
            self.problems.append(f"{path} cannot be removed: {error}")


def blocks(items: list[Any]) -> Iterator[list[Any]]:
    """Not too many at a time."""
    for first in range(0, len(items), _AT_ONCE):
        yield items[first : first + _AT_ONCE]


def listed(folder: Path) -> list[str]:
    """Names in a folder; none where there is none."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def newest_in(path: Path) -> float:
    """When it was last changed; of a folder, when anything in it was."""
    newest = path.lstat().st_mtime
    for parent, _, names in os.walk(path):
        for name in names:
            try:
                newest = max(newest, (Path(parent) / name).lstat().st_mtime)
            except FileNotFoundError:
                continue
    return newest


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    total = 0
    try:
        if not path.is_dir():
            return path.lstat().st_size
        for parent, _, names in os.walk(path):
            total += sum((Path(parent) / name).lstat().st_size for name in names)
    except FileNotFoundError:
        pass
    return total
