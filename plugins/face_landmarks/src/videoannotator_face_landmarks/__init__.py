"""Dense face landmarks, blendshape coefficients, head pose and iris position: MediaPipe Face Landmarker."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="face_landmarks",
            version="1.0",
            summary="478 landmarks, blendshapes, head pose and irises of faces (MediaPipe Face Landmarker)",
            needs=(va.Frames(rate=5.0), va.Output("face_analysis")),
            gives={
                "landmarks": "videoannotator_face_landmarks.rows:FaceLandmarks",
                "blendshapes": "videoannotator_face_landmarks.rows:Blendshapes",
            },
            pipeline="videoannotator_face_landmarks.pipeline:FaceLandmarksPipeline",
            config="videoannotator_face_landmarks.config:FaceLandmarksConfig",
            licence="MIT",
            batch=8,
            memory=va.MemoryNeed(fixed=250_000_000),
            models=(
                va.ModelSpec(
                    name="face_landmarker",
                    source="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1"
                    "/face_landmarker.task",
                    licence="Apache-2.0",
                    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
                    size=3_758_596,
                    summary="BlazeFace short range, Face Mesh with attention, blendshapes; float16",
                ),
            ),
        )
    ]
