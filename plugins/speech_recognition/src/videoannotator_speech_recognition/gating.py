"""Where somebody speaks, and the stretches of sound that are transcribed.

Silero VAD, with the network and the rules of ``voice_activity``; one way for both engines, so that they hear the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_voice_activity.config import VoiceActivityConfig
from videoannotator_voice_activity.network import SileroNetwork
from videoannotator_voice_activity.regions import CHUNK, RATE, speech_regions

__all__ = ["RATE", "Stretch", "Voice", "heard", "stretches"]

Floats: TypeAlias = NDArray[np.float32]

_BLOCK = 2048 * CHUNK  # samples at a time, 65 s: bounds the memory
_LONGEST = (
    300 * RATE
)  # samples of a stretch when everything is transcribed: bounds the memory, and what is lost by a kill
_SEARCH = 30 * RATE  # samples before the end of a stretch in which its quietest place is looked for
_STEP = RATE // 50  # samples, 20 ms: how finely


@attrs.frozen(eq=False)
class Voice:
    """Probabilities of speech. ``probabilities``: float32 (chunks,), one for 32 ms each. ``samples``: of the sound."""

    probabilities: Floats
    samples: int

    def most(self, start: int, end: int) -> float:
        """The highest probability of the chunks that the samples ``[start, end)`` touch; 0 where there are none."""
        touched = self.probabilities[max(0, start) // CHUNK : -(-min(end, self.samples) // CHUNK)]
        return float(touched.max()) if touched.size else 0.0


def heard(network: SileroNetwork, samples: Floats, report: Callable[[float], None]) -> Voice:
    """Listen to a whole sound at 16 kHz, block by block. ``network``: that has heard nothing yet."""
    found = [np.empty(0, dtype=np.float32)]
    for begin in range(0, samples.size, _BLOCK):
        found.append(network(samples[begin : begin + _BLOCK]))
        report(min(1.0, (begin + _BLOCK) / samples.size))
    return Voice(np.concatenate(found), samples.size)


@attrs.frozen
class Stretch:
    """Sound that is transcribed together: ``regions`` of the track, half-open sample ranges that follow each other.

    They are heard without what lies between. Times inside are seconds from the first sample that is heard.
    ``gated``: whether they were chosen for somebody speaking.
    """

    regions: tuple[tuple[int, int], ...]
    gated: bool

    def __len__(self) -> int:
        return sum(end - start for start, end in self.regions)

    def of(self, samples: Floats) -> Floats:
        """The sound, in memory of its own."""
        return np.concatenate([samples[start:end] for start, end in self.regions])

    def region_at(self, time: float) -> int:
        """The number of the region in which a time inside lies, the nearest one for a time outside."""
        ends = list(accumulate(end - start for start, end in self.regions))
        return min(bisect_right(ends, time * RATE), len(ends) - 1)

    def sample(self, time: float, region: int) -> float:
        """The sample of the track at a time inside, which is taken to lie in ``region`` and is kept there."""
        before = sum(end - start for start, end in self.regions[:region])
        start, end = self.regions[region]
        return float(min(max(start + time * RATE - before, start), end))

    def rest(self, time: float) -> tuple[tuple[int, int], ...]:
        """What is heard from a time inside on."""
        region = self.region_at(time)
        start, end = round(self.sample(time, region)), self.regions[region][1]
        return ((start, end), *self.regions[region + 1 :])


def stretches(voice: Voice, samples: Floats, config: SpeechRecognitionConfig) -> list[Stretch]:
    """What is transcribed, in order: speech, joined to stretches of at most ``chunk_length``; or all of the sound."""
    if not config.vad_filter:
        return [Stretch((region,), gated=False) for region in _blocks(samples)]
    rules = VoiceActivityConfig(
        threshold=config.vad_threshold,
        min_speech_duration=config.vad_min_speech_duration,
        min_silence_duration=config.vad_min_silence_duration,
        speech_pad=config.vad_speech_pad,
        max_speech_duration=config.chunk_length,
    )
    regions = speech_regions(voice.probabilities.tolist(), voice.samples, rules)
    return joined([region for region in regions if region[0] < region[1]], round(config.chunk_length * RATE))


def joined(regions: Sequence[tuple[int, int]], most: int) -> list[Stretch]:
    """Regions packed in order into stretches of at most ``most`` samples; a longer region is one by itself."""
    packed: list[list[tuple[int, int]]] = []
    length = 0
    for start, end in regions:
        if not packed or length + end - start > most:
            packed.append([])
            length = 0
        packed[-1].append((start, end))
        length += end - start
    return [Stretch(tuple(together), gated=True) for together in packed]


def _blocks(samples: Floats) -> list[tuple[int, int]]:
    """All of the sound in blocks of at most five minutes, cut where the last half minute of each is quietest."""
    found, start = [], 0
    while samples.size - start > _LONGEST:
        first = start + _LONGEST - _SEARCH
        steps = np.square(samples[first : first + _SEARCH].reshape(-1, _STEP)).mean(axis=1)
        loud = np.convolve(steps, np.ones(10, dtype=np.float32), mode="same")  # over 0.2 s
        cut = first + int(loud[5:-5].argmin() + 5) * _STEP
        found.append((start, cut))
        start = cut
    return [*found, (start, samples.size)] if samples.size > start else found
