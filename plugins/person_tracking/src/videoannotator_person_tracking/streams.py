"""Threads that do not stand in each other's way, for networks that run on the processor outside torch.

Both classes change who computes, never what: the numbers that come out are the same, bit for bit (tested).
"""

from __future__ import annotations

import platform
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["OneTorchThread", "Streams"]

_MOST = 8  # as many as there are frames in a batch of the pipeline
_OURS = "videoannotator-model:"  # begins the names of threads that live as long as a model, not as long as a run
T = TypeVar("T")
R = TypeVar("R")


def _end(pool: ThreadPoolExecutor) -> None:
    """End the threads of a pool. The last to let go of a model may be one of them, and none can wait for itself."""
    pool.shutdown(wait=not threading.current_thread().name.startswith(_OURS))


class OneTorchThread:
    """A thread in which torch computes alone.

    Suppressing overlapping boxes takes torch well under a millisecond, but for some of its steps it wakes a thread
    per processor, and these spin for a while afterwards: time that the network's threads do not get. How many
    threads torch uses is kept per thread (OpenMP), and besides for threads to come: that is put back at once.
    """

    def __init__(self) -> None:
        import torch

        before = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(1, f"{_OURS}boxes", torch.set_num_threads, (1,))
        self._pool.submit(torch.get_num_threads).result()
        torch.set_num_threads(before)

    def submit(self, work: Callable[[T], R], given: T) -> Future[R]:
        """Do ``work`` in that thread."""
        return self._pool.submit(work, given)

    def close(self) -> None:
        """End the thread."""
        _end(self._pool)


class Streams:
    """OpenVINO on a processor that others use, too: several pictures at once, one thread each.

    Ultralytics runs one picture at a time with all threads. They wait for each other after every layer, so whoever
    else needs a processor (decoding, other pipelines) makes all of them wait, and they burn time while they do. With
    a stream per thread nobody waits.
    """

    def __init__(self, compiled: Any, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=f"{_OURS}openvino")
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            self._requests.put(compiled.create_infer_request())
        # The binding sets up its NumPy side at the first inference; two threads that do so at once wait for each other
        # for ever (seen with OpenVINO 2026.4.1: one holds the GIL and waits for the guard that the other holds).
        self.infer(np.zeros(list(compiled.input().shape), dtype=np.float32))

    @classmethod
    def of(cls, backend: Any, weights: Path, threads: int) -> Streams | None:
        """Streams instead of what ultralytics' OpenVINO ``backend`` compiled, or None where that is left as it is.

        ``threads``: of the processor, for all streams together. Taken over only where ultralytics itself sets nothing
        but the latency hint: x86 processors outside Windows, networks of fixed shape.
        """
        compiled = backend.ov_compiled_model
        plain = platform.machine() in ("x86_64", "AMD64") and platform.system() != "Windows"
        if (
            not plain
            or compiled.get_property("EXECUTION_DEVICES") != ["CPU"]
            or not compiled.input().partial_shape.is_static
        ):
            return None
        import openvino

        count = min(threads, _MOST)
        xml = weights if weights.is_file() else next(weights.glob("*.xml"))
        # one copy of the network in memory: ours takes the place of theirs
        backend.ov_compiled_model = openvino.Core().compile_model(
            xml,
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": count, "INFERENCE_NUM_THREADS": max(threads, count)},
        )
        return cls(backend.ov_compiled_model, count)

    def infer(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's first output for one input, from any thread."""
        request = self._requests.get()
        try:
            answer: NDArray[np.float32] = request.infer({0: pictures}, share_inputs=True)[0].copy()
            return answer
        finally:
            self._requests.put(request)

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """``work`` on all parts in the streams' threads, answers in order."""
        return self._pool.map(work, parts)

    def close(self) -> None:
        """End the threads."""
        _end(self._pool)
