"""A plan, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videoannotator.data.media import MediaInfo
from videoannotator.data.needs import Audio, Frames, Need
from videoannotator.run.resources import Request, gigabytes

if TYPE_CHECKING:
    from videoannotator.run.plan import Plan, PlannedPipeline

__all__ = ["described"]


def described(plan: Plan) -> list[str]:
    """A plan for people, line by line."""
    lines = [f"{plan.media.path} {' '.join(map(str, plan.spans))}", f"  {_media(plan.media)}"]
    lines += [f"  note: {notice}" for notice in plan.media.notices]
    if plan.precision == "fast" and all(p.precision == "exact" for p in plan.pipelines):
        lines.append("  note: fast was asked for, and none of these pipelines has a fast mode: they run as exact")
    lines.append(f"  {_work(plan)}")
    for planned in plan.pipelines:
        spec, request = planned.entry.spec, planned.request
        apart = f", in {planned.isolation}" if planned.isolation else ""
        where = f"{request.device}{_mode(planned)}{apart}"
        backend = f", backend {spec.backend}" if spec.backend else ""
        lines.append(f"{planned.stage + 1}. {spec.name} {spec.version} ({spec.licence}{backend}) on {where}")
        lines.append(f"   reads {', '.join(_need(n) for n in planned.needs) or 'nothing'}")
        rows = {output: path.rpartition(":")[2] for output, path in spec.gives.items()}
        lines.append(f"   gives {', '.join(f'{output} ({name})' for output, name in rows.items())}")
        lines += [f"   model {model}" for model in planned.models]
        if planned.cached:
            lines.append("   from the cache: not computed again")
        elif not planned.problem:
            batches = f", batches of {request.batch}" if planned.frames else ""
            lines.append(f"   memory {_memory(request)}{batches}")
        if request.note:
            lines.append(f"   note: {request.note}")
        if planned.problem:
            lines.append(f"   cannot run: {planned.problem.message}")
    return lines


def _work(plan: Plan) -> str:
    if not plan.todo:
        return "nothing to compute"
    passes = "one pass" if plan.passes == 1 else f"{plan.passes} passes"
    frames = f"{plan.frames} frames to decode in {passes}" if plan.passes else "no frames to decode"
    memory = ", ".join(f"{gigabytes(size)} of {device}" for device, size in plan.memory.items() if size)
    if plan.seconds is None:
        took = "how long it takes was not measured here yet"
    elif plan.seconds < 90:
        took = f"about {plan.seconds:.0f} s"
    else:
        took = f"about {plan.seconds / 60:.0f} min"
    return "; ".join(filter(None, (frames, memory, took)))


def _memory(request: Request) -> str:
    if request.memory is None:
        return "is measured in the first run"
    return f"{gigabytes(request.memory)} ({'measured' if request.measured else 'declared'})"


def _media(media: MediaInfo) -> str:
    parts = []
    if media.video:
        rate = f"{float(media.video.average_rate):.3f} per second" if media.video.average_rate else "rate unknown"
        kind = "variable" if media.video.clock.variable else "constant"
        video, frames = media.video, len(media.video.clock)
        parts.append(f"{video.codec} {video.width}x{video.height}, {frames} frames, {rate}, {kind}")
    if media.audio:
        parts.append(f"{media.audio.codec} {media.audio.sample_rate} Hz, {media.audio.channels} channels")
    return "; ".join(parts)


def _mode(planned: PlannedPipeline) -> str:
    if planned.asked == planned.precision:
        return ", fast" if planned.precision == "fast" else ""
    return ", exact (it has no fast mode)"


def _need(need: Need) -> str:
    if isinstance(need, Frames):
        size = {
            (False, False): "",
            (True, False): f" {need.width} px wide",
            (False, True): f" {need.height} px high",
            (True, True): f" of {need.width}x{need.height} px",
        }[need.width is not None, need.height is not None]
        rate = f" at {need.rate:g} per second" if need.rate else ""
        return f"{'frames' if rate else 'every frame'}{size}{rate} ({need.color})"
    if isinstance(need, Audio):
        return f"sound at {need.rate} Hz"
    return f"rows of {need.pipeline}{' if it runs' if need.optional else ''}"
