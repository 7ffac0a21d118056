import videoannotator as va


@va.hookimpl
def videoannotator_pipelines():
    return [
        va.PipelineSpec(
            name="heavy",
            version="1.0",
            needs=[va.Frames()],
            gives={"x": "videoannotator.data.rows:Signal"},
            pipeline="va_test_heavy.pipeline:Heavy",
            licence="MIT",
            accelerators=["cuda"],
        )
    ]
