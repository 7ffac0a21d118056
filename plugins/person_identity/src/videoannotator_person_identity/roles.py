"""Roles from bodies: infant, child, adult (or the study's words for small and large people), or nothing.

A wrong role is worse than none, so both measures keep silent rather than guess, and where both speak and one of them
thinks unlikely what the other says, nothing is said. Both are monotone: less of a baby never makes somebody more of a
baby. The limits are about right for most people; what parts them stands in the literature only roughly.

*proportions* of somebody who stands upright, turned to the camera, and is seen whole: the head is about a quarter of
the length at birth, a fifth at two years, a sixth at six, and 1/7.5 to 1/8 of an adult (D. Domljan et al., *Research on
Children's Body Proportions*, Appl. Sci. 2024, 14(16), 7185), and the legs grow longer than the trunk (B. Bogin, M.
Varela-Silva, *Leg Length, Body Proportion, and Health*, 2010). The eyes are half-way up the head, so the head is twice
as long as from the top of the box to the eyes; hair and a camera held high add to that. The higher the camera, the more
is seen above the eyes and the less between eyes and shoulders: from a ratio of 1 on nothing is told (about 0.6 in
adults and 0.8 in infants seen from the front).

*size* beside others: shoulders and trunk in widths of the own head, compared with the same of others in the film.
Whoever is far away has a small head, too, so distance does not count. An infant's head is nearly as wide as an adult's
and the body about half as large (R. Snyder et al., *Anthropometry of Infants, Children, and Youths to Age 18*, 1977).
Adults differ by a tenth and more between each other (as measured on adults in films), so only much less is less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["Role", "Sight", "body_size", "proportions", "roles"]

_SURE = 0.5  # least score of a keypoint that is measured by
_LEAST = 8  # frames a measure needs
_LONG = 0.8  # s over which they are spread: a pose held for a moment is not the body
_TALL = 160.0  # px, least height of somebody whose head is measured: a keypoint is good to about 2 px, a tenth of it
_WIDE = 16.0  # px, least distance of the ears, for the same reason
_ABOVE = 1.0  # from the top to the eyes in ways from the eyes to the shoulders: then the camera looks down
_TRUNK = (1.0, 2.0)  # way from shoulders to hips in shoulder widths; less: bent to the camera; more: turned away
_EARS = (1.5, 3.5)  # distance of the ears in distances of the eyes, where a head is seen from the front
_HAIR = 1.1  # hair and loose boxes add about a tenth to heads
_HEAD = (_HAIR / 5.25, _HAIR / 7)  # head length in body lengths: about three years, about twelve
_HEAD_ERROR = 0.03  # standard deviation of a person's median
_LEG = (
    1.15  # way from hips to ankles in ways from shoulders to hips; infants have about 1, adults were seen from 1.3 on
)
_LEG_ERROR = 0.15
_SIZE = (0.66, 0.80)  # of the largest one's body: below the first an infant, below the second a child
_SIZE_ERROR = 0.18  # standard deviation of the logarithm of a ratio of two adults' medians, as seen in films
_UNLIKELY = 0.3  # a role that one of two measures finds less probable is not given

_HEAD_POINTS, _EYES, _SHOULDERS, _HIPS, _ANKLES = [0, 1, 2, 3, 4], [1, 2], [5, 6], [11, 12], [15, 16]


@attrs.frozen(eq=False)
class Sight:
    """Where one person is seen: ``time``: (N,), s, ascending. ``box``: (N, 4). ``keypoints``: (N, 17, 3), COCO's."""

    time: NDArray[np.float64]
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
        measured = proportions(sight)
        if measured is not None:
            head = _below(-measured[0], [-_HEAD[0], -_HEAD[1]], _HEAD_ERROR)
            short = float(ndtr((_LEG - measured[1]) / _LEG_ERROR))
            # between children and adults legs differ less than where networks see hips
            told[person] += [("proportions", head), ("proportions", np.array([short, 1 - short, 1 - short]))]
    for person, ratio in _beside_others(sights).items():
        if ratio is not None:
            told[person].append(("size", _below(np.log(ratio), np.log(_SIZE).tolist(), _SIZE_ERROR)))
    found = {person: _role(parts, labels, least) for person, parts in told.items() if parts}
    return {person: role for person, role in found.items() if role is not None}


def _role(parts: Sequence[tuple[str, NDArray[np.float64]]], labels: Sequence[str], least: float) -> Role | None:
    """The role that all measures together make at least ``least`` probable and none of them unlikely."""
    chances = np.array([part for _, part in parts])
    if len(labels) == 2:  # a small study word stands for infants and children
        chances = np.stack([chances[:, 0] + chances[:, 1], chances[:, 2]], axis=1)
    both = chances.prod(axis=0)
    if both.sum() <= 0:
        return None
    both = both / both.sum()
    best = int(np.argmax(both))
    if both[best] < least or (chances[:, best] < _UNLIKELY).any():
        return None
    return Role(labels[best], float(both[best]), "+".join(dict.fromkeys(name for name, _ in parts)))


def _below(value: float, limits: Sequence[float], error: float) -> NDArray[np.float64]:
    """Probabilities of lying below the first of two limits, between them, and above."""
    first, second = (float(ndtr((limit - value) / error)) for limit in limits)
    return np.array([first, second - first, 1 - second])


