"""Motion energy per region, and the motion of the camera: frame differencing, no model."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="motion",
            version="1.0",
            summary="Motion energy of the picture, its halves, your regions and each person; camera motion apart",
            needs=(va.Frames(height=240, color="gray"), va.Output("person_tracking", optional=True)),
            gives={
                "energy": "videoannotator_motion.rows:MotionEnergy",
                "camera": "videoannotator_motion.rows:CameraMotion",
            },
            pipeline="videoannotator_motion.pipeline:Motion",
            config="videoannotator_motion.config:MotionConfig",
            licence="MIT",
            memory=va.MemoryNeed(fixed=120_000_000, per_pixel=40),  # of the processor
        )
    ]
