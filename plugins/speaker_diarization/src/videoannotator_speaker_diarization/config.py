"""The settings of ``speaker_diarization``. Importing this module imports no model."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Range, Unit
from videoannotator.errors import ConfigError
from videoannotator_speaker_diarization.layout import models_in

__all__ = ["SpeakerDiarizationConfig"]

Count = Annotated[int, Range(ge=1)]


@attrs.frozen(kw_only=True)
class SpeakerDiarizationConfig:
    """Names are pyannote's. What is unset is as the pipeline's own ``config.yaml`` says."""

    weights: str = attrs.field(
        default="speaker-diarization-community-1",
        metadata={
            "help": "the pipeline: a declared model name, or the path of a pyannote pipeline's folder or config.yaml"
        },
    )
    segmentation: str | None = attrs.field(
        default=None,
        metadata={
            "help": "another segmentation network: a declared model name, or the path of a pytorch_model.bin or of its "
            "folder; unset: the pipeline's"
        },
    )
    embedding: str | None = attrs.field(
        default=None,
        metadata={
            "help": "another embedding network, given like segmentation; unset: the pipeline's. VBx compares voice "
            "prints by a PLDA that belongs to one network"
        },
    )
    trust_checkpoints: bool = attrs.field(
        default=False,
        metadata={
            "help": "also unpickle checkpoints that hold more than tensors, plain values and pyannote's own "
            "description of its task: this may run code that is in them"
        },
    )
    num_speakers: Count | None = attrs.field(default=None, metadata={"help": "how many speakers there are, if known"})
    min_speakers: Count | None = attrs.field(default=None, metadata={"help": "how many speakers there are at least"})
    max_speakers: Count | None = attrs.field(default=None, metadata={"help": "how many speakers there are at most"})
    clustering_threshold: Annotated[float, Range(ge=0, le=2)] | None = attrs.field(
        default=None,
        metadata={"help": "voices nearer than this are one speaker's (clustering.threshold); less gives more speakers"},
    )
    clustering_fa: Annotated[float, Range(gt=0)] | None = attrs.field(
        default=None, metadata={"help": "how much the voice prints count against the prior (clustering.Fa; VBx only)"}
    )
    clustering_fb: Annotated[float, Range(gt=0)] | None = attrs.field(
        default=None, metadata={"help": "how much another speaker costs (clustering.Fb; VBx only); more gives fewer"}
    )
    min_cluster_size: Count | None = attrs.field(
        default=None,
        metadata={
            "help": "speakers heard in fewer pieces are given to others (clustering.min_cluster_size; agglomerative "
            "clustering only, so not community-1)"
        },
    )
    segmentation_threshold: Annotated[float, Range(gt=0, lt=1)] | None = attrs.field(
        default=None,
        metadata={
            "help": "activity from which a speaker speaks (segmentation.threshold); only for segmentation networks "
            "before 3.0: later ones choose among sets of speakers and have no threshold"
        },
    )
    segmentation_step: Annotated[float, Range(gt=0, le=1)] | None = attrs.field(
        default=None,
        metadata={"help": "how far the pieces of sound lie apart, in lengths of a piece (0.1: each second, of 10)"},
    )
    min_duration_off: Annotated[float, Range(ge=0), Unit("s")] | None = attrs.field(
        default=None, metadata={"help": "shorter pauses do not end a turn (segmentation.min_duration_off)"}
    )
    gallery: str | None = attrs.field(
        default=None,
        metadata={
            "help": "known speakers: a .npz file made by enrol() or enrol_recordings(), or a folder with such files, "
            "or with recordings in folders named after persons; unset: nobody is known"
        },
    )
    gallery_distance: Annotated[float, Range(ge=0, le=2)] = attrs.field(
        default=0.5,
        metadata={
            "help": "cosine distance from the middle of a known person's voice prints up to which a speaker may be "
            "that person; calibrated() measures it on a gallery"
        },
    )
    segmentation_batch_size: Count | None = attrs.field(
        default=None,
        metadata={"help": "pieces of sound segmented at once; unset: 1 on the processor, else what memory allows"},
    )
    embedding_batch_size: Count | None = attrs.field(
        default=None,
        metadata={"help": "pieces of sound embedded at once; unset: 1 on the processor, else what memory allows"},
    )

    def __attrs_post_init__(self) -> None:
        low, high = self.min_speakers, self.max_speakers
        if self.num_speakers is not None and (low is not None or high is not None):
            raise ConfigError("num_speakers says it all: set either it, or min_speakers and max_speakers")
        if low is not None and high is not None and low > high:
            raise ConfigError(f"min_speakers must be at most max_speakers, got {low} and {high}")

    def models(self) -> tuple[str, ...]:
        """The weights that these settings use, and the gallery, whose content decides as much."""
        used = models_in(self.weights, segmentation=self.segmentation, embedding=self.embedding)
        return used if self.gallery is None else (*used, self.gallery)
