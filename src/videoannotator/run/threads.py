"""Processor threads of libraries: as many as a pipeline was given, and put right again."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product

__all__ = ["algebra_in_one_thread", "keep_to", "put_thread_counts", "thread_counts"]


def thread_counts() -> dict[str, int]:
    """How many processor threads the libraries that are imported use in this process, by name."""
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    counts = {}
    if torch is not None and hasattr(torch, "get_num_threads"):
        counts["torch"] = torch.get_num_threads()
    if cv2 is not None and hasattr(cv2, "getNumThreads"):
        counts["cv2"] = cv2.getNumThreads()
    return counts


def put_thread_counts(counts: Mapping[str, int]) -> None:
    """Put right what a library has changed for the whole process since `thread_counts`."""
    now = thread_counts()
    if "torch" in counts and counts["torch"] != now["torch"]:
        sys.modules["torch"].set_num_threads(counts["torch"])
    if "cv2" in counts and counts["cv2"] != now["cv2"]:
        sys.modules["cv2"].setNumThreads(counts["cv2"])


def keep_to(threads: int) -> None:
    """Let torch use no more than ``threads`` in the calling thread; in all others as many as before.

    The number is kept per thread (OpenMP), and besides for threads that are still to come, which the last call sets,
    whoever makes it: hence the second thread here. OpenCV knows one number for the whole process: it is left alone.
    """
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "set_num_threads"):
        return
    before = torch.get_num_threads()
    if threads >= before:
        return
    torch.set_num_threads(threads)
    other = threading.Thread(target=torch.set_num_threads, args=(before,), name="videoannotator:threads")
    other.start()
    other.join()


class _Algebra:
    """How many threads each OpenBLAS had before somebody wanted one: the number is the process's, for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._before: dict[str, int] = {}

    def enter(self) -> None:
        with self._lock:
            self._holders += 1
            self._one_thread()

    def again(self) -> None:
        with self._lock:
            self._one_thread()

    def leave(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                for path, threads in self._before.items():
                    _put_openblas(path, threads)
                self._before = {}

    def _one_thread(self) -> None:
        for path, threads in _openblas().items():
            if threads != 1:
                self._before.setdefault(path, threads)
                _put_openblas(path, 1)


_ALGEBRA = _Algebra()


def _openblas() -> dict[str, int]:
    """The files of every OpenBLAS that is loaded and has threads of its own, and how many."""
    from threadpoolctl import threadpool_info

    return {
        pool["filepath"]: pool["num_threads"]
        for pool in threadpool_info()
        if pool["internal_api"] == "openblas" and pool["threading_layer"] == "pthreads"
    }


def _put_openblas(path: str, threads: int) -> None:
    # threadpoolctl lets one thread change the number, and silently no other; here all who change it take turns
    library = ctypes.CDLL(path)
    for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64")):
        put = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
        if put is not None:
            put(threads)
            return


@contextmanager
def algebra_in_one_thread() -> Iterator[Callable[[], None]]:
    """Let the linear algebra of NumPy and SciPy compute in one thread, until the last who wanted it so is done.

    What OpenBLAS makes of a product differs, on many processors, in its last bits with the threads that share it; and
    how many share it depends on variables, on whatever else has set the number, and on the machine's size. Yields what
    is to be called when a library may have been loaded since. A NumPy that computes with something else, or an
    OpenBLAS whose threads are OpenMP's, is left alone.
    """
    _ALGEBRA.enter()
    try:
        yield _ALGEBRA.again
    finally:
        _ALGEBRA.leave()
