"""Crops and vectors, against torchreid's transform and the network as it stands in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from videoannotator.errors import DataError, DeviceError, ModelError
from videoannotator_person_identity.appearance import Appearance, crop_of, prepared


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((20, 20, 1), dtype=np.uint8))


BOXES = np.array([[10.2, 5.0, 80.7, 200.0], [-5, 100, 60, 300], [200, 20, 330, 180], [50, 50, 51, 52]], np.float64)


def network(path: Path, *, batch: int, size: tuple[int, int] = (8, 4), flattened: bool = False) -> Path:
    """A re-identification network in small: the picture's mean colour, spread over 5 numbers."""
    weights = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    shape = np.array([batch if flattened else 0, -1], dtype=np.int64)
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["flat"], allowzero=0),
        helper.make_node("MatMul", ["flat", "weights"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, 3, *size])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [batch, 5])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(shape, "shape")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def test_pictures_are_prepared_as_torchreid_does(picture: NDArray[np.uint8]) -> None:
    """Its ``FeatureExtractor``: ToPILImage, Resize, ToTensor, Normalize; larger and smaller than what it sees."""
    transforms: Any = pytest.importorskip("torchvision.transforms", reason="torchvision, the reference, is missing")
    reference = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize((256, 128)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    for crop in (picture, picture[:40, :13], np.tile(picture, (3, 3, 1))):
        np.testing.assert_allclose(prepared(crop, (256, 128)), reference(crop).numpy(), atol=1e-6)


def test_vectors_are_the_networks_made_one_long(osnet: Path, picture: NDArray[np.uint8]) -> None:
    session = onnxruntime.InferenceSession(str(osnet))
    vectors = Appearance(osnet, threads=2)(picture, BOXES)
    assert (vectors.shape, vectors.dtype) == ((4, 512), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for box, vector in zip(BOXES, vectors, strict=True):
        (plain,) = session.run(None, {"input": prepared(crop_of(picture, box), (256, 128))[None]})
        np.testing.assert_allclose(vector, plain[0] / np.linalg.norm(plain), atol=1e-6)


def test_the_same_bits_however_many_at_once(osnet: Path, picture: NDArray[np.uint8]) -> None:
    one, many = Appearance(osnet, threads=1), Appearance(osnet, threads=3)
    assert np.array_equal(many(picture, BOXES), np.concatenate([one(picture, box) for box in BOXES]))


def test_red_comes_first(osnet: Path, assets: Path) -> None:
    """The same person in two frames looks more alike in the right order than with one of the two exchanged."""
    from videoannotator.data.needs import Frames
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    looks = Appearance(osnet)
    with DecodePass(probe(assets / "video" / "caregiver_infant.mp4"), [Frames(rate=1.0)]) as decoding:
        frames = [picture.pixels(0) for picture in decoding][:4]
    whole = [np.array([[0, 0, frame.shape[1], frame.shape[0]]], np.float64) for frame in frames]
    right = np.concatenate([looks(f, box) for f, box in zip(frames, whole, strict=True)])
    swapped = np.concatenate([looks(f[..., ::-1], box) for f, box in zip(frames, whole, strict=True)])
    assert (right[1:] @ right[0]).mean() > (swapped[1:] @ right[0]).mean() + 0.05


@pytest.mark.parametrize(("batch", "flattened"), [(1, True), (16, True), (16, False), (4, True)])
def test_exports_with_a_fixed_batch_take_any(
    tmp_path: Path, picture: NDArray[np.uint8], batch: int, flattened: bool
) -> None:
    looks = Appearance(network(tmp_path / "small.onnx", batch=batch, flattened=flattened))
    alone = looks(picture, BOXES)
    looks._most = 3  # as on a graphics card
    np.testing.assert_allclose(looks(picture, BOXES), alone, atol=1e-6)
    assert alone.shape == (4, 5)
    assert len(np.unique(alone.round(3), axis=0)) == 4


def test_a_box_beside_the_picture_has_no_vector(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    looks = Appearance(network(tmp_path / "small.onnx", batch=1))
    vectors = looks(picture, np.array([[400, 0, 500, 50], [0, 0, 50, 50], [0, 0, 0, 10], [np.nan, 0, 5, 5]]))
    assert np.isnan(vectors[[0, 2, 3]]).all()
    assert np.isfinite(vectors[1]).all()
    assert looks(picture, np.zeros((0, 4))).shape == (0, 5)


def test_other_files_are_refused(tmp_path: Path, assets: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="no ONNX model"):
        Appearance(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="re-identification network"):
        Appearance(assets / "models" / "face_detection_yunet_2026may.onnx")
    lonely = tmp_path / "osnet.onnx"
    lonely.write_bytes((assets / "models" / "osnet_x0_25_msmt17.onnx").read_bytes())
    with pytest.raises(ModelError, match="weights is missing"):
        Appearance(lonely)


def test_pictures_and_devices_are_checked(tmp_path: Path) -> None:
    path = network(tmp_path / "small.onnx", batch=1)
    with pytest.raises(DataError, match="uint8"):
        Appearance(path)(np.zeros((10, 10), dtype=np.uint8), BOXES)
    with pytest.raises(DeviceError, match="cannot use 'tpu'"):
        Appearance(path, device="tpu")
