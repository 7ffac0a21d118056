"""Real videos and real weights, weights made on the spot, and ultralytics itself to compare with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator import Detection, FrameBatch, FrameClock, MediaInfo, Table, TimeSpan, VideoInfo
from videoannotator.data.outcome import Precision
from videoannotator.data.rows import Track
from videoannotator.discover.config import config_of
from videoannotator.discover.pipeline import Context
from videoannotator.run.devices import Machine
from videoannotator_person_tracking import videoannotator_pipelines
from videoannotator_person_tracking.pipeline import PersonTracking

REPOSITORY = Path(__file__).resolve().parents[3]
RATE = 25

Frames = NDArray[np.uint8]
Run = Callable[..., Table[Detection]]

DTYPES = (*Machine().halves("cpu"), "float32")
"""What this processor may compute in, in fast mode."""


@pytest.fixture(scope="session")
def assets() -> Path:
    """Real test material, named by VIDEOANNOTATOR_TEST_ASSETS."""
    folder = Path(os.environ.get("VIDEOANNOTATOR_TEST_ASSETS", REPOSITORY / "../shared/assets")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test material at {folder}; set VIDEOANNOTATOR_TEST_ASSETS")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_reports() -> Iterator[None]:
    """OpenVINO reports every import by ultralytics, with which we compare, unless it thinks that this is CI."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "true")
        yield


def decoded(path: Path, count: int) -> Frames:
    """The first frames of a video in presentation order, blue first."""
    with av.open(str(path)) as container:
        frames = []
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="bgr24"))
            if len(frames) == count:
                break
    return np.stack(frames)


@pytest.fixture(scope="session")
def caregiver(assets: Path) -> Frames:
    return decoded(assets / "video/caregiver_infant.mp4", 150)


@pytest.fixture(scope="session")
def pedestrians(assets: Path) -> Frames:
    return decoded(assets / "pets/PETS09-S2L1.avi", 150)


@pytest.fixture(scope="session")
def pose_openvino(assets: Path) -> Path:
    return assets / "models/yolov8n-pose_int8_openvino_model"


@pytest.fixture(scope="session")
def detect_openvino(assets: Path) -> Path:
    return assets / "models/yolo11n_int8_openvino_model"


@pytest.fixture(scope="session")
def street(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """24 frames cut out of a photograph that comes with ultralytics, moving."""
    import cv2
    from ultralytics.utils import ASSETS

    picture = cv2.imread(str(ASSETS / "bus.jpg"))
    return np.stack([picture[300 + 4 * n : 660 + 4 * n, 20 + 6 * n : 500 + 6 * n] for n in range(24)])


def _shake_up(net: Any, pictures: Any) -> None:
    """Make random weights tell pictures apart and find a few dozen boxes of class 0 in each."""
    import torch

    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
            module.reset_running_stats()
    net.train()
    with torch.no_grad():
        net(pictures)
    net.eval()
    said: dict[int, Any] = {}
    last = [level[-1] for level in net.model[-1].cv3]
    hooks = [c.register_forward_hook(lambda m, i, o, k=k: said.update({k: o})) for k, c in enumerate(last)]
    with torch.no_grad():
        for conv in last:
            conv.bias.zero_()
        net(pictures)
        for k, conv in enumerate(last):
            raw = said[k][:, 0].flatten()
            conv.weight.mul_(2.0 / raw.std())
            conv.bias.fill_(-20.0)
            conv.bias[0] = -1.0 - torch.quantile(raw * 2.0 / raw.std(), 0.99)
    for hook in hooks:
        hook.remove()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, street: Frames) -> Mapping[str, Path]:
    """Weights of the real architectures, random but for the last layer: ``detect``, ``pose``, ``segment``, as .pt."""
    import torch
    from ultralytics import YOLO

    folder = tmp_path_factory.mktemp("weights")
    pictures = torch.from_numpy(street[::6, ::2, ::2].copy()).permute(0, 3, 1, 2).flip(1).float()[..., :160, :224] / 255
    paths = {}
    for task, name in (("detect", "yolo11n.yaml"), ("pose", "yolo11n-pose.yaml"), ("segment", "yolo11n-seg.yaml")):
        torch.manual_seed(0)
        model = YOLO(name)
        _shake_up(model.model, pictures)
        model.model.names = {n: "person" if n == 0 else f"thing {n}" for n in model.model.names}
        paths[task] = folder / f"{task}.pt"
        model.save(paths[task])
    return paths


