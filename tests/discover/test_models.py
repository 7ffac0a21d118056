"""Weights: found, hashed, refused when they are not what was declared, fetched only when agreed to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import videoannotator as va
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
        with pytest.raises(PluginLoadError, match="must be 'package:NAME/FILE' or an https address"):
            va.ModelSpec("m", source, "MIT")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIDEOANNOTATOR_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
