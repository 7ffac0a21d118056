"""The plugin in an environment of its own, made by the command that a user types, and weights for its networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pytest

INSIDE = Path(__file__).parent / "inside"
_NO_NETWORK = ("Failed to fetch", "error sending request", "dns error", "Could not connect", "Network is unreachable")


@attrs.frozen
class Home:
    """``plugins``: the folder of environments. ``python``: the interpreter of ours."""

    plugins: Path
    python: str

    def run(self, script: str, *arguments: str, folder: Path | None = None, say: str = "") -> Any:
        """What a script of ``inside/`` prints in its last line, as JSON."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "PYTHONPATH"))}
        done = subprocess.run(
            [self.python, "-P", str(INSIDE / script), *arguments],
            cwd=folder,
            input=say,
            capture_output=True,
            text=True,
            env=plain,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        return json.loads(lines[-1]) if lines else None


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The environment; skips where the package index cannot be reached."""
    folder = tmp_path_factory.mktemp("plugins")
    done = subprocess.run(
        [sys.executable, "-m", "videoannotator.shell", "plugins", "install", "openface3", "--isolated"],
        env={**os.environ, "VIDEOANNOTATOR_PLUGINS": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and any(sign in done.stderr for sign in _NO_NETWORK):
        pytest.skip(f"openface-test cannot be fetched here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    (python,) = folder.glob("*/*/bin/python")
    return Home(folder, str(python))


@pytest.fixture(scope="session")
def pictures(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames of a face, uint8 (3, height, width, 3), blue first, at half size."""
    path, frames = tmp_path_factory.mktemp("pictures") / "pictures.npz", []
    with av.open(str(assets / "video" / "face_expressions.mp4")) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 100 == 0:
                frames.append(frame.reformat(width=320, height=180).to_ndarray(format="bgr24"))
            if len(frames) == 3:
                break
    np.savez(path, pictures=np.stack(frames))
    return path


@pytest.fixture(scope="session")
def weights(home: Home, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of random weights in the files that `openface download` gives."""
    folder = tmp_path_factory.mktemp("weights")
    home.run("making.py", str(folder), str(pictures))
    return folder


@pytest.fixture(scope="session")
def settings(weights: Path) -> dict[str, Any]:
    """Settings that name these weights. Without landmarks: they take ten times the rest."""
    return {
        "weights": str(weights / "MTL_backbone.pth"),
        "detector": str(weights / "Alignment_RetinaFace.pth"),
        "landmarks": None,
        "threshold": json.loads((weights / "threshold.json").read_text()),
    }
