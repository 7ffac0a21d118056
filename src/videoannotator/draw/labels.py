"""Where labels go: inside the picture, not over faces, not over each other. Pure geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Room", "places"]

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

_CELL = 4
_LABEL, _CLEAR = 100.0, 10.0
_TOO_CROWDED = 0.2 * _LABEL


def places(box: Box, width: float, height: float, *, below: bool = False) -> list[tuple[float, float]]:
    """Where a label of this size may stand beside or in ``box``: upper left corners, the best first."""
    x1, y1, x2, y2 = box
    over = [(x1, y1 - height), (x2 - width, y1 - height)]
    under = [(x1, y2), (x2 - width, y2)]
    beside = [(x2, y1), (x1 - width, y1), (x2, y2 - height), (x1 - width, y2 - height)]
    inside = [(x1, y1), (x2 - width, y1), (x1, y2 - height), (x2 - width, y2 - height)]
    return [*under, *over, *beside, *inside] if below else [*over, *under, *inside, *beside]


class Room:
    """A picture on which things take their places. ``width``, ``height``: pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._taken: NDArray[np.float32] = np.zeros((height // _CELL + 1, width // _CELL + 1), dtype=np.float32)

    def _cells(self, box: Box) -> NDArray[np.float32]:
        x1, y1, x2, y2 = (int(min(max(edge, -1), 2**20)) // _CELL for edge in box)
        return self._taken[max(y1, 0) : max(y2, 0) + 1, max(x1, 0) : max(x2, 0) + 1]

    def keep_clear(self, box: Box) -> None:
        """Ask labels to stay off ``box``: a face."""
        cells = self._cells(box)
        np.maximum(cells, _CLEAR, out=cells)

    def place(self, box: Box, width: float, height: float, *, below: bool = False) -> tuple[float, float] | None:
        """The upper left corner for a label of ``box``, which is taken from now on.

        None where it is larger than the picture, or there is no place that is not another label's.
        """
        if width > self._width or height > self._height:
            return None
        best, cost = None, float("inf")
        for number, (x, y) in enumerate(places(box, width, height, below=below)):
            x = min(max(x, 0.0), self._width - width)
            y = min(max(y, 0.0), self._height - height)
            here = float(self._cells((x, y, x + width - 1, y + height - 1)).mean()) + number / 1000
            if here < cost:
                best, cost = (x, y), here
            if cost < 1:
                break
        if best is None or cost >= _TOO_CROWDED:
            return None
        cells = self._cells((*best, best[0] + width - 1, best[1] + height - 1))
        cells[:] = _LABEL
        return best
