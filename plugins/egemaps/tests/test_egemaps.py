"""Against openSMILE's own answers on the same samples, and the pipeline in the house."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import opensmile
import pytest

from videoannotator import Annotator, SpeakerTurn, SpeechRegion, Table
from videoannotator.data.frames import AudioTrack
from videoannotator.data.media import AudioInfo, MediaInfo
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, DataError
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_egemaps import opensmile_names, to_opensmile, videoannotator_pipelines
from videoannotator_egemaps.naming import column_of
from videoannotator_egemaps.pipeline import Egemaps
from videoannotator_egemaps.rows import Descriptors, Functionals

(SPEC,) = videoannotator_pipelines()
RATE = 16000
_SETS = ["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016"]


def _voice(seconds: float, f0: float = 130.0, seed: int = 0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(f0 + 15 * np.sin(2 * np.pi * 0.8 * time)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 15)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return (0.1 * voice + 0.002 * np.random.default_rng(seed).standard_normal(time.size)).astype(np.float32)


@attrs.frozen
class Ran:
    """What the pipeline gave, and what it said."""

    tables: Mapping[str, Table[Any]]
    notices: list[str]


def _context(samples: np.ndarray, start: float, rate: int, outputs: Mapping[str, PipelineResult]) -> Context:
    audio = AudioTrack(samples.astype(np.float32), rate, start)
    end = start + samples.size / rate
    media = MediaInfo("/made.wav", 1, "wav", end, None, AudioInfo("pcm_f32le", rate, 1, start, end - start))
    return Context(media=media, span=media.span, audio=audio, outputs=outputs)


def _run(
    samples: np.ndarray,
    config: Mapping[str, Any] | None = None,
    *,
    start: float = 0.0,
    rate: int = RATE,
    outputs: Mapping[str, PipelineResult] | None = None,
) -> Ran:
    context = _context(samples, start, rate, outputs or {})
    said: list[str] = []
    context.tell = said.append
    pipeline = Egemaps(config_of(SPEC, config), context)
    pipeline.setup()
    pipeline.begin()
    given: dict[str, list[Table[Any]]] = {}
    pieces: list[Any] = list(pipeline.finish())
    for piece in pieces:
        for output, table in piece.items():
            given.setdefault(output, []).append(table)
    return Ran({output: Table.concat(tables) for output, tables in given.items()}, said)


def _turns(*rows: tuple[float, float, str], ok: bool = True) -> PipelineResult:
    table = Table.from_rows(SpeakerTurn, [SpeakerTurn(*row) for row in rows])
    failures = () if ok else (Failure("pipeline_error", "broken", None, "speaker_diarization"),)
    return PipelineResult("speaker_diarization", {"turns": table}, Coverage(), failures)


def _regions(*rows: tuple[float, float]) -> PipelineResult:
    table = Table.from_rows(SpeechRegion, [SpeechRegion(*row) for row in rows])
    return PipelineResult("voice_activity", {"speech": table}, Coverage())


def test_contract(tmp_path: Path) -> None:
    config = {"descriptors": True, "segment_duration": 0.4}
    check_pipeline("egemaps", tmp_path, config=config, catalog_=catalog_of(*videoannotator_pipelines()))


@pytest.mark.parametrize("feature_set", _SETS)
def test_features_are_those_of_opensmile(feature_set: str) -> None:
    sound = _voice(2.5)
    outputs = {"speaker_diarization": _turns((0.25, 1.5, "A"), (1.0, 2.5, "B"))}
    ran = _run(sound, {"feature_set": feature_set, "descriptors": True}, outputs=outputs)
    whole, single = ("compare", "compare_descriptors") if "ComParE" in feature_set else ("functionals", "descriptors")
    assert set(ran.tables) == {whole, single}
    parts = [(0.25, sound[4000:24000]), (1.0, sound[16000:])]
    for output, level in ((whole, "Functionals"), (single, "LowLevelDescriptors")):
        smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[level])
        expected = [smile.process_signal(part, RATE) for _, part in parts]
        found = to_opensmile(ran.tables[output])
        assert list(found.columns) == smile.feature_names
        np.testing.assert_array_equal(found.to_numpy(), np.concatenate([one.to_numpy() for one in expected]))
        starts = [
            start + one.index.get_level_values("start").total_seconds()
            for (start, _), one in zip(parts, expected, strict=True)
        ]
        np.testing.assert_allclose(ran.tables[output].start, np.concatenate(starts), atol=1e-6)
    assert list(ran.tables[whole].speaker) == ["A", "B"]
    assert list(opensmile_names(feature_set)) == opensmile.Smile(opensmile.FeatureSet[feature_set]).feature_names  # type: ignore[arg-type]


def test_the_columns_are_all_of_egemaps_and_no_others() -> None:
    for row_class, descriptors, count in ((Functionals, False, 88), (Descriptors, True, 25)):
        names = opensmile_names("eGeMAPSv02", descriptors=descriptors)
        columns = Table.empty(row_class).columns
        assert columns[3:] == tuple(column_of(name) for name in names)
        assert len(names) == count
        assert set(opensmile_names("GeMAPSv01b", descriptors=descriptors)) < set(names)


def test_pandas_has_a_column_for_every_feature() -> None:
    frame = _run(_voice(1), {"segment_duration": 1.0}).tables["functionals"].to_pandas()
    assert frame.F0semitoneFrom27_5Hz_sma3nz_amean[0] == pytest.approx(12 * np.log2(130 / 27.5), abs=0.6)
    assert frame.shape == (1, 91)


def test_samples_of_full_scale_do_not_turn_over() -> None:
    """openSMILE's package makes -1.0 of 1.0; what it says of 0.99997 is what it should say of 1.0."""
    clipped = np.clip(20 * _voice(1), -1, 1)
    assert (clipped == 1).sum() > 1000
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    table = _run(clipped, {"segment_duration": 1.0}).tables["functionals"]
    right = smile.process_signal(np.minimum(clipped, np.float32(32767 / 32768)), RATE)
    np.testing.assert_array_equal(to_opensmile(table).to_numpy(), right.to_numpy())
    assert smile.process_signal(clipped, RATE).loudness_sma3_amean.iloc[0] > 1.2 * table.loudness_sma3_amean[0]


