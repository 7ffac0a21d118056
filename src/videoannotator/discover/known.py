"""The pipelines this project ships, by the distribution that publishes each: what to say when one is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["APART", "BACKENDS", "SHIPPED", "distributions", "how_to_install", "what_to_install"]

SHIPPED: Mapping[str, str] = {
    "active_speaker": "videoannotator-active-speaker",
    "audio_processing": "videoannotator-audio-processing",
    "egemaps": "videoannotator-egemaps",
    "face_analysis": "videoannotator-face-analysis",
    "face_expressions": "videoannotator-face-analysis",
    "face_landmarks": "videoannotator-face-landmarks",
    "laion_face": "videoannotator-laion-face",
    "laion_voice": "videoannotator-laion-voice",
    "motion": "videoannotator-motion",
    "openface3": "videoannotator-openface3",
    "person_identity": "videoannotator-person-identity",
    "person_tracking": "videoannotator-person-tracking",
    "pyfeat": "videoannotator-pyfeat",
    "scene_detection": "videoannotator-scene-detection",
    "speaker_diarization": "videoannotator-speaker-diarization",
    "speech_recognition": "videoannotator-speech-recognition",
    "voice_activity": "videoannotator-voice-activity",
    "voice_features": "videoannotator-voice-features",
}
"""Pipeline -> distribution; of several backends, the one that is used without a choice."""

BACKENDS: Mapping[str, Mapping[str, str]] = {
    "person_tracking": {
        "rtmlib": "videoannotator-person-tracking-rtm",
        "ultralytics": "videoannotator-person-tracking",
    },
}
"""Pipeline -> backend -> distribution, where there are several."""

APART: Mapping[str, str | None] = {"face_landmarks": None, "openface3": "3.11"}
"""Pipelines that get an environment of their own: what they are built on cannot be installed beside the others.

With the Python that it is there for, where it is not for every one.
"""


def distributions() -> dict[str, str]:
    """Every distribution of this project that publishes pipelines, by the name of its folder under ``plugins/``."""
    every = {*SHIPPED.values(), *(name for backends in BACKENDS.values() for name in backends.values())}
    return {name.removeprefix("videoannotator-").replace("-", "_"): name for name in sorted(every)}


def how_to_install(pipeline: str, backend: str | None = None) -> str | None:
    """The command that adds a pipeline of ours, or one of its backends; None for a name we do not know.

    In a clone of the repository it names the plugin's folder there: its code belongs to the library's.
    """
    if pipeline in APART and backend is None:
        return f"videoannotator plugins install {pipeline} --isolated"
    arguments = what_to_install(pipeline, backend)
    return None if arguments is None else f"pip install {' '.join(arguments)}"


def what_to_install(pipeline: str, backend: str | None = None) -> list[str] | None:
    """The arguments of ``pip install`` for it. ``pipeline``: or the folder of its distribution.

    In a clone with the versions that the plugin is tested with: its own ``constraints.txt``, else everybody's.
    """
    if backend is None:
        found = SHIPPED.get(pipeline) or distributions().get(pipeline)
    else:
        found = BACKENDS.get(pipeline, {}).get(backend)
    if found is None:
        return None
    clone = Path(__file__).parents[3]
    folder = clone / "plugins" / next(place for place, name in distributions().items() if name == found)
    if folder.is_dir():
        own = folder / "constraints.txt"
        return ["-c", str(own if own.is_file() else clone / "constraints.txt"), "-e", str(folder)]
    return [found]
