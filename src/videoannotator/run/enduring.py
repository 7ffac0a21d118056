"""A pipeline that endures a shortage of memory: alone, in smaller batches, on the processor, and only then its error.

What a call was given is done again from what the pipeline remembered before it, so that no row is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from videoannotator.data.frames import FrameBatch
from videoannotator.discover.pipeline import Pipeline, Rows, remembers
from videoannotator.run.devices import is_out_of_memory

__all__ = ["Enduring"]

_END: Any = object()


class Enduring:
    """Makes the calls of one pipeline.

    ``make``: a new pipeline object on a device. ``device``: where it begins; at worst it ends on ``"cpu"``.
    ``batch``: most frames in a call. ``free``: gives up what nobody uses on a device and says whether that was
    anything. ``notice``: is told, in words, whatever may be seen in the numbers. ``calling``: entered around each call,
    with the number of its frames and whether nobody else may compute on the device meanwhile: one for whom memory was
    short may have met another's largest moment. ``moved``: is told the device it goes on on, before it begins there.
    """

    def __init__(
        self,
        make: Callable[[str], Pipeline[Any]],
        device: str,
        batch: int,
        *,
        free: Callable[[str], bool],
        notice: Callable[[str], None],
        calling: Callable[[int, bool], AbstractContextManager[None]] = lambda frames, alone: nullcontext(),
        moved: Callable[[str], None] = lambda device: None,
    ) -> None:
        self.device = device
        self.batch = batch
        self._make = make
        self._free = free
        self._notice = notice
        self._calling = calling
        self._moved = moved
        self._pipeline: Pipeline[Any] | None = None
        self._alone = False  # for the call at hand

    @property
    def made(self) -> Pipeline[Any] | None:
        """The object that is at work, if there is one."""
        return self._pipeline

    @property
    def pipeline(self) -> Pipeline[Any]:
        """The object that is at work."""
        assert self._pipeline is not None  # noqa: S101 - setup() comes first
        return self._pipeline

    def setup(self) -> None:
        """Make the pipeline and load its models."""
        while True:
            try:
                with self._calling(0, True) if self._alone else nullcontext():
                    self._pipeline = self._make(self.device)
                    self._pipeline.setup()
            except Exception as error:  # noqa: BLE001 - all but a shortage of memory is raised again
                self.close()
                self._give_way(error, 1)
            else:
                self._alone = False
                return

    def begin(self) -> None:
        """A stretch of time begins."""
        self.pipeline.begin()

    def restore(self, state: Any) -> None:
        """Take back a state, in the stretch that has begun."""
        if state is not None:
            self.pipeline.restore(state)

    @property
    def resumable(self) -> bool:
        """True when another object can go on between two batches."""
        return self.pipeline._resumable

    def state(self) -> Any:
        """What the pipeline remembers; None for one that remembers nothing."""
        return self.pipeline.state() if remembers(self.pipeline) else None

    def process(self, batch: FrameBatch) -> Iterator[Rows]:
        """The rows of a batch, in as many pieces as memory asks for."""
        first = 0
        while first < len(batch):
            state = self.state()
            piece = batch[first : first + self.batch]
            try:
                with self._calling(len(piece), self._alone):
                    rows = self.pipeline.process(piece)
            except Exception as error:  # noqa: BLE001 - as above
                self._again(error, len(piece), state)
                continue
            self._alone = False
            yield rows
            first += len(piece)

    def finish(self) -> Iterator[Rows]:
        """The last rows, piece by piece."""
        while True:
            state = self.state()
            pieces: Iterator[Rows] = iter(())
            try:
                with self._calling(0, self._alone):
                    pieces = self._pieces()
                while True:
                    with self._calling(0, self._alone):
                        rows = next(pieces, _END)
                    self._alone = False
                    if rows is _END:
                        return
                    yield rows
                    state = self.state()
            except Exception as error:  # noqa: BLE001 - as above
                self._again(error, 1, state)

    def _pieces(self) -> Iterator[Rows]:
        given = self.pipeline.finish()
        return given if isinstance(given, Iterator) else iter((given,))  # a table can be iterated, too: by row

    def close(self) -> None:
        """Give back what the pipeline took."""
        if self._pipeline is not None:
            pipeline, self._pipeline = self._pipeline, None
            pipeline.close()

    def _again(self, error: Exception, frames: int, state: Any) -> None:
        """Prepare to do a call again, or raise its error."""
        device = self.device
        self._give_way(error, frames)
        if self.device != device:
            self.setup()
        self.pipeline.begin()
        self.restore(state)

    def _give_way(self, error: Exception, frames: int) -> None:
        """Free memory, let nobody disturb, take smaller batches, or leave the device.

        Raises ``error`` when nothing is left to try.
        """
        if not is_out_of_memory(error):
            raise error
        error.__traceback__ = None  # its frames hold what filled the memory
        if self._free(self.device):
            return
        if not self._alone:
            self._alone = True
            return
        if frames > 1:
            self.batch = (frames + 1) // 2
            self._notice(f"memory of {self.device} was short: batches of {self.batch} frames from there on")
            return
        if self.device == "cpu":
            raise error
        self._notice(f"memory of {self.device} was too short: went on on the cpu")
        self.close()
        self.device = "cpu"
        self._moved(self.device)
