"""The pipeline in the real engine, behind a recogniser and a diarization whose rows are known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import videoannotator as va
from videoannotator.data.columns import columns_of
from videoannotator.discover.catalog import Catalog
from videoannotator.discover.config import config_of
from videoannotator.errors import ConfigError
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import check_pipeline
from videoannotator_audio_processing import videoannotator_pipelines

(SPEC,) = videoannotator_pipelines()


@pytest.mark.slow
def test_contract(tmp_path: Path, hearing: Callable[..., Catalog]) -> None:
    results = check_pipeline("audio_processing", tmp_path, catalog_=hearing())
    plain = results["plain"]["audio_processing"]
    assert [u.speaker for u in plain.utterances] == ["Anna", "Ben", "Ben"]
    assert [u.text for u in plain.utterances] == [" w0 w1 w2", "w3", " w4 w5 w6"]
    assert plain.words.utterance.tolist() == [1, 1, 1, 2, 3, 3, 3]


def test_a_file_without_sound_fails_by_name(tmp_path: Path, hearing: Callable[..., Catalog]) -> None:
    clip = write_clip(tmp_path / "silent.mp4", frames=6, rate=12)
    with va.Annotator(["audio_processing"], catalog=hearing(sound=True), cache=False) as annotator:
        result = annotator.annotate(clip, progress=False)
    (failure,) = result["audio_processing"].failures
    assert failure.kind == "needs_failed"
    assert "speech_recognition" in failure.message
    assert "no sound" in failure.message
    assert {name: len(table) for name, table in result["audio_processing"].tables.items()} == dict.fromkeys(
        SPEC.gives, 0
    )
    assert result["audio_processing"].coverage.duration == 0
    assert result.export(tmp_path / "out", ["webvtt", "srt", "whisper_json", "rttm", "csv"]) == []


def _run(path: Path, catalog: Catalog, settings: dict[str, Any], **config: Any) -> va.Result:
    every = {"audio_processing": config, **settings}
    with va.Annotator(["audio_processing"], config=every, catalog=catalog, cache=False) as annotator:
        return annotator.annotate(path, progress=False)


def test_exclusive_turns_that_are_not_there_are_asked_for_in_vain(
    tmp_path: Path, hearing: Callable[..., Catalog]
) -> None:
    clip = write_clip(tmp_path / "plain.mp4", frames=12, rate=12, sound="tone")
    (failure,) = _run(clip, hearing(), {}, turns="exclusive")["audio_processing"].failures
    assert "use turns='auto'" in failure.message


def test_settings_are_checked() -> None:
    for wrong in ({"tolerance": -1}, {"smooth": -0.5}, {"pause": 0}, {"turns": "any"}, {"sample_rate": 16000}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            config_of(SPEC, wrong)


def test_rows_are_tables_anybody_can_read() -> None:
    from videoannotator_audio_processing.rows import SpokenWord

    names = [column.name for column in columns_of(SpokenWord)]
    assert names[:4] == ["utterance", "start", "end", "text"]
    assert not issubclass(SpokenWord, va.Word), "words are not written as subtitles a second time"


def test_nothing_heavy_is_imported_to_know_of_it() -> None:
    code = "import sys, videoannotator_audio_processing as p; p.videoannotator_pipelines(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "av", "pyannote", "whisper", "scipy"} & set(loaded)
