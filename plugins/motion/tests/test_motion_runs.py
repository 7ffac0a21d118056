"""In whole runs: beside persons and shots or without them, in any batch size, and on videos that are hard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from plugins.motion.tests.conftest import Write, wall, window
from plugins.motion.tests.others import BOXES, CUT, PERSONS, SHOTS
from plugins.motion.tests.test_motion_energy import HEIGHT, SIDE, WIDTH, region, square

import videoannotator as va
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of
from videoannotator_motion import videoannotator_pipelines
from videoannotator_motion.camera import measure

(SPEC,) = videoannotator_pipelines()


def run(path: Path, *others: va.PipelineSpec, spec: va.PipelineSpec = SPEC, **config: Any) -> va.Result:
    names = [spec.name, *(other.name for other in others)]
    with va.Annotator(names, config={"motion": config}, catalog=catalog_of(spec, *others), cache=False) as annotator:
        result = annotator.annotate(path, progress=False)
    assert result.ok, result.failures
    return result


@pytest.fixture
def clip(write: Write) -> Path:
    return write([square(20 + 2 * n) for n in range(10)])


def test_each_tracked_person_has_an_energy(clip: Path) -> None:
    energy = run(clip, PERSONS)["motion"].energy
    persons = energy[energy.region == "person"]
    one, two = persons[persons.track == 1], persons[persons.track == 2]
    assert one.frame.tolist() == list(range(1, 10))
    assert two.frame.tolist() == [2, 4, 6, 8]  # a row for a frame in which it was seen, and for no other
    x1, y1, x2, y2 = BOXES[1]
    np.testing.assert_allclose(one.changed, 2 * 2 * SIDE * 25 / ((x2 - x1) * (y2 - y1)), rtol=1e-6)
    assert two.changed.max() == 0
    assert two.y2.max() == HEIGHT  # cut to the picture
    whole = energy[energy.region == "whole"]
    assert whole.track.mask.all()
    alone = run(clip)["motion"].energy
    assert alone == energy[np.ma.getmaskarray(energy.track)]
    assert run(clip, PERSONS, persons=False)["motion"].energy == alone


def test_persons_cost_a_second_pass_and_nothing_else_does(clip: Path) -> None:
    for others, config, passes in (
        ((), {}, 1),
        ((PERSONS,), {}, 2),
        ((SHOTS,), {}, 1),
        ((PERSONS,), {"persons": False}, 1),
    ):
        with va.Annotator(
            ["motion", *(o.name for o in others)],
            config={"motion": config},
            catalog=catalog_of(SPEC, *others),
            cache=False,
        ) as annotator:
            assert annotator.plan(clip).passes == passes


def test_cuts_are_those_of_scene_detection_where_it_runs(clip: Path, write: Write) -> None:
    assert CUT in run(clip, SHOTS)["motion"].energy.frame
    assert CUT not in run(clip, SHOTS, cuts="scene_detection")["motion"].energy.frame
    assert CUT in run(clip, cuts="scene_detection")["motion"].energy.frame
    changes = write([window(wall(1))] * 6 + [255 - window(wall(2)) // 2] * 4)
    energy = run(changes, SHOTS, cuts="scene_detection")["motion"].energy
    assert 6 in energy.frame  # that pipeline has looked, and says that there is none
    assert 6 not in run(changes, cuts="scene_detection")["motion"].energy.frame


def test_what_persons_do_is_not_the_cameras() -> None:
    """Nearly all corners are on somebody who moves to the right; those beside them are the wall."""
    behind, body = window(wall()), window(wall(seed=5, sigma=1.5))
    before, after = behind.copy(), behind.copy()
    before[:, 40:240], after[:, 44:244] = body[:, 40:240], body[:, 40:240]
    box = np.array([[36.0, 0.0, 248.0, 240.0]])
    fooled, told = measure(before, after, np.empty((0, 4))), measure(before, after, box)
    assert fooled is not None
    assert fooled.shift(WIDTH, HEIGHT)[0] == pytest.approx(4, abs=0.1)
    assert told is not None
    assert told.shift(WIDTH, HEIGHT) == pytest.approx((0, 0), abs=0.05)


def test_batches_of_any_size_give_the_same_rows(assets: Path) -> None:
    tables = []
    for batch in (1, 16):
        spec = attrs.evolve(SPEC, batch=batch)
        with va.Annotator(["motion"], catalog=catalog_of(spec), cache=False) as annotator:
            clip = assets / "video" / "caregiver_infant.mp4"
            tables.append(annotator.annotate(clip, spans=[(1, 2), (2.5, 4)], progress=False)["motion"].tables)
    assert tables[0] == tables[1]
    assert len(tables[0]["camera"]) > 10


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("one.mp4", {"frames": 1}),
        ("narrow.mp4", {"frames": 4, "size": (16, 120)}),
        ("low.mp4", {"frames": 4, "size": (320, 16)}),
        ("turned.mp4", {"frames": 4, "size": (160, 120), "rotation": 90}),
        ("portrait.mp4", {"frames": 4, "size": (120, 320)}),
        ("deep.mkv", {"frames": 4, "codec": "libx265", "pixel_format": "yuv420p10le"}),
    ],
)
def test_hard_videos_have_defined_results(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    path = write_clip(tmp_path / name, rate=25, **how)
    motion = run(path)["motion"]
    whole = region(motion.energy, "whole")
    assert whole.frame.tolist() == list(range(1, how["frames"]))
    width, height = how.get("size", (160, 120))
    if how.get("rotation"):
        width, height = height, width
    if len(whole):
        assert (whole.x2[0], whole.y2[0]) == (width, height)
        assert whole.changed.min() > 0  # the number in the picture changes
        assert {"left", "right"} <= set(motion.energy.region)
