"""How the benchmarks of hearing count, against pyannote.metrics' and jiwer's definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from benchmarks.accuracy.rttm import Counts, annotation_of, counts, judged, module_of, reference, same_from_file
from pyannote.core import Annotation, Segment

import videoannotator as va
from videoannotator.data.rows import SpeechRegion
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan

SPAN = TimeSpan(0.0, 10.0)


def said(*turns: tuple[float, float, str]) -> Annotation:
    found = Annotation()
    for number, (start, end, speaker) in enumerate(turns):
        found[Segment(start, end), number] = speaker
    return found


WANTED = said((1, 5, "Anna"), (4, 8, "Ben"))


def test_the_truth_itself_is_perfect_whatever_the_names() -> None:
    other = said((1, 5, "SPEAKER_01"), (4, 8, "SPEAKER_00"))
    assert counts(other, WANTED, SPAN, speakers=True) == Counts(8.0, 0.0, 0.0, 0.0)
    assert counts(other, WANTED, SPAN, speakers=False) == Counts(7.0, 0.0, 0.0, 0.0)


def test_each_kind_of_error_is_counted_for_what_it_is() -> None:
    one = said((0, 4, "SPEAKER_00"), (4, 8, "SPEAKER_00"))  # too early by 1 s, of two at once one, then the other's
    found = counts(one, WANTED, SPAN, speakers=True)
    assert (found.total, found.missed, found.false, found.confused) == pytest.approx((8, 1, 1, 3))
    assert found.rate == pytest.approx(5 / 8)
    assert found.cells() == ("0.625", "0.125", "0.125", "0.375")
    assert counts(one, WANTED, SPAN, speakers=False).rate == pytest.approx(1 / 7)
    together = found + counts(WANTED, WANTED, SPAN, speakers=True)
    assert together.rate == pytest.approx(5 / 16)


def test_what_lies_outside_of_the_recording_does_not_count() -> None:
    assert counts(said((1, 5, "x"), (4, 30, "y")), WANTED, TimeSpan(0.0, 8.0), speakers=True).rate == pytest.approx(0)


@pytest.fixture(scope="module")
def heard(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, va.Result]:
    name = "sample_two_speakers"
    with va.Annotator(["voice_activity"], cache=False) as annotator:
        return {name: annotator.annotate(assets / "audio" / f"{name}.wav", progress=False)}


def test_the_figure_is_pyannotes_own_of_the_file(heard: dict[str, va.Result]) -> None:
    found = judged(heard, "voice_activity", "speech", speakers=False)
    assert 0.005 < found["together"].rate < 0.03
    assert f"{found['together'].rate:.6f}" in same_from_file(heard, "voice_activity", "speech", speakers=False)


def test_another_figure_is_noticed(heard: dict[str, va.Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the rows on disk were others than those in memory."""
    real = va.Result.export

    def shorter(self: va.Result, *args: Any, **more: Any) -> Any:
        result = self["voice_activity"]
        rows = Table.of(SpeechRegion, start=[0.0], end=[1.0], score=[None])
        other = {**self.pipelines, "voice_activity": attrs.evolve(result, tables={"speech": rows})}
        return real(attrs.evolve(self, pipelines=other), *args, **more)

    monkeypatch.setattr(va.Result, "export", shorter)
    with pytest.raises(ValueError, match="from the rows"):
        same_from_file(heard, "voice_activity", "speech", speakers=False)


def test_the_references_are_read(assets: Path) -> None:
    assert len(reference("ami_trn05").labels()) >= 2
    assert annotation_of([va.SpeechRegion(1.0, 2.0)]).labels() == ["SPEECH"]
    with pytest.raises(FileNotFoundError):
        module_of("voice_activity")
