"""Results to write: a small one of known content, and parts put into it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import attrs
import numpy as np

from videoannotator.data.media import AudioInfo, MediaInfo, VideoInfo
from videoannotator.data.outcome import Coverage, Failure, ModelRecord, PipelineRecord, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Detection, Face, Shot, SpeakerTurn, SpeechRegion, Utterance, Word
from videoannotator.data.table import Table
from videoannotator.data.time import FrameClock, TimeSpan

KEYPOINTS = np.stack([np.arange(17), np.arange(17) * 2, np.linspace(0, 1, 17)], axis=1).astype(np.float32)
LANDMARKS = np.array([[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]], dtype=np.float32)


def some_media() -> MediaInfo:
    """Ten frames of 0.1 s, 640x480, with sound."""
    clock = FrameClock(pts=np.arange(10) * 100, time_base=Fraction(1, 1000), duration=100)
    video = VideoInfo("h264", "yuv420p", 640, 480, 640, 480, 0, Fraction(1), Fraction(10), 10, 8, False, None, clock)
    return MediaInfo("/data/lab/session 01.mp4", 1000, "mp4", 1.0, video, AudioInfo("aac", 48000, 2, 0.0, 1.0))


def some_provenance() -> Provenance:
    model = ModelRecord("yolo", "/data/lab/yolo.pt", "0" * 64, "AGPL-3.0")
    record = PipelineRecord("person_tracking", "1.0", "p", "0.1", "AGPL-3.0", {"conf": 0.25}, (model,), "cpu", 1.5)
    return Provenance(
        "session 01.mp4", "ab" * 32, "2.0.0", "2026-01-31T12:00:00Z", TimeSpan(0, 1), (record,), {"av": "18.1"}
    )


def detections() -> Table[Any]:
    """A tracked person with keypoints, an untracked one without, a dog."""
    return Table.from_rows(
        Detection,
        [
            Detection(2, 0.2, "person", 0.9, 10.1, 20.2, 110.3, 220.4, 7, KEYPOINTS),
            Detection(2, 0.2, "person", 0.5, 1.0, 2.0, 3.0, 4.0),
            Detection(4, 0.4, "dog", 0.75, 0.0, 0.0, 640.0, 480.0, 8),
        ],
    )


def a_result() -> Result:
    """One result with a table for every format."""
    failure = Failure("no_audio", "the file has no sound", TimeSpan(0.5, 1.0), "voice_activity", "Traceback /home/me")
    whole = (TimeSpan(0, 1),)
    words = (Word(0.1, 0.2, "Hello", 0.5), Word(0.2, 0.4, "you", speaker="Mary Ann"))
    tables: dict[str, dict[str, Table[Any]]] = {
        "person_tracking": {"detections": detections()},
        "face_analysis": {"faces": Table.from_rows(Face, [Face(0, 0.0, 0.8, 1, 2, 30, 40, None, LANDMARKS)])},
        "scene_detection": {
            "shots": Table.from_rows(Shot, [Shot(0.0, 0.4, 0, 4), Shot(0.4, 1.0, 4, 10, 31.5, "kitchen & garden")])
        },
        "voice_activity": {"speech": Table.from_rows(SpeechRegion, [SpeechRegion(0.1, 0.4, 0.97)])},
        "speech_recognition": {
            "utterances": Table.from_rows(Utterance, [Utterance(0.1, 0.4, "Hello you", words, "en", "Mary Ann", 0.9)])
        },
        "speaker_diarization": {
            "turns": Table.from_rows(
                SpeakerTurn, [SpeakerTurn(0.1, 0.4, "Mary Ann"), SpeakerTurn(0.3, 0.9, "NA", 0.25)]
            )
        },
    }
    pipelines = {
        name: PipelineResult(
            name,
            mine,
            Coverage(whole, 5.0 if name == "person_tracking" else None),
            (failure,) if name == "voice_activity" else (),
        )
        for name, mine in tables.items()
    }
    return Result(some_media(), pipelines, some_provenance(), (Failure("truncated", "the file ends early"),))


def with_tables(result: Result, pipeline: str, **tables: Table[Any]) -> Result:
    """``result`` with other tables of one pipeline, which may be new."""
    old = result.pipelines.get(pipeline, PipelineResult(pipeline, {}))
    return attrs.evolve(result, pipelines={**result.pipelines, pipeline: attrs.evolve(old, tables=tables)})


def only(pipeline: str, **tables: Table[Any]) -> Result:
    """A result of one pipeline with these tables."""
    result = a_result()
    return attrs.evolve(
        result, pipelines={pipeline: PipelineResult(pipeline, tables, Coverage((TimeSpan(0, 1),), 5.0))}
    )


def as_shared(result: Result, *pipelines: str, clock: bool = True) -> Result:
    """What a file that is passed on keeps of ``result``: those pipelines, no folder names, no tracebacks."""
    media = attrs.evolve(result.media, path=result.media.path.rpartition("/")[2])
    if not clock and media.video is not None:
        notice = "read from a file that does not tell about the picture stream"
        media = attrs.evolve(media, video=None, notices=(*media.notices, notice))
    parts = {
        name: attrs.evolve(p, failures=tuple(attrs.evolve(f, details=None) for f in p.failures))
        for name, p in result.pipelines.items()
        if name in pipelines
    }
    failures = tuple(attrs.evolve(f, details=None) for f in result.media_failures)
    return attrs.evolve(result, media=media, pipelines=parts, media_failures=failures)
