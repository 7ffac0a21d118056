"""The pipelines this project ships, by the distribution that publishes each: what to say when one is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["SHIPPED", "how_to_install", "what_to_install"]

SHIPPED: Mapping[str, str] = {
    "face_analysis": "videoannotator-face-analysis",
    "person_tracking": "videoannotator-person-tracking",
    "scene_detection": "videoannotator-scene-detection",
    "voice_activity": "videoannotator-voice-activity",
}
"""Pipeline -> distribution."""


def how_to_install(pipeline: str) -> str | None:
    """The command that adds a pipeline of ours; None for a name we do not know.

    In a clone of the repository it names the plugin's folder there: its code belongs to the library's.
    """
    arguments = what_to_install(pipeline)
    return None if arguments is None else f"pip install {' '.join(arguments)}"


def what_to_install(pipeline: str) -> list[str] | None:
    """The arguments of ``pip install`` in `how_to_install`."""
    if pipeline not in SHIPPED:
        return None
    clone = Path(__file__).parents[3]
    folder = clone / "plugins" / pipeline
    if folder.is_dir():
        return ["-c", str(clone / "constraints.txt"), "-e", str(folder)]
    return [SHIPPED[pipeline]]
