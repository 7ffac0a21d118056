"""Weights: found, hashed, refused when they are not what was declared, fetched only when agreed to."""

from __future__ import annotations

import hashlib
import io
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import videoannotator as va
from videoannotator.discover import fetching
from videoannotator.discover.models import ModelStore, cache_folder, sha256_of
from videoannotator.errors import ModelDownloadError, ModelMismatchError, ModelMissingError, PluginLoadError


def test_a_file_inside_a_package_is_found_without_importing_it(tmp_path: Path) -> None:
    spec = va.ModelSpec("licence", "package:hypothesis/entry_points.py", "MPL-2.0")
    file = ModelStore(folder=tmp_path).get("licence", [spec])
    assert file.path.read_bytes()
    assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert file.record.source == spec.source


def test_a_local_path_wins_and_is_hashed(tmp_path: Path) -> None:
    weights = tmp_path / "mine.onnx"
    weights.write_bytes(b"weights")
    file = ModelStore(folder=tmp_path / "store").get(str(weights), [])
    assert (file.path, file.source, file.licence) == (weights, "local", None)
    assert file.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_a_folder_has_one_hash_that_sees_every_byte_and_name(tmp_path: Path) -> None:
    folder = tmp_path / "openvino"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.xml").write_text("a")
    (folder / "sub" / "b.bin").write_text("b")
    first = sha256_of(folder)
    assert first == sha256_of(folder)
    (folder / "sub" / "b.bin").write_text("c")
    second = sha256_of(folder)
    (folder / "sub" / "b.bin").rename(folder / "sub" / "d.bin")
    assert len({first, second, sha256_of(folder)}) == 3


def test_the_wrong_file_is_refused(tmp_path: Path) -> None:
    spec = va.ModelSpec("model", "https://example.invalid/model.bin", "MIT", sha256="0" * 64)
    store = ModelStore(folder=tmp_path)
    path = store.locate(spec)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(ModelMismatchError, match="is not the declared model"):
        store.get("model", [spec])


def test_nothing_is_fetched_unasked(tmp_path: Path) -> None:
    spec = va.ModelSpec("model", "https://example.invalid/model.bin", "MIT")
    with pytest.raises(ModelMissingError, match="downloads are off"):
        ModelStore(download=False, folder=tmp_path).get("model", [spec])
    gated = va.ModelSpec("gated", "https://example.invalid/gated", "custom", gated=True)
    with pytest.raises(ModelMissingError, match="asks for an agreement"):
        ModelStore(download=True, folder=tmp_path).get("gated", [gated])
    absent = va.ModelSpec("absent", "package:a_package_that_is_not_here/x.onnx", "MIT")
    with pytest.raises(ModelMissingError, match="pip install a_package_that_is_not_here"):
        ModelStore(download=True, folder=tmp_path).get("absent", [absent])
    with pytest.raises(ModelMissingError, match="did you mean 'model'"):
        ModelStore(folder=tmp_path).get("modell", [spec])
    assert list(tmp_path.rglob("*")) == []


def test_a_download_that_fails_leaves_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    spec = va.ModelSpec("model", "https://127.0.0.1:9/model.bin", "MIT")
    store = ModelStore(download=True, folder=tmp_path)
    with pytest.raises(ModelDownloadError, match="put the file at"):
        store.get("model", [spec])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_only_https_and_packages_are_sources() -> None:
    for source in ("http://example.invalid/x", "file:///etc/passwd", "package:x"):
        with pytest.raises(PluginLoadError, match="must be 'package:NAME/FILE', an https address, or 'hub:"):
            va.ModelSpec("m", source, "MIT")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Call it with the bytes that https://models.invalid gives; asked for over plain http, which no spec may name."""
    answer: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(answer["length"]))
            self.end_headers()
            self.wfile.write(answer["data"])

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that http.server has
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"

    def opened(url: str, timeout: float) -> Any:
        return urllib.request.urlopen(url.replace("https://models.invalid", address), timeout=timeout)

    monkeypatch.setattr(fetching, "urlopen", opened)
    yield lambda data, length=None: answer.update(data=data, length=len(data) if length is None else length)
    server.shutdown()
    server.server_close()


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name in names:
            made.writestr(name, name)
    return packed.getvalue()


def test_a_file_is_fetched_whole_and_once(tmp_path: Path, served: Callable[..., None]) -> None:
    served(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    spec = va.ModelSpec("model", "https://models.invalid/a/model.bin?download=1", "MIT", sha256=digest)
    file = ModelStore(download=True, folder=tmp_path).get("model", [spec])
    assert (file.path, file.sha256) == (tmp_path / "model" / "model.bin", digest)
    served(b"other weights")
    assert ModelStore(download=True, folder=tmp_path).get("model", [spec]) == file
    assert [p.name for p in tmp_path.rglob("*")] == ["model", "model.bin"]


@pytest.mark.parametrize(
    ("data", "length", "error", "says"),
    [
        (b"weig", 7, ModelDownloadError, "4 bytes came instead of 7"),
        (b"others!", 7, ModelMismatchError, "nothing was kept"),
    ],
)
def test_half_a_file_or_another_one_is_not_kept(
    tmp_path: Path, served: Callable[..., None], data: bytes, length: int, error: type[Exception], says: str
) -> None:
    served(data, length)
    spec = va.ModelSpec("model", "https://models.invalid/model.bin", "MIT", sha256="0" * 64)
    with pytest.raises(error, match=says):
        ModelStore(download=True, folder=tmp_path).get("model", [spec])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_the_model_is_taken_out_of_an_archive(tmp_path: Path, served: Callable[..., None]) -> None:
    served(archive("a/b/end2end.onnx", "a/b/deploy.json"))
    inner = hashlib.sha256(b"a/b/end2end.onnx").hexdigest()
    spec = va.ModelSpec("m", "https://models.invalid/m.zip", "Apache-2.0", inside="end2end.onnx", sha256=inner)
    store = ModelStore(download=True, folder=tmp_path)
    file = store.get("m", [spec])
    assert (file.path, file.sha256) == (tmp_path / "m" / "end2end.onnx", inner)
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["end2end.onnx"]
    assert store.locate(spec) == file.path


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (archive("a/x.onnx"), "has 0 files called end2end.onnx"),
        (archive("a/end2end.onnx", "b/end2end.onnx"), "has 2 files called end2end.onnx"),
        (b"<html>not found</html>", "not a zip file"),
    ],
)
def test_an_archive_without_the_one_model_is_refused(
    tmp_path: Path, served: Callable[..., None], data: bytes, says: str
) -> None:
    served(data)
    spec = va.ModelSpec("m", "https://models.invalid/m.zip", "MIT", inside="end2end.onnx")
    with pytest.raises(ModelDownloadError, match=says):
        ModelStore(download=True, folder=tmp_path).get("m", [spec])
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_member_is_a_name_in_an_archive_at_an_address() -> None:
    for source, inside in (("hub:a/b@c", "x.onnx"), ("https://models.invalid/m.zip", "../x.onnx")):
        with pytest.raises(PluginLoadError, match="the name of a file in a zip archive"):
            va.ModelSpec("m", source, "MIT", inside=inside)
