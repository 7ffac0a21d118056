"""Rows from what was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from videoannotator import Table
from videoannotator_active_speaker.deciding import Decided
from videoannotator_active_speaker.evidence import Seen
from videoannotator_active_speaker.linking import Linked
from videoannotator_active_speaker.rows import SpeakerLink, Speaking, SpeakingFace

__all__ = ["Owner", "frames", "speakers", "speaking"]

_MOMENT = 0.04 - 1e-6
"""s for which a measurement stands."""

Owner = Callable[[int, float], int | None]
"""The person whose face a track is at a time; None where nobody said."""


def speaking(decided: Sequence[Decided], linked: Linked, owner: Owner) -> Table[Speaking]:
    """What is told of the pieces; neighbours of a turn of which the same is told become one row."""
    told = [(one, _person(one, linked, owner)) for one in decided]

    def same(item: tuple[Decided, int | None]) -> tuple[Any, ...]:
        one, person = item
        return one.piece.turn, one.verdict, one.face, person, len(one.piece.faces)

    rows = [_row([one for one, _ in group], key[3]) for key, group in groupby(told, key=same)]
    return Table.from_rows(Speaking, sorted(rows, key=lambda row: (row.start, row.end, row.speaker or "")))


def _row(pieces: list[Decided], person: int | None) -> Speaking:
    first, last = pieces[0], pieces[-1]

    def mean(value: Callable[[Decided], float | None]) -> float | None:
        known = [(one.piece.duration, v) for one in pieces if (v := value(one)) is not None]
        return sum(d * v for d, v in known) / sum(d for d, _ in known) if known else None

    return Speaking(
        start=first.piece.start,
        end=last.piece.end,
        on_screen=first.verdict,
        faces=len(first.piece.faces),
        speaker=first.piece.speaker,
        face=first.face,
        person=person,
        score=_share(mean(lambda one: one.score)),
        movement=mean(lambda one: one.evidence.movement),
        synchrony=mean(lambda one: one.evidence.synchrony),
        network=mean(lambda one: one.evidence.network),
        recording=mean(lambda one: one.recording),
    )


def _share(value: float | None) -> float | None:
    return None if value is None else min(max(value, 0.0), 1.0)


def _person(one: Decided, linked: Linked, owner: Owner) -> int | None:
    """Whose face it is; of a speaker off screen, who has the voice elsewhere, unless their face is in the picture."""
    middle = (one.piece.start + one.piece.end) / 2
    if one.face is not None:
        return owner(one.face, middle)
    if one.verdict != "off_screen" or one.piece.speaker is None:
        return None
    units = linked.recording.units
    column = linked.recording.speakers.index(one.piece.speaker)
    sure = linked.chosen[:, column] & (linked.score[:, column] >= 0.5)
    known = {units[u][1] for u in np.flatnonzero(sure) if units[u][0] == "person"}
    here = {owner(face, middle) for face in one.piece.faces}
    return next(iter(known)) if len(known) == 1 and not known & here else None


def speakers(linked: Linked, sure: float) -> Table[SpeakerLink]:
    """The voices, and the faces that have them. ``sure``: least probability of a link that is told."""
    recording = linked.recording
    rows = []
    for column, speaker in enumerate(recording.speakers):
        heard = sum(turn.end - turn.start for turn in recording.turns if turn.speaker == speaker)
        found = np.flatnonzero(linked.chosen[:, column] & (linked.score[:, column] >= sure))
        if not len(found):
            rows.append(SpeakerLink(speaker=speaker, heard=heard))
        for u in found:
            kind, number = recording.units[u]
            rows += [
                SpeakerLink(
                    speaker=speaker,
                    heard=heard,
                    together=_together(linked, track, speaker),
                    face=track,
                    person=number if kind == "person" else None,
                    score=_share(float(linked.score[u, column])),
                    evidence=float(linked.evidence[u, column]),
                )
                for track in recording.tracks_of(recording.units[u])
            ]
    return Table.from_rows(SpeakerLink, rows)


def _together(linked: Linked, track: int, speaker: str) -> float:
    pieces = linked.recording.pieces
    return sum(piece.duration for piece in pieces if piece.speaker == speaker and track in piece.faces)


def frames(faces: Table[Any], decided: Sequence[Decided], seen: Mapping[int, Seen]) -> Table[SpeakingFace]:
    """The rows of face_analysis that lie in a turn, and what is told of each."""
    tracks = np.ma.getdata(faces.column("track"))
    times = np.asarray(faces.column("time"), dtype=np.float64)
    order = np.argsort(times, kind="stable")
    best: dict[int, tuple[bool, float, str | None]] = {}
    for one in decided:
        first, last = np.searchsorted(times[order], [one.piece.start, one.piece.end])
        for place in order[first:last].tolist():
            track = int(tracks[place])
            said = one.face == track, one.probability.get(track, -1.0), one.piece.speaker
            if place not in best or said[:2] > best[place][:2]:
                best[place] = said
    places = np.array(sorted(best), dtype=np.intp)
    mine = faces[places]
    told = [best[place] for place in places.tolist()]
    measured = list(_measured(tracks[places], times[places], seen))
    return Table.of(
        SpeakingFace,
        **{name: mine.column(name) for name in ("frame", "time", "x1", "y1", "x2", "y2")},
        track=tracks[places],
        speaking=[speaks for speaks, _, _ in told],
        speaker=[speaker if speaks else None for speaks, _, speaker in told],
        score=[None if score < 0 else _share(score) for _, score, _ in told],
        mouth=[mouth for mouth, _ in measured],
        network=[said for _, said in measured],
    )


def _measured(
    tracks: np.ndarray[Any, Any], times: np.ndarray[Any, Any], seen: Mapping[int, Seen]
) -> Iterator[tuple[float | None, float | None]]:
    """Activity, and what the learned model says, of each track at a time, or up to 0.04 s before."""
    for track, time in zip(tracks.tolist(), times.tolist(), strict=True):
        values: list[float | None] = [None, None]
        if track in seen:
            series = [(seen[track].time, seen[track].activity)]
            series += [seen[track].network] if seen[track].network is not None else []  # type: ignore[list-item]  # no None
            for n, (when, value) in enumerate(series):
                place = int(np.searchsorted(when, time + 1e-6)) - 1
                if place >= 0 and time - when[place] < _MOMENT and np.isfinite(value[place]):
                    values[n] = float(value[place])
        yield values[0], values[1]
