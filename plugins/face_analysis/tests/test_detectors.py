"""YuNet on real videos; RetinaFace and SCRFD against uniface's own code, with networks made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from videoannotator.errors import DeviceError, ModelError
from videoannotator_face_analysis.anchored import RetinaFace, Scrfd, padded
from videoannotator_face_analysis.centerface import CenterFace, planes
from videoannotator_face_analysis.decoding import Faces, anchors, decode_retinaface, decode_scrfd, points
from videoannotator_face_analysis.detectors import detected, detector_of
from videoannotator_face_analysis.yunet import YuNet

from . import networks

BY_EYE = [(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]
"""The astronaut's landmarks, looked up in the picture; right and left are her own."""


def _uniface(name: str, **settings: Any) -> Any:
    """One of uniface's detectors without its weights, which are not asked for."""
    module = pytest.importorskip("uniface.detection", reason="uniface, the reference, is not installed")
    made = object.__new__(getattr(module, name))
    defaults = {"confidence_threshold": 0.5, "nms_threshold": 0.4, "providers": ["CPUExecutionProvider"]}
    for key, value in {**defaults, **settings}.items():
        setattr(made, key, value)
    return made


def _noisy(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """384 x 512 pixels without two places that are alike, so that no two scores are."""
    noise = np.random.default_rng(0).normal(0, 6, (512, 384, 3))
    return np.clip(picture[:, :384] * 0.9 + 12 + noise, 0, 255).astype(np.uint8)


def _same(ours: Faces, theirs: list[Any], at_least: int) -> None:
    assert len(ours) == len(theirs) >= at_least
    np.testing.assert_allclose(ours.scores, [face.confidence for face in theirs], atol=1e-5)
    np.testing.assert_allclose(ours.boxes, [face.bbox for face in theirs], atol=0.02)
    np.testing.assert_allclose(ours.landmarks, [face.landmarks for face in theirs], atol=0.02)


@pytest.mark.parametrize("size", [None, (640, 640)])
def test_retinaface_gives_what_uniface_gives(
    astronaut: NDArray[np.uint8], tmp_path: Path, size: tuple[int, int] | None
) -> None:
    from uniface.common import generate_anchors

    path = networks.retinaface(tmp_path / "net.onnx", size=size, seed=9)
    picture = _noisy(astronaut)
    theirs = _uniface(
        "RetinaFace", pre_nms_topk=5000, post_nms_topk=750, dynamic_size=size is None, input_size=(640, 640)
    )
    theirs._priors = generate_anchors(image_size=(640, 640))
    theirs._initialize_model(str(path))
    threshold = 0.75
    theirs.confidence_threshold = threshold
    (ours,) = RetinaFace(path)(picture[None], threshold=threshold, overlap=0.4)
    _same(ours, theirs.detect(picture[..., ::-1]), 5)


@pytest.mark.parametrize(("size", "batch"), [(None, False), (None, True), ((320, 320), False)])
def test_scrfd_gives_what_unifaces_decoding_makes_of_its_outputs(
    astronaut: NDArray[np.uint8],
    tmp_path: Path,
    size: tuple[int, int] | None,
    batch: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In two things uniface differs from insightface, whose code the weights are from: there we do as insightface.

    It prepares pictures in another way, and cuts boxes off at the left and upper border before it compares them.
    """
    import uniface.detection.scrfd

    def whole(points: NDArray[np.float32], away: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([points - away[:, :2], points + away[:, 2:]], axis=1)

    monkeypatch.setattr(uniface.detection.scrfd, "distance2bbox", whole)
    path = networks.scrfd(tmp_path / "net.onnx", size=size, batch=batch, seed=9)
    picture = _noisy(astronaut)
    theirs = _uniface(
        "SCRFD",
        input_size=size or (384, 512),
        _num_feature_maps=3,
        _feat_stride_fpn=[8, 16, 32],
        _num_anchors=2,
        _center_cache={},
    )
    theirs._initialize_model(str(path))
    # insightface: cv2.dnn.blobFromImage(img, 1 / 128, size, (127.5,) * 3, swapRB=True)
    theirs.preprocess = lambda image: cv2.dnn.blobFromImage(image, 1 / 128, None, (127.5, 127.5, 127.5), swapRB=True)
    if batch:
        run = theirs.inference
        theirs.inference = lambda tensor: [part[0] for part in run(tensor)]
    theirs.confidence_threshold = 0.85
    (ours,) = Scrfd(path)(picture[None], threshold=0.85, overlap=0.4)
    _same(ours, theirs.detect(picture[..., ::-1]), 5)


def test_pictures_of_a_batch_are_seen_alone(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    pictures = np.stack([astronaut, astronaut[::-1], np.zeros_like(astronaut)])[:, :250, :330]
    for made in (
        RetinaFace(networks.retinaface(tmp_path / "a.onnx")),
        RetinaFace(networks.retinaface(tmp_path / "b.onnx", size=(320, 256))),
        Scrfd(networks.scrfd(tmp_path / "c.onnx")),
        Scrfd(networks.scrfd(tmp_path / "d.onnx", batch=True)),
        Scrfd(networks.scrfd(tmp_path / "e.onnx", size=(320, 256))),
    ):
        together = made(pictures, threshold=0.7, overlap=0.4)
        assert len(together[0]) > 3
        for picture, faces in zip(pictures, together, strict=True):
            (alone,) = made(picture[None], threshold=0.7, overlap=0.4)
            np.testing.assert_allclose(faces.boxes, alone.boxes, atol=1e-3)
            np.testing.assert_allclose(faces.landmarks, alone.landmarks, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 150), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_planes_are_what_opencv_makes(number: int, height: int, width: int, seed: int) -> None:
    pictures = np.random.default_rng(seed).integers(0, 256, (number, height, width, 3), dtype=np.uint8)
    size = -(-width // 32) * 32, -(-height // 32) * 32
    theirs = cv2.dnn.blobFromImages(list(pictures), size=size, swapRB=False, crop=False)
    np.testing.assert_array_equal(planes(pictures, size), theirs)


def test_threads_and_company_change_no_bit(weights: Path, astronaut: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(4)
    pictures = np.stack([_noisy(astronaut)[:384], rng.integers(0, 256, (384, 384, 3), dtype=np.uint8)] * 3)
    one, three = (CenterFace(weights, threads=threads) for threads in (1, 3))
    alone = [one(picture[None], threshold=0.1, overlap=0.3)[0] for picture in pictures]
    assert len(alone[0]) > 0
    for detector in (one, three):
        for found, expected in zip(detector(pictures, threshold=0.1, overlap=0.3), alone, strict=True):
            for name in ("boxes", "scores", "landmarks"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5))
def test_anchors_are_those_of_uniface(wide: int, tall: int) -> None:
    common = pytest.importorskip("uniface.common", reason="uniface, the reference, is not installed")
    width, height = 32 * wide, 32 * tall
    theirs = common.generate_anchors(image_size=(height, width))  # it calls them the other way round
    np.testing.assert_allclose(anchors(width, height), theirs, atol=1e-6)


def test_anchors_and_points_lie_in_rows() -> None:
    """A face that only the third anchor of the second row sees lies there."""
    width, height = 64, 32
    boxes, landmarks = np.zeros((len(anchors(width, height)), 4), np.float32), np.zeros((84, 10), np.float32)
    scores = np.zeros(len(boxes), np.float32)
    scores[2 * 8 + 2 * 2 + 1] = 0.9  # 8 points in a row, 2 squares at each; the larger one, 32 pixels
    found = decode_retinaface(boxes, scores, landmarks, (width, height), threshold=0.5, overlap=0.4)
    np.testing.assert_allclose(found.boxes, [[20 - 16, 12 - 16, 20 + 16, 12 + 16]], atol=1e-4)
    np.testing.assert_allclose(found.landmarks, [[[20, 12]] * 5], atol=1e-4)

    count = len(points(width, height, 8, 2))
    scores = np.zeros(count, np.float32)
    scores[2 * 8 + 2 * 2 + 1] = 0.9
    level = (8, scores, np.ones((count, 4), np.float32), np.zeros((count, 10), np.float32))
    found = decode_scrfd([level], (width, height), 2, threshold=0.5, overlap=0.4)
    np.testing.assert_allclose(found.boxes, [[16 - 8, 8 - 8, 16 + 8, 8 + 8]])
    np.testing.assert_allclose(found.landmarks, [[[16, 8]] * 5])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([None, (64, 64), (96, 32), (32, 96)]))
def test_padded_pictures_keep_what_they_show(width: int, height: int, size: tuple[int, int] | None) -> None:
    out, scale = padded(np.full((2, height, width, 3), 200, np.uint8), size)
    assert out.shape[1] % 32 == out.shape[2] % 32 == 0
    bright = out[0, ..., 0] == 200
    tall, wide = bright.any(axis=1).sum(), bright.any(axis=0).sum()
    assert bright[:tall, :wide].all()
    assert abs(tall - height * scale) <= 1
    assert abs(wide - width * scale) <= 1 + wide / tall  # of the height: what was rounded there, times the ratio


def test_the_file_tells_which_detector_it_is(weights: Path, yunet: Path, tmp_path: Path) -> None:
    assert isinstance(detector_of(weights), CenterFace)
    assert isinstance(detector_of(yunet), YuNet)
    assert isinstance(detector_of(networks.retinaface(tmp_path / "a.onnx")), RetinaFace)
    assert isinstance(detector_of(networks.scrfd(tmp_path / "b.onnx")), Scrfd)
    other = networks.embedder(tmp_path / "c.onnx", normalises=False)
    with pytest.raises(ModelError, match=r"c\.onnx is none of the known face detectors \(YuNet, CenterFace, RetinaFac"):
        detector_of(other)


def test_refusals_say_what_is_wrong(yunet: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives no probabilities"):
        RetinaFace(networks.retinaface(tmp_path / "raw.onnx", softmax=False))(
            np.full((1, 64, 64, 3), 90, np.uint8), threshold=0.5, overlap=0.4
        )
    with pytest.raises(ModelError, match="is not RetinaFace: it gives score_8"):
        RetinaFace(networks.scrfd(tmp_path / "scrfd.onnx"))
    with pytest.raises(ModelError, match="is not SCRFD"):
        Scrfd(weights)
    with pytest.raises(DeviceError, match="OpenCV, which cannot use 'cuda:0'"):
        detector_of(yunet, device="cuda:0")
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    with pytest.raises(ModelError, match=r"text\.onnx is no model in ONNX format"):
        detector_of(text)


def test_yunet_finds_the_portrait(yunet: Path, astronaut: NDArray[np.uint8]) -> None:
    (faces,) = detected(detector_of(yunet), astronaut[None], threshold=None, overlap=None)
    assert len(faces) == 1
    np.testing.assert_allclose(faces.landmarks[0], BY_EYE, atol=9)


def test_red_comes_first_for_yunet(yunet: Path, astronaut: NDArray[np.uint8]) -> None:
    """Handed to OpenCV as it wants it, the same faces come out."""
    direct = cv2.FaceDetectorYN.create(str(yunet), "", (512, 512), 0.6, 0.3)
    _, rows = direct.detect(cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    (faces,) = YuNet(yunet)(astronaut[None], threshold=0.6, overlap=0.3)
    np.testing.assert_array_equal(faces.scores, rows[:, 14])
    np.testing.assert_array_equal(faces.landmarks.reshape(-1, 10), rows[:, 4:14])


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (33, 31), (240, 16)])
def test_pictures_of_odd_sizes_have_no_face_in_them(yunet: Path, shape: tuple[int, int]) -> None:
    (faces,) = detected(detector_of(yunet), np.full((1, *shape, 3), 127, np.uint8), threshold=None, overlap=None)
    assert (len(faces), faces.boxes.shape, faces.landmarks.shape) == (0, (0, 4), (0, 5, 2))


def test_boxes_end_at_the_borders_and_boxes_outside_are_none() -> None:
    class Three:
        threshold = overlap = 0.5

        def __call__(self, pictures: NDArray[np.uint8], *, threshold: float, overlap: float) -> list[Faces]:
            boxes = np.array([[-5, -5, 5, 5], [50, 20, 90, 70], [-9, 3, -1, 8]], dtype=np.float32)
            return [Faces(boxes, np.array([1.01, 0.8, 0.7], np.float32), np.zeros((3, 5, 2), np.float32))]

    (faces,) = detected(Three(), np.zeros((1, 60, 80, 3), np.uint8), threshold=None, overlap=None)
    np.testing.assert_array_equal(faces.boxes, [[0, 0, 5, 5], [50, 20, 80, 60]])
    assert faces.scores[0] == 1


@pytest.mark.parametrize("name", ["face_expressions.mp4", "caregiver_infant.mp4"])
def test_the_detectors_agree_on_real_faces(assets: Path, weights: Path, yunet: Path, name: str) -> None:
    """Where both see a face, in a picture every two seconds, they lay the landmarks close to each other."""
    from videoannotator.data.needs import Frames
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    one, other = detector_of(weights, threads=2), detector_of(yunet)
    away = []
    with DecodePass(probe(assets / "video" / name), [Frames(rate=0.5, height=360)]) as decoding:
        for picture in decoding:
            pixels = picture.pixels(0)[None]
            (a,), (b,) = (detected(d, pixels, threshold=None, overlap=None) for d in (one, other))
            for box, marks in zip(a.boxes, a.landmarks, strict=True):
                middle = (box[:2] + box[2:]) / 2
                here = ((b.boxes[:, :2] < middle) & (middle < b.boxes[:, 2:])).all(axis=1)
                away += [np.abs(marks - theirs).mean() / (box[3] - box[1]) for theirs in b.landmarks[here]]
    assert len(away) >= 6
    assert np.median(away) < 0.06
