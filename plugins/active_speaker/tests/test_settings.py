"""Settings act: on a film with known truth, and on what is asked of the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import videoannotator as va
from videoannotator_active_speaker.config import ActiveSpeakerConfig

Told = Callable[..., va.Result]


def _speaking(result: va.Result) -> list[Any]:
    return list(result["active_speaker"].speaking)


def _seconds(result: va.Result, on_screen: str) -> float:
    return sum(row.end - row.start for row in _speaking(result) if row.on_screen == on_screen)


@pytest.mark.parametrize("setting", [{"smallest": 500.0}, {"turned": 0.0}], ids=str)
def test_a_face_too_small_or_too_much_turned_has_no_mouth_to_be_watched(told: Told, setting: dict[str, float]) -> None:
    assert any(row.movement is not None for row in _speaking(told("one")))
    result = told("one", **setting)
    assert len(result["active_speaker"].frames) > 0
    assert {row.mouth for row in result["active_speaker"].frames} == {None}
    assert {(row.movement, row.synchrony) for row in _speaking(result)} == {(None, None)}
    assert _seconds(result, "on_screen") == 0, "nothing was measured, so no face is named"


def test_faces_picture_by_picture_can_be_left_out(told: Told) -> None:
    result = told("one", frames=False)
    assert len(result["active_speaker"].frames) == 0
    assert _speaking(result) == _speaking(told("one"))


def test_who_wants_to_be_surer_is_told_less(told: Told) -> None:
    strict, mild = told("one", sure=0.999), told("one", sure=0.5)
    assert _seconds(strict, "unknown") > _seconds(mild, "unknown")
    scores = [row.score for row in _speaking(strict) if row.on_screen != "unknown" and row.score is not None]
    assert all(score >= 0.999 for score in scores)


def test_who_expects_speakers_off_screen_finds_more_of_them(told: Told) -> None:
    def weight(result: va.Result) -> float:
        return sum((r.score or 0.0) * (r.end - r.start) for r in _speaking(result) if r.on_screen == "on_screen")

    assert weight(told("one", on_screen=0.05)) < weight(told("one", on_screen=0.95))


def test_rate_height_and_mouth_say_which_pictures_are_asked_for() -> None:
    def needs(**settings: Any) -> list[Any]:
        return list(ActiveSpeakerConfig(**settings).needs())

    assert va.Frames(rate=12.5, height=360, color="gray") in needs(rate=12.5, height=360)
    assert va.Frames(rate=None, height=None, color="gray") in needs(rate=None, height=None)
    assert va.Output("face_landmarks", optional=True) in needs()
    assert va.Output("face_landmarks") in needs(mouth="landmarks")
    assert not any(isinstance(need, va.Frames) for need in needs(mouth="landmarks"))
    assert va.Output("face_landmarks") not in needs(mouth="pixels")
    assert va.Output("face_landmarks", optional=True) not in needs(mouth="pixels")


def test_mouths_are_watched_at_the_rate_that_is_set(told: Told) -> None:
    rare, often = told("one", rate=5.0), told("one")
    assert rare["active_speaker"].coverage.rate == 5.0
    assert often["active_speaker"].coverage.rate == 25.0
    assert [row.movement for row in _speaking(rare)] != [row.movement for row in _speaking(often)]
