"""JSON for the Video Annotation Viewer, which tells its files apart by words it finds in their first bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, BinaryIO

from videoannotator.formats.files import dumps

__all__ = ["text", "write_rows"]

_SOUGHT = frozenset(
    (
        "attributes",
        "bbox",
        "emotions",
        "end_time",
        "face_id",
        "faces",
        "keypoints",
        "openface3",
        "reasoning",
        "scene_type",
        "score",
        "start_time",
    )
)
"""Words that decide what the viewer takes a file for, each sought with its quotation marks around it."""


def text(plain: Any, own: frozenset[str]) -> str:
    """``plain`` as JSON in which only the words ``own`` stand as the viewer seeks them.

    The first letter of any other (a role called "emotions", a label called "bbox") is written as ``\\uXXXX``, which
    every JSON reader takes for that letter.
    """
    return _others(own).sub(lambda found: f'"\\u{ord(found[1][0]):04x}{found[1][1:]}"', dumps(plain))


@cache
def _others(own: frozenset[str]) -> re.Pattern[str]:
    # inside of a text a quotation mark has a backslash before it, so these are whole texts
    return re.compile(rf'(?<=[{{\[:,])"({"|".join(sorted(_SOUGHT - own))})"(?=[}}\]:,])')


def write_rows(file: BinaryIO, parts: Iterable[list[dict[str, Any]]], own: frozenset[str]) -> None:
    """Write rows as the elements of a JSON list, one line for each part, without the list's brackets."""
    separator = b""
    for part in parts:
        if part:
            file.write(separator + text(part, own)[1:-1].encode())
            separator = b",\n"
