"""Action units, gaze, head pose and expressions: Py-Feat's multitask network. Its weights are for research only."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    rows = "videoannotator_pyfeat.rows"
    return [
        va.PipelineSpec(
            name="pyfeat",
            version="1.0",
            summary="20 action units, gaze, head pose and expressions of faces (Py-Feat 2.1, research only)",
            needs=(va.Frames(rate=5.0), va.Output("face_analysis")),
            gives={
                "action_units": f"{rows}:ActionUnits",
                "gaze": f"{rows}:Gaze",
                "expressions": f"{rows}:Expression",
            },
            pipeline="videoannotator_pyfeat.pipeline:PyFeat",
            config="videoannotator_pyfeat.config:PyFeatConfig",
            licence="MIT (weights: non-commercial research)",
            batch=8,
            memory=va.MemoryNeed(fixed=1_200_000_000, per_pixel=30),
            accelerators=("cuda", "mps"),
            models=(
                va.ModelSpec(
                    name="face_multitask_v28",
                    source="hub:py-feat/face_multitask_v2@main/face_multitask_v28.safetensors",
                    licence="research-only (non-commercial; backbone weights CC BY-NC 4.0)",
                    summary="ConvNeXt V2-Tiny, 41.7 million parameters: action units, emotions, affect, gaze, pose",
                ),
            ),
        )
    ]
