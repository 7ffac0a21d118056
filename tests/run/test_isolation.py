"""A pipeline in a process of its own gives the same rows, and whatever becomes of the process stays there."""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from tests.run.isolated_pipelines import DOES, LOOKS, READS, SOUNDS, Look

import videoannotator as va
from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.outcome import Coverage, Failure, ModelRecord
from videoannotator.data.result import PipelineResult
from videoannotator.data.rows import Detection
from videoannotator.data.table import Table
from videoannotator.discover.config import config_of
from videoannotator.discover.packing import pack_spec, unpack_spec
from videoannotator.discover.specs import load
from videoannotator.errors import (
    CancelledError,
    ConfigError,
    IsolationError,
    ModelMissingError,
    PipelineCrashed,
    PipelineHung,
    RefusedMediaError,
)
from videoannotator.run.isolation import memory
from videoannotator.run.isolation.proxy import IsolatedPipeline, PipelineProcessError
from videoannotator.run.isolation.wire import pack_media, pack_result, unpack_media, unpack_result
from videoannotator.testing.clips import write_clip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups of POSIX")

SPAN = va.TimeSpan(0, 2)
MEDIA = va.MediaInfo(path="x.mp4", size=0, container="", duration=2.0, video=None, audio=None)


def processes() -> dict[int, str]:
    """Processes of this test run by id, those of Python's own trackers aside."""
    listed = subprocess.run(["ps", "-wweo", "pid,ppid,stat,args"], capture_output=True, text=True, check=True)
    found = {}
    for line in listed.stdout.splitlines()[1:]:
        pid, parent, stat, args = line.split(None, 3)
        if int(parent) == os.getpid() and "resource_tracker" not in args and not args.startswith("ps "):
            found[int(pid)] = f"{stat} {args}"
    return found


def shared(pid: int) -> set[str]:
    """What a run in the process ``pid`` has made for the processes of its pipelines, and for whoever has its TMPDIR."""
    blocks = {p.name for p in Path("/dev/shm").glob(f"va-{pid}-*")}
    return blocks | {p.name for p in Path(tempfile.gettempdir()).glob("videoannotator-*")}


@pytest.fixture(autouse=True)
def _nothing_remains(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="va-") as folder:  # a short path: sockets lie in it
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        before = processes()
        assert shared(os.getpid()) == set()
        yield
        gc.collect()
        assert (processes(), shared(os.getpid())) == (before, set())


@pytest.mark.skipif(sys.platform != "linux", reason="blocks of shared memory are seen in /dev/shm")
def test_what_is_shared_is_seen_until_both_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    block = memory.Block(100)
    assert len(shared(os.getpid())) == 1
    monkeypatch.setattr(memory, "_SPARE", 1 << 60)
    file = memory.Block(100)
    assert len(shared(os.getpid())) == 2
    block.close()
    file.close()
    assert shared(os.getpid()) == set()


def context(**more: Any) -> va.Context:
    return va.Context(**{"media": MEDIA, "span": SPAN, "batch": 4, **more})


def frames(first: int = 0, count: int = 4, shape: tuple[int, ...] = (6, 8, 3)) -> FrameBatch:
    pixels = np.random.default_rng(first).integers(0, 256, (count, *shape), np.uint8)
    pixels.flags.writeable = False
    numbers = np.arange(first, first + count)
    return FrameBatch(numbers, numbers / 10, pixels, "rgb" if len(shape) == 3 else "gray", 80, 60)


def does(how: str, timeout: float = 60.0, **more: Any) -> IsolatedPipeline:
    made = IsolatedPipeline(DOES, {"how": how}, context(**more), timeout=timeout)
    made.setup()
    made.begin()
    return made


def both(spec: va.PipelineSpec, config: Mapping[str, Any] | None = None, **more: Any) -> list[va.Pipeline[Any]]:
    here = load(spec.pipeline)(config_of(spec, config), context(**more))
    made = [here, IsolatedPipeline(spec, config, context(**more), timeout=60)]
    for pipeline in made:
        pipeline.setup()
        pipeline.begin()
    return made


