"""One person, one id: tracks and faces joined to persons, through cuts, occlusions and absences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import videoannotator as va

if TYPE_CHECKING:
    from videoannotator_person_identity.gallery import Gallery, enrol, enrol_pictures
    from videoannotator_person_identity.whole import by_person

__all__ = ["Gallery", "by_person", "enrol", "enrol_pictures", "videoannotator_pipelines"]

_ROWS = "videoannotator_person_identity.rows"


def __getattr__(name: str) -> Any:
    """`Gallery`, `enrol`, `enrol_pictures` and `by_person`, imported when they are asked for."""
    if name == "by_person":
        from videoannotator_person_identity.whole import by_person

        return by_person
    if name in ("Gallery", "enrol", "enrol_pictures"):
        from videoannotator_person_identity import gallery

        return getattr(gallery, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="person_identity",
            version="1.0",
            summary="One person, one id: tracks and faces joined to persons, with roles and known names",
            needs=(
                va.Output("person_tracking"),
                va.Output("face_analysis", optional=True),
                va.Output("scene_detection", optional=True),
                va.Frames(rate=5.0, height=720),
            ),
            gives={
                "persons": f"{_ROWS}:Person",
                "links": f"{_ROWS}:Link",
                "faces": f"{_ROWS}:FaceLink",
                "filled": f"{_ROWS}:Filled",
                "looks": f"{_ROWS}:Looks",
            },
            pipeline="videoannotator_person_identity.pipeline:PersonIdentity",
            config="videoannotator_person_identity.config:PersonIdentityConfig",
            licence="MIT",
            accelerators=("cuda",),
            batch=8,
            models=(
                va.ModelSpec(
                    name="osnet_x0_25_msmt17.onnx",
                    source="https://huggingface.co/anriha/osnet_x0_25_msmt17/resolve/"
                    "1e22b925c70caa5591e9fab3f5540af8484bcad8/osnet_x0_25_msmt17.onnx",
                    licence="MIT",
                    sha256="e78604f4ccda49b8f41cd0f8f7303800ce75d2361895ebb0729513c1bf53d277",
                    size=907_169,
                    summary="OSNet x0.25, re-identification of persons, trained on MSMT17",
                ),
            ),
        )
    ]