def proportions(sight: Sight) -> tuple[float, float] | None:
    """Head length in body lengths and leg length in trunk lengths, medians over frames in which somebody stands
    upright, whole and turned to a camera that does not look down on them; None: in too few."""
    points, box = sight.keypoints, sight.box
    seen = (points[:, _HEAD_POINTS + _SHOULDERS + _HIPS + _ANKLES, 2] >= _SURE).all(axis=1) & _facing(points)
    eyes, shoulders, hips, ankles = (points[:, part, :2].mean(axis=1) for part in (_EYES, _SHOULDERS, _HIPS, _ANKLES))
    tall, above = box[:, 3] - box[:, 1], eyes[:, 1] - box[:, 1]
    neck, trunk, leg = shoulders[:, 1] - eyes[:, 1], hips[:, 1] - shoulders[:, 1], ankles[:, 1] - hips[:, 1]
    steep = np.abs(hips - eyes)[:, 0] < 0.25 * (hips - eyes)[:, 1]
    straight = (neck > 0) & (trunk > 0) & (leg > 0.35 * tall) & (above > 0)
    good = seen & steep & straight & (tall >= _TALL) & (above < _ABOVE * neck)
    # whoever is seen from above in half of the frames is so in the others, too
    if not _enough(sight, good) or good.sum() < 0.5 * (seen & steep & straight).sum():
        return None
    return float(np.median(2 * above[good] / tall[good])), float(np.median(leg[good] / trunk[good]))


def _enough(sight: Sight, good: NDArray[np.bool_]) -> bool:
    return bool(good.sum() >= _LEAST and np.ptp(sight.time[good]) >= _LONG)


def _facing(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether keypoints (N, 17, 3) are those of somebody upright whose face and chest are seen from the front, and not
    what a network finds in a chair or a coat: ears, eyes, nose and shoulders stand as they must."""
    place = points[..., :2]
    ears, eyes = place[:, 3] - place[:, 4], place[:, 1] - place[:, 2]
    apart, between = np.linalg.norm(ears, axis=1), np.linalg.norm(eyes, axis=1)
    # seen from the front the nose is near the middle between the ears
    off = np.linalg.norm(place[:, 0] - place[:, [3, 4]].mean(axis=1), axis=1)
    across = np.linalg.norm(place[:, 5] - place[:, 6], axis=1)
    down = place[:, _HIPS].mean(axis=1) - place[:, _SHOULDERS].mean(axis=1)
    trunk = np.linalg.norm(down, axis=1)
    front = (off < 0.35 * apart) & (apart >= _EARS[0] * between) & (apart <= _EARS[1] * between)
    chest = (trunk >= _TRUNK[0] * across) & (trunk <= _TRUNK[1] * across) & (down[:, 1] > 0)
    head = (place[:, 0, 1] > place[:, _EYES, 1].mean(axis=1)) & (place[:, 0, 1] < place[:, _SHOULDERS, 1].mean(axis=1))
    found: NDArray[np.bool_] = front & chest & head & (apart >= _WIDE)
    return found


def _beside_others(sights: Mapping[int, Sight]) -> dict[int, float | None]:
    """Size of each in sizes of the others: of the largest for whoever is smaller, above 1 for one who has somebody
    clearly small beside; None for the others, since among equals nobody knows who is grown up."""
    sizes = {person: body_size(sight) for person, sight in sights.items()}
    known = {person: size for person, size in sizes.items() if size is not None}
    ratios: dict[int, float | None] = dict.fromkeys(sights)
    if len(known) < 2:
        return ratios
    largest, smallest, spread = max(known.values()), min(known.values()), _spread(len(known))
    for person, size in known.items():
        if size * spread < _SIZE[1] * largest:
            ratios[person] = size * spread / largest
        elif size > smallest * spread / _SIZE[0]:
            ratios[person] = min(size / smallest / spread, np.e) ** 0.5
    return ratios


def _spread(count: int) -> float:
    """By how much more the largest of so many equals is expected to exceed the smallest than of two (Blom, 1958)."""
    ends = [float(ndtri((n - 0.375) / (n + 0.25))) for n in (2, count)]
    return float(np.exp(_SIZE_ERROR / np.sqrt(2) * 2 * (ends[1] - ends[0])))


def body_size(sight: Sight) -> float | None:
    """Shoulder width and the way from shoulders to hips, in widths of the head between the ears: the median over frames
    in which somebody faces the camera; None: in too few."""
    points = sight.keypoints
    good = (points[:, _HEAD_POINTS + _SHOULDERS + _HIPS, 2] >= _SURE).all(axis=1) & _facing(points)
    if not _enough(sight, good):
        return None
    head = np.linalg.norm(points[:, 3, :2] - points[:, 4, :2], axis=1)
    across = np.linalg.norm(points[:, 5, :2] - points[:, 6, :2], axis=1)
    down = np.linalg.norm(points[:, _SHOULDERS, :2].mean(axis=1) - points[:, _HIPS, :2].mean(axis=1), axis=1)
    return float(np.median((across + down)[good] / head[good]))
