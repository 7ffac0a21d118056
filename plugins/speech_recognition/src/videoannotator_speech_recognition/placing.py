"""From what was heard in a stretch to rows on the file's clock, and why some of it may be invented."""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
import numpy as np

from videoannotator import Utterance, Word
from videoannotator.data.frames import AudioTrack
from videoannotator_speech_recognition.config import SpeechRecognitionConfig
from videoannotator_speech_recognition.gating import Stretch, Voice
from videoannotator_speech_recognition.hearing import Utterances
from videoannotator_speech_recognition.languages import bcp47
from videoannotator_speech_recognition.timing import Part, Spoken

__all__ = ["FASTEST", "STEP", "Placed", "placed", "rows", "suspected"]

STEP = 320
"""Samples of 20 ms, the step in which Whisper's attention tells time."""
FASTEST = 11.0
"""Words per second. The fastest talker on record spoke 655 words in a minute (Guinness World Records, 1990)."""


@attrs.frozen
class Placed:
    """Something that was said, in samples of the track: ``start < end``."""

    start: float
    end: float


def placed(times: Sequence[tuple[float, float]], stretch: Stretch) -> list[Placed]:
    """Spans of a stretch, in order, as spans of the track.

    ``times``: start and end in seconds from the beginning of the stretch. Each is laid into the one region in which
    its middle lies, and what would stick out is cut off: nothing lies where nothing was heard. No start lies before
    the one before it. What the attention places within one of its steps of 20 ms, and so gives no length, lasts one
    step; less where the sound that was heard ends before.
    """
    found: list[Placed] = []
    region, before = 0, 0.0
    for first, last in times:
        region = max(region, stretch.region_at((first + last) / 2))
        start, end = stretch.sample(first, region), stretch.sample(last, region)
        stop = float(stretch.regions[region][1])
        start = max(start, before)
        if end <= start:
            end = min(start + STEP, stop)
        if end <= start:
            start, end = max(before, stop - STEP, float(stretch.regions[region][0])), stop
        before = start
        found.append(Placed(start, end))
    return found


def rows(
    found: Sequence[Utterances],
    stretch: Stretch,
    track: AudioTrack,
    voice: Voice,
    config: SpeechRecognitionConfig,
    *,
    multilingual: bool,
) -> list[Utterance]:
    """The rows of a stretch, by their starts. ``multilingual``: the weights know languages; else all is English.

    Words follow each other also from one utterance to the next. Timestamps bind only their own utterance: of a text
    without words they may lie behind the sound, and what is heard after it lies before.
    """
    made: list[Utterance] = []
    after = 0.0
    for utterances in found:
        code = utterances.language if multilingual and config.task == "transcribe" else "en"
        for part, text in zip(utterances.parts, utterances.texts, strict=True):
            words = [word for word in part.words if word.word.strip()]
            if words:
                spans = placed([(max(word.start, after), max(word.end, after)) for word in words], stretch)
                after = max(after, *(word.start for word in words))
            else:
                spans = placed([(part.start, part.end)], stretch)
            made.append(_row(part, text, words, spans, utterances, code, track, voice, config))
    return sorted(made, key=lambda row: row.start)


def _row(
    part: Part,
    text: str,
    words: Sequence[Spoken],
    spans: Sequence[Placed],
    utterances: Utterances,
    code: str,
    track: AudioTrack,
    voice: Voice,
    config: SpeechRecognitionConfig,
) -> Utterance:
    decoded = utterances.decoded
    start, end = spans[0].start, max(span.end for span in spans)
    scores = [_score(word.probability) for word in words]
    told = [score for score in scores if score is not None]
    reasons = suspected(
        compression_ratio=decoded.compression_ratio,
        avg_logprob=decoded.avg_logprob,
        no_speech_prob=_score(decoded.no_speech_prob),
        voice=voice.most(math.floor(start), math.ceil(end)),
        pace=len(words) / ((end - start) / track.rate) if len(words) > 2 else None,
        config=config,
    )
    return Utterance(
        start=track.time(start),
        end=track.time(end),
        text=text.strip(),
        words=tuple(
            Word(track.time(span.start), track.time(span.end), word.word.strip(), score)
            for word, span, score in zip(words, spans if words else (), scores, strict=True)
        ),
        language=bcp47(code),
        score=float(np.mean(told)) if told else None,
        avg_logprob=min(0.0, decoded.avg_logprob) if math.isfinite(decoded.avg_logprob) else None,
        no_speech_prob=_score(decoded.no_speech_prob),
        compression_ratio=decoded.compression_ratio,
        temperature=decoded.temperature,
        suspected=" ".join(reasons) or None,
    )


def _score(probability: float) -> float | None:
    """A probability, in 0..1 also where a sum in floating point is not; None where the model gave no number."""
    return min(1.0, max(0.0, probability)) if math.isfinite(probability) else None


def suspected(
    *,
    compression_ratio: float,
    avg_logprob: float,
    no_speech_prob: float | None,
    voice: float,
    pace: float | None,
    config: SpeechRecognitionConfig,
) -> list[str]:
    """Why a text may be invented.

    ``repeats``: it compresses better than ``compression_ratio_threshold``. ``no_speech``: Whisper itself takes the
    window for silence (``no_speech_threshold`` and ``logprob_threshold``) and would drop it. ``unlikely``: its mean log
    probability is below ``logprob_threshold``. ``no_voice``: voice activity nowhere reaches ``vad_threshold`` in its
    time. ``too_fast``: more than `FASTEST` words per second.
    """
    unlikely = config.logprob_threshold is not None and avg_logprob < config.logprob_threshold
    silent = no_speech_prob is not None and config.no_speech_threshold is not None
    reasons = {
        "repeats": config.compression_ratio_threshold is not None
        and compression_ratio > config.compression_ratio_threshold,
        "no_speech": silent
        and (no_speech_prob or 0.0) > (config.no_speech_threshold or 0.0)
        and (unlikely or config.logprob_threshold is None),
        "unlikely": unlikely,
        "no_voice": voice < config.vad_threshold,
        "too_fast": pace is not None and pace > FASTEST,
    }
    return [reason for reason, holds in reasons.items() if holds]
