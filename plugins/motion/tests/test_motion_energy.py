"""Energies of things that move as we say, and the camera's motion, against what was made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugins.motion.tests.conftest import Write, texture, wall, window

from videoannotator.data.frames import FrameBatch
from videoannotator.data.time import TimeSpan
from videoannotator.errors import ConfigError
from videoannotator_motion import videoannotator_pipelines
from videoannotator_motion.comparing import compare
from videoannotator_motion.config import MotionConfig, Region
from videoannotator_motion.regions import fixed_places

(SPEC,) = videoannotator_pipelines()
WIDTH, HEIGHT, SIDE = 320, 240, 40


def square(x: float, y: int = 100) -> Any:
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    picture[y : y + SIDE, round(x) : round(x) + SIDE] = 255
    return picture


def region(table: Any, name: str) -> Any:
    return table[table.region == name]


@pytest.mark.parametrize("rate", [10, 25, 50])
def test_a_square_at_a_known_speed_gives_the_area_it_sweeps_whatever_the_rate(
    write: Write, run_alone: Any, rate: int
) -> None:
    speed = 100  # px/s
    tables = run_alone(SPEC, write([square(20 + speed * n / rate) for n in range(8)], rate)).tables
    swept = 2 * speed * SIDE / (WIDTH * HEIGHT)  # what it covers in front, and uncovers behind
    whole, left, right = (region(tables["energy"], name) for name in ("whole", "left", "right"))
    assert len(whole) == 7
    np.testing.assert_allclose(whole.changed, swept, rtol=1e-6)
    np.testing.assert_allclose(whole.energy, swept, rtol=1e-6)  # black to white is 1
    np.testing.assert_allclose(left.changed, 2 * swept, rtol=1e-6)
    assert right.changed.max() == right.energy.max() == 0
    assert np.isnan(whole.changed_compensated).all()  # nothing but the square: there is no background to follow
    assert len(tables["camera"]) == 0


def test_a_variable_rate_does_not_change_the_unit(write: Write, run_alone: Any) -> None:
    ticks = [0, 24, 60, 72, 120, 240]  # of 1/600 s
    tables = run_alone(SPEC, write([square(20 + tick / 6) for tick in ticks], times=ticks)).tables
    whole = region(tables["energy"], "whole")
    np.testing.assert_allclose(whole.interval, np.diff(ticks) / 600, atol=0.001)
    np.testing.assert_allclose(
        whole.changed, 2 * 100 * SIDE / (WIDTH * HEIGHT), rtol=0.05
    )  # Matroska keeps milliseconds


def test_a_region_of_ones_own_is_measured_in_pixels_as_shown(write: Write, run_alone: Any) -> None:
    """The picture is 480 high and compared at 240; the square crosses the region's whole width."""
    pictures = [np.kron(square(10 + 4 * n), np.ones((2, 2), np.uint8)) for n in range(6)]
    config = {"regions": [{"name": "table", "x1": 0, "y1": 200, "x2": 320, "y2": 280}]}
    table = region(run_alone(SPEC, write(pictures), config).tables["energy"], "table")
    np.testing.assert_allclose(table.changed, 2 * 4 * SIDE * 25 / (160 * 40), rtol=0.02)
    assert (table.x2[0], table.y1[0]) == (320, 200)


def test_a_pan_is_the_cameras(write: Write, run_alone: Any) -> None:
    behind = wall()
    tables = run_alone(SPEC, write([window(behind, -1.75 * n, 0.75 * n) for n in range(8)]), {"threshold": 5.0}).tables
    camera, whole = tables["camera"], region(tables["energy"], "whole")
    np.testing.assert_allclose(camera.dx, -1.75 * 25, atol=0.2)
    np.testing.assert_allclose(camera.dy, 0.75 * 25, atol=0.2)
    np.testing.assert_allclose(camera.zoom, 0, atol=0.01)
    np.testing.assert_allclose(camera.rotation, 0, atol=0.1)
    assert (whole.changed > 5).all()
    assert (whole.energy_compensated < 0.01 * whole.energy).all()


def test_what_moves_before_a_pan_is_left(write: Write, run_alone: Any) -> None:
    """The same thing moves past the same wall, before a camera that stands and one that turns."""
    behind, thing = wall(), texture(40, 40, seed=3, sigma=2)

    def shot(n: int, dx: int, dy: int) -> Any:
        picture = window(behind, dx * n, dy * n)
        x, y = 60 + (5 + dx) * n, 60 + dy * n
        picture[y : y + 40, x : x + 40] = 255 - thing
        return picture

    still = run_alone(SPEC, write([shot(n, 0, 0) for n in range(8)])).tables
    panned = run_alone(SPEC, write([shot(n, -2, 1) for n in range(8)])).tables
    np.testing.assert_allclose(panned["camera"].dx, -2 * 25, atol=0.3)
    np.testing.assert_allclose(panned["camera"].dy, 1 * 25, atol=0.3)
    truth, seen = region(still["energy"], "whole"), region(panned["energy"], "whole")
    assert (seen.energy > 3 * truth.energy).all()
    np.testing.assert_allclose(truth.energy_compensated, truth.energy, rtol=0.02)
    np.testing.assert_allclose(seen.energy_compensated, truth.energy, rtol=0.05)


