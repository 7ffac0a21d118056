"""Processor threads of libraries: as many as a pipeline was given, and put right again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping

__all__ = ["keep_to", "put_thread_counts", "thread_counts"]


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
