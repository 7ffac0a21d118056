"""What the tests of person_identity share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def osnet(assets: Path) -> Path:
    """Real OSNet weights."""
    path = assets / "models" / "osnet_x0_25_msmt17.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path
