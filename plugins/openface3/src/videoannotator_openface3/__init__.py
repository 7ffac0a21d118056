"""Faces as OpenFace 3.0 reads them: 98 landmarks, expressions, gaze and action units. Non-commercial research only.

The code and the weights are those of the package ``openface-test``, whose licence forbids commercial use and passing it
on; this distribution contains neither. It pins its libraries, so it lives in an environment of its own.
"""

from __future__ import annotations

import videoannotator as va

_WEIGHTS = "https://huggingface.co/nutPace/openface_weights/resolve/main"  # where `openface download` takes them from
_LICENCE = "LicenseRef-OpenFace-3.0-NonCommercial"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="openface3",
            version="1.0",
            summary="OpenFace 3.0: faces, 98 landmarks, 8 expressions, gaze, 8 action units (non-commercial)",
            needs=(va.Frames(rate=5.0, color="bgr"),),
            gives={
                "faces": "videoannotator.data.rows:Face",
                "behaviour": "videoannotator_openface3.rows:FacialBehaviour",
            },
            pipeline="videoannotator_openface3.pipeline:OpenFace3",
            config="videoannotator_openface3.config:OpenFace3Config",
            licence=f"MIT AND {_LICENCE}",
            accelerators=("cuda",),
            batch=4,
            memory=va.MemoryNeed(fixed=1_900_000_000, per_pixel=300),
            models=(
                va.ModelSpec(
                    name="openface3-multitask",
                    source=f"{_WEIGHTS}/MTL_backbone.pth",
                    licence=_LICENCE,
                    size=102_000_000,  # this and the one below to the megabyte: their page says no more, and no hash
                    summary="EfficientNet-B0 with heads for expression, gaze and action units; a pickle, read by "
                    "torch's allow-list of tensors only",
                ),
                va.ModelSpec(
                    name="openface3-retinaface",
                    source=f"{_WEIGHTS}/Alignment_RetinaFace.pth",
                    licence=f"MIT AND {_LICENCE}",  # the file is that of biubug6/Pytorch_Retinaface, by its hash
                    sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
                    size=1_789_735,
                    summary="RetinaFace, MobileNet 0.25; a pickle, read by torch's allow-list of tensors only",
                ),
                va.ModelSpec(
                    name="openface3-landmarks",
                    source=f"{_WEIGHTS}/Landmark_98.pkl",
                    licence=_LICENCE,
                    size=178_000_000,
                    summary="STAR, 98 landmarks of WFLW; a pickle, read by torch's allow-list of tensors and of "
                    "collections.Counter",
                ),
            ),
        )
    ]
