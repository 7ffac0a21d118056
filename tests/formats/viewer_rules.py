"""What the Video Annotation Viewer 0.6 makes of files, restated from its parsers; shares nothing with our writer.

`load` does what its page does with files that are dropped on it: it tells each from its name and its first bytes, in
the order of its checks, reads the first file of each kind, and warns. Source: ``src/lib/parsers`` and
``src/lib/validation.ts`` of https://github.com/InfantLab/video-annotation-viewer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

_BLANK = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"  # JavaScript's \s


@attrs.define
class Loaded:
    """What was loaded: the kind of each file by name, the rows of each kind, and the warnings."""

    kinds: dict[str, str] = attrs.field(factory=dict)
    rows: dict[str, list[Any]] = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)


def load(files: Mapping[str, bytes]) -> Loaded:
    """Load files, given by name."""
    loaded = Loaded()
    for name, data in files.items():
        kind = kind_of(name, data)
        loaded.kinds[name] = kind
        if kind in ("video", "audio"):
            continue
        if kind == "unknown":
            loaded.warnings.append(f"could not determine type of file: {name}")
        elif not loaded.rows.get(kind):
            try:
                loaded.rows[kind] = _PARSERS[kind](data)
            except (ValueError, KeyError, TypeError) as error:
                loaded.warnings.append(f"failed to parse {name}: {error!r}")
        else:
            loaded.warnings.append(f"{name} is not looked at: there is another of its kind")
    return loaded


def load_folder(folder: Path) -> Loaded:
    """Load every file of a folder, and a film."""
    return load({path.name: path.read_bytes() for path in sorted(folder.iterdir())} | {"film.mp4": b""})


def kind_of(name: str, data: bytes) -> str:
    """What a file is taken for."""
    ending = name.lower().rpartition(".")[2]
    if ending in ("mp4", "webm", "avi", "mov"):
        return "video"
    if ending in ("wav", "mp3", "aac", "ogg"):
        return "audio"
    if ending == "vtt" or "speech_recognition" in name:
        return "speech"
    if ending == "rttm" or "speaker_diarization" in name:
        return "speakers"
    if ending != "json":
        return "unknown"
    checks = {
        "complete results": _is_complete,
        "captions": _is_captions,
        "faces": _is_faces,
        "openface3": _is_native_openface3,
        "openface3 ": _is_openface3,
        "persons": _is_persons,
        "scenes": _is_scenes,
    }
    for kind, check in checks.items():
        if check(name, data):
            return kind.strip()
    if "face_annotations" in name or "laion_face" in name or "face_analysis" in name:
        return "faces"
    if any(word in name for word in ("person", "tracking", "pose", "keypoints")):
        return "persons"
    return "scenes" if "scene" in name else "unknown"


def _plain(text: str) -> Any:
    """``JSON.parse``; raises `ValueError` for what is none."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _sample(data: bytes, size: int) -> str:
    return data[:size].decode("utf-8", errors="replace")


def _has(sample: str, *words: str) -> bool:
    return all(f'"{word}"' in sample for word in words)


def _any(sample: str, *words: str) -> bool:
    return any(f'"{word}"' in sample for word in words)


def _get(plain: Any, *path: Any) -> Any:
    """What stands at ``path``, or None."""
    for step in path:
        if isinstance(step, int):
            plain = plain[step] if isinstance(plain, list) and len(plain) > step else None
        else:
            plain = plain.get(step) if isinstance(plain, dict) else None
    return plain


def _false_when_broken(check: Callable[[str, bytes], bool]) -> Callable[[str, bytes], bool]:
    def checked(name: str, data: bytes) -> bool:
        try:
            return check(name, data)
        except ValueError:
            return False

    return checked


@_false_when_broken
def _is_complete(name: str, data: bytes) -> bool:
    plain = _plain(_sample(data, len(data)))
    wanted = ("video_path", "pipeline_results", "config", "start_time")
    return all(_get(plain, key) for key in wanted) and "total_duration" in plain


def _is_captions(name: str, data: bytes) -> bool:
    return _has(_sample(data, 5000), "sampling_mode", "reasoning") or "vlm_annotation" in name


@_false_when_broken
def _is_faces(name: str, data: bytes) -> bool:
    sample = _sample(data, 8000)
    if _any(sample, "face_id", "attributes", "emotions"):
        return True
    if "face" in name.lower() and _has(sample, "bbox", "score"):
        return True
    plain = _plain(sample)
    if isinstance(plain, list):
        return not plain or (isinstance(plain[0], dict) and "face_id" in plain[0] and "attributes" in plain[0])
    return any("face_id" in (_get(plain, key, 0) or ()) for key in ("annotations", "results"))


