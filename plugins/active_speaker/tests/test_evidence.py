"""What speaks for a face: movement, synchrony, landmarks; and who faces are, over the recording."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator import PipelineResult, TimeSpan
from videoannotator_active_speaker.deciding import decide
from videoannotator_active_speaker.evidence import Heard, Movement, Seen, of_network, share_moving
from videoannotator_active_speaker.linking import Linked, Recording, Unit, without
from videoannotator_active_speaker.people import People
from videoannotator_active_speaker.seeing import from_landmarks, opening
from videoannotator_active_speaker.sound import Envelope, envelope
from videoannotator_active_speaker.telling import speakers, speaking
from videoannotator_active_speaker.tracks import FaceTrack, InPicture
from videoannotator_active_speaker.turns import Piece, Turn, pieces_of

RATE = 25.0
LONG = 40.0
TIMES = np.arange(0, LONG, 1 / RATE)
Floats = NDArray[np.float64]


def _syllables(seed: int) -> Floats:
    """Something that rises and falls about four times a second, 100 a second."""
    rng = np.random.default_rng(seed)
    bell = np.hanning(27)[1:-1]
    return np.asarray(np.convolve(rng.normal(size=int(LONG * 100) + 24), bell, "valid"))


def _sound(seed: int = 0) -> Envelope:
    return Envelope(0.005, _syllables(seed))


def _seen(talks: Sequence[tuple[float, float]], *, seed: int = 0, late: float = 0.0, moves: bool = True) -> Seen:
    """A mouth that follows the sound of `_sound(seed)`, late by ``late``, in some stretches, and else is still."""
    rng = np.random.default_rng(99 + seed)
    level = _sound(seed).at(TIMES - late)
    on = np.zeros(len(TIMES), dtype=bool)
    for start, end in talks:
        on |= (start <= TIMES) & (end > TIMES)
    mouth = np.where(on, level / np.nanstd(level), 0) + 1.0 * rng.normal(size=len(TIMES))
    activity = np.where(on & moves, 0.6, 0.1) + 0.3 * rng.normal(size=len(TIMES))
    return Seen(TIMES, activity, (mouth,))


def _piece(start: float, end: float, *faces: int, speaker: str | None = "A", alone: bool = True) -> Piece:
    return Piece(0, start, end, speaker, faces, pictured=True, alone=alone)


def test_synchrony_is_found_at_any_lag_that_is_allowed() -> None:
    piece = _piece(2, 12, 1)
    for late in (-0.16, 0.0, 0.16):
        seen = _seen([(0, LONG)], late=late)
        near, far = (
            heard.evidence([ratios])
            for heard in (Heard(_sound(), 0.2), Heard(_sound(), 0.0))
            if (ratios := heard.by_lag(seen, piece)) is not None
        )
        assert near is not None
        assert far is not None
        assert near > 2
        assert far > 2 if late == 0 else far < near
    other = Heard(_sound(5), 0.2)
    ratios = other.by_lag(_seen([(0, LONG)]), piece)
    assert ratios is not None
    against = other.evidence([ratios])
    assert against is not None
    assert against < 0


def test_synchrony_of_strangers_is_worth_nothing_on_average() -> None:
    """A Bayes factor: over mouths that have nothing to do with the sound its mean is about 1."""
    factors = []
    for seed in range(150):
        heard = Heard(_sound(1000 + seed), 0.2)
        ratios = heard.by_lag(_seen([(0, LONG)], seed=seed), _piece(3, 7, 1))
        assert ratios is not None
        factors.append(np.exp(float(heard.evidence([ratios]) or 0)))
    assert 0.3 < np.mean(factors) < 1.6
    assert np.mean(np.array(factors) > 3) < 0.1


def test_little_or_mixed_speech_says_nothing_of_synchrony() -> None:
    heard = Heard(_sound(), 0.2)
    assert heard.by_lag(_seen([]), _piece(1.0, 1.2, 1)) is None
    assert heard.by_lag(_seen([]), _piece(1.0, 5.0, 1, alone=False)) is None
    assert heard.evidence([]) is None
    silence = Heard(Envelope(0.0, np.zeros(4000)), 0.2)
    assert silence.by_lag(_seen([]), _piece(1.0, 5.0, 1)) is None


def test_movement_says_as_much_as_stillness_elsewhere_allows() -> None:
    seen = _seen([(0, 10)])
    moving, still = (Movement.of([(seen, a, b)]) for a, b in ((2.0, 8.0), (20.0, 26.0)))
    assert share_moving([(seen, 10.0, 40.0)]) < 0.15
    assert share_moving([(seen, 0.0, 10.0)]) > 0.6
    assert share_moving([]) == pytest.approx(0.2)
    quiet, restless = moving.evidence(0.05), moving.evidence(0.8)
    assert quiet is not None
    assert restless is not None
    assert quiet == pytest.approx(np.log(0.95 / 0.05), abs=0.1)
    assert restless == pytest.approx(np.log(0.95 / 0.8), abs=0.1)
    assert (still.evidence(0.2) or 0) == pytest.approx(np.log(0.05 / 0.8), abs=0.1)
    assert Movement.of([(seen, 50.0, 60.0)]).evidence(0.2) is None


def test_the_learned_model_is_heard_but_not_without_end() -> None:
    said = np.full(len(TIMES), 1.0)
    seen = Seen(np.empty(0), np.empty(0), (), network=(TIMES, said))
    assert of_network(seen, 1.0, 4.0) == 3.0
    assert of_network(seen, 50.0, 51.0) is None
    assert of_network(Seen(TIMES, said, ()), 1.0, 4.0) is None


def test_what_is_left_of_a_span() -> None:
    assert list(without(TimeSpan(0, 10), [(1, 2), (1.5, 3), (9, 12)])) == [(0, 1), (3, 9)]
    assert list(without(TimeSpan(0, 10), [])) == [(0, 10)]
    assert list(without(TimeSpan(4, 5), [(0, 9)])) == []


def _recording(
    turns: Sequence[Turn], visible: dict[int, list[tuple[float, float]]], seen: dict[int, Seen], **units: Unit
) -> tuple[Recording, Linked]:
    empty = np.empty(0)
    tracks = {
        n: FaceTrack(n, empty, np.empty((0, 5, 2)), empty, tuple(TimeSpan(a, b) for a, b in spans))
        for n, spans in visible.items()
    }
    whose: dict[int, Unit] = {n: units.get(f"t{n}", ("face", n)) for n in tracks}
    pieces = pieces_of(turns, InPicture(tracks), cuts=(), pictures=TimeSpan(0, LONG), window=2.0)
    recording = Recording(turns, pieces, tracks, whose, seen, Heard(_sound(), 0.2))
    return recording, Linked.of(recording, on_screen=0.7, split=0.02)


def test_a_turn_of_which_nothing_is_seen_goes_by_the_others() -> None:
    """The face is too small in the second turn; the voice's first turn has shown whose it is."""
    talk = _seen([(1, 11)])
    hidden = attrs.evolve(talk, activity=np.where(TIMES < 15, talk.activity, np.nan))
    hidden = attrs.evolve(hidden, channels=(np.where(TIMES < 15, talk.channels[0], np.nan),))
    turns = [Turn(1, 11, "A"), Turn(20, 24, "A")]
    recording, linked = _recording(turns, {1: [(0, 40)], 2: [(0, 40)]}, {1: hidden, 2: _seen([], seed=3)})
    decided = decide(recording, linked, on_screen=0.7, sure=0.7)
    assert [one.face for one in decided] == [1, 1]
    assert decided[1].evidence.movement is None
    assert decided[1].recording is not None
    assert decided[1].recording > 2
    (link,) = speakers(linked, 0.7)
    assert (link.speaker, link.face, link.together, link.heard) == ("A", 1, 14.0, 14.0)


