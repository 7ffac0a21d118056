"""MOT: our reader gives back what was written; TrackEval reads the same boxes; the benchmarks' files are understood."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import HOTA, Identity

import videoannotator as va
from videoannotator.data.rows import Detection, Face
from videoannotator.data.table import Table
from videoannotator.errors import FormatError
from videoannotator.formats.mot import Mot, read_mot
from videoannotator.formats.mot_rows import MotBox
from videoannotator.testing.clips import write_clip
from videoannotator.testing.strategies import tables

from .examples import a_result, only

quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
KEPT = ("frame", "x1", "y1", "x2", "y2", "track", "score")


@va.row
class Animal:
    """Boxes of somebody's plugin, with more than a MOT file holds."""

    frame: int
    time: float
    x1: float
    y1: float
    x2: float
    y2: float
    species: str
    track: int | None = None


def kept(table: Table[Any], *names: str) -> list[tuple[Any, ...]]:
    """The rows in an order of their own; the two zeros are one."""
    rows = [tuple(getattr(row, name) for name in names) for row in table]
    return sorted((tuple(v + 0.0 if isinstance(v, float) else v for v in row) for row in rows), key=repr)


def no_negative(table: Table[Any]) -> bool:
    tracks = table.column("track")
    return not bool((np.ma.getdata(tracks)[~np.ma.getmaskarray(tracks)] < 0).any())


