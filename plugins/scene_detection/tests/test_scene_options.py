"""Every option of PySceneDetect's detectors acts, and as it does there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scenedetect import (
    AdaptiveDetector,
    ContentDetector,
    HashDetector,
    HistogramDetector,
    SceneDetector,
    ThresholdDetector,
    detect,
)
from scenedetect.detector import FlashFilter

from videoannotator.discover.config import config_of
from videoannotator.errors import ConfigError
from videoannotator_scene_detection import videoannotator_pipelines

(SPEC,) = videoannotator_pipelines()
_MIN = 6  # frames; 0.2 s of 29.97 a second

_CASES: dict[str, tuple[dict[str, Any], SceneDetector]] = {
    "weights": (
        {"threshold": 12.0, "component_weights": (0.0, 0.5, 2.0, 0.0)},
        ContentDetector(12.0, _MIN, weights=ContentDetector.Components(0.0, 0.5, 2.0, 0.0)),
    ),
    "edges": (
        {"threshold": 22.0, "component_weights": (1.0, 1.0, 1.0, 1.0)},
        ContentDetector(22.0, _MIN, weights=ContentDetector.Components(1.0, 1.0, 1.0, 1.0)),
    ),
    "kernel": (
        {"threshold": 22.0, "component_weights": (1.0, 1.0, 1.0, 1.0), "kernel_size": 11},
        ContentDetector(22.0, _MIN, weights=ContentDetector.Components(1.0, 1.0, 1.0, 1.0), kernel_size=11),
    ),
    "luma": ({"threshold": 6.0, "luma_only": True}, ContentDetector(6.0, _MIN, luma_only=True)),
    "suppress": (
        {"threshold": 12.0, "filter_mode": "suppress"},
        ContentDetector(12.0, _MIN, filter_mode=FlashFilter.Mode.SUPPRESS),
    ),
    "window": (
        {"detector": "adaptive", "threshold": 1.6, "window_width": 5, "min_content_val": 4.0},
        AdaptiveDetector(1.6, _MIN, window_width=5, min_content_val=4.0),
    ),
    "adaptive_luma": (
        {"detector": "adaptive", "threshold": 1.6, "min_content_val": 4.0, "luma_only": True},
        AdaptiveDetector(1.6, _MIN, min_content_val=4.0, luma_only=True),
    ),
    "hash": (
        {"detector": "hash", "threshold": 0.1, "hash_size": 16, "hash_lowpass": 3},
        HashDetector(0.1, size=16, lowpass=3, min_scene_len=_MIN),
    ),
    "bins": (
        {"detector": "histogram", "threshold": 0.05, "histogram_bins": 16},
        HistogramDetector(0.05, bins=16, min_scene_len=_MIN),
    ),
    "bias": (
        {"detector": "threshold", "threshold": 20.0, "fade_bias": 0.8},
        ThresholdDetector(20.0, _MIN, fade_bias=0.8, add_final_scene=True, min_out_length=3),
    ),
    "ceiling": (
        {"detector": "threshold", "threshold": 22.0, "fade_method": "ceiling"},
        ThresholdDetector(22.0, _MIN, method=ThresholdDetector.Method.CEILING, add_final_scene=True, min_out_length=3),
    ),
}


@pytest.mark.parametrize("case", list(_CASES))
def test_options_give_what_pyscenedetect_gives(assets: Path, run_alone: Any, case: str) -> None:
    video = assets / "video" / "speech_on_stage.mp4"
    config, detector = _CASES[case]
    ran = run_alone(SPEC, video, {"min_scene_length": 0.2} | config)
    expected = [scene[0].seconds for scene in detect(str(video), detector, start_in_scene=True)]
    assert len(expected) > 1
    assert ran.tables["shots"].start - ran.media.video.clock.times[0] == pytest.approx(expected, abs=0.0006)


def test_every_option_changes_something(assets: Path, run_alone: Any) -> None:
    """Else the comparison above would hold for an option that is dropped on both sides."""
    video = assets / "video" / "speech_on_stage.mp4"
    for name in ("weights", "edges", "luma", "suppress", "bins"):
        config, _ = _CASES[name]
        kept = {key: value for key, value in config.items() if key in ("detector", "threshold")}
        plain, optional = (
            run_alone(SPEC, video, {"min_scene_length": 0.2} | c).tables["shots"] for c in (kept, config)
        )
        assert plain != optional, name


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"window_width": 3},
            "window_width is a setting of the adaptive detector; with detector='content' it would do",
        ),
        ({"detector": "hash", "luma_only": False}, "luma_only is a setting of the content and adaptive detector"),
        ({"component_weights": [1, 1, 1]}, "component_weights are four numbers"),
        ({"component_weights": [0, 0, 0, 0]}, "component_weights are four numbers"),
        ({"component_weights": [1, 1, 1, -1]}, "component_weights are four numbers"),
        ({"component_weights": [1, 1, 1, 0], "luma_only": True}, "give one of the two"),
        ({"kernel_size": 4}, "kernel_size must be odd, got 4"),
        ({"labels": ["kitchen"]}, "of one label the probability is 1, whatever is shown"),
        ({"labels": ["kitchen", "kitchen"]}, r"each once, got \['kitchen'\]"),
        ({"labels": ["a", "b"], "templates": ["a photo"]}, r"one \{\} where the label goes, got \['a photo'\]"),
        ({"labels": ["a", "b"], "templates": []}, r"one \{\} where the label goes, got none"),
        ({"embeddings": True}, "set labels or places"),
    ],
)
def test_settings_that_would_do_nothing_or_harm_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config_of(SPEC, wrong)
