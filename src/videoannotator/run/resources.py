"""Who gets which device, how much of its memory, and how many threads. The only one who decides.

Pipelines of all runs of this process, and of other processes, ask for leases and give them back. What fits on a device
is given side by side; what does not waits its turn, the longest waiting first. Nobody waits while holding a lease of
the same run, so no two runs can wait for each other.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from types import TracebackType
from typing import Self

import attrs

from videoannotator.errors import LeaseTimeout
from videoannotator.run.devices import Machine
from videoannotator.run.ledger import Book, Holding, Ledger, Waiting, ledger_folder, new_owner, process_of
from videoannotator.run.loaded import LoadedModels

__all__ = ["Lease", "Request", "ResourceManager", "Turn", "gigabytes", "release", "shared_resources"]

LOOK = 0.1
"""Seconds between two looks at what other processes have given back."""


@attrs.frozen
class Request:
    """What a pipeline will ask for. Nothing is held by it.

    ``memory``: bytes of the device that it needs with batches of ``batch`` pictures; None when nobody knows yet.
    ``measured``: True when that is what it took in an earlier run, False when it is what its spec declares.
    ``dtypes``: in which types it may compute, best first, as torch names them. ``heavy``: True for one that uses a
    model: these share the processor's threads. ``pace``: pictures per second of film that it looks at, by which they
    share them; 1 for one that looks at none. ``smaller``: batches and their memory with which it would do as well.
    ``job``, ``pixels``: under what its use of memory is remembered (see `videoannotator.run.measured`).
    ``fits``: False when the device is too small for it even with one picture at a time. ``note``: what people should
    know of the choice.
    """

    name: str
    device: str = "cpu"
    memory: int | None = None
    measured: bool = False
    batch: int = 8
    dtypes: tuple[str, ...] = ("float32",)
    heavy: bool = True
    pace: float = 1.0
    smaller: tuple[tuple[int, int], ...] = ()
    job: str = ""
    pixels: int = 0
    fits: bool = True
    note: str = ""


@attrs.frozen
class Lease:
    """The right to use a device, until it is given back.

    ``memory``: bytes that are kept for it; None when nobody knows yet what it needs. ``threads``: processor threads it
    may use. ``dtypes``: in which types it may compute, best first. ``batch``: most pictures in a call, to start with.
    ``heavy``, ``pace``: see `Request`.
    """

    name: str
    device: str
    memory: int | None
    threads: int
    dtypes: tuple[str, ...]
    batch: int
    heavy: bool = True
    pace: float = 1.0
    number: str = attrs.field(factory=lambda: uuid.uuid4().hex)


class ResourceManager:
    """Gives out leases, to any thread.

    ``machine``: what there is. ``models``: what is loaded on it; idle ones go when somebody needs their room.
    ``ledger``: where other processes see what is held here; by default nobody does.
    """

    def __init__(
        self, machine: Machine | None = None, models: LoadedModels | None = None, ledger: Ledger | None = None
    ) -> None:
        self.machine = machine if machine is not None else Machine()
        self.models = models if models is not None else LoadedModels(self.machine)
        self._ledger = ledger if ledger is not None else Ledger(None)
        self._owner = new_owner()
        self._changed = threading.Condition(threading.RLock())
        self._leases: dict[str, Lease] = {}
        self._apart: dict[str, int] = {}  # bytes in processes of pipelines, by number of the lease
        self._base: dict[str, int] = {}
        self._identities: dict[str, str] = {}

    @property
    def leases(self) -> tuple[Lease, ...]:
        """Those that are out, in the order they were given."""
        with self._changed:
            return tuple(self._leases.values())

    def sole(self, lease: Lease) -> bool:
        """True when nobody else of this process has a lease of its device."""
        with self._changed:
            return all(one.number == lease.number or one.device != lease.device for one in self._leases.values())

    def taken_apart(self, lease: Lease, taken: int) -> None:
        """The pipeline of a lease has ``taken`` bytes of its device in a process of its own."""
        with self._changed:
            if lease.number in self._leases:
                self._apart[lease.number] = taken

    def unleased(self, device: str) -> int:
        """Bytes of a device in use by this process that belong to no lease: its own, and those of idle models."""
        with self._changed:
            return self._base.get(device, 0) + self.models.idle(device)

    def turn(self, requests: Sequence[Request]) -> Turn:
        """A place among those who wait for devices, for as many of ``requests`` as there will be room for."""
        return Turn(self, requests)

    def lease(
        self, requests: Sequence[Request], *, timeout: float, check: Callable[[], None] = lambda: None
    ) -> dict[str, Lease]:
        """Leases by name of pipeline, for as many of ``requests`` as there is room for now, at least for one.

        Waits for the first, ``timeout`` seconds at most. ``check`` is called while waiting and may raise, to give up.
        Raises `LeaseTimeout`. Give each back with `give_back`, and ask for the rest when all are.
        """
        with self.turn(requests) as turn:
            while True:
                check()
                granted = turn.take(max(0.0, min(LOOK, timeout - turn.waited)))
                if granted:
                    return granted
                if turn.waited >= timeout:
                    raise turn.late(timeout)

    def give_back(self, lease: Lease) -> None:
        """Its holder needs it no more. More than once is once."""
        with self._changed:
            if lease.number not in self._leases:
                return
        self.machine.empty(lease.device)  # what a library keeps for later is somebody else's now
        with self._changed:
            if self._leases.pop(lease.number, None) is None:
                return
            self._apart.pop(lease.number, None)
            with self._ledger.open() as book:
                self._show(book)
            self._changed.notify_all()

    def move(self, lease: Lease, device: str) -> Lease:
        """Its holder goes on, on another device, at once: a last resort does not wait. It takes there what it takes."""
        dtypes = ("float32",) if len(lease.dtypes) == 1 else (*self.machine.halves(device), "float32")
        moved = attrs.evolve(lease, device=device, memory=None, dtypes=dtypes, number=uuid.uuid4().hex)
        self.give_back(lease)
        with self._changed:
            self._leases[moved.number] = moved
            with self._ledger.open() as book:
                self._show(book)
            return moved

    # what follows is called with the lock held -------------------------------------------------------------------

    def _try(self, requests: Sequence[Request], asker: str, since: float) -> dict[str, Lease]:
        granted: dict[str, Lease] = {}
        with self._ledger.open() as book:
            for request in requests:
                place = self._identity(request.device)
                found = self._fitting(request, book) if book.first(place, asker, since) else None
                if found is not None:
                    told = (
                        found.name,
                        found.device,
                        found.memory,
                        1,
                        found.dtypes,
                        found.batch,
                        found.heavy,
                        found.pace,
                    )
                    lease = Lease(*told)
                    granted[found.name] = self._leases[lease.number] = lease
                    self._show(book)
            self._wait(book, asker, () if granted else (self._identity(r.device) for r in requests), since)
        for name, lease in granted.items():
            granted[name] = self._leases[lease.number] = attrs.evolve(lease, threads=self._share(lease))
        return granted

    def _share(self, lease: Lease) -> int:
        """Threads of the processor for a lease: by how often it looks, rounded, among all that compute."""
        if not lease.heavy:
            return max(1, self.machine.processors() // max(1, sum(one.heavy for one in self._leases.values())))
        together = sum(one.pace for one in self._leases.values() if one.heavy)
        return max(1, int(self.machine.processors() * lease.pace / together + 0.5))

    def _fitting(self, request: Request, book: Book) -> Request | None:
        """The request, if its device has room for it; with a smaller batch where waiting for us would not help."""
        if self._fits(request, book):
            return request
        place = self._identity(request.device)
        if any(one.device == place and one.leases for page in book.holdings.values() for one in page):
            return None
        # only other programs are in the way, and nobody knows whether they will ever give anything back
        if request.device == "cpu":
            return request  # the system finds memory that counts as used, and tells when there is none
        smaller = (attrs.evolve(request, batch=batch, memory=memory) for batch, memory in request.smaller)
        return next((one for one in smaller if self._fits(one, book)), None)

    def _fits(self, request: Request, book: Book) -> bool:
        """True when the device has room for it, if need be without models that nobody uses."""
        if request.memory is None:
            return True
        while True:
            room = self._room(request, book)
            if room is None or request.memory <= room:
                return True
            idle = self.models.idle(request.device, but=request.name)
            if request.memory > room + idle or not self.models.free(request.device, but=request.name):
                return False
            self._show(book)

    def _room(self, request: Request, book: Book) -> int | None:
        """Bytes of its device that are promised to nobody and used by nobody; None when the platform does not tell."""
        device, place = request.device, self._identity(request.device)
        memory = self.machine.memory(device)
        if memory is None:
            return None
        others = [
            one for owner, page in book.holdings.items() if owner != self._owner for one in page if one.device == place
        ]
        own = self._holding(device)
        strangers = memory.total - memory.free - own.reserved - sum(one.reserved for one in others)
        # its own models of an earlier run stand in for a part of what it asks for
        expected = own.base + self.models.idle(device, but=request.name) + sum(size for _, size in own.leases)
        if device != "cpu" and own.leases:  # the processor's libraries use again what they have freed
            expected = max(expected, self.machine.held(device))
        promised = expected + sum(one.expected for one in others)
        return int(memory.total * (1 - self.machine.spare)) - max(0, strangers) - promised

    def _holding(self, device: str) -> Holding:
        at_work = [lease for lease in self._leases.values() if lease.device == device]
        if not at_work:
            base = max(0, self.machine.held(device) - self.models.size(device))
            # memory of the processor that was used once is not given back to the last byte, but can be used again
            self._base[device] = min(base, self._base.get(device, base)) if device == "cpu" else base
        return Holding(
            device=self._identity(device),
            base=self._base.get(device, 0),
            idle=self.models.idle(device),
            reserved=self.machine.reserved(device) + sum(self._apart.get(lease.number, 0) for lease in at_work),
            leases=tuple((lease.name, lease.memory or 0) for lease in at_work),
        )

    def _show(self, book: Book) -> None:
        """Write down what is held here."""
        devices = dict.fromkeys([lease.device for lease in self._leases.values()])
        book.holdings[self._owner] = [self._holding(device) for device in devices]

    def _wait(self, book: Book, asker: str, places: Iterable[str], since: float = 0.0) -> None:
        """Write down for what an asker waits."""
        others = [one for one in book.waiting.get(self._owner, []) if one.asker != asker]
        mine = [Waiting(place, asker, since, time.time()) for place in dict.fromkeys(places)]
        book.waiting[self._owner] = [*others, *mine]

    def _identity(self, device: str) -> str:
        if device not in self._identities:
            self._identities[device] = self.machine.identity(device)
        return self._identities[device]

    def _who(self, requests: Sequence[Request]) -> str:
        """What is waited for, and who has it."""
        with self._ledger.open() as book:
            return "; ".join(self._of(request, book) for request in requests)

    def _of(self, request: Request, book: Book) -> str:
        place, device = self._identity(request.device), request.device
        held = [
            f"{name} ({gigabytes(size)}, process {process_of(owner)})"
            for owner, page in book.holdings.items()
            for one in page
            if one.device == place
            for name, size in one.leases
        ]
        memory, room = self.machine.memory(device), self._room(request, book)
        told = "" if memory is None or room is None else f", {gigabytes(memory.total)} in all, {gigabytes(room)} left"
        needs = f"needs {gigabytes(request.memory)} of" if request.memory is not None else "needs"
        return f"{request.name} {needs} {device}{told}, held by {', '.join(held) or 'other programs'}"


class Turn:
    """A place among those who wait for devices; held until the block ends, or until leases were taken.

    >>> with manager.turn(requests) as turn:  # doctest: +SKIP
    ...     while not (leases := turn.take(0.1)):
    ...         print(turn.waited, turn)
    """

    def __init__(self, manager: ResourceManager, requests: Sequence[Request]) -> None:
        self._manager = manager
        self._requests = requests
        self._asker = uuid.uuid4().hex
        self._since = time.time()
        self._began = time.monotonic()

    @property
    def waited(self) -> float:
        """Seconds."""
        return time.monotonic() - self._began

    def take(self, seconds: float) -> dict[str, Lease]:
        """Leases by name of pipeline, for those there is room for; none when there is room for none in ``seconds``."""
        changed = self._manager._changed
        with changed:
            granted = self._manager._try(self._requests, self._asker, self._since)
            if not granted and seconds > 0:
                changed.wait(seconds)
                granted = self._manager._try(self._requests, self._asker, self._since)
            return granted

    def late(self, timeout: float) -> LeaseTimeout:
        """The error to raise when that was too long."""
        return LeaseTimeout(f"no room within {timeout:g} s: {self}. Run fewer at once, or set lease_timeout higher")

    def __str__(self) -> str:
        return self._manager._who(self._requests)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._manager._changed, self._manager._ledger.open() as book:
            self._manager._wait(book, self._asker, ())


def gigabytes(size: int) -> str:
    """Bytes, for people."""
    return f"{size / 1e9:.2f} GB" if abs(size) >= 1e7 else f"{size} bytes"


@cache
def _of_process(pid: int) -> ResourceManager:
    return ResourceManager(ledger=Ledger(ledger_folder()))


def shared_resources() -> ResourceManager:
    """The one manager of this process; a process that was forked off has its own."""
    return _of_process(os.getpid())


def release() -> None:
    """Give up every loaded model that is not at work, and give its memory back; the next run loads it again.

    For a notebook that wants its memory back without closing its `Annotator`.
    """
    shared_resources().models.release()
