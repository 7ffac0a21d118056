"""Run by the plugin's own interpreter: our networks beside openface-test's own classes, on the same pictures.

``python comparing.py FOLDER PICTURES.npz`` in FOLDER: prints one JSON object, name of a check -> what is wrong, or "".
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from openface.face_detection import FaceDetector
from openface.landmark_detection import LandmarkDetector
from openface.multitask_model import MultitaskPredictor
from openface.STAR.conf.base import Base

from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import ModelError
from videoannotator_openface3.networks import Detector, Heads, Landmarks, crop
from videoannotator_openface3.rows import ACTION_UNITS, EMOTIONS

FOLDER, PICTURES = Path(sys.argv[1]), np.load(sys.argv[2])["pictures"]
RETINA, HEADS, STAR = FOLDER / "Alignment_RetinaFace.pth", FOLDER / "MTL_backbone.pth", FOLDER / "Landmark_98.pkl"
THRESHOLD = json.loads((FOLDER / "threshold.json").read_text())

torch.set_num_threads(1)  # bits depend on how many share the work

CHECKS: list[Callable[[], None]] = []


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS.append(function)
    return function


def written(picture: Any) -> str:
    """The picture in a file without loss: openface-test's detector reads files."""
    path = str(FOLDER / "picture.png")
    assert cv2.imwrite(path, picture)
    return path


@check
def faces_are_those_of_face_detector() -> None:
    theirs = FaceDetector(model_path=str(RETINA), device="cpu")
    ours, seen = Detector(RETINA), 0
    together = ours(PICTURES, threshold=THRESHOLD, overlap=0.4)
    for picture, found in zip(PICTURES, together, strict=True):
        boxes, _ = theirs.detect_faces(written(picture))
        strong = boxes[boxes[:, 4] >= np.float32(THRESHOLD)]
        seen += len(strong)
        assert np.array_equal(found.boxes, strong[:, :4]), (found.boxes, strong[:, :4])
        assert np.array_equal(found.scores, strong[:, 4])
        assert np.array_equal(found.points.reshape(-1, 10), strong[:, 5:])
    assert seen > len(PICTURES), "something must have been found"


@check
def crops_are_those_of_get_face() -> None:
    theirs, seen = FaceDetector(model_path=str(RETINA), vis_threshold=0.0), 0
    for picture in PICTURES:
        boxes, raw = theirs.detect_faces(written(picture))
        inside = boxes[(boxes[:, :2] >= 0).all(axis=1)][:1]  # outside of it theirs counts from the other end
        theirs.detect_faces = lambda path, resize, told=(inside, raw): told
        face, _ = theirs.get_face("picture.png")
        del theirs.detect_faces
        seen += face.size > 0
        assert np.array_equal(crop(picture, inside[0, :4]), face)
    assert seen == len(PICTURES)


@check
def heads_are_read_in_the_order_of_the_network() -> None:
    theirs, ours = MultitaskPredictor(str(HEADS)), Heads(HEADS)
    faces = [PICTURES[0][40:200, 60:190], PICTURES[1][100:131, 100:140]]
    said = ours(faces)
    assert said.emotions.shape == (2, len(EMOTIONS))
    assert said.gaze.shape == (2, 2)
    assert said.units.shape == (2, len(ACTION_UNITS))
    for n, face in enumerate(faces):
        emotions, gaze, units = theirs.predict(face)
        assert np.array_equal(said.emotions[n], emotions.softmax(dim=1)[0].numpy())
        assert np.array_equal(said.gaze[n], gaze[0].numpy())
        assert np.array_equal(said.units[n], units[0].numpy())
        model = theirs.model  # and these three are what their names say
        with torch.no_grad():
            features = model.base_model(theirs.preprocess(face))
            by_name = (
                model.emotion_classifier(model.relu(model.fc_emotion(features))),
                model.gaze_regressor(model.relu(model.fc_gaze(features))),
                model.au_regressor(model.relu(model.fc_au(features))),
            )
        for answer, expected in zip((emotions, gaze, units), by_name, strict=True):
            assert torch.allclose(answer, expected, atol=1e-6)
    assert np.abs(said.emotions.sum(axis=1) - 1).max() < 1e-6
    assert not np.allclose(said.emotions[0], said.emotions[1]), "it must look at the faces"
    assert said.units.min() >= 0
    assert said.units.max() <= 1


@check
def red_and_blue_are_not_exchanged() -> None:
    """`preprocess` wants blue first: a blue face must come out with blue as the third, highest channel."""
    blue = np.zeros((60, 60, 3), np.uint8)
    blue[..., 0] = 255
    tensor = Heads(HEADS)._predictor.preprocess(blue)[0]
    means = tensor.mean(dim=(1, 2))
    assert tuple(tensor.shape) == (3, 224, 224)
    assert torch.allclose(means, torch.tensor([-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]), atol=1e-4)


