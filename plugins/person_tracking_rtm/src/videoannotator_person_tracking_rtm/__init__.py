"""Persons with boxes, keypoints and track ids, without AGPL: RTMDet and RTMPose on onnxruntime, and ByteTrack."""

from __future__ import annotations

import videoannotator as va

_SDK = "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/onnx_sdk"


def _model(name: str, file: str, summary: str) -> va.ModelSpec:
    return va.ModelSpec(
        name=name, source=f"{_SDK}/{file}.zip", inside="end2end.onnx", licence="Apache-2.0", summary=summary
    )


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin, a backend of ``person_tracking``."""
    return [
        va.PipelineSpec(
            name="person_tracking",
            backend="rtmlib",
            version="1.0",
            summary="Persons in every frame: box, score, track id and 17 keypoints (RTMDet, RTMPose, ByteTrack)",
            needs=(va.Frames(color="bgr"),),
            gives={
                "detections": "videoannotator.data.rows:Detection",
                "tracks": "videoannotator.data.rows:Track",
            },
            pipeline="videoannotator_person_tracking_rtm.pipeline:PersonTrackingRTM",
            config="videoannotator_person_tracking_rtm.config:PersonTrackingRTMConfig",
            licence="MIT",
            batch=8,
            models=(
                _model(
                    "rtmdet-m-person",
                    "rtmdet_m_8xb32-100e_coco-obj365-person-235e8209",
                    "RTMDet-m, persons, 640 px, trained on COCO and Objects365",
                ),
                _model(
                    "rtmdet-nano-person",
                    "rtmdet_nano_8xb32-100e_coco-obj365-person-05d8511e",
                    "RTMDet-nano, persons, 320 px, trained on COCO and Objects365",
                ),
                _model(
                    "yolox-tiny-humanart",
                    "yolox_tiny_8xb8-300e_humanart-6f3252f9",
                    "YOLOX-tiny, persons, 416 px, trained on Human-Art and COCO; rtmlib's 'lightweight'",
                ),
                _model(
                    "yolox-m-humanart",
                    "yolox_m_8xb8-300e_humanart-c2c7a14a",
                    "YOLOX-m, persons, 640 px, trained on Human-Art and COCO; rtmlib's 'balanced'",
                ),
                _model(
                    "yolox-x-humanart",
                    "yolox_x_8xb8-300e_humanart-a39d44ed",
                    "YOLOX-x, persons, 640 px, trained on Human-Art and COCO; rtmlib's 'performance'",
                ),
                _model(
                    "rtmpose-s-body7",
                    "rtmpose-s_simcc-body7_pt-body7_420e-256x192-acd4a1ef_20230504",
                    "RTMPose-s, 17 COCO keypoints, 256x192; rtmlib's 'lightweight'",
                ),
                _model(
                    "rtmpose-m-body7",
                    "rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504",
                    "RTMPose-m, 17 COCO keypoints, 256x192; rtmlib's 'balanced'",
                ),
                _model(
                    "rtmpose-x-body7",
                    "rtmpose-x_simcc-body7_pt-body7_700e-384x288-71d7b7e9_20230629",
                    "RTMPose-x, 17 COCO keypoints, 384x288; rtmlib's 'performance'",
                ),
            ),
        )
    ]
