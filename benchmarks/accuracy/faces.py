"""Faces: the detectors of `face_analysis` compared with each other, and how many faces that people see are found.

Nobody marked the faces in the test material. What can be said is in how many frames that show a face one is found
(looked up by eye, `WITHOUT`), and what one detector finds of what another one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Figure, Section, Table
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

import videoannotator as va
from videoannotator.discover.models import ModelStore
from videoannotator_face_analysis import videoannotator_pipelines

__all__ = ["ONE_FACE", "VIDEOS", "WITHOUT", "Agreement", "agreement", "detectors", "found", "sections"]

ONE_FACE = ASSETS / "video/face_expressions.mp4"
WITHOUT: frozenset[int] = frozenset()
"""Frames of `ONE_FACE` that show no face: none of its 472.

Looked up on contact sheets: every fifth frame, and each one from 88 to 151, where a hand lies on the face. It is a
single shot of a woman who stays in the picture; behind the hand one eye at least can always be seen.
"""

VIDEOS = (
    "caregiver_infant.mp4",
    "face_expressions.mp4",
    "speech_on_stage.mp4",
    "sitcom_kitchen.avi",
    "people_walking.mp4",
)
"""Looked at five times a second."""

_OVERLAP = 0.5  # IoU of two boxes that are one face


def detectors() -> dict[str, str]:
    """Weights by name: the default, YuNet of the test material, and what else is declared and on this disk."""
    spec = next(spec for spec in videoannotator_pipelines() if spec.name == "face_analysis")
    given = {"centerface": "centerface", "yunet": str(ASSETS / "models/face_detection_yunet_2026may.onnx")}
    store = ModelStore()
    more = [model.name for model in spec.models if model.name.startswith("retinaface")]
    return given | {name: name for name in more if store.present(name, spec.models)}


def found(video: Path, weights: str, rate: float | None) -> va.Table[va.Face]:
    """The faces in a video; ``rate`` None: in every frame."""
    config = {"face_analysis": {"weights": weights, "rate": rate, "tracking": False}}
    with va.Annotator(["face_analysis"], config=config, cache=False, download=False) as annotator:
        return annotator.annotate(video, progress=False, on_error="raise")["face_analysis"].faces


@attrs.frozen
class Agreement:
    """What ``other`` finds of the ``faces`` of one detector: ``both`` of them, with boxes of this mean ``iou``.

    ``landmarks``: mean distance of the landmarks that are the same, in distances between the eyes; NaN for none.
    """

    faces: int
    other: int
    both: int
    iou: float
    landmarks: float


def agreement(one: va.Table[va.Face], other: va.Table[va.Face]) -> Agreement:
    """Pairs of faces in one frame, as many as can be, with boxes that overlap by half (IoU) or more."""
    ious: list[float] = []
    away: list[float] = []
    for frame in np.intersect1d(one.frame, other.frame):
        mine, theirs = one[one.frame == frame], other[other.frame == frame]
        overlap = _overlaps(_boxes(mine), _boxes(theirs))
        for a, b in zip(*linear_sum_assignment(np.where(overlap >= _OVERLAP, -1 - overlap, 0)), strict=True):
            if overlap[a, b] >= _OVERLAP:
                ious.append(float(overlap[a, b]))
                apart = np.linalg.norm(mine.landmarks[a] - theirs.landmarks[b], axis=1).mean()
                eyes = np.linalg.norm(mine.landmarks[a][0] - mine.landmarks[a][1])
                away.append(float(apart / max(eyes, 1.0)))
    nothing = float("nan")
    return Agreement(
        faces=len(one),
        other=len(other),
        both=len(ious),
        iou=float(np.mean(ious)) if ious else nothing,
        landmarks=float(np.median(away)) if away else nothing,
    )


def _boxes(table: va.Table[va.Face]) -> NDArray[np.float64]:
    return np.stack([table.column(name) for name in ("x1", "y1", "x2", "y2")], axis=1).astype(np.float64)


def _overlaps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU of every box of one list with every box of another."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (one, other)]
    return np.asarray(common / np.maximum(areas[0][:, None] + areas[1] - common, 1e-9))


def _one_face(weights: Mapping[str, str]) -> Section:
    from videoannotator.decode.probing import probe

    video = probe(ONE_FACE).video
    assert video is not None  # noqa: S101 - the material has one
    shown = np.setdiff1d(np.arange(len(video.clock)), list(WITHOUT))
    rows, shares = [], {}
    for name, which in weights.items():
        faces = found(ONE_FACE, which, None)
        with_one = np.intersect1d(faces.frame, shown)
        shares[name] = len(with_one) / len(shown)
        more = len(faces) - len(np.unique(faces.frame))
        rows.append((name, f"{len(with_one)} of {len(shown)}", f"{shares[name]:.1%}", str(more)))
    figure = Figure("frames with a face in which the default finds it", (shares["centerface"],), "", least=0.98)
    head = ("detector", "frames", "share", "faces besides")
    return Section(f"Faces: {ONE_FACE.name}, every frame", "", (figure,), (Table(head, tuple(rows)),))


def _compared(weights: Mapping[str, str]) -> Section:
    rows = []
    for name in VIDEOS:
        tables = {detector: found(ASSETS / "video" / name, which, 5.0) for detector, which in weights.items()}
        for one, mine in tables.items():
            for other, theirs in tables.items():
                if one == other:
                    continue
                same = agreement(mine, theirs)
                share = f"{same.both / same.faces:.0%}" if same.faces else "-"
                rows.append(
                    (
                        name,
                        one,
                        str(len(np.unique(mine.frame))),
                        str(same.faces),
                        other,
                        share,
                        "-" if not same.both else f"{same.iou:.2f}",
                        "-" if not same.both else f"{same.landmarks:.2f}",
                    )
                )
    head = ("video", "detector", "frames with a face", "faces", "other", "found by the other", "IoU", "landmarks apart")
    return Section("Faces: detectors against each other, five pictures a second", "", (), (Table(head, tuple(rows)),))


def sections() -> list[Section]:
    """Measure all detectors that are here."""
    weights = detectors()
    return [_one_face(weights), _compared(weights)]
