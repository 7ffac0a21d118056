"""Shots and cuts: PySceneDetect's detectors on the house's frames, with the file's own times; labels by CLIP."""

from __future__ import annotations

import videoannotator as va

_CLIP = "https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/1a25a446712ba5ee05982a381eed697ef9b435cf"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="scene_detection",
            version="1.1",
            summary="Shots between cuts, without gaps, as PySceneDetect finds them; if asked, fades and labels by CLIP",
            needs=(va.Frames(color="bgr"),),
            gives={
                "shots": "videoannotator.data.rows:Shot",
                "transitions": "videoannotator_scene_detection.rows:Transition",
                "labels": "videoannotator_scene_detection.rows:ShotLabel",
                "embeddings": "videoannotator.data.rows:Embedding",
            },
            pipeline="videoannotator_scene_detection.pipeline:SceneDetection",
            config="videoannotator_scene_detection.config:SceneDetectionConfig",
            licence="MIT",
            memory=va.MemoryNeed(fixed=215_000_000, per_pixel=8),  # of the processor, without labels
            models=(
                va.ModelSpec(
                    name="CLIP-ViT-B-32-laion2B-s34B-b79K",
                    source=f"{_CLIP}/open_clip_model.safetensors",
                    licence="MIT",
                    sha256="ac4f8c4b88af6d963118cbf40ad93176d092abbedfcb752601ae1866352656e6",
                    size=605_143_316,
                    summary="CLIP ViT-B/32, trained on LAION-2B (English); used only when labels are asked for",
                ),
            ),
        )
    ]
