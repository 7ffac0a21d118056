"""From frames to what the network answers: which pictures it is shown, how many at once, by whom it is run."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.onnx import opened
from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import ConfigError
from videoannotator_person_tracking.guard import quiet
from videoannotator_person_tracking.lowering import fast_type, lower
from videoannotator_person_tracking.streams import Streams, xml_of
from videoannotator_person_tracking.trimming import TrimmingError, trimmed

__all__ = ["Network"]

_MOST = 8  # workers: as many as there are frames in a batch of the pipeline
_FAST_BATCH = 4  # on a processor: above that bfloat16 gains little more, and threads have less to share
_KEPT_SIZES = 4  # networks for pictures of other sizes, ready to be used again


@attrs.frozen(eq=False)
class Answer:
    """``said``: what the network says of some pictures, a tensor. ``inner``: height and width of what it was shown.

    ``prototypes``: tensor (N, D, height, width) of which masks are made, when they are wanted.
    """

    said: Any
    inner: Sequence[int]
    prototypes: Any = None


class Network:
    """Runs a loaded ultralytics ``AutoBackend`` on frames.

    Exact: pictures as ultralytics' predictor prepares them, in float32 (OpenVINO: in what it takes by itself), on a
    processor one picture per pass, as ultralytics does, each thread on a picture of its own; on other devices all of
    a batch at once. ``fast``: torch networks in the best of ``dtypes``, channels last, a few pictures per pass;
    OpenVINO exports of fixed size without most of the grey bars that make pictures square (see `trimming`); others as
    exact.

    ``batch``: pictures per pass where the weights fix it, else None. ``size``: height and width of the network's
    picture, before `LetterBox` trims it for weights that take any. ``dtype``: in which it computes. ``masks``: answers
    come with what masks are made of. Raises `ConfigError` for an ``imgsz`` that the weights do not take.
    """

    def __init__(
        self,
        model: Any,
        weights: Path,
        device: Any,
        *,
        imgsz: int | None,
        threads: int,
        fast: bool,
        dtypes: Sequence[str],
        least: float,
        masks: bool = False,
    ) -> None:
        self._model, self._weights, self._device, self._threads = model, weights, device, threads
        self._least, self._masks = least, masks
        self.batch, fixed = self._input()
        self._fits = self._trims = False
        if model.format == "openvino" and self.batch is not None:
            self._fits = Streams.fit(model.backend)
            self._trims = fast and self._fits and fixed is not None and _can_be_trimmed(weights, fixed)
        self.size = self._size(imgsz, fixed)
        self._streams: dict[tuple[int, int], Streams] = {}
        self._making = threading.Lock()
        self._workers = None
        if device.type == "cpu" and model.format in ("pt", "torchscript", "onnx"):
            self._workers = TorchWorkers("network", threads, most=_MOST)
            if model.format == "onnx":
                _use_one_thread(model.backend, weights)
        elif self._fits and not self._trims:
            self._streams_for(self.size)
        self._type: Any = None
        if fast and model.format == "pt":
            self._type = fast_type(device, dtypes)
            lower(model.backend.model, self._type)
        self.dtype = self._precision()
        self._end = weakref.finalize(self, _close, self._workers, self._streams)

    def habit(self, height: int, width: int) -> str:
        """What fast mode does to frames of this size, in words."""
        if self._type is not None:
            return f"fast: the network computes in {self.dtype}, channels last, {self._most} pictures at a time"
        if self._trims:
            high, wide, _ = self._letterboxed(np.zeros((1, height, width, 3), np.uint8))[0].shape
            whole = f"{self.size[1]}x{self.size[0]}"
            return f"fast: the network sees {wide}x{high} pixels, not {whole} with all the grey bars"
        return f"fast: nothing faster is known for {self._weights.name} here; it was run as exact"

    def close(self) -> None:
        """End its threads."""
        self._end()

    # what was loaded ----------------------------------------------------------------------------------------------

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

    def _size(self, imgsz: int | None, fixed: tuple[int, int] | None) -> tuple[int, int]:
        from ultralytics.utils.checks import check_imgsz

        if fixed is not None:
            if imgsz is None or imgsz == max(fixed):
                return fixed
            if not self._trims or imgsz > min(fixed):
                raise ConfigError(
                    f"person_tracking.imgsz: {self._weights.name} was exported for {fixed[1]}x{fixed[0]} pixels and "
                    f"takes no {imgsz}; leave imgsz unset, or export the weights anew with dynamic=True"
                )
        elif imgsz is None:  # as YOLO(weights) does: the size of the training, which .pt files keep
            trained = getattr(self._model.model, "args", {}).get("imgsz") if self._model.format == "pt" else None
            imgsz = int(trained) if isinstance(trained, int | float) else 640
        with quiet():
            height, width = check_imgsz(imgsz, stride=self._model.stride, min_dim=2)
        return int(height), int(width)

    def _precision(self) -> str:
        if self._model.format == "openvino":
            compiled, hint = self._model.backend.ov_compiled_model, "INFERENCE_PRECISION_HINT"
            told = hint in compiled.get_property("SUPPORTED_PROPERTIES")  # not by a choice among devices
            name = compiled.get_property(hint).get_type_name() if told else "f32"
            return {"bf16": "bfloat16", "f16": "float16"}.get(name, "float32")
        if self._type is not None:
            return str(self._type).removeprefix("torch.")
        return "float16" if self._model.fp16 else "float32"

    # one pass -----------------------------------------------------------------------------------------------------

    def answers(self, frames: NDArray[np.uint8]) -> Iterator[Answer]:
        """The network's raw answers to frames, uint8 (N, height, width, 3), blue first, a few frames at a time."""
        step = self._step(len(frames))
        parts = [frames[start : start + step] for start in range(0, len(frames), step)]
        if not parts:
            return
        if self._fits:
            shown = self._letterboxed(frames[:1])[0].shape
            streams = self._streams_for((shown[0], shown[1]))
            yield from streams.map(lambda part: self._streamed(streams, part), parts)
        elif self._workers is not None:
            yield from self._workers.map(self._answer, parts)
        else:
            yield from map(self._answer, parts)

    @property
    def _most(self) -> int:
        return _FAST_BATCH if self._device.type == "cpu" else 8

    def _step(self, frames: int) -> int:
        """Pictures in one pass."""
        if self.batch is not None:
            return self.batch
        if self._workers is None:
            return max(1, frames)
        if self._type is None:
            return 1
        return max(1, min(_FAST_BATCH, -(-frames // self._workers.count)))

    def _streams_for(self, shown: tuple[int, int]) -> Streams:
        """Streams of the network for pictures of this height and width."""
        with self._making:
            if shown not in self._streams:
                size = None
                if self._trims:
                    size = trimmed(xml_of(self._weights), *shown)
                while len(self._streams) >= _KEPT_SIZES:
                    self._streams.pop(next(iter(self._streams))).close()
                self._streams[shown] = Streams.of(self._model.backend, self._weights, self._threads, size)
            return self._streams[shown]

    def _letterboxed(self, frames: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Frames scaled and padded as the network takes them: `BasePredictor.pre_transform`."""
        from ultralytics.data.augment import LetterBox

        backend = self._model.backend
        any_shape = self._model.format == "pt" or (backend.dynamic and self._model.format != "imx")
        letterbox = LetterBox(self.size, auto=any_shape, stride=self._model.stride)
        ready = [letterbox(image=frame) for frame in frames]
        if not self._trims:
            return ready
        rows, columns = _without_bars(frames.shape[1:3], self.size)
        return [picture[rows, columns] for picture in ready]

    def pictures(self, frames: NDArray[np.uint8]) -> Any:
        """The network's input, float (N, 3, height, width), red first, 0..1: `BasePredictor.preprocess`."""
        import torch

        ready = self._letterboxed(frames)
        if self._device.type == "cpu" and not self._model.fp16:
            pictures = torch.from_numpy(_planes(ready))
        else:
            pictures = torch.from_numpy(np.stack(ready)).to(self._device).permute(0, 3, 1, 2).contiguous().flip(1)
            pictures = (pictures.half() if self._model.fp16 else pictures.float()).div_(255)
        if self._type is not None:
            pictures = pictures.to(dtype=self._type, memory_format=torch.channels_last)
        return pictures

    def _streamed(self, streams: Streams, part: NDArray[np.uint8]) -> Answer:
        import torch

        assert self.batch is not None  # noqa: S101 - told to the type checker
        planes = _planes(self._letterboxed(part))
        missing = self.batch - len(planes)
        if missing:
            planes = np.concatenate([planes, np.zeros((missing, *planes.shape[1:]), planes.dtype)])
        said, *more = streams.infer(planes, self._taken)
        prototypes = torch.from_numpy(more[0][: len(part)]) if more else None
        return Answer(torch.from_numpy(said[: len(part)]), planes.shape[2:], prototypes)

    def _taken(self, outputs: Any) -> list[NDArray[np.float32]]:
        """Copies of what is wanted of the network's outputs."""
        said = self._candidates(outputs[0])
        return [said, outputs[1].copy()] if self._masks else [said]

    def _candidates(self, said: NDArray[np.float32]) -> NDArray[np.float32]:
        """A copy of the places at which anything reaches the least score, in any picture; suppression drops the others.

        Few of thousands: to copy all, and to search them once more, would take longer than everything that follows.
        """
        classes = len(self._model.names)
        if self._model.end2end or said.ndim != 3 or said.shape[1] < 4 + classes:
            return said.copy()
        # by a hair too many: the same number must not be compared in another type
        keep = (said[:, 4 : 4 + classes].max(axis=1) > self._least * 0.999).any(axis=0)
        if keep.sum() == 6 and not keep.all():  # which ultralytics takes for rows that need no suppression
            keep[np.argmin(keep)] = True
        return np.ascontiguousarray(said[:, :, keep])

    def _answer(self, part: NDArray[np.uint8]) -> Answer:
        import torch

        with torch.inference_mode():
            pictures = self.pictures(part)
            inner, wanted = pictures.shape[2:], len(part)
            missing = (self.batch or wanted) - wanted
            if missing > 0:  # weights of a fixed batch: fill it up with black
                pictures = torch.cat((pictures, pictures.new_zeros((missing, *pictures.shape[1:]))))
            said, prototypes = _parted(self._model(pictures))
            return Answer(said[:wanted], inner, prototypes[:wanted] if self._masks else None)


def _parted(given: Any) -> tuple[Any, Any]:
    """The rows of an answer, and the prototypes of masks; None where there are none.

    Torch networks give ((rows, prototypes), ...) or (rows, ...), exports [rows, prototypes] or rows.
    """
    if not isinstance(given, list | tuple):
        return given, None
    if isinstance(given[0], list | tuple):
        return given[0][0], given[0][1]
    return given[0], given[1] if len(given) > 1 else None


def _close(workers: TorchWorkers | None, streams: dict[tuple[int, int], Streams]) -> None:
    for one in streams.values():
        one.close()
    streams.clear()
    if workers is not None:
        workers.close()


def _without_bars(frame: Sequence[int], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a letterboxed frame (height, width) that are left when whole cells of grey bars go.

    Cells of 32 pixels, as many from either side: what is left lies in the network's grids where it lay before, and
    boxes hardly differ. (With the least bars possible they lie elsewhere, and differ by several times as much.)
    """
    scale = min(size[0] / frame[0], size[1] / frame[1])
    cut = [(full - round(length * scale)) // 2 // 32 * 32 for full, length in zip(size, frame, strict=True)]
    rows, columns = (slice(away, full - away) for away, full in zip(cut, size, strict=True))
    return rows, columns


def _can_be_trimmed(weights: Path, fixed: tuple[int, int]) -> bool:
    try:
        trimmed(xml_of(weights), 32, fixed[1])
    except TrimmingError:
        return False
    return True


def _use_one_thread(backend: Any, weights: Path) -> None:
    """Let onnxruntime compute in the thread that asks, instead of in threads of its own, one per processor."""
    if backend.session.get_providers() != ["CPUExecutionProvider"] or not weights.is_file():
        return
    backend.session = opened(weights, device="cpu", threads=1)


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
