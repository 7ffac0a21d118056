"""openSMILE itself: the features of samples, as ``opensmile.Smile.process_signal`` gives them."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import MissingDependencyError
from videoannotator_egemaps.config import FeatureSet

__all__ = ["SHORTEST", "Extractor", "Frames"]

SHORTEST = 0.06
"""Seconds; openSMILE says nothing of a shorter sound: its pitch looks at so much at once."""
_HIGHEST = 32767 / 32768
"""The highest sample that 16 bits hold. openSMILE's Python package multiplies by 32768 and converts without a limit, so
that a sample of 1.0 becomes -1.0; a clipped voice then is full of clicks that nobody recorded."""


@attrs.frozen(eq=False)
class Frames:
    """Low-level descriptors. ``start``, ``end``: (N,) seconds from the first sample. ``values``: (N, features)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    values: NDArray[np.float32]


class Extractor:
    """One feature set at one level. Nothing is logged and no file is written.

    Raises `MissingDependencyError` where openSMILE's library cannot be loaded.
    """

    def __init__(self, feature_set: FeatureSet, *, descriptors: bool) -> None:
        try:
            import opensmile
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                f"openSMILE cannot be loaded here: {error}. It has builds for Linux, macOS and Windows; in a fresh "
                "environment type: pip install videoannotator-egemaps"
            ) from error
        level = opensmile.FeatureLevel
        self._smile: Any = opensmile.Smile(
            opensmile.FeatureSet[feature_set], level.LowLevelDescriptors if descriptors else level.Functionals
        )

    @property
    def names(self) -> tuple[str, ...]:
        """openSMILE's names of the features, in order."""
        return tuple(self._smile.feature_names)

    def __call__(self, samples: NDArray[np.float32], rate: int) -> Frames | None:
        """The features of samples; functionals are one frame. None when the sound is too short to say anything."""
        if samples.size < SHORTEST * rate:
            return None
        found = self._smile.process_signal(np.minimum(samples, np.float32(_HIGHEST)), rate)
        values = found.to_numpy(dtype=np.float32)
        if not np.isfinite(values).any():
            return None
        start, end = (found.index.get_level_values(name).total_seconds().to_numpy() for name in ("start", "end"))
        return Frames(start, end, values)
