"""Vectors of faces against OpenCV's own class, with networks made on the spot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator.discover.config import config_of, models_of
from videoannotator.errors import ConfigError, ModelError
from videoannotator_face_analysis import videoannotator_pipelines
from videoannotator_face_analysis.cropping import aligned
from videoannotator_face_analysis.embedding import Embedder, units

from . import networks

SPEC = next(spec for spec in videoannotator_pipelines() if spec.name == "face_analysis")
MARKS = np.array([[(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]], dtype=np.float32)


def test_vectors_of_sface_are_those_of_opencv(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    """Blue and red as `cv2.FaceRecognizerSF` has them, 0..255, the picture aligned by it."""
    path = networks.embedder(tmp_path / "sface.onnx", normalises=True, batch=False)
    reference = cv2.FaceRecognizerSF.create(str(path), "")
    face = np.concatenate([np.zeros(4), MARKS.ravel(), [0.9]]).astype(np.float32)[None]
    crop = reference.alignCrop(cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR), face)
    expected = reference.feature(crop)
    embedder = Embedder(path)
    np.testing.assert_allclose(embedder(crop[None, ..., ::-1]), expected, rtol=1e-3, atol=2e-3)
    ours = embedder(aligned(astronaut, MARKS))
    assert float((units(ours) * units(expected)).sum()) > 0.9999
    swapped = embedder(np.ascontiguousarray(aligned(astronaut, MARKS)[..., ::-1]))
    assert float((units(swapped) * units(expected)).sum()) < 0.99


@pytest.mark.parametrize("normalises", [True, False])
def test_pictures_are_prepared_as_insightface_does(
    astronaut: NDArray[np.uint8], tmp_path: Path, normalises: bool
) -> None:
    """``ArcFaceONNX.get_feat``: mean and deviation 127.5, unless the network does that itself."""
    import onnxruntime

    path = networks.embedder(tmp_path / "net.onnx", normalises=normalises, length=512)
    face = aligned(astronaut, MARKS)
    mean, deviation = (0.0, 1.0) if normalises else (127.5, 127.5)
    blob = cv2.dnn.blobFromImages([face[0][..., ::-1]], 1.0 / deviation, (112, 112), (mean, mean, mean), swapRB=True)
    (expected,) = onnxruntime.InferenceSession(str(path)).run(None, {"data": blob})
    found = Embedder(path)(face)
    assert found.shape == (1, 512)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_vector_does_not_depend_on_the_others(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    embedder = Embedder(networks.embedder(tmp_path / "net.onnx", normalises=False))
    faces = np.concatenate([aligned(astronaut, MARKS + shift) for shift in (0, 3, -5, 9)])
    together = embedder(faces)
    for number in range(4):
        np.testing.assert_array_equal(embedder(faces[number : number + 1])[0], together[number])


def test_alike_faces_have_alike_vectors(astronaut: NDArray[np.uint8], tmp_path: Path) -> None:
    embedder = Embedder(networks.embedder(tmp_path / "net.onnx", normalises=False))
    faces = np.concatenate([aligned(astronaut, MARKS), aligned(astronaut, MARKS + 2), aligned(astronaut, MARKS + 90)])
    vectors = units(embedder(faces))
    assert vectors[0] @ vectors[1] > 0.8 > vectors[0] @ vectors[2]
    np.testing.assert_array_equal(units(np.zeros((1, 4))), 0)


def test_other_files_are_refused(weights: Path, yunet: Path) -> None:
    for path in (weights, yunet):
        with pytest.raises(ModelError, match=r"does not make vectors of faces.*one input \(N, 3, 112, 112\)"):
            Embedder(path)


def test_settings_that_could_not_act_are_refused() -> None:
    with pytest.raises(ConfigError, match="set same_face"):
        config_of(SPEC, {"embedding": "mine.onnx"})
    with pytest.raises(ConfigError, match="embedding needs tracking"):
        config_of(SPEC, {"embedding": "sface", "tracking": False})
    for settings in ({"same_face": 0.3}, {"clustering": False}):
        assert models_of(config_of(SPEC, {"embedding": "mine.onnx", **settings})) == ("centerface", "mine.onnx")
    assert models_of(config_of(SPEC)) == ("centerface",)
    assert models_of(config_of(SPEC, {"weights": "yunet", "embedding": "sface"})) == ("yunet", "sface")
