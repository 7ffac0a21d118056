"""Whether somebody who was here then can be there now: how persons of this recording move between two moments.

Lengths are told in body heights (the height of the box), so that they mean the same near and far.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator_person_identity.tracks import Tracks

__all__ = ["Motion"]

_DAMPING = 1.0  # s: so long people keep their speed
_FREEDOM = 3.0  # of Student's t: rare large errors, as where a box shows half of a person
_FORGOTTEN = 10.0  # s: after that, where somebody was says as much as nothing
_GUESSED = (0.1, 0.5)  # body heights, and per second: error of a prediction where nothing was measured
_SAMPLE = 4000  # pairs of rows per lag
_LEAST = 20
_JITTER = 0.15  # body heights: where tracks end, boxes show what of a person is still to be seen
_SLACK = 0.75  # body heights by which boxes jump without anybody moving


@attrs.frozen(eq=False)
class Motion:
    """How well a prediction holds, measured on the tracks themselves.

    ``lag``: s. ``error``: standard deviation of place (per axis, body heights) after that time; ``growth``: of the
    logarithm of the height. ``sizes``: standard deviation of the logarithm of heights in the whole recording.
    ``area``: of the picture, px^2. ``fastest``: body heights per second that nobody exceeds.
    """

    lag: NDArray[np.float64]
    error: NDArray[np.float64]
    growth: NDArray[np.float64]
    sizes: float
    area: float
    fastest: float

    @classmethod
    def of(cls, tracks: Tracks, *, size: tuple[int, int], fastest: float) -> Motion:
        """Measured on tracks in a picture of ``size`` (width, height)."""
        lags, errors, growths = [], [], []
        rows, jump = np.arange(len(tracks)), 1
        while jump < len(tracks) and jump * max(tracks.step, 1e-3) < _FORGOTTEN:
            first = rows[:-jump][tracks.track[:-jump] == tracks.track[jump:]]
            if len(first) < _LEAST:
                break
            first = first[:: max(1, len(first) // _SAMPLE)]
            off, grown, dt = _off(tracks, first, first + jump)
            lags.append(float(np.median(dt)))
            errors.append(float(np.quantile(off, 0.8) / 1.794))  # the same quantile of Rayleigh's distribution
            growths.append(float(np.quantile(np.abs(grown), 0.8) / 1.282))
            jump *= 2
        heights = np.log(tracks.box[:, 3] - tracks.box[:, 1] + 1e-3)
        if not lags:
            lags, errors, growths = [1.0], [sum(_GUESSED)], [0.2]
        return cls(
            lag=np.array(lags),
            error=np.maximum.accumulate(np.maximum(errors, _JITTER)),
            growth=np.maximum.accumulate(np.maximum(growths, _JITTER)),
            sizes=max(float(heights.std()) * np.sqrt(2), 0.1) if len(heights) else 0.1,
            area=float(size[0] * size[1]),
            fastest=fastest,
        )

    def __call__(self, tracks: Tracks, first: NDArray[np.intp], then: NDArray[np.intp]) -> NDArray[np.float64]:
        """Log-likelihood ratio that row ``then`` shows the person of row ``first``, against somebody anywhere.

        Both (N,), each ``then`` later than its ``first``. -inf where nobody is so fast. Near 0 after a long time.
        """
        off, grown, dt = _off(tracks, first, then)
        height = (tracks.before[first, 4] + tracks.after[then, 4]) / 2
        error, growth = self._after(dt, self.error, 1.0), np.minimum(self._after(dt, self.growth, 0.0), self.sizes)
        anywhere = -np.log(self.area / height**2)
        place = -np.log(2 * np.pi * error**2) - (_FREEDOM + 2) / 2 * np.log1p(off**2 / (_FREEDOM * error**2)) - anywhere
        bigger = np.log(self.sizes / growth) + (
            -(_FREEDOM + 1) / 2 * np.log1p(grown**2 / (_FREEDOM * growth**2)) + grown**2 / (2 * self.sizes**2)
        )
        forgotten = dt / (dt + _FORGOTTEN)
        ratio = np.logaddexp(np.log1p(-forgotten) + place + np.clip(bigger, -3, 3), np.log(np.maximum(forgotten, 1e-6)))
        return np.where(self.possible(tracks, first, then), ratio, -np.inf)

    def possible(self, tracks: Tracks, first: NDArray[np.intp], then: NDArray[np.intp]) -> NDArray[np.bool_]:
        """False where nobody is so fast."""
        apart = np.linalg.norm(_place(tracks, then) - _place(tracks, first), axis=1)
        height = np.maximum(tracks.before[first, 4], tracks.after[then, 4])
        dt = tracks.time[then] - tracks.time[first]
        possible: NDArray[np.bool_] = apart / height <= _SLACK + self.fastest * dt
        return possible

    def _after(self, dt: NDArray[np.float64], known: NDArray[np.float64], power: float) -> NDArray[np.float64]:
        inside = np.exp(np.interp(np.log(np.maximum(dt, 1e-3)), np.log(self.lag), np.log(known)))
        grown: NDArray[np.float64] = inside * np.maximum(dt / self.lag[-1], 1.0) ** power
        return grown


def _place(tracks: Tracks, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = (tracks.box[rows, :2] + tracks.box[rows, 2:]) / 2
    return centre


def _off(
    tracks: Tracks, first: NDArray[np.intp], then: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How far (body heights) a row lies from where the speeds before and after put it, growth (log), and time, s."""
    start, end = tracks.before[first], tracks.after[then]
    dt = tracks.time[then] - tracks.time[first]
    kept = _DAMPING * -np.expm1(-dt / _DAMPING)
    moved = end[:, :2] - start[:, :2] - (start[:, 2:4] + end[:, 2:4]) / 2 * kept[:, None]
    height = (start[:, 4] + end[:, 4]) / 2
    return np.linalg.norm(moved, axis=1) / height, np.log(end[:, 4] / start[:, 4]), dt
