"""How likely what was seen of a mouth is, if its owner is the one who is heard, and if not. Pure NumPy.

**Movement.** A mouth's activity is the logarithm of how much it changes. Of people who speak, and of people who do
not, it is distributed about as `Activity` says. Some move the mouth without speaking, and the amount of movement does
not tell chewing from speaking: so a mouth that moves says no more than that most of those who do not speak keep it
still; how often this one does not is counted while the voice is not heard. A mouth that keeps still says that its
owner does not speak, but for `MISSED`, the share of stretches in which a speaker's mouth is not seen to move.

**Synchrony.** The correlation of mouth and sound, Fisher's z: around 0 with the variance 1/n of n independent samples
for a mouth that has nothing to do with the sound; around `TYPICAL` for the speaker's, but that varies by `SPREAD`
(mouth and level of speech: Chandrasekaran et al., *The Natural Statistics of Audiovisual Speech*, PLoS Computational
Biology 5(7), 2009). All shifts of sound against picture that are allowed are equally likely before looking, and one
holds for all of what is judged together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from videoannotator_active_speaker.sound import Envelope
from videoannotator_active_speaker.turns import Piece

__all__ = ["LANDMARKS", "PIXELS", "Activity", "Heard", "Movement", "Seen", "of_network", "share_moving"]

Floats = NDArray[np.float64]

MISSED = 0.05
RESTLESS = 1.0, 4.0
"""People who move the mouth without speaking, before looking: as if seen for 1 s, beside 4 s of people who do not."""
TYPICAL, SPREAD = 0.3, 0.2
CAPPED = 3.0
"""Most that the learned model's word on one stretch counts, either way: 1 in 20."""
_RATE = 4.0
"""Independent samples of mouth and level in a second of speech: that of its syllables."""
_SECONDS = 1.0
"""Activity within this long is one observation."""
_LEAST = 0.4
"""s, less of speech tells nothing of synchrony."""
_STEP = 0.04


@attrs.frozen
class Activity:
    """Normal distributions of a mouth's activity: (mean, standard deviation) of speaking and of still mouths."""

    speaking: tuple[float, float]
    still: tuple[float, float]

    def logs(self, values: Floats) -> tuple[Floats, Floats]:
        """Log densities, of speaking and of still."""
        found = []
        for mean, deviation in (self.speaking, self.still):
            found.append(-0.5 * ((values - mean) / deviation) ** 2 - np.log(deviation))
        return found[0], found[1]


PIXELS = Activity(speaking=(0.6, 0.22), still=(0.1, 0.28))
"""Of log((mouth + 0.02) / (rest + 0.02)), see `mouths`: as seconds of real films are, whose speakers and listeners were
told by eye."""
LANDMARKS = Activity(speaking=(-1.0, 0.6), still=(-2.6, 0.6))
"""Of log(speed + 0.02), the speed of opening and closing in distances between the eyes per second, see `opening`."""


@attrs.frozen(eq=False)
class Seen:
    """What was seen of one face. ``time``: (N,), in order. ``activity``: NaN where nothing was measured.

    ``channels``: what is compared with the sound, each (N,). ``kind``: how activity is distributed. ``network``:
    times and the learned model's probabilities at them, NaN where there is no sound.
    """

    time: Floats
    activity: Floats
    channels: tuple[Floats, ...]
    kind: Activity = PIXELS
    network: tuple[Floats, Floats] | None = None

    def part(self, start: float, end: float) -> slice:
        """The samples of ``[start, end)``."""
        first, last = np.searchsorted(self.time, [start, end])
        return slice(int(first), int(last))

    def logs(self, start: float, end: float) -> tuple[float, float, float] | None:
        """Log likelihoods of the activity there, of a speaking and of a still mouth, and seconds that were measured."""
        values = self.activity[self.part(start, end)]
        known = values[np.isfinite(values)]
        if not len(known):
            return None
        seconds = (end - start) * len(known) / len(values)
        speaking, still = self.kind.logs(np.array([float(known.mean())]))
        worth = max(seconds, min(_SECONDS, end - start)) / _SECONDS
        return float(speaking[0]) * worth, float(still[0]) * worth, seconds


