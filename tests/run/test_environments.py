"""A plugin in an environment of its own, made by the real command: the same contract, the same results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from tests.run.reading_numbers import SUMS

import videoannotator as va
from videoannotator.discover import asking
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin, catalog
from videoannotator.discover.config import config_of
from videoannotator.discover.environments import MARK
from videoannotator.errors import ConfigError, DeviceError, PluginLoadError
from videoannotator.run import devices, segments
from videoannotator.run.resources import ResourceManager
from videoannotator.shell.main import Exit, main
from videoannotator.testing.clips import write_clip
from videoannotator.testing.simulated import SimulatedMachine, SimulatedMemory

PROJECT = Path(__file__).parent / "plugins" / "numbers"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of environments, with that of the plugin ``numbers``."""
    folder = tmp_path_factory.mktemp("plugins")
    install(folder, str(PROJECT))
    return folder


def install(folder: Path, what: str, **variables: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "videoannotator.shell", "plugins", "install", what, "--isolated"],
        env={**os.environ, "VIDEOANNOTATOR_PLUGINS": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def plugins(made: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`made`, as the folder that is looked into."""
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(made))
    return made


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[va.PipelineSpec]:
    """The same plugin, importable in this environment, with its numpy."""
    monkeypatch.syspath_prepend(str(PROJECT / "src"))
    import va_test_numbers  # type: ignore[import-not-found]  # only now

    yield va_test_numbers.videoannotator_pipelines()[0]
    for name in [name for name in sys.modules if name.startswith("va_test_numbers")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=80, rate=20, sound="tone")


def annotate(path: Path, *names: str, **more: Any) -> va.Result:
    end = more.pop("end", None)
    with va.Annotator(list(names), **{"cache": False, **more}) as annotator:
        return annotator.annotate(path, end=end, progress=False)


def test_it_is_listed_and_nothing_of_it_is_imported(plugins: Path) -> None:
    code = """
        import sys
        import videoannotator as va
        entry = va.catalog().pipeline("numbers")
        print(entry.environment.name, entry.plugin.distribution, entry.plugin.version)
        print([m for m in sys.modules if m.startswith(("va_test_numbers", "pyarrow", "av", "subprocess"))])
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", "if True:" + code], capture_output=True, text=True, check=True, env=plain
    )
    assert done.stdout.splitlines() == ["va-test-numbers va-test-numbers 1.0", "[]"]
    assert catalog().pipeline("scene_detection").environment is None


def test_its_rows_are_those_that_are_computed_here(plugins: Path, here: va.PipelineSpec, clip: Path) -> None:
    config = {"numbers": {"gain": 2.0, "rate": 10.0}}
    there = annotate(clip, "numbers", "scene_detection", config=config)
    known = Catalog({"numbers": PipelineEntry(here, Plugin("numbers", "va-test-numbers", "1.0"))}, {})
    reference = annotate(clip, "numbers", config=config, catalog=known)
    assert there.failures == reference.failures == ()
    rows, expected = there["numbers"].numbers, reference["numbers"].numbers
    (version,) = set(rows.numpy)
    assert version.startswith("2.2.")
    assert set(expected.numpy) == {np.__version__} != {version}
    assert len(rows) == 40
    assert np.isnan(rows.level).any()
    assert rows.to_arrow().drop_columns("numpy").equals(expected.to_arrow().drop_columns("numpy"), check_metadata=True)
    assert there["numbers"].notes.to_arrow().equals(reference["numbers"].notes.to_arrow(), check_metadata=True)
    assert there["numbers"].coverage == reference["numbers"].coverage
    assert rows.row_class is not expected.row_class, "the class of here is not that of the environment"


def test_the_provenance_tells_of_its_environment(plugins: Path, clip: Path) -> None:
    result = annotate(clip, "numbers", "scene_detection")
    isolated, ours = result.provenance.pipelines
    assert (isolated.isolation, ours.isolation) == ("environment", "")
    assert (isolated.plugin, isolated.plugin_version) == ("va-test-numbers", "1.0")
    assert isolated.config == {"gain": 1.0, "rate": 5.0, "weights": "inside.txt", "more": None, "ends": "well"}
    assert isolated.models[0].source == "package:va_test_numbers/inside.txt"
    assert isolated.libraries["numpy"].startswith("2.2.")
    assert result.provenance.libraries["numpy"] == np.__version__
    assert ours.libraries == {}


def test_the_plan_says_it_and_settings_are_checked_there(
    plugins: Path, here: va.PipelineSpec, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with va.Annotator(["numbers"], config={"numbers": {"rate": 8}}) as annotator:
        plan = annotator.plan(clip)
    (planned,) = plan.pipelines
    assert planned.isolation is not None
    assert planned.isolation.kind == "environment"
    assert planned.isolation.python.startswith(str(plugins))
    assert planned.needs == (va.Frames(rate=8.0, height=90, color="gray"),)
    assert "in an environment of its own (va-test-numbers)" in str(plan)
    assert "model inside.txt (on disk, " in str(plan)
    with va.Annotator(["numbers"], isolation="process") as annotator:
        assert str(annotator.plan(clip).pipelines[0].isolation) == "an environment of its own (va-test-numbers)"
    for wrong in ({"gain": 11}, {"gian": 1}, {"ends": "badly"}, {"rate": "often"}, {"gain": None}):
        with pytest.raises(ConfigError) as told:
            va.Annotator(["numbers"], config={"numbers": wrong})
        with pytest.raises(ConfigError) as expected:
            config_of(here, wrong)
        assert str(told.value) == str(expected.value)
    with pytest.raises(ConfigError, match="plain values"):
        va.Annotator(["numbers"], config={"numbers": {"weights": Path("x")}})
    with va.Annotator(["numbers"], config={"numbers": config_of(here, {"rate": 8})}) as annotator:  # as an object
        assert annotator.plan(clip).pipelines == plan.pipelines

    def asked(*arguments: Any) -> Any:
        raise AssertionError("nothing is to be started")

    monkeypatch.setattr(asking, "ask", asked)
    va.Annotator(["numbers"])  # the defaults are known
    va.Annotator(["numbers"], config={"numbers": {"rate": 8}})  # this was asked before
    with pytest.raises(AssertionError, match="nothing is to be"):
        va.Annotator(["numbers"], config={"numbers": {"rate": 9}})


def test_its_devices_are_those_that_its_environment_sees(plugins: Path, clip: Path, tmp_path: Path) -> None:
    python = next(plugins.glob("*/*/bin/python"))
    assert devices.Machine().there(str(python)) == ("cpu",), "there is no torch"
    other = other_python(tmp_path, "cuda:0")
    machine = SimulatedMachine({"cuda:0": SimulatedMemory(10**9), "cuda:1": SimulatedMemory(10**9)})
    assert devices.candidates(machine, ["auto"], ["cuda"]) == ("cuda:0", "cuda:1")
    assert devices.candidates(machine, ["auto"], ["cuda"], str(other)) == ("cuda:0",)
    assert devices.candidates(machine, ["cuda"], ["cuda"], str(other)) == ("cuda:0",)
    assert devices.candidates(machine, ["auto"], [], "/nowhere") == ("cpu",), "nobody is asked for what uses none"
    with pytest.raises(DeviceError, match=f"the environment of {other} has no 'cuda:1'"):
        devices.candidates(machine, ["cuda:1"], ["cuda"], str(other))
    entry = va.catalog().pipeline("numbers")
    spec = attrs.evolve(entry.spec, accelerators=["cuda"])
    known = Catalog({"numbers": attrs.evolve(entry, spec=spec)}, {})
    with va.Annotator(["numbers"], catalog=known, resources=ResourceManager(machine)) as annotator:
        assert annotator.plan(clip).pipelines[0].request.device == "cpu"


def other_python(folder: Path, device: str) -> Path:
    """An environment whose torch sees a card."""
    card = {"device": device, "identity": "1b2c", "model": "Card 9000", "halves": ["bfloat16", "float16"]}
    file = folder / "python"
    file.write_text(f"#!/bin/sh\necho a library says hello\necho '{json.dumps([card])}'\n")
    file.chmod(0o700)
    return file


def test_a_card_that_only_its_environment_can_use_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, python = devices.Machine(), str(other_python(tmp_path, "cuda:3"))
    with pytest.raises(DeviceError, match="this machine has no 'cuda:3'"):
        devices.candidates(machine, ["cuda:3"], ["cuda"])
    assert devices.candidates(machine, ["auto"], ["cuda"], python) == ("cuda:3",)
    assert (machine.model("cuda:3"), machine.identity("cuda:3")) == ("Card 9000", "1b2c")
    assert machine.halves("cuda:3") == ("bfloat16", "float16")
    assert machine.held("cuda:3") == machine.reserved("cuda:3") == machine.watch_peak("cuda:3")() == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.memory("cuda:3") is None, "nobody tells"

    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "GPU-0000, 100, 100"\necho "GPU-1b2c, 81559, 4000"\n')
    tool.chmod(0o700)
    machine = devices.Machine()
    machine.there(python)
    assert machine.memory("cuda:3") == devices.Memory(81559 << 20, 4000 << 20)
    machine.empty("cuda:3")
    for says in ("GPU-1b2c, [N/A], [N/A]", "GPU-9, 1, 1", ""):
        tool.write_text(f'#!/bin/sh\necho "{says}"\n')
        machine = devices.Machine()
        machine.there(python)
        assert machine.memory("cuda:3") is None


def test_weights_that_are_not_there_are_missing_as_anywhere(plugins: Path) -> None:
    with va.Annotator(config={"numbers": {"weights": "absent.bin"}}) as annotator:
        assert "absent.bin (not on disk, 5.0 MB" in annotator.left_out["numbers"]
    with va.Annotator(config={"numbers": {"more": "absent.bin"}}) as annotator:
        assert "absent.bin (not on disk, 5.0 MB" in annotator.left_out["numbers"], "it has said all its models"
    with va.Annotator() as annotator:
        assert "numbers" in annotator.pipelines


def test_its_models_are_listed_like_others(plugins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "numbers"]) == Exit.WELL
    inside, absent = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert inside[:2] + inside[3:5] == ["inside.txt", "numbers", "MIT", "on disk"]
    assert Path(inside[5]).is_relative_to(plugins), "in its own environment"
    assert absent[:5] == ["absent.bin", "numbers", "5.0 MB", "MIT", "not on disk"]
    assert main(["models", "fetch", "numbers"]) == Exit.WELL
    assert capsys.readouterr().out == f"{inside[5]}\n"


def test_a_crash_there_costs_its_own_rows_only(plugins: Path, clip: Path) -> None:
    result = annotate(
        clip, "numbers", "scene_detection", config={"numbers": {"ends": "crash", "rate": 20}}, isolation_timeout=60.0
    )
    (failure,) = result.failures
    assert (failure.kind, failure.pipeline) == ("crashed", "numbers")
    assert "SIGSEGV" in failure.message
    assert len(result["numbers"].numbers) == 8, "the first batch"
    assert result["numbers"].notes.columns == ("text",)
    assert len(result["scene_detection"].shots) > 0


def test_the_result_is_kept_written_read_and_made_again(plugins: Path, clip: Path, tmp_path: Path) -> None:
    result = annotate(clip, "numbers", cache=True)
    again = annotate(clip, "numbers", cache=True)
    assert not result.provenance.pipelines[0].cached
    assert again.provenance.pipelines[0].cached
    assert again.pipelines == result.pipelines
    result.export(tmp_path, formats=["native", "csv"])
    assert va.read(tmp_path / "clip.videoannotator") == result
    assert va.read(tmp_path / "clip.datapackage.json").pipelines == result.pipelines
    compared = va.rerun(result, progress=False)
    assert compared
    assert compared.made == {}
    (record,) = result.provenance.pipelines
    other = attrs.evolve(record, libraries={**record.libraries, "numpy": "1.0"})
    then = attrs.evolve(result, provenance=attrs.evolve(result.provenance, pipelines=(other,)))
    assert va.compare(then, result).made == {"numbers library numpy": ("1.0", record.libraries["numpy"])}


def test_its_result_can_be_read_where_it_is_not_installed(
    plugins: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = annotate(clip, "numbers")
    result.export(tmp_path, formats=["native"])
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(tmp_path / "none"))
    assert "numbers" not in va.catalog().pipelines
    read = va.read(tmp_path / "clip.videoannotator")
    assert read.pipelines == result.pipelines
    read.export(tmp_path / "again", formats=["native"])
    manifest = json.loads((tmp_path / "again" / "clip.videoannotator" / "manifest.json").read_text())
    assert manifest["pipelines"]["numbers"]["tables"]["numbers"]["row"] == "va_test_numbers.pipeline:Number"


@pytest.mark.parametrize("isolation", [None, "process"])
def test_others_read_its_rows(plugins: Path, clip: Path, isolation: Any) -> None:
    found = catalog()
    known = Catalog({**found.pipelines, "sums": PipelineEntry(SUMS, Plugin("sums", "videoannotator", "1"))}, {})
    result = annotate(clip, "sums", catalog=known, isolation=isolation)
    assert result.ok
    rows, (total, levels) = result["numbers"].numbers, result["sums"].sums
    assert total.value == float(rows.mean.sum())
    assert 0 < levels.value == sum(row.level is not None for row in rows) < len(rows)


def test_a_run_that_ended_goes_on(plugins: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_EVERY", 0.0)
    monkeypatch.setattr(segments, "_SHARE", 0)
    config = {"numbers": {"rate": 20}}
    expected = annotate(clip, "numbers", config=config)
    with va.Annotator(["numbers"], config=config) as annotator:
        events = annotator.stream(clip)
        while not isinstance(next(events), va.RowsReady):
            pass
        events.close()  # type: ignore[attr-defined]
        result = annotator.annotate(clip, progress=False)
    assert "taken up" in " ".join(result.provenance.pipelines[0].notices)
    assert result.pipelines == expected.pipelines


def test_a_shipped_pipeline_gives_the_same_there(tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = assets / "video" / "sitcom_kitchen.avi"
    expected = annotate(film, "voice_activity", end=20.0)
    assert len(expected["voice_activity"].speech) > 1
    blocked = {"VIDEOANNOTATOR_BLOCK_PLUGINS": "voice_activity"}
    install(tmp_path, "voice_activity", **blocked)
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(tmp_path))
    monkeypatch.setenv(*blocked.popitem())
    assert va.catalog().pipeline("voice_activity").environment is not None
    result = annotate(film, "voice_activity", end=20.0)
    assert result.pipelines == expected.pipelines
    then, now = expected.provenance.pipelines[0], result.provenance.pipelines[0]
    assert (now.isolation, now.models, now.config) == ("environment", then.models, then.config)


def test_what_was_changed_in_place_is_noticed_and_described_anew(
    plugins: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = annotate(clip, "numbers", cache=True)
    (code,) = plugins.glob("*/*/lib/*/site-packages/va_test_numbers/values.py")
    text = code.read_text()
    code.unlink()  # it may be one file with that in the installer's cache
    code.write_text(text + "\n# longer\n")
    (broken,) = va.catalog().broken
    assert broken.plugin.name == "numbers"
    assert "plugins refresh va-test-numbers" in broken.reason
    with pytest.raises(va.VideoAnnotatorError, match="did not load: its environment was changed"):
        va.Annotator(["numbers"])
    assert main(["plugins", "list"]) == Exit.WELL
    assert "va-test-numbers\t1.0\tisolated\tbroken" in capsys.readouterr().out
    assert main(["plugins", "refresh", "numbers"]) == Exit.WELL
    assert not va.catalog().broken
    after = annotate(clip, "numbers", cache=True)
    assert not after.provenance.pipelines[0].cached, "another code is another question"
    assert after.pipelines == before.pipelines


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"videoannotator": "0.1"}, "has videoannotator 0.1, this is"),
        ({"inside": "gone"}, "the interpreter of its environment is gone"),
        ({"stamp": "0"}, "was changed since"),
        ({"layout": 99}, "has the layout 99"),
        ({"plugins": [{"name": 3}]}, "is damaged"),
        (None, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_reason(
    plugins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any] | None, reason: str
) -> None:
    copy = tmp_path / "plugins" / "va-test-numbers"
    copy.mkdir(parents=True)
    monkeypatch.setenv("VIDEOANNOTATOR_PLUGINS", str(copy.parent))
    (original,) = plugins.glob("*/environment.json")
    text = json.dumps(json.loads(original.read_text()) | change) if change is not None else "{"
    (copy / "environment.json").write_text(text)
    (copy / MARK).touch()
    if change != {"inside": "gone"}:
        (copy / json.loads(original.read_text())["inside"]).symlink_to(next(original.parent.glob("*/bin")).parent)
    found = va.catalog()
    assert "numbers" not in found.pipelines
    (broken,) = found.broken
    assert reason in broken.reason
    assert "videoannotator plugins " in broken.reason
    assert "scene_detection" in found.pipelines


def test_an_environment_that_cannot_answer_is_a_named_error(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho what is wrong >&2\nexit 3\n")
    broken.chmod(0o700)
    with pytest.raises(PluginLoadError, match="exit status 3 and no answer; its last lines:\nwhat is wrong"):
        asking.ask(str(broken), {"do": "settings"}, "settings")
    with pytest.raises(PluginLoadError, match="could not be started"):
        asking.ask("/nowhere/python", {"do": "settings"}, "settings")
