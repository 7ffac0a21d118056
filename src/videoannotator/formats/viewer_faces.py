"""Faces for the Video Annotation Viewer: boxes with emotions, and what OpenFace 3.0 reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.columns import columns_of
from videoannotator.data.result import Result
from videoannotator.data.rows import Face
from videoannotator.data.table import Table
from videoannotator.formats.boxes import boxes_of, short_floats
from videoannotator.formats.files import dumps, was_measured
from videoannotator.formats.names import FACE_CATEGORY
from videoannotator.formats.thinning import thinned
from videoannotator.formats.viewer_json import write_rows
from videoannotator.formats.viewer_people import People, find_table, image_name

__all__ = ["FaceSource", "face_source", "openface3_source", "write_faces", "write_openface3"]

_CHUNK = 1024
_BOX = ("frame", "time", "x1", "y1", "x2", "y2", "track")
_KEY = ("frame", "x1", "y1", "x2", "y2")
_NO_EMOTION = frozenset((*_BOX, "label", "score", "valence", "arousal"))
_NO_TRACK = -1
_PRESENT = 0.5  # the viewer shows action units above this
_OWN = frozenset(("attributes", "bbox", "emotions", "face_id", "score"))
_OWN_OPENFACE3 = frozenset(("bbox", "openface3"))
_SAMPLE = 15_000  # bytes; what the viewer looks at to know a file of OpenFace 3.0

_RATED = (("laion_face", "emotions", 7.0), ("face_expressions", "expressions", 1.0), ("pyfeat", "expressions", 1.0))
"""Who says what faces show, the first that did is taken: pipeline, output, and the end of its scale, from 0."""

_UNITS = {
    "au1": "AU01_Inner_Brow_Raiser",
    "au2": "AU02_Outer_Brow_Raiser",
    "au4": "AU04_Brow_Lowerer",
    "au6": "AU06_Cheek_Raiser",
    "au9": "AU09_Nose_Wrinkler",
    "au12": "AU12_Lip_Corner_Puller",
    "au25": "AU25_Lips_Part",
    "au26": "AU26_Jaw_Drop",
}
_EXPRESSIONS = {
    "neutral": "neutral",
    "happy": "happiness",
    "sad": "sadness",
    "anger": "anger",
    "fear": "fear",
    "surprise": "surprise",
    "disgust": "disgust",
    "contempt": "contempt",
}
"""Columns of ``openface3.behaviour``, and what the viewer calls them."""


@attrs.frozen
class FaceSource:
    """The table that faces are taken from. ``scale``: where the scale of its emotions ends."""

    pipeline: str
    output: str
    table: Table[Any]
    scale: float = 1.0

    @property
    def suffix(self) -> str:
        """How the file's name ends: as the predecessor called what this pipeline wrote."""
        return "_laion_face_annotations.json" if self.pipeline == "laion_face" else "_face_detections.json"

    @property
    def emotions(self) -> list[str]:
        """The columns that are emotions; none of a table of `Face` rows."""
        if issubclass(self.table.row_class, Face):
            return []
        columns = columns_of(self.table.row_class)
        return [c.name for c in columns if c.kind == "float" and c.name not in _NO_EMOTION]


def face_source(result: Result) -> FaceSource | None:
    """Where faces are taken from: the first that has any, of those who say what faces show and then of the detectors.

    The first that looked and found none, when nobody found any; None when nobody looked.
    """
    found = []
    for pipeline, output, scale in _RATED:
        table = find_table(result, pipeline, output, *_BOX)
        if table is not None and was_measured(result[pipeline], table):
            found.append(FaceSource(pipeline, output, table, scale))
    names = sorted(result.pipelines, key=lambda name: name != "face_analysis")
    for name in names:
        for output, table in result[name].tables.items():
            if name != "openface3" and issubclass(table.row_class, Face) and was_measured(result[name], table):
                found.append(FaceSource(name, output, table))
    return next((source for source in found if len(source.table)), found[0] if found else None)


def openface3_source(result: Result) -> Table[Any] | None:
    """What OpenFace 3.0 says of faces, if it says anything: the viewer takes an empty file for a broken one."""
    table = find_table(result, "openface3", "behaviour", *_BOX, *_UNITS, *_EXPRESSIONS, "landmarks", "gaze_yaw")
    return table if table is not None and len(table) else None


class _Scores:
    """What a detector said of faces, found again by picture and box."""

    def __init__(self, table: Table[Any] | None) -> None:
        self._scores: dict[tuple[float, ...], float] = {}
        if table is not None:
            keys = zip(*(table.column(name).tolist() for name in _KEY), strict=True)
            self._scores = dict(zip(keys, table.column("score").tolist(), strict=True))

    def of(self, row: Any) -> float | None:
        """The score of the face in this row's picture with this row's box, or the row's own if it is a `Face`."""
        return row.score if isinstance(row, Face) else self._scores.get(tuple(getattr(row, name) for name in _KEY))


def write_faces(file: BinaryIO, result: Result, source: FaceSource, stem: str, *, rate: float | None) -> None:
    """Write the faces of a source, thinned to ``rate``, as a JSON list."""
    kept = thinned(source.table, rate)
    scores = _Scores(find_table(result, "face_analysis", "faces", *_KEY, "score") if source.emotions else None)
    people = People(result, stem)

    def rows() -> Iterator[list[dict[str, Any]]]:
        for start in range(0, len(kept), _CHUNK):
            part = source.table[kept[start : start + _CHUNK]]
            boxes, shown = boxes_of(part)[0].tolist(), _emotions(part, source)
            yield [
                {
                    "id": int(kept[start + index]) + 1,
                    "face_id": _NO_TRACK if row.track is None else row.track,
                    "image_id": image_name(stem, row.frame),
                    "category_id": FACE_CATEGORY,
                    "bbox": boxes[index],
                    "area": boxes[index][2] * boxes[index][3],
                    "iscrowd": 0,
                    **_scored(scores.of(row)),
                    "timestamp": row.time,
                    "frame_number": row.frame,
                    "backend": source.pipeline,
                    **people.of_face(row.track, row.frame),
                    "attributes": {"emotions": shown[index]},
                }
                for index, row in enumerate(part)
            ]

    file.write(b"[\n")
    write_rows(file, rows(), _OWN)
    file.write(b"\n]")


