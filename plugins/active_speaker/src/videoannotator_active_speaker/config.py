"""The settings of ``active_speaker``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Audio, Frames, Output, Range, Unit
from videoannotator.data.needs import Need

__all__ = ["ActiveSpeakerConfig"]

Probability = Annotated[float, Range(gt=0, lt=1)]


@attrs.frozen(kw_only=True)
class ActiveSpeakerConfig:
    """Whose voices, how mouths are watched, and how sure it must be."""

    voices: Literal["auto", "speaker_diarization", "voice_activity"] = attrs.field(
        default="auto",
        metadata={
            "help": "whose rows say when somebody speaks. auto: speaker_diarization if it runs, else voice_activity if "
            "it runs; speakers then have no names, and nothing is learned over the recording. Named here, it is run"
        },
    )
    mouth: Literal["auto", "landmarks", "pixels"] = attrs.field(
        default="auto",
        metadata={
            "help": "what tells how a mouth moves. landmarks: the points of face_landmarks, which is run, and no "
            "picture is looked at (unless weights are set). pixels: the changes of the picture. auto: landmarks "
            "if face_landmarks runs at this rate or a multiple, and keeps its points; else pixels"
        },
    )
    weights: str | None = attrs.field(
        default=None,
        metadata={
            "help": "an LR-ASD network, which then stands for what movement and synchrony say: a declared model name "
            "(lr_asd_talkset, lr_asd_ava), or the path of such a checkpoint; needs torch. unset: none"
        },
    )
    rate: Annotated[float, Range(ge=5, le=60), Unit("1/s")] | None = attrs.field(
        default=25.0,
        metadata={
            "help": "pictures per second in which mouths are watched; unset: every frame. Faces may have been looked "
            "for less often: in between they are where they moved to"
        },
    )
    height: Annotated[int, Range(ge=120), Unit("px")] | None = attrs.field(
        default=720, metadata={"help": "taller pictures are made this tall before mouths are watched; unset: full size"}
    )
    smallest: Annotated[float, Range(ge=0), Unit("px")] = attrs.field(
        default=12.0,
        metadata={
            "help": "least distance between the eyes, in the picture as it is looked at, of a face whose mouth is "
            "watched; smaller ones can only be told by the rest of the recording"
        },
    )
    turned: Annotated[float, Range(ge=0, le=180), Unit("deg")] = attrs.field(
        default=60.0, metadata={"help": "a head turned to the side by more than this shows no mouth to be watched"}
    )
    hold: Annotated[float, Range(ge=0, le=5), Unit("s")] = attrs.field(
        default=0.5,
        metadata={
            "help": "a face that was missed for at most so long between two sightings of the same track in one shot "
            "counts as in the picture; 0: only where it was found each time"
        },
    )
    lag: Annotated[float, Range(ge=0, le=1), Unit("s")] = attrs.field(
        default=0.2, metadata={"help": "sound and picture may be out of step by this much, either way"}
    )
    window: Annotated[float, Range(ge=0.5), Unit("s")] = attrs.field(
        default=2.0,
        metadata={
            "help": "speech without a speaker's name is decided in stretches of at most this length: somebody else may "
            "speak in each"
        },
    )
    on_screen: Probability = attrs.field(
        default=0.6, metadata={"help": "how often, where faces are seen, one of them is the speaker, before looking"}
    )
    sure: Annotated[float, Range(ge=0.5, lt=1)] = attrs.field(
        default=0.7,
        metadata={
            "help": "least probability with which a face, off screen, or a link of voice and face is told; below: "
            "unknown"
        },
    )
    split: Annotated[float, Range(ge=0, lt=1)] = attrs.field(
        default=0.02,
        metadata={
            "help": "how often one person's voice got two names; 0: never, a person has one voice over the recording"
        },
    )
    frames: bool = attrs.field(
        default=True, metadata={"help": "also tell it face by face and picture by picture, for drawing and scoring"}
    )

    def models(self) -> tuple[str, ...]:
        """The network, if one is set."""
        return () if self.weights is None else (self.weights,)

    def needs(self) -> tuple[Need, ...]:
        """Sound, faces, voices; pictures unless landmarks tell everything."""
        needs: list[Need] = [Audio(16000), Output("face_analysis")]
        if self.pictures is not None:
            needs.append(self.pictures)
        asked = ("speaker_diarization", "voice_activity") if self.voices == "auto" else (self.voices,)
        needs += [Output(voices, optional=self.voices == "auto") for voices in asked]
        if self.mouth != "pixels":
            needs.append(Output("face_landmarks", optional=self.mouth == "auto"))
        return (*needs, Output("person_identity", optional=True), Output("scene_detection", optional=True))

    @property
    def pictures(self) -> Frames | None:
        """The pictures that are looked at; None where landmarks tell everything."""
        if self.mouth == "landmarks" and self.weights is None:
            return None
        return self.watched

    @property
    def watched(self) -> Frames:
        """The pictures in which mouths are to be watched."""
        return Frames(rate=self.rate, height=self.height, color="gray")
