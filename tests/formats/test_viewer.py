"""The folder for the Video Annotation Viewer: its rules, restated in viewer_rules.py, find nothing to warn of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
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
from videoannotator.formats.thinning import thinned
from videoannotator.formats.viewer import Viewer, bundle
from videoannotator.testing.strategies import rows as rows_of
from videoannotator.testing.strategies import tables
from videoannotator.testing.whole_results import results

from .examples import KEYPOINTS, a_result, only, with_tables
from .plugin_rows import plugin_row
from .speech import SPOKEN, spoken
from .viewer_rules import Loaded, kind_of, load, load_folder

Person, Link, FaceLink = (plugin_row("person_identity", name) for name in ("Person", "Link", "FaceLink"))
ShotLabel, LabelProbability = (plugin_row("scene_detection", name) for name in ("ShotLabel", "LabelProbability"))
FaceEmotions = plugin_row("laion_face", "FaceEmotions")
FacialBehaviour = plugin_row("openface3", "FacialBehaviour")
Expression = plugin_row("face_analysis", "Expression", "expression_rows")
PyFeatExpression = plugin_row("pyfeat", "Expression")

STEMS = [
    "session 01",
    "face_person_scene",
    "SURFACE",
    "my_speech_recognition_test",
    "a_speaker_diarization",
    "OpenFace3_Analysis_of_3",
    "openface3_detailed",
    "complete_results_vlm_annotation_pose_keypoints",
    "母子 👩‍👧 مرحبا",
    "a.b.vtt",
]
"""Names of recordings with the words in them by which the viewer tells files apart."""

WORDS = [
    "face_id", "attributes", "emotions", "bbox", "score", "info", "images", "annotations", "openface3", "metadata",
    "faces", "pipeline", "model_info", "keypoints", "scene_type", "start_time", "end_time", "reasoning",
    "sampling_mode", "VideoAnnotator", "COCO", "", "__proto__", "مرحبا", "👩‍👧", "<v Anna>&amp; --> \"x\"", "a\\",
    "NOTE",
]  # fmt: skip
"""Words by which the viewer tells what is in a file, and what is hard to write."""

KINDS = {
    "_person_tracking.json": "persons",
    "_scene_detection.json": "scenes",
    "_speech_recognition.vtt": "speech",
    "_speaker_diarization.rttm": "speakers",
    "_laion_face_annotations.json": "faces",
    "_face_detections.json": "faces",
    "_openface3_analysis.json": "openface3",
}

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


def written(result: Result, folder: Path, stem: str = "s", **options: Any) -> Loaded:
    """What the viewer makes of the folder that is written of ``result``; it must not have anything to warn of."""
    loaded = Loaded()
    for path in Viewer(**options).write(result, folder, stem=stem):
        assert path.name == f"{stem}.viewer"
        loaded = load_folder(path)
        for name, kind in loaded.kinds.items():
            expected = [said for end, said in KINDS.items() if name.endswith(end)] or ["video"]
            assert [kind] == expected, name
    assert loaded.warnings == []
    return loaded


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


def behaviour(count: int, *, landmarks: Any = None, first: int = 0) -> Table[Any]:
    """Rows of openface3, one a second."""
    numbers = np.arange(first, first + count)
    return Table.of(
        FacialBehaviour,
        frame=numbers * 30,
        time=numbers * 1.0,
        x1=10.0,
        y1=20.0,
        x2=30.5,
        y2=50.25,
        landmarks=[landmarks] * count,
        **dict.fromkeys(("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"), 0.1),
        contempt=0.3,
        gaze_yaw=0.5,
        gaze_pitch=0.25,
        **dict.fromkeys(("au1", "au2", "au4", "au6", "au9", "au25", "au26"), 0.25),
        au12=0.75,
    )


def test_openface3_of_any_size_is_known(tmp_path: Path) -> None:
    """The viewer reads the first 15 000 bytes of a file as if they were all, once it has found ``info`` in them."""
    moved, sizes = 0, set()
    for count in (1, 13, 14, 60):
        for length in range(0, 1200, 80):
            made = attrs.evolve(a_result().provenance, media_name="x" * length)
            result = attrs.evolve(only("openface3", behaviour=behaviour(count)), provenance=made)
            (folder,) = Viewer().write(result, tmp_path, stem="s")
            data = (folder / "s_openface3_analysis.json").read_bytes()
            loaded = load_folder(folder)
            assert loaded.warnings == []
            assert len(loaded.rows["openface3"]) == count
            sizes.add(len(data))
            unmoved = re.sub(rb", +\"info", b',"info', data)
            moved += kind_of("s_openface3_analysis.json", unmoved) == "unknown"
    assert min(sizes) < 12_000 < 15_000 < max(sizes)
    assert moved, "files that would not have been known if info had been left where it was"


def test_what_openface3_says(tmp_path: Path) -> None:
    points = np.arange(196, dtype=np.float32).reshape(98, 2) + 0.5
    table = Table.concat(
        [
            behaviour(1, landmarks=points),
            Table.of(FacialBehaviour, frame=30, time=1.0, x1=0.0, y1=0.0, x2=1.0, y2=[1.0]),
        ]
    )
    faces = Table.of(
        Face,
        frame=[0, 30],
        time=[0.0, 1.0],
        score=[0.9, 0.4],
        x1=[10.0, 0.0],
        y1=[20.0, 0.0],
        x2=[30.5, 1.0],
        y2=[50.25, 1.0],
    )
    full, small = written(only("openface3", behaviour=table, faces=faces), tmp_path).rows["openface3"]
    said = full["openface3"]
    assert (full["timestamp"], full["bbox"], said["confidence"]) == (0.0, [10, 20, 20.5, 30.25], 0.9)
    assert said["landmarks_2d"] == points.tolist()
    assert said["action_units"]["AU12_Lip_Corner_Puller"] == {"intensity": 0.75, "presence": True}
    assert said["action_units"]["AU01_Inner_Brow_Raiser"] == {"intensity": 0.25, "presence": False}
    assert len(said["action_units"]) == 8
    assert (said["emotion"]["dominant"], said["emotion"]["confidence"]) == ("contempt", 0.3)
    assert said["emotion"]["probabilities"]["happiness"] == 0.1
    assert said["not_measured"] == ["gaze.confidence", "emotion.valence", "emotion.arousal"]
    # to the left edge of the picture, upwards, and towards the camera
    x, y, z = (said["gaze"][f"direction_{axis}"] for axis in "xyz")
    assert (x < 0, y < 0, z < 0) == (True, True, True)
    assert np.hypot(np.hypot(x, y), z) == pytest.approx(1)
    assert np.arctan2(-x, -z) == pytest.approx(0.5)
    assert small["openface3"] == {"confidence": 0.4, "timestamp": 1.0, "not_measured": []}
    alone = written(only("openface3", behaviour=table), tmp_path).rows["openface3"]
    assert [(row["openface3"]["confidence"], row["openface3"]["not_measured"][:1]) for row in alone] == [
        (0, ["confidence"]),
        (0, ["confidence"]),
    ]


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


def test_who_is_who(tmp_path: Path) -> None:
    seen = [Detection(n, n / 10, "person", 0.5, 1, 2, 3, 4, track) for n in range(0, 60, 10) for track in (5, 6, 7)]
    persons = [
        Person(1, 0, 9, 1, 9, role="infant", role_score=0.8, role_method="size"),
        Person(2, 0, 9, 1, 9, role="mother", role_method="hint", name="Anna", name_score=0.9),
        Person(3, 0, 9, 1, 9, name="Ben", name_score=0.7),
    ]
    links = [
        Link(5, 1, 0, 3, 0, 29, "motion", 0.5),
        Link(5, 2, 3, 9, 30, 90, "face", 0.5),
        Link(6, 3, 0, 9, 0, 90, "only"),
    ]
    faces = [FaceLink(5, 1, 0, 9, 0, 90, 3, 0.5, 1, 2, 3, 4, face=11)]
    result = only("person_tracking", detections=Table.from_rows(Detection, seen))
    result = with_tables(
        result,
        "person_identity",
        persons=Table.from_rows(Person, persons),
        links=Table.from_rows(Link, links),
        faces=Table.from_rows(FaceLink, faces),
    )
    shown_faces = [Face(0, 0.0, 0.5, 1, 2, 3, 4, 11), Face(0, 0.0, 0.5, 1, 2, 3, 4, 12)]
    result = with_tables(result, "face_analysis", faces=Table.from_rows(Face, shown_faces))
    loaded = written(result, tmp_path, "film")
    keys = ("person_id", "person_label", "label_confidence", "labeling_method")
    told = {(row["track_id"], row["timestamp"]): tuple(row[key] for key in keys) for row in loaded.rows["persons"]}
    assert told[5, 0.0] == ("person_film_001", "infant", 0.8, "size")
    assert told[5, 3.0] == ("person_film_002", "mother", 0, "hint"), "the user said it, nobody measured how surely"
    assert told[6, 0.0] == ("person_film_003", "Ben", 0.7, "gallery")
    assert told[7, 0.0] == ("track_film_007", "unknown", 0, "none")
    assert {row.get("person_name") for row in loaded.rows["persons"]} == {None, "Anna", "Ben"}
    mine, other = loaded.rows["faces"]
    keys = ("person_id", "person_label", "person_label_confidence", "person_labeling_method")
    assert tuple(mine[key] for key in keys) == ("person_film_001", "infant", 0.8, "size")
    assert tuple(other[key] for key in keys) == ("unknown", "unknown", 0, "none")


def _expression(time: float, **more: Any) -> Any:
    low = dict.fromkeys(("anger", "disgust", "fear", "neutral", "sadness", "surprise"), 0.0625)
    return Expression(int(time * 10), time, "happiness", 0.625, **low, happiness=0.625, x1=1, y1=2, x2=3, y2=4, **more)


def test_emotions_and_whose_score_it_is(tmp_path: Path) -> None:
    face = Face(0, 0.0, 0.875, 1, 2, 3, 4, 9)
    expressions = Table.from_rows(Expression, [_expression(0.0, track=9), _expression(1.0, track=9, contempt=0.0)])
    rated = Table.of(
        FaceEmotions, frame=0, time=0.0, x1=1.0, y1=2.0, x2=3.0, y2=4.0, track=[9], anger=-0.5, pain=7.5, awe=3.5
    )
    result = only("face_expressions", expressions=expressions)
    result = with_tables(result, "face_analysis", faces=Table.from_rows(Face, [face]))
    loaded = written(result, tmp_path)
    assert "s_face_detections.json" in loaded.kinds
    first, second = loaded.rows["faces"]
    assert (first["backend"], first["score"], first["face_id"]) == ("face_expressions", 0.875, 9)
    assert (second["score"], second["scored"]) == (0, False), "there is no face in that picture"
    assert next(iter(first["attributes"]["emotions"])) == "happiness"
    assert first["attributes"]["emotions"]["happiness"] == {"score": 0.625, "rank": 1, "raw_score": 0.625}
    assert set(first["attributes"]["emotions"]) == {
        "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise",
    }  # fmt: skip
    loaded = written(with_tables(result, "laion_face", emotions=rated), tmp_path)
    assert "s_laion_face_annotations.json" in loaded.kinds
    assert "s_face_detections.json" not in loaded.kinds
    (row,) = loaded.rows["faces"]
    assert row["attributes"]["emotions"] == {
        "pain": {"score": 7.5 / 7, "rank": 1, "raw_score": 7.5},
        "awe": {"score": 0.5, "rank": 2, "raw_score": 3.5},
        "anger": {"score": -0.5 / 7, "rank": 3, "raw_score": -0.5},
    }


def test_what_a_shot_shows(tmp_path: Path) -> None:
    shots = [Shot(0, 1, 0, 10, 2.5, "kitchen"), Shot(1, 2, 10, 20, 3.5), Shot(2, 3, 20, 30)]
    chances = (LabelProbability("kitchen", 0.75), LabelProbability("garden", 0.25))
    labels = [ShotLabel(0, 1, 0, 10, 0.75, 3, chances, "kitchen"), ShotLabel(1, 2, 10, 20, 0.75, 3, chances, None)]
    result = only("scene_detection", shots=Table.from_rows(Shot, shots), labels=Table.from_rows(ShotLabel, labels))
    told = [(s["scene_type"], s["score"], s["all_scores"]) for s in written(result, tmp_path).rows["scenes"]]
    every = {"kitchen": 0.75, "garden": 0.25}
    assert told == [("kitchen", 0.75, every), ("unknown", 0, every), ("unknown", 0, {})]


@pytest.mark.parametrize("text", SPOKEN)
def test_what_is_said_is_shown(tmp_path: Path, text: str) -> None:
    table = spoken(text)
    cues = {
        int(cue["id"]): cue for cue in written(only("speech_recognition", utterances=table), tmp_path).rows["speech"]
    }
    for number, row in enumerate(table, 1):
        shown_text = "\n".join(line for line in row.text.split("\n") if line)
        expected = f"[{row.speaker}]: {shown_text}".strip() if row.speaker else shown_text
        assert cues[number]["text"] == expected
        assert cues[number]["start"] == pytest.approx(row.start, abs=0.00051)
        assert cues[number]["end"] > cues[number]["start"]


@quick
@given(tables(Utterance))
def test_no_letter_of_speech_is_lost(tmp_path_factory: pytest.TempPathFactory, table: Table[Utterance]) -> None:
    result = only("speech_recognition", utterances=table)
    cues = {int(cue["id"]): cue for cue in written(result, tmp_path_factory.mktemp("v")).rows["speech"]}
    assert len(cues) == len(table)
    for number, row in enumerate(table, 1):
        wanted = "".join(row.text.replace("\0", "\ufffd").split()).replace("\ufeff", "")
        assert "".join(cues[number]["text"].split()).replace("\ufeff", "").endswith(wanted)


def test_those_who_know_the_speakers_come_first(tmp_path: Path) -> None:
    result = with_tables(
        a_result(),
        "audio_processing",
        utterances=Table.from_rows(Utterance, [Utterance(0, 1, "hello", speaker="Ben")]),
        turns=Table.from_rows(SpeakerTurn, [SpeakerTurn(0, 1, "Ben")]),
    )
    loaded = written(result, tmp_path)
    assert [cue["text"] for cue in loaded.rows["speech"]] == ["[Ben]: hello"]
    assert len(loaded.rows["speakers"]) == 2, "diarization's own turns"
    nobody = attrs.evolve(result, pipelines={"voice_activity": result["voice_activity"]})
    (region,) = written(nobody, tmp_path).rows["speakers"]
    assert (region["speaker"], region["score"]) == ("SPEECH", 0.97)


@st.composite
def followed(draw: st.DrawFn) -> Table[Detection]:
    """Rows of a few tracks and of none, at times that repeat."""
    made = [
        attrs.evolve(row, track=draw(st.sampled_from([None, 0, 1, 7])), time=draw(st.integers(0, 40)) / 8)
        for row in draw(st.lists(rows_of(Detection), max_size=25))
    ]
    return Table.from_rows(Detection, made)


@quick
@given(followed(), st.sampled_from([0.5, 1.0, 3.0, 8.0]))
def test_thinning_leaves_rows_apart_and_no_more_out_than_that(table: Table[Detection], rate: float) -> None:
    kept = thinned(table, rate).tolist()
    assert sorted(kept, key=lambda n: table[n].time) == kept
    for track in {row.track for row in table}:
        mine = [n for n, row in enumerate(table) if row.track == track]
        times = sorted({table[n].time for n in mine if n in kept})
        assert min(table[n].time for n in mine) == times[0]
        assert all(later - earlier >= 1 / rate - 1e-5 for earlier, later in pairwise(times))
        for n in set(mine) - set(kept):
            since = [table[n].time - time for time in times if time <= table[n].time]
            assert min(since) < 1 / rate, "something else of the track is shown then"
            assert track is not None or min(since) > 0, "of untracked rows a whole frame is kept"
    assert len(thinned(table, None)) == len(table)


def test_nothing_is_drawn_twice_and_no_second_is_bare(tmp_path: Path) -> None:
    frames = np.arange(0, 3000)
    times = frames * 1001 / 30_000
    table = Table.of(
        Detection, frame=frames, time=times, label="person", score=0.5, x1=0.0, y1=0.0, x2=1.0, y2=1.0, track=1
    )
    found = written(only("person_tracking", detections=table), tmp_path).rows["persons"]
    shown_at = np.array([row["timestamp"] for row in found])
    at_once = [int((np.abs(shown_at - now) < 0.5).sum()) for now in np.arange(0, 99, 0.01)]
    assert max(at_once) == 1
    assert np.mean(at_once) > 0.95
    assert len(written(only("person_tracking", detections=table), tmp_path, rate=2.0).rows["persons"]) == pytest.approx(
        200, abs=15
    )


def test_rows_that_nobody_saw_are_not_drawn(tmp_path: Path) -> None:
    rows = [
        Detection(0, 0.0, "person", 0.5, 1, 2, 3, 4, 1),
        Detection(5, 1.5, "person", None, 1, 2, 3, 4, 1, interpolated=True),
        Detection(9, 3.0, "person", None, 1, 2, 3, 4, 1),
    ]
    found = written(only("person_tracking", detections=Table.from_rows(Detection, rows)), tmp_path).rows["persons"]
    assert [(row["id"], row["score"], row.get("scored")) for row in found] == [(1, 0.5, None), (3, 0, False)]


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
