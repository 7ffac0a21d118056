"""One frame with everything that was found on it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.boxes import BoxTable, Found, box_tables
from videoannotator.data.columns import columns_of
from videoannotator.data.result import Result
from videoannotator.data.rows import Shot
from videoannotator.draw.areas import pixels_of, tint
from videoannotator.draw.canvas import Canvas
from videoannotator.draw.hiding import Hiding
from videoannotator.draw.labels import Box
from videoannotator.draw.look import Look
from videoannotator.draw.people import People, Person
from videoannotator.draw.posing import head_axes, head_box
from videoannotator.draw.style import SPEECH, Color

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Scene", "time_text"]

# pairs of COCO's 17 keypoints that are joined by a line: head, arms, trunk, legs
_LIMBS = (
    *((0, 1), (0, 2), (1, 3), (2, 4)),
    *((5, 7), (7, 9), (6, 8), (8, 10), (5, 6)),
    *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
_AXES: tuple[Color, ...] = ((220, 60, 60), (60, 180, 75), (60, 110, 230))
_GAZES = ("gaze_yaw", "gaze_pitch")
_GAZE: Color = (235, 60, 200)
_SMALL = 8
"""Bodies less high than this, in pixels of the picture that is drawn on, get no skeleton."""
_FEW = 5
_SMALL_FACE = 32
"""Faces less wide than this, in pixels of the picture that is drawn on, get no more points than `_FEW`."""


class Scene:
    """Draws what was found on frames of one result. ``look``: what is drawn and what is hidden."""

    def __init__(self, result: Result, look: Look) -> None:
        self.look = look
        self.people = People(result)
        self._result = result
        self._boxes = box_tables(result, look.pipelines)
        self._hiding = Hiding(result, look, self.people)
        self._size = (result.media.video.width, result.media.video.height) if result.media.video is not None else (1, 1)

    @cached_property
    def shots(self) -> list[Any]:
        """The shots, in order."""
        for name, _, table in self._result.tables():
            if issubclass(table.row_class, Shot) and self.look.takes(name):
                return sorted(table, key=lambda shot: shot.start)
        return []

    def shot_text(self, time: float) -> str:
        """``shot 3 of 12`` for a time inside one; nothing where there is but one."""
        number = bisect_right(self.shots, time, key=lambda shot: shot.start)
        inside = number > 0 and time < self.shots[number - 1].end
        return f"shot {number} of {len(self.shots)}" if inside and len(self.shots) > 1 else ""

    def paint(self, pixels: NDArray[np.uint8], frame: int, time: float, *, corners: bool = True) -> Image.Image:
        """A frame with what was found on it. ``pixels``: uint8 (height, width, 3), RGB, of any size; not changed.

        ``corners``: write time and shot into the lower corners, if ``look`` asks for them.
        """
        from PIL import Image

        picture = Image.fromarray(pixels).copy()
        scale = picture.width / self._size[0], picture.height / self._size[1]
        self._hiding.apply(picture, frame, time, scale)
        seen = [
            (boxes, boxes.at(frame, time)) for boxes in self._boxes if "faces" in self.look.show or not boxes.is_face
        ]
        for boxes, found in seen:
            self._draw_areas(picture, boxes, found)
        canvas = Canvas(*picture.size)
        if corners and "time" in self.look.show:
            canvas.corner_text(time_text(time), right=True)
        if corners and "shots" in self.look.show and self.shot_text(time):
            canvas.corner_text(self.shot_text(time), right=False)
        for boxes, found in seen:
            self._draw(canvas, boxes, found, scale)
        return canvas.onto(picture)

    def _color(self, boxes: BoxTable, row: Any) -> tuple[Person | None, Color]:
        """Whose box it is, where somebody has told, and its colour."""
        track = getattr(row, "track", None)
        own = self.people.persons.get(row.person) if boxes.has("person") else None
        person = own or self.people.of(boxes, track, row.time, (row.frame, row.x1, row.y1, row.x2, row.y2))
        return person, self.people.color(boxes, person, track)

    def _draw_areas(self, picture: Image.Image, boxes: BoxTable, found: Found) -> None:
        """What is covered in this very frame; not what was covered in one near it."""
        if "masks" not in self.look.show or not boxes.has("mask") or found.held:
            return
        for row in found.rows:
            if row.mask is not None:
                tint(picture, pixels_of(row.mask, *self._size), self._color(boxes, row)[1])

    def _draw(self, canvas: Canvas, boxes: BoxTable, found: Found, scale: tuple[float, float]) -> None:
        show = self.look.show
        for row in found.rows:
            # interpolated rows were not seen on this frame either
            held = found.held or bool(getattr(row, "interpolated", False))
            person, color = self._color(boxes, row)
            box = (row.x1 * scale[0], row.y1 * scale[1], row.x2 * scale[0], row.y2 * scale[1])
            speaks = self._speaks(boxes, row)
            if speaks is not None:
                canvas.around(box, SPEECH)
            if boxes.is_face or "boxes" in show:
                (canvas.corners if held else canvas.box)(box, color)
            if boxes.is_face:
                canvas.room.keep_clear(box)
                if not held:
                    self._draw_face(canvas, boxes, row, box, color, scale)
            elif boxes.has("keypoints") and row.keypoints is not None:
                self._draw_body(canvas, row.keypoints, box, color, scale, held=held)
            text = self._text(boxes, row, person, speaks)
            if text:
                canvas.label(text, color, box, below=boxes.is_face)

    def _draw_face(
        self, canvas: Canvas, boxes: BoxTable, row: Any, box: Box, color: Color, scale: tuple[float, float]
    ) -> None:
        also = list(self._of_same(boxes, row))
        if "landmarks" in self.look.show:
            for points in (*(_points(one, "points") for one, _ in also), _points(row, "landmarks")):
                self._draw_points(canvas, points, box, color, scale)
        if "gaze" in self.look.show:
            for one, kind in also:
                self._draw_gaze(canvas, row, one, kind, box, scale)
        turned = [getattr(row, name, None) for name in ("yaw", "pitch", "roll")]
        if "pose" in self.look.show and None not in turned:
            self._draw_axes(canvas, row, turned, box, scale)

    def _draw_points(
        self, canvas: Canvas, points: NDArray[np.float32], box: Box, color: Color, scale: tuple[float, float]
    ) -> None:
        """Points of a face, x and y first. ``points``: (N, 2 or more), in pixels of the picture as shown."""
        at = points[:, :2] * np.array(scale)
        if len(at) <= _FEW:
            for x, y in at.tolist():
                canvas.dot(x, y, color)
        elif box[2] - box[0] >= _SMALL_FACE:
            canvas.specks(at, color, min(0.45 * canvas.measures.line, (box[2] - box[0]) / 180))

    def _draw_gaze(
        self, canvas: Canvas, face: Any, row: Any, kind: type[Any], box: Box, scale: tuple[float, float]
    ) -> None:
        """An arrow from between the eyes, a face's width long when it lies in the picture's plane.

        Only for angles in degrees, which have the signs of `Face`: those of other numbers are not known.
        """
        yaw, pitch = (getattr(row, name, None) for name in _GAZES)
        if yaw is None or pitch is None or not _in_degrees(kind):
            return
        x, y = (box[0] + box[2]) / 2, 0.6 * box[1] + 0.4 * box[3]
        five = _points(face, "landmarks")
        if len(five) == _FEW:
            x, y = (np.mean(five[:2], axis=0) * scale).tolist()
        right, down = (head_axes(yaw, pitch, 0.0)[2] * (box[2] - box[0])).tolist()
        canvas.arrow((x, y), (x + right, y + down), _GAZE)

    def _draw_axes(self, canvas: Canvas, row: Any, turned: list[Any], box: Box, scale: tuple[float, float]) -> None:
        """The axes of the head, from the tip of the nose: red to its own left, green up, blue where it faces."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        five = _points(row, "landmarks")
        if len(five) == _FEW:
            x, y = float(five[2][0]) * scale[0], float(five[2][1]) * scale[1]
        length = 0.45 * (box[2] - box[0])
        for (right, down), color in zip(head_axes(*turned).tolist(), _AXES, strict=True):
            canvas.line((x, y), (x + length * right, y + length * down), color, 1.3)

    def _draw_body(
        self,
        canvas: Canvas,
        keypoints: NDArray[np.float32],
        box: Box,
        color: Color,
        scale: tuple[float, float],
        *,
        held: bool,
    ) -> None:
        sure = self.look.keypoint_score
        head = head_box(keypoints, sure)
        if head is not None:
            x1, y1, x2, y2 = head[0] * scale[0], head[1] * scale[1], head[2] * scale[0], head[3] * scale[1]
            canvas.room.keep_clear((max(x1, box[0]), max(y1, box[1]), min(x2, box[2]), min(y2, box[3])))
        if held or "skeletons" not in self.look.show or box[3] - box[1] < _SMALL:
            return
        thin = min(1.0, (box[3] - box[1]) / (50 * canvas.measures.line))  # small bodies are not covered by their lines
        points = [(x * scale[0], y * scale[1], score) for x, y, score in keypoints.tolist()]
        if len(points) == 17:
            for a, b in _LIMBS:
                if points[a][2] >= sure and points[b][2] >= sure:
                    canvas.line(points[a][:2], points[b][:2], color, thin)
        for x, y, score in points:
            if score >= sure:
                canvas.dot(x, y, color, thin)

    def _of_same(self, boxes: BoxTable, row: Any) -> Iterator[tuple[Any, type[Any]]]:
        """The row, and the rows that other outputs have of the same box on the same frame, with their classes."""
        yield row, boxes.table.row_class
        box = (row.x1, row.y1, row.x2, row.y2)
        for other in boxes.more:
            if self.look.takes(other.pipeline):
                same = (o for o in other.table[other.of_frame(row.frame)] if (o.x1, o.y1, o.x2, o.y2) == box)
                yield from ((one, other.table.row_class) for one in same)

    def _speaks(self, boxes: BoxTable, row: Any) -> str | None:
        """For a face that speaks, what its voice is called; ``speaks`` for a voice without a name; None for others."""
        if "speaking" not in self.look.show or not boxes.is_face:
            return None
        speaking = (one for one, _ in self._of_same(boxes, row) if getattr(one, "speaking", False))
        return next((getattr(one, "speaker", None) or "speaks" for one in speaking), None)

    def _text(self, boxes: BoxTable, row: Any, person: Person | None, speaks: str | None = None) -> str:
        """What a label says: the person, or the kind of thing and its track; who a face speaks as; the score, if asked
        for."""
        parts = []
        if "labels" in self.look.show:
            track = getattr(row, "track", None)
            if boxes.is_face:
                parts += [f"face {track}"] if track is not None and person is None else []
            elif person is not None:
                parts.append(person.title)
            else:
                name = str(getattr(row, "label", None) or boxes.pipeline.replace("_", " "))
                number = f"track {track}" if self.people.persons else str(track)
                parts.append(name if track is None else f"{name} {number}")
        if speaks is not None:
            parts = [f"{part}:" for part in parts] + [speaks]
        if "expressions" in self.look.show and boxes.is_face:
            labels = (getattr(other, "label", None) for other, _ in self._of_same(boxes, row) if other is not row)
            parts += [str(label) for label in labels if label is not None]
        score = getattr(row, "score", None)
        if "scores" in self.look.show and score is not None:
            parts.append(f"{score:.2f}")
        return " ".join(parts)


def _points(row: Any, name: str) -> NDArray[np.float32]:
    """The points that a row has under a name, (N, 2 or more); none where it has none."""
    points = getattr(row, name, None)
    return points if isinstance(points, np.ndarray) else np.empty((0, 2), np.float32)


def _in_degrees(kind: type[Any]) -> bool:
    return {column.unit for column in columns_of(kind) if column.name in _GAZES} == {"deg"}


def time_text(seconds: float) -> str:
    """``12.345 s``, or ``1:02:03.456`` from a minute on."""
    thousandths = round(seconds * 1000)
    if thousandths < 60_000:
        return f"{thousandths / 1000:.3f} s"
    whole, part = divmod(thousandths, 1000)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{clock}.{part:03}"
