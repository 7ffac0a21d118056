"""What the folder for the Video Annotation Viewer says of the rows, and which of them it shows."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videoannotator.data.rows import Detection, Face, Shot, SpeakerTurn, Utterance
from videoannotator.data.table import Table
from videoannotator.formats.thinning import thinned
from videoannotator.formats.viewer import Viewer
from videoannotator.testing.strategies import rows as rows_of
from videoannotator.testing.strategies import tables

from .examples import a_result, only, with_tables
from .speech import SPOKEN, spoken
from .viewer_examples import (
    Expression,
    FaceEmotions,
    FaceLink,
    FacialBehaviour,
    LabelProbability,
    Link,
    Person,
    ShotLabel,
    behaviour,
    written,
)
from .viewer_rules import kind_of, load_folder

quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


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
