"""How much two looks speak for one person: measured on the recording itself.

The recording labels itself. Looks of one track, seconds apart, belong to one person; looks of two tracks that are in
the picture at the same time belong to two (B. Kuo, C. Huang, R. Nevatia, *Multi-target tracking by on-line learned
discriminative appearance models*, CVPR 2010). From the first it is learned which differences mean nothing: they are
divided out (within-class covariance normalisation: A. Hatch, S. Kajarekar, A. Stolcke, Interspeech 2006; shrunk as by
O. Ledoit, M. Wolf, *A well-conditioned estimator for large-dimensional covariance matrices*, 2004). How alike looks of
one person, and of two, then are gives the log-likelihood ratio of a likeness. Every track is judged by what was learned
without it (five folds), so that nothing looks more alike than it will when it is met again.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

__all__ = ["Gauge", "Looks", "Space", "measured", "own_space"]

Vectors = NDArray[np.float64]

_FOLDS = 5
_APART = (2.0, 0.8)  # s: looks of one track closer than that are nearly the same picture; the second for short films
_LEAST_TRACKS = 3  # of at least two looks each, or differences within tracks say too little
_LEAST_PAIRS = 3  # of tracks seen at the same time, or nobody knows how alike strangers are
_CAP = 8.0  # no evidence of looks counts more than e^8 to 1
_DOUBT = 3.0  # looks that halve the cap: one look may be of an arm, or of somebody in front
_GUESS = 2.0  # pairs that the guessed spread counts for when few were measured


@attrs.frozen(eq=False)
class Looks:
    """Looks of tracks: pieces of a second or so.

    ``vector``: (N, D), of length 1. ``weight``: how much was seen, about the number of pictures. ``time``: s.
    ``group``: whose track; pieces of one group belong to one person as far as the tracker knows.
    """

    vector: Vectors
    weight: NDArray[np.float64]
    time: NDArray[np.float64]
    group: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.group)


@attrs.frozen(eq=False)
class Space:
    """Where vectors are compared: moved by ``mean``, divided by what varies within tracks, made one long again."""

    mean: Vectors
    whitening: Vectors | None

    def __call__(self, vectors: Vectors) -> Vectors:
        if self.whitening is None:
            return vectors
        moved: Vectors = (vectors - self.mean) @ self.whitening
        whole: Vectors = moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-12)
        return whole

    @classmethod
    def of(cls, looks: Looks) -> Space:
        """Learned from looks whose groups are right. The mean is that of the groups: nobody's presence rules."""
        _, group = np.unique(looks.group, return_inverse=True)
        count = np.bincount(group).astype(np.float64)
        sums = np.zeros((len(count), looks.vector.shape[1]))
        np.add.at(sums, group, looks.vector)
        means = sums / count[:, None]
        several = count[group] > 1
        left = (looks.vector - means[group])[several] * np.sqrt(count / np.maximum(count - 1, 1))[group][several, None]
        root = np.linalg.cholesky(shrunk(left))
        return cls(means.mean(axis=0), solve_triangular(root, np.eye(len(root)), lower=True).T)


def shrunk(residuals: Vectors) -> Vectors:
    """The covariance of residuals (N, D) around 0, shrunk towards a sphere by Ledoit and Wolf's rule."""
    n, d = residuals.shape
    sample = residuals.T @ residuals / n
    size = np.trace(sample) / d
    off = ((sample - size * np.eye(d)) ** 2).sum()
    # the mean over rows r of |r r' - sample|^2 is the mean of |r|^4 minus |sample|^2
    noise = ((residuals**2).sum(axis=1) ** 2).mean() - (sample**2).sum()
    share = min(1.0, max(0.0, noise / n / off)) if off > 0 else 1.0
    blended: Vectors = (1 - share) * sample + (share * size + 1e-9) * np.eye(d)
    return blended


