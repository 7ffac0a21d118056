"""``videoannotator annotate`` and ``plan``, typed for real."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import videoannotator as va
from videoannotator.discover.known import distributions, how_to_install
from videoannotator.shell.main import main

Command = Callable[..., subprocess.CompletedProcess[str]]
Clips = Callable[..., Path]

SHIPPED = ",".join(distributions().values())
NAMED = ("--pipelines", "grey")


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def test_results_go_to_stdout_and_the_rest_to_stderr(command: Command, clip: Path, tmp_path: Path) -> None:
    done = command("annotate", clip, *NAMED, "--out", "results", "--format", "csv,native")
    assert done.returncode == 0, done.stderr
    written = [tmp_path / line for line in lines(done.stdout)]
    assert all(path.exists() for path in written)
    assert {path.name for path in written} >= {"clip_grey.csv", "clip.videoannotator"}
    assert "grey.signals: 5 rows of Signal" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr, "no bar and no colour where nobody watches"
    assert len(va.read(tmp_path / "results" / "clip.videoannotator")["grey"].signals) == 5


def test_without_names_runs_what_can_run_and_says_what_the_others_lack(
    command: Command, tmp_path: Path, write_clip: Clips
) -> None:
    clip = write_clip(tmp_path / "talk.mp4", sound=True)
    done = command("annotate", clip, "--format", "csv")
    assert done.returncode == 1, "the plugin that fails was run, too"
    assert {Path(line).name for line in lines(done.stdout)} >= {"talk_grey.csv", "talk_listens.csv"}
    assert "fails: pipeline_error" in done.stderr
    assert "the test wants it so" in done.stderr
    assert "needs_model does not run: its weights are not on this disk: small.onnx (1.2 MB, Apache-2.0" in done.stderr
    assert "Naming it with --pipelines needs_model fetches them" in done.stderr
    assert "gated does not run: its weights small.onnx" in done.stderr
    assert "reads_model does not run: it needs needs_model, which does not run" in done.stderr


def test_a_failed_pipeline_is_1_and_the_others_are_written(command: Command, clip: Path) -> None:
    done = command("annotate", clip, "--pipelines", "fails,grey", "--format", "csv")
    assert done.returncode == 1
    assert any(line.endswith("clip_grey.csv") for line in lines(done.stdout))
    assert "Traceback" not in done.stderr


def test_a_file_without_sound_says_what_to_do(command: Command, clip: Path) -> None:
    done = command("annotate", clip, "--pipelines", "listens")
    assert done.returncode == 1
    assert "no_audio" in done.stderr
    assert "leave" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("annotate", "CLIP", "--pipelines", "gray"), "did you mean 'grey'"),
        (("annotate", "CLIP", *NAMED, "--format", "cocoo,csv"), "did you mean 'coco'"),
        (("annotate", "CLIP", *NAMED, "--set", "grey.scael=2"), "did you mean 'scale'"),
        (("annotate", "CLIP", *NAMED, "--set", "grey.scale=11"), "grey.scale must be in [0, 10], got 11"),
        (("annotate", "CLIP", *NAMED, "--set", "grey.scale=much"), "grey.scale must be float"),
        (("annotate", "CLIP", *NAMED, "--set", "scale=2"), "--set takes PIPELINE.KEY=VALUE"),
        (("annotate", "CLIP", *NAMED, "--set", "listens.x=2"), "not among the pipelines that run"),
        (("annotate", "CLIP", *NAMED, "--config", "absent.toml"), "absent.toml: cannot be read"),
        (("annotate", "CLIP", *NAMED, "--device", "gpu"), "no device 'gpu'"),
        (("annotate", "CLIP", *NAMED, "--device", "cpu,auto"), "give 'auto' alone"),
        (("annotate", "CLIP", *NAMED, "--wait", "-1"), "lease_timeout is a number of seconds, 0 or more, got -1"),
        (("annotate", "CLIP", *NAMED, "--start", "2", "--end", "1"), "--start must be before --end"),
        (("annotate", "CLIP", *NAMED, "--fromat", "csv"), "--format"),
        (("annotate", "absent.mp4", *NAMED), "no such file: absent.mp4"),
        (("annotate", "FOLDER", *NAMED), "is a folder"),
        (("annotate", "CLIP", "--pipelines", "needs_model", "--offline"), "--offline was given"),
        (("annotate", "CLIP", "--pipelines", "gated"), "ask for an agreement first"),
        (
            ("annotate", "CLIP", "--pipelines", "needs_model", "--set", "needs_model.weights=w.onnx"),
            "no file or folder",
        ),
        (("annotate", "CLIP", "--pipelines", "face_analysis"), how_to_install("face_analysis")),
        (("annotate",), "VIDEOS"),
        (("anotate", "CLIP"), "annotate"),
        (("plan", "CLIP", "--pipelines", "gray"), "did you mean 'grey'"),
        (("pipelines", "gray"), "did you mean 'grey'"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(
    clip: Path,
    tmp_path: Path,
    plugins: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    says: str,
) -> None:
    # in this process, because there are many; what a process of its own adds is seen in the other tests
    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDEOANNOTATOR_BLOCK_PLUGINS", SHIPPED)
    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(tmp_path / "cache"))
    places = {"CLIP": str(clip), "FOLDER": str(tmp_path)}
    code = main([places.get(argument, argument) for argument in arguments])
    said = capsys.readouterr()
    assert code == 2, said.err
    assert says in " ".join(said.err.split())
    assert said.out == ""
    assert not (tmp_path / "annotations").exists(), "nothing was begun"


def test_wrong_usage_in_a_process_of_its_own(command: Command, clip: Path) -> None:
    done = command("annotate", clip, "--pipelines", "gray")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("videoannotator: no pipeline 'gray' (did you mean 'grey'?)")
    assert "Traceback" not in done.stderr


def test_set_wins_over_the_file(command: Command, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text("[grey]\nscale = 5.0\n")
    for scale, more in ((5.0, ()), (2.0, ("--set", "grey.scale=2.0"))):
        done = command("annotate", clip, *NAMED, "--config", "lab.toml", *more, "--format", "native")
        assert done.returncode == 0, done.stderr
        result = va.read(tmp_path / "annotations" / "clip.videoannotator")
        assert result.provenance.pipelines[0].config["scale"] == scale


def test_naming_a_pipeline_is_consent_to_its_announced_download(command: Command, clip: Path) -> None:
    # the address cannot exist (.invalid), so what is seen is the announcement, and the attempt
    done = command("annotate", clip, "--pipelines", "needs_model")
    assert "its weights will be fetched: small.onnx (1.2 MB, Apache-2.0, from https://models.invalid" in done.stderr
    # the dummy never asks for its model, so the run itself is well
    assert done.returncode == 0, done.stderr


def test_a_file_that_cannot_be_read_does_not_stop_the_others(command: Command, clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video at all")
    done = command("annotate", bad, clip, *NAMED, "--format", "csv")
    assert done.returncode == 1
    assert "text file" in done.stderr
    assert any(line.endswith("clip_grey.csv") for line in lines(done.stdout))


def test_files_of_one_name_do_not_overwrite_each_other(command: Command, tmp_path: Path, write_clip: Clips) -> None:
    one = write_clip(tmp_path / "monday" / "clip.mp4", seconds=1)
    two = write_clip(tmp_path / "tuesday" / "clip.mp4", seconds=2)
    other = write_clip(tmp_path / "other.mp4")
    done = command("annotate", one, two, other, one, *NAMED, "--format", "csv")
    assert done.returncode == 0, done.stderr
    tables = {Path(line).relative_to("annotations").as_posix(): tmp_path / line for line in lines(done.stdout)}
    signals = {
        name: len(path.read_text().splitlines()) - 1 for name, path in tables.items() if name.endswith("_grey.csv")
    }
    assert signals == {"monday_clip.mp4/clip_grey.csv": 5, "tuesday_clip.mp4/clip_grey.csv": 10, "other_grey.csv": 5}
    assert "named twice" in done.stderr


def test_a_part_of_the_file(command: Command, clip: Path, tmp_path: Path) -> None:
    done = command("annotate", clip, *NAMED, "--start", "0.5", "--end", "0.9", "--format", "native")
    assert done.returncode == 0, done.stderr
    result = va.read(tmp_path / "annotations" / "clip.videoannotator")
    assert result["grey"].signals.time.min() >= 0.5
    assert (result.provenance.span.start, result.provenance.span.end) == (0.5, 0.9)


def test_the_plan_is_printed_and_nothing_is_written(command: Command, clip: Path, tmp_path: Path) -> None:
    done = command("plan", clip, "--pipelines", "needs_model")
    assert done.returncode == 0, done.stderr
    assert "needs_model 1.0 (MIT)" in done.stdout
    assert "https://models.invalid/small.onnx" in done.stdout
    found = {path.name for path in tmp_path.iterdir()} - {"cache"}  # where it is remembered what the file is
    assert found == {"clip.mp4"}


def test_the_list_as_json(command: Command) -> None:
    done = command("pipelines", "--json")
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout)
    assert {item["name"]: item["ready"] for item in plain["installed"]}["grey"] is True
    assert {item["name"]: item["ready"] for item in plain["installed"]}["gated"] is False
    assert {"name": "face_analysis", "command": how_to_install("face_analysis")} in plain["not_installed"]
    assert plain["broken"][0]["distribution"] == "broken"
    assert "a_package_that_nobody_has" in plain["broken"][0]["reason"]
    assert {item["name"] for item in plain["formats"]} >= {"native", "coco", "webvtt", "rttm", "csv"}


def test_the_list_for_people(command: Command) -> None:
    done = command("pipelines")
    assert "a_package_that_nobody_has" in done.stdout
    assert str(how_to_install("scene_detection")) in done.stdout.replace("\n", "")


def test_one_pipeline_in_full(command: Command) -> None:
    plain = json.loads(command("pipelines", "grey", "--json").stdout)
    assert plain["config"]["properties"]["scale"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 10,
        "default": 1.0,
        "description": "multiplies values",
    }
    assert plain["config"]["additionalProperties"] is False
    model = json.loads(command("pipelines", "needs_model", "--json").stdout)["models"][0]
    assert (model["licence"], model["on_disk"]) == ("Apache-2.0", False)
    text = command("pipelines", "needs_model").stdout
    assert "Apache-2.0" in text
    assert "not on disk" in text


def test_nothing_that_can_run_is_2(command: Command, clip: Path) -> None:
    done = command("annotate", clip, VIDEOANNOTATOR_BLOCK_PLUGINS=f"shell_dummies,{SHIPPED}")
    assert done.returncode == 2
    assert "no pipeline can run" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupted_is_130_and_leaves_no_process(plugins: Path, tmp_path: Path, write_clip: Clips) -> None:
    slow = shutil.copytree(plugins, tmp_path / "slow")
    code = slow / "shell_dummies" / "pipelines.py"
    code.write_text(code.read_text().replace("scale = getattr", "import time; time.sleep(0.5); scale = getattr"))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "videoannotator.shell",
            "annotate",
            write_clip(tmp_path / "long.mp4", seconds=60),
            *NAMED,
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(slow), *map(os.path.abspath, sys.path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert process.stderr is not None
    assert "long.mp4" in process.stderr.readline(), "it has begun"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.skipif(os.name != "posix", reason="opens a pseudo-terminal")
def test_progress_is_shown_to_who_watches_and_kept_off_stdout(plugins: Path, tmp_path: Path, write_clip: Clips) -> None:
    clip = write_clip(tmp_path / "clip.mp4", seconds=20)
    mine, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "videoannotator.shell", "annotate", clip, *NAMED, "--format", "csv"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(plugins), *map(os.path.abspath, sys.path)]),
            "TERM": "xterm",
            "COLUMNS": "100",
        },
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
    )
    os.close(theirs)
    assert process.stdout is not None
    seen = b""
    with contextlib.suppress(OSError):  # how a pseudo-terminal says that the other side is closed
        while part := os.read(mine, 4096):
            seen += part
    os.close(mine)
    written = process.stdout.read().decode()
    assert process.wait(timeout=30) == 0, seen
    assert "of 20 s" in seen.decode()
    assert "\x1b" not in written
    assert "clip_grey.csv" in written
