"""ZIP files of all kinds: what is in them comes out, and nothing else happens."""

from __future__ import annotations

import contextlib
import io
import random
import stat
import struct
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoannotator.decode.unpacking import Unpacked, ZipLimits, unpack_zip
from videoannotator.errors import DataError, MediaError, MediaLimitError, RefusedMediaError, UnreadableMediaError

MB = 1 << 20


def _zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def _unpacked(path: Path, limits: ZipLimits | None = None) -> tuple[list[Unpacked], Path]:
    folder = path.parent / f"out {random.random()}"
    folder.mkdir()
    return list(unpack_zip(path, folder, limits)), folder


def test_what_is_in_it_comes_out_under_names_of_ours(tmp_path: Path) -> None:
    files = {"Sitzung 1/Kind & Mutter.MP4": b"film" * 1000, "b.wav": b"", "ohne": b"x", "x.äöü": b"y", "a\\b.mov": b"z"}
    found, folder = _unpacked(
        _zip(tmp_path / "a.zip", {**files, "empty/": b"", "__MACOSX/._b.wav": b"m", ".DS_Store": b"d"})
    )
    assert {item.name: item.path.read_bytes() for item in found} == files
    assert [item.path.suffix for item in found] == [".mp4", ".wav", "", "", ".mov"]
    assert sorted(item.path for item in found) == sorted(folder.iterdir())
    assert all(len(item.path.stem) == 32 and item.size == item.path.stat().st_size for item in found)
    assert len({item.path for item in found}) == 5


def test_only_what_is_wanted_is_unpacked(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.mp4": b"1", "notes.txt": b"2", "b.mp4": b"3"})
    found = list(unpack_zip(path, tmp_path, wanted=lambda name: name.endswith(".mp4")))
    assert [item.name for item in found] == ["a.mp4", "b.mp4"]


def test_it_is_streamed(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.mp4": random.Random(1).randbytes(40 * MB)}, zipfile.ZIP_STORED)
    tracemalloc.start()
    _unpacked(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MB


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0/\\:", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
            lambda name: name not in ("..", ".DS_Store", "Thumbs.db", "desktop.ini") and not name.startswith("._")
        ),
        st.binary(max_size=200),
        max_size=6,
    ),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
@settings(max_examples=40, deadline=None)
def test_every_name_and_content_comes_back(files: dict[str, bytes], method: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        found, folder = _unpacked(_zip(Path(place) / "a.zip", files, method))
        assert {item.name: item.path.read_bytes() for item in found} == files
        assert all(item.path.parent == folder for item in found)


@given(st.text(max_size=40), st.sampled_from(["", "/", "../", "a/../../", "..\\", "C:\\", "//host/", "/etc/"]))
@settings(max_examples=60, deadline=None)
def test_no_name_leads_out_of_the_folder(name: str, before: str) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = before + name
        try:
            archive.writestr(info, b"content")
        except UnicodeEncodeError:
            return
    with tempfile.TemporaryDirectory() as place:
        path, folder = Path(place) / "a.zip", Path(place) / "deep" / "out"
        folder.mkdir(parents=True)
        path.write_bytes(data.getvalue())
        try:
            made = list(unpack_zip(path, folder))
        except MediaError:
            made = []
        assert {p for p in Path(place).rglob("*") if p.is_file()} == {path, *(item.path for item in made)}
        assert all(item.path.parent == folder for item in made)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damage_is_an_error_with_a_name_and_leaves_nothing_half(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        contents = {"a.mp4": b"film" * 300, "b.mp4": random.Random(2).randbytes(900), "c/d.wav": b"x" * 5000}
        path, folder = _zip(Path(place) / "a.zip", contents), Path(place) / "out"
        folder.mkdir()
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2, len(raw) - 5]))])
        made: list[Unpacked] = []
        with contextlib.suppress(MediaError):
            made.extend(unpack_zip(path, folder))
        assert sorted(folder.iterdir()) == sorted(item.path for item in made)
        assert all(item.path.read_bytes() in contents.values() for item in made)


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (ZipLimits(entries=2), "entries"),
        (ZipLimits(total=2999), "total"),
        (ZipLimits(size=1999), "size"),
    ],
)
def test_limits_are_found_before_anything_is_written(tmp_path: Path, limits: ZipLimits, limit: str) -> None:
    path = _zip(tmp_path / "a.zip", {"a": bytes(500), "b": bytes(500), "c": bytes(2000)})
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(MediaLimitError) as caught:
        list(unpack_zip(path, folder, limits))
    assert caught.value.limit == limit
    assert caught.value.value is not None
    assert caught.value.value > caught.value.allowed
    assert list(folder.iterdir()) == []