def _scored(score: float | None) -> dict[str, Any]:
    return {"score": 0.0, "scored": False} if score is None else {"score": score}


def _emotions(table: Table[Any], source: FaceSource) -> list[dict[str, dict[str, Any]]]:
    """Of each row its emotions, strongest first: ``score`` as a share of the scale, ``rank`` from 1, ``raw_score``."""
    names = source.emotions
    if not names or not len(table):
        return [{} for _ in range(len(table))]
    values = short_floats(np.stack([table.column(name).astype(np.float32) for name in names], axis=1))
    said = []
    for row in values:
        order = [int(n) for n in np.argsort(-row, kind="stable") if not math.isnan(row[n])]  # NaN is sorted last
        said.append(
            {
                names[n]: {"score": float(row[n]) / source.scale, "rank": rank, "raw_score": float(row[n])}
                for rank, n in enumerate(order, 1)
            }
        )
    return said


def write_openface3(
    file: BinaryIO, result: Result, table: Table[Any], stem: str, *, rate: float | None, info: dict[str, Any]
) -> None:
    """Write what OpenFace 3.0 says, thinned to ``rate``, in the order of keys that the viewer needs: ``info`` last.

    The viewer reads the whole of a short file. Of a long one it must not find ``info`` in the first 15 000 bytes, since
    it then reads these as if they were all: what comes too early is moved behind them by blanks.
    """
    kept = thinned(table, rate)
    shown = table[kept]
    faces = find_table(result, "openface3", "faces", *_KEY, "score")  # row n belongs to row n
    paired = faces is not None and np.array_equal(faces.column("frame"), table.column("frame"))
    scores = faces.column("score")[kept].tolist() if faces is not None and paired else [None] * len(kept)
    times = dict(zip(shown.column("frame").tolist(), shown.column("time").tolist(), strict=True))
    images = [{"id": frame + 1, "timestamp": time} for frame, time in times.items()]
    category = {"id": FACE_CATEGORY, "name": "face", "supercategory": "face"}
    begin = file.tell()
    file.write(f'{{"images":{dumps(images)},"annotations":[\n'.encode())
    write_rows(file, _behaviour(shown, kept, scores), _OWN_OPENFACE3)
    file.write(f'\n],"categories":{dumps([category])},"licenses":[],'.encode())
    last = f'"info":{dumps(info)}}}'.encode()
    written = file.tell() - begin
    if written < _SAMPLE < written + len(last):
        file.write(b" " * (_SAMPLE - written))
    file.write(last)


def _behaviour(table: Table[Any], kept: NDArray[np.intp], scores: list[float | None]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(table), _CHUNK):
        part = table[start : start + _CHUNK]
        boxes = boxes_of(part)[0].tolist()
        yield [
            {
                "id": int(kept[start + index]) + 1,
                "image_id": row.frame + 1,
                "category_id": FACE_CATEGORY,
                "bbox": boxes[index],
                "area": boxes[index][2] * boxes[index][3],
                "iscrowd": 0,
                **({} if row.track is None else {"track_id": row.track}),
                "openface3": _openface3(row, scores[start + index]),
            }
            for index, row in enumerate(part)
        ]


def _openface3(row: Any, score: float | None) -> dict[str, Any]:
    """What the viewer reads of one face. ``not_measured``: what stands there as 0 because the viewer demands it."""
    missing = [] if score is not None else ["confidence"]
    said: dict[str, Any] = {"confidence": score or 0.0, "timestamp": row.time}
    if row.landmarks is not None:
        said["landmarks_2d"] = short_floats(row.landmarks).tolist()
    units = _values(row, _UNITS)
    if units is not None:
        said["action_units"] = {name: {"intensity": v, "presence": v > _PRESENT} for name, v in units.items()}
    if row.gaze_yaw is not None and row.gaze_pitch is not None:
        said["gaze"] = _direction(row.gaze_yaw, row.gaze_pitch) | {"confidence": 0.0}
        missing.append("gaze.confidence")
    shares = _values(row, _EXPRESSIONS)
    if shares is not None:
        dominant = max(shares, key=lambda name: shares[name])
        said["emotion"] = {
            "dominant": dominant,
            "probabilities": shares,
            "valence": 0.0,
            "arousal": 0.0,
            "confidence": shares[dominant],
        }
        missing += ["emotion.valence", "emotion.arousal"]
    return said | {"not_measured": missing}


def _values(row: Any, columns: dict[str, str]) -> dict[str, float] | None:
    """The numbers in these columns under the viewer's names; None when one is missing."""
    values = [getattr(row, column) for column in columns]
    if None in values:
        return None
    return dict(zip(columns.values(), short_floats(np.array(values, dtype=np.float32)).tolist(), strict=True))


def _direction(yaw: float, pitch: float) -> dict[str, float]:
    """Where eyes look, as a unit vector in the picture: x to the right, y down, z away from the camera.

    ``yaw``, ``pitch``: radians, positive towards the left edge of the picture and upwards.
    """
    return {
        "direction_x": -math.cos(pitch) * math.sin(yaw),
        "direction_y": -math.sin(pitch),
        "direction_z": -math.cos(pitch) * math.cos(yaw),
    }