@_false_when_broken
def _is_native_openface3(name: str, data: bytes) -> bool:
    sample = _sample(data, 12_000)
    if _has(sample, "metadata", "faces", "pipeline", "model_info"):
        plain = _plain(sample)
        if _get(plain, "metadata", "pipeline") and _get(plain, "metadata", "model_info"):
            return isinstance(_get(plain, "faces"), list)
    if "openface" in name.lower() or "of3" in name.lower():
        return isinstance(_get(_plain(sample), "faces"), list)
    return False


@_false_when_broken
def _is_openface3(name: str, data: bytes) -> bool:
    sample = _sample(data, 15_000)
    if _has(sample, "info", "images", "annotations", "openface3") and "VideoAnnotator" in sample:
        plain = _plain(sample)
        if (
            "VideoAnnotator" in (_get(plain, "info", "description") or "")
            and isinstance(_get(plain, "images"), list)
            and _get(plain, "annotations", 0, "openface3")
        ):
            return True
    return "openface3_analysis" in name.lower() or "openface3_detailed" in name.lower()


@_false_when_broken
def _is_persons(name: str, data: bytes) -> bool:
    sample = _sample(data, 10_000)
    if _has(sample, "keypoints", "bbox"):
        return True
    plain = _plain(sample)
    if isinstance(plain, list):
        return not plain or (isinstance(plain[0], dict) and "keypoints" in plain[0] and "bbox" in plain[0])
    if "COCO" in (_get(plain, "info", "description") or ""):
        return not _any(sample, "scene_type", "start_time", "end_time")
    return isinstance(_get(plain, "annotations"), list) or isinstance(_get(plain, "results"), list)


@_false_when_broken
def _is_scenes(name: str, data: bytes) -> bool:
    sample = _sample(data, 5000)
    if _any(sample, "scene_type", "start_time", "end_time"):
        return True
    plain = _plain(sample)
    if isinstance(plain, list):
        return not plain or any(key in (_get(plain, 0) or ()) for key in ("start_time", "startTime", "scene_type"))
    return any(isinstance(_get(plain, key), list) for key in ("results", "scenes"))


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_number, value))


def _text(value: Any) -> bool:
    return isinstance(value, str)


_Rules = Mapping[str, Callable[[Any], bool]]

_PERSON: _Rules = {
    "id": _number,
    "image_id": _text,
    "category_id": _number,
    "keypoints": lambda value: isinstance(value, list) and len(value) == 51 and all(map(_number, value)),
    "num_keypoints": lambda value: _number(value, 0, 17),
    "bbox": _box,
    "area": lambda value: _number(value, 0),
    "iscrowd": lambda value: value in (0, 1),
    "score": lambda value: _number(value, 0, 1),
    "track_id": lambda value: value is None or _number(value),
    "timestamp": lambda value: _number(value, 0),
    "frame_number": lambda value: _number(value, 0),
    "person_id": _text,
    "person_label": _text,
    "label_confidence": _number,
    "labeling_method": _text,
}
_SCENE: _Rules = {
    "id": _number,
    "start_time": lambda value: _number(value, 0),
    "end_time": lambda value: _number(value, 0),
    "duration": lambda value: _number(value, 0) and value > 0,
    "scene_type": _text,
    "score": lambda value: _number(value, 0, 1),
    "all_scores": lambda value: isinstance(value, dict) and all(map(_number, value.values())),
}
_EMOTION: _Rules = {"score": _number, "rank": _number, "raw_score": _number}
_FACE: _Rules = {
    "face_id": _number,
    "bbox": _box,
    "timestamp": lambda value: _number(value, 0),
    "score": lambda value: _number(value, 0, 1),
    "attributes": lambda value: (
        isinstance(_get(value, "emotions"), dict) and all(_fits(said, _EMOTION) for said in value["emotions"].values())
    ),
}
_OPENFACE3: _Rules = {
    "confidence": lambda value: _number(value, 0, 1),
    "landmarks_2d": lambda value: all(len(point) == 2 and all(map(_number, point)) for point in value),
    "action_units": lambda value: all(
        re.fullmatch(r"AU\d\d(_[A-Z][a-z]+)+", name)
        and _number(unit["intensity"])
        and unit["presence"] in (True, False)
        for name, unit in value.items()
    ),
    "head_pose": lambda value: all(_number(value[key]) for key in ("pitch", "yaw", "roll", "confidence")),
    "gaze": lambda value: all(
        _number(value[key]) for key in ("direction_x", "direction_y", "direction_z", "confidence")
    ),
    "emotion": lambda value: (
        _text(value["dominant"])
        and all(map(_number, value["probabilities"].values()))
        and all(_number(value[key]) for key in ("valence", "arousal", "confidence"))
    ),
}


