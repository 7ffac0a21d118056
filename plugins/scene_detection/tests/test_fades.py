"""Fades against pictures whose brightness is known, and the black between them against ThresholdDetector's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenedetect import FrameTimecode, ThresholdDetector

from videoannotator.testing.clips import write_clip
from videoannotator_scene_detection import videoannotator_pipelines
from videoannotator_scene_detection.fades import FadeFinder

(SPEC,) = videoannotator_pipelines()
RATE = 25.0


def fades(levels: list[float], min_black: float = 0.1, rate: float = RATE) -> list[tuple[str, int, int]]:
    """Kind, first and last frame."""
    finder = FadeFinder(12, min_black)
    for number, level in enumerate(levels):
        finder.add(number, number / rate, np.full((4, 4, 3), round(level), np.uint8))
    return [(fade.kind, fade.first, fade.last) for fade in finder.fades(len(levels) / rate)]


def ramp(start: float, end: float, frames: int) -> list[float]:
    return np.linspace(start, end, frames + 1)[1:].tolist()


def test_a_fade_through_black() -> None:
    levels = [100.0] * 30 + ramp(100, 0, 25) + [0.0] * 10 + ramp(0, 150, 50) + [150.0] * 40
    out, back = fades(levels)
    # 95 of 100 is passed with the second step down; below 12 with the 23rd, which is frame 52
    assert out == ("fade_out", 30, 52)
    assert back[0] == "fade_in"
    assert back[1] == 64 + 3  # 3, 6, 9 are still black
    assert back[2] == pytest.approx(65 + 50 * 0.95, abs=2)


def test_cuts_to_black_are_not_fades() -> None:
    assert fades([100.0] * 20 + [0.0] * 10 + [120.0] * 20) == [("cut_to_black", 19, 20), ("cut_from_black", 29, 30)]


def test_a_flash_of_black_is_none() -> None:
    assert fades([100.0] * 20 + [0.0] * 2 + [100.0] * 20) == []
    assert len(fades([100.0] * 20 + [0.0] * 2 + [100.0] * 20, min_black=0.05)) == 2


def test_black_at_both_ends() -> None:
    levels = [0.0] * 10 + ramp(0, 90, 20) + [90.0] * 30 + ramp(90, 0, 20) + [0.0] * 10
    assert [kind for kind, _, _ in fades(levels)] == ["fade_in", "fade_out"]
    assert fades([0.0] * 30) == fades([90.0] * 30) == fades([]) == []


def test_what_was_darker_long_before_does_not_belong_to_the_fade() -> None:
    levels = [60.0] * 20 + [100.0] * 40 + ramp(100, 0, 25) + [0.0] * 10
    ((_, first, _),) = fades(levels)
    assert first == 60


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 5, 11, 12, 40, 200]), st.integers(1, 12)), min_size=1, max_size=12),
    st.integers(0, 6),
)
def test_black_is_where_the_detector_of_pyscenedetect_finds_it(runs: list[tuple[int, int]], min_frames: int) -> None:
    levels = [float(level) for level, count in runs for _ in range(count)]
    found = fades(levels, min_black=(min_frames - 0.5) / RATE if min_frames else 0.0)
    outs = [last for kind, _, last in found if kind in ("fade_out", "cut_to_black")]
    ins = [first + 1 for kind, first, _ in found if kind in ("fade_in", "cut_from_black")]
    for bias, expected in ((-1.0, outs), (1.0, ins)):
        detector = ThresholdDetector(12, 0, fade_bias=bias, min_out_length=min_frames)
        cuts = []
        for number, level in enumerate(levels):
            cuts += detector.process_frame(FrameTimecode(number, fps=RATE), np.full((4, 4, 3), round(level), np.uint8))
        told = [cut.frame_num for cut in cuts]
        if bias == -1.0:  # it tells nothing of a fade out that no fade in follows, and 0 for black from the beginning
            expected = [frame for frame in expected if any(frame < other for other in ins)]
            told = [frame for frame in told if frame > 0]
        assert told == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=10), st.integers(0, 200))
def test_another_goes_on_from_the_state(runs: list[tuple[int, int]], border: int) -> None:
    levels = [float(level) for level, count in runs for _ in range(count)]
    first, second = FadeFinder(12, 0.1), FadeFinder(12, 0.1)
    for number, level in enumerate(levels):
        if number == border:
            second.restore(first.state())
            first = second
        first.add(number, number / RATE, np.full((4, 4, 3), round(level), np.uint8))
    told = [(fade.kind, fade.first, fade.last) for fade in first.fades(len(levels) / RATE)]
    assert told == fades(levels)
    assert all(0 <= begin < end < len(levels) for _, begin, end in told)


def test_memory_does_not_grow_with_the_frames() -> None:
    finder, sizes = FadeFinder(12, 0.1), []
    for number in range(6000):
        finder.add(number, number / RATE, np.full((2, 2, 3), 0 if 3000 < number < 4000 else 90 + number % 2, np.uint8))
        if number in (1500, 2900, 3900, 5900):
            sizes.append(len(finder.state()))
    assert max(sizes) < 40_000


def test_rows_stand_beside_the_cuts(tmp_path: Path, run_alone: Any) -> None:
    """A real file that is black from beginning to end has none; the setting is off by default."""
    assert len(run_alone(SPEC, write_clip(tmp_path / "a.mp4", frames=8, rate=25)).tables["transitions"]) == 0


def test_rows_of_a_real_file(tmp_path: Path, run_alone: Any) -> None:
    import av

    levels = [180] * 20 + list(range(170, 0, -10)) + [0] * 12 + [200] * 20
    path = tmp_path / "fade.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for level in levels:
            picture = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    ran = run_alone(SPEC, path, {"fades": True, "min_scene_length": 0.0})
    rows, clock = list(ran.tables["transitions"]), ran.media.video.clock
    assert [row.kind for row in rows] == ["fade_out", "cut_from_black"]
    assert (rows[0].start_frame, rows[0].end_frame) == (19, 37)  # from 180, 170 being short of 95 % of the way, to 10
    assert (rows[1].start_frame, rows[1].end_frame) == (48, 50)
    for row in rows:
        assert (row.start, row.end) == (clock.times[row.start_frame], clock.times[row.end_frame])
