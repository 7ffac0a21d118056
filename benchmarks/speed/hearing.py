"""Pictures and sound in one run, against each alone: what is heard adds no more than it takes by itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.speed.comparing import DifferenceError
from benchmarks.speed.material import ASSETS, BUILD
from benchmarks.speed.processes import Ran, job, place
from benchmarks.speed.report import Figure, Section, Table, spread

__all__ = ["hearing"]

_SEEN = ("scene_detection", "face_analysis")
_HEARD = ("voice_activity", "speech_recognition")
_SIDES: Mapping[str, tuple[str, ...]] = {"pictures": _SEEN, "sound": _HEARD, "both": (*_SEEN, *_HEARD)}
_MOST = 1.0


def hearing(video: Path, repeats: int) -> Section:
    """One run of pictures and sound, by the sum of a run of each. Raises `DifferenceError`."""
    from plugins.speech_recognition.tests import fitting

    weights = fitting.checkpoint(ASSETS, BUILD / "whisper")
    # greedy about nothing: the weights know one sentence, and what else is heard would be tried at every temperature
    config = {"speech_recognition": {"weights": str(weights), "language": "en", "temperature": [0.0]}}
    runs: dict[str, list[Ran]] = {side: [] for side in _SIDES}
    for number in range(repeats):
        for side in list(_SIDES)[:: -1 if number % 2 else 1]:
            pipelines = _SIDES[side]
            chosen = {name: settings for name, settings in config.items() if name in pipelines}
            with place() as (folder, environment):
                ran = job("hear", folder, environment, sound=str(video), config=chosen, pipelines=pipelines)
            runs[side].append(ran)
        _check({side: ran[-1] for side, ran in runs.items()})
        costs = ", ".join(f"{side} {ran[-1].cost.wall:.1f} s" for side, ran in runs.items())
        print(f"  hearing {number + 1}/{repeats}: {costs}", file=sys.stderr)
    return _section(runs)


def _check(last: Mapping[str, Ran]) -> None:
    both = last["both"].told
    alone = last["pictures"].told["rows"] | last["sound"].told["rows"]
    if failures := [failure for ran in last.values() for failure in ran.told["failures"]]:
        raise DifferenceError(f"something failed: {failures}")
    if both["rows"] != alone or both["text"] != last["sound"].told["text"]:
        raise DifferenceError(f"one run found {both['rows']}, {both['text']}; alone {alone}")


def _section(runs: Mapping[str, Sequence[Ran]]) -> Section:
    def ratios(what: str) -> tuple[float, ...]:
        turns = zip(runs["both"], runs["pictures"], runs["sound"], strict=True)
        return tuple(
            getattr(both.cost, what) / (getattr(seen.cost, what) + getattr(heard.cost, what))
            for both, seen, heard in turns
        )

    told = runs["both"][-1].told
    inside = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in told["seconds"].items())
    figures = tuple(
        Figure(f"one run by pictures alone and sound alone together ({word})", ratios(what), "", most=_MOST,
               missed=f"seconds inside pipelines: {inside}")
        for what, word in (("wall", "wall"), ("cpu", "processor"))
    )  # fmt: skip
    rows = [
        (
            f"{side}: {', '.join(_SIDES[side])}",
            spread([ran.cost.wall for ran in ran_of], ".1f"),
            spread([ran.cost.cpu for ran in ran_of], ".1f"),
            f"{max(ran.cost.peak for ran in ran_of) / 1e6:.0f}",
        )
        for side, ran_of in runs.items()
    ]
    table = Table(("side", "wall s", "processor s", "peak MB"), tuple(rows))
    same = f"one run finds as many rows as each alone, and the same text ({len(told['text'])} utterances)"
    return Section("Hearing beside seeing", same, figures, (table,))
