"""Faces as evidence: the real `face_analysis` with a network for embeddings, and persons whose tracks break."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.discover.models import sha256_of
from videoannotator.errors import DataError, ModelError
from videoannotator.run.cache import ResultCache
from videoannotator.testing.contract import catalog_of
from videoannotator_person_identity import Gallery, by_person, enrol, videoannotator_pipelines

faces = pytest.importorskip("videoannotator_face_analysis", reason="face_analysis is not installed")

(SPEC,) = videoannotator_pipelines()
FACES = next(spec for spec in faces.videoannotator_pipelines() if spec.name == "face_analysis")

TRACKER = '''
"""Mother and infant of caregiver_infant.mp4 where they sit, lost for two seconds and found again as somebody new."""

from videoannotator import Detection, Pipeline, Table

BOXES = {1: (415, 60, 639, 476), 2: (100, 230, 345, 478)}


class Tracker(Pipeline):
    def process(self, batch):
        rows = [
            (frame, time, who + (2 if time > 6 else 0), box)
            for frame, time in zip(batch.frame.tolist(), batch.time.tolist())
            for who, box in BOXES.items()
            if not 4 < time <= 6
        ]
        corners = {name: [row[3][i] for row in rows] for i, name in enumerate(("x1", "y1", "x2", "y2"))}
        return Table.of(
            Detection, frame=[r[0] for r in rows], time=[r[1] for r in rows], label="person", score=0.9,
            track=[r[2] for r in rows], **corners,
        )
'''


def embedder(path: Path, seed: int = 0) -> Path:
    """A network with SFace's input and output: average colours of blocks, less their mean, times a random matrix."""
    random = np.random.default_rng(seed)
    held = {
        "minus": np.float32(127.5),
        "times": np.float32(1 / 128),
        "shape": np.array([0, -1], dtype=np.int64),
        "weights": random.normal(0, 0.05, (3 * 14 * 14, 128)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Sub", ["data", "minus"], ["a"], name="_minusscalar0"),
        helper.make_node("Mul", ["a", "times"], ["b"], name="_mulscalar0"),
        helper.make_node("AveragePool", ["b"], ["c"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Reshape", ["c", "shape"], ["d"]),
        helper.make_node("ReduceMean", ["d"], ["e"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["d", "e"], ["f"]),
        helper.make_node("MatMul", ["f", "weights"], ["fc1"]),
    ]
    taken = [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["N", 3, 112, 112])]
    given = [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, ["N", 128])]
    parameters = [numpy_helper.from_array(np.asarray(value), name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "made", taken, given, parameters)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network for embeddings."""
    return embedder(tmp_path_factory.mktemp("networks") / "faces.onnx")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """That tracker, the real face_analysis and person_identity."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "made_sitters.py").write_text(TRACKER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
        tracker = va.PipelineSpec(
            name="person_tracking",
            version="1.0",
            needs=(va.Frames(),),
            gives={"detections": "videoannotator.data.rows:Detection"},
            pipeline="made_sitters:Tracker",
            licence="MIT",
        )
        yield catalog_of(tracker, FACES, SPEC)


def _run(assets: Path, catalog: Catalog, network: Path, *, cache: Any = False, **config: Any) -> va.Result:
    yunet = assets / "models" / "face_detection_yunet_2026may.onnx"
    looks = {"weights": str(yunet), "embedding": str(network), "same_face": 0.5, "rate": 3.0, "embedding_eyes": 0.0}
    mine = {"weights": None, **config}
    with va.Annotator(
        ["face_analysis", "person_identity"],
        config={"face_analysis": looks, "person_identity": mine},
        catalog=catalog,
        cache=cache,
        download=False,
    ) as annotator:
        return annotator.annotate(assets / "video" / "caregiver_infant.mp4", progress=False)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ResultCache:
    """Faces are looked for once: later runs take them from here, and what they are from with them."""
    return ResultCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def found(assets: Path, catalog: Catalog, network: Path, cache: ResultCache) -> va.Result:
    """A run without body network."""
    result = _run(assets, catalog, network, cache=cache)
    assert result.ok, result.failures
    return result


def _whose(result: va.Result) -> dict[int, int]:
    return {link.track: link.person for link in result["person_identity"].links}


def test_faces_speak_for_a_link(found: va.Result) -> None:
    rows = found["person_identity"]
    assert len(rows.persons) == 2
    whose = _whose(found)
    assert whose[1] == whose[3] != whose[2] == whose[4]
    assert {link.method for link in rows.links} == {"motion+face"}
    (infant, again) = (link for link in rows.links if link.track in (2, 4))
    assert infant.face == again.face > 0.5
    assert again.score > 0.99


def test_faces_that_are_less_alike_than_one_persons_speak_against_it(
    assets: Path, catalog: Catalog, network: Path, cache: ResultCache, found: va.Result
) -> None:
    """By a threshold that no two pictures reach; the same place speaks for it all the same."""
    result = _run(assets, catalog, network, cache=cache, face_threshold=0.97)
    assert result.ok, result.failures
    assert next(record for record in result.provenance.pipelines if record.name == "face_analysis").cached
    strict, plain = (
        next((link.score for link in one["person_identity"].links if link.track == 4), 0.0) for one in (result, found)
    )
    assert strict < 0.9 < 0.99 < plain


def test_looks_of_faces_name_the_network_they_are_from(found: va.Result, network: Path) -> None:
    looks = found["person_identity"].looks
    assert {row.kind for row in looks} == {"face"}
    assert {row.model for row in looks} == {sha256_of(network)}


def test_a_known_face_is_met_again(
    assets: Path, catalog: Catalog, network: Path, cache: ResultCache, found: va.Result, tmp_path: Path
) -> None:
    infant = _whose(found)[2]
    enrol(found, {infant: "Kim"}, tmp_path / "known.npz")
    assert {known.kind for known in Gallery.read(tmp_path / "known.npz").known} == {"face"}
    result = _run(assets, catalog, network, cache=cache, gallery=str(tmp_path / "known.npz"))
    assert result.ok, result.failures
    names = {person.person: person.name for person in result["person_identity"].persons}
    assert names[_whose(result)[2]] == "Kim"
    assert list(names.values()).count("Kim") == 1


def test_faces_of_another_network_are_refused(
    assets: Path, catalog: Catalog, network: Path, cache: ResultCache, found: va.Result, tmp_path: Path
) -> None:
    gallery = enrol(found, {1: "Kim"})
    other = embedder(tmp_path / "other.onnx", seed=1)
    with pytest.raises(ModelError, match="cannot be compared"):
        gallery.of("face", sha256_of(other))
    strange = Gallery(tuple(attrs.evolve(known, model=sha256_of(other)) for known in gallery.known))
    strange.save(tmp_path / "strange.npz")
    result = _run(assets, catalog, network, cache=cache, gallery=str(tmp_path / "strange.npz"))
    (failure,) = result["person_identity"].failures
    assert "face vectors" in failure.message
    assert "cannot be compared" in failure.message


def test_rows_by_person(found: va.Result) -> None:
    rows, seen = by_person(found), found["person_tracking"].detections
    assert len(rows) == len(seen)
    assert set(rows.track.tolist()) == {1, 2}
    assert (np.diff(rows.frame) >= 0).all()
    assert not rows.interpolated.any()
    with pytest.raises(DataError, match="person_identity"):
        by_person(attrs.evolve(found, pipelines={"person_tracking": found["person_tracking"]}))


def test_absences_are_filled_in_on_request(
    assets: Path, catalog: Catalog, network: Path, cache: ResultCache, found: va.Result
) -> None:
    """Two seconds and a frame, in a file whose frames are not evenly spaced."""
    result = _run(assets, catalog, network, cache=cache, fill=3.0)
    assert result.ok, result.failures
    filled, seen = result["person_identity"].filled, result["person_tracking"].detections
    clock = result.media.video.clock.times
    gone = np.flatnonzero((clock > 4) & (clock <= 6))
    assert sorted(filled.frame.tolist()) == sorted(gone.tolist() * 2)
    np.testing.assert_allclose(filled.time, clock[filled.frame])
    rows = by_person(result)
    assert len(rows) == len(seen) + len(filled)
    assert (rows.interpolated == np.isin(rows.frame, gone)).all()
    assert all((row.score is None) == row.interpolated for row in rows)
    assert len(found["person_identity"].filled) == 0
