"""Boxes and keypoints of many frames at once, the same that ultralytics' predictor gives for each.

The parts are ultralytics' own: `AutoBackend` runs the weights, `LetterBox` prepares a frame, `non_max_suppression`,
`scale_boxes` and `scale_coords` make boxes of what comes out. What is left away is the path around them, which goes
frame by frame through loaders, callbacks, timers and result objects.
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

from videoannotator.errors import ConfigError, MissingDependencyError, ModelError, nearest
from videoannotator_person_tracking.guard import loading, quiet
from videoannotator_person_tracking.streams import OneTorchThread, Streams

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
    ``shape``: height and width of the frame.
    """

    boxes: NDArray[np.float32]
    keypoints: NDArray[np.float32] | None
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.boxes)


class Detector:
    """Weights of ultralytics' tasks ``detect`` and ``pose``, in any form ultralytics runs.

    ``names``: the model's classes by number. ``task``: ``"detect"`` or ``"pose"``. ``batch``: pictures in one
    forward pass where the weights fix it (most exports: 1), else None. ``size``: height and width of the network's
    picture, before `LetterBox` trims it for weights that take any. ``threads``: of the processor, for runtimes that
    can be told (OpenVINO). ``dtype``: in which the network computes, as torch names it; OpenVINO takes bfloat16 by
    itself where the processor has it.

    It remembers nothing of the frames it was shown. Its threads end with `close`, or when nobody has it any more.
    Raises `ModelError` when the file cannot be loaded or has another task, `ConfigError` when a class or a size is
    asked of it that it does not have, `MissingDependencyError` when its runtime is not installed.
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
        trust: bool = False,
        threads: int = 1,
    ) -> None:
        self._path = weights
        with loading(trust=trust):
            import torch

            self._device = torch.device(device)
            self._model = self._load(trust)
            self.task = self._task()
        self.names: dict[int, str] = dict(self._model.names)
        self._keypoints = self._keypoint_shape()
        self._classes = self._numbers(classes)
        self._conf, self._iou, self._agnostic, self._max_det = conf, iou, agnostic_nms, max_det
        if self._model.format == "pt" and self._model.end2end:
            # as the predictor does: classes are picked before the head's own limit cuts the list
            self._model.model.set_head_attr(max_det=max(max_det, 300), agnostic_nms=agnostic_nms)
        self.batch, fixed = self._input()
        self.size = self._size(imgsz, fixed)
        # torch has the network's threads to itself in its own formats; in others it must not get in the way
        self._alone = None if self._model.format in ("pt", "torchscript") else OneTorchThread()
        self._streams = None
        if self._model.format == "openvino" and self.batch is not None:
            self._streams = Streams.of(self._model.backend, weights, threads)
        self.dtype = self._precision()
        self._end = weakref.finalize(self, _close, [part for part in (self._alone, self._streams) if part is not None])

    def detect(self, frames: NDArray[np.uint8]) -> list[Detections]:
        """Find boxes in frames, uint8 (N, height, width, 3), blue first; one `Detections` per frame."""
        return self._detect(frames) if self._alone is None else self._alone.submit(self._detect, frames).result()

    def close(self) -> None:
        """Let go of threads; the detector is of no more use."""
        self._end()

    def _detect(self, frames: NDArray[np.uint8]) -> list[Detections]:
        import torch

        found: list[Detections] = []
        with quiet(), torch.inference_mode():
            for said, inner in self._answers(frames):
                found += self._found(said, inner, frames.shape[1:3])
        return found

    # loading ------------------------------------------------------------------------------------------------------

    def _load(self, trust: bool) -> Any:
        from ultralytics.nn.autobackend import AutoBackend

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
        if task not in ("detect", "pose"):
            raise ModelError(f"{self._path} is a model for {task!r}; person_tracking takes 'detect' and 'pose' weights")
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

    def _input(self) -> tuple[int | None, tuple[int, int] | None]:
        """Batch and size that the loaded network really takes; None for what it leaves open."""
        backend, shape = self._model.backend, []
        if self._model.format == "openvino":
            partial = backend.ov_compiled_model.input().get_partial_shape()
            shape = [d.get_length() if d.is_static else None for d in partial]
        elif self._model.format == "onnx":
            shape = [d if isinstance(d, int) and d > 0 else None for d in backend.session.get_inputs()[0].shape]
        if len(shape) == 4:
            batch, _, height, width = shape
            return batch, (height, width) if height and width else None
        # other runtimes: what the export says of itself; AutoBackend cuts and fills batches by the same words
        fixed = hasattr(backend, "imgsz") and not backend.dynamic
        return None, (int(backend.imgsz[0]), int(backend.imgsz[1])) if fixed else None

    def _precision(self) -> str:
        if self._model.format == "openvino":
            compiled, hint = self._model.backend.ov_compiled_model, "INFERENCE_PRECISION_HINT"
            told = hint in compiled.get_property("SUPPORTED_PROPERTIES")  # not by a choice among devices
            name = compiled.get_property(hint).get_type_name() if told else "f32"
            return {"bf16": "bfloat16", "f16": "float16"}.get(name, "float32")
        return "float16" if self._model.fp16 else "float32"

    def _size(self, imgsz: int | None, fixed: tuple[int, int] | None) -> tuple[int, int]:
        from ultralytics.utils.checks import check_imgsz

        if fixed is not None:
            if imgsz is not None and imgsz != max(fixed):
                raise ConfigError(
                    f"person_tracking.imgsz: {self._path.name} was exported for {fixed[1]}x{fixed[0]} pixels and "
                    f"takes no {imgsz}; leave imgsz unset, or export the weights anew with dynamic=True"
                )
            return fixed
        if imgsz is None:  # as YOLO(weights) does: the size of the training, which .pt files keep
            trained = getattr(self._model.model, "args", {}).get("imgsz") if self._model.format == "pt" else None
            imgsz = int(trained) if isinstance(trained, int | float) else 640
        with quiet():
            height, width = check_imgsz(imgsz, stride=self._model.stride, min_dim=2)
        return int(height), int(width)

    # one pass -----------------------------------------------------------------------------------------------------

    def _letterboxed(self, frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Frames scaled and padded as the network takes them: `BasePredictor.pre_transform`."""
        from ultralytics.data.augment import LetterBox

        backend = self._model.backend
        any_shape = self._model.format == "pt" or (backend.dynamic and self._model.format != "imx")
        letterbox = LetterBox(self.size, auto=any_shape, stride=self._model.stride)
        return [letterbox(image=frame) for frame in frames]

    def _pictures(self, frames: NDArray[np.uint8]) -> Any:
        """The network's input, float (N, 3, height, width), red first, 0..1: `BasePredictor.preprocess`."""
        import torch

        ready = self._letterboxed(frames)
        if self._device.type == "cpu" and not self._model.fp16:
            return torch.from_numpy(_planes(ready))
        pictures = torch.from_numpy(np.stack(ready)).to(self._device).permute(0, 3, 1, 2).contiguous().flip(1)
        return (pictures.half() if self._model.fp16 else pictures.float()).div_(255)

    def _answers(self, frames: NDArray[np.uint8]) -> Iterator[tuple[Any, Sequence[int]]]:
        """The network's raw answers, in batches that it takes, each with height and width of what it was shown."""
        step = self.batch or max(1, len(frames))
        parts = [frames[start : start + step] for start in range(0, len(frames), step)]
        if self._streams is not None:
            yield from self._streams.map(self._streamed, parts)
            return
        for part in parts:
            pictures = self._pictures(part)
            yield self._said(pictures, step), pictures.shape[2:]

    def _streamed(self, part: NDArray[np.uint8]) -> tuple[Any, Sequence[int]]:
        import torch

        assert self._streams is not None and self.batch is not None  # noqa: S101, PT018 - told to the type checker
        planes = _planes(self._letterboxed(part))
        missing = self.batch - len(planes)
        if missing:
            planes = np.concatenate([planes, np.zeros((missing, *planes.shape[1:]), planes.dtype)])
        return torch.from_numpy(self._streams.infer(planes)[: len(part)]), planes.shape[2:]

    def _said(self, pictures: Any, batch: int) -> Any:
        """The network's raw answer; a batch that is shorter than the weights take is filled up with black."""
        missing = batch - len(pictures)
        if missing:
            import torch

            pictures = torch.cat((pictures, pictures.new_zeros((missing, *pictures.shape[1:]))))
        said = self._model(pictures)
        said = said[0] if isinstance(said, list | tuple) else said
        return said[: batch - missing]

    def _found(self, said: Any, inner: Sequence[int], outer: Sequence[int]) -> Iterator[Detections]:
        """Boxes in pixels of the frame (``outer``: height, width) from those of the network's picture (``inner``).

        `DetectionPredictor.postprocess` and `PosePredictor.construct_result`.
        """
        from ultralytics.utils import nms, ops

        kept = nms.non_max_suppression(
            said,
            self._conf,
            self._iou,
            self._classes,
            self._agnostic,
            max_det=self._max_det,
            nc=0 if self.task == "detect" else len(self.names),
            end2end=self._model.end2end,
            max_time_img=math.inf,  # by default a slow machine silently leaves frames without their boxes
        )
        shape = (int(outer[0]), int(outer[1]))
        for rows in kept:
            ops.scale_boxes(inner, rows[:, :4], shape)
            keypoints = None
            if self._keypoints is not None:
                points = rows[:, 6:].view(len(rows), *self._keypoints)
                keypoints = ops.scale_coords(inner, points, shape).float().cpu().numpy()
            yield Detections(rows[:, :6].float().cpu().numpy(), keypoints, shape)


def _close(parts: Sequence[OneTorchThread | Streams]) -> None:
    for part in parts:
        part.close()


def _planes(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Pictures (height, width, 3), blue first, as float32 (N, 3, height, width), red first, 0..1.

    The same numbers as torch's, in half the time.
    """
    import cv2

    height, width = pictures[0].shape[:2]
    planes = np.empty((len(pictures), 3, height, width), dtype=np.float32)
    for out, picture in zip(planes, pictures, strict=True):
        for plane, channel in zip(out[::-1], cv2.split(picture), strict=True):
            np.divide(channel, np.float32(255), out=plane)
    return planes