@check
def landmarks_are_those_of_landmark_detector() -> None:
    Base.init_instance = lambda self: None  # theirs writes log files where its authors worked
    theirs = LandmarkDetector(str(STAR), device="cpu")
    ours = Landmarks(STAR)
    boxes = np.array([[60.7, 40.2, 190.9, 200.4, 0.9], [-20.3, 30.0, 50.0, 90.0, 0.8]], np.float32)
    for box, expected in zip(boxes, theirs.detect_landmarks(PICTURES[0], boxes), strict=True):
        (points,) = ours([PICTURES[0]], box[None, :4])
        assert points is not None
        assert points.shape == (98, 2)
        assert np.abs(points - expected).max() < 1e-3, np.abs(points - expected).max()
        # the middle of what the hourglasses see is the middle of the box, wherever random weights put the points
        side = min(box[2] - box[0], box[3] - box[1]) * 1.05
        centre = (box[:2] + box[2:4]) / 2
        assert np.abs(points - centre).max() <= side / 2 + 2
    assert ours([PICTURES[0]], np.array([[5, 5, 5, 90]], np.float32)) == [None]


def refused(kind: Callable[[Path], Any], file: Path) -> str:
    """What is said of a file that must not be taken."""
    said = ""
    try:
        kind(file)
    except ModelError as error:
        said = str(error)
    assert str(file) in said, f"{kind.__name__} took {file}, or does not name it: {said}"
    return said


@check
def other_files_are_refused() -> None:
    for kind, wrong in ((Detector, HEADS), (Heads, RETINA), (Landmarks, HEADS), (Heads, FOLDER / "threshold.json")):
        refused(kind, wrong)
    (FOLDER / "empty.pth").touch()
    torch.save([1, 2], FOLDER / "list.pth")
    for wrong in (FOLDER / "empty.pth", FOLDER / "list.pth"):
        assert "no checkpoint" in refused(Heads, wrong)


class Code:
    def __reduce__(self) -> Any:
        return os.mkdir, (str(FOLDER / "it-was-run"),)


@check
def code_in_a_pickle_is_not_run() -> None:
    torch.save({"state_dict": Code()}, FOLDER / "code.pth")
    (FOLDER / "code.pkl").write_bytes(pickle.dumps({"net": Code()}))
    for wrong in (FOLDER / "code.pth", FOLDER / "code.pkl"):
        refused(Landmarks, wrong)
    assert not (FOLDER / "it-was-run").exists()


@check
def parts_outside_of_the_picture() -> None:
    picture = PICTURES[0]
    assert crop(picture, np.array([-50, -50, 20.9, 30.2], np.float32)).shape == (30, 20, 3)
    assert crop(picture, np.array([-50, -50, -1, -1], np.float32)) is None
    assert crop(picture, np.array([10.2, 10, 10.9, 40], np.float32)) is None


@check
def bits_depend_neither_on_threads_nor_on_company() -> None:
    heads, detector = Heads(HEADS), Detector(RETINA)
    faces = [PICTURES[n][20:150, 40 * n : 40 * n + 120] for n in range(3)]
    single = [heads([face]) for face in faces]
    before = torch.get_num_threads()
    for threads in (1, 3):
        alone = TorchWorkers("openface3", threads)
        together = heads(faces, most=3, alone=alone)
        for name in ("emotions", "gaze", "units"):
            apart = np.concatenate([getattr(one, name) for one in single])
            assert np.array_equal(getattr(together, name), apart), name
        found = detector(PICTURES, threshold=THRESHOLD, overlap=0.4, most=3, alone=alone)
        for picture, one in zip(PICTURES, found, strict=True):
            (expected,) = detector(picture[None], threshold=THRESHOLD, overlap=0.4)
            assert np.array_equal(one.boxes, expected.boxes)
        alone.close()
    assert torch.get_num_threads() == before


@check
def pictures_of_any_size() -> None:
    detector = Detector(RETINA)
    for height, width in ((9, 16), (33, 47), (96, 40)):
        dark = np.zeros((2, height, width, 3), np.uint8)
        first, second = detector(dark, threshold=0.02, overlap=0.4)
        assert len(first) > 0, "random weights see something everywhere at this threshold"
        assert np.array_equal(first.boxes, second.boxes)
        assert (np.diff(first.scores) <= 0).all()
        none, _ = detector(dark, threshold=1.0, overlap=0.4)
        assert none.boxes.shape == (0, 4)
        assert none.points.shape == (0, 5, 2)
    tiny = Heads(HEADS)([np.zeros((1, 1, 3), np.uint8)])
    assert np.isfinite(tiny.gaze).all()


def main() -> None:
    wrong = {}
    for one in CHECKS:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                one()
                wrong[one.__name__] = ""
            except Exception:  # noqa: BLE001 - told, check by check
                wrong[one.__name__] = traceback.format_exc()
    print(json.dumps(wrong))


main()
