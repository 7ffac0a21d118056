"""``videoannotator plugins``: environments are made whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import videoannotator as va
from videoannotator.discover import installing
from videoannotator.discover.catalog import catalog
from videoannotator.discover.environments import MARK
from videoannotator.discover.installing import Wanted, install_isolated, this_core, wanted
from videoannotator.errors import NameClashError, PluginInstallError, PluginLoadError
from videoannotator.shell.main import Exit, main

ROOT = Path(__file__).parents[2]
DUMMIES = ROOT / "tests" / "discover" / "plugins"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for environments."""
    folder = tmp_path / "environments"
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(folder))
    return folder


def project(folder: Path, dummy: str, **replaced: str) -> Path:
    """A copy of a dummy plugin, with texts of its pyproject.toml replaced."""
    shutil.copytree(DUMMIES / dummy, folder)
    about = folder / "pyproject.toml"
    text = about.read_text()
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    about.write_text(text)
    return folder


def entries(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir() if place.name != ".lock") if folder.exists() else []


def test_from_installing_to_removing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "install", str(DUMMIES / "good"), "--isolated"]) == Exit.WELL
    said = capsys.readouterr().err
    assert "va-test-good 1.2.3 has an environment of its own, and these pipelines: brightness" in said
    assert "its formats cannot be used from there: shout" in said
    assert va.catalog().pipeline("brightness").plugin.version == "1.2.3"
    assert "shout" not in va.catalog().formats
    first = sorted((folder / "va-test-good").iterdir())

    # a newer one takes its place, and nothing of the old stays
    newer = project(tmp_path / "newer", "good", **{"1.2.3": "1.3.0"})
    assert main(["plugins", "install", str(newer), "--isolated"]) == Exit.WELL
    assert va.catalog().pipeline("brightness").plugin.version == "1.3.0"
    second = sorted((folder / "va-test-good").iterdir())
    assert len(first) == len(second) == 3
    assert first != second
    assert [place.name for place in first if place in second] == [".videoannotator", "environment.json"]

    # one that cannot be installed leaves what there was
    bad = project(tmp_path / "bad", "good", **{"dependencies = []": 'dependencies = ["numpy==0.0.1"]'})
    capsys.readouterr()
    assert main(["plugins", "install", str(bad), "--isolated"]) == Exit.FAILED
    said = capsys.readouterr().err
    assert f"videoannotator: {bad} could not be installed" in said
    assert "requirements are unsatisfiable" in " ".join(said.split()), "the last lines of the tool"
    assert "numpy==0.0.1" in said
    assert va.catalog().pipeline("brightness").plugin.version == "1.3.0"
    assert sorted((folder / "va-test-good").iterdir()) == second

    # one that publishes a pipeline of the same name is refused
    clashing = str(DUMMIES / "clashing")
    with pytest.raises(NameClashError, match=r"va-test-good 1\.3\.0 in its own environment .* remove va-test-good"):
        install_isolated(clashing)
    assert entries(folder) == ["va-test-good"]

    assert main(["plugins", "list"]) == Exit.WELL
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert ["videoannotator-scene-detection", "0.1.0", "here"] in lines
    assert ["va-test-good", "1.3.0", "isolated", "brightness"] in lines
    assert main(["pipelines", "brightness"]) == Exit.WELL
    shown = capsys.readouterr().out
    assert f"lives in an environment of its own, {folder / 'va-test-good'}" in shown
    assert '"gain"' in shown
    assert main(["pipelines"]) == Exit.WELL
    assert "ready; licence MIT, in an environment of its own" in capsys.readouterr().out

    assert main(["plugins", "remove", "brightness"]) == Exit.WELL
    assert entries(folder) == []
    assert "brightness" not in va.catalog().pipelines
    assert main(["plugins", "remove", "brightness"]) == Exit.FAILED
    assert "no plugin 'brightness' has an environment of its own" in capsys.readouterr().err


@pytest.mark.slow
def test_pip_and_venv_do_where_there_is_no_uv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_uv", lambda: None)
    found = install_isolated(str(DUMMIES / "good"))
    assert va.catalog().pipeline("brightness").environment == found
    done = subprocess.run([found.python, "-m", "pip", "--version"], capture_output=True, check=False)
    assert done.returncode == 0, "this one was made by venv"


