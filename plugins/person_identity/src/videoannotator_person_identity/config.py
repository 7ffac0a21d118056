"""The settings of ``person_identity``. Importing this module imports no model library."""

from __future__ import annotations

from typing import Annotated, Literal

import attrs

from videoannotator import Frames, Output, Range, Unit
from videoannotator.data.needs import Need

__all__ = ["Hint", "PersonIdentityConfig"]

Fraction01 = Annotated[float, Range(ge=0, le=1)]


@attrs.frozen(kw_only=True)
class Hint:
    """What the user knows of a person: where they are at some moment, and who or what that is."""

    time: Annotated[float, Range(ge=0), Unit("s")] = attrs.field(
        default=0.0, metadata={"help": "a moment at which the person is seen; the nearest row within a second counts"}
    )
    x: Annotated[float, Unit("px")] = attrs.field(
        default=0.0, metadata={"help": "a point inside their box at that moment, in pixels of the picture as shown"}
    )
    y: Annotated[float, Unit("px")] = attrs.field(default=0.0, metadata={"help": "see x"})
    role: str | None = attrs.field(default=None, metadata={"help": "the role of the person there"})
    name: str | None = attrs.field(default=None, metadata={"help": "the name of the person there"})


@attrs.frozen(kw_only=True)
class PersonIdentityConfig:
    """Who is who. With the defaults the weights must be there; ``weights=None`` goes by motion and faces alone."""

    weights: str | None = attrs.field(
        default="osnet_x0_25_msmt17.onnx",
        metadata={"help": "re-identification network: a declared model name or the path of an .onnx file; null: none"},
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=5.0,
        metadata={"help": "pictures per second in which persons' looks are taken; unset: every frame of the file"},
    )
    height: Annotated[int, Range(ge=64), Unit("px")] | None = attrs.field(
        default=720, metadata={"help": "taller pictures are made this tall before looks are taken; unset: full size"}
    )
    crops: Annotated[int, Range(ge=1)] = attrs.field(
        default=24,
        metadata={"help": "most persons looked at in one picture; in crowds those come first that were seen least"},
    )
    smallest: Annotated[float, Range(ge=0), Unit("px")] = attrs.field(
        default=24.0, metadata={"help": "persons less tall in the picture are not looked at: there is nothing to see"}
    )
    link: Fraction01 = attrs.field(
        default=0.5, metadata={"help": "least probability of a link between two tracks for them to become one person"}
    )
    speed: Annotated[float, Range(gt=0)] = attrs.field(
        default=6.0,
        metadata={"help": "body heights per second that nobody exceeds between two tracks of one shot (a sprint is 6)"},
    )
    reentry: Literal["same", "new"] = attrs.field(
        default="same",
        metadata={
            "help": "who leaves the picture at its border and comes back is 'same' person, or 'new': the rule of "
            "tracking benchmarks (MOTChallenge), whose ids mean one visit"
        },
    )
    fill: Annotated[float, Range(gt=0), Unit("s")] | None = attrs.field(
        default=None,
        metadata={
            "help": "a person's absences up to so long within a shot are filled in between the boxes before and after, "
            "also where another track goes on: rows of the output 'filled'; unset: none"
        },
    )
    face_threshold: Annotated[float, Range(ge=-1, le=1)] = attrs.field(
        default=0.363,
        metadata={
            "help": "cosine similarity of two face embeddings from which they are rather one person's, where the "
            "recording shows too little to measure it (0.363 is OpenCV's for SFace; ArcFace-class networks: about 0.3)"
        },
    )
    threshold: Annotated[float, Range(ge=-1, le=1)] = attrs.field(
        default=0.75,
        metadata={"help": "the same for looks of bodies (0.75 is BoT-SORT's)"},
    )
    gallery: str | None = attrs.field(
        default=None,
        metadata={"help": "known persons: a .npz file made by enrol() or enrol_pictures(); null: nobody is known"},
    )
    name_score: Fraction01 = attrs.field(
        default=0.8, metadata={"help": "least probability of a name from the gallery; below: unknown"}
    )
    roles: Literal["none", "body"] = attrs.field(
        default="body",
        metadata={"help": "'body': roles are told from bodies (pose and size); 'none': only from hints"},
    )
    role_labels: tuple[str, ...] = attrs.field(
        default=("infant", "child", "adult"),
        metadata={"help": "the study's words for sizes of people, from small to large: three, or two"},
    )
    role_score: Fraction01 = attrs.field(
        default=0.8, metadata={"help": "least probability at which a person gets a role; below: none"}
    )
    hints: tuple[Hint, ...] = attrs.field(
        default=(), metadata={"help": "what you know: moments and places with a role or a name; they win over all else"}
    )

    def __attrs_post_init__(self) -> None:
        if len(self.role_labels) not in (2, 3) or len(set(self.role_labels)) != len(self.role_labels):
            raise ValueError(f"role_labels must be two or three different words, got {self.role_labels!r}")

    def models(self) -> tuple[str, ...]:
        """The network of `weights`, if any."""
        return () if self.weights is None else (self.weights,)

    def needs(self) -> tuple[Need, ...]:
        """Tracks; faces and shots if they are there; pictures only where a network looks at them."""
        others = (Output(name, optional=True) for name in ("face_analysis", "scene_detection"))
        rows = (Output("person_tracking"), *others)
        return rows if self.weights is None else (*rows, Frames(rate=self.rate, height=self.height))
