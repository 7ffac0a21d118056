"""The settings of ``egemaps``. Importing this module does not import openSMILE."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Audio, Output, Range, Unit
from videoannotator.data.needs import Need

__all__ = ["EgemapsConfig", "FeatureSet"]

FeatureSet = Literal["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016"]


@attrs.frozen(kw_only=True)
class EgemapsConfig:
    """Which of openSMILE's feature sets, of which stretches."""

    feature_set: FeatureSet = attrs.field(
        default="eGeMAPSv02",
        metadata={
            "help": "openSMILE's name of the set: 'eGeMAPSv02' (88 functionals, 25 descriptors), 'GeMAPSv01b' (62 and "
            "18), 'ComParE_2016' (6373 and 65; in the outputs compare and compare_descriptors)"
        },
    )
    descriptors: bool = attrs.field(
        default=False, metadata={"help": "also the low-level descriptors, every 10 ms of each stretch"}
    )
    segments: Literal["auto", "turns", "regions", "fixed"] = attrs.field(
        default="auto",
        metadata={
            "help": "of what: 'turns' of speaker_diarization, speech 'regions' of voice_activity, 'fixed' stretches; "
            "'auto': turns if that pipeline runs too, else regions, else fixed"
        },
    )
    segment_duration: Annotated[float, Range(ge=0.1, le=600), Unit("s")] = attrs.field(
        default=5.0, metadata={"help": "how long 'fixed' stretches are; the last one may be shorter"}
    )
    rate: Annotated[int, Range(ge=16000, le=48000), Unit("Hz")] = attrs.field(
        default=16000,
        metadata={"help": "sample rate of the sound openSMILE is given; other rates than 16000 are decoded apart"},
    )

    def needs(self) -> tuple[Need, ...]:
        """The sound, and the pipelines whose stretches are measured."""
        turns = Output("speaker_diarization", optional=self.segments == "auto")
        regions = Output("voice_activity", optional=self.segments == "auto")
        sources: dict[str, tuple[Need, ...]] = {"auto": (turns, regions), "turns": (turns,), "regions": (regions,)}
        return (Audio(rate=self.rate), *sources.get(self.segments, ()))
