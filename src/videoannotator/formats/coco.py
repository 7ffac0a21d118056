"""COCO: boxes, tracks and keypoints on the frames of a video."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.needs import Frames
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Face
from videoannotator.data.table import Table
from videoannotator.data.time import FrameClock
from videoannotator.decode.sampling import sampled
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.boxes import boxes_of, short_floats
from videoannotator.formats.classes import class_path
from videoannotator.formats.files import dumps, file_names, joined, new_file, read_json
from videoannotator.formats.names import BODY, BODY_SKELETON, category_id, point_names
from videoannotator.formats.record import Record, foreign_result

__all__ = ["Coco"]

_CHUNK = 2048
_OF_A_FACE = ("yaw", "pitch", "roll", "eye_distance", "sharpness")
"""Columns of `Face` that annotations have under the same names, where they are there."""


class Coco:
    """COCO JSON for videos (https://cocodataset.org/#format-data, with the ``videos`` of CocoVID/TAO).

    One file ``{stem}_{pipeline}.json`` for each table of `Detection` or `Face` rows. ``images`` lists every frame
    the pipeline looked at, also those without a row, with ``frame_id`` (0-based, presentation order) and
    ``timestamp`` (seconds); their ``file_name`` is what a picture of the frame would be called, none is written.
    ``annotations`` have ``bbox`` (x, y, width, height in pixels), ``score``, ``timestamp``, and ``track_id`` where
    there is a track: none is made up. Keypoints are ``x, y, v`` with v = 2 where the score is above 0, and their
    scores in ``keypoint_scores``; the five landmarks of a face are keypoints of the category ``face``, its angles and
    what else `Face` says of it are under their names. A mask is the ``segmentation``, run lengths (RLE) with the
    ``size`` of the picture where it is known; ``area`` stays that of the box. Rows that lie between two seen ones say
    ``interpolated``. Rows without a score have none.
    ``info.videoannotator`` has the media, coverage, failures and provenance. NaN is never written.

    What it cannot hold: rows of any other class, and columns that a class of yours adds to `Detection` or `Face`;
    the media file's folder and the tracebacks of failures. The picture's size is left out when it is not known.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write one file for each table of detections or faces, also when it has no rows; see `Format.write`."""
        written = []
        for name, pipeline, output, table in file_names(result, stem, ".json", _holds):
            with new_file(folder / name) as file:
                _write(file, result, stem, pipeline, output, table)
            written.append(folder / name)
        return written

    def read(self, path: Path) -> Result:
        """The rows of a file of ours; `Detection` rows (output ``detections``) of anybody else's.

        Somebody else's file must say ``timestamp`` and ``frame_id`` (or ``frame_number``) of its images and
        ``score`` of its annotations: none of them is guessed. Of its segmentations those in compressed run lengths
        are read. Raises `FormatError` when the file is no COCO JSON or lacks what it must say.
        """
        plain = read_json(path)
        lists = ("images", "annotations", "categories")
        if not isinstance(plain, dict) or not all(isinstance(plain.get(key), list) for key in lists):
            raise FormatError(f"{path} is no COCO file: it must have the lists {', '.join(lists)}")
        info = plain["info"] if isinstance(plain.get("info"), dict) else {}
        if "for_viewer" in info:
            raise FormatError(
                f"{path} was written for the Video Annotation Viewer: rows are left out and what was not measured is 0 "
                "in it; read what the native format wrote"
            )
        try:
            own = info.get("videoannotator")
            if own is None:
                name = plain["videos"][0].get("file_name") if plain.get("videos") else None
                _all_scored(plain)
                table = _table(plain, Detection)
                return foreign_result(path, "COCO", "coco", "detections", table, media=name)
            record = Record.from_plain(own, path)
            pipeline, output, entry = record.only_table(path)
            kind = next((k for k in (Detection, Face) if class_path(k) == entry.row), None)
            if kind is None:
                raise FormatError(f"{path} is damaged: COCO does not hold {entry.row}")
            return record.result({(pipeline, output): _table(plain, kind)}, path)
        except KeyError as error:
            raise FormatError(f"{path} lacks {error}, which is not guessed") from error
        except (DataError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise FormatError(f"{path} is no COCO file that can be read: {error}") from error


def _all_scored(plain: Mapping[str, Any]) -> None:
    """Raises `KeyError` where somebody else's annotation has no score: it may have been lost, or be 1 by agreement."""
    for annotation in plain["annotations"]:
        annotation["score"]


def _holds(table: Table[Any]) -> bool:
    return issubclass(table.row_class, Detection | Face)


def _write(file: BinaryIO, result: Result, stem: str, pipeline: str, output: str, table: Table[Any]) -> None:
    kind = Face if issubclass(table.row_class, Face) else Detection
    labels = ["face"] * len(table) if kind is Face else list(table.column("label"))
    numbers = _category_numbers(labels, kind)
    made = result.provenance
    info = {
        "description": f"{pipeline}.{output} of {made.media_name}",
        "version": made.videoannotator,
        "date_created": made.created,
        "videoannotator": Record.of_table(result, pipeline, output, kind),
    }
    size = {}
    if result.media.video is not None:
        size = {"width": result.media.video.width, "height": result.media.video.height}
    video = {"id": 1, "name": stem, "file_name": Path(result.media.path).name, **size}
    head = {
        "info": info,
        "licenses": [],
        "categories": _categories(table, labels, numbers, kind),
        "videos": [video],
        "images": _images(result, result[pipeline].coverage, table, stem, size),
    }
    file.write(dumps(head)[:-1].encode())
    file.write(b',"annotations":[')
    separator = b"\n"
    for part in _annotations(table, [numbers[label] for label in labels], size):
        file.write(separator + dumps(part)[1:-1].encode())
        separator = b",\n"
    file.write(b"\n]}\n")


def _category_numbers(labels: list[str], kind: type[Any]) -> dict[str, int]:
    others: dict[str, int] = {}
    seen = ["face"] if kind is Face else sorted(set(labels))
    return {label: category_id(label, others) for label in seen}


def _categories(
    table: Table[Any], labels: list[str], numbers: Mapping[str, int], kind: type[Any]
) -> list[dict[str, Any]]:
    """The categories; those whose rows have points tell their names, as many as the row with most has."""
    most: dict[str, int] = {}
    for label, points in zip(labels, table.column("landmarks" if kind is Face else "keypoints"), strict=True):
        if points is not None:
            most[label] = max(most.get(label, 0), len(points))
    categories = []
    for label, number in numbers.items():
        category: dict[str, Any] = {"id": number, "name": label, "supercategory": label}
        if label in most:
            names = point_names(most[label], face=kind is Face)
            category |= {"keypoints": names, "skeleton": BODY_SKELETON if names == BODY else []}
        categories.append(category)
    return categories


def _images(
    result: Result, coverage: Coverage, table: Table[Any], stem: str, size: Mapping[str, int]
) -> list[dict[str, Any]]:
    times = dict(zip(table.column("frame").tolist(), table.column("time").tolist(), strict=True))
    if result.media.video is not None:
        clock = result.media.video.clock
        looked = _looked_at(clock, coverage)
        times |= dict(zip(looked.tolist(), clock.times[looked].tolist(), strict=True))
    return [
        {
            "id": frame + 1,
            "video_id": 1,
            "frame_id": frame,
            "frame_number": frame,
            "timestamp": time,
            "file_name": f"{stem}_frame_{frame:06d}.jpg",
            **size,
        }
        for frame, time in sorted(times.items())
    ]


def _looked_at(clock: FrameClock, coverage: Coverage) -> NDArray[np.int64]:
    """The frames that a pipeline with this coverage looked at."""
    times = clock.times
    covered = np.zeros(len(times), dtype=bool)
    for span in coverage.spans:
        covered |= (times >= span.start) & (times < span.end)
    return np.flatnonzero(covered & sampled(clock, Frames(rate=coverage.rate)))


def _annotations(table: Table[Any], categories: list[int], size: Mapping[str, int]) -> Iterator[list[dict[str, Any]]]:
    """The rows as annotations, some at a time."""
    face = issubclass(table.row_class, Face)
    for start in range(0, len(table), _CHUNK):
        part = table[start : start + _CHUNK]
        (boxes, corners, exact) = (values.tolist() for values in boxes_of(part))
        columns = [part.column(c).tolist() for c in ("frame", "time", "score", "track")]
        points = _points(list(part.column("landmarks" if face else "keypoints")))
        more = _of_a_face(part) if face else _more(part, size)
        rows = []
        for index, (frame, time, score, track) in enumerate(zip(*columns, strict=True)):
            box = boxes[index]
            row: dict[str, Any] = {
                "id": start + index + 1,
                "image_id": frame + 1,
                "category_id": categories[start + index],
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "frame_number": frame,
                "timestamp": time,
            }
            if not math.isnan(score):
                row["score"] = score
            if track is not None:
                row["track_id"] = track
            if not exact[index]:
                row["xyxy"] = corners[index]
            rows.append(row | points[index] | more[index])
        yield rows


def _more(table: Table[Any], size: Mapping[str, int]) -> list[dict[str, Any]]:
    """What annotations say of masks, and of rows that nobody saw."""
    shape = {"size": [size["height"], size["width"]]} if size else {}
    rows = []
    for mask, interpolated in zip(table.column("mask").tolist(), table.column("interpolated").tolist(), strict=True):
        said: dict[str, Any] = {} if mask is None else {"segmentation": {**shape, "counts": mask}}
        rows.append(said | {"interpolated": True} if interpolated else said)
    return rows


def _of_a_face(table: Table[Any]) -> list[dict[str, Any]]:
    """What annotations say of faces besides box and landmarks, where it is there."""
    columns = {name: short_floats(table.column(name)).tolist() for name in _OF_A_FACE}
    return [
        {name: values[index] for name, values in columns.items() if not np.isnan(values[index])}
        for index in range(len(table))
    ]


def _points(rows: list[NDArray[np.float32] | None]) -> list[dict[str, Any]]:
    """What annotations say of the points of each row: (K, 3) with scores, or (K, 2) without; nothing for None."""
    present = [row for row in rows if row is not None]
    if not present:
        return [{} for _ in rows]
    every = np.concatenate(present)  # one conversion for all: an hour of film has millions of points
    short = short_floats(every).tolist()
    scored = every.shape[1] == 3
    given: list[dict[str, Any]] = []
    place = 0
    for row in rows:
        if row is None:
            given.append({})
            continue
        mine = short[place : place + len(row)]
        place += len(row)
        seen = [2 if not scored or point[2] > 0 else 0 for point in mine]
        flat = [number for point, v in zip(mine, seen, strict=True) for number in (point[0], point[1], v)]
        said: dict[str, Any] = {"keypoints": flat, "num_keypoints": seen.count(2)}
        given.append(said | {"keypoint_scores": [point[2] for point in mine]} if scored else said)
    return given


def _table(plain: Mapping[str, Any], kind: type[Any]) -> Table[Any]:
    names = {c["id"]: c["name"] for c in plain["categories"]}
    images = {image["id"]: image for image in plain["images"]}
    rows = plain["annotations"]
    unknown = [str(a["image_id"]) for a in rows if a["image_id"] not in images]
    if unknown:
        raise FormatError(f"annotations name images that are not listed: {joined(unknown)}")
    boxes = np.array([_corners(a) for a in rows], dtype=np.float64).reshape(-1, 4).astype(np.float32)
    columns: dict[str, Any] = {
        "frame": [_frame(images[a["image_id"]]) for a in rows],
        "time": [float(a["timestamp"] if "timestamp" in a else images[a["image_id"]]["timestamp"]) for a in rows],
        "score": [None if a.get("score") is None else float(a["score"]) for a in rows],
        "track": [a.get("track_id") for a in rows],
        **{name: boxes[:, n] for n, name in enumerate(("x1", "y1", "x2", "y2"))},
    }
    if kind is Face:
        columns["landmarks"] = [None if a.get("keypoints") is None else _triples(a)[:, :2] for a in rows]
        columns |= {name: [a.get(name) for a in rows] for name in _OF_A_FACE}
    else:
        columns["label"] = [names[a["category_id"]] for a in rows]
        columns["keypoints"] = [_keypoints(a) for a in rows]
        columns["mask"] = [_mask(a, images[a["image_id"]]) for a in rows]
        columns["interpolated"] = [bool(a.get("interpolated", False)) for a in rows]
    return Table.of(kind, **columns)


def _frame(image: Mapping[str, Any]) -> int:
    return int(image["frame_id"] if "frame_id" in image else image["frame_number"])


def _corners(annotation: Mapping[str, Any]) -> list[float]:
    if "xyxy" in annotation:
        return list(annotation["xyxy"])
    x, y, width, height = annotation["bbox"]
    return [x, y, x + width, y + height]


def _triples(annotation: Mapping[str, Any]) -> NDArray[np.float32]:
    return np.array(annotation["keypoints"], dtype=np.float32).reshape(-1, 3)


def _mask(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> str | None:
    """Run lengths; None for polygons and for lengths as numbers, which would have to be drawn first."""
    said = annotation.get("segmentation")
    if not isinstance(said, dict) or not isinstance(said.get("counts"), str):
        return None
    shape = [image.get("height"), image.get("width")]
    if None not in shape and said.get("size", shape) != shape:
        raise FormatError(f"annotation {annotation.get('id')} has a mask of {said['size']}, its image is {shape}")
    counts: str = said["counts"]
    return counts


def _keypoints(annotation: Mapping[str, Any]) -> NDArray[np.float32] | None:
    """x, y, score; somebody else's points without scores are left out, since v says only what was labelled."""
    if "keypoints" not in annotation or "keypoint_scores" not in annotation:
        return None
    points = _triples(annotation)
    points[:, 2] = np.array(annotation["keypoint_scores"], dtype=np.float32)
    return points
