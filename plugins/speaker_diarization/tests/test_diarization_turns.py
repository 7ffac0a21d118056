"""From turns to rows: any turns, by rules that hold for all."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator import AudioTrack
from videoannotator_speaker_diarization.turns import Turn, overlap_rows, overlaps, turn_rows, turns_of, voice_rows

TIMES = st.integers(0, 40)
TURNS = st.lists(
    st.tuples(TIMES, st.integers(1, 9), st.sampled_from("ABCD")).map(
        lambda drawn: Turn(drawn[0] / 4, (drawn[0] + drawn[1]) / 4, drawn[2])
    ),
    max_size=12,
)


@given(TURNS)
def test_overlap_is_how_many_speak_at_each_moment(turns: list[Turn]) -> None:
    found = overlaps(turns)
    for moment in np.arange(0.125, 13, 0.25):
        many = len({turn.speaker for turn in turns if turn.start <= moment < turn.end})
        said = [speakers for start, end, speakers in found if start <= moment < end]
        assert said == ([many] if many > 1 else [])
    for (_, end, before), (start, _, after) in itertools.pairwise(found):
        assert end < start or (end == start and before != after)


@settings(deadline=None)  # the first import of pyannote takes a while
@given(TURNS, st.floats(0.5, 12))
def test_turns_lie_in_the_sound(turns: list[Turn], duration: float) -> None:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, turn in enumerate(turns):
        annotation[Segment(turn.start - 1, turn.end - 1), track] = turn.speaker
    found = turns_of(annotation, duration, lambda start, end, speaker: end - start)
    assert all(0 <= turn.start < turn.end <= duration for turn in found)
    expected = sum(max(0.0, min(duration, turn.end - 1) - max(0.0, turn.start - 1)) for turn in turns)
    assert np.isclose(sum(turn.end - turn.start for turn in found), expected)
    assert [turn.score for turn in found] == [turn.end - turn.start for turn in found]


def test_rows_are_on_the_files_clock() -> None:
    audio = AudioTrack(np.zeros(16000 * 4, np.float32), 16000, start=2.5)
    turns = [Turn(0.0, 3.0, "B", 0.5), Turn(1.0, 4.0, "A")]
    rows = turn_rows(turns, audio)
    assert [(row.start, row.end, row.speaker, row.score) for row in rows] == [
        (2.5, 5.5, "B", 0.5),
        (3.5, 6.5, "A", None),
    ]
    (both,) = overlap_rows(turns, audio)
    assert (both.start, both.end, both.speakers) == (3.5, 5.5, 2)


def test_a_voice_that_is_not_known_has_no_vector() -> None:
    """pyannote gives zeros, or NaN."""
    turns = [Turn(0, 1, "A"), Turn(1, 3, "B"), Turn(3, 4, "C"), Turn(5, 6, "A"), Turn(6, 7, "D")]
    vectors = {"A": np.ones(3), "B": np.zeros(3), "C": np.full(3, np.nan)}
    rows = voice_rows(turns, vectors, "ab" * 32)
    assert [(row.speaker, row.seconds, row.vector is None) for row in rows] == [
        ("A", 2.0, False),
        ("B", 2.0, True),
        ("C", 1.0, True),
        ("D", 1.0, True),
    ]
    assert rows[0].vector.dtype == np.float32
