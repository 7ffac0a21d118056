"""``python -m benchmarks.speed``: all benchmarks, or those of ``--only``; prints a report and writes it down."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.speed import rounds, single
from benchmarks.speed.comparing import DifferenceError
from benchmarks.speed.hearing import hearing
from benchmarks.speed.material import ASSETS, BUILD, material
from benchmarks.speed.report import Section, machine, write
from benchmarks.speed.speech import speech
from benchmarks.speed.vision import vision

ALONE = ("overhead", "cached", "vision", "speech", "hearing", "growth")
EVERY = (*rounds.BENCHMARKS, *ALONE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="What a run costs, beside the others' own tools and by itself."
    )
    parser.add_argument("--only", default=",".join(EVERY), help=f"some of {','.join(EVERY)}")
    parser.add_argument("--minutes", type=float, default=2.0, help="length of the video (default: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds of whole runs (default: 3)")
    parser.add_argument("--quick", action="store_true", help="half a minute of video, one round: about five minutes")
    parser.add_argument("--weights", type=Path, default=ASSETS / "models/yolo11n_int8_openvino_model")
    parser.add_argument("--out", type=Path, default=BUILD, help="folder of report.md and report.json")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    if chosen.quick:
        chosen.minutes, chosen.repeats = 0.5, 1
    unknown = [name for name in chosen.only if name not in EVERY]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(EVERY)}")
    if chosen.repeats < 1 or chosen.minutes * 60 < 8:
        parser.error("at least one repeat, and eight seconds of video (--minutes 0.14), are needed")
    for path in (ASSETS, chosen.weights):
        if not path.exists():
            parser.error(f"{path} does not exist; set VIDEOANNOTATOR_TEST_ASSETS, or give --weights")
    return chosen


def _benchmarks(chosen: argparse.Namespace) -> list[Callable[[], list[Section]]]:
    """What is to be done, in order."""
    print("making the material, unless it is there ...", file=sys.stderr)
    video = material(chosen.minutes)
    weights, turns = chosen.weights.resolve(), 3 if chosen.quick else 7
    whole = [name for name in rounds.BENCHMARKS if name in chosen.only]
    todo: list[Callable[[], list[Section]]] = []
    if "overhead" in chosen.only:
        small = material(chosen.minutes, (640, 360))
        todo.append(lambda: [single.overhead(small, turns)])
    if "cached" in chosen.only:
        todo.append(lambda: [single.cached(video, 3 * turns)])
    if whole:

        def whole_runs() -> list[Section]:
            return rounds.sections(whole, rounds.measure(whole, video.path, video.frames, weights, chosen.repeats))

        todo.append(whole_runs)
    if "vision" in chosen.only:
        todo.append(lambda: [vision(video.path, chosen.repeats)])
    if "speech" in chosen.only:
        todo.append(lambda: [speech(max(chosen.minutes, 1), chosen.repeats)])
    if "hearing" in chosen.only:
        todo.append(lambda: [hearing(video.path, chosen.repeats)])
    if "growth" in chosen.only:
        lengths = single.LENGTHS[:-1] if chosen.quick else single.LENGTHS
        todo.append(lambda: [single.growth(video, weights, lengths)])
    return todo


def main() -> int:
    """The command."""
    chosen = _arguments()
    head, began = machine(), time.perf_counter()
    print(f"{head}\n")
    done: list[Section] = []
    for benchmark in _benchmarks(chosen):
        try:
            new = benchmark()
        except DifferenceError as difference:
            print(f"the sides differ, so there are no figures: {difference}")
            return 1
        for section in new:
            print(section, flush=True)
        done += new
        write(chosen.out, head, done)
    text, plain = write(chosen.out, head, done)
    missed = [figure.name for section in done for figure in section.figures if not figure.met]
    print(f"{len(missed)} goals missed{': ' if missed else ''}{'; '.join(missed)}")
    print(f"after {(time.perf_counter() - began) / 60:.1f} minutes; written to {text} and {plain}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
