"""Voices and faces over the whole recording: what speaks for each pair, and who belongs together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import TimeSpan
from videoannotator_active_speaker.evidence import Heard, Movement, Seen, of_network, share_moving
from videoannotator_active_speaker.solving import Links, certainty, solved
from videoannotator_active_speaker.tracks import FaceTrack, InPicture
from videoannotator_active_speaker.turns import Piece, Turn

__all__ = ["Evidence", "Linked", "Recording", "Unit"]

Unit = tuple[str, int]
"""``("person", number)``, ``("cluster", number)`` of faces, or ``("face", track)`` where nobody said whose it is."""

_SURE = 0.9
"""Least probability of a link for the voice's turns to be taken for the times at which the face speaks."""
_AT_ONCE = 0.5
"""s for which two voices must be heard at once to be two people's: the ends of turns are not that exact."""


@attrs.frozen
class Evidence:
    """Log likelihood ratios that a face speaks, or that a voice is its; None where nothing was measured."""

    movement: float | None = None
    synchrony: float | None = None
    network: float | None = None

    @property
    def measured(self) -> bool:
        """Whether anything was."""
        return not (self.movement is None and self.synchrony is None and self.network is None)

    @property
    def total(self) -> float:
        """All together; where there is a learned model, its word stands for the others."""
        if self.network is not None:
            return self.network
        return (self.movement or 0.0) + (self.synchrony or 0.0)


