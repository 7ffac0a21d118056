"""Who competes for the processor's threads, as it is asked for before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.run.pipelines import spec

import videoannotator as va
from videoannotator.data.media import MediaInfo
from videoannotator.run.measured import Measured
from videoannotator.run.requesting import Asked, Asker
from videoannotator.testing.simulated import SimulatedMachine

WEIGHTS = [va.ModelSpec("far", "https://example.invalid/far.bin", "MIT")]
LOOKS = spec("looks", "Quiet", va.Frames(), models=WEIGHTS)
HEARS = spec("hears", "Loudness", va.Audio(), models=WEIGHTS)
HEARS_TOO = spec("hears_too", "Loudness", va.Audio(rate=8000), models=WEIGHTS)
COUNTS = spec("counts", "Quiet", va.Frames())


@pytest.mark.parametrize(
    ("together", "competing"),
    [
        ([LOOKS, HEARS, COUNTS], {"looks"}),
        ([LOOKS], {"looks"}),
        ([HEARS, HEARS_TOO, COUNTS], {"hears", "hears_too"}),
    ],
    ids=["sound comes when the pictures are done", "alone", "sound only"],
)
def test_who_competes_for_threads(tmp_path: Path, together: list[va.PipelineSpec], competing: set[str]) -> None:
    media = MediaInfo("x.mp4", 1, "mp4", 1.0, None, None)
    asker = Asker(media, SimulatedMachine({}, 2), ["cpu"], Measured(tmp_path))
    found = asker.requests([Asked(one, None, one.needs) for one in together])
    assert {name for name, request in found.items() if request.heavy} == competing
