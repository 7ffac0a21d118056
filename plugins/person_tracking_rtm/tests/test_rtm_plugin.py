"""The pipeline on real and made clips; what it refuses; what it depends on."""

from __future__ import annotations

import re
from importlib.metadata import distribution, distributions
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import videoannotator as va
from videoannotator.discover.settings import entry_of
from videoannotator.errors import ConfigError, DeviceError, ModelError
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_person_tracking_rtm import videoannotator_pipelines
from videoannotator_person_tracking_rtm.config import PersonTrackingRTMConfig
from videoannotator_person_tracking_rtm.detecting import Detector, family_of
from videoannotator_person_tracking_rtm.posing import Pose
from videoannotator_person_tracking_rtm.session import Network

(SPEC,) = videoannotator_pipelines()


def annotate(path: Path, config: dict[str, Any], **more: Any) -> va.PipelineResult:
    catalog = catalog_of(attrs.evolve(SPEC, batch=more.pop("batch", SPEC.batch)))
    with va.Annotator(["person_tracking"], config={"person_tracking": config}, catalog=catalog, cache=False) as one:
        result = one.annotate(path, progress=False, **more)
    assert result.ok, result.failures
    return result["person_tracking"]


@pytest.mark.filterwarnings("ignore:ByteTrackTracker")  # the kit shows an object a batch twice, before it drops it
def test_contract(tmp_path: Path, settings: dict[str, Any]) -> None:
    results = check_pipeline("person_tracking", tmp_path, config=settings)
    record = results["plain"].provenance.pipelines[0]
    assert (record.plugin, record.config["backend"]) == ("videoannotator-person-tracking-rtm", "rtmlib")
    assert [model.name for model in record.models] == ["rtmdet.onnx", "pose.onnx"]


def test_it_stands_beside_the_other_backend_and_gives_the_same() -> None:
    found = va.catalog()
    assert entry_of(found, "person_tracking", {"backend": "rtmlib"}).spec == SPEC
    others = [entry.spec for entry in found.backends("person_tracking") if entry.spec.backend is None]
    for other in others:
        assert set(other.gives.items()) >= set(SPEC.gives.items())


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_rows_do_not_depend_on_batches(assets: Path, settings: dict[str, Any], batch: int) -> None:
    film = assets / "video" / "caregiver_infant.mp4"
    found = annotate(film, settings, end=1.5, batch=batch)
    expected = annotate(film, settings, end=1.5)
    rows = found.tables["detections"]
    assert len(rows) > 50
    assert rows == expected.tables["detections"]
    assert found.tables["tracks"] == expected.tables["tracks"]
    assert len(found.tables["tracks"]) > 0


def test_rows_are_persons_with_boxes_inside_and_keypoints_in_pixels_as_shown(
    assets: Path, settings: dict[str, Any], networks: Path
) -> None:
    film = assets / "video" / "caregiver_infant.mp4"
    rows = annotate(film, settings, end=0.5).tables["detections"]
    assert set(rows.label) == {"person"}
    assert rows.keypoints.shape == (len(rows), 17, 3)
    assert rows.x1.min() >= 0
    order = np.lexsort((-rows.score, rows.frame))
    assert np.array_equal(order, np.arange(len(rows))), "best first within a frame"
    pose = Pose(Network(networks / "pose.onnx"), swap=True)
    import av

    with av.open(str(film)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="bgr24")
    first = rows[rows.frame == 0]
    assert len(first) > 0
    detector = Detector(Network(Path(settings["weights"])), "rtmdet", side=None, conf=0.1, iou=0.45)
    found = detector(picture)
    best = np.argsort(-found.scores, kind="stable")[0]
    assert first[0].score == pytest.approx(found.scores[best])
    assert np.array_equal(first[0].keypoints, pose(picture, found.boxes[best]))


def test_without_a_tracker_and_without_keypoints(assets: Path, settings: dict[str, Any]) -> None:
    film = assets / "video" / "caregiver_infant.mp4"
    plain = annotate(film, {**settings, "tracker": "none", "pose": None}, end=0.5)
    rows = plain.tables["detections"]
    assert len(rows) > 0
    assert np.ma.getmaskarray(rows.track).all()
    assert rows[0].keypoints is None
    assert rows.score.min() > 0.3
    assert len(plain.tables["tracks"]) == 0
    tracked = annotate(film, {**settings, "untracked": False}, end=0.5).tables["detections"]
    assert not np.ma.getmaskarray(tracked.track).any()


def test_hard_videos_have_defined_results(tmp_path: Path, settings: dict[str, Any]) -> None:
    narrow = write_clip(tmp_path / "narrow.mp4", frames=4, size=(16, 240))
    rows = annotate(narrow, settings).tables["detections"]
    assert len(rows) == 0 or (rows.x2.max() <= 16 and rows.y2.max() <= 240)
    import av

    black = tmp_path / "black.mp4"
    with av.open(str(black), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 160, 96
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((96, 160, 3), dtype=np.uint8))))
        container.mux(stream.encode(None))
    first, second = (annotate(black, settings).tables["detections"] for _ in range(2))
    assert first == second
    assert {len(first[first.frame == n]) for n in range(2, 5)} == {len(first[first.frame == 1])}, "each frame the same"
    quiet = annotate(black, {**settings, "conf": 1.0})
    assert len(quiet.tables["detections"]) == len(quiet.tables["tracks"]) == 0
    assert quiet.coverage.duration > 0


