"""MOTChallenge: boxes with tracks, one line for each, as trackers are judged with."""

from __future__ import annotations

import configparser
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from os import PathLike
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.boxes import box_tables
from videoannotator.data.columns import columns_of
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import find_class
from videoannotator.formats.files import file_names, new_file, plain_name, read_text
from videoannotator.formats.mot_rows import CLASSES, MotBox
from videoannotator.formats.mot_times import Sequence, Times, find_sequence, times_of
from videoannotator.formats.record import Record, foreign_result

__all__ = ["Mot", "read_mot"]

SIDECAR = ".seqinfo.ini"
_MISSING = "-1"
_EXACT = 24
"""Numbers with more letters are exact decimals: computing with float64 would lose their last digits."""
_DIGITS = 800


class Mot:
    """MOTChallenge's text files (https://motchallenge.net/instructions/), ten values on each line:
    ``frame, id, bb_left, bb_top, bb_width, bb_height, conf, x, y, z``, the last three -1.

    Frames and the corner of a box are counted from 1, as the definition says; ours from 0. One file
    ``{stem}_{pipeline}.txt`` for each table whose rows are boxes with a frame and a track, whatever their class, unless
    it only tells more of the boxes of another table (expressions of faces) or measures places (``region``).
    Where rows have several labels there is a file for each, ``{stem}_{pipeline}_{label}.txt``: those who judge
    trackers take every line for a pedestrian. Rows without a track have the id -1 and go, where others have one, into
    ``..._det.txt``: two lines of one frame may not share an id. ``conf`` is the score, -1 where there is none.
    Beside each file stands a ``.seqinfo.ini`` with the length, rate and size of the sequence, and for our reader media,
    coverage, failures and provenance.

    What it cannot hold: times (the frame alone; ours are in the ``.seqinfo.ini``), keypoints, landmarks, masks and
    whatever else a row says; labels inside a file; negative track numbers; the media file's folder and the tracebacks
    of failures.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write the files of every table of boxes with tracks, each with its ``.seqinfo.ini``; see `Format.write`."""
        written: list[Path] = []
        taken: set[str] = set()
        found = {id(boxes.table) for boxes in box_tables(result) if boxes.has("track")}
        for name, pipeline, output, table in file_names(result, stem, "", lambda table: id(table) in found):
            for more, label, part in _parts(table):
                path = folder / f"{name}{more}.txt"
                if path.name.casefold() in taken:  # not every file system tells upper from lower case
                    raise FormatError(f"{pipeline}.{output} would write {path.name} twice: rename its labels")
                taken.add(path.name.casefold())
                lines = list(_lines(part, f"{pipeline}.{output}"))
                with new_file(path) as file:
                    file.writelines(line.encode() for line in lines)
                sidecar = path.with_name(f"{name}{more}{SIDECAR}")
                with new_file(sidecar) as file:
                    file.write(_sequence(result, stem, pipeline, output, label, part).encode())
                written += [path, sidecar]
        return written

    def read(self, path: Path) -> Result:
        """The rows of a file: see `read_mot`. A ``.seqinfo.ini`` of ours gives those of the file beside it."""
        if path.name.endswith(SIDECAR):
            path = path.with_name(path.name.removesuffix(SIDECAR) + ".txt")
        return read_mot(path)