@pytest.fixture(scope="session")
def exported(made: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """ONNX exports: ``fixed`` (batch 1, 320x320) of the pose weights, ``dynamic`` of the detect weights."""
    from ultralytics import YOLO
    from ultralytics.utils import checks

    folder = tmp_path_factory.mktemp("exports")
    paths = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "AUTOINSTALL", False)
        for kind, task in (("fixed", "pose"), ("dynamic", "detect")):
            copy = folder / f"{kind}.pt"
            copy.write_bytes(made[task].read_bytes())
            file = YOLO(copy).export(format="onnx", imgsz=320, dynamic=kind == "dynamic", simplify=False, verbose=False)
            paths[kind] = Path(file)
    return paths


def _constant(output: Any) -> NDArray[np.float32]:
    """What a constant of an OpenVINO network is once its int8 numbers are multiplied out."""
    node = output.get_node()
    kind = node.get_type_name()
    if kind == "Constant":
        return np.array(node.data, dtype=np.float32)
    before = _constant(node.input(0).get_source_output())
    if kind == "Multiply":
        return before * _constant(node.input(1).get_source_output())
    assert kind in ("Convert", "Reshape"), kind
    return before.reshape(list(node.output(0).shape))


def _as_torch(export: Path, architecture: str, path: Path) -> Path:
    """The trained weights of an int8 OpenVINO export as a .pt file, nearly as before they were quantized."""
    import openvino
    import torch
    import yaml
    from ultralytics import YOLO

    net = YOLO(architecture)
    parts = dict(net.model.named_modules())
    for node in openvino.Core().read_model(next(export.glob("*.xml"))).get_ops():
        if node.get_type_name() not in ("Convolution", "GroupConvolution"):
            continue
        name = node.get_friendly_name().removeprefix("__module.").partition("/")[0]
        conv, weight = parts[name], _constant(node.input(1).get_source_output())
        conv.weight.data = torch.from_numpy(weight.reshape(conv.weight.shape))
        if name.endswith("dfl.conv"):
            continue
        (user,) = node.output(0).get_target_inputs()
        bias = torch.from_numpy(_constant(user.get_node().input(1).get_source_output()).ravel())
        if conv.bias is not None:
            conv.bias.data = bias
        else:  # the export has normalization in the convolution
            norm = parts[name.removesuffix("conv") + "bn"]
            norm.weight.data.fill_(1)
            norm.bias.data = bias
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
    net.model.names = yaml.safe_load((export / "metadata.yaml").read_text())["names"]
    net.save(path)
    return path


