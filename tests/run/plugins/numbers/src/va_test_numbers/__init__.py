"""A plugin that needs another numpy than ours, so it can live in an environment of its own only."""

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines():
    return [
        va.PipelineSpec(
            name="numbers",
            version="1.0",
            summary="grey values, by a numpy of its own",
            needs=[va.Frames(rate=5.0, height=90, color="gray")],
            gives={"numbers": "va_test_numbers.pipeline:Number", "notes": "va_test_numbers.pipeline:Note"},
            pipeline="va_test_numbers.pipeline:Numbers",
            config="va_test_numbers.pipeline:Config",
            licence="MIT",
            models=[
                va.ModelSpec(name="inside.txt", source="package:va_test_numbers/inside.txt", licence="MIT"),
                va.ModelSpec(
                    name="absent.bin", source="https://models.invalid/absent.bin", licence="MIT", size=5_000_000
                ),
            ],
        )
    ]


@va.hookimpl
def videoannotator_formats():
    return [va.FormatSpec(name="numbered", suffixes=[".numbered"], format="va_test_numbers.pipeline:Numbered")]
