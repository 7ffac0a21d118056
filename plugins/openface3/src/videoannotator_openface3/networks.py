"""The three networks of OpenFace 3.0, built from the classes of ``openface-test`` and fed with arrays.

What is done before and after them is openface-test's own code wherever that can be called: `MultitaskPredictor` and
STAR's `Alignment` are used as they are, but for how they load weights and where they write. `FaceDetector` reads
files and builds its anchors anew for every picture; its parts are put together here, and the tests compare the two.
On a processor every face and picture is computed alone, in one thread: see `videoannotator.discover.workers`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from videoannotator.discover.workers import Workers, in_portions
from videoannotator.errors import MissingDependencyError
from videoannotator_openface3.weights import fill, read

try:
    from openface.multitask_model import MultitaskPredictor
    from openface.Pytorch_Retinaface.data import cfg_mnet
    from openface.Pytorch_Retinaface.layers.functions.prior_box import PriorBox
    from openface.Pytorch_Retinaface.models.retinaface import RetinaFace
    from openface.Pytorch_Retinaface.utils.box_utils import decode, decode_landm
    from openface.Pytorch_Retinaface.utils.nms.py_cpu_nms import py_cpu_nms
    from openface.STAR import demo as star
    from openface.STAR.conf import Alignment as AlignmentConfig
    from openface.STAR.lib import utility
except ImportError as error:
    raise MissingDependencyError(
        f"openface3 needs openface-test 0.1.26, and {error.name or error} could not be imported; it gets an "
        "environment of its own: videoannotator plugins install openface3 --isolated"
    ) from error

__all__ = ["Answers", "Detector", "Found", "Heads", "Landmarks", "crop"]

_MEAN = (104, 117, 123)  # of blue, green, red, as in FaceDetector.preprocess_image
_SIZES = 8  # of pictures, whose anchors are kept


@attrs.frozen(eq=False)
class Found:
    """Faces in one picture, best first, in its pixels; nothing is clipped.

    ``boxes``: float32 (N, 4), x1, y1, x2, y2. ``scores``: float32 (N,). ``points``: float32 (N, 5, 2): right eye, left
    eye, nose tip, right and left corner of the mouth, the person's own right and left.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)


@attrs.frozen(eq=False)
class Answers:
    """What the three heads say of N faces: ``emotions``: (N, 8), probabilities; ``gaze``: (N, 2), yaw and pitch in
    radians; ``units``: (N, 8), 0..1. All float32, in the order of `rows`."""

    emotions: NDArray[np.float32]
    gaze: NDArray[np.float32]
    units: NDArray[np.float32]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What openface-test prints is for its own command."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


class Detector:
    """RetinaFace (Deng et al., https://arxiv.org/abs/1905.00641) with a MobileNet of a quarter of the width.

    ``path``: an ``Alignment_RetinaFace.pth``. Raises `ModelError` for another file.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        checkpoint = read(path)
        parameters = {name.split("module.", 1)[-1]: value for name, value in _inside(checkpoint, "state_dict").items()}
        network = RetinaFace(cfg={**cfg_mnet, "pretrain": False}, phase="test")  # these weights hold the backbone, too
        self._network = fill(network, parameters, path, "RetinaFace of OpenFace 3.0").to(device)
        self._device = device
        self._anchors: dict[tuple[int, int], torch.Tensor] = {}

    def _anchors_for(self, size: tuple[int, int]) -> torch.Tensor:
        if size not in self._anchors:
            if len(self._anchors) == _SIZES:
                self._anchors.clear()
            self._anchors[size] = PriorBox(cfg_mnet, image_size=size).forward().to(self._device)
        return self._anchors[size]

    def __call__(
        self,
        pictures: NDArray[np.uint8],
        *,
        threshold: float,
        overlap: float,
        most: int = 1,
        alone: Workers | None = None,
    ) -> list[Found]:
        """The faces in each picture of uint8 (N, height, width, 3), blue first, that score ``threshold`` or more.

        ``overlap``: of two boxes that overlap by more (IoU) the weaker one goes. ``most``: pictures per pass.
        ``alone``: where each is computed by itself instead.
        """
        height, width = pictures.shape[1:3]
        self._anchors_for((height, width))  # before threads ask for them

        def found(portion: slice) -> list[Found]:
            batch = (pictures[portion].astype(np.float32) - np.array(_MEAN, np.float32)).transpose(0, 3, 1, 2)
            with torch.no_grad():
                answers = self._network(torch.from_numpy(np.ascontiguousarray(batch)).to(self._device))
                return [
                    self._decoded(boxes, scores[:, 1], points, (height, width), threshold, overlap)
                    for boxes, scores, points in zip(*answers, strict=True)
                ]

        return [one for part in in_portions(alone, found, len(pictures), most) for one in part]

    def _decoded(
        self, boxes: Any, scores: Any, points: Any, size: tuple[int, int], threshold: float, overlap: float
    ) -> Found:
        """`FaceDetector.detect_faces` from the network's answer on; weak faces are left away before, not after."""
        anchors, variance = self._anchors_for(size), cfg_mnet["variance"]
        scale = torch.tensor([size[1], size[0]] * 5, dtype=torch.float32, device=self._device)
        corners = (decode(boxes, anchors, variance) * scale[:4]).cpu().numpy()
        marks = (decode_landm(points, anchors, variance) * scale).cpu().numpy()
        said = scores.cpu().numpy()
        strong = np.flatnonzero(said >= threshold)
        rows = np.hstack([corners[strong], said[strong, None]]).astype(np.float32, copy=False)
        keep = strong[py_cpu_nms(rows, overlap)]
        return Found(corners[keep], said[keep], marks[keep].reshape(-1, 5, 2))


