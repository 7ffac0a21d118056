"""All models of a pipeline count: in the plan, for readiness, in the cache, and when a result is made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.run.several_models import CATALOG

import videoannotator as va
from videoannotator.discover.models import ModelStore
from videoannotator.discover.readiness import readiness
from videoannotator.errors import ModelMismatchError, ModelMissingError
from videoannotator.shell.choosing import choose
from videoannotator.testing.clips import write_clip

ENTRY = CATALOG.pipelines["reads"]


@pytest.fixture
def store(own_cache: Path) -> ModelStore:
    """Where the main model lies, and no other."""
    store = ModelStore()
    main = store.locate(ENTRY.spec.models[0])
    main.parent.mkdir(parents=True)
    main.write_bytes(b"main")
    return store


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=5)


def test_a_model_that_the_settings_do_not_use_is_not_waited_for(store: ModelStore, clip: Path) -> None:
    assert readiness(ENTRY, None, store).ready
    with va.Annotator(catalog=CATALOG) as annotator:
        assert annotator.pipelines == ("reads",)
        assert [model.name for model in annotator.plan(clip).pipelines[0].models] == ["main.bin"]
    with va.Annotator(catalog=CATALOG, config={"reads": {"second": "second.bin"}}) as annotator:
        assert annotator.left_out["reads"].startswith("its model is not on this disk: second.bin (not on disk, 5.0 MB")


def test_the_plan_names_every_model(store: ModelStore, clip: Path) -> None:
    settings = {"reads": {"second": "second.bin", "appearance": {"weights": "looks.bin"}}}
    with va.Annotator(["reads"], catalog=CATALOG, config=settings) as annotator:
        plan = annotator.plan(clip)
    assert [model.name for model in plan.pipelines[0].models] == ["main.bin", "second.bin", "looks.bin"]
    assert [model.name for model in plan.to_fetch] == ["second.bin", "looks.bin"]
    for line in ("model main.bin (on disk, ", "model second.bin (not on disk, 5.0 MB", "model looks.bin (gated, "):
        assert f"   {line}" in str(plan), line


def test_what_is_missing_is_told_with_the_setting_that_names_it(store: ModelStore, tmp_path: Path) -> None:
    second = readiness(ENTRY, {"second": "second.bin"}, store)
    assert [model.name for model in second.fetch] == ["second.bin"]
    assert "use --set reads.second=PATH" in str(second)
    looks = readiness(ENTRY, {"appearance": {"weights": "looks.bin"}}, store)
    assert looks.fetch == ()
    assert "Get them there, then use --set reads.appearance.weights=PATH" in str(looks)
    wrong = readiness(ENTRY, {"appearance": {"weights": "absent"}}, store)
    assert "Set reads.appearance.weights to a path or a declared name" in str(wrong)
    both = readiness(ENTRY, {"second": "second.bin"}, ModelStore(folder=tmp_path))
    assert [model.name for model in both.fetch] == ["main.bin", "second.bin"]
    assert "main.bin (0.0 MB, MIT" in str(both)
    assert "second.bin (5.0 MB, Apache-2.0" in str(both)


def test_one_that_asks_for_an_agreement_stops_a_pipeline_that_was_named(store: ModelStore) -> None:
    chosen = choose(CATALOG, ["reads"], {"reads": {"second": "second.bin"}}, offline=False)
    assert [model.name for state in chosen.fetched for model in state.fetch] == ["second.bin"]
    with pytest.raises(ModelMissingError, match="ask for an agreement first"):
        choose(
            CATALOG,
            ["reads"],
            {"reads": {"second": "second.bin", "appearance": {"weights": "looks.bin"}}},
            offline=False,
        )


def test_another_second_model_is_another_question(store: ModelStore, clip: Path, tmp_path: Path) -> None:
    second = tmp_path / "mine.bin"
    second.write_bytes(b"12345")
    settings = {"reads": {"second": str(second)}}
    with va.Annotator(["reads"], catalog=CATALOG, config=settings) as annotator:
        first = annotator.annotate(clip, progress=False)
        assert annotator.annotate(clip, progress=False).provenance.pipelines[0].cached
        second.write_bytes(b"123456")
        other = annotator.annotate(clip, progress=False)
    assert not other.provenance.pipelines[0].cached
    assert [result["reads"].signals.value.tolist() for result in (first, other)] == [[4, 5], [4, 6]]
    assert [model.name for model in first.provenance.pipelines[0].models] == ["main.bin", "mine.bin"]


def test_made_again_with_every_model_of_then(store: ModelStore, clip: Path, tmp_path: Path) -> None:
    second = tmp_path / "mine.bin"
    second.write_bytes(b"12345")
    with va.Annotator(["reads"], catalog=CATALOG, config={"reads": {"second": str(second)}}, cache=False) as annotator:
        result = annotator.annotate(clip, progress=False)
    assert va.rerun(result, progress=False, catalog=CATALOG)
    second.write_bytes(b"54321")
    with pytest.raises(ModelMismatchError, match=r"weights mine\.bin whose SHA-256 begins with"):
        va.rerun(result, progress=False, catalog=CATALOG)
