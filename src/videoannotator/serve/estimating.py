"""What a job would take: time, memory, models; by the plan that a run makes, without loading or running anything."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from typing import Any

from videoannotator.data.media import MediaInfo
from videoannotator.data.time import TimeSpan
from videoannotator.discover.models import ModelStore
from videoannotator.run.devices import Machine, cards_there, check
from videoannotator.run.estimating import estimated_seconds
from videoannotator.run.hardware import OtherCard
from videoannotator.run.measured import Measured
from videoannotator.run.plan import Plan, make_plan
from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.receiving import looked_at, video_path
from videoannotator.serve.request import JobRequest
from videoannotator.serve.service import Service
from videoannotator.serve.store.videos import Video

__all__ = ["Estimator", "estimate"]

_KEPT = 8


class _OutsideMachine(Machine):
    """What this machine has, asked of another process once: the server's own never imports torch."""

    def available(self) -> tuple[str, ...]:
        cards = cards_there(sys.executable)
        for card in cards:
            self._others.setdefault(card.device, OtherCard(card))
        return (*(card.device for card in cards), "cpu")


class Estimator:
    """Makes plans; remembers what the last few videos are, whose files are looked at in a process of their own."""

    def __init__(self) -> None:
        self._machine = _OutsideMachine()
        self._media: OrderedDict[str, MediaInfo] = OrderedDict()
        self._lock = threading.Lock()

    def plan(self, service: Service, video: Video, request: JobRequest, names: tuple[str, ...]) -> Plan:
        """The plan of a run of ``names``. Raises `NotFoundError` when the file is gone, `DeviceError`, `DataError`."""
        media = self._probed(service, video)
        chosen = check(request.device or service.settings.jobs.device)
        if request.spans is not None:
            spans: list[TimeSpan] | None = [TimeSpan(start, end) for start, end in request.spans]
        elif request.start is not None or request.end is not None:
            spans = [TimeSpan(request.start or 0.0, min(request.end or media.duration, media.duration))]
        else:
            spans = None
        return make_plan(
            service.catalog,
            media,
            names,
            configs=request.config,
            store=ModelStore(download=True),
            machine=self._machine,
            devices=chosen,
            measured=Measured(),
            isolation={},
            spans=spans,
            precisions=dict.fromkeys(names, request.precision),
        )

    def _probed(self, service: Service, video: Video) -> MediaInfo:
        with self._lock:
            if video.id in self._media:
                self._media.move_to_end(video.id)
                return self._media[video.id]
        path = video_path(service.settings, video)
        if not path.is_file():
            raise NotFoundError(f"the file of video {video.id} is not there any more", code="FILE_NOT_FOUND")
        media = looked_at(service.settings, path, video.name)
        with self._lock:
            self._media[video.id] = media
            while len(self._media) > _KEPT:
                self._media.popitem(last=False)
        return media


def estimate(plan: Plan) -> dict[str, Any]:
    """A plan in numbers. ``seconds``: None while a pipeline has not run here yet. ``memory``: bytes by device."""
    return {
        "seconds": estimated_seconds(plan, Measured()),
        "media_seconds": plan.duration,
        "frames": plan.frames,
        "passes": plan.passes,
        "memory": plan.memory,
        "download_bytes": sum(model.size or 0 for model in plan.to_fetch),
        "to_fetch": [model.name for model in plan.to_fetch],
        "pipelines": [
            {
                "name": planned.name,
                "stage": planned.stage + 1,
                "device": planned.request.device,
                "memory": planned.request.memory,
                "measured": planned.request.measured,
                "licence": planned.entry.spec.licence,
                "problem": None if planned.problem is None else planned.problem.message,
            }
            for planned in plan.pipelines
        ],
    }
