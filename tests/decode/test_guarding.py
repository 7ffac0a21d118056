"""Whatever happens in the process that reads a file, here it is an error with a name, in time, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.decode.canary import Listener

from videoannotator.decode import guarding
from videoannotator.decode.guarding import Guard, check_guarded, probe_guarded
from videoannotator.decode.limits import MediaLimits
from videoannotator.decode.probing import probe
from videoannotator.errors import MediaGuardError, MediaLimitError, RefusedMediaError, UnreadableMediaError
from videoannotator.testing.clips import tone, truncate, write_clip
from videoannotator.testing.hostile_media import png, repeated

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no limits on processes")
linux = pytest.mark.skipif(sys.platform != "linux", reason="Landlock is Linux's")


def _doing(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the child do something else when it comes to a file whose name begins with "bad"."""
    inside = (
        "import os, signal, time\n"
        "from videoannotator.decode import probing\n"
        "real = probing.probe\n"
        "def instead(path, **more):\n"
        "    if os.path.basename(path).startswith('bad'):\n"
        f"        {code}\n"
        "    return real(path, **more)\n"
        "probing.probe = instead\n"
        "answer(question)\n"
    )
    monkeypatch.setattr(guarding, "_CHILD", guarding._CHILD.replace("answer(question)\n", inside))


def _has_landlock() -> bool:
    code = "from videoannotator.decode.landlock import shut; print(sorted(shut([], [])))"
    return "files" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_it_tells_what_probing_tells(tmp_path: Path) -> None:
    films = [
        write_clip(tmp_path / "a.mp4", sound="tone", rotation=90),
        write_clip(tmp_path / "b.mkv", times=[0, 40, 41, 500], codec="ffv1"),
        write_clip(tmp_path / "c.wav", frames=0, sound=tone(0.5)),
        truncate(write_clip(tmp_path / "d.avi", frames=100), 0.5),
    ]
    before = _children()
    for film in films:
        assert probe_guarded(film) == probe(film)
    assert [checked.media for checked in check_guarded(films)] == [probe(film) for film in films]
    assert _children() == before


def test_a_long_film_is_told_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.mov"
    path.write_bytes(repeated(path, png(16, 16), 20_000))
    info = probe_guarded(path)
    assert info.video is not None
    assert len(info.video.clock) == 20_000
    assert info == probe(path)


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (None, UnreadableMediaError, "no such file"),
        (b"", UnreadableMediaError, "empty"),
        (b"#EXTM3U\nhttp://x/\n", RefusedMediaError, "HLS playlist"),
        (b"A text.", UnreadableMediaError, "text file"),
    ],
)
def test_errors_are_those_of_probing(tmp_path: Path, content: bytes | None, error: type[Exception], says: str) -> None:
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=says) as there:
        probe_guarded(path)
    with pytest.raises(error) as here:
        probe(path)
    assert type(there.value) is type(here.value)
    assert str(there.value) == str(here.value)


def test_limits_are_kept_there(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=50)
    with pytest.raises(MediaLimitError) as caught:
        probe_guarded(path, MediaLimits(frames=49))
    assert (caught.value.limit, caught.value.value, caught.value.allowed) == ("frames", 50, 49)


def test_a_beginning_is_decoded(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=100, sound="tone")
    (checked,) = check_guarded([path], decode_seconds=2.0)
    assert checked.decoded == 50
    assert checked.heard == pytest.approx(2.0, abs=0.05)
    assert checked.failures == ()


@posix
@pytest.mark.parametrize(
    ("code", "reason", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crash", "SIGSEGV"),
        ("os._exit(3)", "crash", "exit status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crash", "SIGKILL"),
        ("bytearray(1 << 34)", "memory", "more memory than is allowed"),
        ("raise ValueError('odd')", "crash", "ValueError: odd"),
        ("time.sleep(60)", "time", "no answer within 4 s"),
        ("os.kill(os.getpid(), signal.SIGSTOP)", "time", "no answer within 4 s"),
        ("[os.write(number, b'nonsense' * 99) for number in range(3, 9)]", "crash", "crashed on it"),
    ],
)
def test_each_end_of_the_child_has_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str, says: str
) -> None:
    _doing(monkeypatch, code)
    good = write_clip(tmp_path / "good.mp4", frames=3)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(good.read_bytes())
    before, began = _children(), time.monotonic()
    first, second, third = check_guarded([good, bad, good], guard=Guard(wall_seconds=4 if reason == "time" else 30))
    assert first.media == third.media == probe(good)
    assert isinstance(second.error, MediaGuardError)
    assert second.error.reason == reason
    assert says in str(second.error)
    assert time.monotonic() - began < 60
    assert _children() == before