def _fits(row: Any, rules: _Rules) -> bool:
    return isinstance(row, dict) and all(key in row and rule(row[key]) for key, rule in rules.items())


def _checked(rows: Any, rules: _Rules) -> list[Any]:
    """Rows that keep every rule, in the order of their times; one that does not rejects the file."""
    for row in rows:
        for key, rule in rules.items():
            if key not in row or not rule(row[key]):
                raise ValueError(f"{key} is {row.get(key)!r} in {row}")
    return list(rows)


def _persons(data: bytes) -> list[Any]:
    plain = _plain(data.decode())
    return _checked(plain if isinstance(plain, list) else plain["annotations"], _PERSON)


def _scenes(data: bytes) -> list[Any]:
    plain = _plain(data.decode())
    if isinstance(plain, dict):
        plain = plain["results"] if "results" in plain else plain["scenes"]
    return _checked(plain, _SCENE)


def _faces(data: bytes) -> list[Any]:
    plain = _plain(data.decode())
    return _checked(plain if isinstance(plain, list) else plain["annotations"], _FACE)


def _openface3(data: bytes) -> list[Any]:
    plain = _plain(data.decode())
    if not _get(plain, "annotations", 0, "openface3"):
        raise ValueError("Invalid OpenFace3 data structure")
    if "VideoAnnotator" not in plain["info"]["description"] or not isinstance(plain["images"], list):
        raise ValueError("Invalid COCO+OpenFace3 data structure")
    times = {image["id"]: image["timestamp"] for image in plain["images"]}
    rows = _checked(plain["annotations"], {"id": _number, "bbox": _box, "image_id": lambda value: value in times})
    for row in rows:
        said = row["openface3"]
        _checked([said], {key: rule for key, rule in _OPENFACE3.items() if key == "confidence" or key in said})
    return [{**row, "timestamp": times[row["image_id"]]} for row in rows]


def _trim(text: str) -> str:
    return re.sub(rf"^{_BLANK}+|{_BLANK}+$", "", text)


def _speech(data: bytes) -> list[Any]:
    lines = [_trim(line) for line in data.decode().split("\n")]
    if lines[0] != "WEBVTT":
        raise ValueError("missing WEBVTT header")
    blocks: list[list[str]] = [[]]
    for line in lines[1:]:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    found = [
        _cue(block) for block in blocks if any("-->" in line for line in block) and not block[0].startswith("NOTE")
    ]
    lost = [block for block in blocks if block and not any("-->" in line for line in block)]
    if lost:
        raise ValueError(f"not a cue: {lost[0]}")
    return sorted(found, key=lambda cue: cue["start"])


def _cue(lines: list[str]) -> dict[str, Any]:
    if "-->" not in lines[0]:
        identifier, timing, *text = lines
    else:
        identifier, timing, *text = "", *lines
    found = re.fullmatch(rf"(\S+){_BLANK}+-->{_BLANK}+(\S+)(?:{_BLANK}+(.*))?", timing)
    if found is None:
        raise ValueError(f"Invalid timestamp line: {timing}")
    return {"id": identifier, "start": _seconds(found[1]), "end": _seconds(found[2]), "text": "\n".join(text)}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{2,}):([0-5]\d):([0-5]\d\.\d{3})", text)
    if found is None:
        raise ValueError(f"Invalid timestamp format: {text}")
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def _speakers(data: bytes) -> list[Any]:
    found = []
    for line in map(_trim, data.decode().split("\n")):
        if not line or line.startswith("#"):
            continue
        fields = re.split(rf"{_BLANK}+", line)
        if len(fields) < 9:
            raise ValueError(f"expected at least 9 fields: {line}")
        start, duration = float(fields[3]), float(fields[4])
        if fields[0] != "SPEAKER" or not (start >= 0 and duration > 0):
            raise ValueError(f"start must be >= 0 and duration > 0: {line}")
        score = None if fields[8] == "<NA>" else float(fields[8])
        found.append({"start": start, "end": start + duration, "speaker": fields[7], "score": score})
    if not found:
        raise ValueError("RTTM file is empty or contains no valid data")
    return found


_PARSERS: Mapping[str, Callable[[bytes], list[Any]]] = {
    "persons": _persons,
    "scenes": _scenes,
    "faces": _faces,
    "openface3": _openface3,
    "speech": _speech,
    "speakers": _speakers,
}
