"""What was read of a file is remembered as long as the file is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from videoannotator.discover import hashing
from videoannotator.discover.hashing import known_sha256, sha256_of


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that were read for their hash."""
    read: list[Path] = []
    reading = hashing._read
    monkeypatch.setattr(hashing, "_read", lambda path: read.append(path) or reading(path))
    return read


def test_hashes_are_remembered_for_files_that_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Path]
) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"one")
    assert known_sha256(file) == known_sha256(file) == sha256_of(file)
    assert len(told) == 3, "it was written a moment ago: a change would not be seen"
    monkeypatch.setattr(hashing, "_SETTLED", 0.0)
    assert known_sha256(file) == known_sha256(file) == known_sha256(tmp_path / "." / "x.bin")
    assert len(told) == 4
    file.write_bytes(b"two")
    assert known_sha256(file) == sha256_of(file)


def test_the_hash_of_a_folder_is_that_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Path]
) -> None:
    monkeypatch.setattr(hashing, "_SETTLED", 0.0)
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("b.xml", "a.bin"):
        (folder / name).write_text(name)
    first = known_sha256(folder)
    assert known_sha256(folder) == first
    assert [file.name for file in told] == ["a.bin", "b.xml"]
    assert sha256_of(folder) == first
    (folder / "a.bin").write_text("other")
    assert known_sha256(folder) != first


def test_what_is_remembered_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_SETTLED", 0.0)
    monkeypatch.setattr(hashing, "_MOST", 3)
    files = [tmp_path / str(n) for n in range(5)]
    for n, file in enumerate(files):
        file.write_text(str(n))
    asked: list[Path] = []

    def name(path: Path) -> str:
        asked.append(path)
        return path.name

    for file in files:
        assert hashing.remembered("name", file, name) == file.name
    assert hashing.remembered("other", files[0], name) == "0"
    assert [hashing.remembered("name", file, name) for file in reversed(files)] == ["4", "3", "2", "1", "0"]
    assert asked == [*files, files[0], files[1], files[0]]
