"""Memory that is short: nothing lost, nothing doubled, and said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.run.remembering import Config, Counts, Pieces

import videoannotator as va
from videoannotator.data.frames import FrameBatch
from videoannotator.discover.pipeline import Context
from videoannotator.errors import DataError
from videoannotator.run.enduring import Enduring

MEDIA = va.MediaInfo(path="x.mp4", size=0, container="", duration=4.0, video=None, audio=None)


def enduring(cls: type, config: Config, batch: int, notices: list[str], free: int = 0) -> Enduring:
    left = [True] * free

    def make(device: str) -> va.Pipeline:  # type: ignore[type-arg]
        made: va.Pipeline[Config] = cls(config, Context(media=MEDIA, span=va.TimeSpan(0, 4), device=device))
        return made

    calls = Enduring(make, "cuda:0", batch, free=lambda device: bool(left and left.pop()), notice=notices.append)
    calls.setup()
    calls.begin()
    return calls


def frames(count: int) -> FrameBatch:
    numbers = np.arange(count)
    return FrameBatch(numbers, numbers / 25, np.zeros((count, 2, 2, 3), np.uint8), "rgb", 2, 2)


@settings(deadline=None)  # the first table that is made imports Arrow
@given(
    count=st.integers(1, 40),
    batch=st.integers(1, 16),
    limit=st.integers(0, 17),
    cpu_limit=st.integers(1, 17),
    free=st.integers(0, 3),
)
def test_whatever_fits_every_row_comes_once(count: int, batch: int, limit: int, cpu_limit: int, free: int) -> None:
    notices: list[str] = []
    calls = enduring(Counts, Config(limit=limit, cpu_limit=cpu_limit), batch, notices, free)
    rows = va.Table.concat(list(calls.process(frames(count))))  # type: ignore[arg-type]
    assert rows.frame.tolist() == list(range(count))
    assert rows.nth.tolist() == list(range(1, count + 1)), "what it remembers was put back before each retry"
    assert rows.size.max() <= max(1, min(batch, limit if calls.device != "cpu" else cpu_limit))
    assert calls.device == ("cpu" if limit == 0 else "cuda:0")
    assert bool(notices) == (min(batch, count) > limit), "what changes numbers is said, freeing idle models is not"


def test_without_any_way_out_the_error_is_raised_and_rows_before_it_stay() -> None:
    notices: list[str] = []
    calls = enduring(Counts, Config(limit=0, cpu_limit=0), 4, notices)
    with pytest.raises(MemoryError, match="1 frames do not fit"):
        list(calls.process(frames(6)))
    assert calls.device == "cpu"
    assert notices == [
        "memory of cuda:0 was short: batches of 2 frames from there on",
        "memory of cuda:0 was short: batches of 1 frames from there on",
        "memory of cuda:0 was too short: went on on the cpu",
    ]


def test_pieces_of_the_end_come_once() -> None:
    notices: list[str] = []
    calls = enduring(Pieces, Config(), 4, notices)
    rows = va.Table.concat(list(calls.finish()))  # type: ignore[arg-type]
    assert rows.value.tolist() == [0, 1, 2, 3, 4]
    assert calls.device == "cpu"
    assert notices == ["memory of cuda:0 was too short: went on on the cpu"]


def test_other_errors_are_not_tried_again() -> None:
    calls = enduring(Counts, Config(), 4, [])
    calls.pipeline.process = lambda batch: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        list(calls.process(frames(6)))


def test_a_part_of_a_batch_is_a_slice() -> None:
    with pytest.raises(DataError, match=r"batch\[a:b\]"):
        frames(3)[0]  # type: ignore[index]
