"""Stretches of sound that are measured one by one, for pipelines that give a row for each.

Such pipelines have a setting ``segments`` of the same words, and name in their needs what it asks for::

    def needs(self):
        return (va.Audio(16000), *needs_of(self.segments))

    def finish(self):
        found, kind = stretches_of(self.context, self.config.segments, duration=self.config.segment_duration)
        for stretch in within(found, self.context.audio):
            first, last = stretch.samples_of(self.context.audio)
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from videoannotator.data.frames import AudioTrack
from videoannotator.data.needs import Output
from videoannotator.data.time import TimeSpan
from videoannotator.discover.pipeline import Context

__all__ = ["KINDS", "Stretch", "needs_of", "stretches_of", "windows", "within"]

KINDS = {
    "turns": "the turns of speaker_diarization",
    "speech": "the speech of voice_activity",
    "shots": "the shots of scene_detection",
    "fixed": "of fixed length",
}
"""What ``segments`` can be, besides ``"auto"``, and how it is told."""

_ROWS = {
    "turns": ("speaker_diarization", "turns"),
    "speech": ("voice_activity", "speech"),
    "shots": ("scene_detection", "shots"),
}
_AUTO = ("turns", "speech")
_NEGLIGIBLE = 1e-6
"""Seconds: less than a sample. Times that differ by it are one."""


@attrs.frozen
class Stretch:
    """``start``, ``end``: seconds on the file's clock. ``speaker``: whose turn it is, None where it is none."""

    start: float
    end: float
    speaker: str | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start

    def samples_of(self, audio: AudioTrack) -> tuple[int, int]:
        """Its samples: index of the first, and of the one behind the last."""
        first, last = (round((time - audio.start) * audio.rate) for time in (self.start, self.end))
        return min(max(first, 0), len(audio)), min(max(last, 0), len(audio))


def needs_of(segments: str) -> tuple[Output, ...]:
    """What a setting ``segments`` asks for: of ``"auto"`` turns and speech, if they run."""
    if segments == "auto":
        return tuple(Output(_ROWS[kind][0], optional=True) for kind in _AUTO)
    return (Output(_ROWS[segments][0]),) if segments in _ROWS else ()


def stretches_of(
    context: Context, segments: str, *, duration: float, overlap: float = 0.0
) -> tuple[list[Stretch], str]:
    """What ``segments`` says, and which of `KINDS` it is; rows of others may reach beyond the sound: see `within`.

    ``segments``: one of `KINDS`; or ``"auto"`` for turns if speaker_diarization gave them, else speech if
    voice_activity did, else fixed. ``duration``, ``overlap``: of stretches of fixed length, see `windows`.
    """
    for kind in _AUTO if segments == "auto" else (segments,):
        pipeline, output = _ROWS.get(kind, ("", ""))
        result = context.output(pipeline) if pipeline else None
        if result is not None and result.ok:
            rows = result.tables[output]
            return [Stretch(row.start, row.end, getattr(row, "speaker", None)) for row in rows], kind
    return windows(context.audio.span, duration, overlap), "fixed"


def windows(span: TimeSpan, duration: float, overlap: float = 0.0) -> list[Stretch]:
    """Stretches of ``duration`` seconds from the beginning of a span, each ``overlap`` before the end of the last.

    The last ends with the span, and may be shorter.
    """
    if span.duration <= 0:
        return []
    found: list[Stretch] = []
    while not found or found[-1].end < span.end:
        start = span.start + len(found) * (duration - overlap)
        end = start + duration
        found.append(Stretch(start, span.end if end > span.end - _NEGLIGIBLE else end))
    return found


def within(stretches: Iterable[Stretch], audio: AudioTrack) -> list[Stretch]:
    """Cut at the ends of the sound, without those that lie outside, in order of time."""
    sound = audio.span
    cut = (attrs.evolve(one, start=max(one.start, sound.start), end=min(one.end, sound.end)) for one in stretches)
    return sorted((one for one in cut if one.start < one.end), key=lambda one: (one.start, one.end, one.speaker or ""))
