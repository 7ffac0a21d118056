"""What earlier runs took, of memory and of time, remembered in the cache folder.

A *job* is a pipeline with its version, settings, precision and kind of device: what decides how much it takes, whatever
the recording.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from videoannotator.discover.models import cache_folder

__all__ = ["Measured", "nearest"]

_log = logging.getLogger(__name__)
_FILE = "measured.sqlite"
_NEW = 0.5
"""How much the newest of several times counts: a machine that others use, too, is slower today than yesterday."""

_TABLES = """
CREATE TABLE IF NOT EXISTS memory (job TEXT, batch INT, pixels INT, bytes INT, PRIMARY KEY (job, batch, pixels));
CREATE TABLE IF NOT EXISTS speed (job TEXT PRIMARY KEY, seconds REAL);
"""


@attrs.frozen
class Measured:
    """Reads and writes it. Where the folder cannot be used, nothing is known and nothing is remembered."""

    folder: Path = attrs.field(factory=cache_folder)

    def memory(self, job: str) -> dict[tuple[int, int], int]:
        """The bytes a job took at most, by batch and pixels of each picture; see `nearest`."""
        found = self._ask("SELECT batch, pixels, bytes FROM memory WHERE job = ?", (job,))
        return {(int(batch), int(pixels)): int(taken) for batch, pixels, taken in found}

    def remember_memory(self, job: str, batch: int, pixels: int, taken: int) -> None:
        """Remember it, unless as much is known already."""
        self._tell(
            "INSERT INTO memory VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET bytes = max(bytes, excluded.bytes)",
            (job, batch, pixels, taken),
        )

    def seconds(self, jobs: Sequence[str]) -> float | None:
        """Seconds of wall clock for one unit of work of ``jobs`` side by side, or of one; see `remember_seconds`."""
        found = self._ask("SELECT seconds FROM speed WHERE job = ?", ("+".join(sorted(jobs)),))
        return float(found[0][0]) if found else None

    def remember_seconds(self, jobs: Sequence[str], seconds: float) -> None:
        """Remember how long a unit of work took: a frame, or a second of a recording without pictures."""
        self._tell(
            "INSERT INTO speed VALUES (?1,?2) ON CONFLICT DO UPDATE SET seconds = ?3 * ?2 + (1 - ?3) * seconds",
            ("+".join(sorted(jobs)), seconds, _NEW),
        )

    def _ask(self, question: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not (self.folder / _FILE).is_file():
            return []  # a plan leaves nothing behind
        return self._do(question, values)

    def _tell(self, statement: str, values: tuple[Any, ...]) -> None:
        self._do(statement, values)

    def _do(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.folder / _FILE, timeout=10)) as book, book:
                book.executescript(_TABLES)
                return book.execute(statement, values).fetchall()
        except (OSError, sqlite3.Error) as error:
            _log.warning("what runs take is not remembered: %s cannot be used: %s", self.folder, error)
            return []


def nearest(known: Mapping[tuple[int, int], int], batch: int, pixels: int) -> tuple[int, int] | None:
    """Which of the sizes that are known says most of ``batch`` pictures of ``pixels`` each.

    The smallest that is no smaller, else the largest; None when nothing is known.
    """
    larger = [size for size in known if size[0] >= batch and size[1] >= pixels]
    if larger:
        return min(larger)
    return max(known, key=lambda size: (size[0] * size[1], size[0]), default=None)
