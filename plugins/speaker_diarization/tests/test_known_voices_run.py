"""Known voices on real voices: enrolled in one recording, called by name in the next, by real networks."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from plugins.speaker_diarization.tests.conftest import SPEC

import videoannotator as va
from videoannotator.errors import DataError
from videoannotator.run.cache import ResultCache
from videoannotator.testing.contract import catalog_of
from videoannotator_speaker_diarization import Gallery, Known, calibrated, enrol, enrol_recordings

RATE = 16000


def write(path: Path, samples: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def run(path: Path, weights: Path, *, cache: Any = False, **config: Any) -> va.Result:
    settings = {"speaker_diarization": {"weights": str(weights), **config}}
    with va.Annotator(
        ["speaker_diarization"], config=settings, catalog=catalog_of(SPEC), cache=cache, download=False
    ) as annotator:
        return annotator.annotate(path, progress=False)


@pytest.fixture(scope="module")
def halves(sample: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two recordings of the same two people: the second goes on with silence. Other sound the small networks, fitted
    to this one, do not take apart well enough."""
    folder = tmp_path_factory.mktemp("visits")
    return write(folder / "first.wav", sample), write(
        folder / "second.wav", np.concatenate([sample, np.zeros(2 * RATE)])
    )


@pytest.fixture(scope="module")
def first(halves: tuple[Path, Path], community: Path) -> va.Result:
    result = run(halves[0], community)
    assert result.ok, result.failures
    return result


@pytest.fixture(scope="module")
def second(halves: tuple[Path, Path], community: Path) -> va.Result:
    result = run(halves[1], community)
    assert result.ok, result.failures
    return result


def who_is(result: va.Result, truth: Any) -> dict[str, str]:
    """Speaker of the result -> speaker of the reference: whose time they share most of."""
    shared: dict[str, dict[str, float]] = {}
    for turn in result["speaker_diarization"].turns:
        for segment, _, who in truth.itertracks(yield_label=True):
            both = min(turn.end, segment.end) - max(turn.start, segment.start)
            mine = shared.setdefault(turn.speaker, {})
            mine[who] = mine.get(who, 0.0) + max(0.0, both)
    return {speaker: max(times, key=lambda who: times[who]) for speaker, times in shared.items()}


@pytest.fixture(scope="module")
def truth(assets: Path) -> Any:
    from plugins.speaker_diarization.tests.fitting import reference_of

    return reference_of(assets, "sample_two_speakers")


def test_who_was_enrolled_in_one_recording_is_called_by_name_in_the_next(
    first: va.Result, halves: tuple[Path, Path], community: Path, truth: Any, tmp_path: Path
) -> None:
    really = who_is(first, truth)
    assert len(set(really.values())) == 2
    gallery = enrol(first, {speaker: f"Person {who}" for speaker, who in really.items()}, tmp_path / "voices.npz")
    assert len(gallery.names) == 2
    again = run(halves[1], community, gallery=str(tmp_path / "voices.npz"))
    assert again.ok, again.failures
    rows = again["speaker_diarization"]
    assert set(rows.turns.speaker) == set(gallery.names)
    for speaker, who in who_is(again, truth).items():
        assert speaker == f"Person {who}"
    for voice in rows.voices:
        assert voice.speaker == voice.name == voice.nearest
        assert voice.label.startswith("SPEAKER_")
        assert voice.likeness > 0.5
    assert set(rows.exclusive.speaker) <= set(gallery.names)
    (written,) = (file for file in again.export(tmp_path, formats=["rttm"]) if file.stem.endswith("_turns"))
    assert "Person%20" in written.read_text()
    assert any(model.name == "voices.npz" for model in again.provenance.pipelines[0].models)


def test_who_is_not_in_the_gallery_stays_a_number(
    first: va.Result, second: va.Result, halves: tuple[Path, Path], community: Path, truth: Any, tmp_path: Path
) -> None:
    really = who_is(first, truth)
    speaker, who = next(iter(really.items()))
    enrol(first, {speaker: "Anna"}, tmp_path / "anna.npz")
    again = run(halves[1], community, gallery=str(tmp_path))["speaker_diarization"]
    named = {voice.label: voice.name for voice in again.voices}
    assert sorted(named.values(), key=str) == ["Anna", None]
    unknown = next(voice for voice in again.voices if voice.name is None)
    assert (unknown.speaker, unknown.nearest) == (unknown.label, "Anna")
    assert set(again.turns.speaker) == {"Anna", unknown.label}
    before = [(turn.start, turn.end, turn.score) for turn in second["speaker_diarization"].turns]
    assert [(turn.start, turn.end, turn.score) for turn in again.turns] == before, "names change nothing else"
    assert {who_is(second, truth)[label] for label, name in named.items() if name == "Anna"} == {who}


