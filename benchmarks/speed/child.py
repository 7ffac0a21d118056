"""What is measured of ours, in a process of its own: ``python -m benchmarks.speed.child JOB ARGUMENTS TARGET``."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.speed.comparing import Found
from benchmarks.speed.idle import catalog_of
from benchmarks.speed.networks import alone, forwards, together
from benchmarks.speed.processes import peak
from benchmarks.speed.speech import hear
from benchmarks.speed.threads import Threads

import videoannotator as va
from videoannotator.data.media import MediaInfo
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.run.worker import Worker

Told = dict[str, Any]


def annotate(
    video: str, pipelines: Sequence[str], config: Mapping[str, Any], found: str, cache: bool = True, precision: str = ""
) -> Told:
    """One run; what it found is saved in ``found``."""
    began = time.perf_counter()
    more: dict[str, Any] = {"precision": precision} if precision else {}
    with _keeping() as keeping, Threads() as threads:
        with va.Annotator(pipelines, config=config, cache=cache, **more) as annotator:
            ready = time.perf_counter()
            result = annotator.annotate(video, progress=False, on_error="raise")
        done = time.perf_counter()
    found_of(result).save(Path(found))
    picture = result.media.video
    return {
        "start": ready - began,
        "run": done - ready,
        "seconds": {record.name: record.seconds for record in result.provenance.pipelines},
        "types": {record.name: record.dtype for record in result.provenance.pipelines},
        "notices": [notice for record in result.provenance.pipelines for notice in record.notices],
        "covered": {name: sum(s.duration for s in result[name].coverage.spans) for name in pipelines},
        "failures": [str(failure) for failure in (*result.failures, *result.media_failures)],
        "size": [picture.width, picture.height] if picture else None,
        "keeping": keeping[0],
        "threads": threads.seconds,
        "peak": peak(),
    }


@contextmanager
def _keeping() -> Iterator[list[float]]:
    """Seconds spent for keeping what a run has so far."""
    spent, real = [0.0], Worker._mark

    def timed(self: Worker, *args: Any, **kwargs: Any) -> None:
        began = time.perf_counter()
        real(self, *args, **kwargs)
        spent[0] += time.perf_counter() - began

    Worker._mark = timed  # type: ignore[method-assign]  # there is no switch for it, and it is put back
    try:
        yield spent
    finally:
        Worker._mark = real  # type: ignore[method-assign]


def found_of(result: va.Result) -> Found:
    """What is compared of a result."""
    video = result.media.video
    rows = cuts = speech = None
    if "person_tracking" in result.pipelines and video is not None:
        rows = _by_frame(result["person_tracking"].detections, len(video.clock))
    if "scene_detection" in result.pipelines and video is not None:
        cuts = result["scene_detection"].shots.start[1:] - video.clock.times[0]
    if "voice_activity" in result.pipelines:
        table = result["voice_activity"].speech
        speech = np.stack([table.start, table.end], axis=1)
    return Found(rows, cuts, speech)


def _by_frame(table: va.Table[va.Detection], frames: int) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    columns = [np.ma.filled(table.track, 0), table.score, table.x1, table.y1, table.x2, table.y2]
    rows = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    if len(table) and table[0].keypoints is not None:
        rows = np.concatenate([rows, table.keypoints.reshape(len(table), -1)], axis=1)
    return np.split(rows, np.searchsorted(table.frame, np.arange(1, frames)))


def overhead(video: str, repeats: int) -> Told:
    """Seconds (wall, processor) of the bare pass and of the whole engine, in turns, for one and for three pipelines.

    The engine runs pipelines that do nothing, and one that gives five rows per frame. The first turn is not counted.
    """
    media = probe(video)
    sides: dict[str, Callable[[], object]] = {
        "decode pass, 1 need": lambda: _bare(media, 1),
        "engine, 1 idle pipeline": lambda: _engine(video, ["idle_1"]),
        "decode pass, 3 needs": lambda: _bare(media, 3),
        "engine, 3 idle pipelines": lambda: _engine(video, ["idle_1", "idle_2", "idle_3"]),
        "engine, 1 pipeline with 5 rows per frame": lambda: _engine(video, ["crowd"]),
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            side()
            if turn:
                costs[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    assert media.video is not None  # noqa: S101 - our own material
    return {"costs": costs, "frames": len(media.video.clock), "peak": peak()}


def _bare(media: MediaInfo, needs: int) -> None:
    with DecodePass(media, [va.Frames(color="bgr")] * needs) as decoding:
        for picture in decoding:
            for need in range(needs):
                picture.pixels(need)


def _engine(video: str, pipelines: Sequence[str]) -> va.Result:
    with va.Annotator(pipelines, catalog=catalog_of(), cache=False) as annotator:
        return annotator.annotate(video, progress=False, on_error="raise")


def again(video: str, repeats: int, persons: int, keypoints: bool) -> Told:
    """Seconds until a cached result is there: the first time (which is no answer from the cache), and then again."""
    pipelines = ["scene_detection", "voice_activity", "crowd"]
    config = {"crowd": {"persons": persons, "keypoints": keypoints}}
    wall, cpu = [], []
    began = time.perf_counter()
    with va.Annotator(pipelines, config=config, catalog=catalog_of(*pipelines[:2])) as annotator:
        time.sleep(2)  # a file that was written a moment ago is read anew each time, and so is the cache's own
        first = annotator.annotate(video, progress=False, on_error="raise")
        for _ in range(repeats):
            gc.collect()
            since, used = time.perf_counter(), time.process_time()
            result = annotator.annotate(video, progress=False, on_error="raise")
            wall.append(time.perf_counter() - since)
            cpu.append(time.process_time() - used)
            assert all(record.cached for record in result.provenance.pipelines)  # noqa: S101 - or nothing was measured
            assert result.pipelines == first.pipelines  # noqa: S101 - outputs are compared first
    rows = sum(len(table) for _, _, table in first.tables())
    return {"wall": wall, "cpu": cpu, "rows": rows, "all": time.perf_counter() - began, "peak": peak()}


JOBS: Mapping[str, Callable[..., Told]] = {
    "annotate": annotate,
    "overhead": overhead,
    "again": again,
    "together": together,
    "alone": alone,
    "forwards": forwards,
    "hear": hear,
}


def main(name: str, arguments: str, target: str) -> None:
    """Do one job and write down what it tells."""
    Path(target).write_text(json.dumps(JOBS[name](**json.loads(arguments))), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
