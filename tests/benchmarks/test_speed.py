"""The benchmarks compare before they measure: what they would overlook, nobody would see."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from benchmarks.speed import networks, peers, vision
from benchmarks.speed.child import found_of
from benchmarks.speed.comparing import TEXT, DifferenceError, Found, Tolerance, average_precision, compare
from benchmarks.speed.idle import catalog_of
from benchmarks.speed.material import RATE, Material, longer, material
from benchmarks.speed.networks import NEEDED, NETWORKS
from benchmarks.speed.processes import Cost, Ran
from benchmarks.speed.report import Figure, Section, machine, write
from benchmarks.speed.single import _bend, _check

import videoannotator as va

SMALL = (320, 180)


@pytest.fixture(scope="module")
def video(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return material(0.3, SMALL, tmp_path_factory.mktemp("material"))


def found() -> Found:
    rows = [np.array([[1, 0.9, 10, 10, 50, 90], [2, 0.6, 60, 10, 90, 80]], dtype=float), np.zeros((0, 6))]
    return Found([*rows, rows[0] + 1e-3], np.array([4.0, 8.0]), np.array([[0.5, 2.0]]))


def test_what_was_found_is_written_down_and_equal(tmp_path: Path) -> None:
    found().save(tmp_path / "found.npz")
    again = Found.load(tmp_path / "found.npz")
    compare(found(), again)
    assert str(again) == "4 persons in 3 frames, 2 cuts, 1 stretches of speech"
    nobody = Found([np.zeros((0, 6))] * 3)
    nobody.save(tmp_path / "nobody.npz")
    compare(nobody, Found.load(tmp_path / "nobody.npz"))


def _other(change: Callable[[Any], Any]) -> Found:
    return attrs.evolve(found(), rows=change([rows.copy() for rows in found().rows or ()]))


def _moved(rows: list[Any], row: int, column: int, by: float) -> list[Any]:
    rows[0][row, column] += by
    return rows


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (_other(lambda rows: [rows[0][:1], *rows[1:]]), "frame 0: tracks"),
        (_other(lambda rows: [rows[0][::-1], *rows[1:]]), "frame 0: tracks"),
        (_other(lambda rows: rows[:2]), "3 frames here, 2 there"),
        (_other(lambda rows: _moved(rows, 1, 0, 1)), "frame 0: tracks"),
        (_other(lambda rows: _moved(rows, 1, 1, 3e-5)), "scores differ"),
        (_other(lambda rows: _moved(rows, 0, 5, 0.05)), "pixels by 0.0499"),
        (attrs.evolve(found(), cuts=np.array([4.0, 8.001])), "cuts at"),
        (attrs.evolve(found(), cuts=np.array([4.0])), "cuts at"),
        (attrs.evolve(found(), speech=np.array([[0.5, 2.001]])), "speech at"),
        (attrs.evolve(found(), speech=np.zeros((0, 2))), "speech at"),
    ],
)
def test_a_difference_is_seen(other: Found, says: str) -> None:
    with pytest.raises(DifferenceError, match=says):
        compare(found(), other, TEXT)


def test_rounding_is_no_difference_to_text_and_one_to_our_own() -> None:
    other = _other(lambda rows: _moved(rows, 0, 2, 0.03))
    compare(found(), other, TEXT)
    compare(found(), Found(cuts=np.array([4.0005, 8.0])), TEXT)
    with pytest.raises(DifferenceError):
        compare(found(), other, Tolerance())


def test_average_precision_of_the_same_is_one_and_falls_with_what_is_missing() -> None:
    rows = found().rows or ()
    assert average_precision(rows, rows) == (1.0, 1.0)
    weak = [np.vstack([part, [[0, 0.1, 0, 0, 5, 5]]]) for part in rows]
    assert average_precision(weak, weak) == (1.0, 1.0), "what exact is not sure of is no truth"
    half = [part[:1] for part in rows]
    _, ap50 = average_precision(rows, half)
    assert ap50 == pytest.approx(0.5, abs=0.01)
    shifted = [part + np.array([0, 0, 4, 0, 4, 0]) for part in rows]
    ap, ap50 = average_precision(rows, shifted)
    assert ap < ap50 == 1.0
    assert average_precision(rows, [np.zeros((0, 6))] * 3) == (0.0, 0.0)


def test_the_text_of_yolo_is_read() -> None:
    line = "0 0.5 0.5 0.25 0.5 0.875000 7"
    assert peers._row(line, (100, 200)) == [7, 0.875, 37.5, 50, 62.5, 150]
    assert peers._row("0 0.5 0.5 0.25 0.5 0.1 0.2 0.9 0.8", (100, 200)) == [0, 0.8, 37.5, 50, 62.5, 150, 10, 40, 0.9]


def test_material_is_as_long_as_asked_with_its_cuts_and_speech(video: Material) -> None:
    info = va.probe(video.path)
    assert info.video is not None
    assert (info.video.width, info.video.height, info.video.codec) == (*SMALL, "h264")
    assert len(info.video.clock) == video.frames == round(0.3 * 60 * RATE)
    assert info.video.clock.time_base * int(np.diff(info.video.clock.pts).max()) == Fraction(1, RATE)
    assert info.duration == pytest.approx(video.seconds, abs=0.001)
    assert info.audio is not None
    assert info.audio.codec == "aac"
    with va.Annotator(["scene_detection", "voice_activity"]) as annotator:
        result = annotator.annotate(video.path, progress=False, on_error="raise")
    assert set(video.cuts) == {100, 200, 300, 400}
    assert set(video.cuts) <= set(result["scene_detection"].shots.start_frame.tolist())
    assert len(result["voice_activity"].speech) >= 2
    compare(found_of(result), found_of(result))


def test_the_same_material_is_made_once_and_repeated_in_time(video: Material) -> None:
    made = video.path.stat().st_mtime_ns
    assert material(0.3, SMALL, video.path.parent) == video
    assert video.path.stat().st_mtime_ns == made
    twice = longer(video, 2)
    info = va.probe(twice.path)
    assert info.video is not None
    assert info.notices == ()
    assert len(info.video.clock) == 2 * video.frames
    assert set(np.diff(info.video.clock.times).round(6)) == {round(1 / RATE, 6)}
    with va.Annotator(["scene_detection"]) as annotator:
        once, again = (annotator.annotate(v.path, progress=False)["scene_detection"].shots for v in (video, twice))
    starts = again.start_frame
    assert starts[starts < video.frames].tolist() == once.start_frame.tolist()
    assert (starts[starts >= video.frames] - video.frames).tolist() == once.start_frame.tolist()


def test_pipelines_that_do_nothing_are_handed_every_frame(video: Material) -> None:
    pipelines = ["idle_1", "crowd"]
    with va.Annotator(pipelines, catalog=catalog_of(), config={"crowd": {"persons": 2}}, cache=False) as annotator:
        result = annotator.annotate(video.path, progress=False, on_error="raise")
    assert len(result["crowd"].rows) == 2 * video.frames
    assert result["idle_1"].coverage.spans == result["crowd"].coverage.spans


def test_a_missed_goal_is_said_with_its_reason(tmp_path: Path) -> None:
    met = Figure("faster", (1.4, 1.6, 1.7), "", least=1.5, missed="never shown")
    missed = Figure("slower", (2.0, 4.0), " ms", most=1.5, missed="it waits")
    section = Section("Of nothing", "nothing", (met, missed))
    assert "| slower | 3.00 (2.00 to 4.00) ms | at most 1.5 ms | **missed** by 100% |" in str(section)
    assert "slower: it waits" in str(section)
    assert "never shown" not in str(section)
    text, plain = write(tmp_path, machine(), [section])
    assert text.read_text().count("| faster |") == 2, "on top, and in its section"
    assert "it waits" in plain.read_text()


def test_growth_is_what_the_last_doubling_adds() -> None:
    straight = [(minutes, 10.0 + 3 * minutes) for minutes in (2.0, 4.0, 8.0, 16.0)]
    assert _bend(straight) == pytest.approx(1.0)
    assert _bend([*straight[:-1], (16.0, 82.0)]) == pytest.approx(2.0)


def test_a_longer_one_that_lacks_a_cut_is_seen() -> None:
    def ran(cuts: list[float], covered: float) -> Ran:
        looked = {"person_tracking": covered, "scene_detection": covered}
        return Ran(Cost(1, 1), {"covered": looked}, Found(cuts=np.array(cuts)))

    short = Material(Path("x.mp4"), 250, (), 2)  # twice ten seconds
    first = ran([4.0, 8.0, 10.0, 14.0, 18.0], 20.0)
    _check(short, first, first)
    long = attrs.evolve(short, copies=3)
    _check(long, ran([4.0, 8.0, 10.0, 14.0, 18.0, 20.0, 24.0, 28.0], 30.0), first)
    with pytest.raises(DifferenceError, match="repetition 2 has cuts at"):
        _check(long, ran([4.0, 8.0, 10.0, 14.0, 18.0, 20.0, 24.0], 30.0), first)
    with pytest.raises(DifferenceError, match="has looked at 29"):
        _check(long, ran([4.0, 8.0, 10.0, 14.0, 18.0, 20.0, 24.0, 28.0], 29.0), first)


def _side(wall: float, cpu: float, **told: Any) -> Ran:
    return Ran(Cost(wall, cpu), {"wall": wall, "cpu": cpu, "peak": 1, **told})


def test_one_run_is_judged_by_all_its_networks_together() -> None:
    about: dict[str, Any] = {
        "counts": {"person_tracking": 9, "face_analysis": 3, "person_identity": 2},
        "seconds": dict.fromkeys(NEEDED, 1.0),
        "lent": dict.fromkeys(NEEDED, 2),
        "rows": dict.fromkeys(NEEDED, 5),
        "threads": {"videoannotator:motion": 3.0},
    }
    runs = {"one run": [_side(15.0, 26.0, **about), _side(12.0, 24.0, **about), _side(11.0, 26.0, **about)]}
    runs |= {
        name: [_side(wall, 2 * wall) for _ in range(3)] for name, wall in zip(NETWORKS, (6.0, 3.0, 1.0), strict=True)
    }
    section = vision._section(runs)
    (figure,) = section.figures
    assert figure.values == pytest.approx((1.5, 1.2, 1.1))
    assert figure.met
    assert "processor: 1.30 (1.20 to 1.30)" in section.notes[0]
    late = {**runs, "one run": [_side(20.0, 26.0, **about)] * 3}
    assert "videoannotator:motion 3.0" in str(vision._section(late)), "a missed goal says where the time goes"


def test_a_pipeline_that_finds_something_else_alone_is_seen() -> None:
    whole = Ran(Cost(1, 1), {"failures": []})
    vision._check(whole, Ran(Cost(1, 1), {"differences": []}))
    with pytest.raises(DifferenceError, match="motion"):
        vision._check(whole, Ran(Cost(1, 1), {"differences": ["motion.energy: 5 and 6 rows"]}))
    with pytest.raises(DifferenceError, match="something failed"):
        vision._check(Ran(Cost(1, 1), {"failures": ["no"]}), Ran(Cost(1, 1), {"differences": []}))


@pytest.mark.slow
def test_networks_are_shown_alone_what_they_were_shown_together(assets: Path, tmp_path: Path) -> None:
    short = material(0.08, SMALL, tmp_path)
    models = assets / "models"
    weights = {
        "person_tracking": str(models / "yolov8n-pose_int8_openvino_model"),
        "face_analysis": "",
        "person_identity": str(models / "osnet_x0_25_msmt17.onnx"),
    }
    config = {name: {"weights": file} for name, file in weights.items() if file}
    told = networks.together(str(short.path), config, str(tmp_path))
    assert told["failures"] == []
    assert told["counts"]["person_tracking"] == short.frames
    assert told["counts"]["face_analysis"] == short.frames // 5
    assert told["counts"]["person_identity"] > 0
    single = networks.alone(str(short.path), config, str(tmp_path))
    assert single["differences"] == []
    assert single["seconds"].keys() == NEEDED.keys()
    with np.load(tmp_path / "inputs.npz") as kept:
        assert {name: kept[name].shape[1:3] for name in kept} == dict.fromkeys(NETWORKS, (1, 3))
    for name in NETWORKS:
        ran = networks.forwards(name, weights[name], str(tmp_path / "inputs.npz"), 3, 2)
        assert ran["wall"] > 0
        assert ran["cpu"] > 0


def test_costs_add_up() -> None:
    assert Cost(1, 2, 30) + Cost(3, 4, 20) == Cost(4, 6, 30)
    assert Ran(Cost(1, 1)).told == {}
