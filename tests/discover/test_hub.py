"""Weights on the Hugging Face hub: fetched by its real client, found in its cache, refused in words."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.discover.hub_server import COMMIT, Hub, hub

import videoannotator as va
from videoannotator.discover.hub import HubSource, hub_source
from videoannotator.discover.models import ModelStore, sha256_of
from videoannotator.errors import (
    MissingDependencyError,
    ModelDownloadError,
    ModelMismatchError,
    ModelMissingError,
    PluginLoadError,
)

FILES = {
    "lab/net": {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "heads/one.pth": b"1", "README.md": b"#"},
    "lab/closed": {"model.safetensors": b"secret"},
}
WANTED = ("*.json", "*.safetensors")


@pytest.fixture
def server(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that the client is told of, with a home of its own."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(own_cache / "huggingface"))
    with hub(FILES, frozenset({"lab/closed"})) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


def folder_spec(**more: object) -> va.ModelSpec:
    return va.ModelSpec(**{"name": "net", "source": f"hub:lab/net@{COMMIT}", "licence": "MIT", **more})  # type: ignore[arg-type]


def test_a_source_is_a_repository_a_revision_and_perhaps_a_file() -> None:
    assert hub_source("hub:lab/net-1.0@v1") == HubSource("lab/net-1.0", "v1")
    assert hub_source("hub:lab/net@v1/heads/one.pth") == HubSource("lab/net", "v1", "heads/one.pth")
    assert hub_source("https://example.invalid/x") is None
    for wrong in ("hub:net@v1", "hub:lab/net", "hub:lab/net@", "hub:lab/net@v1/../x", "hub:lab/net@v1/a/../../x"):
        with pytest.raises(PluginLoadError, match="hub:OWNER/NAME@REVISION"):
            folder_spec(source=wrong)
    with pytest.raises(PluginLoadError, match="choose from a hub repository"):
        folder_spec(source="hub:lab/net@v1/model.safetensors", files=WANTED)


@pytest.mark.parametrize("revision", [COMMIT, "v1"])
def test_a_folder_is_fetched_once_and_holds_what_was_wanted(server: Hub, revision: str) -> None:
    spec = folder_spec(source=f"hub:lab/net@{revision}", files=WANTED)
    store = ModelStore(download=True)
    assert not store.present("net", [spec])
    file = store.get("net", [spec])
    assert file.path == store.folder / "net" == store.locate(spec)
    assert sorted(p.name for p in file.path.rglob("*")) == ["config.json", "model.safetensors"]
    assert (file.path / "model.safetensors").read_bytes() == b"weights" * 1000
    assert file.sha256 == sha256_of(file.path)
    assert not list(store.folder.glob(".*.part")), "nothing half-made is left"
    asked = len(server.asked)
    assert ModelStore(download=False).get("net", [spec]) == file
    assert len(server.asked) == asked


def test_a_file_of_a_repository_is_a_file(server: Hub) -> None:
    digest = hashlib.sha256(b"1").hexdigest()
    spec = folder_spec(source=f"hub:lab/net@{COMMIT}/heads/one.pth", sha256=digest)
    file = ModelStore(download=True).get("net", [spec])
    assert (file.path.name, file.path.read_bytes(), file.sha256) == ("one.pth", b"1", digest)


def test_all_files_without_patterns(server: Hub) -> None:
    file = ModelStore(download=True).get("net", [folder_spec()])
    found = {p.relative_to(file.path).as_posix(): p.read_bytes() for p in file.path.rglob("*") if p.is_file()}
    assert found == FILES["lab/net"]


def test_nothing_is_told_of_this_machine(server: Hub) -> None:
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY
    ModelStore(download=True).get("net", [folder_spec()])
    assert before == constants.HF_HUB_DISABLE_TELEMETRY
    agents = {headers.get("User-Agent") or headers.get("user-agent") or "" for _, _, headers in server.asked}
    assert all("videoannotator/" in agent for agent in agents), agents
    assert not any("torch" in agent for agent in agents), agents


def test_what_differs_from_the_declared_is_not_kept(server: Hub) -> None:
    for source in (f"hub:lab/net@{COMMIT}", f"hub:lab/net@{COMMIT}/config.json"):
        store = ModelStore(download=True)
        with pytest.raises(ModelMismatchError, match="nothing was kept"):
            store.get("net", [folder_spec(source=source, sha256="0" * 64)])
        assert not [p for p in store.folder.rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_the_declared_hash_is_of_the_files_that_are_wanted(server: Hub, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(FILES["lab/net"][name])
    spec = folder_spec(files=WANTED, sha256=sha256_of(tmp_path))
    file = ModelStore(download=True).get("net", [spec])
    (file.path / "notes.txt").write_text("of the user")
    assert ModelStore().get("net", [spec]).sha256 == spec.sha256


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("hub:lab/absent@v1", "could not be fetched"),
        ("hub:lab/net@v2", "could not be fetched"),
        ("hub:lab/net@v1/absent.bin", "could not be fetched"),
    ],
)
def test_what_is_not_there_is_said(server: Hub, source: str, says: str) -> None:
    with pytest.raises(ModelDownloadError, match=says):
        ModelStore(download=True).get("net", [folder_spec(source=source)])


def test_patterns_that_match_nothing_are_said(server: Hub) -> None:
    with pytest.raises(ModelDownloadError, match=r"nothing there is called \*\.onnx"):
        ModelStore(download=True).get("net", [folder_spec(files=("*.onnx",))])


@pytest.mark.parametrize("source", [f"hub:lab/net@{COMMIT}", f"hub:lab/net@{COMMIT}/config.json", "hub:lab/net@v1"])
def test_a_refused_connection_is_a_named_error(server: Hub, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    store = ModelStore(download=True)
    with pytest.raises(ModelDownloadError, match="net could not be fetched from hub:lab/net"):
        store.get("net", [folder_spec(source=source)])
    assert not store.present("net", [folder_spec(source=source)])


def test_a_download_goes_on_where_it_broke_off(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _Breaks(FILES["lab/net"], "heads/one.pth")
    with hub({"lab/net": files}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        with pytest.raises(ModelDownloadError):
            ModelStore(download=True).get("net", [folder_spec()])
        assert not ModelStore().present("net", [folder_spec()])
        files.broken = False
        server.asked.clear()
        ModelStore(download=True).get("net", [folder_spec()])
    got = [path for method, path, _ in server.asked if method == "GET" and "resolve" in path]
    assert any(path.endswith("one.pth") for path in got)
    assert not any(path.endswith("model.safetensors") for path in got), "it was there already"


class _Breaks(dict[str, bytes]):
    """Files of which one is listed, and cannot be had until ``broken`` is False."""

    def __init__(self, files: dict[str, bytes], name: str) -> None:
        super().__init__(files)
        self.name, self.broken = name, True

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) and not (self.broken and name == self.name)


def test_terms_are_accepted_by_the_user_and_the_token_is_his(
    server: Hub, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = va.ModelSpec("closed", f"hub:lab/closed@{COMMIT}", "custom", gated=True)
    store = ModelStore(download=True)
    steps = (
        r"accept the terms at http://127\.0\.0\.1:\d+/lab/closed \(.*make a token of the same account at "
        r"http://127\.0\.0\.1:\d+/settings/tokens.*hf auth login.*videoannotator models fetch closed$"
    )
    with pytest.raises(ModelMissingError, match=steps):
        store.get("closed", [spec])
    assert server.asked == [], "without a token nobody is asked"
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_who_did_not_agree")
    with pytest.raises(ModelMissingError, match="closed is not given to you: accept the terms"):
        store.get("closed", [spec])
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    with pytest.raises(ModelMissingError, match="downloads are off"):
        ModelStore().get("closed", [spec])
    assert (store.get("closed", [spec]).path / "model.safetensors").read_bytes() == b"secret"


def snapshot(home: Path, files: dict[str, bytes]) -> Path:
    """A repository in the cache of the hub's client, as it lays it out."""
    store = home / "huggingface" / "hub" / "models--lab--net"
    for number, (name, data) in enumerate(files.items()):
        blob = store / "blobs" / str(number)
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        place = store / "snapshots" / COMMIT / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(blob)
    (store / "refs").mkdir()
    (store / "refs" / "v1").write_text(COMMIT)
    return store


