"""What runs took is remembered; the nearest that is known is given."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.run.measured import Measured, nearest
from videoannotator.run.runner import time_left

JOBS = st.tuples(st.sampled_from("ab"), st.integers(1, 16), st.integers(0, 1000), st.integers(1, 1 << 40))


@settings(max_examples=40, deadline=None)
@given(
    told=st.lists(JOBS, max_size=8), job=st.sampled_from("ab"), batch=st.integers(1, 16), pixels=st.integers(0, 1000)
)
def test_the_nearest_that_is_known_is_given(
    told: list[tuple[str, int, int, int]], job: str, batch: int, pixels: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measured = Measured(Path(folder))
        for one in told:
            measured.remember_memory(*one)
        known = measured.memory(job)
    found = nearest(known, batch, pixels)
    mine = {(b, p): max(s for j, bb, pp, s in told if (j, bb, pp) == (job, b, p)) for j, b, p, _ in told if j == job}
    assert known == mine, "the most that was ever seen"
    larger = [size for size in mine if size[0] >= batch and size[1] >= pixels]
    if not mine:
        assert found is None
    elif larger:
        assert found == min(larger)
    else:
        assert found is not None
        assert found[0] * found[1] == max(b * p for b, p in mine)


def test_the_newest_time_counts_half(tmp_path: Path) -> None:
    measured = Measured(tmp_path)
    assert measured.seconds(["b", "a"]) is None
    measured.remember_seconds(["a", "b"], 4.0)
    measured.remember_seconds(["b", "a"], 8.0)
    assert measured.seconds(["a", "b"]) == 6.0
    assert measured.seconds(["a"]) is None


def test_asking_leaves_nothing_behind(tmp_path: Path) -> None:
    assert Measured(tmp_path / "none").memory("a") == {}
    assert not (tmp_path / "none").exists()


def test_without_a_folder_nothing_is_remembered_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    measured = Measured(tmp_path / "file")
    measured.remember_seconds(["a"], 1.0)
    assert measured.seconds(["a"]) is None
    assert "cannot be used" in caplog.text
    (tmp_path / "measured.sqlite").write_text("no book")
    assert Measured(tmp_path).seconds(["a"]) is None


@pytest.mark.parametrize(
    ("fraction", "elapsed", "planned", "left"),
    [
        (0.0, 1.0, None, None),
        (0.0, 1.0, 100.0, 100.0),
        (0.5, 10.0, None, 10.0),
        (0.5, 10.0, 100.0, 30.0),  # half by its pace, 20 s in all, half by the plan
        (1.0, 10.0, 100.0, 0.0),
    ],
)
def test_time_left_is_at_first_that_of_earlier_runs_then_its_own_pace(
    fraction: float, elapsed: float, planned: float | None, left: float | None
) -> None:
    assert time_left(fraction, elapsed, planned) == left
