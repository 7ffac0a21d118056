"""How much mouths change, picture by picture: laid onto a template, held still, and compared with the rest of the face.

A face is laid onto a small template by its eyes and the tip of its nose, which do not move when it speaks. What is left
of the motion of the head, where sightings are far apart or landmarks tremble, is taken out by shifting the picture so
that eyes and nose lie on those of the picture before (Lucas & Kanade, *An iterative image registration technique*,
IJCAI 1981). Then the mouth's grey levels are compared with those before, in standard deviations of the face's, and so
are those of eyes and nose, which tell how much of a change is noise, blur or a turning head.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator_active_speaker.tracks import FaceTrack, InPicture

__all__ = ["Mouth", "Mouths", "Series", "similarity"]

Gray = NDArray[np.uint8]

TEMPLATE: NDArray[np.float64] = np.array([[16.0, 16.0], [40.0, 16.0], [28.0, 31.0]])
"""Where right eye, left eye and tip of the nose are laid, in a picture of 56 x 64; the mouth is then near (28, 44)."""

_WIDTH, _HEIGHT = 56, 64
_STEADY = slice(8, 32), slice(8, 48)  # eyes and nose: rows, columns
_REST = slice(10, 32), slice(10, 46)
_MOUTH = slice(36, 58), slice(14, 42)  # lips and what the jaw moves
_INNER = slice(42, 50), slice(20, 36)
_STEPS = 4
_FARTHEST = 8.0  # template pixels; eyes lie 24 apart
_APART = 0.25  # s, between pictures that are compared


@attrs.frozen
class Mouth:
    """One face in one picture.

    ``mouth``, ``rest``: mean change of the grey levels since the picture before, in standard deviations of the face's;
    NaN for the first. ``opening``: how much darker the inside of the mouth is than what is around it, same unit.
    """

    time: float
    mouth: float
    rest: float
    opening: float


@attrs.frozen(eq=False)
class Series:
    """What was measured of one face: (N,) each, in order of time; see `Mouth`."""

    time: NDArray[np.float64]
    mouth: NDArray[np.float64]
    rest: NDArray[np.float64]
    opening: NDArray[np.float64]


Kept = tuple[float, NDArray[np.float32]]


class Mouths:
    """Watches the mouths of ``tracks``. ``smallest``: least distance between the eyes, in pixels of the pictures given;
    ``turned``: most that a head is turned to the side, degrees."""

    def __init__(self, tracks: Mapping[int, FaceTrack], *, smallest: float, turned: float) -> None:
        self._tracks, self._seen = tracks, InPicture(tracks)
        self._smallest, self._turned = smallest, turned
        self._before: dict[int, Kept] = {}

    def state(self) -> dict[int, Kept]:
        """The last picture of each face in sight, 14 kB each."""
        return dict(self._before)

    def restore(self, state: Mapping[int, Kept]) -> None:
        """Go on from there."""
        self._before = dict(state)

    def look(self, picture: Gray, time: float, scale: tuple[float, float]) -> dict[int, Mouth]:
        """What is measured of the faces in a picture, by track. ``scale``: from its pixels to those shown."""
        found, now = {}, {}
        for track, matrix in self.placed(time, scale):
            face = laid(picture, matrix)
            before = self._before.get(track)
            near = before is not None and 0 < time - before[0] <= _APART
            found[track] = _compared(time, face, before[1] if before is not None and near else None)
            now[track] = time, face
        self._before = now
        return found

    def placed(self, time: float, scale: tuple[float, float]) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """The faces that are large enough and not turned away, and how each is laid onto the template."""
        for track in self._seen.during(time, time):
            place = self._tracks[track].place(time)
            if place is None or not np.isfinite(place[0]).all() or abs(place[1]) > self._turned:
                continue
            points = place[0][:3] / np.array(scale)
            if float(np.hypot(*(points[1] - points[0]))) >= max(self._smallest, 1e-3):
                yield track, similarity(points)


def similarity(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation, scale and shift that lays eyes and nose (3, 2) best onto `TEMPLATE`: float64 (2, 3).

    Least squares (Umeyama, *Least-squares estimation of transformation parameters*, IEEE PAMI 13(4), 1991).
    """
    a, b = points - points.mean(axis=0), TEMPLATE - TEMPLATE.mean(axis=0)
    spread = float((a**2).sum())
    real = float((a * b).sum()) / spread
    imaginary = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[real, -imaginary], [imaginary, real]])
    return np.column_stack([turn, TEMPLATE.mean(axis=0) - turn @ points.mean(axis=0)])


def laid(picture: Gray, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """The face on the template, slightly blurred: float32 (64, 56)."""
    shrinks = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if shrinks < 0.5:  # average what would be skipped
        x1, y1, x2, y2 = _reach(matrix, picture.shape)
        part = picture[y1:y2, x1:x2]
        if part.size:
            blurred = cv2.GaussianBlur(part, (0, 0), 0.4 / shrinks)
            matrix = matrix @ np.array([[1, 0, x1], [0, 1, y1], [0, 0, 1.0]])
            picture = np.asarray(blurred, dtype=np.uint8)
    face = cv2.warpAffine(
        picture, matrix, (_WIDTH, _HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(face, (0, 0), 1.0), dtype=np.float32)


def _reach(matrix: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The part of the picture that lies on the template, and a little more."""
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    corners = back @ np.array([[-3, _WIDTH + 3, -3, _WIDTH + 3], [-3, -3, _HEIGHT + 3, _HEIGHT + 3], [1, 1, 1, 1.0]])
    x1, y1 = np.floor(corners[:2].min(axis=1)).astype(int)
    x2, y2 = np.ceil(corners[:2].max(axis=1)).astype(int)
    return max(x1, 0), max(y1, 0), min(x2, shape[1]), min(y2, shape[0])


def _compared(time: float, face: NDArray[np.float32], before: NDArray[np.float32] | None) -> Mouth:
    contrast = float(face.std()) + 3.0  # grey levels; a flat grey patch shows noise only
    opening = (float(face[_MOUTH].mean()) - float(face[_INNER].mean())) / contrast
    if before is None:
        return Mouth(time, np.nan, np.nan, opening)
    change = np.abs(_steadied(before, face) - before) / contrast
    return Mouth(time, float(change[_MOUTH].mean()), float(change[_REST].mean()), opening)


def _steadied(before: NDArray[np.float32], now: NDArray[np.float32]) -> NDArray[np.float32]:
    """``now``, shifted so that eyes and nose lie on those of ``before``."""
    target = before[_STEADY]
    down, across = np.gradient(target)
    slopes = np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float64)
    normal = slopes.T @ slopes + 1e-3 * np.eye(2)
    shift = np.zeros(2)
    shifted = now
    for _ in range(_STEPS):
        error = (target - shifted[_STEADY]).ravel().astype(np.float64)
        step = np.linalg.solve(normal, slopes.T @ error)
        shift = np.clip(shift + step, -_FARTHEST, _FARTHEST)
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(now, matrix, (_WIDTH, _HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        shifted = np.asarray(moved, dtype=np.float32)
        if np.abs(step).max() < 0.02:
            break
    return shifted
