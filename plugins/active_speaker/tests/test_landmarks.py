"""Mouths told by landmarks, through the engine: points whose lips open as the voice of one speaker does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.testing.contract import catalog_of

LANDMARKS = '''
"""Landmarks of the face that is seen longest, as face_landmarks numbers them: only lips and eyes are where they are."""

import numpy as np

from videoannotator import Pipeline, Table, row
from videoannotator.data.columns import ArrayOf
from videoannotator.data.rows import FrameIndex, Seconds
from numpy.typing import NDArray
from typing import Annotated

OPENING = np.array({opening!r})


@row
class Landmarked:
    frame: FrameIndex
    time: Seconds
    track: int | None
    points: Annotated[NDArray[np.float32], ArrayOf("float32", (None, 3))] | None


class Reference(Pipeline):
    def process(self, batch):
        tracks = self.context.output("face_analysis").tables["tracks"]
        longest = max(tracks, key=lambda track: track.frames).track
        rows = []
        for frame, time in zip(batch.frame.tolist(), batch.time.tolist()):
            points = np.zeros((478, 3), dtype=np.float32)
            points[263, 0] = 100.0
            points[14, 1] = 3.0 + 30.0 * OPENING[min(frame, len(OPENING) - 1)]
            rows.append(Landmarked(frame, time, longest, points if {points} else None))
        return Table.from_rows(Landmarked, rows)
'''


def _catalog(folder: Path, diarized: Catalog, opening: Any, *, points: bool, patch: pytest.MonkeyPatch) -> Catalog:
    name = f"reference_landmarks_{points}".lower()
    text = LANDMARKS.replace("{opening!r}", repr([round(float(share), 4) for share in opening]))
    text = text.replace("{points}", str(points))
    (folder / f"{name}.py").write_text(text)
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    spec = va.PipelineSpec(
        name="face_landmarks",
        version="1.0",
        needs=(va.Frames(rate=25.0, height=90), va.Output("face_analysis")),
        gives={"landmarks": f"{name}:Landmarked"},
        pipeline=f"{name}:Reference",
        licence="MIT",
    )
    return catalog_of(*(entry.spec for entry in diarized.entries), spec)


def _told(catalog: Catalog, film: Path, mouth: str) -> va.Result:
    config = {"active_speaker": {"mouth": mouth}}
    names = ["active_speaker", "speaker_diarization", "face_landmarks"]
    with va.Annotator(names, config=config, catalog=catalog) as annotator:
        return annotator.annotate(film, progress=False)


@pytest.mark.parametrize("mouth", ["landmarks", "auto"])
def test_lips_tell_whose_voice_it_is(
    mouth: str,
    tmp_path: Path,
    films: Mapping[str, Path],
    diarized: Catalog,
    voices: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opening = voices.opening("speaker90", 1)
    catalog = _catalog(tmp_path, diarized, opening, points=True, patch=monkeypatch)
    result = _told(catalog, films["one"], mouth)
    assert result.ok, result.failures
    rows = result["active_speaker"].speaking
    (face,) = {row.face for row in rows if row.on_screen == "on_screen"}
    assert face == max(result["face_analysis"].tracks, key=lambda track: track.frames).track
    for speaker, on_screen in (("speaker90", "on_screen"), ("speaker91", "off_screen")):
        heard = sum(turn.end - turn.start for turn in voices.turns if turn.speaker == speaker)
        mine = sum(row.end - row.start for row in rows if row.speaker == speaker and row.on_screen == on_screen)
        assert mine > 0.8 * heard
    assert not any("mouths are watched in the pictures" in notice for notice in result.provenance.pipelines[-1].notices)


def test_landmarks_without_points_are_said(
    tmp_path: Path, films: Mapping[str, Path], diarized: Catalog, voices: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = _catalog(tmp_path, diarized, voices.opening("speaker90", 1), points=False, patch=monkeypatch)
    refused = _told(catalog, films["one"], "landmarks")
    assert any("face_landmarks.points=true" in failure.message for failure in refused["active_speaker"].failures)
    watched = _told(catalog, films["one"], "auto")
    assert watched.ok, watched.failures
    (record,) = (r for r in watched.provenance.pipelines if r.name == "active_speaker")
    assert any("mouths are watched in the pictures" in notice for notice in record.notices)
    assert any(row.movement is not None for row in watched["active_speaker"].speaking)