@pytest.mark.parametrize(
    ("outputs", "spans", "notice"),
    [
        ({"voice_activity": _regions((0.5, 1.0))}, [(0.5, 1.0)], "segments are the speech of voice_activity"),
        (
            {"speaker_diarization": _turns((0, 1, "A"), ok=False), "voice_activity": _regions((0.5, 1.0))},
            [(0.5, 1.0)],
            "segments are the speech of voice_activity",
        ),
        (
            {"speaker_diarization": _turns((0.2, 9.0, "A"))},
            [(0.2, 1.5)],
            "segments are the turns of speaker_diarization",
        ),
        ({}, [(0.0, 1.0), (1.0, 1.5)], "segments are of fixed length"),
    ],
)
def test_what_is_measured(outputs: dict[str, PipelineResult], spans: list[tuple[float, float]], notice: str) -> None:
    ran = _run(_voice(1.5), {"segment_duration": 1.0}, outputs=outputs)
    assert [(row.start, row.end) for row in ran.tables["functionals"]] == spans
    assert ran.notices == [notice]


@pytest.mark.parametrize(
    ("choice", "needs"),
    [
        ("auto", {"speaker_diarization": True, "voice_activity": True}),
        ("turns", {"speaker_diarization": False}),
        ("speech", {"voice_activity": False}),
        ("fixed", {}),
    ],
)
def test_what_is_measured_says_who_must_run(choice: str, needs: dict[str, bool]) -> None:
    _, *others = config_of(SPEC, {"segments": choice}).needs()
    assert {need.pipeline: need.optional for need in others} == needs


@pytest.mark.parametrize("feature_set", _SETS)
@pytest.mark.parametrize("samples", [1, 959, 960])
def test_a_stretch_that_is_too_short_is_a_row_without_values(feature_set: str, samples: int) -> None:
    ran = _run(_voice(1)[:samples], {"feature_set": feature_set, "descriptors": True})
    whole, single = ("compare", "compare_descriptors") if "ComParE" in feature_set else ("functionals", "descriptors")
    (row,) = ran.tables[whole]
    assert row.end == pytest.approx(samples / RATE)
    there = [getattr(row, name) is not None for name in ran.tables[whole].columns[3:]]
    assert any(there) == (samples == 960)
    assert (len(ran.tables[single]) > 0) == (samples == 960)
    assert np.isnan(to_opensmile(ran.tables[whole]).to_numpy()).all() == (samples < 960)


def test_no_sound_no_row() -> None:
    assert _run(np.zeros(0)).tables == {}


def test_silence_is_what_opensmile_says_of_it() -> None:
    (row,) = _run(np.zeros(RATE)).tables["functionals"]
    assert row.equivalentSoundLevel_dBp == -120
    assert row.F0semitoneFrom27_5Hz_sma3nz_amean == 0


