"""Speech, speakers and shots for the Video Annotation Viewer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.formats.cues import milliseconds
from videoannotator.formats.viewer_json import text
from videoannotator.formats.viewer_people import UNKNOWN, find_table

__all__ = ["cues", "scenes"]

_BLANKS = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript's ``trim`` takes away: the viewer trims every line, and an empty one ends a cue."""

_OWN = frozenset(("end_time", "scene_type", "score", "start_time"))


def cues(table: Table[Any]) -> str:
    """`Utterance` rows as WebVTT as the viewer reads it, which shows the text of a cue as it stands.

    So ``<``, ``&`` and ``-->`` are not escaped, and a speaker is ``[Anna]: `` before the text, as in SubRip. The
    identifier of a cue is the number of its row.
    """
    blocks = ["WEBVTT\n"]
    for (start, end), number, row in sorted((milliseconds(row), number, row) for number, row in enumerate(table, 1)):
        said = [line.strip(_BLANKS) for line in re.split(r"\r\n|\r|\n", row.text.replace("\0", "\ufffd"))]
        lines = [line for line in said if line]
        speaker = " ".join((row.speaker or "").replace("\0", "\ufffd").strip(_BLANKS).splitlines())
        if speaker:
            lines = [f"[{speaker}]: {lines[0]}" if lines else f"[{speaker}]:", *lines[1:]]
        blocks.append("\n".join([f"{number}", f"{_clock(start)} --> {_clock(end)}", *lines]) + "\n")
    return "\n".join(blocks)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def scenes(result: Result, table: Table[Any], stem: str) -> str:
    """`Shot` rows as the JSON list that the viewer reads; without rows an object, as it takes ``[]`` for faces."""
    if not len(table):
        return '{"scenes":[]}'
    told: dict[tuple[int, int], Any] = {}
    wanted = ("start_frame", "end_frame", "label", "score", "probabilities")
    for row in find_table(result, "scene_detection", "labels", *wanted) or ():
        told[row.start_frame, row.end_frame] = row
    return text(
        [_scene(n, shot, told.get((shot.start_frame, shot.end_frame)), stem) for n, shot in _numbered(table)], _OWN
    )


def _numbered(table: Table[Any]) -> Iterator[tuple[int, Shot]]:
    return enumerate(table, 1)


def _scene(number: int, shot: Shot, told: Any, stem: str) -> dict[str, Any]:
    """One shot. ``score``: the probability of the label that is told, 0 where none is."""
    label = shot.label if shot.label is not None or told is None else told.label
    sure = told is not None and told.label is not None and told.label == label
    scene = {
        "id": number,
        "start_time": shot.start,
        "end_time": shot.end,
        "duration": shot.end - shot.start,
        "scene_type": UNKNOWN if label is None else label,
        "score": told.score if sure else 0.0,
        "all_scores": {} if told is None else {p.label: p.probability for p in told.probabilities},
        "video_id": stem,
        "frame_start": shot.start_frame,
        "frame_end": shot.end_frame,
    }
    return scene if shot.score is None else scene | {"cut_score": shot.score}
