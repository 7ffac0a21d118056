"""``videoannotator models``, typed for real; the hub is one of the test's own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.discover.hub_server import Hub, hub

Command = Callable[..., subprocess.CompletedProcess[str]]

FILES = {
    "lab/net": {"config.json": b"{}", "net.bin": b"weights", "README.md": b"#"},
    "lab/closed": {"net.bin": b"secret"},
}


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub(FILES, frozenset({"lab/closed"})) as server:
        yield server


@pytest.fixture
def models(command: Command, server: Hub, tmp_path: Path) -> Command:
    """``videoannotator models ...`` with that hub."""

    def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        told = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "huggingface"), "HF_TOKEN": "", **variables}
        return command("models", *arguments, **told)

    return call


def test_a_pipeline_s_models_are_fetched_and_their_paths_printed(models: Command, tmp_path: Path) -> None:
    before = models("path", "net")
    assert (before.returncode, before.stdout) == (2, "")
    assert "net is not on this disk. Type: videoannotator models fetch net" in before.stderr

    done = models("fetch", "hubbed")
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.splitlines()
    assert Path(path) == tmp_path / "cache" / "models" / "net"
    assert sorted(p.name for p in Path(path).iterdir()) == ["config.json", "net.bin"]
    assert "fetching net (Apache-2.0, from hub:lab/net@v1)" in done.stderr
    assert "no hash is declared, SHA-256 " in done.stderr
    assert "\x1b" not in done.stderr, "no bar where nobody watches"
    assert models("path", "net").stdout == f"{path}\n"

    listed = models("list", "hubbed", "grey")
    assert [line.split("\t")[:5] for line in listed.stdout.splitlines()] == [
        ["net", "hubbed", "0.0 MB", "Apache-2.0", "on disk"],
        ["closed", "hubbed", "1.2 MB", "CC-BY-NC-4.0", "gated"],
    ]
    assert "1 of 2 models are on this disk" in listed.stderr


def test_restricted_and_gated_models_say_so(models: Command) -> None:
    refused = models("fetch", "hubbed", "--all")
    assert refused.returncode == 1
    assert len(refused.stdout.splitlines()) == 1, "the other one was fetched"
    assert "closed: its licence, CC-BY-NC-4.0, restricts what it may be used for" in refused.stderr
    for step in ("/lab/closed", "hf auth login (or in the variable HF_TOKEN)", "videoannotator models fetch closed"):
        assert step in refused.stderr
    done = models("fetch", "closed", HF_TOKEN="hf_good")
    assert done.returncode == 0, done.stderr
    assert (Path(done.stdout.strip()) / "net.bin").read_bytes() == b"secret"


def test_what_cannot_be_fetched_is_said_and_the_rest_is_fetched(models: Command) -> None:
    done = models("fetch", "needs_model", "net")
    assert done.returncode == 1
    assert [Path(line).name for line in done.stdout.splitlines()] == ["net"]
    assert "small.onnx could not be fetched from https://models.invalid/small.onnx" in done.stderr


def test_annotating_fetches_first_and_says_so(command: Command, server: Hub, clip: Path, tmp_path: Path) -> None:
    told = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "huggingface"), "HF_TOKEN": ""}
    arguments = ("annotate", clip, "--pipelines", "hubbed", "--out", tmp_path / "out")
    done = command(*arguments, **told)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    began = next(n for n, line in enumerate(lines) if line.startswith("fetching net (Apache-2.0, from hub:lab/net@v1)"))
    assert "net: 0.0 MB, no hash is declared, SHA-256" in lines[began + 1]
    assert "hubbed.signals" in "".join(lines[began + 2 :]), "before the run, not in the middle of its bar"
    assert "\x1b" not in done.stderr, "no bar where nobody watches"
    again = command(*arguments, **told)
    assert "fetching" not in again.stderr


def test_annotating_says_once_what_cannot_be_fetched(command: Command, clip: Path, tmp_path: Path) -> None:
    with hub({}, frozenset()) as server:
        told = {"HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path / "huggingface"), "HF_TOKEN": ""}
        done = command("annotate", clip, "--pipelines", "hubbed,grey", "--out", tmp_path / "out", **told)
    assert done.returncode == 1
    assert done.stderr.count("net could not be fetched from hub:lab/net@v1") == 1
    assert "grey.signals: " in done.stderr


def test_the_list_as_json(models: Command) -> None:
    told = {(one["pipeline"], one["name"]): one for one in json.loads(models("list", "--json").stdout)}
    assert set(told) == {(p, "small.onnx") for p in ("needs_model", "gated")} | {
        ("hubbed", "net"),
        ("hubbed", "closed"),
    }
    assert told["gated", "small.onnx"]["gated"] is True
    assert told["needs_model", "small.onnx"]["size"] == 1_200_000
    assert told["hubbed", "net"]["on_disk"] is False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fetch",), "name pipelines or models"),
        (("fetch", "nett"), "no model 'nett' (did you mean 'net'?)"),
        (("path", "nett"), "no model 'nett' (did you mean 'net'?)"),
        (("fetch", "face_analysis"), "pip install"),
        (("list", "hubed"), "did you mean 'hubbed'"),
        (("fetch", "hubbed:other"), "hubbed.backend: no such setting"),
    ],
)
def test_wrong_names_are_2(models: Command, arguments: tuple[str, ...], says: str) -> None:
    done = models(*arguments)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_pipeline_without_models_has_nothing_to_fetch(models: Command) -> None:
    done = models("fetch", "grey")
    assert (done.returncode, done.stdout) == (0, "")
    assert "grey uses no model" in done.stderr
