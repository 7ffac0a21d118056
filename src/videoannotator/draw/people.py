"""Who is who: persons' names, roles and colours, where some pipeline has told them.

Nothing is imported from that pipeline: its tables are known by their columns.

* A table with ``person`` and ``track`` (and, for a part of a track, ``start`` and ``end``) tells whose the tracks
  are. Where it has ``face`` and a box, it tells whose faces are: ``face`` is the track of a face; where that is None,
  it is about the one face that has this box in ``start_frame``.
* A table with ``person`` and ``role`` or ``name`` tells what persons are called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

import attrs

from videoannotator.data.boxes import BoxTable
from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.draw.style import FACE, Color, track_color

__all__ = ["People", "Person"]

Key = int | str

Place = tuple[int, float, float, float, float]
"""A frame, and x1, y1, x2, y2 of a box in it."""


@attrs.frozen
class Person:
    """A person of a recording. ``name``: what they are called, or their number. ``role``: None where nobody told it."""

    key: Key
    name: str
    role: str | None
    color: Color

    @property
    def title(self) -> str:
        """Name and role, as a label says it."""
        return self.name if self.role is None else f"{self.name} ({self.role})"


@attrs.frozen
class _Link:
    person: Key
    start: float
    end: float

    def holds(self, time: float) -> bool:
        return self.start <= time <= self.end


Links = dict[int, list[_Link]]


@attrs.frozen
class _AllLinks:
    """By the tracks of bodies, by those of faces, and by frame and box of faces without a track."""

    bodies: Links = attrs.field(factory=dict)
    faces: Links = attrs.field(factory=dict)
    places: dict[Place, Key] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class People:
    """The persons of a result, and whose tracks are whose. Empty where no pipeline told."""

    result: Result

    @cached_property
    def persons(self) -> Mapping[Key, Person]:
        """Every person, by the key that links use, in the order of the tables."""
        told: dict[Key, tuple[str | None, str | None]] = {}
        for table in self._tables("person"):
            for row in table:
                key = row.person
                if key is not None:
                    name, role = told.get(key, (None, None))
                    told[key] = (name or _text(row, "name"), role or _text(row, "role"))
        return {
            key: Person(key, name or (f"person {key}" if isinstance(key, int) else key), role, track_color(number))
            for number, (key, (name, role)) in enumerate(told.items())
        }

    def _tables(self, *columns: str) -> Iterator[Table[Any]]:
        for _, _, table in self.result.tables():
            if set(columns) <= set(table.columns):
                yield table

    @cached_property
    def _links(self) -> _AllLinks:
        links = _AllLinks()
        for table in self._tables("person", "track"):
            of_faces = {"face", "start_frame", "x1", "y1", "x2", "y2"} <= set(table.columns)
            for row in table:
                if row.person is None:
                    continue
                start, end = getattr(row, "start", None), getattr(row, "end", None)
                link = _Link(row.person, 0.0 if start is None else start, float("inf") if end is None else end)
                if of_faces and row.face is None:
                    links.places[row.start_frame, row.x1, row.y1, row.x2, row.y2] = row.person
                elif of_faces:
                    links.faces.setdefault(row.face, []).append(link)
                elif row.track is not None:
                    links.bodies.setdefault(row.track, []).append(link)
        return links

    def of(self, boxes: BoxTable, track: int | None, time: float, place: Place | None = None) -> Person | None:
        """Whose track it is at that time, or who a face without one is, at ``place``; None where nobody told."""
        key: Key | None
        if track is None:
            key = self._links.places.get(place) if boxes.is_face and place is not None else None
        else:
            links = (self._links.faces if boxes.is_face else self._links.bodies).get(track, [])
            key = next((link.person for link in links if link.holds(time)), None)
        return None if key is None else self.persons.get(key)

    def parts(self, boxes: BoxTable, track: int, rows: Sequence[int]) -> Iterator[tuple[Person | None, list[int]]]:
        """The rows of a track, in order of time, in stretches of one person each."""
        owners = ((self.of(boxes, track, float(boxes.times[row])), row) for row in rows)
        for person, part in groupby(owners, key=itemgetter(0)):
            yield person, [row for _, row in part]

    def color(self, boxes: BoxTable, person: Person | None, track: int | None) -> Color:
        """One colour for one person, or, where persons are not known, for one track."""
        if person is not None:
            return person.color
        return FACE if boxes.is_face else track_color(track)

    def called(self, names: Iterable[str]) -> set[Key]:
        """The keys of the persons who have one of ``names``, as name, role or number. Case does not matter."""
        wanted = {name.casefold() for name in names}
        return {
            person.key
            for person in self.persons.values()
            if wanted & {str(v).casefold() for v in (person.key, person.name, person.role) if v is not None}
        }


def _text(row: Any, field: str) -> str | None:
    value = getattr(row, field, None)
    return value if isinstance(value, str) and value else None
