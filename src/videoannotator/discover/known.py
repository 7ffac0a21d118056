"""The pipelines this project ships, by the distribution that publishes each: what to say when one is not installed."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SHIPPED", "how_to_install"]

SHIPPED: Mapping[str, str] = {
    "face_analysis": "videoannotator-face-analysis",
    "person_tracking": "videoannotator-person-tracking",
    "scene_detection": "videoannotator-scene-detection",
    "voice_activity": "videoannotator-voice-activity",
}
"""Pipeline -> distribution."""


def how_to_install(pipeline: str) -> str | None:
    """The command that adds a pipeline of ours; None for a name we do not know."""
    return f"pip install {SHIPPED[pipeline]}" if pipeline in SHIPPED else None