def read_mot(
    path: str | PathLike[str],
    *,
    rate: float | None = None,
    media: str | PathLike[str] | None = None,
    truth: bool | None = None,
) -> Result:
    """Read a MOTChallenge file, ours or anybody's: results of a tracker, detections, or ground truth.

    A file of ours gives the rows, times, coverage and provenance that were written. Any other says nothing of time,
    and none is guessed. Its frames get their times from ``media``, the video they were found in; else from ``rate``,
    frames per second; else from ``frameRate`` in a ``seqinfo.ini`` in its folder or the one above.

    ``truth``: it is ground truth; None decides by its name (``gt.txt``, or a folder ``gt``) and by its columns (only
    ground truth has nine: the flag, MOTChallenge's class and the visibility). Ground truth gives `MotBox` rows (output
    ``ground_truth``), the flag 0 as ``ignored``. All else gives `Detection` rows (``detections``) of the label
    ``pedestrian``, which is what the format is made for; or `MotBox` rows where some ``conf`` is not in 0..1, as of
    detectors that do not give probabilities. World coordinates are not read.

    Raises `FormatError` when there are no times to be had, or the file is no MOTChallenge file.
    """
    path = Path(path)
    lines = _read_lines(path)
    own = _own(path) if rate is None and media is None and truth is None else None
    try:
        if own is not None:
            return _read_own(path, lines, own)
        return _read_foreign(path, lines, find_sequence(path), rate, media, truth)
    except DataError as error:
        raise FormatError(f"{path}: {error}") from error


def _parts(table: Table[Any]) -> Iterator[tuple[str, str | None, Table[Any]]]:
    """What goes into a file of its own: (end of its name, label, rows). A table without rows is one, too."""
    labels: NDArray[Any] | None = table.column("label") if "label" in table.columns else None
    names = sorted({label for label in labels if label is not None}) if labels is not None else []
    several = len(names) > 1 or (labels is not None and bool(names) and any(label is None for label in labels))
    groups: list[tuple[str, str | None, Table[Any]]] = [("", names[0] if names else None, table)]
    if several and labels is not None:
        # one by one: to compare them at once, NumPy makes a text of its own of the name, without zeros at its end
        having = {name: np.array([label == name for label in labels], dtype=bool) for name in names}
        groups = [(f"_{plain_name(name)}", name, table[having[name]]) for name in names]
        rest = np.array([label is None for label in labels])
        groups += [("", None, table[rest])] if rest.any() else []
    for more, label, rows in groups:
        untracked = np.ma.getmaskarray(rows.column("track"))
        if untracked.any() and not untracked.all():
            yield more, label, rows[~untracked]
            yield f"{more}_det", label, rows[untracked]
        else:
            yield more, label, rows


def _lines(table: Table[Any], name: str) -> Iterator[str]:
    tracks = table.column("track")
    missing = np.ma.getmaskarray(tracks)
    numbers = np.ma.getdata(tracks)
    if (numbers[~missing] < 0).any():
        raise FormatError(f"{name} has negative track numbers, which mean 'no track' in MOT files")
    ids = np.where(missing, -1, numbers).tolist()
    scores = _scores(table)
    sides = [_sides(table.column(a), table.column(b)) for a, b in (("x1", "x2"), ("y1", "y2"))]
    frames = table.column("frame").tolist()
    for frame, track, (left, width), (top, height), score in zip(frames, ids, *sides, scores, strict=True):
        yield f"{frame + 1},{track},{left},{top},{width},{height},{score},-1,-1,-1\n"


def _scores(table: Table[Any]) -> list[str]:
    name = next((n for n in ("score", "confidence") if n in table.columns), None)
    if name is None:
        return [_MISSING] * len(table)
    values = np.ma.filled(np.ma.asarray(table.column(name), dtype=np.float64), np.nan)
    return [_MISSING if np.isnan(v) else repr(v) for v in values.tolist()]


def _sides(near: NDArray[Any], far: NDArray[Any]) -> list[tuple[str, str]]:
    """Left and width (top and height) as text that gives exactly ``near`` and ``far`` back, counted from 1."""
    near, far = near.astype(np.float32), far.astype(np.float32)
    short_near, short_far = (np.array([float(str(v)) for v in values]) for values in (near, far))
    begins = short_near + 1
    lengths, exact = short_far - short_near, np.zeros(len(near), dtype=bool)
    for digits in (12, 9, 6):  # the fewest that do
        rounded = np.round(short_far - short_near, digits)
        with np.errstate(over="ignore"):
            again = (begins - 1).astype(np.float32), ((begins - 1) + rounded).astype(np.float32)
        well = (again[0] == near) & (again[1] == far)
        lengths, exact = np.where(well, rounded, lengths), exact | well
    texts = []
    rows = zip(exact.tolist(), begins.tolist(), lengths.tolist(), near, far, strict=True)
    for short, begin, length, low, high in rows:
        texts.append((repr(begin), repr(length)) if short else _decimals(str(low), str(high)))
    return texts


