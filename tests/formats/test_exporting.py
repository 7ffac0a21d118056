"""export() and read(): through the catalog of installed formats, whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import attrs
import pytest

from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult
from videoannotator.data.rows import SpeechRegion
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.catalog import catalog
from videoannotator.discover.specs import load
from videoannotator.errors import FormatError, UnknownFormatError
from videoannotator.formats.exporting import export, read
from videoannotator.formats.files import new_file, plain_name

from .examples import a_result, as_shared

ALL = ["native", "coco", "webvtt", "srt", "whisper_json", "rttm", "csv", "mot", "viewer"]

MOT = ["person_tracking_dog", "person_tracking_person", "person_tracking_person_det", "face_analysis"]


def test_the_formats_are_published_like_a_plugins() -> None:
    formats = catalog().formats
    assert set(ALL) <= set(formats)
    assert {formats[name].plugin.distribution for name in ALL} == {"videoannotator"}


@pytest.mark.parametrize("name", ALL)
def test_every_writer_says_what_its_format_cannot_hold(name: str) -> None:
    assert "What it cannot hold:" in (load(catalog().formats[name].spec.format).__doc__ or "")


def test_no_file_says_that_a_pipeline_which_never_ran_found_nothing(tmp_path: Path) -> None:
    failed = Failure("no_audio", "the file has no sound", pipeline="voice_activity")
    silent = PipelineResult("voice_activity", {"speech": Table.empty(SpeechRegion)}, Coverage(), (failed,))
    result = attrs.evolve(a_result(), pipelines={"voice_activity": silent})
    assert export(result, tmp_path, ALL[1:]) == []
    assert read(export(result, tmp_path, ["native"])[0]) == result
    half = attrs.evolve(silent, coverage=Coverage((TimeSpan(0, 1),)))
    looked = attrs.evolve(result, pipelines={"voice_activity": half})
    assert len(export(looked, tmp_path, ["webvtt"])) == 1, "the part it looked at held nothing"


def test_all_formats_at_once_and_back(tmp_path: Path) -> None:
    result = a_result()
    paths = export(result, tmp_path, ALL)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)
    assert {p.name for p in paths} == {
        "session 01.videoannotator",
        "session 01_person_tracking.json",
        "session 01_face_analysis.json",
        "session 01_scene_detection.vtt",
        "session 01_voice_activity.vtt",
        "session 01_speech_recognition.vtt",
        "session 01_speech_recognition.srt",
        "session 01_speech_recognition.whisper.json",
        "session 01_voice_activity.rttm",
        "session 01_speaker_diarization.rttm",
        *(f"session 01_{name}.csv" for name in result),
        *(f"session 01_{name}.txt" for name in MOT),
        *(f"session 01_{name}.seqinfo.ini" for name in MOT),
        "session 01.datapackage.json",
        "session 01.viewer",
    }
    assert read(paths[0]) == result
    assert read(paths[0] / "manifest.json") == result
    assert read(tmp_path / "session 01.datapackage.json") == as_shared(result, *result)
    for path in paths[1:]:
        if path.suffix == ".viewer":  # which is not read back, see test_viewer.py
            continue
        for pipeline, output, table in read(path).tables():
            if pipeline == "srt":  # which has no room for names
                assert len(table) == len(result["speech_recognition"].utterances)
            elif path.suffix in (".json", ".csv", ".rttm"):
                assert table == result[pipeline].tables[output]
            elif path.suffix in (".txt", ".ini"):  # a part of the rows, see test_mot.py
                assert 0 < len(table) <= len(result[pipeline].tables[output])
            else:
                assert len(table) == len(result[pipeline].tables[output])


def test_a_result_exports_itself(tmp_path: Path) -> None:
    assert a_result().export(tmp_path / "new" / "folder") == [tmp_path / "new/folder/session 01.videoannotator"]


def test_a_renamed_folder_is_known_by_its_manifest(tmp_path: Path) -> None:
    (path,) = export(a_result(), tmp_path)
    renamed = path.rename(tmp_path / "for Mary")
    assert read(str(renamed)) == a_result()


def test_one_name_may_be_given_as_text(tmp_path: Path) -> None:
    assert [p.suffix for p in export(a_result(), tmp_path, "coco")] == [".json", ".json"]


def test_an_unknown_format_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormatError, match=r"did you mean 'webvtt'"):
        export(a_result(), tmp_path, ["native", "webvt"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "says"),
    [("nothing.vtt", "is not there"), ("film.mp4", r"no installed format reads; there are .*rttm \(\.rttm\)")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "film.mp4").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=says):
        read(tmp_path / name)
    with pytest.raises(FormatError, match="no installed format reads"):
        read(tmp_path / "empty")


def test_a_folder_that_cannot_be_written_is_a_format_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ALL:
        with pytest.raises(FormatError, match="could not be written"):
            export(a_result(), tmp_path / "file", [name])


def test_an_interrupted_file_never_shows(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    target.write_text("old")

    def interrupted() -> None:
        with new_file(target) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert target.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_files_have_the_modes_that_files_have(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    native, *rest = export(a_result(), tmp_path, ["native", "coco"])
    assert stat.S_IMODE(native.stat().st_mode) == stat.S_IMODE((tmp_path / "folder").stat().st_mode)
    for path in rest:
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "file").stat().st_mode)


@pytest.mark.parametrize(
    ("name", "plain"),
    [("person_tracking", "person_tracking"), ("..", "%2E."), ("a/b", "a%2Fb"), ("~x", "%7Ex"), ("é", "%C3%A9")],
)
def test_no_name_leaves_its_folder(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_two_formats_with_one_file_name_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from videoannotator.formats import exporting

    once: Any = exporting._load

    def always_coco(entry: Any) -> Any:
        return once(catalog().formats["coco"])

    monkeypatch.setattr(exporting, "_load", always_coco)
    with pytest.raises(FormatError, match="coco and csv both write"):
        export(a_result(), tmp_path, ["coco", "csv"])