def test_a_known_person_is_off_screen_when_others_are_in_the_picture() -> None:
    """Nothing is measured of the stranger, but the voice belongs to somebody known who is elsewhere."""
    turns = [Turn(1, 11, "A"), Turn(20, 24, "A")]
    recording, linked = _recording(
        turns,
        {1: [(0, 15)], 2: [(18, 40)]},
        {1: _seen([(1, 11)])},
        t1=("person", 1),
        t2=("person", 2),
    )
    decided = decide(recording, linked, on_screen=0.7, sure=0.7)
    assert [one.verdict for one in decided] == ["on_screen", "off_screen"]
    rows = speaking(decided, linked, lambda track, time: track)
    assert [(row.face, row.person) for row in rows] == [(1, 1), (None, 1)]
    loose, unlinked = _recording(turns, {1: [(0, 15)], 2: [(18, 40)]}, {1: _seen([(1, 11)])})
    again = decide(loose, unlinked, on_screen=0.7, sure=0.7)
    assert again[1].verdict != "off_screen"  # the second track may be the same person's


def test_where_there_is_no_picture_nothing_is_told() -> None:
    turns = [Turn(38, 42, "A")]
    recording, linked = _recording(turns, {}, {})
    rows = speaking(decide(recording, linked, on_screen=0.7, sure=0.7), linked, lambda track, time: None)
    assert [(row.start, row.end, row.on_screen, row.score) for row in rows] == [
        (38, 40, "off_screen", None),
        (40, 42, "unknown", None),
    ]


