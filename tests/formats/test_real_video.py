"""A real recording, annotated and exported: what stands in the files is what third-party readers see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import webvtt
from pyannote.database.util import load_rttm
from pycocotools.coco import COCO

import videoannotator as va
from videoannotator.data.result import Result

from .viewer_rules import load_folder

PIPELINES = ["scene_detection", "voice_activity", "face_analysis"]


@pytest.fixture(scope="module")
def result(assets: Path) -> Result:
    missing = set(PIPELINES) - set(va.catalog().pipelines)
    if missing:
        pytest.skip(f"the pipelines {', '.join(sorted(missing))} are not installed")
    with va.Annotator(PIPELINES) as annotator:
        return annotator.annotate(assets / "video" / "caregiver_infant.mp4", progress=False)


def test_everything_comes_back(result: Result, tmp_path: Path) -> None:
    native, *_ = result.export(tmp_path, ["native"])
    assert va.read(native) == result


def test_third_parties_read_the_rows(result: Result, tmp_path: Path) -> None:
    result.export(tmp_path, ["coco", "webvtt", "rttm", "csv"])
    assert result.media.video is not None
    times = result.media.video.clock.times

    faces = result["face_analysis"].faces
    coco = COCO(str(tmp_path / "caregiver_infant_face_analysis.json"))
    assert len(coco.anns) == len(faces) > 0
    assert set(coco.imgs) >= {frame + 1 for frame in faces.frame.tolist()}
    for image in coco.imgs.values():
        assert image["timestamp"] == times[image["frame_id"]]
        assert (image["width"], image["height"]) == (640, 480)
    for annotation in coco.anns.values():
        assert annotation["timestamp"] == coco.imgs[annotation["image_id"]]["timestamp"]

    speech = result["voice_activity"].speech
    cues = webvtt.read(str(tmp_path / "caregiver_infant_voice_activity.vtt"), strict=True)
    assert [c.start_time.in_milliseconds() for c in cues] == pytest.approx(speech.start * 1000, abs=0.51)
    ((name, annotation),) = load_rttm(tmp_path / "caregiver_infant_voice_activity.rttm").items()
    assert name == "caregiver_infant"
    assert np.allclose([segment.end for segment in annotation.itersegments()], speech.end)
    shots = webvtt.read(str(tmp_path / "caregiver_infant_scene_detection.vtt"), strict=True)
    assert len(shots) == len(result["scene_detection"].shots)
    for name, output in zip(PIPELINES, ("shots", "speech", "faces"), strict=True):
        several = f"_{output}" if len(result[name].tables) > 1 else ""
        path = tmp_path / f"caregiver_infant_{name}{several}.csv"
        assert va.read(path)[name].tables[output] == result[name].tables[output]


def test_the_viewer_loads_it(result: Result, tmp_path: Path) -> None:
    (path,) = result.export(tmp_path, ["viewer"])
    loaded = load_folder(path)
    assert loaded.warnings == []
    assert set(loaded.rows) == {"faces", "scenes", "speakers"}

    faces = result["face_analysis"].faces
    drawn = loaded.rows["faces"]
    assert 0 < len(drawn) <= len(faces)
    for said in drawn:
        row = faces[said["id"] - 1]
        assert (said["timestamp"], said["frame_number"], said["score"]) == (row.time, row.frame, row.score)
        assert said["face_id"] == (-1 if row.track is None else row.track)
        assert np.allclose(said["bbox"], [row.x1, row.y1, row.x2 - row.x1, row.y2 - row.y1], atol=1e-3)
    assert {said["face_id"] for said in drawn} == {-1 if row.track is None else row.track for row in faces}

    shots = result["scene_detection"].shots
    assert [(s["start_time"], s["end_time"]) for s in loaded.rows["scenes"]] == [(s.start, s.end) for s in shots]
    speech = result["voice_activity"].speech
    assert [(s["start"], s["speaker"]) for s in loaded.rows["speakers"]] == [(r.start, "SPEECH") for r in speech]