def test_rotation_and_zoom(write: Write, run_alone: Any) -> None:
    behind = wall()
    tables = run_alone(SPEC, write([window(behind, 0, 0, 0.8 * n, 1.01**n) for n in range(6)])).tables
    camera, whole = tables["camera"], region(tables["energy"], "whole")
    np.testing.assert_allclose(camera.rotation, 0.8 * 25, atol=0.6)
    np.testing.assert_allclose(camera.zoom, math.log(1.01) * 25, atol=0.015)
    np.testing.assert_allclose(camera.dx, 0, atol=1)
    assert (whole.changed_compensated < 0.02 * whole.changed).all()


@pytest.mark.parametrize("gain", [1.05, 1.15])
def test_light_that_flickers_is_no_motion(write: Write, run_alone: Any, gain: float) -> None:
    dark = window(wall())
    bright = np.clip(dark * gain + 6, 0, 255).round().astype(np.uint8)
    tables = run_alone(SPEC, write([bright if n % 2 else dark for n in range(6)])).tables
    whole, camera = region(tables["energy"], "whole"), tables["camera"]
    assert (whole.changed * whole.interval > 0.5).all()
    assert whole.changed_compensated.max() < 0.01
    change = float(bright.mean() - dark.mean()) / 255
    np.testing.assert_allclose(camera.brightness * camera.interval, [change, -change] * 2 + [change], atol=0.004)


def test_noise_stays_under_the_threshold(write: Write, run_alone: Any) -> None:
    random, clean = np.random.default_rng(1), window(wall())
    pictures = [np.clip(clean + random.normal(0, 2, clean.shape), 0, 255).astype(np.uint8) for _ in range(5)]
    path = write(pictures)
    assert region(run_alone(SPEC, path).tables["energy"], "whole").changed.max() < 0.05  # of 25 a second
    assert region(run_alone(SPEC, path, {"threshold": 0.0}).tables["energy"], "whole").changed.min() > 15


def test_black_has_no_motion_and_no_camera(write: Write, run_alone: Any) -> None:
    tables = run_alone(SPEC, write([np.zeros((HEIGHT, WIDTH), np.uint8)] * 4)).tables
    assert tables["energy"].changed.max() == 0
    assert np.isnan(tables["energy"].energy_compensated).all()
    assert len(tables["camera"]) == 0


def test_a_cut_is_no_motion(write: Write, run_alone: Any) -> None:
    first, second = window(wall(1)), 255 - window(wall(2)) // 2
    path = write([first] * 4 + [second] * 4)
    tables = run_alone(SPEC, path).tables
    assert region(tables["energy"], "whole").frame.tolist() == [1, 2, 3, 5, 6, 7]
    assert 4 not in tables["camera"].frame
    across = region(run_alone(SPEC, path, {"cuts": "none"}).tables["energy"], "whole")
    assert across.energy[across.frame == 4][0] > 1


def test_a_fast_pan_is_no_cut(write: Write, run_alone: Any) -> None:
    """Brightness differs as much as at a cut, but the camera explains it."""
    hard = (wall(sigma=2) > 120).astype(np.uint8) * 200
    path = write([window(hard, -4 * n, 0) for n in range(6)])
    whole = region(run_alone(SPEC, path).tables["energy"], "whole")
    assert len(whole) == 5
    assert len(region(run_alone(SPEC, path, {"camera": False}).tables["energy"], "whole")) == 0


def test_pictures_far_apart_are_not_compared(write: Write, run_alone: Any) -> None:
    path = write([square(20), square(24), square(28), square(32)], times=[0, 24, 1824, 1848])
    assert region(run_alone(SPEC, path).tables["energy"], "whole").frame.tolist() == [1, 3]
    assert region(run_alone(SPEC, path, {"longest": 5.0}).tables["energy"], "whole").frame.tolist() == [1, 2, 3]


def test_a_lower_rate_compares_pictures_further_apart(write: Write, run_alone: Any) -> None:
    whole = region(
        run_alone(SPEC, write([square(20 + 2 * n) for n in range(20)]), {"rate": 5.0}).tables["energy"], "whole"
    )
    assert whole.frame.tolist() == [5, 10, 15]
    np.testing.assert_allclose(whole.changed, 2 * 50 * SIDE / (WIDTH * HEIGHT), rtol=1e-6)


def test_a_span_says_nothing_of_its_first_picture(write: Write, run_alone: Any) -> None:
    tables = run_alone(SPEC, write([square(20 + n) for n in range(10)]), span=TimeSpan(0.2, 0.4)).tables
    assert region(tables["energy"], "whole").frame.tolist() == [6, 7, 8, 9]


