import videoannotator as va


@va.hookimpl
def videoannotator_pipelines():
    return [
        va.PipelineSpec(
            name="brightness",
            version="1.0",
            needs=[va.Frames(rate=5.0, height=90, color="gray")],
            gives={"brightness": "va_test_good.pipeline:Brightness"},
            pipeline="va_test_good.pipeline:BrightnessPipeline",
            config="va_test_good.pipeline:Config",
            licence="MIT",
        )
    ]


@va.hookimpl
def videoannotator_formats():
    return [va.FormatSpec(name="shout", suffixes=[".shout"], format="va_test_good.shout:Shout")]
