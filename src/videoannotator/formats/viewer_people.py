"""Persons for the Video Annotation Viewer: boxes with keypoints, and who they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.formats.boxes import boxes_of, short_floats
from videoannotator.formats.names import BODY, BODY_SKELETON, category_id
from videoannotator.formats.thinning import thinned
from videoannotator.formats.viewer_json import text, write_rows

__all__ = ["NONE", "UNKNOWN", "People", "find_table", "image_name", "write_persons"]

UNKNOWN = "unknown"
NONE = "none"
"""What stands where the viewer demands a name, and where it demands a method, and there is none."""

_CHUNK = 2048
_SURE = 0.3  # keypoints of a higher score are drawn: what the predecessor drew
_OWN = frozenset(("bbox", "keypoints", "score"))


def find_table(result: Result, pipeline: str, output: str, *columns: str) -> Table[Any] | None:
    """The table of that pipeline and output, if the result has one with these columns."""
    parts = result.pipelines.get(pipeline)
    table = None if parts is None else parts.tables.get(output)
    return table if table is not None and set(columns) <= set(table.columns) else None


def image_name(stem: str, frame: int) -> str:
    """What a picture of a frame is called; none is written."""
    return f"{stem}_frame_{frame:06d}"


@attrs.frozen
class _Stretch:
    """A track shows this person in frames ``start`` to ``end``, both included."""

    start: int
    end: int
    person: int


class People:
    """Who is who, as ``person_identity`` says."""

    def __init__(self, result: Result, stem: str) -> None:
        self._stem = stem
        self._persons: dict[int, Any] = {}
        wanted = ("person", "name", "name_score", "role", "role_score", "role_method")
        for row in find_table(result, "person_identity", "persons", *wanted) or ():
            self._persons[row.person] = row
        self._tracks = _stretches(find_table(result, "person_identity", "links", "track", *_STRETCH), "track")
        self._faces = _stretches(find_table(result, "person_identity", "faces", "face", *_STRETCH), "face")

    def of_track(self, track: int | None, frame: int) -> dict[str, Any]:
        """Whom a person's track shows in this frame: what the viewer reads of it."""
        person = _in_frame(self._tracks.get(track, ()), frame)
        label, score, method = self._label(person)
        said = {
            "person_id": self._name(person, track),
            "person_label": label,
            "label_confidence": score,
            "labeling_method": method,
        }
        return said | self._known(person)

    def of_face(self, track: int | None, frame: int) -> dict[str, Any]:
        """Whose face a track of faces shows in this frame: what the viewer reads of it."""
        person = _in_frame(self._faces.get(track, ()), frame)
        label, score, method = self._label(person)
        said = {
            "person_id": self._name(person, None),
            "person_label": label,
            "person_label_confidence": score,
            "person_labeling_method": method,
        }
        return said | self._known(person)

    def _name(self, person: int | None, track: int | None) -> str:
        if person is not None:
            return f"person_{self._stem}_{person:03d}"
        return UNKNOWN if track is None else f"track_{self._stem}_{track:03d}"

    def _label(self, person: int | None) -> tuple[str, float, str]:
        row = None if person is None else self._persons.get(person)
        if row is not None and row.role is not None:
            return row.role, row.role_score or 0.0, row.role_method or UNKNOWN
        if row is not None and row.name is not None:
            return row.name, row.name_score or 0.0, "gallery"
        return UNKNOWN, 0.0, NONE

    def _known(self, person: int | None) -> dict[str, Any]:
        row = None if person is None else self._persons.get(person)
        return {} if row is None or row.name is None else {"person_name": row.name, "name_score": row.name_score}


_STRETCH = ("start_frame", "end_frame", "person")


def _stretches(table: Table[Any] | None, key: str) -> dict[int | None, list[_Stretch]]:
    found: dict[int | None, list[_Stretch]] = {}
    for row in table or ():
        if getattr(row, key) is not None:
            found.setdefault(getattr(row, key), []).append(_Stretch(row.start_frame, row.end_frame, row.person))
    return found


def _in_frame(stretches: Any, frame: int) -> int | None:
    return next((s.person for s in stretches if s.start <= frame <= s.end), None)


def write_persons(
    file: BinaryIO,
    result: Result,
    table: Table[Any],
    stem: str,
    *,
    rate: float | None,
    info: dict[str, Any],
    face: bool,
) -> None:
    """Write the rows of a table of `Detection` that were seen, thinned to ``rate``, with categories and images.

    ``face``: the file's name has "face" in it: the viewer would take the file for one of faces if it found "score".
    """
    own = _OWN - {"score"} if face else _OWN
    seen = np.flatnonzero(~table.column("interpolated"))
    kept = seen[thinned(table[seen], rate)]
    shown = table[kept]
    others: dict[str, int] = {}
    numbers = {label: category_id(label, others) for label in sorted(set(shown.column("label")))}
    file.write(b'{"annotations":[\n')
    write_rows(file, _rows(shown, kept, stem, numbers, People(result, stem)), own)
    rest = {"categories": _categories(numbers), "images": _images(result, shown, stem), "info": info}
    file.write(b"\n]," + text(rest, own)[1:].encode())


def _rows(
    table: Table[Any], kept: NDArray[np.intp], stem: str, categories: dict[str, int], people: People
) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(table), _CHUNK):
        part = table[start : start + _CHUNK]
        boxes, points = boxes_of(part)[0].tolist(), _keypoints(part)
        rows = []
        for index, row in enumerate(part):
            box = boxes[index]
            said = {
                "id": int(kept[start + index]) + 1,
                "image_id": image_name(stem, row.frame),
                "category_id": categories[row.label],
                **points[index],
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "score": 0.0 if row.score is None else row.score,
                "track_id": row.track,
                "timestamp": row.time,
                "frame_number": row.frame,
                **people.of_track(row.track, row.frame),
            }
            rows.append(said | {"scored": False} if row.score is None else said)
        yield rows


def _keypoints(table: Table[Any]) -> list[dict[str, Any]]:
    """Of each row COCO's seventeen points; zeros for any others, and for none."""
    said: list[dict[str, Any]] = [{"keypoints": [0] * (3 * len(BODY)), "num_keypoints": 0} for _ in range(len(table))]
    every = {n: row for n, row in enumerate(table.column("keypoints")) if row is not None and len(row) == len(BODY)}
    if not every:
        return said
    short = short_floats(np.stack(list(every.values()))).tolist()  # one conversion for all
    for index, points in zip(every, short, strict=True):
        seen = [(x, y, 2 if score >= _SURE else 1 if score > 0 else 0) for x, y, score in points]
        said[index] = {
            "keypoints": [number for point in seen for number in point],
            "num_keypoints": sum(v > 0 for _, _, v in seen),
            "keypoint_scores": [score for _, _, score in points],
        }
    return said


def _categories(numbers: dict[str, int]) -> list[dict[str, Any]]:
    points = {"keypoints": BODY, "skeleton": BODY_SKELETON}
    return [
        {"id": number, "name": label, "supercategory": label, **(points if label == "person" else {})}
        for label, number in numbers.items()
    ]


def _images(result: Result, table: Table[Any], stem: str) -> list[dict[str, Any]]:
    video = result.media.video
    size = {} if video is None else {"width": video.width, "height": video.height}
    times = dict(zip(table.column("frame").tolist(), table.column("time").tolist(), strict=True))
    return [
        {
            "id": image_name(stem, frame),
            **size,
            "file_name": f"{image_name(stem, frame)}.jpg",
            "video_id": stem,
            "frame_number": frame,
            "timestamp": time,
        }
        for frame, time in times.items()
    ]
