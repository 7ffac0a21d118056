"""The folder for the Video Annotation Viewer: its rules, restated in viewer_rules.py, find nothing to warn of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import videoannotator as va
from videoannotator.data.outcome import Coverage
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Detection, Face, Shot, SpeakerTurn, SpeechRegion, Utterance
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.errors import ConfigError, FormatError
from videoannotator.formats.viewer import Viewer, bundle
from videoannotator.testing.strategies import tables
from videoannotator.testing.whole_results import results

from .examples import KEYPOINTS, a_result, only, with_tables
from .viewer_examples import (
    STEMS,
    WORDS,
    Expression,
    FaceEmotions,
    FaceLink,
    FacialBehaviour,
    LabelProbability,
    Link,
    Person,
    PyFeatExpression,
    ShotLabel,
    behaviour,
    written,
)
from .viewer_rules import load

quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

TABLES: dict[str, dict[str, type[Any]]] = {
    "person_tracking": {"detections": Detection},
    "person_identity": {"persons": Person, "links": Link, "faces": FaceLink},
    "scene_detection": {"shots": Shot, "labels": ShotLabel},
    "speech_recognition": {"utterances": Utterance},
    "speaker_diarization": {"turns": SpeakerTurn},
    "voice_activity": {"speech": SpeechRegion},
    "laion_face": {"emotions": FaceEmotions},
    "face_expressions": {"expressions": Expression},
    "pyfeat": {"expressions": PyFeatExpression},
    "face_analysis": {"faces": Face},
    "openface3": {"faces": Face, "behaviour": FacialBehaviour},
}


@st.composite
def shown(draw: st.DrawFn) -> Result:
    """Results of the pipelines that the viewer shows, with rows of any content."""
    made = {}
    for name in draw(st.lists(st.sampled_from(sorted(TABLES)), unique=True)):
        mine = {output: draw(tables(row, 4)) for output, row in TABLES[name].items()}
        made[name] = PipelineResult(name, mine, Coverage((TimeSpan(0, 1),)))
    return attrs.evolve(draw(results([Detection], max_pipelines=0)), pipelines=made)


@quick
@given(shown(), st.sampled_from(STEMS), st.sampled_from([None, 0.5, 5.0]))
def test_whatever_was_found_loads_without_a_warning(
    tmp_path_factory: pytest.TempPathFactory, result: Result, stem: str, rate: float | None
) -> None:
    loaded = written(result, tmp_path_factory.mktemp("v"), stem, rate=rate, face_rate=rate)
    of = {name: {o: len(t) for o, t in parts.tables.items()} for name, parts in result.pipelines.items()}
    assert ("persons" in loaded.rows) == ("person_tracking" in of)
    assert len(loaded.rows.get("scenes", [])) == of.get("scene_detection", {}).get("shots", 0)
    assert len(loaded.rows.get("speech", [])) == of.get("speech_recognition", {}).get("utterances", 0)
    turns = of.get("speaker_diarization", of.get("voice_activity", {}))
    assert len(loaded.rows.get("speakers", [])) == turns.get("turns", turns.get("speech", 0))
    assert bool(loaded.rows.get("openface3")) == bool(of.get("openface3", {}).get("behaviour"))
    sources = [of[name] for name in ("laion_face", "face_expressions", "pyfeat", "face_analysis") if name in of]
    assert ("faces" in loaded.rows) == bool(sources)
    assert bool(loaded.rows.get("faces")) == any(next(iter(o.values())) for o in sources)


@quick
@given(tables(Detection), st.sampled_from(STEMS))
def test_persons_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, table: Table[Detection], stem: str
) -> None:
    folder = tmp_path_factory.mktemp("v")
    found = written(only("person_tracking", detections=table), folder, stem, rate=None).rows["persons"]
    assert [row["id"] for row in found] == [
        n for n, _ in sorted(enumerate(table, 1), key=lambda pair: pair[1].time) if not table[n - 1].interpolated
    ]
    (path,) = folder.glob("*.viewer/*_person_tracking.json")
    names = {category["id"]: category["name"] for category in json.loads(path.read_text("utf-8"))["categories"]}
    for said in found:
        row = table[said["id"] - 1]
        assert (said["timestamp"], said["frame_number"], said["track_id"]) == (row.time, row.frame, row.track)
        assert names[said["category_id"]] == row.label
        assert (said["score"], said.get("scored", True)) == ((row.score, True) if row.score is not None else (0, False))
        x, y, width, height = said["bbox"]
        assert np.array_equal(np.float32([x, y]), np.float32([row.x1, row.y1]))
        assert np.allclose([width, height], [row.x2 - row.x1, row.y2 - row.y1], rtol=1e-6)
        if row.keypoints is None or len(row.keypoints) != 17:
            assert (said["keypoints"], said["num_keypoints"]) == ([0] * 51, 0)
        else:
            points = np.array(said["keypoints"]).reshape(17, 3)
            assert np.array_equal(points[:, :2].astype(np.float32), row.keypoints[:, :2])
            assert np.array_equal(points[:, 2] > 0, row.keypoints[:, 2] > 0)
            assert said["num_keypoints"] == (row.keypoints[:, 2] > 0).sum()
            assert np.array_equal(np.float32(said["keypoint_scores"]), row.keypoints[:, 2])


def test_what_stands_in_the_files(tmp_path: Path) -> None:
    loaded = written(a_result(), tmp_path, "session 01")
    assert set(loaded.kinds) == {
        "session 01_person_tracking.json",
        "session 01_scene_detection.json",
        "session 01_speech_recognition.vtt",
        "session 01_speaker_diarization.rttm",
        "session 01_face_detections.json",
        "film.mp4",
    }
    person, other, dog = loaded.rows["persons"]
    assert person["image_id"] == "session 01_frame_000002"
    assert (person["person_id"], other["person_id"]) == ("track_session 01_007", "unknown")
    assert {row["person_label"] for row in (person, other, dog)} == {"unknown"}
    assert {row["label_confidence"] for row in (person, other, dog)} == {0}
    assert {row["labeling_method"] for row in (person, other, dog)} == {"none"}
    # drawn is what is more than 0.3 sure, of the rest the viewer is told that it is not seen well
    assert person["keypoints"][2::3] == [0, *[1] * 4, *[2] * 12]
    first, second = loaded.rows["scenes"]
    assert (first["scene_type"], first["score"], first["all_scores"]) == ("unknown", 0, {})
    assert (second["scene_type"], second["cut_score"]) == ("kitchen & garden", 31.5)
    assert (second["start_time"], second["end_time"], second["duration"]) == (0.4, 1.0, 0.6)
    assert loaded.rows["speech"] == [{"id": "1", "start": 0.1, "end": 0.4, "text": "[Mary Ann]: Hello you"}]
    assert [row["speaker"] for row in loaded.rows["speakers"]] == ["Mary%20Ann", "%4EA"]
    (face,) = loaded.rows["faces"]
    assert (face["face_id"], face["score"], face["bbox"]) == (-1, 0.8, [1, 2, 29, 38])
    assert face["attributes"] == {"emotions": {}}
    for path in tmp_path.glob("*/*"):
        assert "/data/lab" not in path.read_text("utf-8")
        assert "/home/me" not in path.read_text("utf-8")


@pytest.mark.parametrize("word", WORDS)
def test_no_word_in_a_row_makes_a_file_another_one(tmp_path: Path, word: str) -> None:
    media = attrs.evolve(a_result().media, path=f"/x/{word.replace('/', '')}.mp4")
    result = attrs.evolve(a_result(), media=media)
    result = attrs.evolve(result, provenance=attrs.evolve(result.provenance, media_name=word))
    seen = [Detection(n, n / 2, word, 0.5, 1, 2, 3, 4, 1) for n in range(3)]
    result = with_tables(result, "person_tracking", detections=Table.from_rows(Detection, seen))
    person = Person(1, 0.0, 9.0, 1, 9, name=word, name_score=0.5, role=word, role_score=0.75, role_method=word)
    link = Link(1, 1, 0.0, 9.0, 0, 9, "only")
    face = FaceLink(1, 1, 0.0, 9.0, 0, 9, 9, 0.5, 1, 2, 3, 4, 1)
    result = with_tables(
        result,
        "person_identity",
        persons=Table.from_rows(Person, [person]),
        links=Table.from_rows(Link, [link]),
        faces=Table.from_rows(FaceLink, [face]),
    )
    every = tuple(LabelProbability(label, 0.5) for label in WORDS)
    result = with_tables(
        result,
        "scene_detection",
        shots=Table.from_rows(Shot, [Shot(0.0, 1.0, 0, 10, None, word)]),
        labels=Table.from_rows(ShotLabel, [ShotLabel(0.0, 1.0, 0, 10, 0.5, 3, every, word)]),
    )
    said = Table.from_rows(Utterance, [Utterance(0, 1, word, speaker=word)])
    result = with_tables(result, "speech_recognition", utterances=said)
    turns = Table.from_rows(SpeakerTurn, [SpeakerTurn(0, 1, word)])
    result = with_tables(result, "speaker_diarization", turns=turns)
    result = with_tables(result, "openface3", behaviour=behaviour(2), faces=Table.empty(Face))
    for stem in (word.replace("/", "") or "x", "face"):
        loaded = written(result, tmp_path / stem, stem)
        assert {row["person_label"] for row in loaded.rows["persons"]} == {word}
        (scene,) = loaded.rows["scenes"]
        assert (scene["scene_type"], scene["score"]) == (word, 0.5)
        assert scene["all_scores"] == dict.fromkeys(WORDS, 0.5)


def test_no_file_is_written_that_the_viewer_takes_for_broken(tmp_path: Path) -> None:
    result = only("openface3", behaviour=behaviour(0), faces=Table.empty(Face))
    result = with_tables(result, "speaker_diarization", turns=Table.empty(SpeakerTurn))
    assert Viewer().write(result, tmp_path, stem="s") == []


def test_looked_and_found_nothing(tmp_path: Path) -> None:
    result = a_result()
    empty = {
        name: attrs.evolve(parts, tables={output: Table.empty(t.row_class) for output, t in parts.tables.items()})
        for name, parts in result.pipelines.items()
    }
    for stem in STEMS:
        loaded = written(attrs.evolve(result, pipelines=empty), tmp_path, stem)
        assert loaded.rows == {"persons": [], "scenes": [], "speech": [], "faces": []}


@pytest.mark.parametrize("stem", STEMS)
def test_long_and_short_films(tmp_path: Path, stem: str) -> None:
    for count in (1, 300):
        frames = np.arange(count)
        common = {"frame": frames, "time": frames * 1.0, "x1": 0.0, "y1": 0.0, "x2": 10.0, "y2": 10.0, "track": 0}
        result = only(
            "person_tracking",
            detections=Table.of(Detection, **common, label="person", score=0.5, keypoints=[KEYPOINTS] * count),
        )
        shots = Table.of(Shot, start=frames, end=frames + 1.0, start_frame=frames, end_frame=frames + 1)
        result = with_tables(result, "scene_detection", shots=shots)
        result = with_tables(result, "laion_face", emotions=Table.of(FaceEmotions, **common, anger=0.5, pain=6.0))
        result = with_tables(result, "openface3", behaviour=behaviour(count))
        loaded = written(result, tmp_path, stem)
        assert {kind: len(rows) for kind, rows in loaded.rows.items()} == dict.fromkeys(
            ("persons", "scenes", "faces", "openface3"), count
        )
        assert loaded.rows["persons"][0]["track_id"] == 0, "the viewer colours it by its place; it is not renumbered"


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": -1.0}, {"face_rate": float("inf")}, {"rate": float("nan")}])
def test_a_rate_that_is_none_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be above 0 rows a second"):
        Viewer(**options)


def test_it_is_not_read_back(tmp_path: Path) -> None:
    result = with_tables(a_result(), "openface3", behaviour=behaviour(1))
    (path,) = result.export(tmp_path, ["viewer"])
    for place in (path, path / "session 01_person_tracking.json", path / "session 01_openface3_analysis.json"):
        with pytest.raises(FormatError, match="what was not measured is 0"):
            va.read(place)
    for name in ("scene_detection", "face_detections"):
        with pytest.raises(FormatError):
            va.read(path / f"session 01_{name}.json")


def test_only_a_folder_of_ours_is_replaced(tmp_path: Path) -> None:
    (path,) = a_result().export(tmp_path, ["viewer"])
    only("scene_detection", shots=a_result()["scene_detection"].shots).export(tmp_path, ["viewer"])
    assert [p.name for p in path.iterdir()] == ["session 01_scene_detection.json"]
    (path / "session 01.mp4").write_bytes(b"the only copy")
    with pytest.raises(FormatError, match=r"there is session 01\.mp4 in it"):
        a_result().export(tmp_path, ["viewer"])
    assert (path / "session 01.mp4").read_bytes() == b"the only copy"


@pytest.mark.parametrize(
    ("video", "name"),
    [
        ("a.mp4", "a.mp4"),
        ("a.MOV", "a.MOV"),
        ("a.mkv", "a.mkv"),
        ("a.m4v", "a.m4v.mp4"),
        ("a.wav", "a.wav"),
        ("a", "a.mp4"),
    ],
)
def test_what_a_zip_holds(tmp_path: Path, video: str, name: str) -> None:
    (path,) = a_result().export(tmp_path, ["viewer"])
    film = tmp_path / video
    pairs = bundle(path, film)
    assert pairs[-1] == (name, film)
    assert [n for n, _ in pairs[:-1]] == sorted(p.name for p in path.iterdir())
    assert all("/" not in n for n, _ in pairs)
    assert bundle(path, tmp_path / "0af3", name="of a child.webm")[-1] == ("of a child.webm", tmp_path / "0af3")
    with pytest.raises(FormatError, match="was not written for"):
        bundle(tmp_path, film)


Spoil = Callable[[dict[str, bytes]], Any]


def _without(name: str, key: str) -> Spoil:
    def spoil(files: dict[str, bytes]) -> None:
        plain = json.loads(files[name])
        for row in plain["annotations"] if isinstance(plain, dict) else plain:
            del row[key]
        files[name] = json.dumps(plain).encode()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: f.update({"s_person_tracks.json": b'{"video_id":"s"}'}), "s_person_tracks.json is not looked at"),
        (lambda f: f.update({"s.txt": b"x"}), "could not determine type of file: s.txt"),
        (lambda f: f.update({"s_speaker_diarization.rttm": b""}), "RTTM file is empty"),
        (lambda f: f.update({"s_speech_recognition.vtt": b"WEBVTT\n\n00:01.000 --> 00:02.000\nx\n"}), "timestamp"),
        (lambda f: f.update({"s_scene_detection.json": b"[]"}), "is not looked at"),
        (lambda f: f.update({"face.json": f.pop("s_person_tracking.json")}), "face.json is not looked at"),
        (lambda f: f.update({"s_speech_recognition.json": b"{}"}), "s_speech_recognition.json is not"),
        *((_without("s_person_tracking.json", key), key) for key in ("keypoints", "score", "person_label", "track_id")),
        *((_without("s_scene_detection.json", key), key) for key in ("duration", "all_scores")),
        *((_without("s_face_detections.json", key), key) for key in ("face_id", "attributes", "score")),
    ],
)
def test_the_rules_that_we_test_with_find_what_is_wrong(tmp_path: Path, spoil: Spoil, says: str) -> None:
    (path,) = Viewer().write(a_result(), tmp_path, stem="s")
    files = {p.name: p.read_bytes() for p in sorted(path.iterdir())}
    assert load(dict(files)).warnings == []
    spoil(files)
    assert any(says in warning for warning in load(files).warnings), load(files)
