"""Single frames, faces, charts of tracks; and persons, where some pipeline has told who is who."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import attrs
import numpy as np
import pytest
from PIL import Image

import videoannotator as va
from videoannotator import draw
from videoannotator.data.boxes import box_tables
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import Result
from videoannotator.data.rows import Detection, Face, Shot
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.draw.lanes import lanes, track_lanes
from videoannotator.draw.people import People
from videoannotator.draw.scene import Scene
from videoannotator.draw.style import FACE
from videoannotator.errors import ConfigError, NoVideoError
from videoannotator.testing.clips import read_number, write_clip

from .drawn import differing, make_result

Pixels = Annotated[float, va.Dtype("float32"), va.Unit("px")]


@va.row
class TurnedFace:
    """A face of somebody's pipeline that says how the head is turned."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    yaw: float | None
    pitch: float | None
    roll: float | None
    landmarks: Annotated[Any, va.ArrayOf("float32", (None, 2))] | None = None


@va.row
class Expression:
    """What a pipeline says of faces that another one found."""

    frame: int
    time: float
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    label: str
    track: int | None = None


@va.row
class Who:
    """What a pipeline says of persons."""

    person: int
    name: str | None = None
    role: str | None = None


@va.row
class Link:
    """Whose track it is, and how much the faces seen of it are like that person's."""

    track: int
    person: int
    start: float
    end: float
    face: float | None = None


@va.row
class FaceLink:
    """Whose face it is: by its track, or, where it has none, by its box."""

    track: int
    person: int
    start: float
    end: float
    start_frame: int
    x1: Pixels
    y1: Pixels
    x2: Pixels
    y2: Pixels
    face: int | None = None


@va.row
class Label:
    """What a shot shows, likely or not."""

    start: float
    end: float
    label: str
    score: float


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("stills") / "clip.mp4", frames=20, rate=10, size=(320, 240))


def two_people(clip: Path) -> Result:
    """Tracks 1 and 2; track 1 is Mary until 1.0 s and her baby from then on; track 9 of faces is the baby's."""
    rows = [
        Detection(n, n / 10, "person", 0.9, x, 20, x + 60, 200, t) for n in range(20) for x, t in ((20, 1), (200, 2))
    ]
    faces = Table.from_rows(Face, [Face(n, n / 10, 0.5 + n / 50, 40, 40, 60, 60, 9) for n in range(20)])
    identity = {
        "persons": Table.from_rows(Who, [Who(0, "Mary", "adult"), Who(1, None, "infant")]),
        "links": Table.from_rows(Link, [Link(1, 0, 0.0, 0.95), Link(1, 1, 1.0, 2.0)]),
        "faces": Table.from_rows(FaceLink, [FaceLink(1, 1, 0.0, 2.0, 0, 40, 40, 60, 60, 9)]),
    }
    tables = {"person_tracking": Table.from_rows(Detection, rows), "face_analysis": faces, "person_identity": identity}
    return make_result(clip, tables)