class _Alignment(star.Alignment):  # type: ignore[misc]  # ships no types
    """STAR's own, without what its constructor does besides: log files, a TensorBoard writer, switches of torch."""

    def __init__(self, network: Any, device: str) -> None:
        self.input_size, self.target_face_scale, self.dl_framework = 256, 1.0, "pytorch"
        self.alignment, self.device = network, torch.device(device)
        self.getCropMatrix = star.GetCropMatrix(
            image_size=self.input_size, target_face_scale=self.target_face_scale, align_corners=True
        )
        self.transformPerspective = star.TransformPerspective(image_size=self.input_size)
        self.transformPoints2D = star.TransformPoints2D()


class Landmarks:
    """STAR (Zhou et al. 2023, https://arxiv.org/abs/2306.02763): 98 landmarks of WFLW from four stacked hourglasses.

    ``path``: a ``Landmark_98.pkl``. Raises `ModelError` for another file.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        checkpoint = read(path)
        with _silent():
            settings = AlignmentConfig(argparse.Namespace(config_name="alignment", device_id=device))
            network = utility.get_net(settings)
        fill(network, _inside(checkpoint, "net"), path, "STAR with 98 landmarks")
        self._alignment = _Alignment(network.to(device), device)

    def __call__(
        self, pictures: Sequence[NDArray[np.uint8]], boxes: NDArray[np.float32], *, alone: Workers | None = None
    ) -> list[NDArray[np.float32] | None]:
        """float32 (98, 2) for each box, x and y in pixels of its picture; None for an empty box.

        ``pictures``: the one that shows each face, uint8 (height, width, 3), blue first. ``boxes``: (N, 4), x1, y1, x2,
        y2; they are rounded towards 0 as `LandmarkDetector.detect_landmarks` does. ``alone``: see `Detector`.
        """

        def points(portion: slice) -> NDArray[np.float32] | None:
            x1, y1, x2, y2 = boxes[portion.start].astype(int)
            scale = min(x2 - x1, y2 - y1) / 200 * 1.05
            if scale <= 0:
                return None
            found: NDArray[np.float32] = self._alignment.analyze(
                pictures[portion.start], float(scale), float((x2 + x1) / 2), float((y2 + y1) / 2)
            )
            return found.astype(np.float32)

        return in_portions(alone, points, len(boxes), 1)


class _Predictor(MultitaskPredictor):  # type: ignore[misc]  # ships no types
    """openface-test's own, with weights that are read without running what a pickle may hold."""

    def _load_model(self, model_path: str) -> None:
        path = Path(model_path)
        fill(self.model, _inside(read(path), "state_dict"), path, "the multitask network of OpenFace 3.0")


class Heads:
    """The multitask network: EfficientNet-B0 with heads for expression, gaze and action units, in this order.

    ``path``: a ``MTL_backbone.pth``. Raises `ModelError` for another file.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # it asks timm for a model by its old name
            self._predictor = _Predictor(str(path), device=device)
        self._device = device

    def __call__(self, faces: Sequence[NDArray[np.uint8]], *, most: int = 1, alone: Workers | None = None) -> Answers:
        """What they say of ``faces``: pictures, uint8 (height, width, 3), blue first.

        ``most``, ``alone``: see `Detector`.
        """

        def said(portion: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            batch = torch.cat([self._predictor.preprocess(face) for face in faces[portion]])
            with torch.no_grad():
                emotions, gaze, units = self._predictor.model(batch)  # in this order
                # the cosine of vectors without negative parts; rounding may take it a hair over 1
                return emotions.softmax(dim=1).cpu(), gaze.cpu(), units.clamp(0, 1).cpu()

        parts = in_portions(alone, said, len(faces), most)
        emotions, gaze, units = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
        return Answers(emotions, gaze, units)


def crop(picture: NDArray[np.uint8], box: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """The part of a picture that a box shows, or None where it shows none.

    The box is rounded towards 0, as `FaceDetector.get_face` does, and ends at the borders of the picture: there, that
    one takes what lies at the other side.
    """
    x1, y1, x2, y2 = np.maximum(box.astype(int), 0)
    part = picture[y1:y2, x1:x2]
    return part if part.size else None


def _inside(checkpoint: dict[str, Any], name: str) -> dict[str, Any]:
    """The parameters of a checkpoint that may keep them under ``name``, beside other things."""
    found = checkpoint.get(name, checkpoint)
    return found if isinstance(found, dict) else {}