def test_what_grows_too_much_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "bomb.zip", {"a.mp4": bytes(20 * MB)})
    with pytest.raises(MediaLimitError, match="times as large") as caught:
        _unpacked(path)
    assert caught.value.limit == "ratio"
    assert len(_unpacked(path, ZipLimits(ratio=2000))[0]) == 1
    small = _zip(tmp_path / "small.zip", {"table.csv": bytes(MB)})
    assert len(_unpacked(small)[0]) == 1


def _bomb(count: int) -> bytes:
    """David Fifield's overlapping bomb, the simple kind: ``count`` names for one and the same content."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    content = bytes(100_000)
    packed = kernel.compress(content) + kernel.flush()
    numbers = (zlib.crc32(content), len(packed), len(content))
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, *numbers, 4, 0) + b"0000" + packed
    directory = b"".join(
        b"PK\1\2"
        + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 8, 0, 0, *numbers, 4, 0, 0, 0, 0, 0, 0)
        + b"%04d" % number
        for number in range(count)
    )
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(local), 0)
    return local + directory + end


def test_files_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(_bomb(1))
    assert len(_unpacked(path)[0]) == 1
    path.write_bytes(_bomb(500))
    with zipfile.ZipFile(path) as archive:
        assert sum(entry.file_size for entry in archive.infolist()) == 50_000_000
    with pytest.raises(RefusedMediaError, match="shares its bytes"):
        _unpacked(path)


def test_a_zip_in_a_zip_is_only_a_file(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "0.zip", {"deep.mp4": bytes(50 * MB)}).read_bytes()
    (found,), _ = _unpacked(_zip(tmp_path / "42.zip", {"lib 0.zip": inner}))
    assert found.path.read_bytes() == inner


def test_sizes_that_lie_do_not_help(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.mp4": bytes(5 * MB)})
    raw = path.read_bytes()
    where = raw.rindex(b"PK\1\2")
    path.write_bytes(raw[: where + 24] + struct.pack("<I", 1000) + raw[where + 28 :])
    with pytest.raises(UnreadableMediaError):  # the sum of what comes is not the one that is stated
        _unpacked(path)


def test_a_directory_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    count = 2000
    with path.open("wb") as file:
        file.truncate(500 * MB)  # a hole
        file.seek(500 * MB)
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, 500 * MB, 0, 0))
    tracemalloc.start()
    with pytest.raises(MediaLimitError) as caught:
        _unpacked(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.limit == "entries"
    assert peak < 4 * MB


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("film.mp4")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(RefusedMediaError, match="link or a device"):
        _unpacked(path)


def test_encrypted_and_rarely_compressed_files_are_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.mp4": b"film"})
    raw = bytearray(path.read_bytes())
    where = raw.index(b"PK\1\2")
    raw[where + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(RefusedMediaError, match="encrypted"):
        _unpacked(path)
    with pytest.raises(RefusedMediaError, match="method"):
        _unpacked(_zip(tmp_path / "b.zip", {"a.mp4": b"film"}, zipfile.ZIP_LZMA))


def test_no_zip_file(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "empty.zip").touch()
    for name, says in (
        ("text.zip", "no ZIP"),
        ("empty.zip", "no ZIP"),
        ("none.zip", "cannot be read"),
        (".", "cannot be"),
    ):
        with pytest.raises(UnreadableMediaError, match=says):
            list(unpack_zip(tmp_path / name, tmp_path))


def test_a_disk_that_is_full_is_no_broken_file(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a.mp4": b"film"})
    with pytest.raises(FileNotFoundError):
        list(unpack_zip(path, tmp_path / "not there"))


def test_limits_are_numbers() -> None:
    with pytest.raises(DataError, match=r"ZipLimits\.ratio"):
        ZipLimits(ratio=0)
