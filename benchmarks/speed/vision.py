"""All vision pipelines in one run, against the forward passes of their networks alone."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.speed.comparing import DifferenceError
from benchmarks.speed.material import ASSETS
from benchmarks.speed.networks import NEEDED, NETWORKS
from benchmarks.speed.processes import Ran, job, place
from benchmarks.speed.report import Figure, Section, Table, median, spread

from videoannotator.run.hardware import processors

__all__ = ["vision"]

_MOST = 1.25
_TOGETHER = "one run"


def vision(video: Path, repeats: int) -> Section:
    """What one run of all costs, by what its networks alone cost. Raises `DifferenceError`."""
    weights = {
        "person_tracking": str(ASSETS / "models/yolov8n-pose_int8_openvino_model"),
        "face_analysis": "",
        "person_identity": str(ASSETS / "models/osnet_x0_25_msmt17.onnx"),
    }
    config = {name: {"weights": file} for name, file in weights.items() if file}
    with tempfile.TemporaryDirectory(prefix="bench-vision-") as name:
        kept, about = Path(name), {"video": str(video), "config": config, "kept": name}
        runs: dict[str, list[Ran]] = {_TOGETHER: [_run("together", about)]}
        _check(runs[_TOGETHER][0], _run("alone", about))
        counts = runs[_TOGETHER][0].told["counts"]

        def forwards(network: str) -> Ran:
            told = {"network": network, "weights": weights[network], "inputs": str(kept / "inputs.npz")}
            return _run("forwards", told | {"count": counts[network], "threads": processors()})

        sides: dict[str, Callable[[], Ran]] = {network: partial(forwards, network) for network in NETWORKS}
        sides = {_TOGETHER: lambda: _run("together", about), **sides}
        for number in range(repeats):
            for side in list(sides)[:: -1 if number % 2 else 1]:
                if side != _TOGETHER or number:  # the first is there
                    runs.setdefault(side, []).append(sides[side]())
            print(f"  vision {number + 1}/{repeats}: {_seconds(runs, -1)}", file=sys.stderr)
            if runs[_TOGETHER][-1].told["counts"] != counts:
                raise DifferenceError(f"networks were shown {counts}, then {runs[_TOGETHER][-1].told['counts']}")
    return _section(runs)


def _run(name: str, arguments: Mapping[str, Any]) -> Ran:
    with place() as (folder, environment):
        return job(name, folder, environment, **arguments)


def _check(whole: Ran, alone: Ran) -> None:
    if whole.told["failures"]:
        raise DifferenceError(f"something failed: {whole.told['failures']}")
    if alone.told["differences"]:
        raise DifferenceError(f"one run and each pipeline alone: {'; '.join(alone.told['differences'])}")


def _seconds(runs: Mapping[str, Sequence[Ran]], which: int) -> str:
    """Of a round, side by side: wall and processor."""
    told = {side: ran[which].told for side, ran in runs.items()}
    return ", ".join(f"{side} {one['wall']:.1f} s ({one['cpu']:.1f} s of processor)" for side, one in told.items())


def _section(runs: Mapping[str, Sequence[Ran]]) -> Section:
    whole = runs[_TOGETHER]

    def ratios(what: str) -> tuple[float, ...]:
        parts = zip(*(runs[network] for network in NETWORKS), strict=True)
        sums = [sum(ran.told[what] for ran in turn) for turn in parts]
        return tuple(ran.told[what] / alone for ran, alone in zip(whole, sums, strict=True))

    told, counts = whole[-1].told, whole[0].told["counts"]
    name = "all vision pipelines in one run, by their networks' forward passes alone (wall)"
    figure = Figure(name, ratios("wall"), "", most=_MOST, missed=_breakdown(runs))
    rows = [
        (
            side,
            str(counts.get(side, "")),
            spread([ran.told["wall"] for ran in ran_of], ".1f"),
            spread([ran.told["cpu"] for ran in ran_of], ".1f"),
            f"{max(ran.told['peak'] for ran in ran_of) / 1e6:.0f}",
        )
        for side, ran_of in runs.items()
    ]
    table = Table(("side", "inputs of the network", "wall s", "processor s", "peak MB"), tuple(rows))
    found = ", ".join(f"{name} {count}" for name, count in told["rows"].items())
    same = f"every pipeline with only those it reads gives the rows of the one run, bit for bit ({found})"
    lent = ", ".join(f"{name} {told['lent'][name]}" for name in NEEDED)
    notes = (
        f"the same in seconds of processor: {spread(ratios('cpu'))}",
        f"Everything is loaded before, on both sides. Threads lent: {lent}; to each network alone: {processors()}.",
    )
    return Section("All vision pipelines against their networks alone", same, (figure,), (table,), notes)


def _breakdown(runs: Mapping[str, Sequence[Ran]]) -> str:
    told = runs[_TOGETHER][-1].told
    pipelines = ", ".join(f"{name} {seconds:.1f}" for name, seconds in told["seconds"].items())
    threads = ", ".join(f"{name} {seconds:.1f}" for name, seconds in told["threads"].items())
    alone = sum(median(ran.told["cpu"] for ran in runs[network]) for network in NETWORKS)
    return (
        f"of {told['cpu']:.1f} s of processor in {told['wall']:.1f} s, the networks alone take {alone:.1f} s. Seconds "
        f"inside pipelines: {pipelines}. Seconds of processor by thread: {threads}."
    )
