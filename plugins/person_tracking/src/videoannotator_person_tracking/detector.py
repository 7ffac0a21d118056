"""Boxes, keypoints and masks of many frames at once, the same that ultralytics' predictor gives for each.

The parts are ultralytics' own: `AutoBackend` runs the weights, `LetterBox` prepares a frame, `non_max_suppression`,
`scale_boxes`, `scale_coords` and `process_mask_native` make boxes of what comes out. What is left away is the path
around them, which goes frame by frame through loaders, callbacks, timers and result objects.
"""

from __future__ import annotations

import math
import pickle
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.onnx import send_nothing
from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import ConfigError, DeviceError, MissingDependencyError, ModelError, nearest
from videoannotator_person_tracking.guard import loading, quiet
from videoannotator_person_tracking.masks import encoded
from videoannotator_person_tracking.network import Answer, Network

__all__ = ["Detections", "Detector"]

# what AutoBackend and the runtimes behind it are seen to raise for files that are not what they seem
_UNLOADABLE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
_EXTRAS = {"openvino": "openvino", "onnx": "onnx", "onnxruntime": "onnx"}


@attrs.frozen(eq=False)
class Detections:
    """What was found in one frame, best score first.

    ``boxes``: float32 (N, 6), x1, y1, x2, y2 in pixels of the frame, score, number of the class.
    ``keypoints``: float32 (N, K, 3), x, y in pixels and score; None when the model has none.
    ``shape``: height and width of the frame. ``masks``: N run lengths (see `masks`); None when they were not asked for.
    """

    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32] | None
    shape: tuple[int, int]
    masks: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.boxes)