@attrs.frozen(eq=False)
class Recording:
    """All that was seen and heard.

    ``unit``: of every track. ``seen``: what was measured, by track. ``step``: seconds between pictures in which faces
    were looked for.
    """

    turns: Sequence[Turn]
    pieces: Sequence[Piece]
    tracks: Mapping[int, FaceTrack]
    unit: Mapping[int, Unit]
    seen: Mapping[int, Seen]
    heard: Heard
    step: float = 0.0

    @cached_property
    def speakers(self) -> list[str]:
        """Voices that have a name, in the order in which they are first heard."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns if turn.speaker is not None))

    @cached_property
    def units(self) -> list[Unit]:
        """Whoever is seen."""
        return sorted(set(self.unit.values()))

    def tracks_of(self, unit: Unit) -> list[int]:
        """The tracks of somebody."""
        return sorted(track for track, mine in self.unit.items() if mine == unit)

    def restless(self, tracks: Iterable[int], speakers: Collection[str] | None) -> float:
        """How often the mouth of these tracks moves while those voices are not heard (while none is, for None)."""
        spoken = [(turn.start, turn.end) for turn in self.turns if speakers is None or turn.speaker in speakers]
        return share_moving(
            (self.seen[track], start, end)
            for track in tracks
            if track in self.seen
            for span in self.tracks[track].visible
            for start, end in without(span, spoken)
        )

    def evidence(self, pairs: Sequence[tuple[int, Piece]], restless: float) -> Evidence:
        """What pieces say of tracks, taken together."""
        known = [(self.seen[track], piece) for track, piece in pairs if track in self.seen]
        movement = Movement.of((seen, piece.start, piece.end) for seen, piece in known).evidence(restless)
        found = [ratios for seen, piece in known if (ratios := self.heard.by_lag(seen, piece)) is not None]
        said = [r for seen, piece in known if (r := of_network(seen, piece.start, piece.end)) is not None]
        return Evidence(movement, self.heard.evidence(found), sum(said) if said else None)


def without(span: TimeSpan, taken: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """What is left of ``span``; ``taken``: in order of their starts."""
    start = span.start
    for first, last in taken:
        if first >= span.end:
            break
        if first > start:
            yield start, first
        start = max(start, last)
    if start < span.end:
        yield start, span.end


@attrs.frozen(eq=False)
class Linked:
    """Which voice is whose. All tables are (units, speakers). ``together``: seconds in which the voice is heard while
    the unit is in the picture."""

    recording: Recording
    evidence: NDArray[np.float64]
    restless: NDArray[np.float64]
    together: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    score: NDArray[np.float64]
    links: Links

    @classmethod
    def of(cls, recording: Recording, *, on_screen: float, split: float) -> Linked:
        """Solve it. ``on_screen``: how often a speaker is seen; ``split``: how often a voice has two names."""
        units, speakers = recording.units, recording.speakers
        shape = len(units), len(speakers)
        evidence, restless, together = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        pairs = _pairs(recording)
        for (u, s), mine in pairs.items():
            restless[u, s] = recording.restless(recording.tracks_of(units[u]), [speakers[s]])
            evidence[u, s] = recording.evidence(mine, restless[u, s]).total
            together[u, s] = sum(piece.duration for _, piece in mine)
        most = max((len(piece.faces) for piece in recording.pieces), default=1)
        before = float(np.log(on_screen / (1 - on_screen)) - np.log(max(most, 1)))
        weight = np.where(together > 0, evidence + before, -np.inf)
        odds = float(np.log(split / (1 - split))) if split > 0 else -np.inf
        links = Links(weight, _apart(recording), _overlap(recording), min(odds, 0.0))
        chosen = solved(links)
        score = np.zeros(shape)
        for u, s in zip(*np.nonzero(chosen), strict=True):
            score[u, s] = certainty(links, int(u), int(s))
        for u, s in pairs:  # once it is known when somebody speaks, that is no restlessness
            sure = np.flatnonzero(chosen[u] & (score[u] >= _SURE))
            if len(sure):
                names = [speakers[s], *(speakers[other] for other in sure)]
                restless[u, s] = recording.restless(recording.tracks_of(units[u]), names)
        return cls(recording, evidence, restless, together, chosen, score, links)

    def places(self, track: int, speaker: str) -> tuple[int, int]:
        """Row and column of a track and a voice."""
        return self.recording.units.index(self.recording.unit[track]), self.recording.speakers.index(speaker)


def _pairs(recording: Recording) -> dict[tuple[int, int], list[tuple[int, Piece]]]:
    """For units and voices that are seen and heard at once: the tracks and the pieces."""
    row = {unit: n for n, unit in enumerate(recording.units)}
    column = {speaker: n for n, speaker in enumerate(recording.speakers)}
    found: dict[tuple[int, int], list[tuple[int, Piece]]] = {}
    for piece in recording.pieces:
        for track in piece.faces if piece.speaker is not None else ():
            found.setdefault((row[recording.unit[track]], column[str(piece.speaker)]), []).append((track, piece))
    return found


def _apart(recording: Recording) -> NDArray[np.bool_]:
    """Units that are two people: known as such, or in the picture at once."""
    units = recording.units
    row = {unit: n for n, unit in enumerate(units)}
    known = np.array([unit[0] == "person" for unit in units], dtype=bool)
    apart = known[:, None] & known[None, :]
    for a, b in InPicture(recording.tracks).together():
        first, second = row[recording.unit[a]], row[recording.unit[b]]
        apart[first, second] = apart[second, first] = True
    np.fill_diagonal(apart, val=False)
    return np.asarray(apart, dtype=np.bool_)


def _overlap(recording: Recording) -> NDArray[np.bool_]:
    """Voices that are heard at once."""
    speakers = recording.speakers
    seconds = np.zeros((len(speakers), len(speakers)))
    number = {speaker: n for n, speaker in enumerate(speakers)}
    for n, turn in enumerate(recording.turns):
        for other in recording.turns[n + 1 :]:
            if other.start >= turn.end:
                break
            if turn.speaker is not None and other.speaker is not None:
                a, b = number[turn.speaker], number[other.speaker]
                seconds[a, b] += min(turn.end, other.end) - other.start
    seconds += seconds.T
    np.fill_diagonal(seconds, 0.0)
    return np.asarray(seconds > _AT_ONCE, dtype=np.bool_)
