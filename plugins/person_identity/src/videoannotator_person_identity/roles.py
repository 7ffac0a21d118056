"""Roles from bodies: infant, child, adult (or the study's words for small and large people), or nothing.

Two things are looked at; both are monotone (less of a baby never makes somebody more of a baby) and both keep silent
rather than guess:

*proportions* of somebody who stands upright and is seen whole: the head is a quarter of the length at birth, a fifth
at two years, a sixth at six, a seventh at twelve, and 1/7.5 to 1/8 of an adult (C. H. Stratz, *Der Koerper des
Kindes*, 1903; D. Domljan et al., *Research on Children's Body Proportions*, Appl. Sci. 2024, 14(16), 7185). The eyes
are half-way up the head, so the head is twice as long as from the top of the box to the eyes.

*size* beside others: shoulders and trunk in widths of the own head, compared with the same of others in the film.
Whoever is far away has a small head, too, so distance does not count. Sitting height at one, six and twelve years is
about 0.53, 0.72 and 0.87 of an adult's, the head's width some 0.83, 0.93 and 0.97 (compare R. Snyder et al.,
*Anthropometry of Infants, Children, and Youths to Age 18*, 1977). Whoever has a body three quarters of another's is
small, the other large.
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
_HEAD_ERROR = 0.03  # standard deviation of a person's median: hair and loose boxes add to heads
_SIZE = (0.70, 0.86)  # of the largest one's body: below the first an infant, below the second a child
_SIZE_ERROR = 0.10  # standard deviation of the logarithm of a ratio of two people's medians

_HEAD_POINTS, _EYES, _SHOULDERS, _HIPS, _ANKLES = [0, 1, 2, 3, 4], [1, 2], [5, 6], [11, 12], [15, 16]


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
    for person, ratio in _beside_others(sights).items():
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


def _beside_others(sights: Mapping[int, Sight]) -> dict[int, float | None]:
    """Size of each in sizes of the others: of the largest for whoever is smaller, above 1 for one who has somebody
    clearly small beside; None for the others, since among equals nobody knows who is grown up."""
    sizes = {person: body_size(sight) for person, sight in sights.items()}
    known = {person: size for person, size in sizes.items() if size is not None}
    ratios: dict[int, float | None] = dict.fromkeys(sights)
    if len(known) < 2:
        return ratios
    largest, smallest = max(known.values()), min(known.values())
    for person, size in known.items():
        if size < _SIZE[1] * largest:
            ratios[person] = size / largest
        elif size > smallest / _SIZE[0]:
            ratios[person] = min(size / smallest, np.e) ** 0.5
    return ratios


def body_size(sight: Sight) -> float | None:
    """Shoulder width and the way from shoulders to hips, in widths of the head between the ears: the median over frames
    in which somebody faces the camera; None: in too few."""
    points = sight.keypoints
    seen = (points[:, _HEAD_POINTS + _SHOULDERS + _HIPS, 2] >= _SURE).all(axis=1)
    head = np.linalg.norm(points[:, 3, :2] - points[:, 4, :2], axis=1)
    # seen from the front the nose is near the middle between the ears
    off = np.linalg.norm(points[:, 0, :2] - points[:, [3, 4], :2].mean(axis=1), axis=1)
    good = seen & (head > 4) & (off < 0.35 * head)
    if good.sum() < _LEAST:
        return None
    across = np.linalg.norm(points[:, 5, :2] - points[:, 6, :2], axis=1)
    down = np.linalg.norm(points[:, _SHOULDERS, :2].mean(axis=1) - points[:, _HIPS, :2].mean(axis=1), axis=1)
    return float(np.median((across + down)[good] / head[good]))
