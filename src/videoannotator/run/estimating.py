"""How long a run will take, from what earlier ones took on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from videoannotator.run.measured import Measured
from videoannotator.run.plan import Plan, PlannedPipeline

__all__ = ["estimated_seconds", "learn"]


def _work(plan: Plan, pipelines: Sequence[PlannedPipeline]) -> tuple[str, float]:
    """What is counted for these pipelines, and how much of it there is: frames, or seconds where nobody needs frames.

    A frame of another size is other work.
    """
    video = plan.media.video
    if video is not None and any(p.frames for p in pipelines):
        return f"{video.codec} {video.width}x{video.height}", float(plan.frames)
    return "seconds", plan.duration


def _jobs(work: str, pipelines: Sequence[PlannedPipeline]) -> list[str]:
    return [work, *(p.request.job for p in pipelines)]


def estimated_seconds(plan: Plan, measured: Measured) -> float | None:
    """Seconds of wall clock that a run will take; None while one of its pipelines has not been measured here.

    A stage whose pipelines ran side by side before takes what it took then. Of others only the pipelines alone are
    known: on one device they get in each other's way, so their times are added.
    """
    total = 0.0
    for stage in plan.stages:
        todo = [p for p in stage if p.problem is None and not p.cached]
        if not todo:
            continue
        work, amount = _work(plan, todo)
        together = measured.seconds(_jobs(work, todo))
        if together is not None:
            total += together * amount
            continue
        by_device: dict[str, float] = {}
        for planned in todo:
            kind, units = _work(plan, [planned])
            seconds = measured.seconds(_jobs(f"in {kind}", [planned]))
            if seconds is None:
                return None
            device = planned.request.device
            by_device[device] = by_device.get(device, 0.0) + seconds * units
        total += max(by_device.values())
    return total


def learn(
    plan: Plan, measured: Measured, pipelines: Sequence[PlannedPipeline], seconds: float, inside: Sequence[float]
) -> None:
    """Remember what a group of pipelines took: ``seconds`` all of it, ``inside`` each of them in its own calls."""
    work, amount = _work(plan, pipelines)
    if amount <= 0:
        return
    measured.remember_seconds(_jobs(work, pipelines), seconds / amount)
    for planned, taken in zip(pipelines, inside, strict=True):
        kind, units = _work(plan, [planned])
        measured.remember_seconds(_jobs(f"in {kind}", [planned]), taken / units)