def test_a_label_that_ends_in_a_zero_keeps_its_rows(tmp_path: Path) -> None:
    box = {"frame": 0, "time": 0.0, "x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0, "score": None}
    table = Table.from_rows(Detection, [Detection(**box, label=label) for label in ("a", "a\0", "a")])
    paths = Mot().write(only("p", out=table), tmp_path, stem="s")
    read = [va.read(path)["p"].out for path in paths if path.suffix == ".txt"]
    assert sorted(row.label for part in read for row in part) == ["a", "a", "a\0"]


@quick
@given(tables(Detection) | tables(Face) | tables(MotBox))
def test_boxes_come_back_equal(tmp_path_factory: pytest.TempPathFactory, table: Table[Any]) -> None:
    assume(no_negative(table))
    labels = {str(label).casefold() for label in table.column("label")} if "label" in table.columns else {""}
    assume("label" not in table.columns or len(labels) == len({str(v) for v in table.column("label")}))
    assume(not any(label.endswith("_det") for label in labels))
    folder = tmp_path_factory.mktemp("mot")
    result = only("person_tracking", out=table)
    paths = Mot().write(result, folder, stem="session 01")
    parts = [va.read(path) for path in paths if path.suffix == ".txt"]
    assert parts, "a table without rows is written as well"
    for part in parts:
        assert part.provenance == result.provenance
        assert part["person_tracking"].coverage == result["person_tracking"].coverage
    names = [name for name in (*KEPT, "label") if name in table.columns]
    if table.row_class is MotBox:
        names += ["confidence"]
        assume(not (table.column("confidence") == -1).any())
    read = Table.concat([part["person_tracking"].out for part in parts])
    assert read.row_class is table.row_class
    assert kept(read, *names) == kept(table, *names)


@quick
@given(tables(Detection))
def test_times_come_back(tmp_path_factory: pytest.TempPathFactory, table: Table[Detection]) -> None:
    once = {row.frame: attrs.evolve(row, label="person", track=None) for row in table}  # a frame has one time
    table = Table.from_rows(Detection, once.values())
    (path, _) = Mot().write(only("p", out=table), tmp_path_factory.mktemp("mot"), stem="s")
    assert kept(va.read(path)["p"].out, "frame", "time") == kept(table, "frame", "time")


def test_what_a_person_sees(tmp_path: Path) -> None:
    paths = a_result().export(tmp_path, ["mot"])
    assert [path.name for path in paths if path.suffix == ".txt"] == [
        "session 01_person_tracking_dog.txt",
        "session 01_person_tracking_person.txt",
        "session 01_person_tracking_person_det.txt",
        "session 01_face_analysis.txt",
    ]
    assert paths[0].read_text() == "5,8,1.0,1.0,640.0,480.0,0.75,-1,-1,-1\n"
    assert paths[2].read_text() == "3,7,11.1,21.2,100.2,200.2,0.9,-1,-1,-1\n"
    assert paths[4].read_text() == "3,-1,2.0,3.0,2.0,2.0,0.5,-1,-1,-1\n"
    assert (
        paths[3]
        .read_text()
        .startswith(
            "[Sequence]\nname=session 01\nframeRate=10.0\nimWidth=640\nimHeight=480\nseqLength=10\n\n[videoannotator]\n"
        )
    )
    row = va.read(paths[3])["person_tracking"].detections[0]
    assert (row.frame, row.time, row.label, row.track, row.x1, row.keypoints) == (
        2,
        0.2,
        "person",
        7,
        pytest.approx(10.1),
        None,
    )


def test_another_plugins_boxes_are_written_and_read_as_boxes(tmp_path: Path) -> None:
    animals = Table.of(
        Animal, frame=[0, 1], time=[0.0, 0.1], x1=1.0, y1=2.0, x2=3.0, y2=4.5, species="cat", track=[3, 3]
    )
    (path, _) = Mot().write(only("animals", out=animals), tmp_path, stem="s")
    assert path.read_text() == "1,3,2.0,3.0,2.0,2.5,-1,-1,-1,-1\n2,3,2.0,3.0,2.0,2.5,-1,-1,-1,-1\n"
    read = va.read(path)["animals"].out
    assert read.row_class is MotBox
    assert read[1] == MotBox(1, 0.1, 1, 2, 3, 4.5, 3)


def test_labels_that_would_share_a_file_are_refused(tmp_path: Path) -> None:
    rows = Table.of(Detection, frame=0, time=0.0, label=["Cat", "cat"], score=0.5, x1=0, y1=0, x2=1, y2=1, track=[1, 2])
    with pytest.raises(FormatError, match="rename its labels"):
        Mot().write(only("p", out=rows), tmp_path, stem="s")


def test_negative_tracks_are_refused(tmp_path: Path) -> None:
    rows = Table.of(Detection, frame=[0], time=[0.0], label="person", score=0.5, x1=0, y1=0, x2=1, y2=1, track=[-1])
    with pytest.raises(FormatError, match=r"p\.out has negative track numbers"):
        Mot().write(only("p", out=rows), tmp_path, stem="s")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def truth(assets: Path) -> Path:
    return assets / "pets" / "gt.txt"


def test_real_ground_truth(truth: Path) -> None:
    with pytest.raises(FormatError, match=r"gt\.txt does not say when its frames are shown.*read_mot"):
        va.read(truth)
    read = read_mot(truth, rate=10)
    boxes = read["mot"].ground_truth
    assert (len(boxes), boxes.ignored.sum()) == (4650, 174)
    assert len(set(boxes.track.tolist())) == 19
    assert boxes[0] == MotBox(0, 0.0, 498, 157, np.float32(498 + 31.03), np.float32(157 + 75.17), 9, "pedestrian")
    assert boxes.time.max() == pytest.approx(79.4)


def test_ground_truth_gets_the_times_of_its_film(truth: Path) -> None:
    read = read_mot(truth, media=truth.with_name("PETS09-S2L1.avi"))
    assert read.media.video is not None
    assert len(read.media.video.clock) == 795
    boxes = read["mot"].ground_truth
    assert (boxes.time == read.media.video.clock.times[boxes.frame]).all()


def test_a_film_that_is_shorter_is_refused(truth: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "short.mp4", frames=5)
    with pytest.raises(FormatError, match=r"has a frame 6, which .*short\.mp4 does not have"):
        read_mot(truth, media=clip)


@pytest.mark.parametrize("where", ["seqinfo.ini", "gt/seqinfo.ini"])
def test_the_sequence_tells_the_rate(tmp_path: Path, where: str) -> None:
    (tmp_path / "gt").mkdir()
    (tmp_path / where).write_text("[Sequence]\nname=MOT17-02\nframeRate=30\nseqLength=600\n")
    (tmp_path / "gt" / "gt.txt").write_text(
        "1,1,10,20,30,40,1,1,0.5\n31,2,10,20,30,40,0,7,-1\n31, 3, 10, 20, 30, 40, 1, 1, 1\n"
    )
    read = va.read(tmp_path / "gt" / "gt.txt")
    rows = read["mot"].ground_truth
    assert (read.media.path, rows.time.tolist()) == ("MOT17-02", [0, 1, 1])
    assert rows.label.tolist() == ["pedestrian", "static person", "pedestrian"]
    assert rows.ignored.tolist() == [False, True, False]
    assert [row.visibility for row in rows] == [0.5, None, 1.0]


def test_results_and_detections_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,4,1,1,9,9,0.25,-1,-1,-1\n")
    (tmp_path / "b.txt").write_text("1,-1,1,1,9,9,73.5,-1,-1,-1\n")
    found = read_mot(tmp_path / "a.txt", rate=5)["mot"].detections
    assert found[0] == Detection(0, 0.0, "pedestrian", 0.25, 0, 0, 9, 9, 4)
    other = read_mot(tmp_path / "b.txt", rate=5)["mot"].detections
    assert other[0] == MotBox(0, 0.0, 0, 0, 9, 9, None, "pedestrian", 73.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n", "line 1 is not MOT: 'hello'"),
        ("1,1,1,1,9,9,1,-1,-1,-1\n0,1,1,1,9,9,1,-1,-1,-1\n", "line 2 is not MOT"),
        ("1,1,1,1,9,9,1,-1,-1,-1\n1,1,1,1,9,9,1\n", "line 2 is not MOT"),
        ("1.5,1,1,1,9,9,1,-1,-1,-1\n", "line 1 is not MOT"),
        ("1,1,1,1,nan,9,1,-1,-1,-1\n", "line 1 is not MOT"),
        ("1,1,1,1,-9,9,1,-1,-1,-1\n", "a box has a negative size"),
        ("1,1,1,1,9,9,1,99,1\n", "classes that MOTChallenge does not know"),
    ],
)
def test_what_is_no_mot_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(FormatError, match=says):
        va.read(tmp_path / "x.txt")