def test_a_keypoint_without_a_response_is_not_placed(tmp_path: Path, conftest_makers: Any) -> None:
    network = Network(conftest_makers.pose_network(tmp_path / "silent.onnx", bias=-1000.0))
    found = Pose(network, swap=True)(np.full((80, 60, 3), 127, dtype=np.uint8), np.array([5, 5, 50, 70], np.float32))
    assert not found.any()


def test_a_network_of_any_size_sees_what_it_is_told_and_boxes_are_in_the_picture_s_pixels(
    tmp_path: Path, conftest_makers: Any
) -> None:
    network = Network(conftest_makers.free_network(tmp_path / "free.onnx"))
    made = {"conf": 0.1, "iou": 0.5}
    sizes = [
        Detector(network, "yolox", side=None, **made).size,
        Detector(network, "yolox", side=None, usual=320, **made).size,
        Detector(network, "yolox", side=128, usual=320, **made).size,
    ]
    assert sizes == [(640, 640), (320, 320), (128, 128)]
    picture = np.full((64, 32, 3), 100, dtype=np.uint8)
    found = Detector(network, "yolox", side=128, **made)(picture)  # twice as large there
    assert found.boxes.tolist() == [[4.0, 4.0, 20.0, 40.0]]
    assert found.scores[0] == pytest.approx((100 + 114) / 2 / 255, abs=1e-3), "half of it is grey"
    with pytest.raises(ModelError, match="does not say which size it takes"):
        Pose(network, swap=True)


def test_other_classes_than_persons_are_left_out(tmp_path: Path, conftest_makers: Any) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    every, half = (
        Detector(
            Network(conftest_makers.nms_detector(tmp_path / f"{c}.onnx", classes=c)),
            "rtmdet",
            side=None,
            conf=0.0,
            iou=1,
        )(picture)
        for c in (False, True)
    )
    assert len(half.boxes) == (len(every.boxes) + 1) // 2
    assert np.array_equal(half.boxes, every.boxes[::2])


@pytest.mark.parametrize(
    ("given", "name", "family"),
    [(None, "rtmdet-m-person", "rtmdet"), (None, "yolox_tiny.onnx", "yolox"), ("yolox", "mine.onnx", "yolox")],
)
def test_the_family_is_given_or_told_by_the_name(given: Any, name: str, family: str) -> None:
    assert family_of(given, name) == family


def test_what_cannot_work_is_refused_in_words(tmp_path: Path, networks: Path, conftest_makers: Any) -> None:
    with pytest.raises(ModelError, match=r"set person_tracking\.family"):
        family_of(None, "end2end.onnx")
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"onnxruntime cannot open .*junk.onnx"):
        Network(junk)
    with pytest.raises(DeviceError, match="runs on the processor"):
        Network(networks / "pose.onnx", device="cuda:0")
    detector = Network(networks / "rtmdet.onnx")
    with pytest.raises(ModelError, match="takes pictures of 160x96 px; leave detector_size unset"):
        Detector(detector, "rtmdet", side=640, conf=0.3, iou=0.5)
    picture = np.zeros((96, 160, 3), dtype=np.uint8)
    with pytest.raises(ModelError, match="gives 17 boxes, and 62 belong to this size"):
        Detector(Network(networks / "pose.onnx"), "rtmdet", side=None, conf=0.3, iou=0.5)(picture[:64, :48])
    with pytest.raises(ModelError, match="not the two"):
        Pose(detector, swap=True)(picture, np.array([0, 0, 50, 50], np.float32))
    with pytest.raises(ConfigError, match="backend must be one of 'rtmlib'"):
        va.Annotator(["person_tracking"], catalog=catalog_of(SPEC), config={"person_tracking": {"backend": 3}})


def test_settings_name_their_models_and_scores() -> None:
    assert PersonTrackingRTMConfig().models() == ("rtmdet-m-person", "rtmpose-m-body7")
    assert PersonTrackingRTMConfig(pose=None).models() == ("rtmdet-m-person",)
    told = [
        PersonTrackingRTMConfig(tracker=t, conf=c).least_score
        for t, c in (("bytetrack", None), ("none", None), ("none", 0.7))
    ]  # type: ignore[arg-type]
    assert told == [0.1, 0.3, 0.7]


def test_nothing_it_needs_is_under_the_agpl() -> None:
    here = {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d for d in distributions()}
    seen: set[str] = set()

    def walk(name: str) -> None:
        if name in seen or name not in here:
            return
        seen.add(name)
        for requirement in here[name].requires or []:
            if "extra ==" not in requirement:
                found = re.match(r"[A-Za-z0-9._-]+", requirement)
                assert found is not None
                walk(re.sub(r"[-_.]+", "-", found.group()).lower())

    walk("videoannotator-person-tracking-rtm")
    assert {"trackers", "supervision", "onnxruntime", "opencv-python", "videoannotator"} <= seen
    assert not seen & {"ultralytics", "videoannotator-person-tracking", "rtmlib"}
    for name in seen:
        about = distribution(name).metadata
        licences = [about.get("License-Expression") or "", *(about.get_all("Classifier") or [])]
        assert not any("AGPL" in text or "Affero" in text for text in licences), name
