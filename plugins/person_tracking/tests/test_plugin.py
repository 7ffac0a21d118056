"""What the plugin says of itself without being asked to work."""

from __future__ import annotations

import subprocess
import sys

import attrs
import pytest

from videoannotator import Frames
from videoannotator.discover.config import config_of, config_schema, needs_of
from videoannotator.errors import ConfigError
from videoannotator_person_tracking import videoannotator_pipelines
from videoannotator_person_tracking.config import PersonTrackingConfig

(SPEC,) = videoannotator_pipelines()


def test_settings_are_read_without_any_model_library() -> None:
    code = (
        "import sys; from videoannotator_person_tracking import videoannotator_pipelines as p\n"
        "from videoannotator.discover.config import config_of, config_schema\n"
        "config_of(p()[0], {'rate': 5})\n"
        "from videoannotator_person_tracking.config import PersonTrackingConfig; config_schema(PersonTrackingConfig)\n"
        "print(sorted({'torch', 'cv2', 'ultralytics', 'av', 'pandas'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_defaults_are_those_of_ultralytics() -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.utils import ROOT, YAML

    theirs = YAML.load(ROOT / "cfg/trackers/bytetrack.yaml")
    ours = attrs.asdict(PersonTrackingConfig())
    assert theirs.pop("tracker_type") == ours["tracker"]
    assert theirs.pop("track_buffer") == 30  # see test_lost_after_is_a_time
    assert {key: ours[key] for key in theirs} == theirs
    general = get_cfg()
    for key in ("iou", "max_det", "agnostic_nms"):
        assert ours[key] == getattr(general, key), key
    assert PersonTrackingConfig().least_score == 0.1  # Model.track
    assert PersonTrackingConfig(tracker="none").least_score == 0.25  # Model.predict
    assert PersonTrackingConfig(conf=0.4).least_score == 0.4


def test_the_licence_is_said() -> None:
    assert SPEC.licence == "AGPL-3.0-or-later"
    assert {model.licence for model in SPEC.models} == {"AGPL-3.0-or-later"}
    assert {model.name for model in SPEC.models if not model.sha256 or not model.size} == {"yolo11l-pose.pt"}
    assert PersonTrackingConfig().weights == SPEC.models[0].name


def test_every_size_of_every_task_is_declared() -> None:
    names = {f"yolo11{size}{task}.pt" for size in "nsmlx" for task in ("", "-pose", "-seg")}
    assert {model.name for model in SPEC.models} == names
    assert all(model.source.endswith(f"/{model.name}") for model in SPEC.models)
    sizes = {model.name: model.size for model in SPEC.models if model.size}
    for task in ("", "-pose", "-seg"):
        mine = [sizes[name] for size in "nsmlx" if (name := f"yolo11{size}{task}.pt") in sizes]
        assert mine == sorted(mine), "larger ones are larger"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"confidence": 0.3}, r"person_tracking\.confidence: no such setting"),
        ({"iuo": 0.3}, r"did you mean 'iou'\?"),
        ({"conf": 1.5}, r"person_tracking\.conf must be in \[0, 1\], got 1\.5"),
        ({"rate": 0}, r"person_tracking\.rate"),
        ({"max_det": 0}, r"person_tracking\.max_det"),
        ({"imgsz": "big"}, r"person_tracking\.imgsz"),
        ({"tracker": "sort"}, r"person_tracking\.tracker"),
        ({"classes": "person"}, r"person_tracking\.classes"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(SPEC, settings)


def test_needs_follow_the_rate() -> None:
    assert needs_of(SPEC, config_of(SPEC, {"rate": 5.0})) == (Frames(rate=5.0, color="bgr"),)
    assert needs_of(SPEC, config_of(SPEC)) == (Frames(color="bgr"),)


def test_every_setting_is_explained() -> None:
    described = config_schema(PersonTrackingConfig)["properties"]
    assert set(described) == {field.name for field in attrs.fields(PersonTrackingConfig)}
    assert all(entry["description"] for entry in described.values())