def _decimals(low: str, high: str) -> tuple[str, str]:
    with localcontext(prec=_DIGITS):
        begin, length = Decimal(low) + 1, Decimal(high) - Decimal(low)
    begin_text = f"{begin:f}"
    return (begin_text if "." in begin_text else begin_text + ".0").ljust(_EXACT + 1, "0"), f"{length:f}"


def _sequence(result: Result, stem: str, pipeline: str, output: str, label: str | None, table: Table[Any]) -> str:
    """The seqinfo.ini of a file. It names no folder of pictures, since none are written."""
    video = result.media.video
    facts: dict[str, Any] = {"name": " ".join(stem.split())}
    length = int(table.column("frame").max()) + 1 if len(table) else 0
    if video is not None:
        length = max(length, len(video.clock))
        if video.average_rate is not None:
            facts["frameRate"] = float(video.average_rate)
        facts |= {"imWidth": video.width, "imHeight": video.height}
    facts["seqLength"] = length
    record = Record.of_table(result, pipeline, output, table.row_class)
    record["pipelines"][pipeline]["tables"][output]["rows"] = len(table)
    given = times_of(video.clock if video is not None else None)
    frames, times = table.column("frame").tolist(), table.column("time").tolist()
    other = dict(zip(reversed(frames), reversed(times), strict=True))  # of several the first stays
    other = {frame: time for frame, time in other.items() if given.get(frame) != time}
    parts = {"record": record, "label": label, "times": sorted(other.items())}
    ours = json.dumps(parts, allow_nan=False, separators=(",", ":"))  # ASCII: others read it in any encoding
    lines = ["[Sequence]", *(f"{key}={str(value).replace('%', '%%')}" for key, value in facts.items())]
    return "\n".join([*lines, "", "[videoannotator]", f"written={ours.replace('%', '%%')}", ""])


def _own(path: Path) -> dict[str, Any] | None:
    """What our ``.seqinfo.ini`` beside the file says; None where there is none of ours."""
    sidecar = path.with_name(path.name.removesuffix(".txt") + SIDECAR)
    if not sidecar.is_file():
        return None
    parser = configparser.ConfigParser()
    try:
        parser.read_string(read_text(sidecar))
        if not parser.has_option("videoannotator", "written"):
            return None
        parts = json.loads(parser.get("videoannotator", "written"))
    except (configparser.Error, ValueError, RecursionError) as error:
        raise FormatError(f"{sidecar} is damaged: {error}") from error
    if not isinstance(parts, dict):
        raise FormatError(f"{sidecar} is damaged: it does not say what was written")
    return parts


