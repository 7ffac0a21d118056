import videoannotator as va


@va.hookimpl
def videoannotator_pipelines():
    return [
        va.PipelineSpec(
            name="brightness",
            version="9.0",
            needs=[va.Frames()],
            gives={"brightness": "videoannotator.data.rows:Signal"},
            pipeline="va_test_clashing.none:Nothing",
            licence="MIT",
        )
    ]
