"""What is written for the Video Annotation Viewer in tests, and what the viewer makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.formats.viewer import Viewer

from .plugin_rows import plugin_row
from .viewer_rules import Loaded, load_folder

Person, Link, FaceLink = (plugin_row("person_identity", name) for name in ("Person", "Link", "FaceLink"))
ShotLabel, LabelProbability = (plugin_row("scene_detection", name) for name in ("ShotLabel", "LabelProbability"))
FaceEmotions = plugin_row("laion_face", "FaceEmotions")
FacialBehaviour = plugin_row("openface3", "FacialBehaviour")
Expression = plugin_row("face_analysis", "Expression", "expression_rows")
PyFeatExpression = plugin_row("pyfeat", "Expression")

STEMS = [
    "session 01",
    "face_person_scene",
    "SURFACE",
    "my_speech_recognition_test",
    "a_speaker_diarization",
    "OpenFace3_Analysis_of_3",
    "openface3_detailed",
    "complete_results_vlm_annotation_pose_keypoints",
    "母子 👩‍👧 مرحبا",
    "a.b.vtt",
]
"""Names of recordings with the words in them by which the viewer tells files apart."""

WORDS = [
    "face_id", "attributes", "emotions", "bbox", "score", "info", "images", "annotations", "openface3", "metadata",
    "faces", "pipeline", "model_info", "keypoints", "scene_type", "start_time", "end_time", "reasoning",
    "sampling_mode", "VideoAnnotator", "COCO", "", "__proto__", "مرحبا", "👩‍👧", "<v Anna>&amp; --> \"x\"", "a\\",
    "NOTE",
]  # fmt: skip
"""Words by which the viewer tells what is in a file, and what is hard to write."""

KINDS = {
    "_person_tracking.json": "persons",
    "_scene_detection.json": "scenes",
    "_speech_recognition.vtt": "speech",
    "_speaker_diarization.rttm": "speakers",
    "_laion_face_annotations.json": "faces",
    "_face_detections.json": "faces",
    "_openface3_analysis.json": "openface3",
}


def written(result: Result, folder: Path, stem: str = "s", **options: Any) -> Loaded:
    """What the viewer makes of the folder that is written of ``result``; it must not have anything to warn of."""
    loaded = Loaded()
    for path in Viewer(**options).write(result, folder, stem=stem):
        assert path.name == f"{stem}.viewer"
        loaded = load_folder(path)
        for name, kind in loaded.kinds.items():
            expected = [said for end, said in KINDS.items() if name.endswith(end)] or ["video"]
            assert [kind] == expected, name
    assert loaded.warnings == []
    return loaded


def behaviour(count: int, *, landmarks: Any = None, first: int = 0) -> Table[Any]:
    """Rows of openface3, one a second."""
    numbers = np.arange(first, first + count)
    return Table.of(
        FacialBehaviour,
        frame=numbers * 30,
        time=numbers * 1.0,
        x1=10.0,
        y1=20.0,
        x2=30.5,
        y2=50.25,
        landmarks=[landmarks] * count,
        **dict.fromkeys(("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"), 0.1),
        contempt=0.3,
        gaze_yaw=0.5,
        gaze_pitch=0.25,
        **dict.fromkeys(("au1", "au2", "au4", "au6", "au9", "au25", "au26"), 0.25),
        au12=0.75,
    )
