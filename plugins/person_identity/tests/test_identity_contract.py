"""The pipeline in the real engine, behind a tracker whose rows are known."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.errors import ConfigError, DataError, ModelError
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_person_identity import Gallery, enrol, enrol_pictures, videoannotator_pipelines

(SPEC,) = videoannotator_pipelines()

TRACKER = '''
"""Two boxes that move to the right, one of them missing in every fourth frame: a tracker without a network."""

import numpy as np
from videoannotator import Detection, Pipeline, Table


class Tracker(Pipeline):
    given = 0

    def begin(self):
        self.given += 2

    def state(self):
        return self.given

    def restore(self, state):
        self.given = state

    def process(self, batch):
        width, height = batch.source_width, batch.source_height
        rows = [(f, t, k) for f, t in zip(batch.frame, batch.time) for k in (0, 1) if k == 0 or f % 4]
        left = np.array([width * (0.1 + 0.4 * k) + 0.2 * (f % 20) for f, _, k in rows])
        return Table.of(
            Detection,
            frame=[r[0] for r in rows], time=[r[1] for r in rows], label="person", score=0.9,
            x1=left, y1=height * 0.1, x2=left + width * 0.3, y2=height * 0.9,
            track=[self.given + r[2] - 1 for r in rows],
        )
'''


@pytest.fixture
def tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalog with that tracker as ``person_tracking``, seen by other processes, too."""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "made_tracker.py").write_text(TRACKER)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    tracker = va.PipelineSpec(
        name="person_tracking",
        version="1.0",
        needs=(va.Frames(),),
        gives={"detections": "videoannotator.data.rows:Detection"},
        pipeline="made_tracker:Tracker",
        licence="MIT",
    )
    return catalog_of(tracker, SPEC)


def test_contract(tmp_path: Path, tracked: Catalog, osnet: Path) -> None:
    results = check_pipeline("person_identity", tmp_path, config={"weights": str(osnet)}, catalog_=tracked)
    plain = results["plain"]["person_identity"]
    assert len(plain.persons) == 2
    assert {row.kind for row in plain.looks} == {"appearance"}
    assert np.linalg.norm(plain.looks[0].vector) == pytest.approx(1, abs=1e-3)


def _run(path: Path, catalog: Catalog, **config: Any) -> va.Result:
    with va.Annotator(
        ["person_identity"], config={"person_identity": config}, catalog=catalog, cache=False
    ) as annotator:
        result = annotator.annotate(path, progress=False)
    assert result.ok, result.failures
    return result


def test_without_weights_no_picture_is_asked_for(assets: Path, tracked: Catalog) -> None:
    result = _run(assets / "video" / "shot_change.mp4", tracked, weights=None)["person_identity"]
    assert len(result.persons) == 2
    assert len(result.looks) == 0


def test_any_batch_gives_the_same(assets: Path, tracked: Catalog, osnet: Path) -> None:
    clip = assets / "video" / "shot_change.mp4"
    tables = []
    for batch in (1, 16):
        catalog = catalog_of(tracked.pipeline("person_tracking").spec, attrs.evolve(SPEC, batch=batch))
        tables.append(_run(clip, catalog, weights=str(osnet))["person_identity"].tables)
    assert all(tables[0][name] == tables[1][name] for name in SPEC.gives)


def test_persons_are_known_again_and_others_stay_unknown(
    assets: Path, tracked: Catalog, osnet: Path, tmp_path: Path
) -> None:
    clip = assets / "video" / "shot_change.mp4"
    first = _run(clip, tracked, weights=str(osnet))
    assert all(person.name is None for person in first["person_identity"].persons)
    file = tmp_path / "known.npz"
    gallery = enrol(first, {1: "Ann"}, file)
    assert gallery.names == ("Ann",)
    assert Gallery.read(file).known[0].vector == pytest.approx(gallery.known[0].vector)
    again = _run(clip, tracked, weights=str(osnet), gallery=str(file))["person_identity"].persons
    assert again[0].name == "Ann"
    assert again[0].name_score > 0.8
    assert [person.name for person in again].count("Ann") == 1
    with pytest.raises(DataError, match="no person 99"):
        enrol(first, {99: "Bob"})


def test_a_gallery_of_other_weights_is_refused(tmp_path: Path, osnet: Path, assets: Path, tracked: Catalog) -> None:
    from PIL import Image

    folder = tmp_path / "people" / "Ann"
    folder.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 80, 3), dtype=np.uint8)).save(folder / "1.png")
    gallery = enrol_pictures(tmp_path / "people", osnet, tmp_path / "known.npz")
    assert [known.name for known in gallery.known] == ["Ann"]
    other = Gallery(tuple(attrs.evolve(known, model="0" * 64) for known in gallery.known))
    file = other.save(tmp_path / "other.npz")
    with va.Annotator(
        ["person_identity"],
        config={"person_identity": {"weights": str(osnet), "gallery": str(file)}},
        catalog=tracked,
        cache=False,
    ) as annotator:
        result = annotator.annotate(assets / "video" / "shot_change.mp4", progress=False)
    (failure,) = result["person_identity"].failures
    assert "different models cannot be compared" in failure.message
    with pytest.raises(ModelError, match="cannot be compared"):
        other.of("appearance", "1" * 64)


def test_files_that_are_no_gallery_are_refused(tmp_path: Path, osnet: Path) -> None:
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(DataError, match="no gallery"):
        Gallery.read(tmp_path / "text.npz")
    with pytest.raises(DataError, match=r"is a \.npz file"):
        Gallery().save(tmp_path / "known.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in folders"):
        enrol_pictures(tmp_path / "empty", osnet)
    (tmp_path / "people" / "Ann").mkdir(parents=True)
    (tmp_path / "people" / "Ann" / "1.jpg").write_text("no")
    with pytest.raises(DataError, match="no picture that can be read"):
        enrol_pictures(tmp_path / "people", osnet)


def test_hints_win(assets: Path, tracked: Catalog) -> None:
    clip = assets / "video" / "shot_change.mp4"
    result = _run(
        clip, tracked, weights=None, hints=[{"time": 0.1, "x": 100.0, "y": 180.0, "role": "mother", "name": "Eve"}]
    )
    told = [person for person in result["person_identity"].persons if person.role]
    assert [(p.role, p.role_method, p.role_score, p.name, p.name_score) for p in told] == [
        ("mother", "hint", None, "Eve", None)
    ]


def test_settings_are_checked() -> None:
    from videoannotator.discover.config import config_of, needs_of

    with pytest.raises(ConfigError, match="two or three different words"):
        config_of(SPEC, {"role_labels": ["adult"]})
    with pytest.raises(ConfigError, match="link"):
        config_of(SPEC, {"link": 1.5})
    frames = [need for need in needs_of(SPEC, config_of(SPEC, {"weights": None})) if isinstance(need, va.Frames)]
    assert frames == []


def test_nothing_heavy_is_imported_to_know_of_it() -> None:
    import subprocess
    import sys

    code = "import sys, videoannotator_person_identity as p; p.videoannotator_pipelines(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"onnx", "onnxruntime", "scipy", "PIL", "av", "torch"} & set(loaded)
