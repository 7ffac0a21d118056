"""Whose a word is: the rule against a slow one that counts ticks, and the cases that others get wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from videoannotator import SpeakerTurn, Word
from videoannotator_audio_processing.attributing import Attribution, Voices, attributed, smoothed
from videoannotator_audio_processing.rows import Heard

TICK = 1 / 8  # seconds; sums of these are exact
quick = settings(max_examples=200, deadline=None)

Span = tuple[int, int]
Turn = tuple[int, int, str]

spans: st.SearchStrategy[Span] = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1]))
turns = st.lists(st.tuples(spans, st.sampled_from("ABC")).map(lambda t: (*t[0], t[1])), max_size=8)


def _turns(given: Sequence[Turn]) -> list[SpeakerTurn]:
    return [SpeakerTurn(start * TICK, end * TICK, who) for start, end, who in given]


def _words(given: Sequence[Span]) -> list[Word]:
    return [Word(start * TICK, end * TICK, f"w{i}") for i, (start, end) in enumerate(given)]


def _ticks(given: Sequence[Turn], who: str) -> set[int]:
    return {tick for start, end, speaker in given if speaker == who for tick in range(start, end)}


def _slowly(words: Sequence[Span], deciding: Sequence[Turn], heard: Sequence[Turn], most: int) -> list[Attribution]:
    """The rule, tick by tick."""
    order = [who for _, _, who in sorted(heard)]
    order = list(dict.fromkeys([*order, *(who for _, _, who in sorted(deciding))]))
    found = []
    before = None
    for start, end in words:
        inside = set(range(start, end))
        shares = {who: len(inside & _ticks(heard, who)) for who in order}
        decisive = {who: len(inside & _ticks(deciding, who)) for who in order}
        by = "turn"
        if not any(decisive.values()):
            decisive = shares
        if not any(decisive.values()):
            by = "nearest"
            far = {
                who: min(start - tick - 1 if tick < start else tick - end for tick in ticks)
                for who in order
                if (ticks := _ticks(heard, who))
            }
            decisive = {who: 1000 - gap for who, gap in far.items() if gap <= most}
        top = max(decisive.values(), default=0)
        tied = [who for who in order if top > 0 and decisive.get(who, 0) == top]
        top = max((shares[who] for who in tied), default=0)
        tied = [who for who in tied if shares[who] == top]
        speaker = before if before in tied else tied[0] if tied else None
        told = {who: n / (end - start) for who, n in shares.items() if n}
        found.append(Attribution(speaker, by if speaker else None, told))
        before = speaker
    return found


@settings(max_examples=500, deadline=None)
@example([(0, 1)], [(0, 1, "B"), (0, 1, "A")], [(0, 1, "A"), (0, 1, "B")], 0)
@given(st.lists(spans, max_size=8), turns, st.none() | turns, st.integers(0, 6))
def test_the_rule_is_the_slow_one(
    words: list[Span], heard: list[Turn], exclusive: list[Turn] | None, tolerance: int
) -> None:
    deciding = heard if exclusive is None else [t for t in exclusive if t[2] in {who for *_, who in heard}]
    found = attributed(_words(words), Voices(_turns(deciding)), Voices(_turns(heard)), tolerance=tolerance * TICK)
    wanted = _slowly(words, deciding, heard, tolerance)
    assert [(f.speaker, f.by, dict(f.shares)) for f in found] == [(w.speaker, w.by, dict(w.shares)) for w in wanted]


@quick
@given(st.lists(spans, min_size=1, max_size=8), turns, st.integers(0, 6))
def test_nothing_is_invented(words: list[Span], heard: list[Turn], tolerance: int) -> None:
    voices = Voices(_turns(heard))
    for one in attributed(_words(words), voices, voices, tolerance=tolerance * TICK):
        assert one.speaker is None or one.speaker in voices.speakers
        assert (one.speaker is None) == (one.score is None) == (one.by is None)
        assert one.by != "turn" or (one.score or 0) > 0
        assert one.by != "nearest" or one.score == 0
        assert [h.share for h in one.others] == sorted((h.share for h in one.others), reverse=True)
        assert one.speaker not in [h.speaker for h in one.others]
        assert all(0 < share <= 1 for share in one.shares.values())


@quick
@given(st.lists(spans, max_size=10).map(sorted), turns, st.integers(0, 16))
def test_smoothing_only_fills_between_words_of_one_speaker(words: list[Span], heard: list[Turn], under: int) -> None:
    voices = Voices(_turns(heard))
    before = attributed(_words(words), voices, voices, tolerance=0.0)
    after = smoothed(_words(words), before, under=under * TICK)
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        assert old.shares == new.shares
        if old.speaker != new.speaker:
            assert new.by == "smoothing"
            assert new.speaker is not None
            assert new.speaker in {one.speaker for one in after[:i]}
            assert new.speaker in {one.speaker for one in before[i + 1 :]}
        else:
            assert old == new
    if under == 0:
        assert after == before


def _who(words: list[Word], given: list[SpeakerTurn], tolerance: float = 0.25) -> list[str | None]:
    voices = Voices(given)
    return [one.speaker for one in attributed(words, voices, voices, tolerance=tolerance)]


def test_a_word_across_a_change_goes_to_who_has_more_of_it() -> None:
    given = [SpeakerTurn(0.0, 1.1, "A"), SpeakerTurn(1.1, 3.0, "B")]
    assert _who([Word(0.5, 1.2, "that"), Word(1.0, 1.4, "Yes")], given) == ["A", "B"]


def test_one_segment_with_two_speakers_is_told_word_by_word() -> None:
    words = [Word(0.3 * i, 0.3 * i + 0.25, w) for i, w in enumerate("Do you know that Yes I know".split())]
    given = [SpeakerTurn(0.0, 1.17, "A"), SpeakerTurn(1.17, 2.2, "B")]
    assert _who(words, given) == ["A"] * 4 + ["B"] * 3


def test_a_short_answer_inside_a_sentence_is_the_others() -> None:
    words = [Word(0.0, 0.4, "and"), Word(0.5, 0.7, "mhm"), Word(0.8, 1.2, "then")]
    given = [SpeakerTurn(0.0, 0.45, "A"), SpeakerTurn(0.48, 0.72, "B"), SpeakerTurn(0.75, 2.0, "A")]
    assert _who(words, given) == ["A", "B", "A"]
    voices = Voices(given)
    found = smoothed(words, attributed(words, voices, voices, tolerance=0.0), under=0.3)
    assert [(one.speaker, one.score) for one in found] == [("A", 1.0), ("A", 0.0), ("A", 1.0)]
    assert found[1].others == (Heard("B", 1.0),)


def test_overlap_is_told_and_does_not_jump() -> None:
    given = [SpeakerTurn(0.0, 2.0, "A"), SpeakerTurn(1.0, 3.0, "B")]
    words = [Word(0.5, 0.9, "one"), Word(1.2, 1.6, "two"), Word(2.1, 2.4, "three")]
    voices = Voices(given)
    found = attributed(words, voices, voices, tolerance=0.0)
    assert [(one.speaker, one.others) for one in found] == [("A", ()), ("A", (Heard("B", 1.0),)), ("B", ())]
    exclusive = Voices([SpeakerTurn(0.0, 1.1, "A"), SpeakerTurn(1.1, 3.0, "B")])
    found = attributed(words, exclusive, voices, tolerance=0.0)
    assert [one.speaker for one in found] == ["A", "B", "B"]
    assert found[1].others == (Heard("A", 1.0),)


def test_of_two_equal_exclusive_turns_the_one_heard_longer_decides() -> None:
    exclusive = Voices([SpeakerTurn(0.0, 0.5, "A"), SpeakerTurn(0.5, 1.0, "B")])
    heard = Voices([SpeakerTurn(0.0, 0.5, "A"), SpeakerTurn(0.25, 1.0, "B")])
    (one,) = attributed([Word(0.0, 1.0, "x")], exclusive, heard, tolerance=0.0)
    assert (one.speaker, one.score, one.others) == ("B", 0.75, (Heard("A", 0.5),))


def test_a_word_between_words_of_nobody_keeps_its_speaker() -> None:
    words = [Word(0.0, 0.4, "a"), Word(1.0, 1.2, "b"), Word(2.0, 2.4, "c")]
    voices = Voices([SpeakerTurn(1.0, 1.2, "A")])
    found = attributed(words, voices, voices, tolerance=0.0)
    assert smoothed(words, found, under=1.0) == found
    assert [one.speaker for one in found] == [None, "A", None]


@pytest.mark.parametrize(("tolerance", "who"), [(0.0, None), (0.25, "A"), (0.5, "A")])
def test_a_word_that_nobody_says(tolerance: float, who: str | None) -> None:
    given = [SpeakerTurn(0.0, 1.0, "A"), SpeakerTurn(2.0, 3.0, "B")]
    assert _who([Word(1.25, 1.5, "um")], given, tolerance) == [who]
    assert _who([Word(1.25, 1.5, "um")], [], tolerance) == [None]


def test_turns_of_one_speaker_that_overlap_count_once() -> None:
    voices = Voices([SpeakerTurn(0.0, 1.0, "A"), SpeakerTurn(0.0, 1.0, "A"), SpeakerTurn(0.5, 0.75, "A")])
    (one,) = attributed([Word(0.25, 1.25, "x")], voices, voices, tolerance=0.0)
    assert one.score == 0.75


def test_a_word_inside_a_turn_is_wholly_theirs() -> None:
    voices = Voices([SpeakerTurn(0.1, 0.1 + 0.7, "A")])
    (one,) = attributed([Word(0.3, 0.3 + 0.1 * 3, "x")], voices, voices, tolerance=0.0)
    assert one.score == 1.0
