"""From candidates to one pitch per frame: the path through them that is worth most (Viterbi).

Source: Boersma 1993 (see `videoannotator_voice_features.pitch`), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_voice_features.config import VoiceFeaturesConfig
from videoannotator_voice_features.pitch import CANDIDATES, Candidates, Floats

__all__ = ["PitchPath"]

_PER = 0.01  # s: the step that the costs of changes are for


@attrs.frozen(eq=False)
class _Pending:
    """A block whose pitch is not settled. ``before``: (N, 15) from which candidate of the frame before the best
    path comes."""

    candidates: Candidates
    before: NDArray[np.int8]


class PitchPath:
    """Takes candidates block by block, gives the pitch of the frames that are settled, in order.

    A frame is settled when the best paths to all candidates of the last frame go through the same candidate of it. So
    what is given does not depend on the blocks, and little is kept, however long the sound is.
    """

    def __init__(self, config: VoiceFeaturesConfig, step: float) -> None:
        self._jump = config.octave_jump_cost * _PER / step
        self._change = config.voiced_unvoiced_cost * _PER / step
        self._pending: list[_Pending] = []
        self._worth: Floats | None = None
        self._octaves: Floats = np.empty(0)

    def push(self, candidates: Candidates) -> Iterator[tuple[Floats, Floats]]:
        """Frequency (N,) and strength (N,) of frames that are settled now."""
        if len(candidates.frequency):
            self._pending.append(_Pending(candidates, self._forward(candidates)))
            assert self._worth is not None  # noqa: S101 - there is a frame
            yield from self._settled(np.flatnonzero(self._worth > -np.inf))

    def end(self) -> Iterator[tuple[Floats, Floats]]:
        """The same for all that are left."""
        if self._worth is not None:
            yield from self._settled(np.array([int(np.argmax(self._worth))]))
        self._pending, self._worth = [], None

    def _forward(self, candidates: Candidates) -> NDArray[np.int8]:
        voiced = candidates.frequency > 0
        octaves = np.where(voiced, np.log2(np.where(voiced, candidates.frequency, 1.0)), np.nan)
        first = np.full((1, CANDIDATES), np.nan) if self._worth is None else self._octaves[None]
        earlier = np.concatenate([first, octaves[:-1]])
        cost = self._jump * np.abs(octaves[:, None, :] - earlier[:, :, None])  # (N, from, to); nan: one is unvoiced
        both = np.isnan(earlier)[:, :, None] & np.isnan(octaves)[:, None, :]
        cost = np.where(np.isnan(cost), np.where(both, 0.0, self._change), cost)
        before = np.zeros(voiced.shape, dtype=np.int8)
        to = np.arange(CANDIDATES)
        for frame, merit in enumerate(candidates.merit):
            if self._worth is None:
                self._worth = merit.copy()
                continue
            total = self._worth[:, None] - cost[frame]
            best = total.argmax(axis=0)
            before[frame] = best
            self._worth = total[best, to] + merit
        self._octaves = octaves[-1]
        return before

    def _settled(self, ends: NDArray[np.intp]) -> Iterator[tuple[Floats, Floats]]:
        """Trace the paths that end in the candidates ``ends`` back to where they are one, and give what lies before."""
        settled: list[NDArray[np.intp]] = []
        for block in reversed(self._pending):
            if ends.size > 1:
                for before in block.before[::-1]:
                    ends = np.unique(before[ends]).astype(np.intp)
                continue
            path = np.empty(len(block.before), dtype=np.intp)
            at = int(ends[0])
            for frame in range(len(path) - 1, -1, -1):
                path[frame] = at
                at = int(block.before[frame, at])
            ends = np.array([at])
            settled.insert(0, path)
        for path, block in zip(settled, self._pending[: len(settled)], strict=True):
            rows = np.arange(len(path))
            yield block.candidates.frequency[rows, path], block.candidates.strength[rows, path]
        del self._pending[: len(settled)]