@pytest.mark.parametrize("change", ["[videoannotator]\nwritten={", "[videoannotator]\nwritten=[]", "[[[", "%"])
def test_a_damaged_companion_is_named(tmp_path: Path, change: str) -> None:
    (path, sidecar, *_) = a_result().export(tmp_path, ["mot"])
    sidecar.write_text(change)
    with pytest.raises(FormatError):
        va.read(path)


def test_lines_that_went_missing_are_noticed(tmp_path: Path) -> None:
    (path, *_) = a_result().export(tmp_path, ["mot"])
    path.write_text("")
    with pytest.raises(FormatError, match="has 0 rows instead of 1"):
        va.read(path)


def _judge(folder: Path, frames: int) -> tuple[Any, Any]:
    """The ground truth and the tracker's file in ``folder`` as TrackEval reads and judges them."""
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "TRACKERS_TO_EVAL": ["ours"],
            "SEQ_INFO": {"PETS": frames},
            "SKIP_SPLIT_FOL": True,
            "DO_PREPROC": False,
            "PRINT_CONFIG": False,
        }
    )
    raw = dataset.get_raw_seq_data("ours", "PETS")
    return raw, dataset.get_preprocessed_seq_data(raw, "pedestrian")


def test_trackeval_reads_what_we_write(truth: Path, tmp_path: Path) -> None:
    boxes = read_mot(truth, rate=10)["mot"].ground_truth
    active = boxes[~boxes.ignored]
    found = Table.of(
        Detection,
        label="person",
        score=0.5,
        **{name: active.column(name) for name in ("frame", "time", "x1", "y1", "x2", "y2", "track")},
    )
    (path, _) = Mot().write(only("person_tracking", detections=found), tmp_path, stem="x")
    (tmp_path / "gt" / "PETS" / "gt").mkdir(parents=True)
    gt = [line.split(",") for line in truth.read_text().splitlines()]
    marked = [",".join([*fields[:7], "1", "1"]) for fields in gt if fields[6] == "1"]
    (tmp_path / "gt" / "PETS" / "gt" / "gt.txt").write_text("\n".join(marked))
    (tmp_path / "trackers" / "ours" / "data").mkdir(parents=True)
    shutil.copy(path, tmp_path / "trackers" / "ours" / "data" / "PETS.txt")
    raw, data = _judge(tmp_path, 795)
    assert sum(len(ids) for ids in raw["tracker_ids"]) == len(found)
    assert np.allclose(np.concatenate(raw["tracker_dets"]), np.concatenate(raw["gt_dets"]), atol=1e-4)
    assert Identity({"PRINT_CONFIG": False}).eval_sequence(data)["IDF1"] == 1.0
    assert HOTA().eval_sequence(data)["HOTA"].mean() == pytest.approx(1.0)


def test_the_record_hides_no_folder(tmp_path: Path) -> None:
    (_, sidecar, *_) = a_result().export(tmp_path, ["mot"])
    text = sidecar.read_text()
    assert "/data/lab/session" not in text
    assert json.loads(text.split("written=")[1].replace("%%", "%"))["label"] == "dog"
