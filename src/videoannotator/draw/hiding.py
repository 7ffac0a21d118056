"""Making people unrecognisable: which parts of a frame, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import numpy as np

from videoannotator.data.boxes import BoxTable, box_tables
from videoannotator.data.result import Result
from videoannotator.draw.labels import Box
from videoannotator.draw.look import HideWith, Look
from videoannotator.draw.people import People, Person
from videoannotator.draw.posing import head_box
from videoannotator.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Hiding", "grown", "scramble"]

_SPOTS = 7
"""Spots of colour across what is hidden: far fewer than a face needs to be known again."""

_FACE, _PERSON = 0.25, 0.08  # how much larger than its box what is hidden is, on each side
_SURE = 0.3
_MOST = 2000
"""Rows near a frame that are compared with those of it; more, in a crowd that nobody tracked, are hidden unseen."""

_FILL = (96, 98, 102)


def grown(box: Box, share: float) -> Box:
    """``box``, larger by ``share`` of its sides on each side."""
    x1, y1, x2, y2 = box
    across, down = share * (x2 - x1), share * (y2 - y1)
    return x1 - across, y1 - down, x2 + across, y2 + down


def scramble(picture: Image.Image, box: Box, how: HideWith) -> None:
    """Make what is inside ``box`` (pixels of ``picture``, RGB) unrecognisable, in place."""
    from PIL import Image

    width, height = picture.size
    x1, y1 = (int(np.floor(min(max(v, 0), limit))) for v, limit in zip(box[:2], (width, height), strict=True))
    x2, y2 = (int(np.ceil(min(max(v, 0), limit))) for v, limit in zip(box[2:], (width, height), strict=True))
    if x2 <= x1 or y2 <= y1:
        return
    if how == "fill":
        picture.paste(_FILL, (x1, y1, x2, y2))
        return
    wide, high = x2 - x1, y2 - y1
    spot = max(wide, high) / _SPOTS
    small = (max(1, round(wide / spot)), max(1, round(high / spot)))
    spots = picture.crop((x1, y1, x2, y2)).resize(small, Image.Resampling.BOX)
    back = Image.Resampling.NEAREST if how == "pixelate" else Image.Resampling.BICUBIC
    picture.paste(spots.resize((wide, high), back), (x1, y1))


@attrs.frozen
class _Place:
    """Where something is hidden. ``place``: where it stands in the order of its table, ``boxes``."""

    box: Box
    boxes: BoxTable
    place: int

    @property
    def track(self) -> int | None:
        return self.boxes.tracks[self.place]

    def person(self, people: People) -> Person | None:
        """Whose it is."""
        time, frame = float(self.boxes.times[self.place]), int(self.boxes.frames[self.place])
        return people.of(self.boxes, self.track, time, (frame, *self.boxes.box(self.place)))


class Hiding:
    """What of a result's frames is hidden, as ``look`` says.

    Raises `ConfigError` when there is nothing to go by: no pipeline found faces (persons), or nobody has the
    name that ``hide_only`` gives.
    """

    def __init__(self, result: Result, look: Look, people: People) -> None:
        self._look = look
        self._people = people
        every = box_tables(result)
        self._tables = [boxes for boxes in every if self._tells(boxes)]
        self._bodies = [boxes for boxes in every if not boxes.is_face]
        if look.hide in ("faces", "persons") and not self._tables:
            given = "face_analysis or person_tracking" if look.hide == "faces" else "person_tracking"
            raise ConfigError(f"hide={look.hide!r} needs rows that say where they are: annotate with {given}, too")
        self._persons = people.called(look.hide_only)
        self._tracks = self._named_tracks(look)

    def _tells(self, boxes: BoxTable) -> bool:
        if self._look.hide == "persons":
            return not boxes.is_face
        return boxes.is_face or boxes.has("keypoints")

    def _named_tracks(self, look: Look) -> set[int]:
        """Tracks of bodies that ``hide_only`` names by their numbers, where no person has that number."""
        known = {track for boxes in self._bodies for track in boxes.tracks if track is not None}
        tracks = {track for track in known if str(track) in look.hide_only} if not self._persons else set()
        called = self._persons | tracks
        if look.hide_only and not called:
            there = [person.title for person in self._people.persons.values()] or [f"track {t}" for t in sorted(known)]
            raise ConfigError(
                f"hide_only={', '.join(look.hide_only)}: nobody has that name, role or track; there are "
                f"{', '.join(there[:12]) or 'no persons'}"
            )
        return tracks

    def apply(self, picture: Image.Image, frame: int, time: float, scale: tuple[float, float]) -> None:
        """Hide on a frame. ``scale``: from pixels of the picture as shown to pixels of ``picture``."""
        if self._look.hide == "nothing":
            return
        if self._look.hide == "all" or not self._looked(time):
            picture.paste(_FILL, (0, 0, *picture.size))
            return
        for x1, y1, x2, y2 in self.regions(frame, time):
            box = (x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1])
            scramble(picture, box, self._look.hide_with)

    def _looked(self, time: float) -> bool:
        """False where no pipeline looked for whom is to be hidden: anybody may be there.

        Results of other programs do not say what was looked at; they are taken to have looked everywhere.
        """
        spans = [boxes.coverage for boxes in self._tables if boxes.coverage.spans]
        return not spans or any(time in coverage for coverage in spans)

    def regions(self, frame: int, time: float) -> list[Box]:
        """What is hidden on a frame, in pixels of the picture as shown."""
        places = [place for boxes in self._tables for place in self._places(boxes, frame, time)]
        if self._look.hide_only:
            places = list(self._wanted(places, time))
        return [place.box for place in places]

    def _places(self, boxes: BoxTable, frame: int, time: float) -> Iterator[_Place]:
        of_heads = self._look.hide == "faces" and not boxes.is_face
        for n in self._near(boxes, frame, time):
            box: Box | None = boxes.box(n)
            if of_heads:
                points = boxes.points[boxes.order[n]]
                box = head_box(np.asarray(points), _SURE) if points is not None else None
            if box is not None:
                share = _PERSON if of_heads or not boxes.is_face else _FACE
                yield _Place(grown(box, share), boxes, n)

    def _near(self, boxes: BoxTable, frame: int, time: float) -> list[int]:
        """Places in ``boxes.order``: the rows of the frame, and those near it that none of them stands for.

        A row of the frame stands for one near it when both are of one track, or the middle of the other lies in it.
        """
        hold = self._look.hide_hold
        if boxes.coverage.rate is not None:  # frames between two that were looked at
            hold = max(hold, 1 / boxes.coverage.rate + 1e-6)
        near = np.arange(*_ends(boxes.during(time - hold, time + hold)))
        is_here = boxes.frames[near] == frame
        here, others = near[is_here], near[~is_here]
        missed: list[int] = others.tolist()
        if not here.size:
            return missed
        seen = {boxes.tracks[n] for n in here.tolist()} - {None}
        rest = [n for n in missed if boxes.tracks[n] not in seen]
        corners = boxes.corners[here]
        for n in rest[:_MOST]:
            x1, y1, x2, y2 = boxes.box(n)
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            inside = (corners[:, 0] <= x) & (x <= corners[:, 2]) & (corners[:, 1] <= y) & (y <= corners[:, 3])
            if not inside.any():
                here = np.append(here, n)
        return [*here.tolist(), *rest[_MOST:]]

    def _wanted(self, places: list[_Place], time: float) -> Iterator[_Place]:
        """Those who are hidden. A face that is nobody's is hidden where it lies on somebody who is."""
        bodies: list[Box] | None = None
        for place in places:
            person = place.person(self._people)
            if person is not None:
                if person.key in self._persons:
                    yield place
            elif not place.boxes.is_face:
                if place.track in self._tracks:
                    yield place
            else:
                bodies = list(self._hidden_bodies(time)) if bodies is None else bodies
                if any(_touch(place.box, body) for body in bodies):
                    yield place

    def _hidden_bodies(self, time: float) -> Iterator[Box]:
        """The boxes near a time of bodies that are to be hidden."""
        for boxes in self._bodies:
            for n in boxes.during(time - self._look.hide_hold, time + self._look.hide_hold):
                place = _Place(boxes.box(n), boxes, n)
                person = place.person(self._people)
                if place.track in self._tracks or (person is not None and person.key in self._persons):
                    yield place.box


def _ends(places: range) -> tuple[int, int]:
    return places.start, places.stop


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