@pytest.fixture(scope="session")
def trained(detect_openvino: Path, pose_openvino: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Trained weights for torch: ``detect`` and ``pose``, as .pt files."""
    folder = tmp_path_factory.mktemp("trained")
    return {
        "detect": _as_torch(detect_openvino, "yolo11n.yaml", folder / "detect.pt"),
        "pose": _as_torch(pose_openvino, "yolov8n-pose.yaml", folder / "pose.pt"),
    }


@pytest.fixture
def ultralytics_track() -> Iterator[Callable[..., list[Any]]]:
    """``YOLO.track``, frame by frame: a list of ultralytics' ``Results``."""
    import torch
    from ultralytics import YOLO

    threads = torch.get_num_threads()

    def track(weights: Path, frames: Frames, *, task: str, **settings: Any) -> list[Any]:
        model = YOLO(str(weights), task=task)
        settings = {"classes": [0], "tracker": "bytetrack.yaml", "verbose": False, **settings}
        return [model.track(frame, persist=True, **settings)[0] for frame in frames]

    yield track
    torch.set_num_threads(threads)


def media_of(frames: Frames, rate: int = RATE) -> MediaInfo:
    """What probing would say of a video of these frames."""
    height, width = frames.shape[1:3]
    clock = FrameClock(pts=np.arange(len(frames)), time_base=Fraction(1, rate))
    video = VideoInfo(
        codec="rawvideo",
        pixel_format="bgr24",
        width=width,
        height=height,
        coded_width=width,
        coded_height=height,
        rotation=0,
        sample_aspect_ratio=Fraction(1),
        average_rate=Fraction(rate),
        declared_frames=len(frames),
        bit_depth=8,
        interlaced=False,
        color_transfer=None,
        clock=clock,
    )
    return MediaInfo(path="/frames", size=0, container="rawvideo", duration=clock.end, video=video, audio=None)


@attrs.frozen
class Started:
    """A pipeline that was set up, and the frames it is meant for."""

    pipeline: PersonTracking
    frames: Frames

    def batch(self, start: int, size: int, stretched: float = 1.0) -> FrameBatch:
        pixels = self.frames[start : start + size]
        index = np.arange(start, start + len(pixels))
        height, width = pixels.shape[1:3]
        return FrameBatch(
            frame=index,
            time=index / RATE,
            pixels=pixels,
            color="bgr",
            source_width=round(width * stretched),
            source_height=height,
        )

    def rows(self, start: int, size: int, stretched: float = 1.0) -> Table[Detection]:
        """The detections of one batch."""
        return self.pipeline.process(self.batch(start, size, stretched))["detections"]

    def all(self, size: int) -> Table[Detection]:
        """The detections of all frames."""
        return Table.concat([*(self.rows(n, size) for n in range(0, len(self.frames), size)), Table.empty(Detection)])

    def both(self, size: int) -> tuple[Table[Detection], Table[Track]]:
        """The detections of all frames, and all tracks."""
        given = [self.pipeline.process(self.batch(n, size)) for n in range(0, len(self.frames), size)]
        tracks = [*(rows["tracks"] for rows in given), self.pipeline.finish()["tracks"]]
        return Table.concat([rows["detections"] for rows in given]), Table.concat(tracks)


@pytest.fixture
def start() -> Iterator[Callable[..., Started]]:
    """Set a pipeline up as a run does, from plain settings."""
    running: list[PersonTracking] = []
    (spec,) = videoannotator_pipelines()

    def started(
        frames: Frames,
        *,
        loader: Any = None,
        precision: Precision = "exact",
        threads: int = 2,
        tell: Any = None,
        **settings: Any,
    ) -> Started:
        settings = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
        media = media_of(frames)
        context = Context(media=media, span=TimeSpan(0, media.duration), models=spec.models, threads=threads)
        context.precision, context.tell = precision, tell or context.tell
        context.dtypes = DTYPES if precision == "fast" else ("float32",)
        context.loader = loader or context.loader
        pipeline = PersonTracking(config_of(spec, settings), context)
        running.append(pipeline)
        pipeline.setup()
        pipeline.begin()
        return Started(pipeline, frames)

    yield started
    for pipeline in running:
        pipeline.close()


@pytest.fixture
def run(start: Callable[..., Started]) -> Run:
    """The rows of frames: ``run(frames, batch=8, weights=..., ...)``."""

    def rows(frames: Frames, batch: int = 8, **settings: Any) -> Table[Detection]:
        return start(frames, **settings).all(batch)

    return rows


def assert_same_rows(rows: Table[Detection], results: list[Any], *, atol: float = 1e-3, score: float = 1e-5) -> None:
    """Our rows and ultralytics' results: the same rows in the same order, ids exactly, numbers within rounding."""
    for frame, result in enumerate(results):
        ours = rows[rows.frame == frame]
        theirs = result.boxes
        assert len(ours) == len(theirs), f"frame {frame}"
        ids = [None] * len(theirs) if theirs.id is None else theirs.id.int().tolist()
        assert [row.track for row in ours] == ids, f"frame {frame}"
        assert [row.label for row in ours] == [result.names[int(c)] for c in theirs.cls]
        boxes = np.stack([ours.x1, ours.y1, ours.x2, ours.y2], axis=1)
        np.testing.assert_allclose(boxes, theirs.xyxy.numpy(), atol=atol, err_msg=f"frame {frame}")
        np.testing.assert_allclose(ours.score, theirs.conf.numpy(), atol=score, err_msg=f"frame {frame}")
        if result.keypoints is None:
            assert all(row.keypoints is None for row in ours)
        elif len(ours):
            np.testing.assert_allclose(
                ours.keypoints[..., :2], result.keypoints.data[..., :2].numpy(), atol=atol, err_msg=f"frame {frame}"
            )
            np.testing.assert_allclose(ours.keypoints[..., 2], result.keypoints.data[..., 2].numpy(), atol=score)


@pytest.fixture
def same_rows() -> Callable[..., None]:
    return assert_same_rows
