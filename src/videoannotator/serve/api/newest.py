"""Whether anything has happened: asked of the database once for all streams of a process."""

from __future__ import annotations

import time

from starlette.concurrency import run_in_threadpool

from videoannotator.serve.store.listing import JobListing

__all__ = ["Newest"]


class Newest:
    """The number of the newest event, at most ``every`` seconds old.

    Fifty streams that each look for themselves twice a second take half a processor when nothing happens. ``changed``:
    when it became another, of `time.monotonic`.
    """

    def __init__(self, listing: JobListing, every: float) -> None:
        self._listing, self._every = listing, every
        self._number = -1
        self._looked = float("-inf")
        self._looking = False  # one stream looks, the others take what was known before: they come again soon
        self.changed = float("-inf")

    async def number(self) -> int:
        """That number; -1 while nobody knows. Raises `DatabaseUnavailable`."""
        if self._looking or time.monotonic() - self._looked < self._every:
            return self._number
        self._looking = True
        try:
            number = await run_in_threadpool(self._listing.last_event)
        finally:
            self._looking = False
        self._looked = time.monotonic()
        if number != self._number:
            self._number, self.changed = number, self._looked
        return number
