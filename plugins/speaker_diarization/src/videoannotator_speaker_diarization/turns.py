"""From pyannote's annotations to rows: turns inside the sound, how sure they are, overlap, and voice prints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Table
from videoannotator.data.frames import AudioTrack
from videoannotator.data.rows import SpeakerTurn
from videoannotator_speaker_diarization.rows import Overlap, Voice

__all__ = ["Turn", "overlap_rows", "overlaps", "turn_rows", "turns_of", "voice_rows"]


@attrs.frozen
class Turn:
    """A turn, in seconds since the sound began. ``score``: see `SpeakerDiarization`."""

    start: float
    end: float
    speaker: str
    score: float | None = None


def turns_of(annotation: Any, duration: float, score: Callable[[float, float, str], float | None]) -> list[Turn]:
    """The turns of a ``pyannote.core.Annotation`` that lie in ``[0, duration)``, cut to it, by start, end and speaker.

    The last piece of sound is filled up with silence, and a turn may reach into that.
    """
    found = []
    for segment, _, speaker in annotation.itertracks(yield_label=True):
        start, end = max(0.0, float(segment.start)), min(duration, float(segment.end))
        if start < end:
            found.append(Turn(start, end, str(speaker), score(start, end, str(speaker))))
    return sorted(found, key=lambda turn: (turn.start, turn.end, turn.speaker))


def overlaps(turns: Iterable[Turn]) -> list[tuple[float, float, int]]:
    """Start, end and number of speakers of every stretch in which more than one speaks, in order, without gaps inside.

    Turns of one speaker that touch or overlap count once.
    """
    edges: dict[float, list[tuple[int, str]]] = defaultdict(list)
    for turn in turns:
        edges[turn.start].append((1, turn.speaker))
        edges[turn.end].append((-1, turn.speaker))
    speaking: dict[str, int] = defaultdict(int)
    found: list[tuple[float, float, int]] = []
    since, many = 0.0, 0
    for time in sorted(edges):
        for change, speaker in edges[time]:
            speaking[speaker] += change
        now = sum(count > 0 for count in speaking.values())
        if now != many:
            if many > 1:
                found.append((since, time, many))
            since, many = time, now
    return found


def turn_rows(turns: Sequence[Turn], audio: AudioTrack) -> Table[SpeakerTurn]:
    """Turns on the file's clock."""
    return Table.of(
        SpeakerTurn,
        start=[audio.start + turn.start for turn in turns],
        end=[audio.start + turn.end for turn in turns],
        speaker=[turn.speaker for turn in turns],
        score=[turn.score for turn in turns],
    )


def overlap_rows(turns: Sequence[Turn], audio: AudioTrack) -> Table[Overlap]:
    """Overlap on the file's clock."""
    found = overlaps(turns)
    return Table.of(
        Overlap,
        start=[audio.start + start for start, _, _ in found],
        end=[audio.start + end for _, end, _ in found],
        speakers=[many for _, _, many in found],
    )


def voice_rows(turns: Sequence[Turn], vectors: dict[str, NDArray[np.floating]], model: str) -> Table[Voice]:
    """One row per speaker who has a turn, by name.

    ``vectors``: (D,) by speaker; ``model``: SHA-256 of the network they are from. pyannote gives zeros, or NaN, where
    it has none.
    """
    seconds: dict[str, float] = defaultdict(float)
    for turn in turns:
        seconds[turn.speaker] += turn.end - turn.start
    speakers = sorted(seconds)
    return Table.of(
        Voice,
        speaker=speakers,
        label=speakers,
        model=[model] * len(speakers),
        seconds=[seconds[speaker] for speaker in speakers],
        vector=[_known(vectors.get(speaker)) for speaker in speakers],
    )


def _known(vector: NDArray[np.floating] | None) -> NDArray[np.float32] | None:
    if vector is None or not np.isfinite(vector).all() or not vector.any():
        return None
    return np.asarray(vector, dtype=np.float32)
