"""Probing files that nobody vouches for: in a process of its own, that is limited, watched, and ended for sure.

FFmpeg is a large program written in C, and a file can be made to hurt it. `probe_guarded` lets a child process look at
the file. What the child may have is in a `Guard`; on Linux it also may not open any other file, nor a connection
(`videoannotator.decode.landlock`). Whatever happens there, here it is a value or an error with a name.

::

    media = probe_guarded(upload, MediaLimits(duration=4 * 3600.0, pixels=3840 * 2160))
    for checked in check_guarded(folder.iterdir(), limits, decode_seconds=2.0):  # one process for many files
        print(checked.path, checked.error or checked.media.duration)
"""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from typing import IO, Any, Self

import attrs
import numpy as np

from videoannotator import errors
from videoannotator.data.convert import structure, unstructure
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import Failure
from videoannotator.decode.limits import NO_LIMITS, MediaLimits
from videoannotator.errors import DataError, MediaError, MediaGuardError

__all__ = ["Checked", "Guard", "check_guarded", "probe_guarded"]

_START_SECONDS = 60.0
_HEAD = struct.Struct(">II")
_LARGEST = 1 << 28
_LINES = 20
_WIDTH = 300
_LEAVE = 2.0
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL")
"""Variables that the child gets: where libraries and temporary files are, the language. No key, no home, no proxy."""

_CHILD = (
    "import json, sys\n"
    "question = json.loads(sys.stdin.buffer.read())\n"
    "sys.path[:] = question['places']\n"
    "from videoannotator.decode.guarded import answer\n"
    "answer(question)\n"
)
_MOST = {
    "memory": "reading it takes more than the {guard.memory:,} bytes of memory that are allowed.",
    "cpu": "reading it takes more than the {guard.cpu_seconds:g} s of processor time that are allowed.",
    "time": "reading it gave no answer within {guard.wall_seconds:g} s.",
}


@attrs.frozen(kw_only=True)
class Guard:
    """What the child may have. ``memory``: bytes of addresses. ``cpu_seconds``: of processor time for each file.

    ``wall_seconds``: for each file, then the child is killed. ``file_size``: bytes that it may write to a file (0: it
    writes none). ``open_files``: at a time. ``closed``: it may open the files it was asked about and nothing else,
    where the system can keep it from that (Linux from 5.13 on; elsewhere this does nothing).

    Raises `DataError` for a number that is not more than 0 (``file_size`` may be 0).
    """

    memory: int = 2 << 30
    cpu_seconds: float = 30.0
    wall_seconds: float = 30.0
    file_size: int = 0
    open_files: int = 64
    closed: bool = True

    def __attrs_post_init__(self) -> None:
        for name, value in attrs.asdict(self).items():
            if name != "closed" and not (value > 0 or (name == "file_size" and value == 0)):
                raise DataError(f"Guard.{name} is a number more than 0, got {value!r}")


@attrs.frozen
class Checked:
    """What came of one file: ``media`` or ``error``, never both, never neither.

    ``decoded``: pictures that were decoded for ``decode_seconds``. ``heard``: seconds of sound. ``failures``: what
    could not be decoded there.
    """

    path: str
    media: MediaInfo | None = None
    error: MediaError | None = None
    decoded: int = 0
    heard: float = 0.0
    failures: tuple[Failure, ...] = ()


def probe_guarded(
    path: str | PathLike[str],
    limits: MediaLimits = NO_LIMITS,
    guard: Guard | None = None,
    *,
    decode_seconds: float = 0.0,
) -> MediaInfo:
    """What `videoannotator.decode.probing.probe` tells, found out by a child process.

    ``decode_seconds``: how much from the beginning is decoded, too, to see whether that hurts.

    Raises what `probe` raises, and `MediaGuardError` when the child crashed, hung, or needed more than ``guard`` gives.
    """
    checked = next(iter(check_guarded([path], limits, guard, decode_seconds=decode_seconds)))
    if checked.media is None:
        assert checked.error is not None  # noqa: S101 - one of the two
        raise checked.error
    return checked.media


def check_guarded(
    paths: Iterable[str | PathLike[str]],
    limits: MediaLimits = NO_LIMITS,
    guard: Guard | None = None,
    *,
    decode_seconds: float = 0.0,
) -> Iterator[Checked]:
    """`probe_guarded` for many files, in their order.

    One child does them all; a file that it does not survive costs another child. Gives what became of each as soon as
    it is known; never raises for a file.
    """
    kept = guard or Guard()
    left = [os.path.abspath(os.fspath(path)) for path in paths]
    while left:
        with _Child(left, limits, kept, decode_seconds) as child:
            done = 0
            for path, checked in zip(left, child.answers(), strict=False):
                done += 1
                yield checked
                if child.over:
                    break
                assert path == checked.path  # noqa: S101 - it answers in order
            left = left[done:]


