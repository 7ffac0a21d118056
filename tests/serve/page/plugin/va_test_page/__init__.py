"""Pipelines for the page's tests: one that finds a bright square, one that is slow when told, one that always fails."""

import videoannotator as va

_FRAMES: list[va.Frames | va.Audio | va.Output] = [va.Frames(color="gray")]


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    return [
        va.PipelineSpec(
            name="bright_square",
            version="1.0",
            needs=_FRAMES,
            gives={"squares": "videoannotator.data.rows:Detection"},
            pipeline="va_test_page.pipelines:BrightSquare",
            config="va_test_page.pipelines:BrightSettings",
            licence="MIT",
            summary="Where the bright square is",
        ),
        va.PipelineSpec(
            name="slow_square",
            version="1.0",
            needs=_FRAMES,
            gives={"squares": "videoannotator.data.rows:Detection"},
            pipeline="va_test_page.pipelines:SlowSquare",
            licence="MIT",
            batch=1,
            summary="The same, as slowly as it is told to",
        ),
        va.PipelineSpec(
            name="always_broken",
            version="1.0",
            needs=_FRAMES,
            gives={"squares": "videoannotator.data.rows:Detection"},
            pipeline="va_test_page.pipelines:Broken",
            licence="MIT",
            summary="Fails, to show what a failure looks like",
        ),
    ]
