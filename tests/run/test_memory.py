"""Real processes that eat memory."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from videoannotator.errors import DataError
from videoannotator.run.memory import MemoryWatch, memory_of_tree

MB = 1 << 20


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
    finally:
        for child in psutil.Process(started.pid).children(recursive=True) if started.poll() is None else ():
            child.kill()
        started.kill()
        started.communicate()


def test_memory_of_a_tree_is_that_of_all_its_processes() -> None:
    child = "held = bytearray(b'x') * (80 << 20); print('ready', flush=True); input()"
    code = f"""
import subprocess, sys
held = bytearray(b'x') * ({60 * MB})
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print('ready', flush=True)
input()
"""
    with process(code) as started:
        for used in (memory_of_tree(started.pid), memory_of_tree(started.pid, above=1 << 40)):
            assert 140 * MB < used < 190 * MB
    assert memory_of_tree(started.pid) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what processes share")
def test_what_processes_share_is_counted_once() -> None:
    code = f"""
import os
held = bytearray(b'x') * ({100 * MB})
for _ in range(3):
    if not os.fork():
        import time
        time.sleep(60)
        os._exit(0)
print('ready', flush=True)
input()
"""
    with process(code) as started:
        assert memory_of_tree(started.pid, above=1 << 40) > 300 * MB
        assert 100 * MB < memory_of_tree(started.pid) < 150 * MB
        with MemoryWatch(started.pid, 200 * MB, every=0.01) as watch:
            time.sleep(0.2)
        assert not watch.exceeded
        assert 100 * MB < watch.look() < 150 * MB


def test_a_process_that_eats_memory_is_told_of_once_and_can_be_ended() -> None:
    code = f"""
import time
print('ready', flush=True)
held = []
while True:
    held.append(bytearray(b'x') * ({4 * MB}))
    time.sleep(0.01)
"""
    told: list[int] = []
    with process(code) as started:

        def end(used: int) -> None:
            told.append(used)
            started.kill()

        with MemoryWatch(started.pid, 120 * MB, every=0.02, on_exceeded=end) as watch:
            started.wait(30)
        assert watch.exceeded
    assert len(told) == 1
    assert 120 * MB < told[0] == watch.peak < 400 * MB


def test_a_process_that_ends_is_no_longer_watched() -> None:
    with process("print('ready', flush=True); input()") as started:
        watch = MemoryWatch(started.pid, 1 << 40, every=0.01)
        watch.start()
        started.kill()
        started.wait()
        watch._thread.join(10)
        assert not watch._thread.is_alive()
        watch.stop()
        watch.stop()
    assert watch.peak > 0
    assert not watch.exceeded


@pytest.mark.parametrize(("limit", "every"), [(0, 1.0), (-1, 1.0), (1, 0.0)])
def test_a_watch_needs_something_to_watch_for(limit: int, every: float) -> None:
    with pytest.raises(DataError, match="above 0"):
        MemoryWatch(1, limit, every=every)
