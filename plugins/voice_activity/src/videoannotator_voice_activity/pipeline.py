"""The pipeline ``voice_activity``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from videoannotator import Pipeline, SpeechRegion, Table
from videoannotator.errors import DataError
from videoannotator_voice_activity.config import VoiceActivityConfig
from videoannotator_voice_activity.network import SileroNetwork, read_weights
from videoannotator_voice_activity.regions import CHUNK, RATE, speech_regions

__all__ = ["VoiceActivity"]

_BLOCK = 2048 * CHUNK  # samples at a time, 65 s: bounds the memory, and cancelling is asked about after each


class VoiceActivity(Pipeline[VoiceActivityConfig]):
    """Stretches of time in which somebody speaks, whoever it is.

    ``SpeechRegion.score``: the model's speech probability, averaged over the time of the region. Because of
    ``speech_pad`` and of short silences inside, it is lower than the probability of the loud chunks.

    Source: Silero VAD 6.2 (https://github.com/snakers4/silero-vad); regions are those of its
    ``get_speech_timestamps`` with the same settings.
    """

    _network: SileroNetwork
    _weights: Mapping[str, NDArray[np.float32]]

    def setup(self) -> None:
        """Read the weights, or take those that are there."""
        self._weights = self.context.load(self.config.weights, lambda file: read_weights(file.path), concurrent=True)

    def begin(self) -> None:
        """What was heard before the stretch says nothing about it."""
        self._network = SileroNetwork(self._weights)

    def finish(self) -> Table[SpeechRegion]:
        """The speech regions of the whole track."""
        audio = self.context.audio
        if audio.rate != RATE:
            raise DataError(f"voice_activity needs sound at {RATE} Hz, got {audio.rate} Hz")
        probabilities = self._probabilities(audio.samples)
        regions = speech_regions(probabilities.tolist(), len(audio), self.config)
        return Table.of(
            SpeechRegion,
            start=[audio.time(start) for start, _ in regions],
            end=[audio.time(end) for _, end in regions],
            score=[mean_over(probabilities, start, end) for start, end in regions],
        )

    def _probabilities(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        found = [np.empty(0, dtype=np.float32)]
        for begin in range(0, samples.size, _BLOCK):
            found.append(self._network(samples[begin : begin + _BLOCK]))
            self.context.progress(min(1.0, (begin + _BLOCK) / samples.size))
        return np.concatenate(found)


def mean_over(probabilities: NDArray[np.float32], start: int, end: int) -> float:
    """Mean probability over the samples ``[start, end)``: chunks count by how much of them lies inside."""
    first, last = start // CHUNK, -(-end // CHUNK)
    edges = np.clip(np.arange(first, last + 1) * CHUNK, start, end)
    mean = np.average(probabilities[first:last], weights=np.diff(edges))
    return float(np.clip(mean, 0.0, 1.0))
