"""What is drawn, and what is made unrecognisable: the options that all drawings share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import attrs

from videoannotator.errors import ConfigError, nearest

__all__ = ["PARTS", "Hide", "HideWith", "Look"]

Hide = Literal["nothing", "faces", "persons", "all"]
HideWith = Literal["blur", "pixelate", "fill"]

PARTS = (
    "boxes",
    "masks",
    "skeletons",
    "faces",
    "landmarks",
    "pose",
    "gaze",
    "labels",
    "speaking",
    "expressions",
    "scores",
    "shots",
    "lanes",
    "time",
)
"""What can be drawn: boxes of persons and things, the areas they cover, their skeletons, boxes of faces, their
landmarks, the axes of the head, where the eyes look, names and numbers, which face is
speaking, the labels of expressions, scores, the number
of the shot, the lanes under a film, the time."""

_UNLESS_TOLD = tuple(part for part in PARTS if part not in ("expressions", "scores"))


def _parts(value: str | Iterable[str]) -> frozenset[str]:
    return frozenset(part.strip() for part in (value.split(",") if isinstance(value, str) else value))


def _names(value: Iterable[str | int] | str | int) -> tuple[str, ...]:
    given = [value] if isinstance(value, str | int) else value
    return tuple(str(name) for name in given)


@attrs.frozen
class Look:
    """What is drawn on pictures. Raises `ConfigError` for a value that is none.

    ``pipelines``: whose rows are drawn; None draws every pipeline's. ``show``: which of `PARTS`; all but
    ``expressions`` and ``scores`` unless told. ``keypoint_score``: points of a body that the model believes in less
    are not drawn.

    ``hide`` makes people unrecognisable, below everything that is drawn: ``"faces"`` hides boxes of faces and, where
    there are keypoints, heads; ``"persons"`` whole boxes of persons; ``"all"`` the whole picture. It hides what was
    found: a face that no pipeline found is seen. ``hide_with``: ``"pixelate"`` and ``"blur"`` leave about seven spots
    of colour across what they hide, ``"fill"`` leaves one colour, and is the only one from which nobody can learn
    anything. ``hide_only``: names, roles or track numbers of those who are hidden; others stay visible; a face
    that may belong to one of them is hidden. ``hide_hold``: seconds for which a place stays hidden before and after
    something was found there, for the frames between in which it was missed; 0 hides single frames only. Where
    nobody looked, the whole picture is hidden.
    """

    pipelines: tuple[str, ...] | None = attrs.field(default=None)
    show: frozenset[str] = attrs.field(default=frozenset(_UNLESS_TOLD), converter=_parts)
    keypoint_score: float = attrs.field(default=0.3)
    hide: Hide = attrs.field(default="nothing")
    hide_with: HideWith = attrs.field(default="blur")
    hide_only: tuple[str, ...] = attrs.field(default=(), converter=_names)
    hide_hold: float = attrs.field(default=0.5)

    def __attrs_post_init__(self) -> None:
        for part in sorted(self.show - set(PARTS)):
            raise ConfigError(f"show: there is no part {part!r}{nearest(part, PARTS)}; there are {', '.join(PARTS)}")
        for name, kind in (("hide", Hide), ("hide_with", HideWith)):
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ConfigError(f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}")
        if not 0 <= self.keypoint_score <= 1:
            raise ConfigError(f"keypoint_score must be in [0, 1], got {self.keypoint_score!r}")
        if not 0 <= self.hide_hold < float("inf"):
            raise ConfigError(f"hide_hold must be 0 or more seconds, got {self.hide_hold!r}")
        if self.hide_only and self.hide not in ("faces", "persons"):
            raise ConfigError("hide_only says who is hidden, so hide must be 'faces' or 'persons'")

    def takes(self, pipeline: str) -> bool:
        """True when that pipeline's rows are drawn."""
        return self.pipelines is None or pipeline in self.pipelines
