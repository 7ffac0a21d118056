"""The settings of ``laion_face``. Importing this module imports no model and no picture library."""

from __future__ import annotations

from typing import Annotated

import attrs

from videoannotator import Frames, Output, Range, Unit

__all__ = ["LaionFaceConfig"]


@attrs.frozen(kw_only=True)
class LaionFaceConfig:
    """At which faces to look, with which heads, and what to give."""

    weights: str = attrs.field(
        default="empathic-insight-face-large",
        metadata={"help": "the heads: a declared model name, or the path of a folder of model_NAME_best.pth files"},
    )
    encoder: str = attrs.field(
        default="siglip2-so400m-patch16-384",
        metadata={
            "help": "what sees the pictures: a declared model name, or the path of a folder as transformers saves one. "
            "Heads take the embeddings of the encoder they were trained with, of LAION's the default"
        },
    )
    heads: tuple[str, ...] | None = attrs.field(
        default=None,
        metadata={"help": "names of the heads to ask (anger, jealousy_envy, valence, ...); unset: all that are there"},
    )
    normalize: bool = attrs.field(
        default=True,
        metadata={
            "help": "give the heads the embedding at unit length; false: as SigLIP 2 gives it. Which of the two they "
            "were trained on is not verified: see the README"
        },
    )
    neutral: str | None = attrs.field(
        default=None,
        metadata={
            "help": "a JSON file with the mean rating of neutral faces by head; then 'above_neutral' says by how much "
            "each is exceeded. Unset: the neutral_stats*.json beside the heads, if there is one"
        },
    )
    margin: Annotated[float, Range(ge=0, le=2)] = attrs.field(
        default=0.25,
        metadata={"help": "how much of the surroundings to show on each side of a face, in sides of its square"},
    )
    threshold: Annotated[float, Range(ge=0, le=1)] = attrs.field(
        default=0.0, metadata={"help": "least score of a face of face_analysis to be looked at"}
    )
    rate: Annotated[float, Range(gt=0), Unit("1/s")] | None = attrs.field(
        default=1.0,
        metadata={
            "help": "pictures looked at per second, of which face_analysis must have seen each; unset: every frame"
        },
    )
    scaled: bool = attrs.field(
        default=False, metadata={"help": "also give 'scaled': the ratings as shares of their range, 0 to 7"}
    )
    embeddings: bool = attrs.field(
        default=False, metadata={"help": "also give 'embeddings': what SigLIP 2 sees in each face"}
    )

    @property
    def frames(self) -> Frames:
        """Pictures at `rate`, in full size, red first."""
        return Frames(rate=self.rate)

    def needs(self) -> tuple[Frames | Output, ...]:
        """`frames`, and the faces in them."""
        return (self.frames, Output("face_analysis"))

    def models(self) -> tuple[str, ...]:
        """The weights that these settings use."""
        return tuple(name for name in (self.weights, self.encoder, self.neutral) if name is not None)
