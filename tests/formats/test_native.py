"""The native folder: everything comes back equal, appears whole, and imports nothing it should not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.typing import NDArray
from pyarrow import parquet

from videoannotator.data.columns import ArrayOf, Dtype, Range, Unit
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Detection, row
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.classes import find_class, made_class
from videoannotator.formats.native import Native
from videoannotator.testing.whole_results import results

from .examples import a_result, with_tables

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("arrow", [False, True], ids=["parquet", "arrow"])
@quick
@given(result=results())
def test_everything_comes_back_equal(tmp_path: Path, arrow: bool, result: Result) -> None:
    (path,) = Native(quick=arrow).write(result, tmp_path, stem=result.stem)
    assert path == tmp_path / f"{result.stem}.videoannotator"
    assert Native().read(path) == result
    assert not list(tmp_path.glob(".*")), "a working folder was left behind"


def test_rows_that_were_read_tell_which_weights_they_are_from(tmp_path: Path) -> None:
    (path,) = Native().write(a_result(), tmp_path, stem="s")
    read = Native().read(path)
    (record,) = read.provenance.pipelines
    assert read["person_tracking"].models == record.models
    assert [model.name for model in record.models] == ["yolo"]
    assert read["face_analysis"].models == ()


def test_tables_open_in_pandas_and_are_compressed(tmp_path: Path) -> None:
    result = a_result()
    (path,) = Native().write(result, tmp_path, stem="s")
    file = path / "person_tracking" / "detections.parquet"
    frame = pd.read_parquet(file)
    assert frame["time"].tolist() == result["person_tracking"].detections.time.tolist()
    assert parquet.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
    units = parquet.read_schema(file).field("x1").metadata
    assert units == {b"unit": b"px"}


def test_the_quick_kind_is_damaged_loudly(tmp_path: Path) -> None:
    (path,) = Native(quick=True).write(a_result(), tmp_path, stem="s")
    file = path / "person_tracking" / "detections.arrow"
    whole = file.read_bytes()
    text = whole.index(b"person" * 2)  # the labels, one after the other; their lengths stand before them
    for damaged in (whole[: len(whole) // 2], whole[:text] + b"\xff" + whole[text + 1 :], b""):
        file.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"detections\.arrow"):
            Native().read(path)
    file.write_bytes(whole)
    assert Native().read(path) == a_result()


def test_a_newer_one_replaces_the_old_whole(tmp_path: Path) -> None:
    first = a_result()
    Native().write(first, tmp_path, stem="s")
    second = with_tables(first, "person_tracking", persons=Table.empty(Detection))
    (path,) = Native().write(second, tmp_path, stem="s")
    assert Native().read(path) == second
    assert not (path / "person_tracking" / "detections.parquet").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["s.videoannotator"]


def test_a_failed_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = a_result()
    (path,) = Native().write(result, tmp_path, stem="s")

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("videoannotator.formats.native.parquet.write_table", full)
    with pytest.raises(FormatError, match="no space left"):
        Native().write(result, tmp_path, stem="s")
    assert Native().read(path) == result
    assert [p.name for p in tmp_path.iterdir()] == ["s.videoannotator"]


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "s.videoannotator"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(FormatError, match="not written by this format"):
        Native().write(a_result(), tmp_path, stem="s")
    assert (mine / "thesis.txt").read_text() == "years of work"


def _spoil(path: Path, change: Any) -> None:
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda m: m.update(version=99), "layout version 99"),
        (lambda m: m.update(format="other"), "not written by videoannotator"),
        (lambda m: m.update(extra=1), "extra"),
        (lambda m: m["pipelines"]["person_tracking"]["tables"]["detections"].update(rows=7), "instead of 7"),
        (lambda m: m["pipelines"]["person_tracking"]["tables"]["detections"].update(file="../x.parquet"), "outside"),
        (lambda m: m["pipelines"]["person_tracking"]["tables"]["detections"].update(file="x.parquet"), "missing"),
        (lambda m: m["media"]["video"]["clock"]["pts"].update(steps="1x99999999999"), "not believed"),
        (lambda m: m["media"].update(video=3), "damaged"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, change: Any, says: str) -> None:
    (path,) = Native().write(a_result(), tmp_path, stem="s")
    (tmp_path / "x.parquet").write_bytes(b"")
    _spoil(path, change)
    with pytest.raises(FormatError, match=says):
        Native().read(path)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    (path,) = Native().write(a_result(), tmp_path, stem="s")
    (path / "person_tracking" / "detections.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(FormatError, match=r"detections\.parquet"):
        Native().read(path)


def test_values_out_of_range_are_refused(tmp_path: Path) -> None:
    (path,) = Native().write(a_result(), tmp_path, stem="s")
    file = path / "person_tracking" / "detections.parquet"
    table = parquet.read_table(file)
    spoilt = table.set_column(
        table.schema.get_field_index("score"), table.schema.field("score"), pa.array([1.5] * len(table))
    )
    parquet.write_table(spoilt, file)
    with pytest.raises(FormatError, match=r"must be in \[0, 1\], got 1.5"):
        Native().read(path)


def test_a_manifest_cannot_make_us_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    (path,) = Native().write(a_result(), tmp_path, stem="s")
    _spoil(path, lambda m: m["pipelines"]["person_tracking"]["tables"]["detections"].update(row="evil:Detection"))
    read = Native().read(path)["person_tracking"].detections
    assert read.row_class is not Detection
    assert read.row_class.__name__ == "Detection"


@row
class Inner:
    at: Annotated[float, Unit("ms")]


@row
class Wild:
    """What a plugin that is not installed might have written."""

    name: str
    code: str | None
    ok: bool | None
    count: Annotated[int, Dtype("uint8"), Range(ge=1)]
    level: Annotated[float, Dtype("float32"), Unit("dB")] | None
    vector: Annotated[NDArray[np.float32], ArrayOf("float32", (4,))] | None
    points: Annotated[NDArray[np.int16], ArrayOf("int16", (None, 2))]
    parts: tuple[Inner, ...]


def test_rows_of_an_absent_plugin_stay_readable(tmp_path: Path) -> None:
    wild = Table.from_rows(
        Wild,
        [
            Wild("a", None, None, 3, -0.1, np.arange(4, dtype=np.float32), np.zeros((0, 2), np.int16), (Inner(1.5),)),
            Wild("b", "c", True, 255, None, None, np.ones((3, 2), np.int16), ()),
        ],
    )
    result = a_result()
    result = attrs.evolve(result, pipelines={"wild": PipelineResult("wild", {"out": wild})})
    (path,) = Native().write(result, tmp_path, stem="s")
    read = Native().read(path)["wild"].out
    assert find_class(f"{Wild.__module__}:Wild") is None
    assert read.to_arrow().equals(wild.to_arrow(), check_metadata=True)
    assert read[0].parts[0].at == 1.5
    assert np.array_equal(read[1].points, wild[1].points)
    assert read == Native().read(path)["wild"].out, "reading twice gives tables that differ"
    again = attrs.evolve(result, pipelines={"wild": PipelineResult("wild", {"out": read})})
    (path,) = Native().write(again, tmp_path / "again", stem="s")
    assert Native().read(path) == again


@pytest.mark.parametrize("name", ["a b", "x=__import__('os')", "class", "_x", ""])
def test_columns_that_no_class_could_have_are_refused(name: str) -> None:
    with pytest.raises(FormatError, match="cannot be the name"):
        made_class("Row", pa.schema([pa.field(name, pa.int64())]))


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no manifest\.json"):
        Native().read(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(FormatError, match="is not JSON"):
        Native().read(tmp_path)
