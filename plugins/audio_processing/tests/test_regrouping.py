"""Utterances cut where the speaker changes: nothing is lost, nothing said twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator import Utterance, Word
from videoannotator.testing.strategies import rows
from videoannotator_audio_processing.attributing import Attribution
from videoannotator_audio_processing.regrouping import cut_text, pieces

quick = settings(max_examples=150, deadline=None)


def _by(*speakers: str | None) -> list[Attribution]:
    return [Attribution(who, "turn" if who else None, {who: 1.0} if who else {}) for who in speakers]


def _no_space(text: str) -> str:
    return "".join(text.split())


SAID = [
    (" Do you know about that, yes, I know.", " Do| you| know| about| that,| yes,| I| know."),
    ("你好。你叫什么名字？", "你好。|你|叫|什么|名字？"),
    ("هل تسمعني؟ نعم، أسمعك", "هل| تسمعني؟| نعم،| أسمعك"),
    ("👩‍👧 peekaboo! 🙈", "👩‍👧| peekaboo!| 🙈"),
    ("«Oui», dit-elle. “No!”", "Oui|dit-elle|No"),
    ("a a a a", "a|a|a|a"),
]


@pytest.mark.parametrize(("text", "words"), SAID)
def test_text_is_cut_where_its_words_are(text: str, words: str) -> None:
    every = words.split("|")
    for cut in range(1, len(every)):
        first, second = cut_text(text, every, [cut]) or ("", "")
        assert _no_space(first + second) == _no_space(text)
        assert second.startswith(every[cut].strip())
        assert first == first.rstrip()
    alone = cut_text(text, every, list(range(1, len(every)))) or []
    assert [word.strip() in piece for word, piece in zip(every, alone, strict=True)] == [True] * len(every)


def test_what_is_not_cut_stays_as_it_is() -> None:
    assert cut_text("  a b ", ["a", "b"], [1]) == ["  a", "b "]


@pytest.mark.parametrize("words", [["x", "b"], ["a"], ["b", "a"], ["c"]])
def test_text_of_other_words_is_not_cut(words: list[str]) -> None:
    assert cut_text("a b", words, [1] if len(words) > 1 else []) is None


@st.composite
def utterances(draw: st.DrawFn) -> Utterance:
    """With words one after the other, inside it, whose texts make up its own."""
    steps = draw(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=8))
    texts = draw(st.lists(st.text("abcä你 ,", min_size=1), min_size=len(steps), max_size=len(steps)))
    place, words = 8, []
    for (gap, lasts), text in zip(steps, texts, strict=True):
        score = draw(st.none() | st.floats(0, 1))
        words.append(Word((place + gap) / 8, (place + gap + lasts) / 8, text, score))
        place += gap + lasts
    base = draw(rows(Utterance))
    more = {n: getattr(base, n) for n in ("language", "score", "avg_logprob", "suspected", "temperature")}
    return Utterance(0.5, place / 8 + 1, "".join(texts), tuple(words), **more)


@quick
@given(utterances(), st.data(), st.none() | st.floats(0.01, 1))
def test_every_word_comes_out_once(utterance: Utterance, data: st.DataObject, pause: float | None) -> None:
    count = len(utterance.words)
    who = data.draw(st.lists(st.sampled_from(["A", "B", None]), min_size=count, max_size=count))
    made = pieces(utterance, _by(*who), pause=pause)
    parts = [piece.utterance for piece in made]
    assert [piece.words[0] for piece in made] == [0, *(piece.words[1] for piece in made[:-1])]
    assert made[-1].words[1] == count
    words = [word for part in parts for word in part.words]
    assert [(w.start, w.end, w.text, w.score) for w in words] == [
        (w.start, w.end, w.text, w.score) for w in utterance.words
    ]
    assert [word.speaker for word in words] == who
    assert all(part.speaker == word.speaker for part in parts for word in part.words)
    assert all(piece.exact for piece in made)
    assert _no_space("".join(part.text for part in parts)) == _no_space(utterance.text)
    assert (parts[0].start, parts[-1].end) == (utterance.start, utterance.end)
    assert {part.language for part in parts} == {utterance.language}
    if len(parts) == 1:
        assert parts[0].text == utterance.text
        assert parts[0].avg_logprob == utterance.avg_logprob
        assert parts[0].score == utterance.score
    else:
        assert all(part.avg_logprob is None for part in parts)
        for before, after in pairwise(parts):
            gap = after.words[0].start - before.words[-1].end
            assert before.speaker != after.speaker or (pause is not None and gap > pause)


def test_pieces_begin_and_end_with_their_words() -> None:
    words = (Word(1.0, 1.5, " Ready?", 0.5), Word(3.0, 3.25, " Yes", 0.25), Word(3.25, 3.5, " yes"))
    whole = Utterance(0.5, 4.0, " Ready? Yes yes", words, "en", avg_logprob=-0.5, temperature=0.0, suspected="x")
    first, second = (p.utterance for p in pieces(whole, _by("A", "B", "B"), pause=None))
    assert (first.start, first.end, first.text, first.score) == (0.5, 1.5, " Ready?", 0.5)
    assert (second.start, second.end, second.text, second.score) == (3.0, 4.0, "Yes yes", None)
    assert (second.language, second.temperature, second.suspected, second.avg_logprob) == ("en", 0.0, "x", None)


def test_the_score_of_an_utterance_is_of_its_words_time() -> None:
    words = (Word(0.0, 3.0, "long"), Word(3.0, 4.0, "short"))
    found = [Attribution("A", "turn", {"A": 1.0}), Attribution("A", "nearest", {})]
    (piece,) = pieces(Utterance(0.0, 4.0, "long short", words), found, pause=None)
    assert piece.utterance.speaker_score == 0.75


def test_a_text_that_is_not_its_words_gives_way_to_them() -> None:
    words = (Word(0.0, 1.0, "twenty"), Word(1.0, 2.0, "one"))
    made = pieces(Utterance(0.0, 2.0, "It was 21.", words), _by("A", "B"), pause=None)
    assert [(p.utterance.text, p.exact) for p in made] == [("twenty", False), ("one", False)]
    (whole,) = pieces(Utterance(0.0, 2.0, "It was 21.", words), _by("A", "A"), pause=None)
    assert (whole.utterance.text, whole.exact) == ("It was 21.", True)


def test_a_pause_cuts_and_keeps_the_speaker() -> None:
    words = (Word(0.0, 1.0, "well"), Word(4.0, 5.0, "yes"))
    whole = Utterance(0.0, 5.0, "well yes", words)
    assert len(pieces(whole, _by("A", "A"), pause=3.0)) == 1
    assert [p.utterance.speaker for p in pieces(whole, _by("A", "A"), pause=2.5)] == ["A", "A"]
