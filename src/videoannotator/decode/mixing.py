"""Sound of any rate, layout and sample format to mono at one rate."""

from __future__ import annotations

from typing import Any

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.filter import Graph
from numpy.typing import NDArray

__all__ = ["Mixer"]

_SETTLED = 1024
"""Samples after which FFmpeg's resampler holds nothing back that a flush does not give out."""


class Mixer:
    """Frames that follow each other without a hole, and carry no times: as mono float32, ``rate`` samples per second.

    Channels are mixed by FFmpeg's matrix, which is that of ITU-R BS.775 and ATSC A/52: left and right count the same,
    a centre sqrt(2) times as much, surround channels 1/sqrt(2) times, the low-frequency channel (LFE) not at all. The
    weights together are 1, so that full channels stay within -1..1. Channels of which the file does not say where they
    sound, and in a number that has no usual order (9 microphones), are averaged.

    A change of rate, layout or format on the way (a recorder that was switched over, files that were joined) is taken
    as it comes.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None
        self._averaged: Graph | None = None
        self._fed = 0
        self._given = 0
        self._last: AudioFrame | None = None

    def add(self, frame: AudioFrame) -> list[NDArray[np.float32]]:
        """What can be given out after this frame."""
        done = []
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._kind:
            done = self.finish()
            self._kind = kind
        self._fed += frame.samples
        self._last = frame
        return done + self._out(frame)

    def finish(self) -> list[NDArray[np.float32]]:
        """The rest. A next frame begins anew."""
        if self._resampler is None or self._kind is None or self._last is None:
            return []
        short = self._fed < _SETTLED
        missing = max(1, self._fed * self._rate // self._kind[2]) - self._given
        done: list[NDArray[np.float32]] = []
        while self._fed < _SETTLED:  # else nothing at all comes of a handful of samples
            self._fed += self._last.samples
            done += self._out(self._last)
        done += self._samples(self._resampler.resample(None))
        self._kind, self._resampler, self._averaged, self._last = None, None, None, None
        self._fed = self._given = 0
        return [np.concatenate(done)[: max(0, missing)]] if short else done

    def _out(self, frame: AudioFrame) -> list[NDArray[np.float32]]:
        if self._averaged is not None:
            return self._samples(self._resampled(self._mean(frame)))
        try:
            return self._samples(self._resampled(frame))
        except av.error.ArgumentError:
            if self._given or self._fed > frame.samples:
                raise
            self._resampler = None
            self._averaged = _averaging(frame)
            return self._samples(self._resampled(self._mean(frame)))

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        if self._resampler is None:
            # without rematrix_maxval FFmpeg adds channels up, and two full channels leave -1..1
            options = {"rematrix_maxval": "1.0"}
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self._rate, options=options)
        return self._resampler.resample(frame)

    def _mean(self, frame: AudioFrame) -> AudioFrame:
        assert self._averaged is not None  # noqa: S101 - told to the type checker
        self._averaged.push(frame)
        mean: Any = self._averaged.pull()
        mean.pts = None
        return mean  # type: ignore[no-any-return]  # a graph of sound gives sound

    def _samples(self, frames: list[AudioFrame]) -> list[NDArray[np.float32]]:
        parts = [np.asarray(frame.to_ndarray(), dtype=np.float32).reshape(-1) for frame in frames]
        self._given += sum(part.size for part in parts)
        return parts


def _averaging(frame: AudioFrame) -> Graph:
    """A graph that averages the channels of frames like this one."""
    count = frame.layout.nb_channels
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format.name, layout=frame.layout.name, time_base=frame.time_base
    )
    mean = graph.add("pan", "mono|c0=" + "+".join(f"{1 / count!r}*c{channel}" for channel in range(count)))
    end = graph.add("abuffersink")
    floats = graph.add("aformat", "sample_fmts=flt")  # nine rounded ninths of whole numbers can be more than full scale
    source.link_to(floats)
    floats.link_to(mean)
    mean.link_to(end)
    graph.configure()
    return graph