def test_times_are_on_the_files_clock() -> None:
    late = _run(_voice(1), {"descriptors": True}, start=7.25).tables
    at_zero = _run(_voice(1), {"descriptors": True}).tables
    for output in ("functionals", "descriptors"):
        np.testing.assert_allclose(late[output].start - 7.25, at_zero[output].start)
        np.testing.assert_allclose(late[output].end - 7.25, at_zero[output].end)
    assert late["descriptors"].end[-1] == pytest.approx(8.25)
    np.testing.assert_array_equal(late["functionals"].mfcc1_sma3_amean, at_zero["functionals"].mfcc1_sma3_amean)


def test_a_new_object_goes_on_where_the_first_was_stopped() -> None:
    config = config_of(SPEC, {"segments": "fixed", "segment_duration": 0.1, "descriptors": True})

    def fresh() -> Egemaps:
        made = Egemaps(config, _context(_voice(2.5), 0.0, RATE, {}))
        made.setup()
        made.begin()
        return made

    whole: list[Any] = list(fresh().finish())
    assert [len(piece["functionals"]) for piece in whole] == [10, 10, 5]
    first, second = fresh(), fresh()
    begun: list[Any] = [next(first.finish())]
    second.restore(first.state())
    assert begun + list(second.finish()) == whole


def test_a_cancelled_run_stops() -> None:
    class StopError(Exception):
        pass

    def stop(fraction: float) -> None:
        if fraction > 0:
            raise StopError(fraction)

    context = _context(_voice(2), 0.0, RATE, {})
    context.report = stop
    pipeline = Egemaps(config_of(SPEC, {"segment_duration": 0.5}), context)
    pipeline.setup()
    with pytest.raises(StopError, match=r"0\.25"):
        list(pipeline.finish())


def test_nothing_is_printed_no_file_written_no_thread_left(tmp_path: Path) -> None:
    code = (
        "import sys, threading, numpy as np; sys.path.insert(0, sys.argv[1]);"
        "from plugins.egemaps.tests.test_egemaps import _run, _voice;"
        "before = threading.active_count(); _run(_voice(1), {'descriptors': True});"
        "assert threading.active_count() == before"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr, os.listdir(tmp_path)) == ("", "", [])


@pytest.mark.parametrize("name", ["caregiver_infant.mp4", "sitcom_kitchen.avi"])
def test_videos_with_voice_activity(assets: Path, name: str) -> None:
    with Annotator(["egemaps", "voice_activity"], cache=False) as annotator:
        path = assets / "video" / name
        result = annotator.annotate(path, progress=False)
        assert "LicenseRef-audEERING-Research-License" in str(annotator.plan(path))
    assert result.ok, result.failures
    table = result["egemaps"].tables["functionals"]
    np.testing.assert_array_equal(table.start, result["voice_activity"].speech.start)
    assert len(result["egemaps"].tables["compare"]) == 0


def test_another_rate_is_what_opensmile_makes_of_it(assets: Path) -> None:
    config = {"egemaps": {"rate": 44100, "segments": "fixed", "segment_duration": 600}}
    with Annotator(["egemaps"], config=config, cache=False) as annotator:
        table = annotator.annotate(assets / "audio" / "jfk.flac", progress=False)["egemaps"].tables["functionals"]
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, mixdown=True)
    expected = smile.process_file(str(assets / "audio" / "jfk.flac"))
    np.testing.assert_allclose(table.F1frequency_sma3nz_amean, expected.F1frequency_sma3nz_amean, rtol=0.01)
    np.testing.assert_allclose(table.loudness_sma3_amean, expected.loudness_sma3_amean, rtol=0.01)


def test_sound_at_another_rate_is_refused() -> None:
    with pytest.raises(DataError, match="needs sound at 16000 Hz, got 8000 Hz"):
        _run(np.zeros(8000), rate=8000)


def test_another_table_is_refused() -> None:
    with pytest.raises(DataError, match="no table of egemaps: it holds SpeechRegion rows"):
        to_opensmile(Table.of(SpeechRegion, start=[0.0], end=[1.0]))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"feature_set": "eGeMAPSv03"}, r"egemaps\.feature_set must be .*eGeMAPSv02"),
        ({"segment_duration": 0.01}, r"egemaps\.segment_duration must be in \[0\.1, 600\]"),
        ({"descriptor": True}, "did you mean 'descriptors'"),
    ],
)
def test_settings_out_of_range_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, config)


def test_the_list_of_pipelines_does_not_import_opensmile() -> None:
    code = (
        "import sys, videoannotator_egemaps as p; p.videoannotator_pipelines();"
        "print(sorted({'opensmile', 'pandas', 'audinterface'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
