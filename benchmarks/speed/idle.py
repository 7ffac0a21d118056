"""Pipelines that cost nothing of their own, so that what remains is the engine's."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

import videoannotator as va
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin

__all__ = ["CrowdConfig", "catalog_of"]

_COPIES = 3


@attrs.frozen
class CrowdConfig:
    """``persons``: rows in every frame. ``keypoints``: with 17 keypoints each."""

    persons: int = 5
    keypoints: bool = False


class Idle(va.Pipeline[None]):
    """Takes every frame and does nothing."""

    def process(self, batch: va.FrameBatch) -> None:
        """Nothing."""


class Crowd(va.Pipeline[CrowdConfig]):
    """Gives rows as a detector does, without looking."""

    def process(self, batch: va.FrameBatch) -> va.Table[va.Detection]:
        """The same persons in every frame, each a little further to the right."""
        persons, frames = self.config.persons, len(batch)
        number = np.tile(np.arange(persons), frames)
        left = (number * 7 % 500 + np.repeat(batch.frame % 50, persons)).astype(np.float32)
        columns: dict[str, Any] = {}
        if self.config.keypoints:
            points = np.zeros((persons * frames, 17, 3), dtype=np.float32)
            points[:, :, 0] = left[:, None] + np.arange(17, dtype=np.float32)
            points[:, :, 1:] = 0.5
            columns["keypoints"] = points
        return va.Table.of(
            va.Detection,
            frame=np.repeat(batch.frame, persons),
            time=np.repeat(batch.time, persons),
            label=["person"] * (persons * frames),
            score=np.full(persons * frames, 0.5, dtype=np.float32),
            x1=left,
            y1=np.zeros_like(left),
            x2=left + 10,
            y2=np.ones_like(left),
            track=number + 1,
            **columns,
        )


def _entry(name: str, cls: str, gives: str, **more: Any) -> PipelineEntry:
    spec = va.PipelineSpec(
        name=name,
        version="1.0",
        needs=[va.Frames(color="bgr")],
        gives={"rows": gives},
        pipeline=f"{__name__}:{cls}",
        licence="MIT",
        **more,
    )
    return PipelineEntry(spec, Plugin(name, "videoannotator", "1.0"))


def catalog_of(*installed: str) -> Catalog:
    """``idle_1`` to ``idle_3``, ``crowd``, and these of the installed pipelines."""
    found = va.catalog().pipelines
    ours = [_entry(f"idle_{n + 1}", "Idle", "videoannotator.data.rows:Signal") for n in range(_COPIES)]
    ours.append(_entry("crowd", "Crowd", "videoannotator.data.rows:Detection", config=f"{__name__}:CrowdConfig"))
    return Catalog({**{name: found[name] for name in installed}, **{entry.spec.name: entry for entry in ours}}, {})