class _Child:
    """The process that looks at ``paths``, one after the other, until one of them ends it."""

    def __init__(self, paths: Sequence[str], limits: MediaLimits, guard: Guard, decode_seconds: float) -> None:
        self.over = False
        self._late = False
        self._paths = paths
        self._guard = guard
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._messages: queue.SimpleQueue[tuple[Any, bytes] | None] = queue.SimpleQueue()
        question = {
            "places": _places(),
            "paths": list(paths),
            "limits": unstructure(limits),
            "guard": unstructure(guard),
            "decode_seconds": decode_seconds,
        }
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-I", "-X", "faulthandler", "-c", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                cwd=os.path.abspath(os.sep),
                process_group=0,
            )
        except OSError as error:
            message = f"the process that was to read it could not be started: {error}. Try again later."
            raise MediaGuardError(message, path=paths[0], reason="start") from error
        pipes = ((self._listen, self._process.stdout), (self._read_lines, self._process.stderr))
        self._readers = [threading.Thread(target=work, args=(pipe,), daemon=True) for work, pipe in pipes]
        for reader in self._readers:
            reader.start()
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        with suppress(OSError):  # it ended at once; told by `answers`
            self._process.stdin.write(json.dumps(question).encode())
            self._process.stdin.close()

    def answers(self) -> Iterator[Checked]:
        """What it finds, until it ends; then `over`, and what that says of the file at hand."""
        if self._next(_START_SECONDS) is None:
            yield self._ended(self._paths[0], "start")
            return
        for path in self._paths:
            answer = self._next(self._guard.wall_seconds)
            if answer is None:
                yield self._ended(path, "crash")
                return
            yield _checked(path, *answer)

    def _next(self, seconds: float) -> tuple[Any, bytes] | None:
        with suppress(queue.Empty):
            return self._messages.get(timeout=seconds)
        self._late = True
        return None

    def _listen(self, pipe: IO[bytes]) -> None:
        try:
            with pipe, suppress(ValueError, RecursionError):  # what makes no sense is as if it had hung up
                while len(head := pipe.read(_HEAD.size)) == _HEAD.size:
                    sizes = _HEAD.unpack(head)
                    if sum(sizes) > _LARGEST:
                        break
                    self._messages.put((json.loads(pipe.read(sizes[0])), pipe.read(sizes[1])))
        finally:
            self._messages.put(None)

    def _read_lines(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in iter(lambda: pipe.readline(_WIDTH), b""):
                self._lines.append(line.decode(errors="replace").rstrip())

    def _ended(self, path: str, otherwise: str) -> Checked:
        """Why there is no answer about ``path``."""
        self.over = True
        code = self.end()
        ending = _signal(-code) if code < 0 else f"exit status {code}"
        told = f"{ending}: the system does that when memory is short" if ending == "SIGKILL" else ending
        if self._late:
            reason = "time" if otherwise == "crash" else "start"
        else:
            reason = "cpu" if ending == "SIGXCPU" else otherwise
        if reason in _MOST:
            message = _MOST[reason].format(guard=self._guard)
        else:
            doing = "could not start" if reason == "start" else "crashed on it"
            message = f"the process that was to read it {doing} ({told})."
        return Checked(path, error=MediaGuardError(message, path=path, reason=reason, details="\n".join(self._lines)))

    def end(self) -> int:
        """End it, and all it has started. Returns its exit status, negative for a signal. More than once is once."""
        if self._process.returncode is None:
            until = time.monotonic() + (0.0 if self._late else _LEAVE)
            while not self._has_exited() and time.monotonic() < until:
                time.sleep(0.005)
            if sys.platform == "win32":
                self._process.kill()
            else:
                with suppress(ProcessLookupError, PermissionError):  # its number is ours until `wait` has taken it away
                    os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        for reader in self._readers:
            reader.join(_LEAVE)
        return code

    def _has_exited(self) -> bool:
        if sys.platform == "win32":
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _places() -> list[str]:
    """Where modules are: not the folder one happens to be in (``""``), all of which the child could read."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(errors.__file__)))
    return list(dict.fromkeys([*(os.path.abspath(place) for place in sys.path if place), own]))


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads take addresses


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def _checked(path: str, plain: Mapping[str, Any], ticks: bytes) -> Checked:
    try:
        if "error" in plain:
            return Checked(path, error=_error(path, plain))
        media = structure(MediaInfo, plain["media"])
        if media.video is not None:
            clock = attrs.evolve(media.video.clock, pts=np.frombuffer(ticks, dtype=np.int64))
            media = attrs.evolve(media, video=attrs.evolve(media.video, clock=clock))
        failures = structure(tuple[Failure, ...], plain["failures"])
        return Checked(path, media, None, int(plain["decoded"]), float(plain["heard"]), failures)
    except (AttributeError, DataError, KeyError, TypeError, ValueError) as error:
        message = f"the process that was to read it gave an answer that makes no sense: {error}"
        return Checked(path, error=MediaGuardError(message, path=path, reason="crash"))


def _error(path: str, plain: Mapping[str, Any]) -> MediaError:
    kind = getattr(errors, plain["error"])
    if not issubclass(kind, MediaError):
        raise DataError(f"{plain['error']} is no error of a media file")
    return kind(plain["message"], path=path, **plain["more"])  # type: ignore[no-any-return]  # found by its name
