"""The real command in a process of its own, and small plugins for it to find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from tests.shell.serving import Running, caller

from videoannotator.discover.known import distributions

Command = Callable[..., subprocess.CompletedProcess[str]]

SPECS = """
import videoannotator as va

def spec(name, cls, **more):
    return va.PipelineSpec(
        name=name, version="1.0", summary=f"{name} for tests", licence="MIT",
        gives={"signals": "videoannotator.data.rows:Signal"}, pipeline=f"shell_dummies.pipelines:{cls}",
        **{"needs": (va.Frames(rate=5.0, height=32, color="gray"),), **more},
    )

def model(**more):
    return va.ModelSpec(**{
        "name": "small.onnx", "licence": "Apache-2.0", "size": 1_200_000,
        "source": "https://models.invalid/small.onnx", **more,
    })

@va.hookimpl
def videoannotator_pipelines():
    config = "shell_dummies.pipelines:Weights"
    return [
        spec("grey", "Grey", config="shell_dummies.pipelines:Config"),
        spec("fails", "Fails"),
        spec("waits", "Waits", config="shell_dummies.pipelines:Until"),
        spec("listens", "Listens", needs=(va.Audio(),)),
        spec("needs_model", "Grey", config=config, models=(model(),)),
        spec("gated", "Grey", config=config, models=(model(gated=True),)),
        spec("hubbed", "Asks", config="shell_dummies.pipelines:Hubbed", models=(
            model(name="net", source="hub:lab/net@v1", files=("*.json", "*.bin"), size=None),
            model(name="closed", source="hub:lab/closed@v1", licence="CC-BY-NC-4.0", gated=True),
        )),
        spec("reads_model", "Listens", needs=(va.Output("needs_model"),)),
    ]
"""
PIPELINES = """
import subprocess
import time
from pathlib import Path
from typing import Annotated
import attrs
import videoannotator as va

@attrs.frozen
class Config:
    scale: Annotated[float, va.Range(ge=0, le=10)] = attrs.field(default=1.0, metadata={"help": "multiplies values"})

@attrs.frozen
class Weights:
    weights: str = "small.onnx"

@attrs.frozen
class Hubbed:
    weights: str = "net"

class Grey(va.Pipeline):
    def process(self, batch):
        scale = getattr(self.config, "scale", 1.0)
        return va.Table.of(va.Signal, time=batch.time, name="grey", value=batch.pixels.mean(axis=(1, 2)) * scale)

class Asks(Grey):
    def setup(self):
        self.context.model(self.config.weights)

class Fails(va.Pipeline):
    def process(self, batch):
        raise RuntimeError("the test wants it so")

@attrs.frozen
class Until:
    folder: str = ""

class Waits(Grey):
    def process(self, batch):
        here = Path(self.config.folder)
        if self.config.folder and not (here / "go").exists():
            child = subprocess.Popen(["sleep", "600"])
            (here / "part").write_text(str(child.pid))
            (here / "part").replace(here / "begun")
            while not (here / "go").exists():  # and hears of nothing else
                time.sleep(0.05)
            child.kill()
            child.wait()
        return super().process(batch)

class Listens(va.Pipeline):
    def finish(self):
        return va.Table.of(va.Signal, time=[0.0], name="rows", value=[1.0])
"""


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH with two installed plugins: one with pipelines, one that cannot be imported."""
    folder = tmp_path_factory.mktemp("plugins")
    files = {
        "shell_dummies/__init__.py": SPECS,
        "shell_dummies/pipelines.py": PIPELINES,
        "broken_plugin.py": "import a_package_that_nobody_has\n",
        "shell_dummies-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: shell_dummies\nVersion: 1.0\n",
        "shell_dummies-1.0.dist-info/entry_points.txt": "[videoannotator]\nshell_dummies = shell_dummies\n",
        "broken-0.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: broken\nVersion: 0.3\n",
        "broken-0.3.dist-info/entry_points.txt": "[videoannotator]\nbroken = broken_plugin\n",
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def run(
    *arguments: object, path: Path | None = None, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """``python -m videoannotator.shell`` with the given arguments; its output must be UTF-8 wherever it runs."""
    paths = [str(path)] if path is not None else []
    paths += [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return subprocess.run(
        [sys.executable, "-m", "videoannotator.shell", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths)), "NO_COLOR": "1", **variables},
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.fixture
def command(plugins: Path, tmp_path: Path) -> Command:
    """Runs the command in an empty folder. It finds the test's plugins, the formats, and no shipped pipeline."""
    shipped = ",".join(distributions().values())

    def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        blocked = {
            "VIDEOANNOTATOR_BLOCK_PLUGINS": shipped,
            "VIDEOANNOTATOR_CACHE": str(tmp_path / "cache"),
            **variables,
        }
        return run(*arguments, path=plugins, cwd=tmp_path, **blocked)

    return call


@pytest.fixture(scope="session")
def real_command() -> Command:
    """Runs the command with whatever is installed."""
    return run


@pytest.fixture(scope="session")
def server(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all tests of commands that need one, started on a fresh folder with one command."""
    folder = tmp_path_factory.mktemp("server")
    running = Running.start(caller(plugins, folder), folder / "data")
    yield running
    running.stop("--now")


def _write_clip(path: Path, *, seconds: float = 1.0, sound: bool = False) -> Path:
    """10 frames a second that get brighter, 160 x 120."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height = 160, 120
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for grey in np.linspace(0, 255, round(seconds * 10)):
            picture = np.full((120, 160, 3), grey, dtype=np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(video.encode(None))
        if audio is not None:
            for start in range(0, round(seconds * 16000), 1024):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 16000, start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """One second without sound."""
    return _write_clip(tmp_path / "clip.mp4")


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    """Writes a short clip: ``write_clip(path, seconds=1.0, sound=False)``."""
    return _write_clip