def test_frames_give_the_same_rows_also_when_pictures_are_kept() -> None:
    here, there = both(LOOKS, {"sizes": [3]})
    for first, count in ((0, 4), (4, 4), (8, 4), (12, 2), (14, 4)):
        assert here.process(frames(first, count)) == there.process(frames(first, count))
    there.close()


def test_a_state_goes_on_in_another_process() -> None:
    here, first = both(LOOKS)
    assert here.process(frames(0)) == first.process(frames(0))
    state = first.state()
    assert isinstance(state, bytes)
    first.close()
    _, second = both(LOOKS)
    second.restore(state)
    assert here.process(frames(4)) == second.process(frames(4))
    second.close()


def test_sound_gives_the_same_rows_piece_by_piece() -> None:
    reported: list[float] = []
    samples = np.sin(np.arange(16000) / 9).astype(np.float32)
    samples.flags.writeable = False
    track = AudioTrack(samples, 8000, 0.25)
    here, there = both(SOUNDS, audio=track, report=reported.append)
    pieces = [list(pipeline.finish()) for pipeline in (here, there)]  # type: ignore[arg-type]
    there.close()
    assert pieces[0] == pieces[1]
    assert len(pieces[0]) == 4
    assert reported == [0.0, 0.25, 0.5, 0.75] * 2


def test_rows_of_another_pipeline_come_when_asked_for() -> None:
    looks = va.Table.of(Look, frame=[1, 2], time=[0.0, 1.0], mean=[None, 2.0], corner=[np.zeros((2, 3))] * 2, pid=0)
    failure = Failure("decode_error", "it is cut off", va.TimeSpan(1.5, 2.0), "looks", "trace")
    result = PipelineResult("looks", {"looks": looks}, Coverage((va.TimeSpan(0, 1.5),)), (failure,))
    here, there = both(READS, outputs={"looks": result})
    assert here.finish() == there.finish()
    there.close()


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        ("missing", ModelMissingError, "no weights"),
        ("refused", RefusedMediaError, "x.mp4: too large"),
        ("memory", MemoryError, "17 GB"),
        ("divide", PipelineProcessError, "ZeroDivisionError: division by zero"),
        ("system_exit", PipelineProcessError, "SystemExit: 2"),
    ],
)
def test_errors_keep_their_kind_and_the_process_goes_on(how: str, error: type[Exception], text: str) -> None:
    pipeline = does(how)
    for _ in range(2):
        with pytest.raises(error) as caught:
            pipeline.process(frames())
        assert type(caught.value) is error
        assert str(caught.value) == text
        assert "in do_" in caught.value.__notes__[0], "the traceback of the process comes with it"
    if how == "refused":
        assert caught.value.path == "x.mp4"  # type: ignore[attr-defined]
    pipeline.close()


def test_settings_that_are_refused_there_are_refused_here() -> None:
    pipeline = IsolatedPipeline(DOES, {"who": "x"}, context())
    with pytest.raises(ConfigError, match=r"does\.who: no such setting"):
        pipeline.setup()
    pipeline.close()


@pytest.mark.parametrize(
    ("how", "code", "text"),
    [
        ("segfault", -11, "was ended by SIGSEGV while it was in process"),
        ("exit", 3, "ended by itself with exit status 3"),
    ],
)
def test_a_process_that_dies_says_how(how: str, code: int, text: str) -> None:
    pipeline = does(how)
    with pytest.raises(PipelineCrashed, match=text) as caught:
        pipeline.process(frames())
    assert caught.value.code == code
    assert ("last words" in str(caught.value)) == (how == "segfault")
    with pytest.raises(IsolationError, match="not there any more"):
        pipeline.process(frames())
    pipeline.close()


def test_a_process_that_hangs_is_ended_with_what_it_started() -> None:
    pipeline = does("hang", timeout=30)
    assert pipeline._process is not None
    pipeline._process.timeout = 0.5
    with pytest.raises(PipelineHung, match=r"no answer and no progress for 0\.5 s"):
        pipeline.process(frames())
    listed = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True, check=True).stdout
    group = [line for line in listed.splitlines() if line.split()[0] == str(pipeline._process.pid)]
    assert not [line for line in group if "Z" not in line.split()[1]]
    pipeline.close()