@pytest.mark.parametrize(("asked", "hint"), [("motion", ""), ("face_landmark", " (did you mean 'face_landmarks'?)")])
def test_a_name_that_is_right_is_not_called_misspelt(asked: str, hint: str) -> None:
    with pytest.raises(PluginInstallError) as refused:
        installing._run(["false"], Wanted(asked, asked, (asked,), asked))
    assert str(refused.value).startswith(f"{asked} could not be installed{hint}: false ended with exit status 1")


def test_what_needs_another_python_is_given_it_by_uv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    want = Wanted("old", "old", ("old",), "old", python="3.1")
    monkeypatch.setattr(installing, "wanted", lambda text: want)
    monkeypatch.setattr(installing, "_run", lambda command, _: asked.append(list(command)))
    with pytest.raises(PluginLoadError, match="could not be started"):  # nobody made it
        install_isolated("old")
    (venv, _) = asked
    assert venv[venv.index("--python") + 1] == "3.1"
    monkeypatch.setattr(installing, "_uv", lambda: None)
    with pytest.raises(PluginInstallError, match=r"old needs Python 3\.1, this is 3\.\d+; .* pip install uv"):
        install_isolated("old")
    assert wanted("openface3").python == "3.11"
    assert wanted("scene_detection").python is None
    assert entries(folder) == []


@pytest.mark.parametrize(
    ("dummy", "kind", "says"),
    [
        ("broken", "PluginLoadError", "va-test-broken does not load in its own environment: ModuleNotFoundError"),
        ("misspelt", "PluginLoadError", "implements a hook that does not exist"),
        ("nothing", "PluginLoadError", "va-test-good publishes no pipeline"),
    ],
)
def test_what_is_no_plugin_leaves_nothing(folder: Path, tmp_path: Path, dummy: str, kind: str, says: str) -> None:
    source = DUMMIES / dummy
    if dummy == "nothing":
        source = project(tmp_path / "nothing", "good", **{"entry-points.videoannotator": "entry-points.else"})
    with pytest.raises(va.VideoAnnotatorError, match=says) as told:
        install_isolated(str(source))
    assert type(told.value).__name__ == kind
    assert entries(folder) == []


def test_an_installed_pipeline_is_not_doubled(folder: Path) -> None:
    with pytest.raises(NameClashError, match="pip uninstall videoannotator-scene-detection"):
        install_isolated("scene_detection")
    assert entries(folder) == []
    assert "scene_detection" in va.catalog().pipelines


def test_two_of_one_name_are_told_with_the_ways_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as blocked:
        blocked.setenv("VIDEOANNOTATOR_BLOCK_PLUGINS", "scene_detection")
        install_isolated("scene_detection")
        assert va.catalog().pipeline("scene_detection").environment is not None
    name = "videoannotator-scene-detection"
    with pytest.raises(NameClashError) as told:
        va.catalog()
    assert f"pip uninstall {name}; or videoannotator plugins remove {name}" in str(told.value)
    assert f"VIDEOANNOTATOR_BLOCK_PLUGINS=isolated:{name}" in str(told.value)
    assert va.catalog(block=[f"isolated:{name}"]).pipeline("scene_detection").environment is None
    assert main(["plugins", "list"]) == Exit.WELL
    assert main(["plugins", "remove", name]) == Exit.WELL
    assert va.catalog().pipeline("scene_detection").environment is None


def test_a_stopped_installation_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(installing, "_run", stopped)
    assert main(["plugins", "install", str(DUMMIES / "good"), "--isolated"]) == Exit.INTERRUPTED
    assert entries(folder) == []


def test_what_a_killed_installation_left_is_cleared_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom videoannotator.discover import installing\n"
        "installing._run = lambda *a: os._exit(9)\ninstalling.install_isolated(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(DUMMIES / "good")], check=False)
    assert done.returncode == 9
    assert entries(folder) == ["va-test-good"]
    assert not [name for name in va.catalog().pipelines if name == "brightness"]
    assert not va.catalog().broken
    mine = folder / "my-own-things"
    mine.mkdir()
    (mine / "thesis.txt").write_text("all of it")
    with pytest.raises(PluginInstallError, match="no plugin 'x'"):
        installing.remove("x")
    assert entries(folder) == ["my-own-things"]
    with pytest.raises(PluginInstallError, match="is not ours"):
        install_isolated(str(project(tmp_path / "p", "good", **{"va-test-good": "my-own-things"})))
    assert (mine / "thesis.txt").exists()


