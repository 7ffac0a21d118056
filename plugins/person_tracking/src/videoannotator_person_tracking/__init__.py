"""Persons with boxes, keypoints and track ids: ultralytics YOLO and its trackers on the house's frames.

This distribution is AGPL-3.0-or-later because ultralytics and its weights are.
"""

from __future__ import annotations

import videoannotator as va
from videoannotator_person_tracking.weights import MODELS

_LICENCE = "AGPL-3.0-or-later"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="person_tracking",
            version="1.1",
            summary="Persons in every frame: box, score, track id, 17 keypoints with pose weights; their tracks",
            needs=(va.Frames(color="bgr"),),
            gives={
                "detections": "videoannotator.data.rows:Detection",
                "tracks": "videoannotator.data.rows:Track",
            },
            pipeline="videoannotator_person_tracking.pipeline:PersonTracking",
            config="videoannotator_person_tracking.config:PersonTrackingConfig",
            licence=_LICENCE,
            accelerators=("cuda", "mps"),
            batch=8,
            memory=va.MemoryNeed(fixed=1_150_000_000, per_pixel=30),  # of the processor
            precisions=("exact", "fast"),
            models=MODELS,
        )
    ]