def test_what_a_pipeline_leaks_is_not_ours() -> None:
    pipeline = does("leak")
    pipeline.process(frames())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(8):
        pipeline.process(frames(4 * n, shape=(480, 640)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000, "kilobytes"
    pipeline.close()


def test_what_a_process_prints_disturbs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    pipeline = does("print")
    assert len(pipeline.process(frames())) == 4  # type: ignore[arg-type]
    pipeline.close()
    assert capfd.readouterr() == ("", "")


def test_log_records_come_to_the_logger_of_their_name(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = does("log")
    pipeline.process(frames())
    pipeline.close()
    records = [r for r in caplog.records if r.name.startswith("isolated")]
    assert [(r.name, r.levelno, r.getMessage()) for r in records] == [
        ("isolated.sub", logging.WARNING, "look at this"),
        ("isolated", logging.ERROR, "it failed"),
    ]
    assert "ZeroDivisionError" in (records[1].exc_text or "")


def test_what_was_used_comes_back() -> None:
    half, model = does("half"), does("model")
    assert half.context.dtype == "float16"
    assert [record.source for record in model.context.models_used] == ["local"]
    assert half.state() is None, "it remembers nothing"
    half.close()
    model.close()


def test_a_cancelled_run_ends_the_process() -> None:
    def cancel(fraction: float) -> None:
        raise CancelledError("enough")

    pipeline = does("progress", report=cancel)
    with pytest.raises(CancelledError, match="enough"):
        pipeline.process(frames())
    began = time.monotonic()
    pipeline.close()
    assert time.monotonic() - began < 5


def test_a_forgotten_pipeline_takes_its_process_along() -> None:
    pipeline = does("")
    pipeline.process(frames())
    del pipeline


def test_nothing_remains_of_a_run_that_is_killed() -> None:
    code = """
        import os, signal
        from tests.run.test_isolation import does, frames
        pipeline = does("")
        pipeline.process(frames())
        print(os.getpid(), pipeline._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False)
    killed, pid = map(int, done.stdout.split())
    until = time.monotonic() + 10
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the process is still there")
    assert shared(killed) == set()
    assert "resource_tracker" not in done.stderr
    assert "leaked" not in done.stderr


def test_without_room_in_shared_memory_it_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_SPARE", 1 << 60)
    here, there = both(LOOKS)
    for first in (0, 4):
        assert here.process(frames(first)) == there.process(frames(first))
    there.close()


def test_an_interpreter_that_is_not_there_is_said() -> None:
    with pytest.raises(IsolationError, match="could not be started with /nowhere/python"):
        IsolatedPipeline(DOES, None, context(), python="/nowhere/python").setup()
    false = IsolatedPipeline(DOES, None, context(), python="/bin/false")
    with pytest.raises(PipelineCrashed, match="exit status 1 while it started"):
        false.setup()
    false.close()


def test_specs_and_media_cross_whole(tmp_path: Path) -> None:
    media = va.probe(write_clip(tmp_path / "a.mp4", frames=5, sound="tone"))
    assert unpack_media(*pack_media(media)) == media
    assert unpack_media(*pack_media(MEDIA)) == MEDIA
    for one in (LOOKS, SOUNDS, READS, DOES):
        assert unpack_spec(pack_spec(one)) == one


def test_rows_of_others_tell_in_another_process_too_which_weights_they_are_from() -> None:
    model = ModelRecord("sface", "https://example.org/sface.onnx", "1" * 64, "Apache-2.0")
    rows = Table.from_rows(Detection, [Detection(0, 0.0, "person", 0.9, 1, 2, 3, 4)])
    given = PipelineResult("face_analysis", {"rows": rows}, models=(model,))
    plain, parts = pack_result(given)
    back = unpack_result(json.loads(json.dumps(plain)), parts)
    assert back == given
    assert back.models == (model,)
