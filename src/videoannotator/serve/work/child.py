"""The process of jobs on this machine: ``python -m videoannotator.serve.work.child``, started by `local`.

It executes one task after the other, and keeps what is warm between them. Tasks come as lines of JSON on standard
input, with ``stop`` in between; messages go out as lines of JSON where standard output was. What pipelines print goes
to standard error. When standard input ends, whoever started it is gone: it ends, too, with everything it has started.
"""

from __future__ import annotations

import logging
import os
import queue
import select
import signal
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from videoannotator.serve.work.executing import Stop, Worked, execute
from videoannotator.serve.work.messages import STOP, Done, Message, Task, packed, unpacked

__all__ = ["main"]

_LOOK = 0.5


class _Child:
    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._sending = threading.Lock()
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._stop = Stop()
        self._busy = False
        self._parent = os.getppid()
        threading.Thread(target=self._listen, name="commands", daemon=True).start()

    def serve(self) -> None:
        """Execute tasks until nobody is left who gives any."""
        worked = Worked()
        while (task := self._tasks.get()) is not None:
            try:
                done = execute(task, self._send, self._stop, worked)
            except Exception as error:  # noqa: BLE001 - the border: what nobody foresaw is told, with where it happened
                said = "".join(traceback.format_exception(error))
                logging.getLogger(__name__).error("job %s: %s", task.job, said)
                done = Done(state="failed", code="INTERNAL_ERROR", message=f"{type(error).__name__}: {error}")
            self._busy = False
            self._send(done)

    def _send(self, message: Message) -> None:
        with self._sending:
            line = memoryview(packed(message))
            while line:
                line = line[os.write(self._answers, line) :]

    def _listen(self) -> None:
        rest = b""
        while True:
            ready, _, _ = select.select([self._commands], [], [], _LOOK)
            more = os.read(self._commands, 1 << 16) if ready else b""
            if (ready and not more) or os.getppid() != self._parent:
                self._end()
                return
            *lines, rest = (rest + more).split(b"\n")
            for line in lines:
                self._command(line + b"\n")

    def _command(self, line: bytes) -> None:
        if line == STOP:
            self._stop.request()
            return
        self._busy, self._stop = True, Stop()
        self._tasks.put(unpacked(line))

    def _end(self) -> None:
        if not self._busy:
            self._tasks.put(None)
            return
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def main() -> None:
    """Serve until standard input ends."""
    commands, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    with suppress(OSError):  # where memory is short, this goes before the server does
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    _Child(commands, answers).serve()
    os._exit(0)  # what threads of libraries still do is of no use to anybody


if __name__ == "__main__":
    main()