@posix
def test_what_the_child_has_started_is_ended_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it taken over, it could leave somebody behind; also when it ends in good order itself."""
    started = "import subprocess; p = subprocess.Popen(['/bin/sleep', '300']); raise RuntimeError(f'pid {p.pid}.')"
    _doing(monkeypatch, started)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"bad")
    with pytest.raises(MediaGuardError, match=r"pid \d+\.") as caught:
        probe_guarded(bad, guard=Guard(closed=False))
    pid = int(str(caught.value).rsplit("pid ", 1)[1].split(".")[0])
    until = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("plain", ["7", '{"error": "NoSuchError"}', '{"error": "nearest"}', '{"media": 1}', "[" * 5000])
def test_an_answer_that_makes_no_sense_is_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: str) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"bad")
    child = (
        "import os, struct, sys\n"
        "sys.stdin.buffer.read()\n"
        f"for text in ('true', {plain!r}):\n"
        "    os.write(1, struct.pack('>II', len(text), 0) + text.encode())\n"
    )
    monkeypatch.setattr(guarding, "_CHILD", child)
    with pytest.raises(MediaGuardError) as caught:
        probe_guarded(bad)
    assert caught.value.reason == "crash"


@posix
def test_processor_time_is_limited_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _doing(monkeypatch, "while True: pass")
    path = write_clip(tmp_path / "bad.mp4", frames=3)
    with pytest.raises(MediaGuardError, match="1 s of processor time") as caught:
        probe_guarded(path, guard=Guard(cpu_seconds=1))
    assert caught.value.reason == "cpu"


@posix
def test_memory_is_limited_for_real(tmp_path: Path) -> None:
    """Pictures of 24 million pixels need more than is left of 300 MB beside Python, FFmpeg and numpy."""
    path = tmp_path / "large.mov"
    path.write_bytes(repeated(path, png(6000, 4000), 2))
    (checked,) = check_guarded([path], guard=Guard(memory=300 << 20), decode_seconds=1)
    (enough,) = check_guarded([path], decode_seconds=1)
    assert enough.decoded == 2
    assert enough.failures == ()
    assert checked.decoded == 0
    assert isinstance(checked.error, MediaGuardError) or checked.failures


def test_a_child_that_cannot_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    with pytest.raises(MediaGuardError, match="could not be started") as caught:
        probe_guarded(path)
    assert caught.value.reason == "start"


@posix
def test_a_child_without_room_to_start_says_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3)
    with pytest.raises(MediaGuardError, match="could not start") as caught:
        probe_guarded(path, guard=Guard(memory=50 << 20))
    assert caught.value.reason == "start"


def test_the_child_gets_no_secrets_and_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "swordfish")
    (tmp_path / "open").touch()
    _doing(
        monkeypatch,
        "raise RuntimeError(repr((sorted(os.environ), open(path, 'rb').read(3), "
        f"[o(f) for o, f in ((lambda f: open(f, 'wb', 0).write(b'x'), {str(tmp_path / 'open')!r}),)])))",
    )
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"bad")
    with pytest.raises(MediaGuardError) as caught:
        probe_guarded(bad)
    assert "PermissionError" in str(caught.value) or "File too large" in str(caught.value)
    with pytest.raises(MediaGuardError) as caught:
        probe_guarded(bad, guard=Guard(closed=False))
    assert "swordfish" not in str(caught.value)
    assert "File too large" in str(caught.value)
    assert (tmp_path / "open").read_bytes() == b""


@linux
def test_the_child_can_open_its_files_and_no_other_and_call_nobody(tmp_path: Path) -> None:
    folder, secret, film = tmp_path / "folder", tmp_path / "secret", tmp_path / "film"
    folder.mkdir()
    for file in (folder / "code.py", secret, film):
        file.write_text("text")
    with Listener() as listener:
        port = int(listener.address.rsplit(":", 1)[1].split("/")[0])
        code = f"""
import socket, os
from videoannotator.decode.landlock import shut
kept = shut([{str(folder)!r}, "/none"], [{str(film)!r}])
if not kept:
    print("none")
    raise SystemExit
def tried(act):
    try:
        act()
        return "done"
    except OSError as error:
        return type(error).__name__
print(sorted(kept))
print(tried(lambda: open({str(film)!r}).read()), tried(lambda: open({str(folder / "code.py")!r}).read()))
print(tried(lambda: open({str(secret)!r}).read()), tried(lambda: open("/etc/passwd").read()))
print(tried(lambda: open({str(film)!r}, "w")), tried(lambda: open({str(folder / "new")!r}, "w")))
print(tried(lambda: os.unlink({str(film)!r})), tried(lambda: os.listdir({str(tmp_path)!r})))
print(tried(lambda: socket.create_connection(("127.0.0.1", {port})).close()))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = done.stdout.split("\n")
    if lines[0] == "none":
        pytest.skip("this kernel has no Landlock")
    assert lines[1] == "done done"
    assert lines[2] == "PermissionError PermissionError"
    assert lines[3] == "PermissionError PermissionError"
    assert lines[4] == "PermissionError PermissionError"
    assert lines[5] == ("PermissionError" if "network" in lines[0] else "done")
    assert listener.calls == (0 if "network" in lines[0] else 1)


def test_an_odd_name_is_only_a_name(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", frames=3)
    odd = tmp_path / os.fsdecode(b"-i \xff\n$(x).mp4")
    try:
        path.rename(odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    assert probe_guarded(odd).path == str(odd)


@linux
def test_the_child_does_not_need_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``""`` at the head of the search path, as in notebooks, must not open the folder one is in to the child."""
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    film = tmp_path / "films" / "bad.mp4"
    film.parent.mkdir()
    write_clip(film, frames=3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    _doing(monkeypatch, f"raise RuntimeError(open({str(secret)!r}).read())")
    with pytest.raises(MediaGuardError) as caught:
        probe_guarded("films/bad.mp4")
    if not _has_landlock():
        pytest.skip("this kernel has no Landlock")
    assert "swordfish" not in str(caught.value)
    assert caught.value.path == str(film)