def _read_own(path: Path, lines: _Lines, parts: Mapping[str, Any]) -> Result:
    record = Record.from_plain(parts.get("record"), path)
    pipeline, output, entry = record.only_table(path)
    video = record.media.video
    try:
        listed = {int(frame): float(time) for frame, time in parts["times"]}
        label = parts["label"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is damaged: its {SIDECAR} lacks {error}") from error
    given = Times(times_of(video.clock if video is not None else None) | listed, f"the {SIDECAR} beside it")
    columns = lines.columns(given, path)
    missing = lines.values[:, 6] == -1
    columns["score"] = columns["confidence"] = [
        None if m else v for m, v in zip(missing.tolist(), lines.values[:, 6].tolist(), strict=True)
    ]
    columns["label"] = [label] * len(lines.values)
    found = find_class(entry.row) or MotBox
    wanted = columns_of(found)
    if any(column.required and column.name not in columns for column in wanted):
        found, wanted = MotBox, columns_of(MotBox)  # the file does not hold all that a row of that class says
    table = Table.of(found, **{c.name: columns[c.name] for c in wanted if c.name in columns})
    return record.result({(pipeline, output): table}, path)


def _read_foreign(
    path: Path,
    lines: _Lines,
    sequence: Sequence,
    rate: float | None,
    media: str | PathLike[str] | None,
    truth: bool | None,
) -> Result:
    given, probed = sequence.times(path, rate, media)
    columns = lines.columns(given, path)
    if truth is None:
        truth = path.stem == "gt" or path.parent.name == "gt" or lines.values.shape[1] == 9
    conf = lines.values[:, 6]
    table: Table[Any]
    if truth:
        table = Table.of(MotBox, **columns, **_truth(path, lines.values))
    elif ((conf >= 0) & (conf <= 1)).all():
        table = Table.of(Detection, **columns, score=conf, label=CLASSES[1])
    else:
        table = Table.of(MotBox, **columns, confidence=conf, label=CLASSES[1])
    output = "ground_truth" if truth else "detections"
    result = foreign_result(path, "MOT", "mot", output, table, media=sequence.name)
    return result if probed is None else attrs.evolve(result, media=probed)


def _truth(path: Path, values: NDArray[np.float64]) -> dict[str, Any]:
    more: dict[str, Any] = {"ignored": values[:, 6] == 0, "label": CLASSES[1]}
    if values.shape[1] == 9:
        unknown = sorted({v for v in values[:, 7].tolist() if v not in CLASSES})
        if unknown:
            raise FormatError(f"{path} has classes that MOTChallenge does not know: {unknown[:5]}")
        more["label"] = [CLASSES[int(v)] for v in values[:, 7]]
        more["visibility"] = [None if v == -1 else v for v in values[:, 8].tolist()]
    return more


@attrs.frozen
class _Lines:
    """The lines of a file: ``values``, float64 (rows, columns), and the same as text."""

    values: NDArray[np.float64]
    texts: list[list[str]]

    def columns(self, times: Times, path: Path) -> dict[str, Any]:
        """What every kind of row has."""
        frames = [_whole(text[0]) - 1 for text in self.texts]
        boxes = self._boxes()
        if not (boxes[:, :2] <= boxes[:, 2:]).all():
            row = int(np.argmin((boxes[:, :2] <= boxes[:, 2:]).all(axis=1)))
            raise FormatError(f"{path} is no MOT file: a box has a negative size: {','.join(self.texts[row])}")
        named = {name: boxes[:, n] for n, name in enumerate(("x1", "y1", "x2", "y2"))}
        ids = [_whole(text[1]) for text in self.texts]
        tracks = [None if track == -1 else track for track in ids]
        return {"frame": frames, "time": times.at(frames, path), "track": tracks, **named}

    def _boxes(self) -> NDArray[np.float32]:
        near, sides = self.values[:, 2:4] - 1, self.values[:, 4:6]
        with np.errstate(over="ignore"):
            boxes = np.concatenate([near, near + sides], axis=1).astype(np.float32)
        for row, texts in enumerate(self.texts):
            for low, side, place in ((2, 4, 0), (3, 5, 1)):
                if len(texts[low]) > _EXACT:
                    with localcontext(prec=_DIGITS):
                        begin = Decimal(texts[low]) - 1
                        boxes[row, [place, place + 2]] = [float(begin), float(begin + Decimal(texts[side]))]
        return boxes


def _whole(text: str) -> int:
    return int(text) if text.removeprefix("-").isdigit() else int(float(text))


def _read_lines(path: Path) -> _Lines:
    rows: list[list[float]] = []
    texts: list[list[str]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = [field.strip() for field in line.replace(",", " ").split()]
        if not fields:
            continue
        try:
            values = [float(field) for field in fields]
        except ValueError:
            values = []
        whole = len(values) >= 7 and all(np.isfinite(values)) and all(v == int(v) for v in values[:2])
        if (
            not whole
            or values[0] < 1
            or max(values[0], abs(values[1])) > 2**63
            or (rows and len(values) != len(rows[0]))
        ):
            raise FormatError(f"{path}, line {number} is not MOT: {line.strip()[:80]!r}")
        rows.append(values)
        texts.append(fields)
    return _Lines(np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 10), texts)
