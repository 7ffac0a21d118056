"""Forty emotions in faces: LAION's Empathic-Insight-Face, regressions on what SigLIP 2 sees."""

from __future__ import annotations

import videoannotator as va

_HEADS = "LAION's regression heads on SigLIP 2, trained on the synthetic portraits of EmoNet-Face"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="laion_face",
            version="1.0",
            summary="Forty emotions in the faces of face_analysis, each rated 0 to 7 (Empathic-Insight-Face)",
            needs=(va.Frames(rate=1.0), va.Output("face_analysis")),
            gives={
                "emotions": "videoannotator_laion_face.rows:FaceEmotions",
                "dimensions": "videoannotator_laion_face.rows:FaceDimensions",
                "scaled": "videoannotator_laion_face.rows:FaceEmotions",
                "above_neutral": "videoannotator_laion_face.rows:FaceEmotions",
                "embeddings": "videoannotator.data.rows:Embedding",
            },
            pipeline="videoannotator_laion_face.pipeline:LaionFace",
            config="videoannotator_laion_face.config:LaionFaceConfig",
            licence="MIT",
            accelerators=("cuda", "mps"),
            batch=8,
            memory=va.MemoryNeed(fixed=3_000_000_000, per_frame=120_000_000),
            models=(
                va.ModelSpec(
                    name="empathic-insight-face-large",
                    source="hub:laion/Empathic-Insight-Face-Large@main",
                    licence="CC-BY-4.0",
                    files=("*.pth", "*.json"),  # the mean ratings of neutral faces are in one
                    summary=f"{_HEADS}; four layers each",
                ),
                va.ModelSpec(
                    name="empathic-insight-face-small",
                    source="hub:laion/Empathic-Insight-Face-Small@main",
                    licence="CC-BY-4.0",
                    files=("*.pth",),
                    summary=f"{_HEADS}; three small layers each",
                ),
                va.ModelSpec(
                    name="siglip2-so400m-patch16-384",
                    source="hub:google/siglip2-so400m-patch16-384@main",
                    licence="Apache-2.0",
                    files=("config.json", "preprocessor_config.json", "model*.safetensors*"),
                    summary="SigLIP 2, shape-optimised ViT of 400 million parameters, pictures of 384 x 384",
                ),
            ),
        )
    ]
