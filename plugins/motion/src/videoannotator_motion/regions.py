"""Where motion is measured: rectangles, in pixels of the picture as shown and of the picture compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Table
from videoannotator.errors import ConfigError
from videoannotator_motion.config import Region

__all__ = ["Boxes", "Places", "fixed_places"]


@attrs.frozen(eq=False)
class Places:
    """Rectangles in one picture. ``boxes``: float64 (N, 4), x1, y1, x2, y2 in pixels as shown, inside the picture.

    ``cells``: int64 (N, 4), the same in whole pixels of the picture compared: those whose centre lies inside.
    ``tracks``: of persons; None for what is fixed.
    """

    names: tuple[str, ...]
    boxes: NDArray[np.float64]
    cells: NDArray[np.int64]
    tracks: tuple[int | None, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        boxes: NDArray[np.float64],
        tracks: Sequence[int | None],
        picture: tuple[int, int],
        scale: tuple[float, float],
    ) -> Places:
        """Cut ``boxes`` to the picture; what then holds no pixel's centre is left out.

        ``picture``: width and height of the picture compared; ``scale``: from its pixels to those shown.
        """
        (width, height), (x, y) = picture, scale
        shown = np.clip(boxes, 0, np.array([width * x, height * y, width * x, height * y]))
        # pixel n has its centre at n + 0.5, so the first inside is ceil(edge - 0.5)
        cells = np.ceil(shown / np.array([x, y, x, y]) - 0.5).astype(np.int64)
        some = np.flatnonzero((cells[:, 2] > cells[:, 0]) & (cells[:, 3] > cells[:, 1])).tolist()
        return cls(tuple(names[i] for i in some), shown[some], cells[some], tuple(tracks[i] for i in some))

    def __add__(self, other: Places) -> Places:
        return Places(
            self.names + other.names,
            np.concatenate([self.boxes, other.boxes]),
            np.concatenate([self.cells, other.cells]),
            self.tracks + other.tracks,
        )

    def sums(self, integral: NDArray[Any]) -> NDArray[np.float64]:
        """Of every rectangle, the sum of what ``integral`` (OpenCV's, one row and column more) adds up."""
        x1, y1, x2, y2 = self.cells.T
        total = integral[y2, x2] - integral[y1, x2] - integral[y2, x1] + integral[y1, x1]
        return np.asarray(total, dtype=np.float64)


def fixed_places(regions: Sequence[Region], picture: tuple[int, int], scale: tuple[float, float]) -> Places:
    """The whole picture, its halves, and the user's regions.

    Raises `ConfigError` for a region that lies outside the picture, or holds no pixel of the one compared.
    """
    width, height = picture[0] * scale[0], picture[1] * scale[1]
    names = ["whole", "left", "right", *(region.name for region in regions)]
    boxes: list[tuple[float, float, float, float]] = [
        (0, 0, width, height),
        (0, 0, width / 2, height),
        (width / 2, 0, width, height),
    ]
    for region in regions:
        if region.x2 > width + 0.5 or region.y2 > height + 0.5:
            raise ConfigError(
                f"region {region.name!r} ends at {region.x2:g}, {region.y2:g}; the picture is {width:g} x {height:g}"
            )
        boxes.append((region.x1, region.y1, region.x2, region.y2))
    places = Places.of(names, np.array(boxes, dtype=np.float64), [None] * len(names), picture, scale)
    lost = [region.name for region in regions if region.name not in places.names]
    if lost:
        raise ConfigError(
            f"too small to be measured in pictures of {picture[0]} x {picture[1]}: {', '.join(lost)}; raise 'height'"
        )
    return places


class Boxes:
    """The boxes of ``person_tracking`` by frame."""

    def __init__(self, detections: Table[Any]) -> None:
        order = np.argsort(detections.column("frame"), kind="stable")
        self._frames = detections.column("frame")[order]
        self._times = detections.column("time")[order]
        corners = [detections.column(name)[order] for name in ("x1", "y1", "x2", "y2")]
        self._boxes = np.stack(corners, axis=1).astype(np.float64)
        tracks = np.ma.asarray(detections.column("track"))[order]
        self._tracked = ~np.ma.getmaskarray(tracks)
        self._tracks = tracks.filled(0)
        self._labels = detections.column("label")[order]

    def tracked(self, frame: int) -> tuple[list[str], NDArray[np.float64], list[int]]:
        """Labels, boxes (N, 4) and tracks of those that are tracked in a frame."""
        rows = self._rows(frame)
        rows = rows[self._tracked[rows]]
        return self._labels[rows].tolist(), self._boxes[rows], self._tracks[rows].tolist()

    def about(self, frame: int, time: float, within: float) -> NDArray[np.float64]:
        """All boxes (N, 4) of a frame, or of the last before it that has any, at most ``within`` seconds earlier."""
        last = int(np.searchsorted(self._frames, frame, side="right")) - 1
        if last < 0 or time - self._times[last] > within:
            return np.empty((0, 4))
        return self._boxes[self._rows(int(self._frames[last]))]

    def _rows(self, frame: int) -> NDArray[np.int64]:
        first, last = np.searchsorted(self._frames, [frame, frame + 1])
        return np.arange(first, last)
