"""Results: what is missing is said, and a wrong name is answered with the right one."""

from __future__ import annotations

from fractions import Fraction

import pytest

import videoannotator as va
from videoannotator.errors import DataError


@pytest.fixture
def result() -> va.Result:
    media = va.MediaInfo("/v/session <1>.mp4", 10, "mov", 4.0, None, None, notices=("Times were repaired.",))
    shots = va.Table.of(va.Shot, start=[0.0], end=[4.0], start_frame=[0], end_frame=[100])
    failed = va.Failure("no_audio", "the file has no sound", pipeline="voice_activity")
    return va.Result(
        media=media,
        pipelines={
            "scene_detection": va.PipelineResult(
                "scene_detection", {"shots": shots}, va.Coverage((va.TimeSpan(0, 4),))
            ),
            "voice_activity": va.PipelineResult(
                "voice_activity", {"speech": va.Table.empty(va.SpeechRegion)}, failures=(failed,)
            ),
        },
        provenance=va.Provenance("session <1>.mp4", "ab", "2.0", "2026-01-01T00:00:00+00:00", va.TimeSpan(0, 4)),
        media_failures=(va.Failure("decode_error", "a frame is broken", va.TimeSpan(1, 1.5)),),
    )


def test_tables_are_attributes_and_pipelines_are_keys(result: va.Result) -> None:
    assert len(result["scene_detection"].shots) == 1
    assert list(result) == ["scene_detection", "voice_activity"]
    assert "scene_detection" in result
    assert "shots" in dir(result["scene_detection"])
    assert [(p, o, len(t)) for p, o, t in result.tables()] == [
        ("scene_detection", "shots", 1),
        ("voice_activity", "speech", 0),
    ]


def test_everything_that_failed_is_in_one_place(result: va.Result) -> None:
    assert [f.kind for f in result.failures] == ["decode_error", "no_audio"]
    assert not result.ok
    assert result["scene_detection"].ok
    assert 3.9 in result.coverage["scene_detection"]
    assert 0.0 not in result.coverage["voice_activity"], "not measured is not covered"


def test_a_wrong_name_is_answered_with_the_right_one(result: va.Result) -> None:
    with pytest.raises(KeyError, match="did you mean 'scene_detection'"):
        result["scene_detecton"]
    with pytest.raises(AttributeError, match="it has shots"):
        _ = result["scene_detection"].cuts


def test_views_for_people(result: va.Result) -> None:
    assert "the file has no sound" in repr(result)
    html = result._repr_html_()
    assert "session &lt;1&gt;.mp4" in html
    assert "Times were repaired." in html


def test_a_failure_needs_a_code_and_a_result_its_names() -> None:
    with pytest.raises(DataError, match="snake_case, got 'No audio'"):
        va.Failure("No audio", "x")
    empty = va.PipelineResult("a", {})
    provenance = va.Provenance("m", "s", "v", "c", va.TimeSpan(0, 1))
    with pytest.raises(DataError, match="'a' is filed under 'b'"):
        va.Result(va.MediaInfo("m", 1, "mov", 1.0, None, None), {"b": empty}, provenance)


def test_frames_and_sound_say_their_shape_when_it_is_wrong() -> None:
    import numpy as np

    with pytest.raises(DataError, match=r"uint8 with 4 dimensions .* float64 with shape \(1, 2, 3\)"):
        va.FrameBatch(np.zeros(1, np.int64), np.zeros(1), np.zeros((1, 2, 3)), "rgb", 3, 2)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"one length, got shapes \(2,\), \(1,\), \(1, 2, 3\)"):
        va.FrameBatch(np.zeros(2, np.int64), np.zeros(1), np.zeros((1, 2, 3), np.uint8), "gray", 3, 2)
    batch = va.FrameBatch(np.zeros(1, np.int64), np.zeros(1), np.zeros((1, 90, 160), np.uint8), "gray", 1920, 1080)
    assert batch.scale == (12.0, 12.0)
    with pytest.raises(DataError, match=r"float32 with one dimension, got float64 with shape \(2, 3\)"):
        va.AudioTrack(np.zeros((2, 3)), 16000)  # type: ignore[arg-type]
    assert va.AudioTrack(np.zeros(16000, np.float32), 16000, 2.0).time(8000) == 2.5


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": -1.0}, {"width": 0}, {"color": "yuv"}])
def test_frames_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DataError):
        va.Frames(**wrong)  # type: ignore[arg-type]


def test_fractions_stay_exact() -> None:
    from videoannotator.data.convert import structure, unstructure

    info = va.VideoInfo(
        "h264", "yuv420p", 4, 3, 4, 3, 0, Fraction(1), Fraction(30000, 1001), 2, 8, False, None,
        va.FrameClock([0, 1001], Fraction(1, 30000)),
    )  # fmt: skip
    assert structure(va.VideoInfo, unstructure(info)).average_rate == Fraction(30000, 1001)
