"""How much is too much: measured before anything is decoded; and what the system keeps a process from."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from videoannotator.data.convert import structure, unstructure
from videoannotator.decode import probing
from videoannotator.decode.limits import NO_LIMITS, MediaLimits, check_limits
from videoannotator.decode.probing import probe
from videoannotator.errors import DataError, MediaLimitError, RefusedMediaError
from videoannotator.testing.clips import write_clip

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no limits on processes")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 x 120 pixels, shown 320 x 120; 50 frames, 2 s, pictures and sound."""
    path = tmp_path_factory.mktemp("limits") / "clip.mkv"
    return write_clip(path, frames=50, sound="tone", sound_codec="flac", sample_aspect_ratio=Fraction(2))


def _exact(clip: Path) -> MediaLimits:
    return MediaLimits(
        size=clip.stat().st_size, duration=2.0, pixels=320 * 120, frames=50, total_pixels=320 * 120 * 50, streams=2
    )


def test_what_is_just_allowed_is_allowed(clip: Path) -> None:
    info = probe(clip)
    assert info.duration == 2.0
    assert probe(clip, limits=_exact(clip)) == info
    check_limits(info, _exact(clip))
    check_limits(info, NO_LIMITS)


@pytest.mark.parametrize("limit", [field.name for field in attrs.fields(MediaLimits)])
def test_a_little_more_than_allowed_is_refused(clip: Path, limit: str) -> None:
    exact = getattr(_exact(clip), limit)
    less = exact - 0.01 if limit == "duration" else exact - 1
    limits = MediaLimits(**{limit: less})
    with pytest.raises(MediaLimitError) as caught:
        probe(clip, limits=limits)
    assert isinstance(caught.value, RefusedMediaError)
    assert (caught.value.limit, caught.value.value, caught.value.allowed) == (limit, exact, less)
    assert caught.value.path == str(clip)
    if limit != "streams":
        with pytest.raises(MediaLimitError) as again:
            check_limits(probe(clip), limits)
        assert again.value.limit == limit


@pytest.mark.parametrize("limit", ["size", "streams"])
def test_some_are_found_before_a_packet_is_read(clip: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(probing, "packets", lambda *_: pytest.fail("a packet was asked for"))
    with pytest.raises(MediaLimitError):
        probe(clip, limits=MediaLimits(**{limit: 1}))


def test_frames_are_counted_while_they_come(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, read = probing.packets, []
    monkeypatch.setattr(probing, "packets", lambda *a: (read.append(p) or p for p in real(*a)))  # type: ignore[func-returns-value]
    with pytest.raises(MediaLimitError):
        probe(clip, limits=MediaLimits(frames=5))
    assert len(read) < 50


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_limits_are_numbers_above_0(value: float) -> None:
    with pytest.raises(DataError, match=r"MediaLimits\.duration"):
        MediaLimits(duration=value)


def test_limits_are_plain_data_too() -> None:
    limits = MediaLimits(size=1, duration=0.5)
    assert structure(MediaLimits, unstructure(limits)) == limits


def _limited(call: str, then: str) -> subprocess.CompletedProcess[str]:
    code = f"from videoannotator.decode.limiting import *\nprint(sorted({call}), flush=True)\n{then}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@posix
def test_the_system_keeps_a_process_from_more(tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    done = _limited(
        "limit_this_process(file_size=10)", f"f = open({file!r}, 'wb', 0); f.write(b'x' * 10); f.write(b'x')"
    )
    assert done.stdout == "['file_size']\n"
    assert "File too large" in done.stderr
    assert (tmp_path / "file").read_bytes() == b"x" * 10
    done = _limited("limit_this_process(open_files=20)", f"all = [open({__file__!r}) for _ in range(30)]")
    assert "Too many open files" in done.stderr
    done = _limited("limit_this_process(cpu_seconds=0.5)", "while True: pass")
    assert done.returncode == -24  # SIGXCPU
    done = _limited("limit_this_process()", "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")
    assert done.stdout == "[]\n(0, 0)\n"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS takes a limit of addresses and does not keep it")
def test_memory_is_kept_on_linux() -> None:
    done = _limited("limit_this_process(memory=1 << 30)", "bytearray(1 << 29); bytearray(1 << 31)")
    assert done.stdout == "['memory']\n"
    assert done.stderr.endswith("MemoryError\n")


@posix
def test_a_limit_is_never_raised() -> None:
    then = (
        "limit_this_process(open_files=500, file_size=99)\n"
        "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE))"
    )
    done = _limited("limit_this_process(open_files=30, file_size=10)", then)
    assert done.stdout.endswith("(30, 30) (10, 10)\n")


@posix
def test_processor_time_can_be_given_anew() -> None:
    then = (
        "import time\n"
        "for _ in range(3):\n"
        "    limit_cpu_from_now(0.6)\n"
        "    until = time.process_time() + 0.6\n"
        "    while time.process_time() < until: pass\n"
        "print('done', flush=True)\n"
        "while True: pass"
    )
    done = _limited("()", then)
    assert done.stdout.endswith("done\n")
    assert done.returncode == -24
