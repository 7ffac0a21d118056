"""Tracking on PETS09-S2L1: `person_tracking` beside ultralytics' own trackers, the same weights on the same frames.

Ground truth: MOT 2015 (Leal-Taixé et al., arXiv:1504.01942), rows with flag 1, brought from 768x576 to the video's
size.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any

import av
import numpy as np
from benchmarks.accuracy.mot import Boxes, Scores, judged, read_truth, tracked
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Figure, Section, Table
from numpy.typing import NDArray

import videoannotator as va

__all__ = ["FRAMES", "VIDEO", "WEIGHTS", "annotated", "sections", "truth"]

VIDEO = ASSETS / "pets/PETS09-S2L1.avi"
WEIGHTS = ASSETS / "models/yolo11n_int8_openvino_model"
FRAMES = 795
_SCALE = 0.625  # of the video: 480 pixels of 768

OTHERS = ("bytetrack", "botsort", "tracktrack")
"""ultralytics' trackers: what the pipeline's are named after, and the default of its ``track`` (8.4.190)."""

OSNET = ASSETS / "models/osnet_x0_25_msmt17.onnx"
JUDGED = "tracker=cbiou"
OURS: Mapping[str, Mapping[str, Any]] = {
    "the defaults": {},
    "tracker=botsort": {"tracker": "botsort"},
    "tracker=botsort, camera_motion=false": {"tracker": "botsort", "camera_motion": False},
    "tracker=botsort, reid=OSNet": {"tracker": "botsort", "reid": str(OSNET)},
    JUDGED: {"tracker": "cbiou"},
    "tracker=cbiou, reid=OSNet": {"tracker": "cbiou", "reid": str(OSNET)},
}
"""Settings of `person_tracking`; that which is judged is `JUDGED`."""


def truth() -> Boxes:
    """The marked persons, in pixels of the video."""
    return read_truth(VIDEO.with_name("gt.txt"), _SCALE)


def annotated(config: Mapping[str, Any], *more: str) -> va.Result:
    """A run of ours with these settings of the pipelines; ``more``: others than `person_tracking`."""
    settings = {**config, "person_tracking": {"weights": str(WEIGHTS), **config.get("person_tracking", {})}}
    with va.Annotator(["person_tracking", *more], config=settings, cache=False) as annotator:
        return annotator.annotate(VIDEO, progress=False, on_error="raise")


def ultralytics(tracker: str) -> Boxes:
    """What ``YOLO(weights).track(frame, persist=True, tracker=..., classes=[0])`` gives, frame by frame."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO

    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    model = YOLO(str(WEIGHTS), task="detect")
    frames, ids, boxes = [], [], []
    for number, picture in enumerate(_pictures()):
        found = model.track(picture, persist=True, tracker=f"{tracker}.yaml", classes=[0], verbose=False)[0].boxes
        if found.id is not None:
            frames += [number] * len(found)
            ids += found.id.int().tolist()
            boxes.append(found.xyxy.numpy())
    return Boxes(np.array(frames), np.array(ids), np.concatenate(boxes).astype(np.float64))


def _pictures() -> Iterator[NDArray[np.uint8]]:
    with av.open(str(VIDEO)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="bgr24")


def sections() -> list[Section]:
    """Measure all sides."""
    right = truth()
    sides: dict[str, Scores] = {f"ultralytics, {name}": judged(ultralytics(name), right, FRAMES) for name in OTHERS}
    best = list(sides.values())
    for name, settings in OURS.items():
        rows = annotated({"person_tracking": settings})["person_tracking"].detections
        sides[f"person_tracking, {name}"] = judged(tracked(rows), right, FRAMES)
    mine = sides[f"person_tracking, {JUDGED}"]
    figures = (
        Figure("HOTA", (mine.hota,), "", least=max(side.hota for side in best), how=".3f"),
        Figure("MOTA", (mine.mota,), "", least=max(side.mota for side in best), how=".3f"),
        Figure("IDF1", (mine.idf1,), "", least=max(side.idf1 for side in best), how=".3f"),
        Figure("switches", (mine.switches,), "", most=min(side.switches for side in best), how="d"),
    )
    head = ("side", "HOTA", "MOTA", "IDF1", "switches", "DetA", "AssA", "missed", "false", "ids")
    rows = tuple((name, *_told(side)) for name, side in sides.items())
    title = f"Tracking: {VIDEO.name}, {WEIGHTS.name}, {len(right)} boxes of {len(np.unique(right.track))} people"
    return [Section(title, "", figures, (Table(head, rows),))]


def _told(side: Scores) -> tuple[str, ...]:
    shares = (side.hota, side.mota, side.idf1)
    more = (side.detection, side.association)
    counts = (side.missed, side.false, side.persons)
    return (
        *(f"{share:.3f}" for share in shares),
        str(side.switches),
        *(f"{share:.3f}" for share in more),
        *map(str, counts),
    )