@attrs.frozen
class Gauge:
    """Log-likelihood ratio of a likeness: one person against two, both normally distributed.

    ``same``, ``other``: mean likeness of one person's looks, of two persons'. ``spread``: its standard deviation
    between pairs of tracks. ``noise``: of single pairs of looks around their tracks' likeness. ``measured``: on this
    recording; else from published thresholds. ``pairs``: of tracks it was measured on: of one person, of two.
    """

    same: float
    other: float
    spread: float
    noise: float
    measured: bool
    pairs: tuple[int, int] = (0, 0)

    def __call__(self, likeness: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
        """``likeness``: mean dot product of two tracks' looks. ``seen``: looks of the one that has fewer."""
        variance = self.spread**2 + self.noise**2 / np.maximum(seen, 1.0)
        middle = (self.same + self.other) / 2
        ratio = (self.same - self.other) * (likeness - middle) / variance
        most = _CAP * seen / (seen + _DOUBT)
        capped: NDArray[np.float64] = np.clip(ratio, -most, most)
        return capped


def measured(looks: Looks, together: Iterable[tuple[int, int]], *, threshold: float) -> tuple[list[Space], Gauge]:
    """What a recording says of likeness: a space for each fold, the last one learned from all, and the gauge.

    ``together``: pairs of groups that were seen at the same time. ``threshold``: of the dot product, where the
    network's users draw the line between one person and two; it is all there is when too little was seen to measure.
    The space for group g is number ``g % folds``; the last is for what belongs to no group.
    """
    pairs = [(a, b) for a, b in together if a != b]
    counts = np.unique(looks.group, return_counts=True)[1]
    if (counts > 1).sum() < _LEAST_TRACKS or len(pairs) < _LEAST_PAIRS:
        return [Space(np.zeros(looks.vector.shape[1]), None)], _published(looks, threshold)
    folds = [looks.group % _FOLDS == fold for fold in range(_FOLDS)]
    spaces = [Space.of(_part(looks, ~fold)) if _enough(looks, ~fold) else Space.of(looks) for fold in folds]
    spaces.append(Space.of(looks))
    same = _within(looks, spaces)
    if len(same) < _LEAST_TRACKS:
        return [Space(np.zeros(looks.vector.shape[1]), None)], _published(looks, threshold)
    return spaces, _gauge(same, _between(looks, spaces, pairs))


def own_space(spaces: list[Space], group: int) -> Space:
    """The space in which a group's own looks are compared with each other: learned without it."""
    return spaces[group % _FOLDS] if len(spaces) > 1 else spaces[0]


def _enough(looks: Looks, mask: NDArray[np.bool_]) -> bool:
    return bool((np.unique(looks.group[mask], return_counts=True)[1] > 1).sum() >= _LEAST_TRACKS - 1)


def _part(looks: Looks, mask: NDArray[np.bool_]) -> Looks:
    return Looks(looks.vector[mask], looks.weight[mask], looks.time[mask], looks.group[mask])


Sample = tuple[float, float, float]
"""Of two tracks, or of one with itself: mean likeness of looks, its variance between looks, looks of the fewer."""


def _within(looks: Looks, spaces: list[Space]) -> list[Sample]:
    """Of each track with itself; of looks further apart where enough tracks last so long."""
    samples: list[Sample] = []
    for least in _APART:
        samples = []
        for group in np.unique(looks.group):
            here = np.flatnonzero(looks.group == group)
            vectors, time = own_space(spaces, int(group))(looks.vector[here]), looks.time[here]
            apart = np.triu(np.abs(time[:, None] - time) >= least)
            if apart.any():
                likeness = (vectors @ vectors.T)[apart]
                samples.append((float(likeness.mean()), float(likeness.var()), min(len(here) / 2, apart.sum() ** 0.5)))
        if len(samples) >= _LEAST_TRACKS:
            break
    return samples


def _between(looks: Looks, spaces: list[Space], pairs: Iterable[tuple[int, int]]) -> list[Sample]:
    vectors = spaces[-1](looks.vector)
    where = {int(group): np.flatnonzero(looks.group == group) for group in np.unique(looks.group)}
    samples = []
    for a, b in pairs:
        if a in where and b in where:
            likeness = vectors[where[a]] @ vectors[where[b]].T
            samples.append((float(likeness.mean()), float(likeness.var()), float(min(likeness.shape))))
    return samples


def _gauge(same: list[Sample], other: list[Sample]) -> Gauge:
    """Means weighted by what was seen; one spread for both, since few pairs cannot tell two."""
    (m1, v1, n1), (m0, v0, n0) = np.array(same).T, np.array(other).T
    noise = float(np.sqrt(np.average(np.concatenate([v1, v0]), weights=np.concatenate([n1, n0]))))
    mean1, mean0 = float(np.average(m1, weights=n1)), float(np.average(m0, weights=n0))
    off = np.concatenate([(m1 - mean1) ** 2 - noise**2 / n1, (m0 - mean0) ** 2 - noise**2 / n0])
    total, count = float(np.maximum(off, 0).sum()), len(off)
    spread = np.sqrt((total + _GUESS * noise**2) / (count + _GUESS))
    if mean1 <= mean0:  # looks tell nothing here
        mean1 = mean0 = (mean1 + mean0) / 2
    return Gauge(mean1, mean0, float(spread), noise, True, (len(m1), len(m0)))


def _published(looks: Looks, threshold: float) -> Gauge:
    """The published threshold in the middle, as far from it as tracks of one person are; nothing is divided out."""
    same = _within(looks, [Space(np.zeros(0), None)])
    mean = float(np.average([s[0] for s in same], weights=[s[2] for s in same])) if same else (1 + threshold) / 2
    mean = max(mean, threshold + (1 - threshold) / 4)
    noise = float(np.sqrt(np.mean([s[1] for s in same]))) if same else (1 - threshold) / 4
    spread = (mean - threshold) / 2
    return Gauge(mean, 2 * threshold - mean, spread, max(noise, 1e-3), False, (len(same), 0))
