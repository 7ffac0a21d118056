"""The rows of another pipeline, by frame."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import videoannotator as va
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import PipelineResult
from videoannotator.discover.beside import RowsBeside
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, PlanError
from videoannotator.testing.clips import write_clip


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> va.MediaInfo:
    """Two seconds of 10 frames each."""
    return va.probe(write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=20, rate=10))


def context(media: va.MediaInfo, frames: list[int], rate: float | None = None) -> Context:
    rows = va.Table.of(
        va.Face,
        frame=frames,
        time=[f / 10 for f in frames],
        score=0.5,
        x1=np.arange(len(frames)) * 1.0,
        y1=0,
        x2=99,
        y2=9,
    )
    result = PipelineResult("face_analysis", {"faces": rows}, Coverage((media.span,), rate))
    return Context(media=media, span=media.span, outputs={"face_analysis": result})


def batch(frames: list[int]) -> va.FrameBatch:
    index = np.array(frames, dtype=np.int64)
    return va.FrameBatch(index, index / 10, np.zeros((len(frames), 4, 4, 3), np.uint8), "rgb", 4, 4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 19), max_size=30), st.lists(st.integers(0, 19), min_size=1, unique=True).map(sorted))
def test_every_row_comes_with_its_picture(media: va.MediaInfo, rows: list[int], pictures: list[int]) -> None:
    given = context(media, rows)
    found, picture = RowsBeside(given, "face_analysis", "faces", va.Frames()).of(batch(pictures))
    assert found.frame.tolist() == sorted(frame for frame in rows if frame in pictures)
    assert [pictures[number] for number in picture] == found.frame.tolist()
    output = given.output("face_analysis")
    assert output is not None
    for frame in set(found.frame.tolist()):  # in their own order within a picture
        assert found[found.frame == frame] == output.faces[output.faces.frame == frame]


def test_pictures_that_the_other_has_not_seen_are_refused(media: va.MediaInfo) -> None:
    beside = context(media, [0, 2, 4], rate=5.0)
    for rate in (5.0, 2.5, 1.0):
        RowsBeside(beside, "face_analysis", "faces", va.Frames(rate=rate))
    with pytest.raises(ConfigError, match=r"every frame .* face_analysis looks at 5 per second: 10 of them"):
        RowsBeside(beside, "face_analysis", "faces", va.Frames())
    with pytest.raises(ConfigError, match=r"3 pictures per second .* Set the rate of both to the same"):
        RowsBeside(beside, "face_analysis", "faces", va.Frames(rate=3.0))


def test_rates_above_the_files_own_are_every_frame(media: va.MediaInfo) -> None:
    RowsBeside(context(media, [0], rate=50.0), "face_analysis", "faces", va.Frames())
    RowsBeside(context(media, [0], rate=10.0), "face_analysis", "faces", va.Frames(rate=60.0))


def test_only_the_span_counts(media: va.MediaInfo) -> None:
    beside = attrs.evolve(context(media, [0], rate=2.0), span=va.TimeSpan(0.0, 0.1))
    RowsBeside(beside, "face_analysis", "faces", va.Frames())
    beside.span = media.span
    with pytest.raises(ConfigError):
        RowsBeside(beside, "face_analysis", "faces", va.Frames())


def test_a_pipeline_that_was_not_named_is_missed(media: va.MediaInfo, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"name Output\('nobody'\) in the needs"):
        RowsBeside(context(media, []), "nobody", "faces", va.Frames())
