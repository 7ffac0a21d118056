"""The thread that decodes: one pass over each stretch of time, handed out in batches to every worker of a stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.needs import Audio, Frames
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.time import TimeSpan
from videoannotator.decode.batching import Batcher
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.sampling import frames_in
from videoannotator.run.control import Control
from videoannotator.run.handing import End, Given
from videoannotator.run.plan import Plan
from videoannotator.run.worker import Worker

__all__ = ["Feeder"]


@attrs.define(eq=False)
class Feeder:
    """Decodes for ``workers`` and gives to them; `decoded` counts the frames.

    ``failed``: is told what is wrong with the file. ``covered``: what a pipeline of an earlier stage has looked at, by
    name. ``open_pass``: opens the file.

    Workers that take up an earlier run begin where it ended: the pass begins at the first frame that any of them has
    not seen. Sound is always given whole, so then it has a pass of its own.
    """

    plan: Plan
    workers: Sequence[Worker]
    control: Control
    failed: Callable[[Failure], None]
    covered: Mapping[str, Coverage]
    open_pass: Callable[..., DecodePass] = DecodePass
    decoded: int = 0

    def run(self) -> None:
        """Feed every stretch of the plan. Raises `CancelledError`, and what opening the file raises."""
        for number, span in enumerate(self.plan.spans):
            workers = [worker for worker in self.workers if worker.wants(number)]
            if workers:
                self._feed(number, span, workers)

    def _feed(self, number: int, span: TimeSpan, workers: Sequence[Worker]) -> None:
        firsts = {w: first for w in workers if (first := w.first_frame(number)) is not None}
        needs = list(dict.fromkeys(w.planned.frames for w in firsts if w.planned.frames))
        rates = list(dict.fromkeys(w.planned.audio for w in workers if w.planned.audio))
        sounds: dict[Audio, AudioTrack] = {}
        heard: dict[Audio, Coverage] = {}
        coverage: dict[Frames, Coverage] = {}
        failures: dict[Failure, None] = {}
        stretch = self._stretch(span, min(firsts.values(), default=0))
        passes = [(needs, rates, stretch)] if stretch == span else [(needs, [], stretch), ([], rates, span)]
        for pictures, sound, part in passes:
            if not pictures and not sound:
                continue
            with self.open_pass(self.plan.media, pictures, sound, part) as decoding:
                self._pump(decoding, pictures, firsts if pictures else {})
                coverage |= {need: decoding.coverage(need) for need in pictures}
                sounds |= decoding.tracks
                heard |= decoding.heard
                failures |= dict.fromkeys(decoding.failures)
        for failure in failures:
            self.failed(failure)
        for worker in workers:
            asked = worker.planned.audio
            covered = self._covered(worker, span, heard.get(asked) if asked else None, coverage)
            worker.give(End(covered, sounds.get(asked) if asked else None, tuple(failures)))

    def _stretch(self, span: TimeSpan, first: int) -> TimeSpan:
        """The part of ``span`` from frame ``first`` on; at least its last frame, so that the pass sees how it ends."""
        video = self.plan.media.video
        inside = frames_in(video.clock, span) if video is not None else range(0)
        if video is None or not inside or first <= inside.start:
            return span
        return TimeSpan(float(video.clock.times[min(first, inside.stop - 1)]), span.end)

    def _pump(self, decoding: DecodePass, needs: Sequence[Frames], firsts: Mapping[Worker, int]) -> None:
        groups: dict[tuple[int, int, int], list[Worker]] = {}  # by need, batch size and first frame
        for worker, first in firsts.items():
            assert worker.planned.frames is not None  # noqa: S101 - it has a first frame
            key = (needs.index(worker.planned.frames), worker.planned.entry.spec.batch, first)
            groups.setdefault(key, []).append(worker)
        batchers = {key: Batcher(self.plan.media, needs[key[0]], key[0], key[1]) for key in groups}
        before = self.decoded

        def give(key: tuple[int, int, int], batch: FrameBatch | None) -> None:
            if batch is not None:
                given = Given(batch, decoding.coverage(needs[key[0]]), decoding.failures, decoding.settled)
                for worker in groups[key]:
                    worker.give(given)

        for picture in decoding:
            self.control.check()
            self.decoded = before + decoding.decoded
            for key, batcher in batchers.items():
                if key[0] in picture.wanted and picture.frame >= key[2]:
                    give(key, batcher.add(picture))
        self.decoded = before + decoding.decoded
        for key, batcher in batchers.items():
            give(key, batcher.flush())

    def _covered(
        self, worker: Worker, span: TimeSpan, heard: Coverage | None, coverage: Mapping[Frames, Coverage]
    ) -> Coverage:
        planned = worker.planned
        if planned.frames is not None:
            return coverage.get(planned.frames, Coverage((), planned.frames.rate))
        if heard is not None:
            return heard
        read = [self.covered[n.pipeline] for n in planned.outputs if n.pipeline in self.covered]
        return read[0].within(span) if read else Coverage((span,))
