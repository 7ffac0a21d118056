"""CSV: our reader gives back what was written, of any row class; pandas and pyarrow read the same numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray

from videoannotator.data.columns import ArrayOf, Dtype, Range, Unit
from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Detection, Signal, Utterance, row
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats import csv
from videoannotator.formats.csv import Csv
from videoannotator.testing.strategies import tables
from videoannotator.testing.whole_results import results

from .examples import KEYPOINTS, a_result, as_shared, detections, only

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(results())
def test_everything_comes_back_equal(tmp_path: Path, result: Result) -> None:
    paths = Csv().write(result, tmp_path, stem="s")
    measured = [
        (pipeline, output, table)
        for pipeline, output, table in result.tables()
        if len(table) or result[pipeline].ok or result[pipeline].coverage.duration > 0
    ]
    if not measured:
        assert paths == []
        return
    assert Csv().read(paths[-1]) == as_shared(result, *result)
    for path, (pipeline, output, table) in zip(paths[:-1], measured, strict=True):
        assert Csv().read(path)[pipeline].tables[output] == table


def test_a_table_nobody_measured_gets_no_file_and_is_not_lost(tmp_path: Path) -> None:
    failed = PipelineResult("b", {"x": Table.empty(Signal)}, Coverage(), (Failure("no_audio", "no sound", None, "b"),))
    alone = attrs.evolve(a_result(), pipelines={"b": failed})
    assert Csv().write(alone, tmp_path, stem="alone") == []
    mixed = attrs.evolve(a_result(), pipelines={**a_result().pipelines, "b": failed})
    paths = Csv().write(mixed, tmp_path, stem="s")
    assert not [path for path in paths if path.name.startswith("s_b")]
    assert Csv().read(paths[-1]) == as_shared(mixed, *mixed)


@quick
@given(tables(Signal))
def test_pandas_reads_the_same_numbers(tmp_path: Path, table: Table[Signal]) -> None:
    path = Csv().write(only("p", out=table), tmp_path, stem="s")[0]
    frame = pd.read_csv(path, keep_default_na=False)
    assert frame["time"].tolist() == table.time.tolist()
    assert frame["value"].tolist() == table.value.tolist()


@row
class Wild:
    name: str | None
    ok: bool | None
    count: Annotated[int, Dtype("uint8"), Range(ge=1)] | None
    big: Annotated[int, Dtype("uint64")]
    half: Annotated[float, Dtype("float16")]
    level: Annotated[float, Dtype("float32"), Unit("dB")] | None
    flags: Annotated[NDArray[np.bool_], ArrayOf("bool", (2,))]
    vector: Annotated[NDArray[np.float32], ArrayOf("float32", (4,))] | None
    points: Annotated[NDArray[np.int16], ArrayOf("int16", (None, 2))]
    vector_0: float


@quick
@given(tables(Wild))
def test_any_row_class_comes_back_equal(table: Table[Wild]) -> None:
    import tempfile

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(csv, "find_class", lambda path: Wild)  # as if its plugin were installed
        result = only("wild", out=table)
        paths = Csv().write(result, Path(folder), stem="s")
        assert Csv().read(paths[0])["wild"].out == table


def test_rows_of_an_absent_plugin_are_named(tmp_path: Path) -> None:
    paths = Csv().write(only("wild", out=Table.empty(Wild)), tmp_path, stem="s")
    with pytest.raises(FormatError, match=r"Wild: install the plugin .* pandas.read_csv"):
        Csv().read(paths[0])


def test_what_a_person_sees(tmp_path: Path) -> None:
    paths = {path.name: path for path in Csv().write(a_result(), tmp_path, stem="s")}
    assert list(paths)[-1] == "s.datapackage.json"
    head, first, second, third, end = paths["s_person_tracking.csv"].read_text().split("\n")
    names = [name.strip('"') for name in head.split(",")]
    assert names[:9] == ["frame", "time", "label", "score", "x1", "y1", "x2", "y2", "track"]
    assert names[9:12] == ["keypoints_nose_x", "keypoints_nose_y", "keypoints_nose_score"]
    assert names[-3:] == ["keypoints_right_ankle_score", "mask", "interpolated"]
    assert first.startswith('2,0.2,"person",0.9,10.1,20.2,110.3,220.4,7,0,0,0,1,2,0.0625,')
    assert second == '2,0.2,"person",0.5,1,2,3,4,' + "," * 52 + ",false"
    assert third.startswith('4,0.4,"dog",0.75,0,0,640,480,8,,')
    assert end == ""
    faces = paths["s_face_analysis.csv"].read_text()
    assert '"landmarks_right_eye_x","landmarks_right_eye_y","landmarks_left_eye_x"' in faces
    (utterance,) = pd.read_csv(paths["s_speech_recognition.csv"]).to_dict("records")
    assert [word["text"] for word in json.loads(utterance["words"])] == ["Hello", "you"]


def test_the_data_package_tells_types_and_units(tmp_path: Path) -> None:
    package = json.loads(Csv().write(a_result(), tmp_path, stem="Session 1")[-1].read_text("utf-8"))
    assert package["name"] == "session-1"
    (persons,) = [r for r in package["resources"] if r["path"] == "Session 1_person_tracking.csv"]
    fields = {field["name"]: field for field in persons["schema"]["fields"]}
    assert fields["time"] == {
        "name": "time",
        "type": "number",
        "unit": "s",
        "constraints": {"required": True, "minimum": 0},
    }
    assert fields["x1"]["unit"] == "px"
    assert fields["score"]["constraints"] == {"minimum": 0, "maximum": 1}
    assert fields["track"] == {"name": "track", "type": "integer"}
    assert list(fields) == pd.read_csv(tmp_path / "Session 1_person_tracking.csv").columns.tolist()


def test_arrays_of_varying_shape_stay_in_one_cell(tmp_path: Path) -> None:
    mixed = Table.from_rows(
        Detection,
        [attrs.evolve(detections()[0], keypoints=points) for points in (KEYPOINTS, KEYPOINTS[:2], KEYPOINTS[:0])],
    )
    path = Csv().write(only("p", out=mixed), tmp_path, stem="s")[0]
    cells = pd.read_csv(path)["keypoints"]
    assert np.array_equal(np.float32(json.loads(cells[0])), KEYPOINTS)
    assert json.loads(cells[2]) == []
    assert Csv().read(path)["p"].out == mixed


def test_empty_text_and_missing_text_differ(tmp_path: Path) -> None:
    said = Table.of(Utterance, start=[0, 1], end=[1, 2], text=["", "=1+1"], speaker=["", None])
    path = Csv().write(only("p", out=said), tmp_path, stem="s")[0]
    assert path.read_text().split("\n")[1:] == ['0,1,"","[]",,"",,,,,,,', '1,2,"=1+1","[]",,,,,,,,,', ""]
    assert Csv().read(path)["p"].out == said


def test_a_csv_alone_is_refused(tmp_path: Path) -> None:
    *tables_, package = Csv().write(a_result(), tmp_path, stem="s")
    package.unlink()
    with pytest.raises(FormatError, match="no Data Package"):
        Csv().read(tables_[0])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: p.pop("resources"), "no Data Package"),
        (lambda p: p["resources"][1].update(path=[]), "no Data Package"),
        (lambda p: p.pop("videoannotator"), "not written by videoannotator"),
        (lambda p: p["resources"][0].update(path="../s_person_tracking.csv"), "no file beside it"),
        (lambda p: p["resources"][0].update(videoannotator=[]), "does not have the rows"),
    ],
)
def test_a_damaged_package_is_refused(tmp_path: Path, spoil: Any, says: str) -> None:
    package = Csv().write(a_result(), tmp_path, stem="s")[-1]
    plain = json.loads(package.read_text("utf-8"))
    spoil(plain)
    package.write_text(json.dumps(plain), "utf-8")
    with pytest.raises(FormatError, match=says):
        Csv().read(package)


@pytest.mark.parametrize("text", ["", "frame\n1\n", "frame,time\n\xff,2\n"])
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    path = Csv().write(a_result(), tmp_path, stem="s")[0]
    path.write_text(text, "latin-1")
    with pytest.raises(FormatError, match="does not have the rows"):
        Csv().read(path)