class Detector:
    """Weights of ultralytics' tasks ``detect``, ``pose`` and ``segment``, in any form ultralytics runs.

    ``names``: the model's classes by number. ``task``: one of the three. ``masks``: give them, too. ``batch``:
    pictures in one forward pass where the weights fix it (most exports: 1), else None. ``size``: height and width of
    the network's picture, before `LetterBox` trims it for weights that take any. ``threads``: of the processor, for
    torch, onnxruntime and OpenVINO. ``fast``, ``dtypes``: see `Network`. ``dtype``: in which the network computes, as
    torch names it; OpenVINO takes bfloat16 by itself where the processor has it.

    It remembers nothing of the frames it was shown. Its threads end with `close`, or when nobody has it any more.
    Raises `ModelError` when the file cannot be loaded or has another task, `ConfigError` when a class or a size is
    asked of it that it does not have, `MissingDependencyError` when its runtime is not installed, `DeviceError` for
    weights that cannot run on ``device``.
    """

    def __init__(
        self,
        weights: Path,
        *,
        device: str = "cpu",
        conf: float = 0.25,
        iou: float = 0.7,
        imgsz: int | None = None,
        classes: Sequence[str] | None = None,
        agnostic_nms: bool = False,
        max_det: int = 300,
        masks: bool = False,
        trust: bool = False,
        threads: int = 1,
        fast: bool = False,
        dtypes: Sequence[str] = ("float32",),
    ) -> None:
        self._path = weights
        if weights.suffix == ".engine" and device.partition(":")[0] != "cuda":
            raise DeviceError(
                f"{weights.name} is made for one kind of NVIDIA card, with TensorRT, and the run is on {device!r}; "
                "choose device 'cuda', or other weights"
            )
        with loading(trust=trust):
            import torch

            self._device = torch.device(device)
            self._model = self._load(trust)
            self.task = self._task()
        self.names: dict[int, str] = dict(self._model.names)
        self._keypoints = self._keypoint_shape()
        if masks and self.task != "segment":
            raise ConfigError(
                f"person_tracking.masks: {weights.name} is a model for {self.task!r} and has none; take weights for "
                "'segment', such as yolo11n-seg.pt, or leave masks false"
            )
        self._masks = masks
        self._classes = self._numbers(classes)
        self._conf, self._iou, self._agnostic, self._max_det = conf, iou, agnostic_nms, max_det
        if self._model.format == "pt" and self._model.end2end:
            # as the predictor does: classes are picked before the head's own limit cuts the list
            self._model.model.set_head_attr(max_det=max(max_det, 300), agnostic_nms=agnostic_nms)
        settings: dict[str, Any] = {"imgsz": imgsz, "threads": threads, "fast": fast, "dtypes": dtypes, "masks": masks}
        self._network = Network(self._model, weights, self._device, least=conf, **settings)
        self.batch, self.size, self.dtype = self._network.batch, self._network.size, self._network.dtype
        # what follows the network must not get in its way
        self._alone = TorchWorkers("boxes") if self._device.type == "cpu" else None
        self._end = weakref.finalize(self, _close, self._alone, self._network)

    def detect(self, frames: NDArray[np.uint8]) -> list[Detections]:
        """Find boxes in frames, uint8 (N, height, width, 3), blue first; one `Detections` per frame."""
        return list(self.each(frames))

    def each(self, frames: NDArray[np.uint8]) -> Iterator[Detections]:
        """The same one by one: while the caller works on the first, the network is at work on those that come."""
        for answer in self._network.answers(frames):
            yield from self._boxes(answer, frames.shape[1:3])

    def habit(self, height: int, width: int) -> str:
        """What fast mode does to frames of this size, in words."""
        return self._network.habit(height, width)

    def close(self) -> None:
        """Let go of threads; the detector is of no more use."""
        self._end()

    def _boxes(self, answer: Answer, outer: Sequence[int]) -> list[Detections]:
        if self._alone is None:
            return self._found(answer, outer)
        return self._alone.submit(lambda one: self._found(one, outer), answer).result()

    # loading ------------------------------------------------------------------------------------------------------

    def _load(self, trust: bool) -> Any:
        from ultralytics.nn.autobackend import AutoBackend

        if self._path.suffix == ".onnx":
            send_nothing()
        try:
            model = AutoBackend(str(self._path), device=self._device, fuse=True, verbose=False, end2end=False)
        except ImportError as error:
            name = error.name or str(error)
            extra = _EXTRAS.get(name)
            add = f"pip install 'videoannotator-person-tracking[{extra}]'" if extra else f"pip install {name}"
            raise MissingDependencyError(
                f"{self._path.name} needs {name}, which is not installed; run: {add}"
            ) from error
        except _UNLOADABLE as error:
            hint = ""
            if self._path.suffix == ".pt" and not trust and isinstance(error, TypeError | AttributeError | LookupError):
                hint = "; if the file is your own, person_tracking.trust_weights = true loads it without the allow-list"
            raise ModelError(f"{self._path} cannot be loaded: {error}{hint}") from error
        return model.eval()

    def _task(self) -> str:
        from ultralytics.nn.tasks import guess_model_task

        backend = self._model.backend
        # load_checkpoint leaves the task on the module; exports say it in their metadata, or at worst in their name
        task = backend.model.task if self._model.format == "pt" else backend.task or guess_model_task(self._path)
        if task not in ("detect", "pose", "segment"):
            raise ModelError(
                f"{self._path} is a model for {task!r}; person_tracking takes 'detect', 'pose' and 'segment' weights"
            )
        return str(task)

    def _keypoint_shape(self) -> tuple[int, int] | None:
        if self.task != "pose":
            return None
        count, dimensions = self._model.kpt_shape
        if dimensions != 3:
            raise ModelError(
                f"{self._path} gives keypoints without a score (kpt_shape {count, dimensions}); "
                "person_tracking takes keypoints of x, y and score"
            )
        return int(count), int(dimensions)

    def _numbers(self, classes: Sequence[str] | None) -> list[int] | None:
        if classes is None:
            return None
        if not classes:
            raise ConfigError("person_tracking.classes names no class; leave it unset (null) to keep all classes")
        numbers = {name: number for number, name in self.names.items()}
        for name in classes:
            if name not in numbers:
                known = ", ".join(numbers) if len(numbers) <= 12 else f"{len(numbers)} classes"
                raise ConfigError(
                    f"person_tracking.classes: {self._path.name} has no class {name!r}{nearest(name, numbers)}; "
                    f"it knows {known}"
                )
        return [numbers[name] for name in classes]

    def _found(self, answer: Answer, outer: Sequence[int]) -> list[Detections]:
        """Boxes in pixels of the frame (``outer``: height, width) from those of the network's picture.

        `DetectionPredictor.postprocess`, and `construct_result` of `PosePredictor` and, with ``retina_masks``, of
        `SegmentationPredictor`.
        """
        import torch
        from ultralytics.utils import nms

        shape = (int(outer[0]), int(outer[1]))
        with quiet(), torch.inference_mode():
            kept = nms.non_max_suppression(
                answer.said,
                self._conf,
                self._iou,
                self._classes,
                self._agnostic,
                max_det=self._max_det,
                nc=0 if self.task == "detect" else len(self.names),
                end2end=self._model.end2end,
                max_time_img=math.inf,  # by default a slow machine silently leaves frames without their boxes
            )
            return [self._scaled(rows, answer, number, shape) for number, rows in enumerate(kept)]

    def _scaled(self, rows: Any, answer: Answer, number: int, shape: tuple[int, int]) -> Detections:
        from ultralytics.utils import ops

        ops.scale_boxes(answer.inner, rows[:, :4], shape)
        keypoints = masks = None
        if self._keypoints is not None:
            points = rows[:, 6:].view(len(rows), *self._keypoints)
            keypoints = ops.scale_coords(answer.inner, points, shape).float().cpu().numpy()
        if self._masks:
            drawn = ops.process_mask_native(answer.prototypes[number], rows[:, 6:], rows[:, :4], shape)
            keep = drawn.amax((1, 2)) > 0  # the predictor drops those of which nothing is left
            rows, drawn = rows[keep], drawn[keep]
            masks = encoded(drawn.cpu().numpy())
        return Detections(rows[:, :6].float().cpu().numpy(), keypoints, shape, masks)


def _close(alone: TorchWorkers | None, network: Network) -> None:
    if alone is not None:
        alone.close()
    network.close()
