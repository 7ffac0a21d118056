"""Tracks with their births, gaps and ends, and what lies in gaps: against what anybody can count in the rows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator import Detection, Gap, Table
from videoannotator_person_tracking.tracks import TrackBook

Shown = list[dict[int, float]]
"""For every look: x of the tracks that are seen."""


def rows_of(shown: Shown, first: int) -> Table[Detection]:
    rows = [
        Detection(2 * n, 0.2 * n, "person" if track != 3 else "dog", 0.5, x, 0, x + 10, 20, track)
        for n, seen in enumerate(shown, start=first)
        for track, x in seen.items()
    ]
    return Table.from_rows(Detection, rows)


def told(shown: Shown, book: TrackBook, size: int, first: int = 0) -> tuple[list[Detection], list[Any]]:
    """What a book says of looks at every second frame, five a second, ``size`` at once."""
    between, tracks = [], []
    for start in range(first, len(shown), size):
        part = shown[start : start + size]
        looks = np.arange(start, start + len(part))
        between += book.add(rows_of(part, start), (2 * looks).tolist(), (0.2 * looks).tolist())
        tracks += book.ended()
    return between, tracks + list(book.rest())


def test_birth_gaps_and_end() -> None:
    one, other = {1: 0.0}, {1: 0.0, 2: 50.0}
    shown = [{}, one, other, {2: 50.0}, {}, other, one, {}]
    _, (first, second) = told(shown, TrackBook(30), 3)
    assert (first.track, first.start, first.end) == (1, 0.2, 0.2 * 6)
    assert (first.start_frame, first.end_frame, first.frames) == (2, 12, 4)
    assert first.gaps == (Gap(0.2 * 2, 0.2 * 5),)
    assert (second.frames, second.gaps) == (3, (Gap(0.2 * 3, 0.2 * 5),))
    assert (first.label, first.score) == ("person", 0.5)


def test_what_lies_in_a_gap() -> None:
    shown = [{1: 0.0}, {1: 10.0}, {}, {}, {1: 40.0}, {}, {}, {}, {1: 80.0}]
    between, (track,) = told(shown, TrackBook(30, interpolate=0.6), 2)
    assert [(row.frame, row.x1, row.x2) for row in between] == [(4, 20.0, 30.0), (6, 30.0, 40.0)], "the other is longer"
    assert [row.time for row in between] == [0.4, pytest.approx(0.6)]
    assert all(row.interpolated and row.score is None and row.track == 1 for row in between)
    assert (track.frames, len(track.gaps)) == (4, 2)
    assert told(shown, TrackBook(30), 2)[0] == []


def test_a_track_is_told_when_it_cannot_come_back() -> None:
    book = TrackBook(3)
    book.add(rows_of([{1: 0.0}], 0), [0], [0.0])
    for n in range(1, 7):
        book.add(Table.empty(Detection), [2 * n], [0.2 * n])
        assert len(book.ended()) == (n == 6)
    assert len(book.rest()) == 0


looks = st.lists(st.dictionaries(st.integers(1, 4), st.floats(0, 500, width=32), max_size=4), max_size=24)


@given(looks, st.integers(1, 7), st.integers(0, 24))
def test_it_is_what_anybody_counts(shown: Shown, size: int, cut: int) -> None:
    whole, second = TrackBook(1000, 0.7), TrackBook(1000, 0.7)
    between, tracks = told(shown, whole, size)
    cut = min(cut, len(shown))
    before: list[Any] = []
    first = TrackBook(1000, 0.7)
    for n in range(cut):
        before += first.add(rows_of(shown[n : n + 1], n), [2 * n], [0.2 * n])
    second.restore(first.state())
    first.add(Table.empty(Detection), [99], [99.0])
    after, again = told(shown, second, size, cut)
    assert (before + after, again) == (between, tracks)
    seen: dict[int, list[int]] = {}
    for n, row in enumerate(shown):
        for track in row:
            seen.setdefault(track, []).append(n)
    assert [track.track for track in tracks] == sorted(seen)
    for track in tracks:
        mine = seen[track.track]
        assert (track.start_frame, track.end_frame, track.frames) == (2 * mine[0], 2 * mine[-1], len(mine))
        gaps = [(a, b) for a, b in pairwise(mine) if b > a + 1]
        assert [(gap.start, gap.end) for gap in track.gaps] == [(0.2 * a, 0.2 * b) for a, b in gaps]
        short = [n for a, b in gaps if 0.2 * b - 0.2 * a <= 0.7 for n in range(a + 1, b)]
        assert sorted(row.frame // 2 for row in between if row.track == track.track) == short


def test_gaps_of_a_real_run(start: Any, pedestrians: Any, detect_openvino: Any) -> None:
    rows, tracks = start(pedestrians[:60], weights=detect_openvino, interpolate=0.2).both(8)
    real, between = rows[~rows.interpolated], rows[rows.interpolated]
    assert len(between) > 0
    assert np.isnan(between.score).all()
    assert real == start(pedestrians[:60], weights=detect_openvino).all(16)
    assert set(tracks.track.tolist()) == set(real.track.compressed())
    for track in tracks:
        mine = np.flatnonzero(np.ma.filled(real.track, 0) == track.track)
        frames = real.frame[mine]
        assert (track.frames, track.start_frame, track.end_frame) == (len(frames), frames[0], frames[-1])
        assert len(track.gaps) == (np.diff(frames) > 1).sum()
    keys = [(row.track, row.frame) for row in rows if row.track is not None]
    assert len(keys) == len(set(keys)), "nobody is in a frame twice"
