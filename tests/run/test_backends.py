"""Several distributions publish one pipeline name: the setting ``backend`` chooses, and all else goes by that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.run.backends import ANOTHER, OTHER, OWN, READS, Another, Other, catalog, spec

import videoannotator as va
from videoannotator.discover.models import ModelStore
from videoannotator.discover.packing import pack_spec, unpack_spec
from videoannotator.discover.readiness import readiness
from videoannotator.discover.settings import entry_of
from videoannotator.errors import ConfigError, NameClashError, PluginLoadError, UnknownPipelineError
from videoannotator.shell import weights as weights_command
from videoannotator.shell.choosing import choose
from videoannotator.shell.listing import describe_text, overview
from videoannotator.shell.main import Exit, main
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import check_pipeline, check_spec

ALL = catalog(OTHER, OWN, READS, ANOTHER)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=10, rate=10)


@pytest.fixture
def weights(tmp_path: Path) -> str:
    path = tmp_path / "o.bin"
    path.write_bytes(b"o")
    return str(path)


def test_without_a_choice_the_one_without_a_backend_else_the_first_by_name() -> None:
    assert ALL.pipeline("says").spec is OWN
    assert [entry.spec.backend for entry in ALL.backends("says")] == [None, "another", "other"]
    assert [entry.spec.name for entry in ALL.entries] == ["reads", "says", "says", "says"]
    assert catalog(OTHER, ANOTHER).pipeline("says").spec is ANOTHER
    assert ALL.backends("absent") == ()


@pytest.mark.parametrize(
    "twice", [(OWN, attrs.evolve(OWN, version="2")), (OTHER, OWN, attrs.evolve(OTHER, version="2"))]
)
def test_two_of_one_backend_or_two_without_raise(twice: tuple[va.PipelineSpec, ...]) -> None:
    with pytest.raises(NameClashError, match="two plugins publish the pipeline 'says'"):
        catalog(*twice)


def test_a_backend_has_a_name_and_is_packed_with_the_spec() -> None:
    with pytest.raises(PluginLoadError, match="backend must be a name"):
        spec("Own", backend="Not a name")
    assert unpack_spec(pack_spec(OTHER)) == OTHER
    assert unpack_spec(pack_spec(OWN)) == OWN


def test_the_setting_chooses_by_value_and_by_object(weights: str) -> None:
    assert entry_of(ALL, "says", {"backend": "other"}).spec is OTHER
    assert entry_of(ALL, "says", Another()).spec is ANOTHER
    assert entry_of(ALL, "says", {"backend": "house"}).spec is OWN
    assert entry_of(ALL, "says", {"level": 2.0}).spec is OWN
    with va.Annotator(["says"], catalog=ALL, config={"says": Other(weights=weights)}) as annotator:
        assert annotator.pipelines == ("says",)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (
            {"backend": "othr"},
            UnknownPipelineError,
            r"'othr' \(did you mean 'other'\?\); installed: house, another, other",
        ),
        ({"backend": "other", "level": 1.0}, ConfigError, "says.level: no such setting"),
        ({"backend": ["other"]}, ConfigError, "says.backend must be one of 'house'"),
        ({"depth": 3.0}, ConfigError, "says.depth: no such setting"),
    ],
)
def test_a_wrong_choice_says_what_is_right(given: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        va.Annotator(["says"], catalog=ALL, config={"says": given})


def test_a_backend_of_ours_that_is_not_installed_says_how_to_have_it() -> None:
    found = catalog(attrs.evolve(ANOTHER, name="person_tracking"))
    with pytest.raises(UnknownPipelineError, match=r"backend 'ultralytics'; installed: another\. Type: pip install"):
        entry_of(found, "person_tracking", {"backend": "ultralytics"})


def test_a_setting_of_that_name_that_is_no_choice_is_the_pipeline_s_own() -> None:
    with pytest.raises(ConfigError, match=r"says\.backend must be one of 'house', got 'x'"):
        va.Annotator(["says"], catalog=catalog(OWN), config={"says": {"backend": "x"}})
    with pytest.raises(ConfigError, match="reads has no settings"):
        va.Annotator(["reads"], catalog=ALL, config={"reads": {"backend": "x"}})


@pytest.mark.parametrize("isolation", [None, "process"])
def test_the_chosen_one_runs_and_others_read_its_rows(clip: Path, weights: str, isolation: Any) -> None:
    settings = {"says": {"backend": "other", "weights": weights}}
    with va.Annotator(["reads"], catalog=ALL, config=settings, isolation=isolation) as annotator:
        plan = annotator.plan(clip)
        result = annotator.annotate(clip, progress=False)
        assert annotator.annotate(clip, progress=False).provenance.pipelines[0].cached
    assert [model.name for model in plan.pipelines[0].models] == [weights]
    assert result.ok, result.failures
    assert set(result["says"].signals.column("name")) == {"other"}
    assert result["reads"].signals[0].name == "other"
    record = result.provenance.pipelines[0]
    assert (record.plugin, record.config["backend"], record.licence) == ("va-other", "other", "MIT")
    assert va.rerun(result, progress=False, catalog=ALL)
    with pytest.raises(UnknownPipelineError, match="not installed with the backend 'other'"):
        va.rerun(result, progress=False, catalog=catalog(OWN, READS, ANOTHER))


def test_another_backend_is_another_question(clip: Path) -> None:
    for backend in ("house", "another"):
        with va.Annotator(["says"], catalog=ALL, config={"says": {"backend": backend}}) as annotator:
            result = annotator.annotate(clip, progress=False)
        assert not result.provenance.pipelines[0].cached
        assert set(result["says"].signals.column("name")) == {backend}


def test_readiness_and_the_list_go_by_backend(own_cache: Path) -> None:
    assert choose(ALL, None, {}, offline=True).names == ("reads", "says")
    chosen = choose(ALL, ["reads"], {"says": {"backend": "other"}}, offline=False)
    assert [model.name for state in chosen.fetched for model in state.fetch] == ["other.bin"]
    assert choose(ALL, None, {"says": {"backend": "another"}}, offline=True).names == ("reads", "says")
    listed = [(one["name"], one["backend"], one["ready"]) for one in overview(ALL)["installed"]]
    assert listed == [("reads", None, True), ("says", None, True), ("says", "another", True), ("says", "other", False)]
    assert readiness(ALL.backends("says")[2], None, ModelStore()).fetch
    assert "backend  other: --set says.backend=other chooses it" in describe_text(ALL.backends("says")[2])


def test_the_contract_holds_for_the_chosen_one(tmp_path: Path) -> None:
    results = check_pipeline("says", tmp_path, config={"backend": "another"}, catalog_=ALL)
    assert set(results["plain"]["says"].signals.column("name")) == {"another"}


def test_the_setting_must_be_there_and_be_only_that() -> None:
    check_spec(OTHER)
    with pytest.raises(AssertionError, match="its spec has the backend 'other', its setting is 'house'"):
        check_spec(spec("Own", backend="other"))


def test_models_are_listed_and_fetched_by_backend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weights_command, "catalog", lambda: ALL)
    assert main(["models", "list", "says:other"]) == Exit.WELL
    assert capsys.readouterr().out.startswith("other.bin\tsays:other\t")
    assert main(["models", "fetch", "says"]) == Exit.WELL, "that backend has no models"
    assert "says uses no model" in capsys.readouterr().err
    path = ModelStore().locate(OTHER.models[0])
    path.parent.mkdir(parents=True)
    path.write_bytes(b"o")
    assert main(["models", "fetch", "says:other"]) == Exit.WELL
    assert capsys.readouterr().out == f"{path}\n"
    assert main(["models", "fetch", "says:third"]) == Exit.USAGE
