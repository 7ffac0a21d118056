"""Files that somebody changed: read, or refused with a `FormatError`, never with an error of what we build on."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, SpeechRegion
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.exporting import export, read
from videoannotator.formats.files import file_names

from .examples import a_result, only

often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def _change(draw: Any, value: Any) -> Any:
    """``value`` with one thing in it, anywhere, replaced or left out."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 5)):
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: _change(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _change(draw, value[index]), *value[index + 1 :]]
    return draw(plain)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    export(a_result(), folder, ["native", "coco", "webvtt", "rttm", "csv", "srt", "whisper_json"])
    return folder


@often
@given(st.data())
@pytest.mark.parametrize(
    "name",
    [
        "session 01.videoannotator/manifest.json",
        "session 01_person_tracking.json",
        "session 01_speech_recognition.whisper.json",
        "session 01.datapackage.json",
    ],
)
def test_json_with_one_thing_changed(written: Path, name: str, data: st.DataObject) -> None:
    path = written / name
    whole = path.read_text("utf-8")
    try:
        path.write_text(json.dumps(_change(data.draw, json.loads(whole))), "utf-8")
        with suppress(FormatError):
            assert isinstance(read(path), Result)
    finally:
        path.write_text(whole, "utf-8")


@often
@given(st.data())
@pytest.mark.parametrize(
    "name",
    [
        "session 01_speech_recognition.vtt",
        "session 01_speech_recognition.srt",
        "session 01_speaker_diarization.rttm",
        "session 01_person_tracking.csv",
    ],
)
def test_text_with_one_piece_changed(written: Path, name: str, data: st.DataObject) -> None:
    path = written / name
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 20, len(whole))))
    piece = data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b"\n\n", b"-->", b",", b" ", b"1e999", b"-1"]))
    try:
        path.write_bytes(whole[:start] + piece + whole[end:])
        with suppress(FormatError):
            assert isinstance(read(path), Result)
    finally:
        path.write_bytes(whole)


def test_two_tables_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    result = only("a", b=Table.empty(Detection), c=Table.empty(Detection))
    other = only("a_b", x=Table.empty(SpeechRegion))
    both = attrs.evolve(result, pipelines={**result.pipelines, **other.pipelines})
    assert len(file_names(both, "s", ".json", lambda table: table.row_class is Detection)) == 2
    with pytest.raises(FormatError, match=r"a\.b and a_b\.x would both be written to .*_a_b\.csv"):
        export(both, tmp_path, ["csv"])
    assert not list(tmp_path.iterdir())
