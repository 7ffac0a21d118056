"""What clients of VideoAnnotator 1.x say, in today's words; each change is told in a sentence.

Names of pipelines: its registry took a name, ``{family}_{variant}`` and the family alone. Settings: those that it
documented. A setting that has no counterpart is left out, with a sentence that says so: what old clients send must not
stop them, and must not seem to act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import attrs

__all__ = ["PIPELINES", "SETTINGS", "Translated", "translated"]

PIPELINES: Mapping[str, tuple[str, ...]] = {
    "person": ("person_tracking",),
    "person_yolov11n-pose-bytetrack": ("person_tracking",),
    "scene": ("scene_detection",),
    "scene_pyscenedetect-clip": ("scene_detection",),
    "face": ("face_analysis",),
    "face_deepface": ("face_analysis",),
    "face_laion_clip": ("laion_face",),
    "face_laion-clip-face": ("laion_face",),
    "face_openface3_embedding": ("openface3",),
    "face_openface3-embedding": ("openface3",),
    "audio": ("laion_voice",),
    "audio_laion-empathic-whisper": ("laion_voice",),
    "audio_whisper-pyannote": ("audio_processing",),
    "audio_whisper": ("speech_recognition",),
    "audio_pyannote": ("speaker_diarization",),
}
"""Old name -> today's."""

_Change = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _file(value: Any) -> Any:
    return PurePosixPath(value).name if isinstance(value, str) else value


SETTINGS: Mapping[str, Mapping[str, tuple[str, _Change] | str]] = {
    "person_tracking": {
        "model": ("weights", _file),
        "conf_threshold": ("conf", _same),
        "confidence_threshold": ("conf", _same),
        "iou_threshold": ("iou", _same),
        "track_mode": "persons are always tracked",
        "pose_format": "keypoints are COCO's 17",
        "min_keypoint_confidence": "every keypoint keeps its score",
        "size_analysis": "roles are told by the pipeline person_identity",
        "person_identity": "roles and names are told by the pipeline person_identity",
    },
    "scene_detection": {
        "scene_prompts": ("labels", _same),
        "clip_model": ("architecture", _same),
        "enable_clip_labels": "shots are labelled when 'labels' names what they may show",
        "use_gpu": "where a job runs is said by 'device'",
        "keyframe_extraction": "several frames of a shot are looked at: see 'frames_per_shot'",
    },
    "face_analysis": {
        "confidence_threshold": ("threshold", _same),
        **dict.fromkeys(
            ("detection_backend", "scale_factor", "min_neighbors", "min_face_size", "max_faces", "deepface"),
            "faces are found by another detector",
        ),
        **dict.fromkeys(
            ("emotion_backend", "detect_emotions"), "expressions are told by the pipeline face_expressions"
        ),
        **dict.fromkeys(("detect_age", "detect_gender"), "nobody's age or gender is guessed"),
        "person_identity": "faces are joined to persons by the pipeline person_identity",
    },
    "laion_face": {
        **dict.fromkeys(
            ("model_name", "embedding_dim", "enable_emotion", "model_size", "model_cache_dir"),
            "it had no effect, or the model is named by 'weights'",
        ),
        **dict.fromkeys(
            ("confidence_threshold", "min_face_size", "max_faces", "face_detection_backend"),
            "faces are found by face_analysis",
        ),
        **dict.fromkeys(("include_raw_scores", "include_normalized_scores", "top_k_emotions"), "every score is given"),
    },
    "laion_voice": {
        "segmentation_mode": (
            "segments",
            lambda value: {
                "fixed_interval": "fixed",
                "diarization": "turns",
                "scene_based": "shots",
                "vad": "speech",
            }.get(value, value),
        ),
        **dict.fromkeys(("model_size", "whisper_model", "cache_dir"), "models are named by 'weights' and 'encoder'"),
        **dict.fromkeys(("enable_diarization", "enable_scene_alignment"), "'segments' says whose stretches are rated"),
        **dict.fromkeys(("include_raw_scores", "top_k_emotions"), "every score is given"),
        "include_transcription": "what is said is told by the pipeline speech_recognition",
    },
    "speech_recognition": {
        "whisper_model": ("weights", _same),
        "model": ("weights", _same),
        "word_timestamps": "words always have their times",
        **dict.fromkeys(("min_segment_duration", "sample_rate", "normalize_audio"), "it had no effect"),
        "use_fp16": "say precision = 'fast' of the job instead",
        **dict.fromkeys(("cache_dir", "use_auth_token"), "models are fetched on the server: videoannotator models"),
    },
    "speaker_diarization": {
        "model": "models are named by 'weights'",
        "use_auth_token": "models are fetched on the server: videoannotator models",
    },
    "audio_processing": dict.fromkeys(
        (
            *("sample_rate", "normalize_audio", "pipelines", "whisper_model", "enable_diarization"),
            *("min_speakers", "max_speakers"),
        ),
        "settings of speech_recognition and speaker_diarization are given under their names",
    ),
    "openface3": {
        **dict.fromkeys(
            (
                *("landmark_model", "enable_3d_landmarks", "enable_action_units", "enable_head_pose", "enable_gaze"),
                *("enable_emotions", "track_faces", "max_faces", "min_face_size", "model_path"),
            ),
            "it gives what its model gives",
        ),
        "person_identity": "faces are joined to persons by the pipeline person_identity",
    },
}
"""Today's pipeline -> old setting -> (today's, how its value is changed), or why there is none any more."""

