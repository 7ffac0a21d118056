"""The plugin of docs/write-a-plugin.md works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "write-a-plugin.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and beside them what an installer leaves: the metadata with the entry point."""
    folder = tmp_path_factory.mktemp("my-brightness")
    for name, text in re.findall(
        r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    about = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    info = folder / "src" / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir()
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in about["dependencies"])
    info.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {about['name']}\nVersion: {about['version']}\n{requires}"
    )
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in about["entry-points"].items()
    )
    info.joinpath("entry_points.txt").write_text(points)
    return folder


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(project / "src"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_its_own_tests_pass(project: Path) -> None:
    done = run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_command_lists_it(project: Path) -> None:
    done = run(project, "videoannotator.shell", "pipelines", "brightness")
    assert done.returncode == 0, done.stderr
    assert "dark_below" in done.stdout
    assert "how often to measure" in done.stdout


def test_type_checkers_accept_it(project: Path) -> None:
    pytest.importorskip("mypy")
    done = run(project, "mypy", "--strict", "--follow-imports=silent", "src/my_brightness")
    assert done.returncode == 0, done.stdout