def test_landmarks_say_how_far_a_mouth_is_open() -> None:
    points = np.zeros((478, 3), dtype=np.float32)
    points[33], points[263] = (-50, 0, 0), (50, 0, 0)
    points[13], points[14] = (0, 60, 0), (0, 80, 0)
    assert opening(points) == pytest.approx(0.2)
    turned = points @ np.array([[0.5, 0, 0.866], [0, 1, 0], [-0.866, 0, 0.5]], dtype=np.float32)
    assert opening(turned) == pytest.approx(0.2, abs=1e-3)
    assert np.isnan(opening(np.zeros((478, 3))))

    def frames(swing: float, track: int) -> list[Any]:
        found = []
        for n in range(50):
            now = points.copy()
            now[14, 1] = 60 + swing * (1 + np.sin(2 * np.pi * 4 * n / 25))
            found.append(SimpleNamespace(time=n / 25, track=track, points=now))
        return found

    rows = frames(8.0, 1) + frames(0.2, 2)

    class Rows:
        def column(self, name: str) -> Any:
            return np.array([getattr(r, name) for r in rows]) if name != "points" else [r.points for r in rows]

    seen = from_landmarks(Rows())  # type: ignore[arg-type]  # what it reads of a table
    logs = {n: seen[n].logs(0.0, 2.0) for n in (1, 2)}
    assert logs[1] is not None
    assert logs[2] is not None
    assert logs[1][0] > logs[1][1] + 2  # speaks
    assert logs[2][0] < logs[2][1] - 2  # is still
    assert np.isnan(seen[1].activity[0])


def test_persons_come_before_clusters_before_tracks() -> None:
    @attrs.frozen
    class Link:
        face: int | None
        person: int
        start: float
        end: float
        frames: int

    @attrs.frozen
    class Cluster:
        track: int
        cluster: int

    def result(name: str, **tables: list[Any]) -> PipelineResult:
        return PipelineResult(name, tables)  # type: ignore[arg-type]  # lists of rows are all that is read

    empty = np.empty(0)
    tracks = {n: FaceTrack(n, empty, np.empty((0, 5, 2)), empty, ()) for n in (1, 2, 3)}
    identity = result("person_identity", faces=[Link(1, 7, 0, 4, 20), Link(1, 8, 4, 5, 5), Link(None, 9, 0, 1, 1)])
    faces = result("face_analysis", clusters=[Cluster(1, 4), Cluster(2, 4)])
    people = People.of(identity, faces, tracks)
    assert people.units == {1: ("person", 7), 2: ("cluster", 4), 3: ("face", 3)}
    assert [people.owner(1, time) for time in (1.0, 4.5, 9.0)] == [7, 8, 8]
    assert people.owner(2, 1.0) is None


def test_the_level_of_a_sound_is_told_at_its_own_times() -> None:
    from videoannotator import AudioTrack

    rng = np.random.default_rng(0)
    samples = np.zeros(32000, dtype=np.float32)
    samples[16000:24000] = 0.1 * rng.normal(size=8000)
    found = envelope(AudioTrack(samples, 16000, start=2.0))
    loud = found.at(np.array([2.5, 3.25, 3.8]))
    assert loud[1] > loud[0] + 30
    assert loud[1] > loud[2] + 30
    assert np.isnan(found.at(np.array([1.9, 4.1]))).all()
    assert not len(envelope(AudioTrack(np.empty(0, dtype=np.float32), 16000)).level)
    assert len(envelope(AudioTrack(np.zeros(1, dtype=np.float32), 16000)).level) == 0


def test_what_is_believed_before_looking_is_no_answer() -> None:
    for speaker in ("A", None):
        recording, linked = _recording([Turn(1, 5, speaker)], {1: [(0, 40)]}, {})
        decided = decide(recording, linked, on_screen=0.9, sure=0.6)
        assert {(one.verdict, one.score) for one in decided} == {("unknown", None)}
