"""Whose a word is: by the time that speakers speak during it.

The rule of WhisperX (``assign_word_speakers``: the speaker with the most of the word's time), for words only, with what
it leaves open told: a word in which nobody speaks, two who speak equally long, and who else speaks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise

import attrs

from videoannotator import SpeakerTurn, Utterance, Word
from videoannotator_audio_processing.rows import By, Heard

__all__ = ["Attribution", "Voices", "attributed", "smoothed"]

_EQUAL = 1e-9  # seconds; nearer times are equal, and differ by the rounding of sums


class Voices:
    """When each speaker speaks. Turns of one speaker that overlap count once."""

    def __init__(self, turns: Iterable[SpeakerTurn]) -> None:
        self._starts: dict[str, list[float]] = {}
        self._ends: dict[str, list[float]] = {}
        for turn in sorted(turns, key=lambda t: (t.start, t.end, t.speaker)):
            starts = self._starts.setdefault(turn.speaker, [])
            ends = self._ends.setdefault(turn.speaker, [])
            if ends and turn.start <= ends[-1]:
                ends[-1] = max(ends[-1], turn.end)
            else:
                starts.append(turn.start)
                ends.append(turn.end)

    @property
    def speakers(self) -> tuple[str, ...]:
        """In the order in which they begin to speak."""
        return tuple(self._starts)

    def seconds(self, start: float, end: float) -> dict[str, float]:
        """How long each speaker speaks between ``start`` and ``end``; those who do, in the order of `speakers`."""
        spoken = {}
        for speaker, starts in self._starts.items():
            ends = self._ends[speaker]
            first, last = bisect_right(ends, start), bisect_left(starts, end)
            if first < last:
                spoken[speaker] = sum(min(end, ends[i]) - max(start, starts[i]) for i in range(first, last))
        return spoken

    def away(self, start: float, end: float, most: float) -> dict[str, float]:
        """How far the nearest turn of each speaker is from a span in which nobody speaks; those at most ``most``."""
        far = {}
        for speaker, starts in self._starts.items():
            ends = self._ends[speaker]
            after = bisect_left(starts, end)
            gaps = [starts[after] - end] if after < len(starts) else []
            gaps += [start - ends[after - 1]] if after else []
            if min(gaps) <= most + _EQUAL:
                far[speaker] = min(gaps)
        return far


@attrs.frozen
class Attribution:
    """Whose a word is. ``shares``: of the word's time, by everybody who speaks during it. See `SpokenWord`."""

    speaker: str | None
    by: By | None
    shares: Mapping[str, float]

    @property
    def score(self) -> float | None:
        """The speaker's share of the word's time; None without a speaker."""
        return None if self.speaker is None else self.shares.get(self.speaker, 0.0)

    @property
    def others(self) -> tuple[Heard, ...]:
        """Who else speaks, longest first."""
        others = [Heard(who, share) for who, share in self.shares.items() if who != self.speaker]
        return tuple(sorted(others, key=lambda heard: -heard.share))


def attributed(
    spans: Iterable[Word | Utterance], deciding: Voices, heard: Voices, *, tolerance: float
) -> list[Attribution]:
    """Whose each span is, in order.

    The speaker who, by the ``deciding`` turns, speaks longest during it; if nobody does, by the ``heard`` ones; if
    nobody does, the one whose turn is nearest, at most ``tolerance`` seconds away. Of two equal ones it is the one who
    is heard longer, then the speaker of the word before, then the one who spoke first in the recording (at the
    same moment: the first by name). ``heard`` tells the shares.
    """
    first = {who: n for n, who in enumerate(dict.fromkeys((*heard.speakers, *deciding.speakers)))}
    found: list[Attribution] = []
    before: str | None = None
    for span in spans:
        spoken = heard.seconds(span.start, span.end)
        decisive = deciding.seconds(span.start, span.end) or spoken
        far: dict[str, float] = {}
        if not decisive:
            far = {who: -gap for who, gap in heard.away(span.start, span.end, tolerance).items()}
        speaker = _best(decisive or far, spoken, before, first)
        by: By | None = "turn" if decisive else "nearest" if far else None
        lasts = span.end - span.start
        found.append(Attribution(speaker, by, {who: min(1.0, time / lasts) for who, time in spoken.items()}))
        before = speaker
    return found


def _best(
    marks: Mapping[str, float], spoken: Mapping[str, float], before: str | None, first: Mapping[str, int]
) -> str | None:
    for by in (marks, spoken):
        most = max((by.get(who, 0.0) for who in marks), default=0.0)
        marks = {who: mark for who, mark in marks.items() if by.get(who, 0.0) >= most - _EQUAL}
    return before if before in marks else min(marks, key=first.__getitem__, default=None)


def smoothed(words: Sequence[Word], found: Sequence[Attribution], *, under: float) -> list[Attribution]:
    """The words of one utterance, with short stretches between words of one other speaker given to that one.

    ``under``: stretches that last less than this, from the start of their first word to the end of their last, in
    seconds.
    """
    runs = [list(run) for _, run in groupby(range(len(words)), key=lambda i: found[i].speaker)]
    smooth = list(found)
    for run, following in pairwise(runs[1:]):
        around = smooth[run[0] - 1].speaker
        lasts = max(words[i].end for i in run) - words[run[0]].start
        if around is not None and around == found[following[0]].speaker != found[run[0]].speaker and lasts < under:
            for i in run:
                smooth[i] = attrs.evolve(smooth[i], speaker=around, by="smoothing")
    return smooth
