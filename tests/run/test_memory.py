"""Real processes that eat memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from videoannotator.run.memory import memory_of_tree

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