@attrs.frozen
class Movement:
    """Log likelihoods of a face's activity over some stretches; they add up."""

    speaking: float = 0.0
    still: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, pieces: Iterable[tuple[Seen, float, float]]) -> Movement:
        """Over all stretches ``[start, end)``."""
        found = [logs for seen, start, end in pieces if (logs := seen.logs(start, end)) is not None]
        return cls(*(sum(column) for column in zip(*found, strict=True))) if found else cls()

    def evidence(self, restless: float) -> float | None:
        """Log likelihood ratio of speaking. ``restless``: how often this mouth moves though it does not speak."""
        if not self.seconds:
            return None
        if_so = logsumexp([self.speaking, self.still], b=[1 - MISSED, MISSED])
        if_not = logsumexp([self.speaking, self.still], b=[restless, 1 - restless])
        return float(if_so - if_not)


def share_moving(stretches: Iterable[tuple[Seen, float, float]]) -> float:
    """How often a mouth moves in stretches in which its owner is not heard; by `RESTLESS` where that is little."""
    moving, still = RESTLESS
    for seen, start, end in stretches:
        count = max(1, round((end - start) / _SECONDS))
        edges = np.linspace(start, end, count + 1)
        for first, last in pairwise(edges.tolist()):
            logs = seen.logs(first, last)
            if logs is not None:
                speaking = 1 / (1 + np.exp(np.clip(logs[1] - logs[0], -50, 50)))
                moving, still = moving + speaking * logs[2], still + (1 - speaking) * logs[2]
    return float(moving / (moving + still))


def of_network(seen: Seen, start: float, end: float) -> float | None:
    """Log likelihood ratio of what the learned model says of a stretch: the log odds of its mean, `CAPPED`."""
    if seen.network is None:
        return None
    times, said = seen.network
    first, last = np.searchsorted(times, [start, end])
    said = said[first:last][np.isfinite(said[first:last])]
    if not len(said):
        return None
    mean = float(np.clip(said.mean(), 1e-9, 1 - 1e-9))
    return float(np.clip(np.log(mean / (1 - mean)), -CAPPED, CAPPED)) * min(1.0, (end - start) / _SECONDS)


class Heard:
    """What synchrony says of pieces of speech. ``lag``: most that sound and picture may be out of step, seconds."""

    def __init__(self, sound: Envelope, lag: float) -> None:
        self._sound = sound
        steps = int(lag / _STEP + 1e-9)
        self._lags = np.arange(-steps, steps + 1) * _STEP

    def by_lag(self, seen: Seen, piece: Piece) -> Floats | None:
        """Log likelihood ratios of the channels and lags, (channels, lags); None where nothing can be compared."""
        part = seen.part(piece.start, piece.end)
        times = seen.time[part]
        if not piece.alone or len(times) < 5 or times[-1] - times[0] < _LEAST:
            return None
        levels = [self._sound.at(times - lag) for lag in self._lags]
        ratios = np.array([[_ratio(channel[part], level, times) for level in levels] for channel in seen.channels])
        known = np.isfinite(ratios)
        return np.where(known, ratios, 0.0) if known.any() else None

    def evidence(self, found: Sequence[Floats]) -> float | None:
        """Log likelihood ratio of all pieces together: one lag and one channel hold for all, whichever it is."""
        if not found:
            return None
        total = np.sum(found, axis=0)
        return float(logsumexp(total) - np.log(total.size))


def _ratio(mouth: Floats, level: Floats, times: Floats) -> float:
    known = np.isfinite(mouth) & np.isfinite(level)
    if known.sum() < 5:
        return float("nan")
    a, b = mouth[known] - mouth[known].mean(), level[known] - level[known].mean()
    size = float(np.sqrt((a**2).sum() * (b**2).sum()))
    if size < 1e-9:
        return float("nan")
    z = float(np.arctanh(np.clip((a * b).sum() / size, -0.99, 0.99)))
    count = max(2.0, _RATE * float(times[known][-1] - times[known][0]))
    by_chance, of_speaker = 1 / count, 1 / count + SPREAD**2
    return 0.5 * float(np.log(by_chance / of_speaker) + z**2 / by_chance - (z - TYPICAL) ** 2 / of_speaker)
