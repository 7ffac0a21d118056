"""Known voices: an open set, solved together, kept in files, told apart by real networks on real voices."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from videoannotator.errors import DataError, ModelError
from videoannotator_speaker_diarization.naming import told
from videoannotator_speaker_diarization.voiceprints import Gallery, Known, calibrated, distances

MODEL = "ab" * 32


def known(name: str, *vector: float, model: str = MODEL) -> Known:
    return Known(name, model, np.array(vector, dtype=np.float32), 3.0)


ANNA, BEN = known("Anna", 1, 0, 0), known("Ben", 0, 1, 0)


def names_of(vectors: dict[str, Any], gallery: Gallery, most: float = 0.5) -> dict[str, str | None]:
    return {label: said.name for label, said in told(vectors, gallery, most=most).items()}


# ---- who is whom


def test_a_known_voice_is_called_by_name_and_others_are_not() -> None:
    voices = {"SPEAKER_00": np.array([0.1, 5.0, 0]), "SPEAKER_01": np.array([0, 0, 2.0]), "SPEAKER_02": None}
    found = told(voices, Gallery((ANNA, BEN)), most=0.5)
    assert set(found) == {"SPEAKER_00", "SPEAKER_01"}, "nothing is said of a speaker without a voice print"
    assert (found["SPEAKER_00"].name, found["SPEAKER_00"].nearest) == ("Ben", "Ben")
    assert found["SPEAKER_00"].likeness == pytest.approx(5 / np.hypot(5, 0.1))
    assert found["SPEAKER_01"].name is None
    assert found["SPEAKER_01"].likeness == pytest.approx(0)


def test_all_are_solved_together() -> None:
    """The first is nearest to Anna, but only it can be Ben: who takes the best first would lose one of the two."""
    voices = {"SPEAKER_00": np.array([1.0, 0.9, 0]), "SPEAKER_01": np.array([1.0, -0.2, 0.3])}
    assert names_of(voices, Gallery((ANNA, BEN))) == {"SPEAKER_00": "Ben", "SPEAKER_01": "Anna"}
    found = told(voices, Gallery((ANNA, BEN)), most=0.5)["SPEAKER_00"]
    assert (found.nearest, found.name) == ("Anna", "Ben")
    assert found.likeness == pytest.approx(0.9 / np.hypot(1, 0.9)), "of the name, not of the nearest"


def test_two_speakers_are_not_one_person() -> None:
    voices = {"SPEAKER_00": np.array([1.0, 0.1, 0]), "SPEAKER_01": np.array([1.0, 0, 0])}
    assert names_of(voices, Gallery((ANNA,))) == {"SPEAKER_00": None, "SPEAKER_01": "Anna"}


def test_several_recordings_of_a_person_are_averaged_by_direction() -> None:
    loud = known("Anna", 0, 100, 0)
    gallery = Gallery((ANNA, loud))
    names, centres = gallery.centres()
    assert names == ("Anna",)
    assert centres == pytest.approx(np.array([[0.5**0.5, 0.5**0.5, 0]]))
    assert told({"SPEAKER_00": np.array([1.0, 1.0, 0])}, gallery, most=0.01)["SPEAKER_00"].likeness == pytest.approx(1)


def test_the_border_counts_and_nothing_beyond_it() -> None:
    voice = {"SPEAKER_00": np.array([0.5, 3**0.5 / 2, 0])}  # 60 degrees from Anna: distance 0.5
    only = Gallery((ANNA,))
    assert names_of(voice, only, 0.5 + 1e-6) == {"SPEAKER_00": "Anna"}
    assert names_of(voice, only, 0.5 - 1e-6) == {"SPEAKER_00": None}
    assert names_of({"SPEAKER_00": np.array([2.0, 0, 0])}, only, 0.0) == {"SPEAKER_00": "Anna"}


def test_nobody_known_and_nobody_there() -> None:
    assert told({"SPEAKER_00": np.ones(3)}, Gallery(), most=2) == {}
    assert told({}, Gallery((ANNA,)), most=2) == {}


VECTOR = arrays(np.float32, 4, elements=st.floats(-1, 1, width=32)).filter(lambda v: np.linalg.norm(v) > 0.1)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[str, NDArray[np.float32]], Gallery, float]:
    voices = draw(st.lists(VECTOR, max_size=4))
    people = draw(st.lists(st.tuples(st.sampled_from(["Anna", "Ben", "Cleo"]), VECTOR), max_size=5))
    gallery = Gallery(tuple(Known(name, MODEL, vector, 1.0) for name, vector in people))
    return {f"SPEAKER_{n:02d}": v for n, v in enumerate(voices)}, gallery, draw(st.floats(0, 2))


@settings(deadline=None)  # the first import of SciPy takes a while
@given(scenes())
def test_an_open_set(scene: tuple[dict[str, NDArray[np.float32]], Gallery, float]) -> None:
    voices, gallery, most = scene
    _, centres = gallery.centres()
    found = told(voices, gallery, most=most)
    if not gallery.known:
        assert found == {}
        return
    assert set(found) == set(voices)
    given_names = [said.name for said in found.values() if said.name is not None]
    assert len(given_names) == len(set(given_names)), "each name once"
    apart = distances(np.array([*voices.values()]).reshape(-1, 4), centres)
    for i, said in enumerate(found.values()):
        assert gallery.names[int(apart[i].argmin())] == said.nearest
        of = gallery.names.index(said.name or said.nearest)
        assert said.likeness == pytest.approx(1 - apart[i, of])
        assert said.name is None or apart[i, of] <= most
    # no other way of giving names lies further within the threshold
    gain = sum(most - apart[i, gallery.names.index(s.name)] for i, s in enumerate(found.values()) if s.name)
    many = max(len(voices), len(gallery.names))
    padded = np.zeros((many, many))
    padded[: len(voices), : len(gallery.names)] = np.maximum(0, most - apart)
    best = max(sum(padded[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(many)))
    assert gain == pytest.approx(best, abs=1e-6)


@settings(deadline=None)
@given(scenes(), st.randoms())
def test_order_and_loudness_change_nothing(
    scene: tuple[dict[str, NDArray[np.float32]], Gallery, float], random: Any
) -> None:
    voices, gallery, most = scene
    before = told(voices, gallery, most=most)
    turned = list(voices.items())
    random.shuffle(turned)
    people = list(gallery.known)
    random.shuffle(people)
    after = told({label: 7 * vector for label, vector in turned}, Gallery(tuple(people)), most=most)
    assert set(after) == set(before)
    for label, said in after.items():  # who is named may change where two are equally good
        if said.name is None and before[label].name is None:
            assert said.likeness == pytest.approx(before[label].likeness, abs=1e-6)
    gains = [sum(most - (1 - said.likeness) for said in found.values() if said.name) for found in (before, after)]
    assert gains[0] == pytest.approx(gains[1], abs=1e-5)


@settings(deadline=None)
@given(scenes(), st.floats(0, 2))
def test_a_wider_threshold_names_no_fewer(
    scene: tuple[dict[str, NDArray[np.float32]], Gallery, float], other: float
) -> None:
    voices, gallery, most = scene
    narrow, wide = (names_of(voices, gallery, value) for value in sorted((most, other)))
    count = [sum(name is not None for name in names.values()) for names in (narrow, wide)]
    assert count[0] <= count[1]


# ---- the file


def test_a_gallery_is_read_as_it_was_saved(tmp_path: Path) -> None:
    gallery = Gallery((ANNA, known("Åsa Öberg", 0.25, -3, 1e-6), known("Anna", 0, 0, 1)))
    read = Gallery.read(gallery.save(tmp_path / "voices.npz"))
    assert read.names == ("Anna", "Åsa Öberg")
    for one, other in zip(gallery.known, read.known, strict=True):
        assert (one.name, one.model, one.seconds) == (other.name, other.model, other.seconds)
        assert np.array_equal(one.vector, other.vector)
    (Gallery((BEN,))).save(tmp_path / "more.npz")
    assert Gallery.read(tmp_path).names == ("Anna", "Ben", "Åsa Öberg")
    assert Gallery().save(tmp_path / "none.npz").is_file()
    assert Gallery.read(tmp_path / "none.npz").known == ()


def test_what_is_no_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.npz"):
        Gallery((ANNA,)).save(tmp_path / "voices.json")
    with pytest.raises(DataError, match="no gallery"):
        Gallery.read(tmp_path / "missing.npz")
    with pytest.raises(DataError, match="holds no gallery"):
        Gallery.read(tmp_path)
    (tmp_path / "text.npz").write_text("Anna")
    with pytest.raises(DataError, match="no gallery"):
        Gallery.read(tmp_path / "text.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    with pytest.raises(DataError, match="no gallery"):
        Gallery.read(tmp_path / "array.npz")
    np.savez(tmp_path / "other.npz", version=np.array(2))
    with pytest.raises(DataError, match="version 2"):
        Gallery.read(tmp_path / "other.npz")
    np.savez(tmp_path / "pickled.npz", version=np.array(1), names=np.array([object()], dtype=object))
    with pytest.raises(DataError, match="no gallery"):
        Gallery.read(tmp_path / "pickled.npz")


def test_a_gallery_of_another_network_is_refused() -> None:
    gallery = Gallery((ANNA, known("Ben", 0, 1, 0, model="cd" * 32)))
    with pytest.raises(ModelError, match=r"cdcdcdcdcdcd.*enrol the speakers anew"):
        gallery.of(MODEL)
    assert Gallery((ANNA,)).of(MODEL).names == ("Anna",)
    with pytest.raises(DataError, match="different lengths"):
        Gallery((ANNA, known("Ben", 0, 1))).centres()


@pytest.mark.parametrize("name", ["", "  ", "SPEAKER_00", "SPEAKER_123"])
def test_names_that_would_be_mistaken_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="needs a name"):
        known(name, 1, 0)


@pytest.mark.parametrize("vector", [(0, 0), (np.nan, 1), (np.inf, 1)])
def test_voice_prints_are_numbers(vector: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="finite"):
        known("Anna", *vector)


# ---- where to draw the line


def test_calibration_lies_between_the_same_and_the_different() -> None:
    gallery = Gallery((ANNA, known("Anna", 1, 0.1, 0), BEN, known("Ben", 0.1, 1, 0.1)))
    measured = calibrated(gallery)
    assert (len(measured.same), len(measured.different)) == (4, 4)
    assert measured.same.max() < measured.distance < measured.different.min()
    assert measured.error == 0
    mixed = calibrated(Gallery((*gallery.known, known("Anna", 0, 1, 0))))
    assert mixed.error > 0
    with pytest.raises(DataError, match="two persons"):
        calibrated(Gallery((ANNA, BEN)))
    with pytest.raises(DataError, match="two persons"):
        calibrated(Gallery((ANNA, ANNA)))
