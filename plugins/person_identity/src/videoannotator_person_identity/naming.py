"""Which person is whom of the gallery: an open set, so most may be nobody."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from videoannotator_person_identity.gallery import Gallery
from videoannotator_person_identity.likeness import Gauge, Space

__all__ = ["named"]

Mean = tuple[NDArray[np.float64], float]
"""Mean look of a person in the space of the recording, and of how many looks."""


def named(
    means: Mapping[str, list[Mean | None]],
    spaces: Mapping[str, Space],
    gauges: Mapping[str, Gauge],
    galleries: Mapping[str, Gallery],
    *,
    least: float,
) -> list[tuple[str, float] | None]:
    """Name and probability for each person, or None: unknown.

    ``means``, ``galleries``: by kind of looks. Each name goes to one person and each person has one name: the best in
    all. A probability is that of the name against all other names and against being nobody of the gallery, which are
    taken to be equally likely before anything is seen.
    """
    names = sorted({name for gallery in galleries.values() for name in gallery.names})
    count = max((len(column) for column in means.values()), default=0)
    odds, told = np.zeros((count, len(names))), np.zeros((count, len(names)), dtype=bool)
    for kind, gallery in galleries.items():
        if kind not in spaces:
            continue
        for j, name in enumerate(names):
            mine = [known.vector for known in gallery.known if known.name == name]
            if not mine:
                continue
            known = spaces[kind](np.array(mine, dtype=np.float64)).mean(axis=0)
            for i, mean in enumerate(means[kind]):
                if mean is not None:
                    vector, seen = mean
                    odds[i, j] += float(gauges[kind](np.array(vector @ known), np.array(max(seen, 1.0))))
                    told[i, j] = True
    found: list[tuple[str, float] | None] = [None] * count
    if not count or not names:
        return found
    likelihood = np.where(told, np.exp(odds), 0.0)
    chance = likelihood / (1 + likelihood.sum(axis=1, keepdims=True))
    for i, j in zip(*linear_sum_assignment(-chance), strict=True):
        if told[i, j] and chance[i, j] >= least:
            found[i] = names[j], float(chance[i, j])
    return found
