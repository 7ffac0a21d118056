"""OpenVINO on the processor in threads that do not stand in each other's way.

That changes who computes, never what: the numbers that come out are the same, bit for bit (tested).
"""

from __future__ import annotations

import platform
import queue
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from videoannotator.discover.workers import Workers

__all__ = ["Streams", "xml_of"]

_MOST = 8  # as many as there are frames in a batch of the pipeline
T = TypeVar("T")
R = TypeVar("R")


def xml_of(weights: Path) -> Path:
    """The file of an OpenVINO export that describes the network."""
    return weights if weights.is_file() else next(weights.glob("*.xml"))


class Streams:
    """OpenVINO on a processor that others use, too: several pictures at once, one thread each.

    Ultralytics runs one picture at a time with all threads. They wait for each other after every layer, so whoever
    else needs a processor (decoding, other pipelines) makes all of them wait, and they burn time while they do. With
    a stream per thread nobody waits.
    """

    def __init__(self, compiled: Any, count: int) -> None:
        self._workers = Workers("openvino", count)
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(count):
            self._requests.put(compiled.create_infer_request())
        # The binding sets up its NumPy side at the first inference; two threads that do so at once wait for each other
        # for ever (seen with OpenVINO 2026.4.1: one holds the GIL and waits for the guard that the other holds).
        self.infer(np.zeros(list(compiled.input().shape), dtype=np.float32), lambda outputs: None)

    @staticmethod
    def fit(backend: Any) -> bool:
        """True where ultralytics' OpenVINO ``backend`` itself sets nothing but the latency hint.

        On x86 processors outside Windows, for networks of fixed shape.
        """
        compiled = backend.ov_compiled_model
        plain = platform.machine() in ("x86_64", "AMD64") and platform.system() != "Windows"
        return bool(
            plain and compiled.get_property("EXECUTION_DEVICES") == ["CPU"] and compiled.input().partial_shape.is_static
        )

    @classmethod
    def of(cls, backend: Any, weights: Path, threads: int, network: Any = None) -> Streams:
        """Streams instead of what ultralytics' OpenVINO ``backend`` compiled, which must `fit`.

        ``threads``: of the processor, for all streams together. ``network``: an ``openvino.Model`` instead of that in
        ``weights``.
        """
        import openvino

        count = min(threads, _MOST)
        ours = openvino.Core().compile_model(
            xml_of(weights) if network is None else network,
            "CPU",
            {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": count, "INFERENCE_NUM_THREADS": max(threads, count)},
        )
        if network is None:
            backend.ov_compiled_model = ours  # one copy of the network in memory: ours takes the place of theirs
        return cls(ours, count)

    def infer(self, pictures: NDArray[np.float32], take: Callable[[Any], R]) -> R:
        """What ``take`` makes of the network's outputs for one input, from any thread. It must copy what it keeps."""
        request = self._requests.get()
        try:
            return take(request.infer({0: pictures}, share_inputs=True, share_outputs=True))
        finally:
            self._requests.put(request)

    def map(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """``work`` on all parts in the streams' threads, answers in order."""
        return self._workers.map(work, parts)

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
