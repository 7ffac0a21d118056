"""COCO: our reader gives back what was written; pycocotools loads and evaluates it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from videoannotator.data.outcome import Coverage
from videoannotator.data.result import PipelineResult
from videoannotator.data.rows import Detection, Face
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.errors import FormatError
from videoannotator.formats.coco import Coco
from videoannotator.testing.strategies import tables
from videoannotator.testing.whole_results import results

from .examples import KEYPOINTS, LANDMARKS, a_result, as_shared, detections, only

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(st.sampled_from([Detection, Face]).flatmap(tables))
def test_rows_come_back_equal(tmp_path: Path, table: Table[Any]) -> None:
    result = only("person_tracking", out=table)
    (path,) = Coco().write(result, tmp_path, stem="s")
    assert Coco().read(path) == as_shared(result, "person_tracking")
    loaded = COCO(str(path))
    assert len(loaded.anns) == len(table)
    assert set(loaded.imgs) >= {row.frame + 1 for row in table}


@quick
@given(results([Detection, Face]))
def test_what_stands_beside_the_rows_comes_back(tmp_path: Path, result: Any) -> None:
    for path in Coco().write(result, tmp_path, stem="s"):
        read = Coco().read(path)
        (name,) = read
        whole = as_shared(result, name)
        ((_, output, table),) = read.tables()
        assert table == whole[name].tables[output]
        assert attrs.evolve(whole, pipelines={}) == attrs.evolve(read, pipelines={})
        assert (read[name].coverage, read[name].failures) == (whole[name].coverage, whole[name].failures)


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    path = Coco().write(a_result(), tmp_path, stem="session 01")[0]
    assert path.name == "session 01_person_tracking.json"
    plain = json.loads(path.read_text("utf-8"))
    assert plain["videos"] == [
        {"id": 1, "name": "session 01", "file_name": "session 01.mp4", "width": 640, "height": 480}
    ]
    # looked at 5 times a second in a film of 10 frames a second: every second frame, with or without rows
    assert [image["frame_id"] for image in plain["images"]] == [0, 2, 4, 6, 8]
    assert plain["images"][1] == {
        "id": 3,
        "video_id": 1,
        "frame_id": 2,
        "frame_number": 2,
        "timestamp": 0.2,
        "file_name": "session 01_frame_000002.jpg",
        "width": 640,
        "height": 480,
    }
    person, other, dog = plain["annotations"]
    assert person["bbox"] == pytest.approx([10.1, 20.2, 100.2, 200.2])
    assert json.dumps(person["bbox"][:2]) == "[10.1, 20.2]"
    assert (person["track_id"], person["score"], person["category_id"], person["iscrowd"]) == (7, 0.9, 1, 0)
    assert person["keypoints"][:6] == [0, 0, 0, 1, 2, 2]
    assert person["num_keypoints"] == 16
    assert np.array_equal(np.float32(person["keypoint_scores"]), KEYPOINTS[:, 2])
    assert not {"track_id", "keypoints", "keypoint_scores"} & set(other)
    assert dog["category_id"] == 18
    categories = {c["name"]: c for c in plain["categories"]}
    assert categories["person"]["keypoints"][:3] == ["nose", "left_eye", "right_eye"]
    assert len(categories["person"]["skeleton"]) == 19
    assert "keypoints" not in categories["dog"]
    assert "/home/me" not in path.read_text("utf-8")
    assert "/data/lab/session" not in path.read_text("utf-8")


def test_faces_have_their_landmarks(tmp_path: Path) -> None:
    path = Coco().write(a_result(), tmp_path, stem="s")[1]
    loaded = COCO(str(path))
    (category,) = loaded.loadCats(loaded.getCatIds(catNms=["face"]))
    assert category["keypoints"] == ["right_eye", "left_eye", "nose", "right_mouth_corner", "left_mouth_corner"]
    (face,) = loaded.loadAnns(loaded.getAnnIds())
    assert face["keypoints"] == [v for x, y in LANDMARKS.tolist() for v in (x, y, 2)]
    assert len(loaded.imgs) == 10


def _masks() -> tuple[list[Any], Table[Any]]:
    """A square and a ring on a picture of 640x480, and the rows that have them."""
    square, ring = np.zeros((2, 480, 640), dtype=np.uint8)
    square[20:220, 10:110] = 1
    ring[100:200, 300:400] = 1
    ring[120:180, 320:380] = 0
    texts = [mask.encode(np.asfortranarray(m))["counts"].decode() for m in (square, ring)]
    rows = [
        Detection(2, 0.2, "person", 0.9, 10, 20, 110, 220, 7, mask=texts[0]),
        Detection(4, 0.4, "person", None, 11, 20, 111, 220, 7, interpolated=True),
        Detection(6, 0.6, "person", 0.8, 300, 100, 400, 200, 7, mask=texts[1]),
    ]
    return [square, ring], Table.from_rows(Detection, rows)


def test_masks_are_those_of_pycocotools(tmp_path: Path) -> None:
    pictures, table = _masks()
    result = only("person_tracking", out=table)
    (path,) = Coco().write(result, tmp_path, stem="s")
    assert Coco().read(path)["person_tracking"].out == table
    truth = COCO(str(path))
    first, between, last = truth.dataset["annotations"]
    for picture, annotation in zip(pictures, (first, last), strict=True):
        assert annotation["segmentation"]["size"] == [480, 640]
        assert np.array_equal(truth.annToMask(annotation), picture)
    assert between["interpolated"] is True
    assert not {"score", "segmentation"} & set(between)
    assert "interpolated" not in first
    truth.dataset["annotations"] = [first, last]
    truth.createIndex()
    found = truth.loadRes([{k: v for k, v in a.items() if k not in ("id", "bbox")} for a in (first, last)])
    judge = COCOeval(truth, found, "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(1.0)


def test_other_peoples_masks(tmp_path: Path) -> None:
    plain = _foreign()
    plain["images"][0] |= {"width": 640, "height": 480}
    (one,) = plain["annotations"]
    counts = _masks()[1][0].mask
    kinds = [
        {"size": [480, 640], "counts": counts},
        {"counts": counts},
        {"size": [480, 640], "counts": [1, 2]},
        [[1, 2]],
    ]
    plain["annotations"] = [{**one, "id": n, "segmentation": said} for n, said in enumerate(kinds)]
    (tmp_path / "x.json").write_text(json.dumps(plain))
    assert [row.mask for row in Coco().read(tmp_path / "x.json")["coco"].detections] == [counts, counts, None, None]


def test_pycocotools_evaluates_boxes_and_keypoints(tmp_path: Path) -> None:
    persons = detections()[:2]
    (path,) = Coco().write(only("person_tracking", detections=persons), tmp_path, stem="s")
    truth = COCO(str(path))
    found = truth.loadRes([{k: v for k, v in a.items() if k != "id"} for a in truth.dataset["annotations"]])
    boxes = COCOeval(truth, found, "bbox")
    boxes.evaluate()
    boxes.accumulate()
    boxes.summarize()
    assert boxes.stats[0] == pytest.approx(1.0)
    points = COCOeval(truth, truth.loadRes([a for a in truth.dataset["annotations"] if "keypoints" in a]), "keypoints")
    points.params.imgIds = [3]
    for annotation in truth.dataset["annotations"]:
        annotation.setdefault("num_keypoints", 0)
        annotation.setdefault("keypoints", [0] * 51)
    points.evaluate()
    points.accumulate()
    points.summarize()
    assert points.stats[0] == pytest.approx(1.0)


def test_nothing_found_is_not_nothing_looked_at(tmp_path: Path) -> None:
    looked = only("p", out=Table.empty(Detection))
    (path,) = Coco().write(looked, tmp_path, stem="s")
    plain = json.loads(path.read_text())
    assert plain["annotations"] == []
    assert len(plain["images"]) == 5
    part = Coverage((TimeSpan(0.25, 0.75),), None)
    half = attrs.evolve(looked, pipelines={"p": PipelineResult("p", {"out": Table.empty(Detection)}, part)})
    (path,) = Coco().write(half, tmp_path, stem="s")
    assert [i["frame_id"] for i in json.loads(path.read_text())["images"]] == [3, 4, 5, 6, 7]


def test_no_size_is_made_up(tmp_path: Path) -> None:
    result = a_result()
    result = attrs.evolve(result, media=attrs.evolve(result.media, video=None))
    path = Coco().write(result, tmp_path, stem="s")[0]
    assert "width" not in json.loads(path.read_text("utf-8"))["images"][0]
    assert [i["frame_id"] for i in json.loads(path.read_text("utf-8"))["images"]] == [2, 4]


def _foreign() -> dict[str, Any]:
    return {
        "images": [{"id": 5, "file_name": "a.jpg", "frame_id": 3, "timestamp": 0.5}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5, "keypoints": [1, 2, 2] * 17}
        ],
    }


def test_other_peoples_files(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(_foreign()))
    read = Coco().read(tmp_path / "x.json")
    assert list(read["coco"].detections) == [Detection(3, 0.5, "person", 0.5, 1, 2, 4, 6)]
    assert read.coverage["coco"].spans == ()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: p.pop("images"), "must have the lists"),
        (
            lambda p: (
                p["images"][0].update(width=640, height=480),
                p["annotations"][0].update(segmentation={"size": [2, 3], "counts": "0"}),
            ),
            "has a mask of",
        ),
        (lambda p: p["annotations"][0].pop("score"), "lacks 'score', which is not guessed"),
        (lambda p: p["images"][0].pop("timestamp"), "lacks 'timestamp'"),
        (lambda p: p["images"][0].pop("frame_id"), "lacks 'frame_number'"),
        (lambda p: p["annotations"][0].update(image_id=9), "not listed: 9"),
        (lambda p: p["annotations"][0].update(bbox=[1, 2]), "no COCO file"),
        (lambda p: p["annotations"][0].update(score=7), "must be in"),
        (lambda p: p.update(info={"videoannotator": {"format": "videoannotator", "version": 9}}), "version 9"),
    ],
)
def test_what_is_no_coco_is_refused(tmp_path: Path, spoil: Any, says: str) -> None:
    plain = _foreign()
    spoil(plain)
    (tmp_path / "x.json").write_text(json.dumps(plain))
    with pytest.raises(FormatError, match=says):
        Coco().read(tmp_path / "x.json")


def test_nan_is_not_json(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({**_foreign(), "x": float("nan")}))
    with pytest.raises(FormatError, match="NaN is not JSON"):
        Coco().read(tmp_path / "x.json")
