"""Who competes for the processor's threads, as it is asked for before anything runs."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from tests.run.pipelines import spec

import videoannotator as va
from videoannotator.data.media import MediaInfo
from videoannotator.run.measured import Measured
from videoannotator.run.requesting import Asked, Asker
from videoannotator.testing.clips import write_clip
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


@attrs.frozen
class Optional:
    """Settings of a pipeline whose model is used only when it is asked for."""

    labels: bool = False

    def models(self) -> tuple[str, ...]:
        return ("far",) if self.labels else ()


@pytest.mark.parametrize("labels", [False, True])
def test_who_declares_a_model_and_does_not_use_it_competes_with_nobody(tmp_path: Path, labels: bool) -> None:
    media = MediaInfo("x.mp4", 1, "mp4", 1.0, None, None)
    asker = Asker(media, SimulatedMachine({}, 2), ["cpu"], Measured(tmp_path))
    cuts = spec("cuts", "Quiet", va.Frames(), models=WEIGHTS)
    found = asker.requests([Asked(cuts, Optional(labels), cuts.needs), Asked(LOOKS, None, LOOKS.needs)])
    assert {name for name, request in found.items() if request.heavy} == ({"cuts", "looks"} if labels else {"looks"})


def test_pace_is_how_often_a_file_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, frames=20, rate=10)
    asker = Asker(va.probe(path), SimulatedMachine({}, 2), ["cpu"], Measured(tmp_path))
    needs = {"every": va.Frames(), "some": va.Frames(rate=2.0), "more than there are": va.Frames(rate=50.0)}
    asked = [Asked(spec(name.replace(" ", "_"), "Quiet", need), None, [need]) for name, need in needs.items()]
    paces = [request.pace for request in asker.requests(asked).values()]
    assert paces == pytest.approx([10.0, 2.0, 10.0])
    (hears,) = asker.requests([Asked(HEARS, None, HEARS.needs)]).values()
    assert hears.pace == 1.0
