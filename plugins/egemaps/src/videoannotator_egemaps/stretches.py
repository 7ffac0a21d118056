"""Which stretches of a sound are measured."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np

from videoannotator.data.frames import AudioTrack
from videoannotator.data.result import PipelineResult
from videoannotator_egemaps.config import EgemapsConfig

__all__ = ["Stretch", "stretches_of"]


@attrs.frozen
class Stretch:
    """``start``, ``end``: seconds, inside the sound. ``speaker``: whose turn it is, if it is one."""

    start: float
    end: float
    speaker: str | None = None


def stretches_of(
    config: EgemapsConfig, audio: AudioTrack, turns: PipelineResult | None, regions: PipelineResult | None
) -> tuple[list[Stretch], str]:
    """What is measured, in order, and which it is: ``"turns"``, ``"regions"`` or ``"fixed"``.

    ``turns``, ``regions``: results of speaker_diarization and voice_activity, None where they do not run. What lies
    over an end of the sound is cut there.
    """
    kind = config.segments
    if kind == "auto":
        kind = "turns" if _there(turns) else "regions" if _there(regions) else "fixed"
    if kind == "turns" and turns is not None:
        found = [Stretch(row.start, row.end, row.speaker) for row in turns.tables["turns"]]
    elif kind == "regions" and regions is not None:
        found = [Stretch(row.start, row.end) for row in regions.tables["speech"]]
    else:
        found = _fixed(audio, config.segment_duration)
    begin, end = audio.span.start, audio.span.end
    cut = (Stretch(max(one.start, begin), min(one.end, end), one.speaker) for one in found)
    return sorted((one for one in cut if one.start < one.end), key=lambda one: (one.start, one.end)), kind


def _there(result: PipelineResult | None) -> bool:
    return result is not None and result.ok


def _fixed(audio: AudioTrack, duration: float) -> list[Stretch]:
    start, end = audio.span.start, audio.span.end
    count = int(np.ceil((end - start) / duration - 1e-9))
    edges = [*(start + number * duration for number in range(count)), end]
    return [Stretch(one, other) for one, other in pairwise(edges)]
