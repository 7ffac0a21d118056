"""Persons with boxes, keypoints and track ids: ultralytics YOLO and ByteTrack on the house's frames.

This distribution is AGPL-3.0-or-later because ultralytics and its weights are.
"""

from __future__ import annotations

import videoannotator as va

_RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.3.0"
_LICENCE = "AGPL-3.0-or-later"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="person_tracking",
            version="1.1",
            summary="Persons in every frame: box, score, track id, and 17 keypoints with pose weights",
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
            models=(
                va.ModelSpec(
                    name="yolo11n-pose.pt",
                    source=f"{_RELEASE}/yolo11n-pose.pt",
                    licence=_LICENCE,
                    sha256="869e83fcdffdc7371fa4e34cd8e51c838cc729571d1635e5141e3075e9319dc0",
                    size=6_255_593,
                    summary="YOLO11 nano, persons with 17 COCO keypoints",
                ),
                va.ModelSpec(
                    name="yolo11n.pt",
                    source=f"{_RELEASE}/yolo11n.pt",
                    licence=_LICENCE,
                    sha256="0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
                    size=5_613_764,
                    summary="YOLO11 nano, boxes of the 80 COCO classes, no keypoints",
                ),
            ),
        )
    ]
