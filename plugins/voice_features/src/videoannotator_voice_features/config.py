"""The settings of ``voice_features``. Importing this module imports no signal processing."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Audio, Output, Range, Unit
from videoannotator.data.needs import Need
from videoannotator.discover.stretches import needs_of
from videoannotator.errors import ConfigError

__all__ = ["Measures", "VoiceFeaturesConfig"]

Measures = Literal["loudness", "pitch", "quality", "spectrum", "mfcc"]
Cost = Annotated[float, Range(ge=0)]


@attrs.frozen(kw_only=True)
class VoiceFeaturesConfig:
    """What is measured, how often, and over which stretches it is summed up.

    The settings of the pitch have the names, the meaning and the defaults that they have in Praat's "To Pitch (raw
    autocorrelation)". Children's voices: ``f0_floor=150, f0_ceiling=1000``; babbling and crying infants:
    ``f0_floor=150, f0_ceiling=1500``.
    """

    measures: tuple[Measures, ...] = attrs.field(
        default=("loudness", "pitch", "quality", "spectrum"),
        metadata={
            "help": "what to measure: 'loudness', 'pitch' (with voicing), 'quality' (jitter, shimmer, HNR; needs "
            "pitch), 'spectrum', 'mfcc'; the columns of the others are missing values"
        },
    )
    step: Annotated[float, Range(ge=0.001, le=1), Unit("s")] = attrs.field(
        default=0.01, metadata={"help": "from the centre of one frame to that of the next, made whole samples"}
    )
    window: Annotated[float, Range(ge=0.01, le=0.2), Unit("s")] = attrs.field(
        default=0.025, metadata={"help": "how much sound a frame's level, clipping and spectral measures see"}
    )
    f0_floor: Annotated[float, Range(ge=20, le=1000), Unit("Hz")] = attrs.field(
        default=60.0, metadata={"help": "lowest pitch; pitch is measured in windows of three periods of it"}
    )
    f0_ceiling: Annotated[float, Range(ge=50, le=2500), Unit("Hz")] = attrs.field(
        default=600.0, metadata={"help": "highest pitch; about 1000 for children, 1500 for infants"}
    )
    voicing_threshold: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.45, metadata={"help": "frames less periodic than this are rather unvoiced"}
    )
    silence_threshold: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.03, metadata={"help": "frames whose peak is below this part of the loudest are rather unvoiced"}
    )
    octave_cost: Cost = attrs.field(default=0.01, metadata={"help": "how much a higher pitch is favoured, per octave"})
    octave_jump_cost: Cost = attrs.field(
        default=0.35, metadata={"help": "how much a change of pitch is disfavoured, per octave and 10 ms"}
    )
    voiced_unvoiced_cost: Cost = attrs.field(
        default=0.14, metadata={"help": "how much a change between voiced and unvoiced is disfavoured, per 10 ms"}
    )
    rolloff: Annotated[float, Range(gt=0, lt=1)] = attrs.field(
        default=0.85, metadata={"help": "which part of the magnitudes lies below the spectral rolloff"}
    )
    clip_level: Annotated[float, Range(gt=0, le=1)] = attrs.field(
        default=0.99, metadata={"help": "a sample at least this far from zero counts as clipped; full scale is 1"}
    )
    segments: Literal["auto", "turns", "speech", "fixed", "none"] = attrs.field(
        default="auto",
        metadata={
            "help": "what is summed up: 'turns' of speaker_diarization, 'speech' of voice_activity, 'fixed' "
            "stretches, 'none'; 'auto': turns if that pipeline runs too, else speech, else none"
        },
    )
    segment_duration: Annotated[float, Range(gt=0), Unit("s")] = attrs.field(
        default=10.0, metadata={"help": "how long 'fixed' stretches are; the last one may be shorter"}
    )
    rate: Annotated[int, Range(ge=16000, le=48000), Unit("Hz")] = attrs.field(
        default=16000,
        metadata={"help": "sample rate of the sound that is measured"},
    )

    def __attrs_post_init__(self) -> None:
        if self.f0_ceiling < 1.5 * self.f0_floor:
            raise ConfigError(
                f"f0_ceiling must be at least 1.5 times f0_floor, got {self.f0_ceiling!r} and {self.f0_floor!r}"
            )
        if not self.measures:
            raise ConfigError("measures is empty: name at least one of loudness, pitch, quality, spectrum, mfcc")
        if "quality" in self.measures and "pitch" not in self.measures:
            raise ConfigError("measures: 'quality' needs 'pitch', which tells where the voice is periodic; name both")

    def needs(self) -> tuple[Need, ...]:
        """The sound, and the pipelines whose stretches are summed up."""
        share = () if self.segments in ("auto", "speech", "none") else (Output("voice_activity", optional=True),)
        return (Audio(rate=self.rate), *needs_of(self.segments), *share)  # speech tells the speech_share of others