@pytest.fixture(scope="module")
def recordings(sample: np.ndarray, truth: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each of the two alone, twice: ``NAME/1.wav``, ``NAME/2.wav``."""
    folder = tmp_path_factory.mktemp("people")
    for who in truth.labels():
        mine = np.zeros(len(sample), dtype=bool)
        for other in truth.labels():
            for segment in truth.label_timeline(other):
                part = slice(round(segment.start * RATE), round(segment.end * RATE))
                mine[part] = other == who if other == who else False
        alone = sample[mine]
        for number, part in enumerate(np.array_split(alone, 2)):
            write(folder / f"Person {who}" / f"{number}.wav", part)
    return folder


def test_recordings_of_one_voice_each_make_a_gallery(
    recordings: Path, halves: tuple[Path, Path], community: Path, truth: Any, tmp_path: Path
) -> None:
    gallery = enrol_recordings(recordings, community, tmp_path / "voices.npz")
    assert len(gallery.known) == 4
    measured = calibrated(gallery)
    assert measured.error == 0
    assert measured.same.max() < 0.5 < measured.different.min()
    again = run(halves[1], community, gallery=str(recordings))
    assert again.ok, again.failures
    for speaker, who in who_is(again, truth).items():
        assert speaker == f"Person {who}"
    network = community / "embedding" / "pytorch_model.bin"
    by_file = enrol_recordings(recordings, network)
    for one, other in zip(gallery.known, by_file.known, strict=True):
        assert (one.name, one.model) == (other.name, other.model)
        assert np.array_equal(one.vector, other.vector)


def test_recordings_that_say_nothing_are_refused(community: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recordings in folders named after persons"):
        enrol_recordings(tmp_path, community)
    write(tmp_path / "Anna" / "silence.wav", np.zeros(RATE))
    with pytest.raises(DataError, match=r"silence\.wav is too short for a voice print, or silent"):
        enrol_recordings(tmp_path, community)
    write(tmp_path / "Anna" / "silence.wav", np.ones(RATE // 4))
    with pytest.raises(DataError, match="too short"):
        enrol_recordings(tmp_path, community)
    (tmp_path / "Anna" / "a.txt").write_text("Anna")
    with pytest.raises(DataError, match="is no recording of a voice"):
        enrol_recordings(tmp_path, community)


def test_what_cannot_be_enrolled(first: va.Result) -> None:
    with pytest.raises(DataError, match="no speaker 'SPEAKER_17'; it has SPEAKER_00"):
        enrol(first, {"SPEAKER_17": "Anna"})
    with pytest.raises(DataError, match="needs a name"):
        enrol(first, {"SPEAKER_00": "SPEAKER_01"})
    mute = first["speaker_diarization"]
    rows = [attrs.evolve(row, vector=None) for row in mute.voices]
    tables = {**mute.tables, "voices": va.Table.from_rows(type(rows[0]), rows)}
    other = attrs.evolve(first, pipelines={"speaker_diarization": attrs.evolve(mute, tables=tables)})
    with pytest.raises(DataError, match="too little for a voice print"):
        enrol(other, {"SPEAKER_00": "Anna"})
    with pytest.raises(DataError, match="no speaker_diarization"):
        enrol(attrs.evolve(first, pipelines={}), {"SPEAKER_00": "Anna"})


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: Gallery((Known("Anna", "cd" * 32, np.ones(256, np.float32), 3.0),)).save(path), "enrol the"),
        (lambda path: path.write_text("Anna"), "is no gallery"),
        (lambda path: None, "no file or folder"),
    ],
)
def test_a_gallery_that_cannot_be_used_is_a_failure_before_anything_is_heard(
    make: Callable[[Path], Any], says: str, halves: tuple[Path, Path], community: Path, tmp_path: Path
) -> None:
    make(tmp_path / "voices.npz")
    (failure,) = run(halves[0], community, gallery=str(tmp_path / "voices.npz")).failures
    assert says in failure.message


def test_another_gallery_in_the_same_place_is_another_question(
    first: va.Result, sample: np.ndarray, community: Path, tmp_path: Path
) -> None:
    short = sample[18 * RATE : 28 * RATE]
    path, cache = write(tmp_path / "short.wav", short), ResultCache(tmp_path / "cache")
    said = []
    for name in ("Anna", "Berta", "Berta"):
        enrol(first, {"SPEAKER_00": name}, tmp_path / "voices.npz")
        result = run(path, community, cache=cache, gallery=str(tmp_path / "voices.npz"))
        nearest = {voice.nearest for voice in result["speaker_diarization"].voices} - {None}
        said.append((nearest, result.provenance.pipelines[0].cached))
    assert said == [({"Anna"}, False), ({"Berta"}, False), ({"Berta"}, True)]
