"""Models that are loaded: one copy of each in this process and on a device, for all runs together.

A model that a pipeline at work has asked for is pinned. One that nobody uses stays for the next run, until memory is
short (the least recently used first), or until no `Annotator` that has used it is left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import attrs

from videoannotator.discover.models import ModelKey
from videoannotator.run.devices import Machine
from videoannotator.run.gate import Gate

__all__ = ["Holder", "LoadedModels"]

_log = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Loaded:
    """A model. ``pins``: how many pipelines at work have it. ``users``: who has used it and is still there.

    ``pipelines``: names of those that have had it. ``size``: bytes of its device that were taken when it was built.
    """

    model: Any = None
    ready: bool = False
    pins: int = 0
    size: int = 0
    building: threading.RLock = attrs.field(factory=threading.RLock)
    users: set[object] = attrs.field(factory=set)
    pipelines: set[str] = attrs.field(factory=set)
    computing: threading.RLock = attrs.field(factory=threading.RLock)


class LoadedModels:
    """Gives out models. Any thread may ask. ``machine``: where they are."""

    def __init__(self, machine: Machine | None = None) -> None:
        self._machine = machine if machine is not None else Machine()
        self._lock = threading.Lock()
        self._models: dict[ModelKey, _Loaded] = {}  # the least recently used first
        self._gates: dict[str, Gate] = {}

    @property
    def keys(self) -> tuple[ModelKey, ...]:
        """What is loaded, the least recently used first."""
        with self._lock:
            return tuple(key for key, loaded in self._models.items() if loaded.ready)

    def gate(self, device: str) -> Gate:
        """Where those who compute on a device pass, so that one can be there alone for a while."""
        with self._lock:
            return self._gates.setdefault(device, Gate())

    def size(self, device: str) -> int:
        """Bytes of a device that all its models take."""
        with self._lock:
            return sum(one.size for key, one in self._models.items() if key.device == device)

    def idle(self, device: str, but: str | None = None) -> int:
        """Bytes of a device that models take which nobody uses now; without those that pipeline ``but`` has used."""
        with self._lock:
            return sum(
                one.size
                for key, one in self._models.items()
                if key.device == device and not one.pins and but not in one.pipelines
            )

    def holder(self, user: object, pipeline: str = "") -> Holder:
        """What a pipeline at work asks for its models. ``user``: on whose behalf; see `leave`."""
        return Holder(self, user, pipeline)

    def free(self, device: str, but: str | None = None) -> bool:
        """Give up the model on a device that nobody uses for the longest time; False when there is none.

        Those that pipeline ``but`` has used stay.
        """
        with self._lock:
            idle = next(
                (
                    key
                    for key, one in self._models.items()
                    if key.device == device and not one.pins and but not in one.pipelines
                ),
                None,
            )
        return idle is not None and self._drop(lambda key, loaded: key == idle)

    def leave(self, user: object) -> None:
        """``user`` is gone: give up what nobody else has used; what is at work, as soon as it is done."""
        with self._lock:
            for loaded in self._models.values():
                loaded.users.discard(user)
        self._drop(lambda key, loaded: not loaded.users)

    def release(self) -> None:
        """Give up all models that nobody uses now."""
        self._drop(lambda key, loaded: True)

    def pin(self, key: ModelKey, build: Callable[[], Any], user: object, pipeline: str) -> _Loaded:
        """The model of ``key``, built here or by another thread that was faster; kept until `unpin`.

        Raises what ``build`` raises; then the next who asks tries again.
        """
        with self._lock:
            loaded = self._models.pop(key, None) or _Loaded()
            self._models[key] = loaded
            loaded.pins += 1
        try:
            # alone on the device, so that its size is seen; not by one who waits for it in the middle of computing
            with nullcontext() if loaded.ready else self.gate(key.device).alone(), loaded.building:
                if not loaded.ready:
                    before = self._machine.held(key.device)
                    loaded.model = build()
                    loaded.size = max(0, self._machine.held(key.device) - before)
                    loaded.ready = True
        except BaseException:
            self.unpin(key)
            raise
        with self._lock:
            loaded.users.add(user)
            loaded.pipelines.add(pipeline)
        return loaded

    def unpin(self, key: ModelKey) -> None:
        """One pipeline less uses it."""
        with self._lock:
            self._models[key].pins -= 1
        self._drop(lambda other, loaded: other == key and not loaded.users)

    def _drop(self, which: Callable[[ModelKey, _Loaded], bool]) -> bool:
        """Forget models that are not pinned; close them, and let their devices take the memory back."""
        with self._lock:
            gone = {key: one for key, one in self._models.items() if not one.pins and which(key, one)}
            for key in gone:
                del self._models[key]
        places = {key.device for key, one in gone.items() if one.ready}
        while gone:
            key, one = gone.popitem()
            close = getattr(one.model, "close", None)
            if callable(close):
                try:
                    close()
                except Exception:  # noqa: BLE001 - a plugin's model: what it does when it goes must not end a run
                    _log.warning("%s could not be closed", key, exc_info=True)
            one.model = None
        for device in places:
            self._machine.empty(device)
        return bool(places)


class Holder:
    """The models of one pipeline at work; it is its `Context.loader`. Models stay until `close`."""

    def __init__(self, models: LoadedModels, user: object, pipeline: str) -> None:
        self._models = models
        self._user = user
        self._pipeline = pipeline
        self._held: dict[ModelKey, _Loaded] = {}
        self._alone: set[ModelKey] = set()

    def __call__(self, key: ModelKey, build: Callable[[], Any], *, concurrent: bool) -> Any:
        """The model of ``key``; see `Context.load`."""
        if key not in self._held:
            self._held[key] = self._models.pin(key, build, self._user, self._pipeline)
        if not concurrent:
            self._alone.add(key)
        return self._held[key].model

    @property
    def size(self) -> int:
        """Bytes of their devices that they take."""
        return sum(one.size for one in self._held.values())

    @contextmanager
    def computing(self) -> Iterator[None]:
        """While the block runs, nobody else computes with those of the models that bear only one at a time."""
        with ExitStack() as locks:
            for key in sorted(self._alone, key=repr):  # one order for all, so that no two wait for each other
                locks.enter_context(self._held[key].computing)
            yield

    def close(self) -> None:
        """Give them back."""
        while self._held:
            key, _ = self._held.popitem()
            self._models.unpin(key)
        self._alone.clear()
