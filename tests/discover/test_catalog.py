"""The catalog over plugins that are really installed, each case in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "plugins"

LIST = """
import json, sys
import attrs
import videoannotator as va
try:
    found = va.catalog()
except va.VideoAnnotatorError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
else:
    print(json.dumps({
        "pipelines": {n: [*attrs.astuple(e.plugin)[1:3], list(e.plugin.missing)] for n, e in found.pipelines.items()},
        "formats": list(found.formats),
        "broken": {b.plugin.name: b.reason for b in found.broken},
        "heavy": [m for m in ("torch", "cv2", "av", "pandas", "va_test_heavy.pipeline") if m in sys.modules],
    }))
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every dummy plugin, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    sources = tmp_path_factory.mktemp("sources")
    for plugin in sorted(p for p in PLUGINS.iterdir() if p.is_dir()):
        shutil.copytree(plugin, sources / plugin.name)
        target = str(folder / plugin.name)
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--python",
            sys.executable,
        ]
        subprocess.run([*command, "--target", target, str(sources / plugin.name)], check=True)
    return folder


def listing(site: Path, *plugins: str, **environment: str) -> dict[str, object]:
    path = os.pathsep.join(str(site / name) for name in plugins)
    done = subprocess.run(
        [sys.executable, "-c", LIST],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_a_good_plugin_is_there(site: Path) -> None:
    found = listing(site, "good")
    assert found["pipelines"]["brightness"] == ["va-test-good", "1.2.3", []]  # type: ignore[index]
    assert "shout" in found["formats"]  # type: ignore[operator]
    assert found["broken"] == {}


def test_a_broken_plugin_is_listed_and_the_others_work(site: Path) -> None:
    found = listing(site, "broken", "good")
    assert found["broken"] == {"broken": "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"}
    assert "brightness" in found["pipelines"]  # type: ignore[operator]


def test_two_plugins_with_one_name_raise(site: Path) -> None:
    found = listing(site, "good", "clashing")
    assert found["error"] == "NameClashError"
    assert "va-test-good" in str(found["message"])
    assert "va-test-clashing" in str(found["message"])


def test_blocking_by_either_name_settles_a_clash(site: Path) -> None:
    for name in ("va-test-clashing", "clashing", "va_test_clashing"):
        found = listing(site, "good", "clashing", VIDEOANNOTATOR_BLOCK_PLUGINS=name)
        assert found["pipelines"]["brightness"][0] == "va-test-good"  # type: ignore[index]


def test_a_misspelt_hook_raises_and_says_which(site: Path) -> None:
    found = listing(site, "good", "misspelt")
    assert found["error"] == "PluginLoadError"
    assert "videoannotator_pipeline" in str(found["message"])
    assert "videoannotator_pipelines" in str(found["message"])


def test_listing_imports_no_pipeline_and_says_what_is_missing(site: Path) -> None:
    found = listing(site, "heavy", "good")
    assert found["heavy"] == []
    assert found["pipelines"]["heavy"][2][-1] == "surely-not-installed-package>=3"  # type: ignore[index]


def test_an_installed_plugin_runs_and_writes_its_format(site: Path, tmp_path: Path) -> None:
    script = """
import sys
import videoannotator as va
from videoannotator.testing.clips import write_clip
path = write_clip(sys.argv[1] + "/clip.mp4", frames=20, rate=10)
with va.Annotator(["brightness"], config={"brightness": {"gain": 2.0}}) as annotator:
    result = annotator.annotate(path, progress=False)
assert result.ok, result.failures
assert len(result["brightness"].brightness) == 10
written = result.export(sys.argv[1], formats=["shout", "native"])
assert va.read(sys.argv[1] + "/clip.videoannotator")["brightness"].brightness == result["brightness"].brightness
print(written[0].read_text().splitlines()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(site / "good")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("BRIGHTNESS(FRAME=0")
