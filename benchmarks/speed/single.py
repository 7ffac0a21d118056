"""What is measured of the engine by itself: its own share of a frame, a cached answer, growth with the length."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.speed.comparing import DifferenceError
from benchmarks.speed.material import Material, longer
from benchmarks.speed.processes import Ran, job, place
from benchmarks.speed.report import Figure, Section, Table, spread
from benchmarks.speed.rounds import ALL, ours

__all__ = ["LENGTHS", "cached", "growth", "overhead"]

LENGTHS = (1, 2, 4, 8)
SHORTEST = 2.0  # minutes: below, not all queues have been full, and the start of the process hides much of the decoding
_RATE = 0.5  # persons looked for per second, so that the longest is affordable
_USUAL, _LARGE = 10, 540_000  # rows per frame; rows of an hour of five people at 30 frames per second
_CACHED_MS, _FRAME_MS = 100.0, 1.0


def overhead(small: Material, repeats: int) -> Section:
    """The engine's share of a frame of 640x360: all that is not decoding."""
    with place() as (folder, environment):
        told = job("overhead", folder, environment, video=str(small.path), repeats=repeats).told
    costs: dict[str, list[tuple[float, float]]] = told["costs"]
    frames = told["frames"]

    def per_frame(side: str, which: int) -> list[float]:
        return [cost[which] / frames * 1000 for cost in costs[side]]

    def own(engine: str, bare: str, which: int) -> tuple[float, ...]:
        return tuple(a - b for a, b in zip(per_frame(engine, which), per_frame(bare, which), strict=True))

    one, three = "decode pass, 1 need", "decode pass, 3 needs"
    pairs = [(side, three if "3 idle" in side else one) for side in costs if side not in (one, three)]
    figures = [
        Figure(f"{engine}, over the pass alone ({what})", own(engine, bare, which), " ms per frame", most=_FRAME_MS)
        for engine, bare in pairs
        for which, what in ((0, "wall"), (1, "processor"))
    ]
    rows = [(side, spread(per_frame(side, 0), ".3f"), spread(per_frame(side, 1), ".3f")) for side in costs]
    table = Table(("side", "wall ms per frame", "processor ms per frame"), tuple(rows))
    same = f"both sides decode and convert the same {frames} frames"
    return Section("The engine's share of a frame, 640x360", same, tuple(figures), (table,))


def cached(video: Material, repeats: int) -> Section:
    """How long an answer from the cache takes."""
    frames = video.frames * video.copies
    figures, rows = [], []
    for what, persons, keypoints in (
        ("usual", _USUAL, False),
        ("large", -(-_LARGE // frames), True),
    ):
        with place() as (folder, environment):
            arguments = {"video": str(video.path), "repeats": repeats, "persons": persons, "keypoints": keypoints}
            told = job("again", folder, environment, **arguments).told
        values = tuple(1000 * wall for wall in told["wall"])
        figures.append(Figure(f"cached, {what} ({told['rows']} rows)", values, " ms", most=_CACHED_MS))
        points = "17 keypoints each" if keypoints else "boxes"
        rows.append((what, f"{told['rows']}, {points}", spread([1000 * cpu for cpu in told["cpu"]], ".1f")))
    table = Table(("result", "rows", "processor ms"), tuple(rows))
    same = "every cached result equals the computed one, row by row"
    return Section("An answer from the cache, in a process that has made one", same, tuple(figures), (table,))


def growth(short: Material, weights: Path, lengths: Sequence[int] = LENGTHS) -> Section:
    """Time and memory, from one length to eight times as much. All frames are decoded and shown to the cut detector."""
    config = {"person_tracking": {"weights": str(weights), "rate": _RATE}}
    runs: list[tuple[Material, Ran]] = []
    least_copies = max(1, math.ceil(SHORTEST * 60 / short.seconds))
    for copies in lengths:
        video = longer(short, copies * least_copies)
        with place() as (folder, environment):
            ran = ours(video.path, ALL, config, folder, environment)
        _check(video, ran, runs[0][1] if runs else ran)
        runs.append((video, ran))
        print(f"  {video.seconds / 60:g} min: {ran.cost.wall:.1f} s, {ran.cost.peak / 1e6:.0f} MB", file=sys.stderr)
    (first, least), (last, most) = runs[0], runs[-1]
    grown = 100 * (most.cost.peak / least.cost.peak - 1)
    named = f"{first.seconds / 60:g} to {last.seconds / 60:g} minutes"
    bent = "time that the last doubling adds, by what it would add in a straight line"
    figures = (
        Figure(f"growth of peak memory, {named}", (grown,), " %", most=10.0, missed=_held(runs)),
        Figure(f"{bent} (wall)", (_bend([(v.seconds, r.cost.wall) for v, r in runs]),), "", most=1.1),
        Figure(f"{bent} (processor)", (_bend([(v.seconds, r.cost.cpu) for v, r in runs]),), "", most=1.1),
    )
    rows = [
        (
            f"{video.seconds / 60:g}",
            f"{ran.told['run']:.1f}",
            f"{ran.cost.cpu:.1f}",
            f"{1000 * ran.told['run'] / (video.frames * video.copies):.2f}",
            f"{ran.cost.peak / 1e6:.0f}",
        )
        for video, ran in runs
    ]
    table = Table(("minutes", "run s", "processor s", "ms per frame", "peak MB"), tuple(rows))
    same = "the longer ones have the short one's cuts in every repetition, everything was looked at, nothing failed"
    note = f"Persons are looked for at {_RATE:g} frames per second here; cuts in every frame; the sound is read whole."
    return Section("Growth with the length", same, figures, (table,), (note,))


def _check(video: Material, ran: Ran, first: Ran) -> None:
    """Raises `DifferenceError` when a longer video did not give what the short one gave, again and again."""
    seconds = video.seconds / video.copies
    cuts, short = ran.found.cuts, first.found.cuts[first.found.cuts < seconds - 1e-6]
    for number in range(video.copies):
        here = cuts[(cuts > number * seconds + 1e-6) & (cuts < (number + 1) * seconds - 1e-6)] - number * seconds
        if here.shape != short.shape or not np.allclose(here, short, atol=1e-6):
            raise DifferenceError(f"repetition {number} has cuts at {here.tolist()} instead of {short.tolist()}")
    for name in ("person_tracking", "scene_detection"):
        if not np.isclose(ran.told["covered"][name], video.seconds, atol=0.01):
            raise DifferenceError(f"{name} has looked at {ran.told['covered'][name]} of {video.seconds} s")


def _bend(points: Sequence[tuple[float, float]]) -> float:
    """Seconds per second of video in the last doubling, by those before it; the start of the process is in neither."""
    (first, begins), (middle, half), (last, ends) = points[0], points[-2], points[-1]
    return ((ends - half) / (last - middle)) / ((half - begins) / (middle - first))


def _held(runs: Sequence[tuple[Material, Ran]]) -> str:
    (first, least), (last, most) = runs[0], runs[-1]
    sound = (last.seconds - first.seconds) * 16000 * 4 / 1e6
    return (
        f"{(most.cost.peak - least.cost.peak) / 1e6:.0f} MB more; of that the sound, which is kept in memory up to ten "
        f"minutes, is at most {min(sound, 38.4):.0f} MB (16 kHz, float32)"
    )
