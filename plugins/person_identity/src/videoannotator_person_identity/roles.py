"""Roles from bodies: infant, child, adult (or the study's words for small and large people), or nothing.

Two things are looked at; both are monotone (less of a baby never makes somebody more of a baby) and both keep silent
rather than guess:

*proportions* of somebody who stands upright and is seen whole: the head is a quarter of the length at birth, a fifth
at two years, a sixth at six, a seventh at twelve, and 1/7.5 to 1/8 of an adult (C. H. Stratz, *Der Koerper des
Kindes*, 1903; D. Domljan et al., *Research on Children's Body Proportions*, Appl. Sci. 2024, 14(16), 7185). The eyes
are half-way up the head, so the head is twice as long as from the top of the box to the eyes.

*size* beside others: shoulders and trunk of two persons who are near each other in the same frames. Sitting height at
one, six and twelve years is about 0.53, 0.72 and 0.87 of an adult's (compare R. Snyder et al., *Anthropometry of
Infants, Children, and Youths to Age 18*, 1977). Someone half as large as a companion is small, the companion large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["Role", "Sight", "roles"]

_SURE = 0.5  # least score of a keypoint that is measured by
_LEAST = 5  # frames a measure needs
_HEAD = (1 / 5.0, 1 / 6.75)  # head length in body lengths that parts infant from child, child from adult
_HEAD_ERROR = 0.012  # standard deviation of a person's median: pose models miss the eyes by some hundredths of a head
_SIZE = (0.62, 0.85)  # of a companion's trunk: below the first an infant, below the second a child, beside an adult
_SIZE_ERROR = 0.12  # standard deviation of the logarithm of a ratio: two people are never at quite the same depth
_NEAR = 0.5  # of the larger box: so far apart two boxes may be to be near each other

_EYES, _SHOULDERS, _HIPS, _ANKLES = [1, 2], [5, 6], [11, 12], [15, 16]


@attrs.frozen(eq=False)
class Sight:
    """Where one person is seen: ``frame``: (N,), ascending. ``box``: (N, 4). ``keypoints``: (N, 17, 3), COCO's."""

    frame: NDArray[np.int64]
    box: NDArray[np.float64]
    keypoints: NDArray[np.float64]


@attrs.frozen
class Role:
    """A role with its probability and what told it."""

    role: str
    score: float
    method: str


def roles(sights: Mapping[int, Sight], labels: Sequence[str], least: float) -> dict[int, Role]:
    """Roles of persons, of those for whom one is at least ``least`` probable.

    ``labels``: from small to large, three or two. A single person can be told by proportions only.
    """
    told: dict[int, list[tuple[str, NDArray[np.float64]]]] = {person: [] for person in sights}
    for person, sight in sights.items():
        ratio = head_ratio(sight)
        if ratio is not None:
            told[person].append(("proportions", _below(-ratio, [-_HEAD[0], -_HEAD[1]], _HEAD_ERROR)))
    for person, ratio in _beside_the_largest(sights).items():
        if ratio is not None:
            told[person].append(("size", _below(np.log(ratio), np.log(_SIZE).tolist(), _SIZE_ERROR)))
    found = {}
    for person, parts in told.items():
        if parts:
            chance = np.prod([part for _, part in parts], axis=0)
            chance = chance / chance.sum() if chance.sum() > 0 else np.zeros(3)
            if len(labels) == 2:  # a small study word stands for infants and children
                chance = np.array([chance[0] + chance[1], chance[2]])
            best = int(np.argmax(chance))
            if chance[best] >= least:
                found[person] = Role(labels[best], float(chance[best]), "+".join(name for name, _ in parts))
    return found


def _below(value: float, limits: Sequence[float], error: float) -> NDArray[np.float64]:
    """Probabilities of lying below the first of two limits, between them, and above."""
    first, second = (float(ndtr((limit - value) / error)) for limit in limits)
    return np.array([first, second - first, 1 - second])


def head_ratio(sight: Sight) -> float | None:
    """Head length in body lengths, the median over frames in which somebody stands upright and whole; None: in none."""
    points, box = sight.keypoints, sight.box
    seen = (points[:, _EYES + _SHOULDERS + _HIPS + _ANKLES, 2] >= _SURE).all(axis=1)
    eyes, shoulders, hips, ankles = (points[:, part, :2].mean(axis=1) for part in (_EYES, _SHOULDERS, _HIPS, _ANKLES))
    tall = box[:, 3] - box[:, 1]
    steep = np.abs(hips - eyes)[:, 0] < 0.25 * (hips - eyes)[:, 1]
    ordered = (hips[:, 1] > shoulders[:, 1]) & (shoulders[:, 1] > eyes[:, 1])
    straight = ordered & (ankles[:, 1] - hips[:, 1] > 0.35 * tall)
    good = seen & steep & straight
    if good.sum() < _LEAST:
        return None
    return float(np.median(2 * (eyes[good, 1] - box[good, 1]) / tall[good]))


def _beside_the_largest(sights: Mapping[int, Sight]) -> dict[int, float | None]:
    """Size of each in sizes of the largest companion it is seen near to; None where there is none.

    The largest has a role only if somebody beside is clearly small: among equals nobody knows who is grown up.
    """
    sizes = {person: trunk(sight) for person, sight in sights.items()}
    ratios: dict[int, float | None] = dict.fromkeys(sights)
    beside: dict[int, list[tuple[int, float]]] = {person: [] for person in sights}
    people = list(sights)
    for i, a in enumerate(people):
        for b in people[i + 1 :]:
            ratio = _ratio(sights[a], sights[b], sizes[a], sizes[b])
            if ratio is not None:
                beside[a].append((b, ratio))
                beside[b].append((a, 1 / ratio))
    for person, others in beside.items():
        if others:
            smallest = min(ratio for _, ratio in others)
            if smallest < _SIZE[1]:
                ratios[person] = smallest
            elif max(ratio for _, ratio in others) > 1 / _SIZE[0]:
                ratios[person] = min(max(ratio for _, ratio in others), np.e) ** 0.5
    return ratios


def trunk(sight: Sight) -> NDArray[np.float64]:
    """Shoulder width plus the way from shoulders to hips, px, in each frame; NaN where they are not surely seen."""
    points = sight.keypoints
    seen = (points[:, _SHOULDERS + _HIPS, 2] >= _SURE).all(axis=1)
    across = np.linalg.norm(points[:, 5, :2] - points[:, 6, :2], axis=1)
    down = np.linalg.norm(points[:, _SHOULDERS, :2].mean(axis=1) - points[:, _HIPS, :2].mean(axis=1), axis=1)
    return np.where(seen, across + down, np.nan)


def _ratio(a: Sight, b: Sight, size_a: NDArray[np.float64], size_b: NDArray[np.float64]) -> float | None:
    """Size of a in sizes of b over the frames in which they are near each other."""
    _, i, j = np.intersect1d(a.frame, b.frame, return_indices=True)
    apart = np.maximum(np.maximum(a.box[i, :2] - b.box[j, 2:], b.box[j, :2] - a.box[i, 2:]), 0)
    larger = np.maximum(a.box[i, 3] - a.box[i, 1], b.box[j, 3] - b.box[j, 1])
    ratio = size_a[i] / size_b[j]
    ratio = ratio[(apart.max(axis=1) < _NEAR * larger) & np.isfinite(ratio) & (ratio > 0)]
    return float(np.median(ratio)) if len(ratio) >= _LEAST else None
