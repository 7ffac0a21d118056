"""Turns in pieces, and faces that come and go."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator import Face, Table, TimeSpan
from videoannotator.errors import ConfigError
from videoannotator_active_speaker.tracks import FaceTrack, InPicture, face_tracks
from videoannotator_active_speaker.turns import Piece, Turn, pieces_of, turns_of

_TIMES = st.integers(0, 400).map(lambda n: n / 40)


def _track(number: int, spans: list[tuple[float, float]]) -> FaceTrack:
    empty = np.empty(0)
    return FaceTrack(number, empty, np.empty((0, 5, 2)), empty, tuple(TimeSpan(a, b) for a, b in spans))


@st.composite
def _spans(draw: st.DrawFn) -> list[tuple[float, float]]:
    edges = sorted(set(draw(st.lists(_TIMES, min_size=0, max_size=6))))
    return list(zip(edges[::2], edges[1::2], strict=False))


_TURNS = st.lists(st.tuples(_TIMES, _TIMES, st.sampled_from(["A", "B", None])), max_size=6).map(
    lambda given: [Turn(min(a, b), max(a, b), who) for a, b, who in given if abs(a - b) > 0.01]
)


@settings(max_examples=200, deadline=None)
@given(_TURNS, st.lists(_spans(), max_size=4), st.lists(_TIMES, max_size=3), st.floats(0.5, 5))
def test_pieces_partition_turns_and_their_faces_are_in_the_picture(
    turns: list[Turn], spans: list[list[tuple[float, float]]], cuts: list[float], window: float
) -> None:
    tracks = {n: _track(n, mine) for n, mine in enumerate(spans, 1)}
    pieces = pieces_of(turns, InPicture(tracks), cuts=cuts, pictures=TimeSpan(0.5, 9.0), window=window)
    for number, turn in enumerate(turns):
        mine = [piece for piece in pieces if piece.turn == number]
        assert mine[0].start == turn.start
        assert mine[-1].end == turn.end
        assert all(a.end == b.start for a, b in pairwise(mine))
        assert all(piece.speaker == turn.speaker and piece.end > piece.start for piece in mine)
        if turn.speaker is None:
            assert all(piece.duration <= window + 1e-9 for piece in mine)
        for piece in mine:
            _check_faces(piece, tracks, cuts)


def _check_faces(piece: Piece, tracks: dict[int, FaceTrack], cuts: list[float]) -> None:
    for time in np.linspace(piece.start + 2e-3, piece.end - 2e-3, 7) if piece.duration > 4e-3 else []:
        assert {n for n, track in tracks.items() if track.sees(float(time))} == set(piece.faces)
        assert piece.pictured == (0.5 <= time < 9.0)
    assert not any(piece.start + 2e-3 < cut < piece.end - 2e-3 for cut in cuts)


def _faces(times: list[float], track: int | None = 1) -> Table[Face]:
    box = {"x1": 10.0, "y1": 10.0, "x2": 20.0, "y2": 20.0}
    rows = [Face(frame=round(t * 25), time=t, score=0.9, track=track, yaw=0.0, **box) for t in times]
    return Table.from_rows(Face, rows)


def _visible(times: list[float], *, cuts: tuple[float, ...] = (), hold: float = 0.5) -> list[tuple[float, float]]:
    clock = np.arange(250) / 25
    found = face_tracks(_faces(times), rate=5.0, times=clock, end=10.0, cuts=cuts, hold=hold)
    return [(round(span.start, 6), round(span.end, 6)) for span in found[1].visible]


def test_a_face_is_in_the_picture_from_sighting_to_sighting() -> None:
    times = [0.2, 0.4, 0.6, 1.0, 1.2, 2.2]
    assert _visible(times) == [(0.2, 1.24), (2.2, 2.24)]
    assert _visible(times, hold=0.0) == [(0.2, 0.64), (1.0, 1.24), (2.2, 2.24)]
    assert _visible(times, hold=1.0) == [(0.2, 2.24)]
    assert _visible(times, cuts=(0.5,)) == [(0.2, 0.44), (0.6, 1.24), (2.2, 2.24)]
    assert _visible(times, cuts=(0.6,)) == [(0.2, 0.44), (0.6, 1.24), (2.2, 2.24)]  # the cut shows the new shot
    assert _visible([9.8, 9.96]) == [(9.8, 10.0)]


def test_between_sightings_it_is_where_it_moved_to() -> None:
    points = np.stack([np.full((5, 2), 10.0), np.full((5, 2), 30.0)])
    track = FaceTrack(1, np.array([1.0, 1.2]), points, np.array([0.0, 40.0]), (TimeSpan(1.0, 1.24),))
    place = track.place(1.05)
    assert place is not None
    assert place[0] == pytest.approx(np.full((5, 2), 15.0))
    assert place[1] == pytest.approx(10.0)
    assert track.place(1.3) is None
    assert track.place(0.99) is None


def test_faces_that_are_not_followed_are_refused() -> None:
    with pytest.raises(ConfigError, match="tracking=true"):
        face_tracks(_faces([0.2], None), rate=5.0, times=np.arange(9) / 25, end=1.0, cuts=(), hold=0.5)


def test_turns_are_cut_to_the_span() -> None:
    from videoannotator.data.rows import SpeakerTurn, SpeechRegion

    rows = Table.from_rows(SpeakerTurn, [SpeakerTurn(3.0, 5.0, "B"), SpeakerTurn(0.0, 1.5, "A")])
    assert turns_of(rows, TimeSpan(1.0, 4.0)) == [Turn(1.0, 1.5, "A"), Turn(3.0, 4.0, "B")]
    assert turns_of(rows, TimeSpan(2.0, 2.5)) == []
    assert turns_of(Table.from_rows(SpeechRegion, [SpeechRegion(0.5, 1.0)]), TimeSpan(0, 9)) == [Turn(0.5, 1.0)]
