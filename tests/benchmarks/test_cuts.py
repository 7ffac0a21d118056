"""How the benchmark of cuts counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.accuracy.cuts import CUTS, Score, judged
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator import Frames, probe
from videoannotator.data.time import TimeSpan
from videoannotator.decode.passes import DecodePass


def test_a_cut_counts_once_and_within_the_tolerance() -> None:
    assert judged([10, 20], [10, 20]) == Score(2, 0, 0)
    assert judged([11, 18], [10, 20]) == Score(1, 1, 1)
    assert judged([9, 10, 11], [10]) == Score(1, 2, 0)
    assert judged([], [5]) == Score(0, 0, 1)
    assert judged([11], [10], tolerance=0) == Score(0, 1, 1)
    two = judged([10, 30], [10, 20])
    assert (two.precision, two.recall, two.f1) == (0.5, 0.5, 0.5)
    assert judged([], [5]).precision is None


@settings(deadline=None)  # the first import of SciPy takes a while
@given(st.sets(st.integers(0, 30), max_size=8), st.sets(st.integers(0, 30), max_size=8), st.integers(0, 3))
def test_no_other_pairing_is_better(found: set[int], marked: set[int], tolerance: int) -> None:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    near = [[int(abs(f - m) <= tolerance) for m in sorted(marked)] for f in sorted(found)]
    best = int((maximum_bipartite_matching(csr_matrix(near)) >= 0).sum()) if found and marked else 0
    score = judged(sorted(found), sorted(marked), tolerance)
    assert score == Score(best, len(found) - best, len(marked) - best)


@pytest.mark.parametrize("name", sorted(CUTS))
def test_the_marked_frames_are_cuts(assets: Path, name: str) -> None:
    """Across each the picture differs more than within eight frames around: the list fits the decoder's order."""
    media = probe(assets / "video" / name)
    assert media.video is not None
    for cut in CUTS[name]:
        around = range(cut - 8, cut + 8)
        times = media.video.clock.times
        span = TimeSpan(float(times[around[0]]), float(times[around[-1] + 1]))
        with DecodePass(media, [Frames(height=90)], span=span) as decoding:
            shown = {picture.frame: picture.pixels(0).astype(int) for picture in decoding}
        change = {frame: abs(shown[frame] - shown[frame - 1]).mean() for frame in around[1:]}
        assert max(change, key=lambda frame: change[frame]) == cut
