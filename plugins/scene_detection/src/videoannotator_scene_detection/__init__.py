"""Shots and cuts: PySceneDetect's detectors on the house's frames, with the file's own times."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="scene_detection",
            version="1.0",
            summary="Shots between cuts, without gaps, as PySceneDetect finds them",
            needs=(va.Frames(color="bgr"),),
            gives={"shots": "videoannotator.data.rows:Shot"},
            pipeline="videoannotator_scene_detection.pipeline:SceneDetection",
            config="videoannotator_scene_detection.config:SceneDetectionConfig",
            licence="MIT",
            memory=va.MemoryNeed(fixed=215_000_000, per_pixel=8),  # of the processor
        )
    ]