_EVERYWHERE: Mapping[str, str] = {
    "device": "where a job runs is said by 'device' of the job",
    "batch_size": "the engine chooses how many pictures are computed at once",
}


_SAMPLED = ("person_tracking", "face_analysis", "laion_face", "openface3")
"""Those that heeded ``pps``: pictures a second."""


@attrs.frozen
class Translated:
    """Pipelines and settings in today's words. ``said``: ``(field, sentence)`` for each thing that was changed.

    ``start``, ``end``: seconds, where old settings said them.
    """

    pipelines: tuple[str, ...] | None
    config: dict[str, dict[str, Any]]
    said: tuple[tuple[str, str], ...]
    start: float | None = None
    end: float | None = None


def translated(
    pipelines: Sequence[str] | None,
    config: Mapping[str, Any],
    known: Iterable[str],
    settings_of: Callable[[str], Iterable[str]],
) -> Translated:
    """``pipelines`` and ``config`` as they are written today.

    ``known``: pipelines that are installed: their names are taken as they are. ``settings_of``: names of the settings
    of one: what exists is never renamed.
    """
    here, said = set(known), list[tuple[str, str]]()

    def now(name: str, field: str) -> tuple[str, ...]:
        if name in here or name not in PIPELINES:
            return (name,)
        said.append((field, f"{name} is called {' and '.join(PIPELINES[name])} now"))
        return PIPELINES[name]

    names = None if pipelines is None else tuple(dict.fromkeys(n for p in pipelines for n in now(p, "pipelines")))
    common: dict[str, Any] = {}
    for key in ("pps", "start_time", "end_time"):
        if key in config and not isinstance(config[key], Mapping):
            common[key] = config[key]
    made: dict[str, Any] = {}
    for name, values in config.items():
        if name in common:
            continue
        for pipeline in now(name, f"config.{name}"):
            there = made.setdefault(pipeline, {})
            if not isinstance(values, Mapping) or not isinstance(there, dict):
                made[pipeline] = values if not isinstance(values, Mapping) else there  # judged, and refused, later
                continue
            there.update(_settings(pipeline, values, set(settings_of(pipeline)), said))
    if "pps" in common:
        _rate(common["pps"], names or tuple(made), made, settings_of, said)
    times = {key: value for key, value in common.items() if key != "pps" and isinstance(value, int | float)}
    return Translated(names, made, tuple(said), times.get("start_time"), times.get("end_time"))


def _settings(pipeline: str, values: Mapping[str, Any], there: set[str], said: list[tuple[str, str]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    changes = SETTINGS.get(pipeline, {})
    for key, value in values.items():
        change = changes.get(key, _EVERYWHERE.get(key)) if key not in there else None
        field = f"config.{pipeline}.{key}"
        if change is None:
            made[key] = value
        elif isinstance(change, str):
            said.append((field, f"{pipeline}.{key} is no setting any more and was left out: {change}"))
        else:
            said.append((field, f"{pipeline}.{key} is called {change[0]} now"))
            made.setdefault(change[0], change[1](value))
    return made


def _rate(
    pps: Any,
    names: Iterable[str],
    made: dict[str, Any],
    settings_of: Callable[[str], Iterable[str]],
    said: list[tuple[str, str]],
) -> None:
    """``pps`` was asked of all pipelines at once: it is the rate of those that have one."""
    with_rate = [name for name in names if name in _SAMPLED and "rate" in set(settings_of(name))]
    for name in with_rate:
        settings = made.setdefault(name, {})
        if isinstance(settings, dict):
            settings.setdefault("rate", pps)
    whose = ", ".join(with_rate) or "none of these pipelines"
    said.append(("config.pps", f"pps is the setting 'rate' of each pipeline now; it was given to {whose}"))
