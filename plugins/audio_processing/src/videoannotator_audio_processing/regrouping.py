"""Utterances cut where the speaker changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import attrs

from videoannotator import Utterance, Word
from videoannotator_audio_processing.attributing import Attribution

__all__ = ["Piece", "changed", "cut_text", "pieces"]

T = TypeVar("T", Word, Utterance)


@attrs.frozen
class Piece:
    """A part of an utterance that one speaker says. ``words``: which of its words, half-open. ``exact``: False where
    its text had to be put together from the words."""

    utterance: Utterance
    words: tuple[int, int]
    exact: bool = True


def changed(row: T, **values: Any) -> T:
    """``row`` with other ``values``."""
    plain: Any = row  # mypy does not see that `videoannotator.row` makes attrs classes
    made: T = attrs.evolve(plain, **values)
    return made


def pieces(utterance: Utterance, found: Sequence[Attribution], *, pause: float | None) -> list[Piece]:
    """``utterance`` cut where ``found``, whose its words are, changes, and at silences longer than ``pause`` seconds.

    One that is not cut keeps all it says. The pieces of others begin and end with their words, the first one with the
    utterance, the last one, too. What was measured of the whole text (``avg_logprob``, ``compression_ratio``) is not
    known of a piece; its ``score`` is the mean of its words', None where one has none.
    """
    words = tuple(
        changed(word, speaker=one.speaker, speaker_score=one.score)
        for word, one in zip(utterance.words, found, strict=True)
    )
    cuts = [
        i
        for i in range(1, len(words))
        if words[i].speaker != words[i - 1].speaker or (pause is not None and words[i].start - words[i - 1].end > pause)
    ]
    if not cuts:
        made = changed(utterance, words=words, speaker=words[0].speaker, speaker_score=_share(words))
        return [Piece(made, (0, len(words)))]
    texts = cut_text(utterance.text, [word.text for word in words], cuts)
    bounds = list(zip([0, *cuts], [*cuts, len(words)], strict=True))
    if texts is None:
        between = " " if any(c.isspace() for c in utterance.text) else ""
        texts = [between.join(word.text.strip() for word in words[a:b]) for a, b in bounds]
        exact = False
    else:
        exact = True
    return [
        Piece(_part(utterance, words[a:b], text, first=a == 0, last=b == len(words)), (a, b), exact)
        for (a, b), text in zip(bounds, texts, strict=True)
    ]


def _part(whole: Utterance, words: tuple[Word, ...], text: str, *, first: bool, last: bool) -> Utterance:
    starts, ends = [word.start for word in words], [word.end for word in words]
    scores = [word.score for word in words if word.score is not None]
    return changed(
        whole,
        start=min(starts + [whole.start] * first),
        end=max(ends + [whole.end] * last),
        text=text,
        words=words,
        speaker=words[0].speaker,
        speaker_score=_share(words),
        score=sum(scores) / len(scores) if len(scores) == len(words) else None,
        avg_logprob=None,
        compression_ratio=None,
    )


def _share(words: Iterable[Word]) -> float | None:
    """How much of the words' time their speaker speaks; None where that is nobody."""
    told = [(word.speaker_score, word.end - word.start) for word in words if word.speaker_score is not None]
    if not told:
        return None
    return min(1.0, sum(share * lasts for share, lasts in told) / sum(lasts for _, lasts in told))


def cut_text(text: str, words: Sequence[str], cuts: Sequence[int]) -> list[str] | None:
    """``text`` cut before the words numbered ``cuts``; None where its words are not these.

    Joined, the pieces are the text again, but for white space at the cuts. Signs before a word, which are not part of
    it, stay with the word before.
    """
    places, end = [], 0
    for word in words:
        word = word.strip()
        place = text.find(word, end)
        if place < 0 or any(c.isalnum() for c in text[end:place]):
            return None
        places.append(place)
        end = place + len(word)
    if any(c.isalnum() for c in text[end:]):
        return None
    bounds = [0, *(places[cut] for cut in cuts), len(text)]
    made = [text[a:b] for a, b in pairwise(bounds)]
    return [
        piece[len(piece) - len(piece.lstrip()) if i else 0 :].rstrip() if i < len(made) - 1 else piece.lstrip()
        for i, piece in enumerate(made)
    ]
