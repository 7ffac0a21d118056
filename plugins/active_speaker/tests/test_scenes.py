"""Films with known truth: real faces whose mouths are moved, real voices, and the reference of who speaks when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import videoannotator as va

Told = Callable[..., va.Result]


def _seconds(result: va.Result, speaker: str, **wanted: Any) -> float:
    rows = [row for row in result["active_speaker"].speaking if row.speaker == speaker]
    return sum(r.end - r.start for r in rows if all(getattr(r, name) == value for name, value in wanted.items()))


def _faces(result: va.Result) -> list[int]:
    """The tracks that are seen longest, from left to right."""
    tracks = sorted(result["face_analysis"].tracks, key=lambda track: -track.frames)[:2]
    rows = result["face_analysis"].faces
    left = {t.track: float(rows.x1[np.ma.getdata(rows.track) == t.track].mean()) for t in tracks}
    return sorted(left, key=lambda track: left[track])


def test_two_faces_two_voices(told: Told, voices: Any) -> None:
    result = told("two")
    left, right = _faces(result)
    for speaker, face, other in (("speaker90", left, right), ("speaker91", right, left)):
        heard = sum(turn.end - turn.start for turn in voices.turns if turn.speaker == speaker)
        assert _seconds(result, speaker, face=face) > 0.9 * heard
        assert _seconds(result, speaker, face=other) == 0
    links = {row.speaker: row for row in result["active_speaker"].speakers}
    assert {name: row.face for name, row in links.items()} == {"speaker90": left, "speaker91": right}
    assert all(row.score > 0.9 for row in links.values())


def test_a_voice_off_screen(told: Told, voices: Any) -> None:
    result = told("one")
    (face,) = _faces(result)[:1]
    heard = sum(turn.end - turn.start for turn in voices.turns if turn.speaker == "speaker91")
    assert _seconds(result, "speaker91", on_screen="off_screen") > 0.8 * heard
    assert _seconds(result, "speaker91", face=face) == 0
    assert _seconds(result, "speaker90", face=face) > 0.9 * sum(
        turn.end - turn.start for turn in voices.turns if turn.speaker == "speaker90"
    )
    unseen = [row for row in result["active_speaker"].speakers if row.face is None]
    assert [row.speaker for row in unseen] == ["speaker91"]
    assert unseen[0].score is None
    assert unseen[0].heard == pytest.approx(heard)


def test_a_face_that_chews_is_not_taken_for_the_speaker(told: Told) -> None:
    rows = told("chewing")["active_speaker"].speaking
    assert {row.on_screen for row in rows} <= {"off_screen", "unknown"}
