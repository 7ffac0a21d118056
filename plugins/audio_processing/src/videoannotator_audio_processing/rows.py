"""The rows of ``audio_processing`` that are not the library's own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from videoannotator import Range, row
from videoannotator.data.columns import Ascending
from videoannotator.data.rows import Score, Seconds

__all__ = ["By", "Heard", "SpokenWord"]

By = Literal["turn", "nearest", "smoothing"]


@row
class Heard:
    """Somebody else who speaks during a word. ``share``: in how much of the word's time, 0..1."""

    speaker: str
    share: Score


@row
class SpokenWord:
    """A word and who says it.

    ``utterance``: number of the row of ``utterances`` that it is part of, from 1. ``language``: BCP 47 tag, of the
    utterance. ``score``: the recogniser's probability of the word. ``speaker``: None where nobody is known to speak.
    ``speaker_score``: the share of the word's time in which that speaker speaks, 0..1, by the turns of the diarization;
    0 for a word that lies in none of their turns. ``speaker_by``: how the speaker was found: ``"turn"``: they speak
    during the word, longer than others; ``"nearest"``: nobody does, and their turn is the nearest; ``"smoothing"``: the
    words around are theirs. ``others``: who else speaks during the word, longest first.
    """

    utterance: Annotated[int, Range(ge=1)]
    start: Seconds
    end: Seconds
    text: str
    language: str | None = None
    score: Score | None = None
    speaker: str | None = None
    speaker_score: Score | None = None
    speaker_by: By | None = None
    others: tuple[Heard, ...] = ()
    __rules__: ClassVar = (Ascending("start", "end", strict=True),)
