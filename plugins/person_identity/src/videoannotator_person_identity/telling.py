"""What was found, as rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Face, Table
from videoannotator_person_identity.config import PersonIdentityConfig
from videoannotator_person_identity.faces import Placed
from videoannotator_person_identity.gallery import Gallery
from videoannotator_person_identity.naming import Mean, named
from videoannotator_person_identity.roles import Role, Sight, roles
from videoannotator_person_identity.rows import FaceLink, Link, Looks, Person
from videoannotator_person_identity.solving import Seen, Solved, Stretch
from videoannotator_person_identity.tracks import Tracks

__all__ = ["Telling"]

_HINT = 1.0  # s: so far from a hint's moment a row may be


@attrs.define(eq=False)
class Telling:
    """Makes tables. ``models``: SHA-256 of weights by kind. ``first``: the number of the first person."""

    config: PersonIdentityConfig
    tracks: Tracks
    found: Solved
    kinds: list[Seen]
    models: Mapping[str, str]
    gallery: Gallery
    first: int
    whose: NDArray[np.intp] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.whose = np.full(len(self.tracks), -1, dtype=np.intp)
        for person, stretches in enumerate(self.found.persons):
            for stretch in stretches:
                self.whose[stretch.begin : stretch.end] = person

    def persons(self, keypoints: NDArray[np.float64] | None) -> Table[Person]:
        """One row each."""
        hinted, told, names = self._hints(), self._roles(keypoints), self._names()
        rows = []
        for i, stretches in enumerate(self.found.persons):
            mine = np.flatnonzero(self.whose == i)
            hint, role, name = hinted.get(i, (None, None)), told.get(i), names[i]
            if hint[0] is not None:
                role = Role(hint[0], np.nan, "hint")
            if hint[1] is not None:
                name = hint[1], np.nan
            rows.append(
                Person(
                    person=self.first + i,
                    start=float(self.tracks.time[mine].min()),
                    end=float(self.tracks.time[mine].max()),
                    tracks=len({int(self.tracks.track[stretch.begin]) for stretch in stretches}),
                    frames=len(mine),
                    name=None if name is None else name[0],
                    name_score=None if name is None or np.isnan(name[1]) else name[1],
                    role=None if role is None else role.role,
                    role_score=None if role is None or np.isnan(role.score) else role.score,
                    role_method=None if role is None else role.method,
                )
            )
        return Table.from_rows(Person, rows)

    def links(self) -> Table[Link]:
        """One row for each stretch, in order of time."""
        flat = [(stretch, self.first + i) for i, mine in enumerate(self.found.persons) for stretch in mine]
        flat.sort(key=lambda pair: (self.tracks.time[pair[0].begin], pair[0].begin))
        return Table.from_rows(Link, [self._link(stretch, person) for stretch, person in flat])

    def _link(self, stretch: Stretch, person: int) -> Link:
        tracks, evidence, last = self.tracks, stretch.evidence, stretch.end - 1
        methods = ["track"] if stretch.by_tracker else []
        if evidence is not None:
            methods += ["motion"] if evidence.motion is not None else []
            methods += sorted(evidence.likeness)
        likeness = {} if evidence is None else evidence.likeness
        return Link(
            track=tracks.names[tracks.track[stretch.begin]],
            person=person,
            start=float(tracks.time[stretch.begin]),
            end=float(tracks.time[last]),
            start_frame=int(tracks.frame[stretch.begin]),
            end_frame=int(tracks.frame[last]),
            method="+".join(methods) or "only",
            score=None if evidence is None else evidence.score,
            appearance=likeness.get("appearance"),
            face=likeness.get("face"),
            motion=None if evidence is None else evidence.motion,
        )

    def faces(self, faces: Table[Face] | None, in_heads: Placed | None) -> Table[FaceLink]:
        """One row for each track of a face that lies in somebody's head, or for each face where they have no tracks."""
        if faces is None or in_heads is None:
            return Table.empty(FaceLink)
        known, track = ~np.ma.getmaskarray(faces.track), np.ma.getdata(faces.track)
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row in range(len(faces)):
            groups[(1, int(track[row])) if known[row] else (0, row)].append(row)
        rows = [self._face(faces, in_heads, np.array(mine), key[1] if key[0] else None) for key, mine in groups.items()]
        return Table.from_rows(
            FaceLink, sorted((row for row in rows if row is not None), key=lambda row: (row.start_frame, row.x1))
        )

    def _face(self, faces: Table[Face], in_heads: Placed, rows: NDArray[np.intp], track: int | None) -> FaceLink | None:
        """The person in whose head this face lay best in all, and how well on average."""
        inside = rows[in_heads.row[rows] >= 0]
        if not len(inside):
            return None
        persons = self.whose[in_heads.row[inside]]
        best = int(np.argmax(np.bincount(persons, weights=in_heads.score[inside])))
        mine = inside[persons == best]
        bodies = self.tracks.track[in_heads.row[mine]]
        return FaceLink(
            face=track,
            track=self.tracks.names[int(np.bincount(bodies).argmax())],
            person=self.first + best,
            start=float(faces.time[mine].min()),
            end=float(faces.time[mine].max()),
            start_frame=int(faces.frame[mine].min()),
            end_frame=int(faces.frame[mine].max()),
            frames=len(mine),
            score=float(in_heads.score[mine].sum() / in_heads.company[rows].sum()),
            **{name: float(faces.column(name)[mine[0]]) for name in ("x1", "y1", "x2", "y2")},
        )

    def looks(self) -> Table[Looks]:
        """The mean look of each person, by kind, as the network gives it."""
        rows = []
        for kind in self.kinds:
            persons, weight = self.whose[kind.rows], kind.looks.weight
            for i in np.unique(persons):
                mine = persons == i
                total = (kind.looks.vector[mine] * weight[mine, None]).sum(axis=0)
                vector = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float32)
                seen, model = float(weight[mine].sum()), self.models[kind.name]
                rows.append(Looks(person=self.first + int(i), kind=kind.name, seen=seen, vector=vector, model=model))
        return Table.from_rows(Looks, rows)

    def _names(self) -> list[tuple[str, float] | None]:
        count = len(self.found.persons)
        if not self.gallery.known or not count:
            return [None] * count
        means: dict[str, list[Mean | None]] = {}
        galleries = {}
        for kind in self.kinds:
            vectors = self.found.spaces[kind.name](kind.looks.vector)
            persons, weight = self.whose[kind.rows], kind.looks.weight
            means[kind.name] = []
            for i in range(count):
                seen = float(weight[persons == i].sum())
                total = (vectors[persons == i] * weight[persons == i, None]).sum(axis=0)
                means[kind.name].append((total / seen, seen) if seen > 0 else None)
            galleries[kind.name] = self.gallery.of(kind.name, self.models[kind.name])
        if not means:
            return [None] * count
        return named(means, self.found.spaces, self.found.gauges, galleries, least=self.config.name_score)

    def _roles(self, keypoints: NDArray[np.float64] | None) -> dict[int, Role]:
        if keypoints is None or self.config.roles == "none":
            return {}
        sights = {}
        for i in range(len(self.found.persons)):
            mine = np.flatnonzero(self.whose == i)
            mine = mine[np.argsort(self.tracks.frame[mine], kind="stable")]
            sights[i] = Sight(self.tracks.time[mine], self.tracks.box[mine], keypoints[mine])
        return roles(sights, self.config.role_labels, self.config.role_score)

    def _hints(self) -> dict[int, tuple[str | None, str | None]]:
        """Role and name by person, from what the user said; the smallest box around a hint's point is meant."""
        said: dict[int, tuple[str | None, str | None]] = {}
        for hint in self.config.hints:
            away = np.abs(self.tracks.time - hint.time)
            box = self.tracks.box
            inside = (box[:, 0] <= hint.x) & (hint.x <= box[:, 2]) & (box[:, 1] <= hint.y) & (hint.y <= box[:, 3])
            near = np.flatnonzero((away <= _HINT) & inside)
            if len(near):
                area = (box[near, 2:] - box[near, :2]).prod(axis=1)
                person = int(self.whose[near[np.lexsort((area, away[near]))[0]]])
                role, name = said.get(person, (None, None))
                said[person] = hint.role or role, hint.name or name
        return said
