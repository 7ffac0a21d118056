"""What happens to jobs, read from the database once for all event streams of a process."""

from __future__ import annotations

import time
from collections import deque
from functools import cached_property

import anyio
import attrs
from fastapi.sse import format_sse_event
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from videoannotator.serve.api.models import moment_text
from videoannotator.serve.store.listing import JobEvent, JobListing

__all__ = ["Follower", "Tail", "Told", "name_of", "on_the_wire"]

_SETTLED = 10.0
"""Seconds after which no event with a smaller number can appear any more: no transaction takes that long."""
_KEPT = 2000
_ONCE = 500
_BEFORE = 200
_ALONE = 30.0
"""Seconds without a look after which nobody follows any more."""


def name_of(event: JobEvent) -> str:
    """How the event is called: clients know update, log and complete; how far a job is is an update."""
    return "job.update" if event.kind == "progress" else f"job.{event.kind}"


def on_the_wire(name: str, data: dict[str, object], number: int | None = None) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    text = to_json(data, inf_nan_mode="null").decode()
    return format_sse_event(event=name, data_str=text, id=None if number is None else str(number))


@attrs.frozen(slots=False)
class Told:
    """An event, and what streams send of it: the same bytes for everybody who may see it."""

    event: JobEvent

    @cached_property
    def wire(self) -> bytes:
        """See `on_the_wire`."""
        event = self.event
        data = {"job_id": event.job_id, "timestamp": moment_text(event.created_at), **event.data}
        return on_the_wire(name_of(event), data, event.id)


class Tail:
    """The newest events of everybody, at most ``every`` seconds old, in the order in which they became visible.

    Fifty streams that each look for themselves twice a second take half a processor when nothing happens, and more when
    something does. On PostgreSQL an event can appear behind one with a larger number; it comes all the same.
    """

    def __init__(self, listing: JobListing, every: float) -> None:
        self._listing, self._every = listing, every
        self._lock = anyio.Lock()
        self._looked = float("-inf")
        self._kept: deque[Told] = deque(maxlen=_KEPT)
        self.end = 0  # the place behind the newest one; places are counted through, whatever was forgotten
        self.settled = 0  # no event up to this number comes any more
        self._known: set[int] = set()  # those behind it that have come

    async def look(self, *, now: bool = False) -> None:
        """See what is new, if it is time to or ``now`` is true. Raises `DatabaseUnavailable`."""
        if not now and (self._lock.locked() or time.monotonic() - self._looked < self._every):
            return  # another stream looks, and this one comes again soon
        async with self._lock:
            fresh = await run_in_threadpool(self._read)
            self._looked = time.monotonic()
            self._kept.extend(Told(event) for event in fresh)
            self.end += len(fresh)

    def since(self, place: int) -> list[Told] | None:
        """Events from a place on; None where some of them are forgotten."""
        missing = self.end - place
        if missing > len(self._kept):
            return None
        return [self._kept[number] for number in range(len(self._kept) - missing, len(self._kept))] if missing else []

    def _read(self) -> list[JobEvent]:
        if time.monotonic() - self._looked > _ALONE:
            return self._begin()
        fresh = []
        while True:
            found = self._listing.events(None, after=self.settled, limit=_ONCE)
            fresh += [event for event in found if event.id not in self._known]
            self._settle(found, full=len(found) == _ONCE)
            if len(found) < _ONCE:
                return fresh

    def _begin(self) -> list[JobEvent]:
        """From here on, there may be events that no place leads to: who was somewhere before has to read them."""
        self._kept.clear()
        self.end += 1
        self.settled = max(0, self._listing.last_event() - (0 if self._orderly else _ONCE))
        self._known = set()
        found = [] if self._orderly else self._listing.events(None, after=self.settled, limit=2 * _ONCE)
        self._settle(found, full=False)
        return []

    @property
    def newest(self) -> int:
        """The largest number that was seen."""
        return max(self._known, default=self.settled)

    @property
    def _orderly(self) -> bool:
        """With one writer, numbers become visible in their order."""
        return self._listing.database.is_sqlite

    def _settle(self, found: list[JobEvent], *, full: bool) -> None:
        if self._orderly or full:  # so many in ten seconds: going on is better than standing still
            self.settled = found[-1].id if found else self.settled
        else:
            now = self._listing.database.now() if found else 0.0
            for event in found:
                if now - event.created_at < _SETTLED:
                    break
                self.settled = event.id
        self._known.update(event.id for event in found)
        self._known = {number for number in self._known if number > self.settled}


class Follower:
    """Events of one job, or of all jobs of ``owner`` (None: of everybody), behind the event ``after``.

    ``after`` None: from now on; of one job: from its beginning. What the database has comes first, then what the tail
    sees. Where numbers can become visible out of order, it begins a little earlier than ``after``.
    """

    def __init__(
        self, tail: Tail, listing: JobListing, owner: str | None, job_id: str | None, after: int | None
    ) -> None:
        self._tail, self._listing, self._owner, self.job_id = tail, listing, owner, job_id
        # one job's events are written one after the other; those of several only where there is one writer
        self._orderly = job_id is not None or listing.database.is_sqlite
        self._after = 0 if after is None and job_id is not None else after
        self.mark = self._after or 0  # the largest number that was read
        self._place: int | None = None  # in the tail, when everything before it was read
        self._next: int | None = None  # that place, while what is before it is being read
        self._settled = 0  # as the tail was at that place
        self._seen: set[int] = set()  # what was read in the database, and the tail will have once more

    async def new(self) -> list[Told]:
        """Those since the last time: a few hundred at most, then there may be more. Raises `DatabaseUnavailable`."""
        if self._place is None:
            return await self._catch_up()
        await self._tail.look()
        fresh = self._tail.since(self._place)
        if fresh is None:  # too slow for the tail
            self._place, self._after = None, self.mark
            return await self._catch_up()
        self._place += len(fresh)
        self.mark = max((told.event.id for told in fresh), default=self.mark)
        wanted = [told for told in fresh if self._wants(told.event)]
        if self._seen and self._tail.settled >= max(self._seen):
            self._seen = set()
        return wanted

    @property
    def is_late(self) -> bool:
        """True while there may be more in the database."""
        return self._place is None

    def _wants(self, event: JobEvent) -> bool:
        return (
            self._owner in (None, event.owner_id) and self.job_id in (None, event.job_id) and event.id not in self._seen
        )

    async def _catch_up(self) -> list[Told]:
        if self._next is None:
            await self._tail.look(now=True)
            self._next, self._settled = self._tail.end, self._tail.settled
            self.mark = self._begin()
        found = await run_in_threadpool(
            self._listing.events, self._owner, after=self.mark, job_id=self.job_id, limit=_ONCE
        )
        self.mark = found[-1].id if found else self.mark
        self._seen.update(event.id for event in found if event.id > self._settled)
        if len(found) < _ONCE:
            self._place, self._next = self._next, None
        return [Told(event) for event in found]

    def _begin(self) -> int:
        """Behind which event the database is read."""
        if self._after is None:
            return self._tail.newest
        return self._after if self._orderly else max(0, self._after - _BEFORE)