def test_the_frame_that_is_shown_at_a_time(clip: Path, tmp_path: Path) -> None:
    result = make_result(clip, {})
    for options in ({"time": 0.45}, {"time": 0.4}, {"frame": 4}):
        assert read_number(np.asarray(draw.frame(result, look=draw.Look(show=[]), **options))) == 4  # type: ignore[arg-type]
    draw.frame(result, frame=7, path=tmp_path / "a" / "seven.png", height=120)
    with Image.open(tmp_path / "a" / "seven.png") as picture:
        assert picture.size == (160, 120)
        assert read_number(np.asarray(picture)) == 7
    with Image.open(tmp_path / "a" / "seven.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "one of them"),
        ({"time": 1.0, "frame": 1}, "one of them"),
        ({"time": 2.5}, "not in this film"),
        ({"time": -0.1}, "not in this film"),
        ({"frame": 20}, "frames 0 to 19"),
        ({"frame": 1, "path": "x.doc"}, "not as .doc"),
        ({"frame": 1, "path": "x"}, "saved as .png"),
    ],
)
def test_frames_that_are_not_there_are_named(clip: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        draw.frame(make_result(clip, {}), **options)


def test_sound_alone_has_no_frames_and_a_chart(tmp_path: Path) -> None:
    sound = write_clip(tmp_path / "sound.m4a", frames=0, sound="tone")
    result = make_result(sound, {"face_analysis": Table.empty(Face)})
    with pytest.raises(NoVideoError):
        draw.frame(result, time=0.1)
    with pytest.raises(NoVideoError):
        draw.faces(result)
    assert draw.tracks(result).width == 1600


def test_persons_have_one_name_and_colour_on_all_tracks(clip: Path) -> None:
    result = two_people(clip)
    people = People(result)
    mary, baby = people.persons.values()
    assert (mary.title, baby.title) == ("Mary (adult)", "person 1 (infant)")
    assert mary.color != baby.color
    bodies, faces = box_tables(result)
    assert people.of(bodies, 1, 0.5) == mary
    assert people.of(bodies, 1, 1.5) == baby
    assert people.of(bodies, 2, 0.5) is None
    assert people.of(faces, 9, 0.5) == baby
    assert people.of(bodies, 9, 0.5) is None
    assert people.called(["mary"]) == {0}
    assert people.called(["Infant", "0"]) == {0, 1}

    def edge(time: float) -> Any:
        picture = draw.frame(result, time=time, look=draw.Look(show=["boxes"]))
        return np.asarray(picture)[150, 20].astype(int)

    assert np.abs(edge(0.5) - mary.color).max() < 30
    assert np.abs(edge(1.5) - baby.color).max() < 30


def test_faces_have_the_colour_of_their_person(clip: Path) -> None:
    result = two_people(clip)
    baby = People(result).persons[1]
    picture = np.asarray(draw.frame(result, time=0.5, look=draw.Look(show=["faces"])))
    assert np.abs(picture[40, 50].astype(int) - baby.color).max() < 30
    alone = attrs.evolve(result, pipelines={"face_analysis": result["face_analysis"]})
    picture = np.asarray(draw.frame(alone, time=0.5, look=draw.Look(show=["faces"])))
    assert np.abs(picture[40, 50].astype(int) - FACE).max() < 30


def test_faces_without_tracks_are_linked_one_by_one(clip: Path) -> None:
    faces = Table.from_rows(Face, [Face(3, 0.3, 0.9, x + 0.1, 20, x + 40, 60) for x in (20, 120)])
    links = Table.from_rows(FaceLink, [FaceLink(5, 8, 0.3, 0.3, 3, 120.1, 20, 160, 60)])
    who = Table.from_rows(Who, [Who(8, "Mary", None)])
    result = make_result(clip, {"face_analysis": faces, "person_identity": {"persons": who, "faces": links}})
    people, (boxes,) = People(result), box_tables(result)
    at = [(3, row.x1, row.y1, row.x2, row.y2) for row in faces]
    assert [people.of(boxes, None, 0.3, place) for place in at] == [None, people.persons[8]]
    look = draw.Look(show=[], hide="faces", hide_only="Mary", hide_with="fill")
    assert Scene(result, look)._hiding.regions(3, 0.3) == [pytest.approx((110.125, 10, 169.975, 70))]


def test_a_person_is_hidden_by_name_on_their_tracks_only(clip: Path) -> None:
    result = two_people(clip)

    def hidden(time: float, **options: Any) -> Any:
        look = draw.Look(show=[], hide_with="fill", hide_hold=0.0, **options)
        plain = draw.frame(result, time=time, look=draw.Look(show=[]))
        return np.nonzero(differing(np.asarray(draw.frame(result, time=time, look=look)), np.asarray(plain), 25))[1]

    assert hidden(0.5, hide="persons", hide_only="Mary").max() < 90
    assert not hidden(1.5, hide="persons", hide_only="Mary").size
    assert hidden(1.5, hide="persons", hide_only="infant").size
    assert hidden(0.5, hide="faces", hide_only="infant").size, "the face is the baby's by its link, wherever it lies"
    assert not hidden(0.5, hide="faces", hide_only="Mary").size


def test_a_face_that_may_be_theirs_is_hidden(clip: Path) -> None:
    result = two_people(clip)
    identity = result["person_identity"]
    unlinked = attrs.evolve(identity, tables={k: t for k, t in identity.tables.items() if k != "faces"})
    result = attrs.evolve(result, pipelines={**result.pipelines, "person_identity": unlinked})
    look = draw.Look(show=[], hide="faces", hide_only="Mary", hide_with="fill")
    scene = Scene(result, look)
    assert len(scene._hiding.regions(5, 0.5)) >= 1
    assert not scene._hiding.regions(17, 1.7)


def test_lanes_of_persons_stand_for_those_of_tracks(clip: Path) -> None:
    result = two_people(clip)
    drawn = {lane.label.strip(): lane for lane in lanes(result)}
    assert {"Mary (adult)", "person 1 (infant)", "#2"} <= set(drawn)
    assert "#1" not in drawn


def test_a_track_that_went_over_to_somebody_else_is_in_the_lanes_of_both(clip: Path) -> None:
    result = two_people(clip)
    bodies = next(boxes for boxes in box_tables(result) if boxes.pipeline == "person_tracking")
    drawn = {lane.label.strip(): lane.blocks for lane in track_lanes(bodies, People(result), 9)}
    assert list(drawn) == ["Mary (adult)", "person 1 (infant)", "#2"]
    assert [[(b.start, b.end) for b in blocks] for blocks in drawn.values()] == [
        [pytest.approx((0.0, 1.0))],
        [pytest.approx((1.0, 2.0))],
        [pytest.approx((0.0, 2.0))],
    ]


def test_gaps_are_frames_that_were_looked_at(tmp_path: Path) -> None:
    """At a variable rate a long step is no gap, and a missing frame in a burst is one."""
    from fractions import Fraction

    clip = write_clip(tmp_path / "clip.mkv", times=[0, 40, 80, 600, 640, 680, 720], time_base=Fraction(1, 1000))
    result = make_result(clip, {})
    times = result.media.video.clock.times  # type: ignore[union-attr]
    rows = [Detection(n, float(times[n]), "person", 0.9, 0, 0, 9, 9, 1) for n in (0, 1, 2, 3, 5, 6)]
    result = make_result(clip, {"person_tracking": Table.from_rows(Detection, rows)})
    ((boxes,), people) = box_tables(result), People(result)
    (lane,) = track_lanes(boxes, people, 9)
    assert [(b.start, b.end) for b in lane.blocks] == [pytest.approx((0, 0.64)), pytest.approx((0.68, 0.76), abs=0.01)]


def test_the_likeliest_label_names_a_shot(clip: Path) -> None:
    labels = [
        Label(0, 1, "kitchen", 0.7),
        Label(0, 1, "office", 0.2),
        Label(1, 2, "office", 0.6),
        Label(1, 2, "car", 0.4),
    ]
    result = make_result(clip, {"scene_detection": {"labels": Table.from_rows(Label, labels)}})
    (lane,) = lanes(result)
    assert lane.label == "scene detection"
    assert [(block.start, block.text) for block in lane.blocks] == [(0, "kitchen"), (1, "office")]


def test_outputs_without_rows_beside_others_have_no_lane(clip: Path) -> None:
    shots = Table.of(Shot, start=[0.0], end=[2.0], start_frame=[0], end_frame=[20])
    label = Table.from_rows(Label, [Label(0, 2, "kitchen", 0.7)])
    for labels, titles in ((Table.empty(Label), ["shots"]), (label, ["shots", "labels"])):
        result = make_result(clip, {"scene_detection": {"shots": shots, "labels": labels}})
        assert [lane.label for lane in lanes(result)] == titles


def test_the_head_is_shown_where_it_faces(clip: Path) -> None:
    def painted(**turned: Any) -> Any:
        rows = Table.from_rows(TurnedFace, [TurnedFace(3, 0.3, 120, 140, 200, 220, **turned)])
        picture = draw.frame(make_result(clip, {"faces": rows}), frame=3, look=draw.Look(show=["faces", "pose"]))
        return np.asarray(picture)

    still = painted(yaw=None, pitch=None, roll=None)
    assert not differing(still, painted(yaw=None, pitch=10.0, roll=0.0)).any(), "nothing is made up for what is missing"
    left = painted(yaw=60.0, pitch=0.0, roll=0.0)
    blue = (left[..., 2].astype(int) - left[..., 0] > 90) & (left[..., 1].astype(int) - left[..., 0] > 30)
    ys, xs = np.nonzero(blue & differing(left, still, 20))
    assert (xs.min(), xs.max()) == pytest.approx((160, 160 + 36 * np.sin(np.radians(60))), abs=5)
    assert np.abs(ys - 180).max() <= 4


def test_expressions_are_told_on_the_faces_they_are_of(clip: Path) -> None:
    faces = Table.from_rows(Face, [Face(3, 0.3, 0.9, 20, 20, 60, 60, 1), Face(3, 0.3, 0.9, 120, 20, 160, 60, 2)])
    happy = Table.from_rows(Expression, [Expression(3, 0.3, 120, 20, 160, 60, "happiness", 2)])
    result = make_result(clip, {"face_expressions": happy, "face_analysis": faces})
    (boxes,) = box_tables(result)
    assert boxes.pipeline == "face_analysis"
    look = draw.Look(show=["faces", "labels", "expressions"])
    scene = Scene(result, look)
    assert [scene._text(boxes, row, None) for row in faces] == ["face 1", "face 2 happiness"]
    assert Scene(result, draw.Look())._text(boxes, faces[1], None) == "face 2"


def test_faces_are_cut_out_in_rows(clip: Path, tmp_path: Path) -> None:
    result = two_people(clip)
    page = draw.faces(result, tmp_path / "faces.png", each=4)
    assert page.width == 1600
    with Image.open(tmp_path / "faces.png") as saved:
        assert saved.size == page.size
    more = [Face(n, n / 10, 0.9, 300, 200, 340, 260, t) for n, t in ((1, 3), (2, None), (3, None))]
    faces = Table.concat([result["face_analysis"].rows, Table.from_rows(Face, more)])
    taller = draw.faces(make_result(clip, {"face_analysis": faces}))
    assert taller.height > page.height, "a row for each track, and one for faces without"
    nothing = draw.faces(make_result(clip, {"face_analysis": Table.empty(Face)}))
    assert nothing.height < page.height + 1
    with pytest.raises(ConfigError, match="annotate with face_analysis, too"):
        draw.faces(make_result(clip, {}))


def test_a_chart_needs_no_film(clip: Path, tmp_path: Path) -> None:
    result = two_people(clip)
    gone = attrs.evolve(result, media=attrs.evolve(result.media, path="/nowhere/clip.mp4"))
    chart = draw.tracks(gone, tmp_path / "tracks.png", most=1)
    assert (tmp_path / "tracks.png").is_file()
    assert chart.height < draw.tracks(gone).height


def test_pipelines_can_be_chosen(clip: Path) -> None:
    result = two_people(clip)
    plain = np.asarray(draw.frame(result, frame=3, look=draw.Look(show=[])))
    nobody = np.asarray(
        draw.frame(result, frame=3, look=draw.Look(pipelines=("voice_activity",), show=["boxes", "labels"]))
    )
    assert not differing(plain, nobody).any()
    persons = np.asarray(
        draw.frame(result, frame=3, look=draw.Look(pipelines=("person_tracking",), show=["boxes", "faces"]))
    )
    assert differing(plain, persons).any()
    assert not differing(plain, persons)[42:58, 42:58].any()


def test_rows_of_frames_near_are_drawn_as_corners_only(clip: Path) -> None:
    faces = Table.from_rows(Face, [Face(5, 0.5, 0.9, 100, 130, 200, 230)])
    result = make_result(clip, {"face_analysis": faces}, rate=2.0)
    look = draw.Look(show=["faces"])
    seen, held = (np.asarray(draw.frame(result, frame=n, look=look)) for n in (5, 6))
    before = np.asarray(draw.frame(result, frame=6, look=draw.Look(show=[])))
    assert differing(held, before)[129:132, 100:115].any()
    assert not differing(held, before)[125:135, 130:170].any()
    assert np.abs(seen[130, 150].astype(int) - FACE).max() < 30


def test_shots_are_named_on_frames(clip: Path) -> None:
    shots = Table.of(Shot, start=[0.0, 1.0], end=[1.0, 2.0], start_frame=[0, 10], end_frame=[10, 20])
    scene = Scene(make_result(clip, {"scene_detection": shots}), draw.Look())
    assert [scene.shot_text(t) for t in (0.0, 0.99, 1.0, 2.0)] == ["shot 1 of 2", "shot 1 of 2", "shot 2 of 2", ""]


def test_what_was_not_looked_at_has_no_rows(clip: Path) -> None:
    result = make_result(clip, {"face_analysis": Table.empty(Face)})
    part = attrs.evolve(result["face_analysis"], coverage=Coverage((TimeSpan(0, 1),)))
    assert draw.tracks(attrs.evolve(result, pipelines={"face_analysis": part})).width == 1600