@pytest.mark.parametrize("video", ["caregiver_infant.mp4", "shot_change.mp4"])
def test_real_recordings(assets: Path, run_alone: Any, video: str) -> None:
    ran = run_alone(SPEC, assets / "video" / video, span=TimeSpan(2.5, 4.0))
    whole, clock = region(ran.tables["energy"], "whole"), ran.media.video.clock
    np.testing.assert_array_equal(whole.time, clock.times[whole.frame])
    np.testing.assert_allclose(whole.interval, np.diff(clock.times)[whole.frame - 1])
    assert (whole.changed * whole.interval <= 1).all()
    assert whole.changed.max() > 0
    if video == "shot_change.mp4":  # held by hand; the cut is at frame 96
        assert 96 not in whole.frame
        first = whole[whole.frame < 96]
        assert np.median(first.changed_compensated) < 0.2 * np.median(first.changed)


# ---- without files --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([1.0, 1.5, 3.0]),
    st.integers(0, 60),
    st.integers(0, 2**32 - 1),
)
def test_shares_are_those_of_the_pixels_counted_one_by_one(
    width: int, height: int, scale: float, threshold: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    before, after = random.integers(0, 256, (2, height, width)).astype(np.uint8)
    x1, y1 = random.uniform(0, 0.5, 2) * [width * scale, height * scale]
    x2, y2 = random.uniform(0.6, 1, 2) * [width * scale, height * scale]
    own = Region(name="own", x1=x1, y1=y1, x2=x2, y2=y2)
    try:
        places = fixed_places([own], (width, height), (scale, scale))
    except ConfigError:  # no pixel's centre lies inside
        places = fixed_places([], (width, height), (scale, scale))
    got = compare(before, after, persons=np.empty((0, 4)), threshold=threshold, camera=False).raw(places, threshold)
    size = np.abs(after.astype(int) - before)
    ys, xs = (np.arange(height) + 0.5) * scale, (np.arange(width) + 0.5) * scale
    for n, (left, top, right, bottom) in enumerate(places.boxes):
        inside = np.outer((ys >= top) & (ys < bottom), (xs >= left) & (xs < right))
        assert got.changed[n] == pytest.approx((size[inside] > threshold).mean())
        assert got.energy[n] == pytest.approx(np.where(size > threshold, size, 0)[inside].mean() / 255)
    halves = [places.cells[places.names.index(name)] for name in ("left", "right") if name in places.names]
    assert sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in halves) == width * height


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"regions": [{"name": "left", "x1": 0, "y1": 0, "x2": 9, "y2": 9}]}, "a name other than whole, left, right"),
        ({"regions": [{"name": "a", "x1": 5, "y1": 0, "x2": 5, "y2": 9}]}, "must have 0 <= x1 < x2"),
        ({"regions": [{"name": "a", "x1": 0, "y1": 0, "x2": 5, "y2": 9}] * 2}, "two regions have one name: a, a"),
        ({"rate": 0.5}, "raise longest"),
        ({"threshold": 255.0}, r"threshold must be in \[0, 255\)"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], says: str) -> None:
    from videoannotator.discover.config import config_of

    with pytest.raises(ConfigError, match=says):
        config_of(SPEC, wrong)


def test_a_region_outside_the_picture_is_refused(write: Write, run_alone: Any) -> None:
    path = write([square(20), square(22)])
    for box, says in (((300, 0, 400, 9), "the picture is 320 x 240"), ((1.6, 0, 2.4, 9), "too small to be measured")):
        config = MotionConfig(regions=(Region(name="a", x1=box[0], y1=box[1], x2=box[2], y2=box[3]),))
        with pytest.raises(ConfigError, match=says):
            fixed_places(config.regions, (320, 240), (1, 1))
    with pytest.raises(ConfigError, match="the picture is 320 x 240"):
        run_alone(SPEC, path, {"regions": [{"name": "a", "x1": 300, "y1": 0, "x2": 400, "y2": 9}]})


def test_a_batch_is_let_go(write: Write) -> None:
    """The picture that is remembered is a copy: the decoder's memory is not held, and not changed behind our back."""
    from videoannotator.decode.probing import probe
    from videoannotator.discover.pipeline import Context
    from videoannotator_motion.pipeline import Motion

    media = probe(write([square(20), square(24)]))
    motion = Motion(MotionConfig(), Context(media=media, span=media.span))
    motion.begin()
    pixels = np.stack([square(20), square(24)])
    motion.process(FrameBatch(np.array([0, 1]), np.array([0.0, 0.04]), pixels, "gray", WIDTH, HEIGHT))
    state = motion.state()
    pixels[:] = 9
    assert state is not None
    np.testing.assert_array_equal(state[2], square(24))