def test_one_at_a_time(folder: Path) -> None:
    folder.mkdir()
    with FileLock(folder / ".lock"), pytest.raises(PluginInstallError, match="wait until that is done"):
        install_isolated(str(DUMMIES / "good"))


def test_into_this_environment_pip_installs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "install", "my-plugin>=2"]) == Exit.USAGE
    said = capsys.readouterr().err
    assert f"{sys.executable} -m pip install 'my-plugin>=2'\n" in said
    assert "plugins install 'my-plugin>=2' --isolated" in said
    assert main(["plugins", "remove", "scene_detection"]) == Exit.USAGE
    assert "pip uninstall videoannotator-scene-detection" in capsys.readouterr().err
    assert main(["plugins", "remove", "formats"]) == Exit.FAILED
    assert not folder.exists() or entries(folder) == []


def test_what_may_be_named(tmp_path: Path) -> None:
    clone = wanted("scene_detection")
    assert (clone.name, clone.distribution) == ("videoannotator-scene-detection",) * 2
    assert clone.arguments[-2:] == ("-e", str(ROOT / "plugins" / "scene_detection"))
    named = wanted("My_Plugin[fast]>=2,<3")
    assert (named.name, named.arguments) == ("my-plugin", ("My_Plugin[fast]>=2,<3",))
    address = wanted("my-plugin @ git+https://host.invalid/my-plugin")
    assert (address.name, address.distribution) == ("my-plugin", "my-plugin")
    wheel = tmp_path / "my_plugin-1.0-py3-none-any.whl"
    wheel.touch()
    assert (wanted(str(wheel)).name, wanted(str(wheel)).distribution) == ("my-plugin", "my_plugin")
    assert wanted(str(DUMMIES / "good")).name == "va-test-good"
    odd = tmp_path / "odd (1)"
    odd.mkdir()
    (odd / "setup.py").touch()
    assert (wanted(str(odd)).name, wanted(str(odd)).distribution, wanted(str(odd)).url) == ("odd-1", None, odd.as_uri())
    for name, folder in (("../../up", "up"), ("..", "plugin"), ("Va.Test__X", "va-test-x")):
        (odd / "pyproject.toml").write_text(f"[project]\nname = '{name}'\n")
        assert wanted(str(odd)).name == folder
    for wrong, says in (
        ("./nowhere", "neither a package file nor"),
        ("no/where", "neither a package file nor"),
        ("https://host.invalid/x.whl", "NAME @ https://"),
        ("-e", "no pipeline, no requirement"),
        ("--index-url=x", "no pipeline, no requirement"),
        ("", "no pipeline, no requirement"),
    ):
        with pytest.raises(PluginInstallError, match=says):
            wanted(wrong)


@pytest.mark.parametrize(
    ("origin", "arguments"),
    [
        (None, ["videoannotator==2.5"]),
        ({"url": "file:///a%20b/c", "dir_info": {"editable": True}}, ["-e", "/a b/c"]),
        ({"url": "file:///a/c", "dir_info": {}}, ["/a/c"]),
        (
            {"url": "https://host.invalid/x", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            ["videoannotator @ git+https://host.invalid/x@abc"],
        ),
        ({"url": "https://host.invalid/x.whl", "archive_info": {}}, ["videoannotator @ https://host.invalid/x.whl"]),
    ],
)
def test_the_same_videoannotator_is_installed_there(
    monkeypatch: pytest.MonkeyPatch, origin: dict[str, object] | None, arguments: list[str]
) -> None:
    class Dist:
        version = "2.5"

        def read_text(self, name: str) -> str | None:
            return None if origin is None else json.dumps(origin)

    monkeypatch.setattr(installing, "distribution", lambda name: Dist())
    assert this_core() == arguments


def test_an_isolated_plugin_can_be_blocked(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder / "other"
    place.mkdir(parents=True)
    (place / "environment.json").write_text("{}")
    assert not catalog().broken, "not every file of that name is ours"
    (place / MARK).touch()
    assert [broken.plugin.name for broken in catalog().broken] == ["other"]
    assert [broken.plugin.name for broken in catalog(block=["other"]).broken] == ["other"], "speaks of plugins here"
    assert not catalog(block=["isolated:other"]).broken
    monkeypatch.setenv("VIDEOANNOTATOR_BLOCK_PLUGINS", "isolated:other")
    assert not catalog().broken
    assert os.environ["VIDEOANNOTATOR_PLUGINS"] == str(folder)
