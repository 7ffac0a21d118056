"""The pipeline ``voice_features``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from videoannotator import Pipeline, Table
from videoannotator.discover.pipeline import Rows
from videoannotator.discover.stretches import KINDS, Stretch, stretches_of, within
from videoannotator.errors import DataError
from videoannotator_voice_features.config import VoiceFeaturesConfig
from videoannotator_voice_features.measuring import Sound
from videoannotator_voice_features.rows import VoiceFrame
from videoannotator_voice_features.segments import columns, speech_of, summed_up

__all__ = ["VoiceFeatures"]

_FRAMES = 6000  # in a piece of the output
_STRETCHES = 50
_WHOLE, _FRAME_PART = 0.6, 0.3  # of the work: what is found in the sound as a whole; what is told of single frames
_NO_SEGMENTS = (
    "no segments: neither speaker_diarization nor voice_activity gave stretches to sum up; let one of them run too, or "
    "set segments=fixed"
)


class VoiceFeatures(Pipeline[VoiceFeaturesConfig]):
    """How the voices of a recording sound, per frame and summed up per turn, speech region or fixed stretch.

    What every number is, and its source: `videoannotator_voice_features.rows`.
    """

    _done: tuple[int, int] = (0, 0)  # frames and stretches that were given

    def begin(self) -> None:
        """What was heard before the stretch says nothing about it."""
        self._done = (0, 0)

    def state(self) -> tuple[int, int]:
        """How many frames and stretches were given. The sound is there again for whoever goes on."""
        return self._done

    def restore(self, state: Any) -> None:
        """Go on behind these."""
        self._done = state

    def finish(self) -> Iterator[Rows]:
        """Frames in the order of time, then the stretches."""
        audio = self.context.audio
        if audio.rate != self.config.rate:
            raise DataError(f"voice_features needs sound at {self.config.rate} Hz, got {audio.rate} Hz")
        stretches = self._stretches()
        sound = Sound(audio.samples, self.config, lambda done: self.context.progress(_WHOLE * done))
        while self._done[0] < sound.grid.count:
            first = self._done[0]
            frames = range(first, min(first + _FRAMES, sound.grid.count))
            table = self._frames(sound, frames)
            self._done = (frames.stop, 0)
            yield {"frames": table}
        while self._done[1] < len(stretches):
            first = self._done[1]
            given = stretches[first : first + _STRETCHES]
            summary = summed_up(sound, audio, given, speech_of(self.context.output("voice_activity")))
            self._done = (self._done[0], first + len(given))
            done = self._done[1] / len(stretches)
            self.context.progress(_WHOLE + _FRAME_PART + (1 - _WHOLE - _FRAME_PART) * done)
            yield {"segments": summary}
        self.context.progress(1.0)

    def _stretches(self) -> list[Stretch]:
        """What is summed up. Where nobody says what, nothing is, unless fixed stretches are asked for."""
        asked = self.config.segments
        if asked == "none":
            return []
        found, kind = stretches_of(self.context, asked, duration=self.config.segment_duration)
        if asked == "auto":
            self.context.notice(_NO_SEGMENTS if kind == "fixed" else f"segments are {KINDS[kind]}")
            if kind == "fixed":
                return []
        return within(found, self.context.audio)

    def _frames(self, sound: Sound, frames: range) -> Table[VoiceFrame]:
        parts = []
        for piece, measures in sound.pieces(frames):
            centres = np.arange(piece.start, piece.stop) * sound.grid.hop + sound.grid.hop // 2
            time = self.context.audio.start + centres / self.config.rate
            parts.append(Table.of(VoiceFrame, time=time, **columns(measures)))
            self.context.progress(_WHOLE + _FRAME_PART * piece.stop / sound.grid.count)
        return Table.concat(parts)
