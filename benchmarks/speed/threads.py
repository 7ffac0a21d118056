"""Which threads of a process use the processor: where its time goes, without slowing it down."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Threads"]

_TASKS = Path("/proc/self/task")
_EVERY = 0.5  # seconds: reading costs a millisecond or so


class Threads:
    """Watches the threads of this process while it is entered; `seconds` of processor by name afterwards.

    Python's threads have their own names. Others have those that libraries give them (FFmpeg's begin with ``av:``), or
    none: these are called ``others``. Where the system does not tell, nothing is known.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._watching, name="bench:watch", daemon=True)
        self._before = 0.0
        self._all = 0.0

    def __enter__(self) -> Self:
        self._before = time.process_time()
        self._look()
        self._start = {number: seconds for number, (_, seconds) in self._seen.items()}
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._watch.join()
        self._look()
        self._all = time.process_time() - self._before

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of processor by name of thread, the most first; ``unseen`` for threads that came and went."""
        found: dict[str, float] = defaultdict(float)
        for number, (name, spent) in self._seen.items():
            found[name] += spent - self._start.get(number, 0.0)
        found["unseen"] = max(0.0, self._all - sum(found.values()))
        return {name: spent for name, spent in sorted(found.items(), key=lambda f: -f[1]) if spent >= 0.01}

    def _watching(self) -> None:
        while not self._stop.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        if not _TASKS.is_dir():
            return
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        process = (_TASKS.parent / "comm").read_text().strip()
        for task in _TASKS.iterdir():
            try:
                spent = int((task / "schedstat").read_text().split()[0]) / 1e9
                name = names.get(int(task.name)) or (task / "comm").read_text().strip()
            except (OSError, ValueError):  # it has ended meanwhile
                continue
            plain = re.sub(r"[-_]?\d+$", "", name)
            known = self._seen.get(int(task.name), ("", 0.0))[0]
            self._seen[int(task.name)] = (known or ("others" if plain in (process, "") else plain), spent)
