"""Hypothesis strategies for whole results: media with clocks, provenance, coverage, failures, tables of any rows.

For the authors of formats: what a format writes of any of these, its reader must give back.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st

from videoannotator.data.media import AudioInfo, MediaInfo, VideoInfo
from videoannotator.data.outcome import Coverage, Failure, ModelRecord, PipelineRecord, Precision, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import ROWS
from videoannotator.data.time import FrameClock, TimeSpan
from videoannotator.testing.strategies import tables, texts

__all__ = ["clocks", "media", "names", "results"]


def names() -> st.SearchStrategy[str]:
    """Names of pipelines and outputs."""
    return st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


@st.composite
def _spans(draw: st.DrawFn) -> TimeSpan:
    start, end = sorted(draw(st.lists(st.floats(0, 1e7), min_size=2, max_size=2)))
    return TimeSpan(start, end)


@st.composite
def clocks(draw: st.DrawFn) -> FrameClock:
    """A clock of constant or variable rate, read or repaired, that begins anywhere."""
    steps = draw(st.lists(st.integers(1, 5000), max_size=12) | st.integers(0, 12).map(lambda n: [1001] * n))
    first = draw(st.integers(-(2**40), 2**40))
    repair = draw(st.none() | texts())
    return FrameClock(
        pts=np.cumsum([first, *steps], dtype=np.int64)[draw(st.integers(0, 1)) :],
        time_base=draw(
            st.sampled_from([Fraction(1, 30000), Fraction(1, 90000), Fraction(1, 25), Fraction(1001, 24000)])
        ),
        origin=first + draw(st.fractions(-5, 0, max_denominator=7)),
        duration=draw(st.integers(1, 5000)),
        source="container" if repair is None else "repaired",
        repair=repair,
    )


@st.composite
def media(draw: st.DrawFn) -> MediaInfo:
    """A media file with or without picture and sound."""
    size = st.integers(1, 8192)
    video = VideoInfo(
        codec="hevc",
        pixel_format="yuv420p",
        width=draw(size),
        height=draw(size),
        coded_width=draw(size),
        coded_height=draw(size),
        rotation=draw(st.sampled_from([0, 90, 180, 270])),
        sample_aspect_ratio=draw(st.sampled_from([Fraction(1), Fraction(64, 45)])),
        average_rate=draw(st.none() | st.just(Fraction(30000, 1001))),
        declared_frames=draw(st.none() | st.integers(0, 100)),
        bit_depth=draw(st.sampled_from([8, 10])),
        interlaced=draw(st.booleans()),
        color_transfer=draw(st.none() | st.just("smpte2084")),
        clock=draw(clocks()),
    )
    audio = AudioInfo("aac", 48000, 2, draw(st.floats(0, 10)), draw(st.none() | st.floats(0, 1e6)))
    return MediaInfo(
        path=draw(st.sampled_from(["/data/session 01.mp4", "/données/母子.mkv", "/x/a.b.c.mp4", "/x/100%_done.mp4"])),
        size=draw(st.integers(0, 2**50)),
        container="mov,mp4,m4a,3gp,3g2,mj2",
        duration=draw(st.floats(0, 1e7)),
        video=draw(st.none() | st.just(video)),
        audio=draw(st.none() | st.just(audio)),
        still=draw(st.booleans()),
        notices=tuple(draw(st.lists(texts(), max_size=2))),
    )


def _failures(pipeline: str | None) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["no_audio", "decode_error"])
    made = st.builds(Failure, kinds, texts(), st.none() | _spans(), st.just(pipeline), st.none() | texts())
    return st.lists(made, max_size=2).map(tuple)


@st.composite
def _provenance(draw: st.DrawFn, pipelines: Sequence[str]) -> Provenance:
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts()
    config = st.dictionaries(names(), plain | st.lists(plain, max_size=2), max_size=2)
    models = st.lists(st.builds(ModelRecord, texts(), texts(), texts(), st.none() | texts()), max_size=1).map(tuple)
    seconds = st.none() | st.floats(0, 1e6)
    precisions: st.SearchStrategy[Precision] = st.sampled_from(get_args(Precision))
    made = [
        PipelineRecord(
            name,
            "1.0",
            "plugin",
            "0.1.0",
            "MIT",
            draw(config),
            draw(models),
            "cpu",
            draw(seconds),
            precision=draw(precisions),
        )
        for name in pipelines
    ]
    versions = st.dictionaries(names(), texts(), max_size=2)
    return Provenance(
        media_name=draw(texts()),
        media_sha256="0" * 64,
        videoannotator="2.0.0",
        created="2026-01-31T12:00:00Z",
        span=draw(_spans()),
        pipelines=tuple(made),
        decoder=draw(versions),
        libraries=draw(versions),
        platform=draw(versions),
        spans=tuple(draw(st.lists(_spans(), max_size=3))),
    )


@st.composite
def results(draw: st.DrawFn, row_classes: Sequence[type[Any]] = ROWS, *, max_pipelines: int = 2) -> Result:
    """A whole result whose tables have rows of ``row_classes``."""
    pipelines = {}
    for name in draw(st.lists(names(), max_size=max_pipelines, unique=True)):
        outputs = draw(st.lists(names(), max_size=2, unique=True))
        made = {output: draw(st.sampled_from(row_classes).flatmap(tables)) for output in outputs}
        rate = draw(st.none() | st.floats(0.1, 100))
        coverage = Coverage(tuple(draw(st.lists(_spans(), max_size=3))), rate)
        pipelines[name] = PipelineResult(name, made, coverage, draw(_failures(name)))
    return Result(draw(media()), pipelines, draw(_provenance(list(pipelines))), draw(_failures(None)))
