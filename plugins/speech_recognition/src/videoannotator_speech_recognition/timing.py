"""From tokens to utterances and words with times, inside a window of 30 s; the same for both engines.

The rules are Whisper's own (``transcribe`` and ``timing.add_word_timestamps`` of openai-whisper 20250625, MIT;
faster-whisper has the same), which neither package offers apart from its loop over a file. Tests compare with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import attrs
import numpy as np

from videoannotator_speech_recognition.config import SpeechRecognitionConfig

__all__ = ["FRAMES", "Part", "Spoken", "Timing", "Tokens", "place_words", "split"]

FRAMES = 100
"""Frames of the spectrogram in a second."""
_PRECISION = 0.02  # seconds of a timestamp token
_STRIDE = 2  # frames of a timestamp token
_SENTENCE_ENDS = ".。!！?？"


class Tokens(Protocol):
    """What both packages' tokenizers offer."""

    eot: int
    timestamp_begin: int

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: list[int]) -> str: ...


@attrs.define
class Timing:
    """A word as the attention to the sound places it. ``start``, ``end``: seconds from where the window begins."""

    word: str
    tokens: list[int]
    start: float
    end: float
    probability: float


@attrs.define
class Spoken:
    """A word inside a stretch. ``start``, ``end``: seconds from its beginning."""

    word: str
    start: float
    end: float
    probability: float


@attrs.define
class Part:
    """An utterance inside a stretch. ``start``, ``end``: seconds from its beginning."""

    start: float
    end: float
    tokens: list[int]
    words: list[Spoken] = attrs.field(factory=list)


def split(
    tokens: Sequence[int], timestamp_begin: int, *, seek: int, size: int, offset: float
) -> tuple[list[Part], int, bool]:
    """The utterances between timestamps; the frame to go on at; whether a single timestamp ends it all.

    ``seek``: the frame at which the window begins, ``offset`` the same in seconds, ``size``: its frames.
    """
    single = len(tokens) >= 2 and tokens[-2] < timestamp_begin <= tokens[-1]
    cuts = [i for i in range(1, len(tokens)) if tokens[i] >= timestamp_begin and tokens[i - 1] >= timestamp_begin]
    if cuts:
        parts, last = [], 0
        for cut in [*cuts, len(tokens)] if single else cuts:
            inner = list(tokens[last:cut])
            start, end = (offset + (token - timestamp_begin) * _PRECISION for token in (inner[0], inner[-1]))
            parts.append(Part(start, end, inner))
            last = cut
        # what follows the last timestamp is unfinished, and heard again
        return parts, seek + (size if single else (tokens[last - 1] - timestamp_begin) * _STRIDE), single
    duration = size / FRAMES
    stamps = [token for token in tokens if token >= timestamp_begin]
    if stamps and stamps[-1] != timestamp_begin:
        duration = (stamps[-1] - timestamp_begin) * _PRECISION
    return [Part(offset, offset + duration, list(tokens))], seek + size, single


def place_words(
    parts: Sequence[Part],
    timings: list[Timing],
    *,
    offset: float,
    eot: int,
    last_speech: float,
    config: SpeechRecognitionConfig,
) -> None:
    """Give the words to their utterances, and put right the times that cannot be. Changes ``parts`` and ``timings``.

    ``last_speech``: where the last utterance before these ended, seconds in the stretch.
    """
    durations = np.array([timing.end - timing.start for timing in timings])
    durations = durations[durations.nonzero()]
    median = min(0.7, float(np.median(durations))) if durations.size else 0.0
    if durations.size:
        _shorten_at_sentence_ends(timings, 2 * median)
    merge_punctuations(timings, config.prepend_punctuations, config.append_punctuations)
    number = 0
    for part in parts:
        wanted, taken = sum(token < eot for token in part.tokens), 0
        while number < len(timings) and taken < wanted:
            timing = timings[number]
            if timing.word:
                start, end = round(offset + timing.start, 2), round(offset + timing.end, 2)
                part.words.append(Spoken(timing.word, start, end, timing.probability))
            taken += len(timing.tokens)
            number += 1
        if part.words:
            _shorten_after_pause(part.words, last_speech, median)
            _fit(part, median)
            last_speech = part.end


def _shorten_at_sentence_ends(timings: list[Timing], longest: float) -> None:
    """A word at a sentence's end, or the one behind it, takes at most twice the median of words."""
    for before, timing in pairwise(timings):
        if timing.end - timing.start > longest:
            if timing.word in _SENTENCE_ENDS:
                timing.end = timing.start + longest
            elif before.word in _SENTENCE_ENDS:
                timing.start = timing.end - longest


def _shorten_after_pause(words: list[Spoken], last_speech: float, median: float) -> None:
    """The first word after a pause, and the second, take at most twice the median of words."""
    first, longest = words[0], 2 * median
    second = words[1] if len(words) > 1 else None
    long = first.end - first.start > longest or (second is not None and second.end - first.start > 2 * longest)
    if first.end - last_speech > 4 * median and long:
        if second is not None and second.end - second.start > longest:
            first.end = second.start = max(second.end / 2, second.end - longest)
        first.start = max(0.0, first.end - longest)


def _fit(part: Part, median: float) -> None:
    """The utterance lasts from its first word to its last, unless one of them is much longer than its timestamps."""
    first, last = part.words[0], part.words[-1]
    if part.start < first.end and part.start - 0.5 > first.start:
        first.start = max(0.0, min(first.end - median, part.start))
    else:
        part.start = first.start
    if part.end > last.start and part.end + 0.5 < last.end:
        last.end = max(last.start + median, part.end)
    else:
        part.end = last.end


def merge_punctuations(timings: list[Timing], prepended: str, appended: str) -> None:
    """Punctuation goes to the word behind or before it; what is left of it has no text and no tokens."""
    following = len(timings) - 1
    for i in range(len(timings) - 2, -1, -1):
        sign, word = timings[i], timings[following]
        if sign.word.startswith(" ") and sign.word.strip() in prepended:
            word.word, word.tokens = sign.word + word.word, sign.tokens + word.tokens
            sign.word, sign.tokens = "", []
        else:
            following = i
    before = 0
    for i in range(1, len(timings)):
        word, sign = timings[before], timings[i]
        if not word.word.endswith(" ") and sign.word in appended:
            word.word, word.tokens = word.word + sign.word, word.tokens + sign.tokens
            sign.word, sign.tokens = "", []
        else:
            before = i
