"""What the Video Annotation Viewer reads: one recording as a folder of JSON, WebVTT and RTTM."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Shot, SpeakerTurn, SpeechRegion, Utterance
from videoannotator.data.table import Table
from videoannotator.errors import ConfigError, FormatError
from videoannotator.formats.files import new_file, new_folder, was_measured
from videoannotator.formats.rttm import turn_lines
from videoannotator.formats.viewer_faces import face_source, openface3_source, write_faces, write_openface3
from videoannotator.formats.viewer_people import write_persons
from videoannotator.formats.viewer_spans import cues, scenes

__all__ = ["Viewer", "bundle", "film_name"]

SUFFIX = ".viewer"

_ENDS = (
    "_person_tracking.json",
    "_scene_detection.json",
    "_speech_recognition.vtt",
    "_speaker_diarization.rttm",
    "_laion_face_annotations.json",
    "_face_detections.json",
    "_openface3_analysis.json",
)
"""How the names of our files end."""

_MISLEADING = re.compile(
    r"(speech|speaker|openface3|vlm)_(?=recognition|diarization|analysis|detailed|annotation)", re.I
)
"""Words by which the viewer takes any file for one of another kind, wherever they stand in its name."""

_SHOWN = (".mp4", ".webm", ".avi", ".mov", ".mkv")
_HEARD = (".wav", ".mp3", ".aac", ".ogg")
"""Names that the viewer takes for a film (``.mkv`` in a ZIP only) and for sound."""

_Write = Callable[[BinaryIO], object]


class Viewer:
    """A folder ``{stem}.viewer/`` that the Video Annotation Viewer 0.6 loads, together with the film.

    Source: its parsers (https://github.com/InfantLab/video-annotation-viewer, ``src/lib/parsers``).

    The viewer takes one file of a kind. It gets, of whatever the result has,

    * ``{stem}_person_tracking.json``: `Detection` rows with track, keypoints, and who it is by ``person_identity``;
    * ``{stem}_scene_detection.json``: `Shot` rows with their labels' probabilities;
    * ``{stem}_speech_recognition.vtt``: `Utterance` rows, with ``[speaker]: `` where one is known;
    * ``{stem}_speaker_diarization.rttm``: `SpeakerTurn` rows, or `SpeechRegion` rows where nobody asked who speaks;
    * ``{stem}_laion_face_annotations.json``: faces with the emotions of ``laion_face``; or else
      ``{stem}_face_detections.json`` with those of ``face_expressions``, ``pyfeat``, or none (``face_analysis``);
    * ``{stem}_openface3_analysis.json``: what ``openface3`` says.

    No file is written for turns or for OpenFace 3.0 without rows: the viewer takes these for broken.

    ``rate``: at most so many rows a second of each person's track, None for all. The viewer draws a person for half a
    second before and after each row, so more than one a second are drawn over each other. ``face_rate``: the same for
    faces, which it draws for a tenth of a second before and after.

    The viewer refuses rows in which a number is missing. **What it demands and nobody measured is 0**: ``score`` with
    ``"scored": false`` beside it, ``keypoints`` with ``num_keypoints`` 0, ``label_confidence``, the ``score`` of a shot
    without a label, and of OpenFace 3.0 what ``not_measured`` lists. A person, role or label that nobody told is
    ``unknown``; a face without a track has the ``face_id`` -1.

    What it cannot hold: rows that thinning leaves out; rows where nothing was seen (``interpolated``); masks; keypoints
    that are not COCO's 17; landmarks and angles of faces; the words of speech, their scores and language; any other
    table, and a second table of a kind; coverage, failures, provenance. So it is not read back: keep the native format
    beside it.
    """

    def __init__(self, *, rate: float | None = 1.0, face_rate: float | None = 5.0) -> None:
        for name, value in (("rate", rate), ("face_rate", face_rate)):
            if value is not None and not 0 < value < math.inf:
                raise ConfigError(f"{name} must be above 0 rows a second, or None for all rows, got {value!r}")
        self._rate, self._face_rate = rate, face_rate

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write the folder; see `Format.write`. Refuses to replace a folder in which anything else lies."""
        files = self._files(result, stem)
        if not files:
            return []
        target = folder / f"{stem}{SUFFIX}"
        with new_folder(target, foreign=_foreign) as working:
            for end, write in files.items():
                with new_file(working / f"{_harmless(stem)}{end}") as file:
                    write(file)
        return [target]

    def read(self, path: Path) -> Result:
        """Always raises `FormatError`: these files hold too little of a result."""
        raise FormatError(
            f"{path} was written for the Video Annotation Viewer: rows are left out and what was not measured is 0 in "
            "it, so it is not read back; read what the native format wrote"
        )

    def _files(self, result: Result, stem: str) -> dict[str, _Write]:
        """What to write, by the ends of the files' names."""
        files: dict[str, _Write] = {}
        persons = _table(result, Detection, "person_tracking.detections")
        if persons is not None:
            files["_person_tracking.json"] = lambda file: write_persons(
                file,
                result,
                persons,
                stem,
                rate=self._rate,
                info=self._info(result, "persons", self._rate),
                face="face" in stem.lower(),
            )
        shots = _table(result, Shot, "scene_detection.shots")
        if shots is not None:
            files["_scene_detection.json"] = lambda file: file.write(scenes(result, shots, stem).encode())
        speech = _table(result, Utterance, "audio_processing.utterances", "speech_recognition.utterances")
        if speech is not None:
            files["_speech_recognition.vtt"] = lambda file: file.write(cues(speech).encode())
        turns = _table(result, SpeakerTurn, "speaker_diarization.turns", "audio_processing.turns")
        if turns is None:
            turns = _table(result, SpeechRegion, "voice_activity.speech")
        if turns is not None and len(turns):
            files["_speaker_diarization.rttm"] = lambda file: file.writelines(
                line.encode() for line in turn_lines(turns, stem)
            )
        return files | self._of_faces(result, stem)

    def _of_faces(self, result: Result, stem: str) -> dict[str, _Write]:
        files: dict[str, _Write] = {}
        faces = face_source(result)
        if faces is not None:
            files[faces.suffix] = lambda file: write_faces(file, result, faces, stem, rate=self._face_rate)
        behaviour = openface3_source(result)
        if behaviour is not None:
            info = self._info(result, "OpenFace 3.0", self._face_rate)
            files["_openface3_analysis.json"] = lambda file: write_openface3(
                file, result, behaviour, stem, rate=self._face_rate, info=info
            )
        return files

    def _info(self, result: Result, what: str, rate: float | None) -> dict[str, Any]:
        made = result.provenance
        return {
            "description": f"VideoAnnotator for the Video Annotation Viewer: {what} in {made.media_name}",
            "version": made.videoannotator,
            "date_created": made.created,
            "for_viewer": {"rows_per_second_and_track": rate},
        }


def _table(result: Result, row: type[Any], *preferred: str) -> Table[Any] | None:
    """The first table of such rows that was measured and has some: of the ``preferred`` ones, then of any pipeline.

    The first that was measured, when none has rows; None when nobody looked.
    """
    found = {
        f"{pipeline}.{output}": table
        for pipeline, output, table in result.tables()
        if issubclass(table.row_class, row) and was_measured(result[pipeline], table)
    }
    ordered = [found[name] for name in preferred if name in found] + list(found.values())
    return next((table for table in ordered if len(table)), ordered[0] if ordered else None)


def _harmless(stem: str) -> str:
    """``stem`` without the words by which the viewer would take every file for speech, or for speakers."""
    return _MISLEADING.sub(r"\1%5F", stem)


def _foreign(folder: Path) -> str | None:
    if not folder.is_dir():
        return "it is no folder"
    others = [entry.name for entry in folder.iterdir() if not (entry.is_file() and entry.name.endswith(_ENDS))]
    return f"there is {others[0]} in it" if others else None


def bundle(folder: Path, video: Path, name: str | None = None) -> list[tuple[str, Path]]:
    """What a ZIP for the viewer has to hold: the files of a folder that `Viewer` wrote, and the film.

    Pairs of the name in the ZIP and the file. All names are without folders, since the viewer looks for words in
    them. The film comes last and keeps its name (``name``, where that is another than the file's); one whose ending the
    viewer does not know gets ``.mp4`` behind it, without which it would find no film. Whether the browser can play
    it is another matter.

    Raises `FormatError` when ``folder`` was not written by `Viewer`.
    """
    why = _foreign(folder)
    if why is not None:
        raise FormatError(f"{folder} was not written for the Video Annotation Viewer ({why})")
    return [*((path.name, path) for path in sorted(folder.iterdir())), (film_name(name or video.name), video)]


def film_name(name: str) -> str:
    """How a film of this name is called beside the files that `Viewer` writes: so that the viewer finds it."""
    shown = Path(name).name
    return shown if shown.lower().endswith((*_SHOWN, *_HEARD)) else f"{shown}.mp4"
