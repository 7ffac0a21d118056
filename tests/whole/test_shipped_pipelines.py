"""The pipelines we ship, through the front door, on a real recording of a mother and her baby."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import webvtt
from pyannote.database.util import load_rttm
from pycocotools.coco import COCO

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.testing.contract import check_pipeline, check_result

LIGHT = ("face_analysis", "scene_detection", "voice_activity")
ALL = (*LIGHT, "person_tracking")


@pytest.fixture(scope="module")
def pose_weights(assets: Path) -> str:
    return str(assets / "models" / "yolov8n-pose_int8_openvino_model")


@pytest.fixture(scope="module")
def run(
    assets: Path, pose_weights: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[va.Result, list[DecodePass], int]:
    """All four over the recording; with it, the decode passes it took and how often a file was opened."""
    passes: list[DecodePass] = []
    opened: list[Any] = []
    real_open, real_pass = av.open, DecodePass.__init__

    def counting_open(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return real_open(*args, **kwargs)

    def counting_pass(self: DecodePass, *args: Any, **kwargs: Any) -> None:
        passes.append(self)
        real_pass(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDEOANNOTATOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(av, "open", counting_open)
        patch.setattr(DecodePass, "__init__", counting_pass)
        # a bowed baby is what scores below the default threshold
        config = {"person_tracking": {"weights": pose_weights}, "face_analysis": {"threshold": 0.3}}
        with va.Annotator(ALL, config=config) as annotator:
            result = annotator.annotate(assets / "video" / "caregiver_infant.mp4", progress=False)
    return result, passes, len(opened)


@pytest.fixture(scope="module")
def result(run: tuple[va.Result, list[DecodePass], int]) -> va.Result:
    return run[0]


@pytest.mark.parametrize("name", LIGHT)
def test_every_light_pipeline_holds_the_contract(name: str, tmp_path: Path) -> None:
    check_pipeline(name, tmp_path)


def test_person_tracking_holds_the_contract(pose_weights: str, tmp_path: Path) -> None:
    check_pipeline("person_tracking", tmp_path, config={"weights": pose_weights})


def test_four_pipelines_on_a_real_file_cost_one_decode(run: tuple[va.Result, list[DecodePass], int]) -> None:
    result, passes, opened = run
    assert result.ok, result.failures
    assert [p.decoded for p in passes] == [150]
    assert opened == 2, "once to probe, once to decode"


def test_persons_faces_cuts_and_speech_come_out(result: va.Result) -> None:
    for pipeline in result.pipelines.values():
        check_result(pipeline, result.media, pipeline.name)
    persons, faces = result["person_tracking"].detections, result["face_analysis"].faces
    assert set(persons.label) == {"person"}
    assert persons.keypoints.shape[1:] == (17, 3)
    per_frame = np.bincount(persons[~np.ma.getmaskarray(persons.track)].frame, minlength=150)
    assert np.mean(per_frame >= 2) > 0.5, "mother and baby, in most frames"
    _, faces_per_picture = np.unique(faces.frame, return_counts=True)
    assert len(faces_per_picture) == 53, "a face in every picture looked at, five a second"
    assert np.mean(faces_per_picture >= 2) > 0.5, "both faces in most of them"
    assert len(result["scene_detection"].shots) == 1, "it is one shot"
    speech = result["voice_activity"].speech
    assert len(speech) >= 1
    assert speech.end.max() <= result.media.duration


def test_times_are_those_of_the_container(result: va.Result, assets: Path) -> None:
    with av.open(str(assets / "video" / "caregiver_infant.mp4")) as container:
        stream = container.streams.video[0]
        times = sorted(float(p.pts * stream.time_base) for p in container.demux(stream) if p.pts is not None)
    assert result.media.video is not None
    assert result.media.video.clock.variable
    persons = result["person_tracking"].detections
    np.testing.assert_allclose(persons.time, np.array(times)[persons.frame], atol=1e-9)


def test_faces_lie_on_persons(result: va.Result) -> None:
    """Two models that know nothing of each other agree on where the people are."""
    persons, inside, total = result["person_tracking"].detections, 0, 0
    for face in result["face_analysis"].faces:
        x, y = (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2
        here = persons[persons.frame == face.frame]
        total += 1
        inside += bool(((here.x1 <= x) & (x <= here.x2) & (here.y1 <= y) & (y <= here.y2)).any())
    assert inside / total > 0.9


def test_what_is_written_is_read_by_everybody_else(result: va.Result, tmp_path: Path) -> None:
    written = result.export(tmp_path, formats=["native", "coco", "webvtt", "rttm", "csv"])
    names = {p.name for p in written}
    coco = COCO(str(tmp_path / "caregiver_infant_person_tracking.json"))
    persons = result["person_tracking"].detections
    assert len(coco.getAnnIds()) == len(persons)
    first = coco.loadAnns(coco.getAnnIds())[0]
    row = persons[0]
    np.testing.assert_allclose(first["bbox"], [row.x1, row.y1, row.x2 - row.x1, row.y2 - row.y1], atol=1e-3)
    assert len(coco.loadCats(coco.getCatIds())[0]["keypoints"]) == 17
    speech = result["voice_activity"].speech
    cues = webvtt.read(str(tmp_path / "caregiver_infant_voice_activity.vtt"))
    starts = [hours * 3600 + minutes * 60 + seconds + ms / 1000 for hours, minutes, seconds, ms in map(_parts, cues)]
    np.testing.assert_allclose(starts, speech.start, atol=1e-3)
    turns = load_rttm(str(tmp_path / "caregiver_infant_voice_activity.rttm"))["caregiver_infant"]
    np.testing.assert_allclose([s.start for s in turns.itersegments()], speech.start, atol=1e-3)
    assert "caregiver_infant_scene_detection_shots.csv" in names
    assert va.read(tmp_path / "caregiver_infant.videoannotator") == result


def _parts(cue: Any) -> tuple[int, int, int, int]:
    moment = cue.start_time
    return moment.hours, moment.minutes, moment.seconds, moment.milliseconds


def test_the_provenance_names_weights_and_licences(result: va.Result) -> None:
    made = {record.name: record for record in result.provenance.pipelines}
    assert "AGPL" in made["person_tracking"].licence
    assert made["voice_activity"].licence == made["face_analysis"].licence == "MIT"
    for name in ("person_tracking", "face_analysis", "voice_activity"):
        (model,) = made[name].models
        assert len(model.sha256) == 64


@pytest.mark.parametrize(
    ("file", "expected"),
    [("sitcom_kitchen.avi", 434), ("people_walking.mp4", 340)],
)
def test_sick_and_silent_files_are_annotated_and_say_what_they_are(assets: Path, file: str, expected: int) -> None:
    with va.Annotator(["scene_detection", "voice_activity"]) as annotator:
        result = annotator.annotate(assets / "video" / file, progress=False)
    assert result.media.video is not None
    clock = result.media.video.clock
    assert len(clock) == expected
    assert np.all(np.diff(clock.times) > 0)
    shots = result["scene_detection"].shots
    assert np.all(shots.end > shots.start)
    assert shots.start[1:].tolist() == shots.end[:-1].tolist(), "shots follow each other without gaps"
    if file == "sitcom_kitchen.avi":
        assert clock.source == "repaired"
        assert any("repaired" in notice for notice in result.media.notices)
        assert len(shots) > 1
    else:
        assert [f.kind for f in result.failures] == ["no_audio"]
