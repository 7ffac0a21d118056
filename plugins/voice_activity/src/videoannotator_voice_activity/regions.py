"""From speech probabilities to stretches of speech.

The rules are those of silero-vad 6.2 (``get_speech_timestamps_from_probs`` with
``use_max_poss_sil_at_max_speech=True``), and the results are equal to the sample:

- speech begins with a chunk at or above ``threshold``;
- it ends where the probability fell below ``neg_threshold``, once ``min_silence_duration`` has gone by since then
  without a chunk at or above ``threshold``; it is kept when it is longer than ``min_speech_duration``;
- speech longer than ``max_speech_duration`` is cut at the longest silence in it, or right there when it has none;
- what is kept is made longer by ``speech_pad`` on both sides; two neighbours share the silence between them when
  there is not enough for both.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from videoannotator_voice_activity.config import VoiceActivityConfig

__all__ = ["CHUNK", "RATE", "speech_regions"]

RATE = 16000
"""Samples per second."""
CHUNK = 512
"""Samples to which one probability belongs: 32 ms."""


@attrs.frozen
class _Rules:
    """The settings in samples; durations are rounded to whole ones."""

    threshold: float
    ends_below: float
    min_speech: int
    min_silence: int
    pad: int
    max_speech: float
    min_silence_at_max: int

    @classmethod
    def of(cls, config: VoiceActivityConfig) -> _Rules:
        pad = round(config.speech_pad * RATE)
        longest = float("inf") if config.max_speech_duration is None else round(config.max_speech_duration * RATE)
        return cls(
            threshold=config.threshold,
            ends_below=config.ends_below,
            min_speech=round(config.min_speech_duration * RATE),
            min_silence=round(config.min_silence_duration * RATE),
            pad=pad,
            max_speech=longest - CHUNK - 2 * pad,
            min_silence_at_max=round(config.min_silence_at_max_speech * RATE),
        )


@attrs.define
class _Open:
    """Speech that has begun. ``quiet_since``: where the silence began that may end it.
    ``pauses``: silences inside it, (begin, length)."""

    start: int
    quiet_since: int | None = None
    pauses: list[tuple[int, int]] = attrs.field(factory=list)


def speech_regions(probabilities: Sequence[float], samples: int, config: VoiceActivityConfig) -> list[tuple[int, int]]:
    """Half-open sample ranges of speech, ascending, without overlap.

    ``probabilities``: one per chunk of 512 samples at 16 kHz. ``samples``: length of the sound.
    """
    rules = _Rules.of(config)
    return _padded(_unpadded(probabilities, samples, rules), samples, rules.pad)


def _unpadded(probabilities: Sequence[float], samples: int, rules: _Rules) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    speech: _Open | None = None
    for index, probability in enumerate(probabilities):
        now = index * CHUNK
        loud = probability >= rules.threshold
        if speech is None:
            speech = _Open(now) if loud else None
            continue
        if loud and speech.quiet_since is not None:
            pause = now - speech.quiet_since
            if pause > rules.min_silence_at_max:
                speech.pauses.append((speech.quiet_since, pause))
            speech.quiet_since = None
        if now - speech.start > rules.max_speech:
            before, speech = _cut(speech, now)
            found.append(before)
            if speech is None:  # this chunk belongs to neither side, as in silero-vad
                continue
        if probability < rules.ends_below:
            if speech.quiet_since is None:
                speech.quiet_since = now
            if now - speech.quiet_since >= rules.min_silence:
                if speech.quiet_since - speech.start > rules.min_speech:
                    found.append((speech.start, speech.quiet_since))
                speech = None
    if speech is not None and samples - speech.start > rules.min_speech:
        found.append((speech.start, samples))
    return found


def _cut(speech: _Open, now: int) -> tuple[tuple[int, int], _Open | None]:
    """Speech that has become too long: what is done with, and what goes on after its longest pause."""
    if not speech.pauses:
        return (speech.start, now), None
    begin, length = max(speech.pauses, key=lambda pause: pause[1])
    return (speech.start, begin), _Open(begin + length)


def _padded(regions: list[tuple[int, int]], samples: int, pad: int) -> list[tuple[int, int]]:
    starts, ends = [start for start, _ in regions], [end for _, end in regions]
    for i in range(len(regions)):
        if i == 0:
            starts[0] = max(0, starts[0] - pad)
        if i + 1 == len(regions):
            ends[i] = min(samples, ends[i] + pad)
            break
        silence = starts[i + 1] - ends[i]
        share = silence // 2 if silence < 2 * pad else pad
        ends[i] = min(samples, ends[i] + share)
        starts[i + 1] = max(0, starts[i + 1] - share)
    return list(zip(starts, ends, strict=True))
