"""Results to files and back: one module for each format, written and read.

This package is a plugin like any other: it publishes the formats below through the hook `videoannotator_formats`.
"""

from __future__ import annotations

from videoannotator.discover.hooks import hookimpl
from videoannotator.discover.specs import FormatSpec


@hookimpl
def videoannotator_formats() -> list[FormatSpec]:
    """The formats that come with the library."""
    return [
        FormatSpec(
            name="native",
            suffixes=(".videoannotator", "manifest.json"),
            format="videoannotator.formats.native:Native",
            summary="everything, without loss: a folder with a manifest and one Parquet file for each table",
        ),
        FormatSpec(
            name="coco",
            suffixes=(".json",),
            format="videoannotator.formats.coco:Coco",
            summary="COCO JSON of persons, objects and faces: boxes, tracks, keypoints, times",
        ),
        FormatSpec(
            name="webvtt",
            suffixes=(".vtt",),
            format="videoannotator.formats.webvtt:WebVtt",
            summary="WebVTT of speech, words, speech regions and shots, to the millisecond",
        ),
        FormatSpec(
            name="srt",
            suffixes=(".srt",),
            format="videoannotator.formats.srt:Srt",
            summary="SubRip subtitles of speech and words, to the millisecond, with [speaker]: in front",
        ),
        FormatSpec(
            name="whisper_json",
            suffixes=(".whisper.json", ".json"),
            format="videoannotator.formats.whisper_json:WhisperJson",
            summary="JSON of transcripts as Whisper and WhisperX write it: segments, words, speakers, scores",
        ),
        FormatSpec(
            name="rttm",
            suffixes=(".rttm",),
            format="videoannotator.formats.rttm:Rttm",
            summary="RTTM of who speaks when",
        ),
        FormatSpec(
            name="mot",
            suffixes=(".txt", ".seqinfo.ini"),
            format="videoannotator.formats.mot:Mot",
            summary="MOTChallenge text of boxes with tracks, as trackers are judged with",
        ),
        FormatSpec(
            name="csv",
            suffixes=(".csv", ".datapackage.json"),
            format="videoannotator.formats.csv:Csv",
            summary="CSV of every table, with a Data Package that tells types and units",
        ),
        FormatSpec(
            name="viewer",
            suffixes=(".viewer",),
            format="videoannotator.formats.viewer:Viewer",
            summary="a folder that the Video Annotation Viewer loads, thinned for it; not read back",
        ),
    ]