@pytest.mark.parametrize("revision", [COMMIT, "v1"])
def test_what_others_have_fetched_is_used_where_it_lies(server: Hub, own_cache: Path, revision: str) -> None:
    store = snapshot(own_cache, FILES["lab/net"])
    whole = folder_spec(source=f"hub:lab/net@{revision}", files=WANTED)
    one = folder_spec(source=f"hub:lab/net@{revision}/heads/one.pth")
    assert ModelStore().get("net", [whole]).path == store / "snapshots" / COMMIT
    assert ModelStore().get("net", [one]).path.read_bytes() == b"1"
    assert server.asked == []


def test_half_a_snapshot_is_not_used(server: Hub, own_cache: Path) -> None:
    store = snapshot(own_cache, {"config.json": b"{}"})
    assert not ModelStore().present("net", [folder_spec(files=WANTED)]), "the weights lack"
    assert not ModelStore().present("net", [folder_spec(source="hub:lab/net@v1/heads/one.pth")])
    assert ModelStore().present("net", [folder_spec(files=("*.json",))])
    (store / "blobs" / "7.incomplete").write_bytes(b"")
    assert not ModelStore().present("net", [folder_spec(files=("*.json",))])


def test_without_the_client_its_package_is_named(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "videoannotator\[hub\]"'):
        ModelStore(download=True).get("net", [folder_spec()])
