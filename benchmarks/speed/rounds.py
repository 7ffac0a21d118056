"""Whole runs, side by side: against the others' own tools, against single pipelines, with and without keeping.

The sides take turns: a round has each of them once, every other round backwards, each in a process of its own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from benchmarks.speed import peers
from benchmarks.speed.comparing import TEXT, DifferenceError, Found, average_precision, compare
from benchmarks.speed.processes import Cost, Ran, job, place
from benchmarks.speed.report import Figure, Section, Table, median, per_side, spread

import videoannotator as va

__all__ = ["BENCHMARKS", "measure", "sections"]

BENCHMARKS = ("peers", "whole", "resume", "tracking")
TRACKING = "person_tracking"
ALL = (TRACKING, "scene_detection", "voice_activity")
WHOLE, FAST, UNKEPT = "one run", "one run, fast", "one run, nothing kept"
YOLO, CUTS, VAD = "yolo track", "scenedetect", "silero-vad"
ALONE = {name: f"{name} alone" for name in ALL}

Runs = Mapping[str, Sequence[Ran]]
Side = Callable[[Path, Mapping[str, str]], Ran]


def ours(
    video: Path,
    pipelines: Sequence[str],
    config: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str],
    **more: Any,
) -> Ran:
    """A run of ours, and what it found. Raises `DifferenceError` when it did not look at everything."""
    target = folder / "found.npz"
    settings = {name: dict(config[name]) for name in pipelines if name in config}
    arguments = {"video": str(video), "pipelines": list(pipelines), "config": settings, "found": str(target), **more}
    ran = job("annotate", folder, environment, **arguments)
    if ran.told["failures"]:
        raise DifferenceError(f"something failed: {ran.told['failures']}")
    return attrs.evolve(ran, found=Found.load(target))


def fast_there() -> bool:
    """True when `Annotator` knows ``precision``."""
    return "precision" in inspect.signature(va.Annotator).parameters


def _sides(chosen: Sequence[str], video: Path, frames: int, weights: Path) -> dict[str, Side]:
    config = {"person_tracking": {"weights": str(weights)}}
    size = (1280, 720)

    def run(*pipelines: str, **more: Any) -> Side:
        return lambda folder, environment: ours(video, pipelines, config, folder, environment, **more)

    def yolo(folder: Path, environment: Mapping[str, str]) -> Ran:
        return peers.yolo(video, weights, frames, size, folder, environment)

    sides: dict[str, Side] = {WHOLE: run(*ALL)} if set(chosen) - {"tracking"} else {}
    if "peers" in chosen:
        sides[YOLO] = yolo
        sides[CUTS] = lambda folder, environment: peers.scenedetect(video, folder, environment)
        sides[VAD] = lambda folder, environment: peers.silero(video, folder, environment)
        if fast_there():
            sides[FAST] = run(*ALL, precision="fast")
    if "whole" in chosen:
        sides |= {ALONE[name]: run(name) for name in ALL}
    if "tracking" in chosen:
        sides |= {YOLO: yolo, ALONE[TRACKING]: run(TRACKING)}
    if "resume" in chosen:
        sides[UNKEPT] = run(*ALL, cache=False)
    return sides


def measure(chosen: Sequence[str], video: Path, frames: int, weights: Path, repeats: int) -> Runs:
    """Run all sides that the benchmarks need. Raises `DifferenceError` when two of them found something else."""
    sides = _sides(chosen, video, frames, weights)
    runs: dict[str, list[Ran]] = {name: [] for name in sides}
    for number in range(repeats):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            with place() as (folder, environment):
                runs[name].append(sides[name](folder, environment))
            cost = runs[name][-1].cost
            print(f"  {number + 1}/{repeats} {name}: {cost.wall:.1f} s, {cost.cpu:.1f} s of processor", file=sys.stderr)
        first = next(name for name in (WHOLE, ALONE[TRACKING]) if name in runs)
        _compare({name: ran[-1] for name, ran in runs.items()}, first, runs[first][0])
    return runs


def _compare(last: Mapping[str, Ran], ours: str, first: Ran) -> None:
    for name, ran in last.items():
        if name == FAST:
            continue  # it may differ, and by how much is told
        try:
            compare(first.found, ran.found, TEXT if name in (YOLO, CUTS, VAD) else type(TEXT)())
        except DifferenceError as difference:
            raise DifferenceError(f"{ours} and {name}: {difference}") from difference


def sections(chosen: Sequence[str], runs: Runs) -> list[Section]:
    """What the runs say."""
    made = {"peers": _against_peers, "whole": _against_single, "resume": _keeping, "tracking": _tracking}
    return [made[name](runs) for name in BENCHMARKS if name in chosen]


def _against_peers(runs: Runs) -> Section:
    theirs = [
        sum((ran.cost for ran in trio), Cost(0, 0)) for trio in zip(runs[YOLO], runs[CUTS], runs[VAD], strict=True)
    ]
    after = [Ran(cost) for cost in theirs]
    figures = [
        _ratio("exact: times faster than one after the other (wall)", theirs, runs[WHOLE], least=1.5),
    ]
    notes = [_ratio_note("the same in seconds of processor", theirs, runs[WHOLE])]
    shown = {YOLO: runs[YOLO], CUTS: runs[CUTS], VAD: runs[VAD], "one after the other": after, WHOLE: runs[WHOLE]}
    if FAST in runs:
        figures.append(_ratio("fast: times faster than one after the other (wall)", theirs, runs[FAST], least=3.0))
        notes += [_ratio_note("fast, in seconds of processor", theirs, runs[FAST]), _fast_note(runs)]
        shown[FAST] = runs[FAST]
    else:
        notes.append('`Annotator(precision="fast")` is not there, so fast mode was not measured.')
    same = f"{runs[WHOLE][0].found}; boxes within {TEXT.pixels} pixels, scores within {TEXT.score}, track ids equal"
    return Section("Against the others' own tools", same, tuple(figures), (_costs(shown),), tuple(notes))


def _ratio(name: str, theirs: Sequence[Cost], mine: Sequence[Ran], least: float) -> Figure:
    values = tuple(a.wall / b.cost.wall for a, b in zip(theirs, mine, strict=True))
    return Figure(name, values, "", least=least, missed=_breakdown(mine[-1]))


def _ratio_note(what: str, theirs: Sequence[Cost], mine: Sequence[Ran]) -> str:
    return f"{what}: {spread([a.cpu / b.cost.cpu for a, b in zip(theirs, mine, strict=True)])}"


def _fast_note(runs: Runs) -> str:
    exact, fast = runs[WHOLE][0].found, runs[FAST][0].found
    ap, ap50 = average_precision(exact.rows, fast.rows)
    cuts, speech = (
        "equal" if np.array_equal(getattr(exact, name), getattr(fast, name)) else "not equal"
        for name in ("cuts", "speech")
    )
    judged = f"AP {ap:.3f} (IoU 0.50 to 0.95) and AP50 {ap50:.3f} against exact's from score 0.25 on"
    rows = f"{sum(map(len, fast.rows))} rows instead of {sum(map(len, exact.rows))}"
    notices = "; ".join(runs[FAST][0].told["notices"]) or "nothing"
    types = ", ".join(f"{name} {dtype}" for name, dtype in runs[FAST][0].told["types"].items())
    return f"What fast costs: {judged}; {rows}; cuts {cuts}, speech {speech}. Computed in: {types}. Notices: {notices}."


def _against_single(runs: Runs) -> Section:
    singles = [runs[side] for side in ALONE.values()]
    slowest = [max(ran.cost.wall for ran in turn) for turn in zip(*singles, strict=True)]
    values = tuple(whole.cost.wall / alone for whole, alone in zip(runs[WHOLE], slowest, strict=True))
    name = max(ALONE, key=lambda name: median(ran.cost.wall for ran in runs[ALONE[name]]))
    parts = [f"{part} {median(r.cost.cpu for r in runs[side]):.1f} s" for part, side in ALONE.items()]
    missed = (
        f"in seconds of processor the single runs cost {', '.join(parts)}, the whole run "
        f"{median(r.cost.cpu for r in runs[WHOLE]):.1f} s; {_breakdown(runs[WHOLE][-1])}"
    )
    figure = Figure(f"one run by its slowest single pipeline, {name} (wall)", values, "", most=1.25, missed=missed)
    shown = {side: runs[side] for side in (*ALONE.values(), WHOLE)}
    same = "each pipeline alone found exactly what it finds in the one run"
    return Section("Against its slowest pipeline", same, (figure,), (_costs(shown),))


def _tracking(runs: Runs) -> Section:
    theirs, mine = [ran.cost for ran in runs[YOLO]], runs[ALONE[TRACKING]]
    figure = _ratio("person_tracking alone: times the frames per second of yolo track (wall)", theirs, mine, least=1.5)
    notes = (_ratio_note("the same in seconds of processor", theirs, mine),)
    shown = {YOLO: runs[YOLO], ALONE[TRACKING]: mine}
    same = f"{mine[0].found}; boxes within {TEXT.pixels} pixels, scores within {TEXT.score}, track ids equal"
    return Section("Tracking alone against yolo track", same, (figure,), (_costs(shown),), notes)


def _keeping(runs: Runs) -> Section:
    pairs = list(zip(runs[WHOLE], runs[UNKEPT], strict=True))
    told = tuple(100 * ran.told["keeping"] / ran.told["run"] for ran in runs[WHOLE])
    figure = Figure("writing segments, part of the run (wall, by its own clock)", told, " %", most=3.0)
    wall = spread([100 * (a.cost.wall / b.cost.wall - 1) for a, b in pairs], "+.1f")
    cpu = spread([100 * (a.cost.cpu / b.cost.cpu - 1) for a, b in pairs], "+.1f")
    noise = "keeping the result and the noise of the machine are in it"
    notes = (f"with and without, side by side ({noise}): wall {wall} %, processor {cpu} %",)
    shown = {WHOLE: runs[WHOLE], UNKEPT: runs[UNKEPT]}
    return Section(
        "What being able to go on costs", "the same rows with and without", (figure,), (_costs(shown),), notes
    )


def _costs(shown: Mapping[str, Sequence[Ran]]) -> Table:
    return per_side(
        dict(shown),
        (
            ("wall s", lambda ran: spread([r.cost.wall for r in ran], ".1f")),
            ("processor s", lambda ran: spread([r.cost.cpu for r in ran], ".1f")),
            ("peak MB", lambda ran: f"{max(r.cost.peak for r in ran) / 1e6:.0f}"),
        ),
    )


def _breakdown(ran: Ran) -> str:
    """Where the time of a run goes: by the pipelines' own clocks, and in seconds of processor by thread."""
    told = ran.told
    inside = max(told["seconds"].values())
    pipelines = ", ".join(f"{name} {seconds:.1f}" for name, seconds in told["seconds"].items())
    threads = ", ".join(f"{name} {seconds:.1f}" for name, seconds in told["threads"].items())
    around = ran.cost.wall - told["start"] - told["run"]
    return (
        f"of {ran.cost.wall:.1f} s, {around:.1f} s are the process's start and end, {told['start']:.1f} s making the "
        f"Annotator, {told['run'] - inside:.1f} s waiting and the rest, {inside:.1f} s the slowest pipeline. Seconds "
        f"inside pipelines: {pipelines}. Seconds of processor by thread: {threads} (`videoannotator:decode` with "
        "FFmpeg's `av:` threads decodes and converts; `videoannotator-model:` and `others` are the network)."
    )
