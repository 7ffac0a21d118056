"""A plugin whose pipelines do what jobs have to survive: slow ones, ones that fail, hang, crash, or eat memory."""

import videoannotator as va

_SIGNAL = "videoannotator.data.rows:Signal"


def _spec(name: str, cls: str, needs: list[va.Frames | va.Audio | va.Output]) -> va.PipelineSpec:
    where = "va_test_jobs.pipelines"
    return va.PipelineSpec(
        name=name,
        version="1.0",
        needs=needs,
        gives={"values": _SIGNAL},
        pipeline=f"{where}:{cls}",
        config=f"{where}:Way",
        licence="MIT",
        batch=4,
    )


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    return [
        _spec("counts", "Counts", [va.Frames(height=120, color="gray")]),
        _spec("after", "After", [va.Output("counts")]),
        _spec("misbehaves", "Misbehaves", [va.Frames(height=120, color="gray")]),
    ]
