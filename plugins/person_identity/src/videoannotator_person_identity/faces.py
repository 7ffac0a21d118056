"""Whose face is whose: by where a face lies in a person's box and among the keypoints of the head.

A face box and a body box never overlap much even when they are one person's, so their intersection over union tells
nothing; what counts is that the face lies *inside*, where the head is.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from videoannotator import Face, Table
from videoannotator_person_identity.tracks import Tracks, boxes_of

__all__ = ["Placed", "head_fit", "keypoints_of", "placed"]

_SURE = 0.3  # least score of a keypoint
_HEAD = [0, 1, 2, 3, 4]  # nose, eyes, ears in COCO's order
_LEAST = 0.1  # fit below which a face is nobody's
_WIDER = 0.25  # of its size by which a face box is widened on each side to hold the ears


@attrs.frozen(eq=False)
class Placed:
    """For each face row: ``row``: the row of `Tracks` whose face it is, -1: nobody's. ``score``: how well it lies
    there, 0..1. ``company``: rows of tracks were there in its frame."""

    row: NDArray[np.intp]
    score: NDArray[np.float64]
    company: NDArray[np.bool_]


def placed(faces: Table[Face], tracks: Tracks, keypoints: NDArray[np.float64] | None) -> Placed:
    """Faces given to persons, in each frame each face to one and each person one: the best in all.

    ``keypoints``: (rows of ``tracks``, 17, 3), None where the detector has none.
    """
    row, score = np.full(len(faces), -1, dtype=np.intp), np.zeros(len(faces))
    company = np.zeros(len(faces), dtype=bool)
    if not len(faces) or not len(tracks):
        return Placed(row, score, company)
    box, frame = boxes_of(faces), faces.frame
    order = np.argsort(tracks.frame, kind="stable")
    known = tracks.frame[order]
    for moment in np.unique(frame):
        these = np.flatnonzero(frame == moment)
        low, high = np.searchsorted(known, [moment, moment + 1])
        persons = order[low:high]
        company[these] = len(persons) > 0
        if len(persons):
            fit = head_fit(box[these], tracks.box[persons], None if keypoints is None else keypoints[persons])
            for i, j in zip(*linear_sum_assignment(-fit), strict=True):
                if fit[i, j] >= _LEAST:
                    row[these[i]], score[these[i]] = persons[j], fit[i, j]
    return Placed(row, score, company)


def head_fit(
    faces: NDArray[np.float64], bodies: NDArray[np.float64], keypoints: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """How well each face (F, 4) lies in the head of each body (B, 4): (F, B), 0..1.

    The share of the face inside the body's box, times where it is: with keypoints of the head, the share of them
    (weighted by their scores) inside the face, a little widened; without, 1 in the top third of the box, falling to 0
    at three fifths of its height.
    """
    low, high = np.maximum(faces[:, None, :2], bodies[None, :, :2]), np.minimum(faces[:, None, 2:], bodies[None, :, 2:])
    inside = np.maximum(high - low, 0).prod(axis=2)
    area = np.maximum((faces[:, 2:] - faces[:, :2]).prod(axis=1), 1e-9)
    share = inside / area[:, None]
    middle = (faces[:, :2] + faces[:, 2:]) / 2
    tall = np.maximum(bodies[:, 3] - bodies[:, 1], 1e-9)
    depth = (middle[:, None, 1] - bodies[None, :, 1]) / tall
    where = np.clip((0.6 - depth) / (0.6 - 1 / 3), 0, 1)
    if keypoints is not None:
        points = keypoints[:, _HEAD]
        weight = np.where(points[..., 2] >= _SURE, points[..., 2], 0.0)
        size = (faces[:, 2:] - faces[:, :2]) * _WIDER
        least, most = faces[:, None, None, :2] - size[:, None, None], faces[:, None, None, 2:] + size[:, None, None]
        within = ((points[None, ..., :2] >= least) & (points[None, ..., :2] <= most)).all(axis=3)
        total = weight.sum(axis=1)
        told = (within * weight).sum(axis=2) / np.maximum(total, 1e-9)
        where = np.where(total > 2 * _SURE, told, where)
    fit: NDArray[np.float64] = np.clip(share * where, 0, 1)
    return fit


def keypoints_of(table: Table[Any], rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """COCO keypoints of rows of a table, (rows, 17, 3); score 0 where a row has none; None where no row has any."""
    given = table.column("keypoints")
    if given.dtype != object:
        return given[rows].astype(np.float64) if given.shape[1:] == (17, 3) else None
    chosen = [given[row] for row in rows.tolist()]
    if not any(points is not None and points.shape == (17, 3) for points in chosen):
        return None
    none = np.zeros((17, 3))
    whole = [points if points is not None and points.shape == (17, 3) else none for points in chosen]
    return np.array(whole, dtype=np.float64)
