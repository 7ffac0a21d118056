"""The settings of ``egemaps``. Importing this module does not import openSMILE."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Audio, Range, Unit
from videoannotator.data.needs import Need
from videoannotator.discover.stretches import needs_of

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
    segments: Literal["auto", "turns", "speech", "fixed"] = attrs.field(
        default="auto",
        metadata={
            "help": "of what: 'turns' of speaker_diarization, 'speech' of voice_activity, 'fixed' stretches; "
            "'auto': turns if that pipeline runs too, else speech, else fixed"
        },
    )
    segment_duration: Annotated[float, Range(ge=0.1, le=600), Unit("s")] = attrs.field(
        default=5.0, metadata={"help": "how long 'fixed' stretches are; the last one may be shorter"}
    )
    rate: Annotated[int, Range(ge=16000, le=48000), Unit("Hz")] = attrs.field(
        default=16000,
        metadata={"help": "sample rate of the sound openSMILE is given"},
    )

    def needs(self) -> tuple[Need, ...]:
        """The sound, and the pipelines whose stretches are measured."""
        return (Audio(rate=self.rate), *needs_of(self.segments))
