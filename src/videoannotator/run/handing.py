"""What the thread that decodes hands to those that work."""

from __future__ import annotations

import attrs

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.outcome import Coverage, Failure

__all__ = ["End", "Given"]


@attrs.frozen(eq=False)
class Given:
    """A batch. ``coverage``: what was decoded of the stretch so far.

    ``failures``: what could not be, so far. ``settled``: what these say is final.
    """

    batch: FrameBatch
    coverage: Coverage
    failures: tuple[Failure, ...] = ()
    settled: bool = True


@attrs.frozen(eq=False)
class End:
    """The stretch has no more frames. ``coverage``: what was decoded of it. ``audio``: its sound, if asked for.

    ``failures``: what could not be decoded of it.
    """

    coverage: Coverage
    audio: AudioTrack | None
    failures: tuple[Failure, ...] = ()
