"""Exact is the default; fast is asked for, acts where a pipeline knows how, and is said where it does not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from tests.run.pipelines import CATALOG, SIGNAL, spec

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.errors import ConfigError, PluginLoadError
from videoannotator.run import segments
from videoannotator.run.plan import Plan
from videoannotator.run.resources import ResourceManager
from videoannotator.shell.main import main
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of, check_pipeline

posix = pytest.mark.skipif(sys.platform == "win32", reason="processes of their own are tested on POSIX")


@attrs.frozen
class ThirdsConfig:
    weights: str | None = attrs.field(default=None, metadata={"help": "any file"})


class Thirds(va.Pipeline[ThirdsConfig]):
    """A third for every frame, in the type that its model was built for."""

    def setup(self) -> None:
        context = self.context
        if context.precision == "fast":
            context.dtype = "float16"
            context.notice("counts in halves of a word")
            context.notice("counts in halves of a word")
        built = {"exact": np.float32, "fast": np.float16}[context.precision]
        if self.config.weights:
            built = context.load(self.config.weights, lambda file: built)
        self.third = float(built(1) / built(3))

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        return va.Table.of(va.Signal, time=batch.time, name="third", value=[self.third] * len(batch))


class FailsWhenFast(va.Pipeline[None]):
    def process(self, batch: va.FrameBatch) -> None:
        if self.context.precision == "fast":
            raise ZeroDivisionError


class ForgetsWhenFast(va.Pipeline[None]):
    """Remembers in fast mode what it does not tell."""

    def begin(self) -> None:
        self.seen = 0

    def process(self, batch: va.FrameBatch) -> va.Table[va.Signal]:
        self.seen += self.context.precision == "fast"
        return va.Table.of(va.Signal, time=batch.time, name="x", value=[float(self.seen)] * len(batch))


def made(cls: str, **more: Any) -> va.PipelineSpec:
    one = spec(cls.lower(), cls, va.Frames(), precisions=("exact", "fast"), **more)
    return attrs.evolve(one, pipeline=f"{__name__}:{cls}")


THIRDS = made("Thirds", config=f"{__name__}:ThirdsConfig")
AFTER = attrs.evolve(
    spec("after_thirds", "Quiet", va.Frames(), va.Output("thirds"), gives={"x": SIGNAL}), pipeline=f"{__name__}:After"
)


class After(va.Pipeline[None]):
    """Gives the rows of thirds again."""

    def process(self, batch: va.FrameBatch) -> None:
        return None

    def finish(self) -> Any:
        found = self.context.output("thirds")
        assert found is not None
        return found.tables["x"]

    def state(self) -> Any:
        return ()

    def restore(self, state: Any) -> None:
        pass


MINE = Catalog({**CATALOG.pipelines, **catalog_of(THIRDS, AFTER).pipelines}, {})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=20, rate=10, sound="tone")


def annotate(path: Path, names: list[str], **more: Any) -> va.Result:
    with va.Annotator(names, catalog=MINE, **more) as annotator:
        return annotator.annotate(path, progress=False)


def planned(path: Path, names: list[str], **more: Any) -> Plan:
    with va.Annotator(names, catalog=MINE, **more) as annotator:
        return annotator.plan(path)


def cached(result: va.Result) -> dict[str, bool]:
    return {record.name: record.cached for record in result.provenance.pipelines}


def records(result: va.Result) -> Mapping[str, Any]:
    return {record.name: record for record in result.provenance.pipelines}


def value(result: va.Result) -> float:
    (only,) = set(result["thirds"].x.value.tolist())
    return float(only)


@pytest.mark.parametrize("isolation", [None, pytest.param("process", marks=posix)])
def test_fast_reaches_the_pipeline_and_the_provenance(clip: Path, isolation: Any) -> None:
    exact = annotate(clip, ["thirds"], cache=False, isolation=isolation)
    fast = annotate(clip, ["thirds"], cache=False, isolation=isolation, precision="fast")
    assert (value(exact), value(fast)) == (float(np.float32(1) / np.float32(3)), float(np.float16(1) / np.float16(3)))
    one, other = records(exact)["thirds"], records(fast)["thirds"]
    assert (one.precision, one.dtype, one.notices) == ("exact", "float32", ())
    assert (other.precision, other.dtype) == ("fast", "float16")
    assert other.notices == ("counts in halves of a word",), "once, however often it is said"


def test_what_a_pipeline_says_of_itself_is_an_event(clip: Path) -> None:
    with va.Annotator(["thirds"], catalog=MINE, cache=False, precision="fast") as annotator:
        said = [event for event in annotator.stream(clip) if isinstance(event, va.Notice)]
    assert said == [va.Notice("thirds", "counts in halves of a word")]


@pytest.mark.parametrize(
    ("precision", "says"),
    [
        ("fats", "precision is 'exact' or 'fast', for all or by pipeline name; got 'fats'"),
        (None, "got None"),
        ({"thirds": "quick"}, "got 'quick'"),
        ({"third": "fast"}, "precision of 'third', which does not run (did you mean 'thirds'?)"),
    ],
)
def test_another_precision_is_refused(precision: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        va.Annotator(["thirds"], catalog=MINE, precision=precision)


@pytest.mark.parametrize("precisions", [("fast",), (), ("exact", "quick")])
def test_a_spec_declares_exact_and_perhaps_fast(precisions: Any) -> None:
    with pytest.raises(PluginLoadError, match=r"PipelineSpec\.precisions is"):
        spec("one", "Quiet", va.Frames(), precisions=precisions)


def test_the_plan_says_who_is_fast_and_who_cannot_be(clip: Path) -> None:
    plan = planned(clip, ["thirds", "watch"], precision="fast")
    assert plan.precision == "fast"
    assert {p.name: p.precision for p in plan.pipelines} == {"thirds": "fast", "watch": "exact"}
    assert "thirds 1.0 (MIT) on cpu, fast" in str(plan)
    assert "watch 1.0 (MIT) on cpu, exact (it has no fast mode)" in str(plan)
    assert "none of these pipelines has a fast mode" not in str(plan)
    plan = planned(clip, ["thirds", "watch"])
    assert plan.precision == "exact"
    assert "fast" not in str(plan)


def test_where_nobody_is_faster_the_plan_says_so(clip: Path) -> None:
    plan = planned(clip, ["watch"], precision="fast")
    assert "note: fast was asked for, and none of these pipelines has a fast mode" in str(plan)


def test_by_name(clip: Path) -> None:
    plan = planned(clip, ["thirds", "watch"], precision={"watch": "fast"})
    assert {p.name: p.precision for p in plan.pipelines} == {"thirds": "exact", "watch": "exact"}
    assert plan.precision == "fast"
    result = annotate(clip, ["thirds", "watch"], cache=False, precision={"thirds": "fast"})
    assert {name: record.precision for name, record in records(result).items()} == {"thirds": "fast", "watch": "exact"}


def test_fast_is_another_question_to_those_it_concerns_and_to_nobody_else(clip: Path) -> None:
    names = ["thirds", "after_thirds", "watch"]
    annotate(clip, names)
    first = annotate(clip, names, precision="fast")
    assert cached(first) == {"thirds": False, "after_thirds": False, "watch": True}
    again = annotate(clip, names, precision="fast")
    assert cached(again) == dict.fromkeys(names, True)
    assert again.pipelines == first.pipelines
    assert records(again)["thirds"].precision == "fast"
    assert records(again)["thirds"].notices == ("counts in halves of a word",)
    exact = annotate(clip, names)
    assert cached(exact) == dict.fromkeys(names, True)
    assert value(exact) != value(again)


def test_a_killed_fast_run_goes_on_as_fast(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_EVERY", 0.0)
    monkeypatch.setattr(segments, "_SHARE", 0)
    with va.Annotator(["thirds"], catalog=MINE, precision="fast") as annotator:
        events = annotator.stream(clip)
        while not isinstance(next(events), va.RowsReady):
            pass
        events.close()  # type: ignore[attr-defined]  # a generator
    exact = annotate(clip, ["thirds"])
    assert value(exact) == float(np.float32(1) / np.float32(3)), "nothing of the fast run is in it"
    assert not any("taken up" in notice for notice in records(exact)["thirds"].notices)
    fast = annotate(clip, ["thirds"], precision="fast")
    assert len(fast["thirds"].x) == 20
    assert value(fast) == float(np.float16(1) / np.float16(3))
    assert any("taken up" in notice for notice in records(fast)["thirds"].notices)
    assert records(fast)["thirds"].notices.count("counts in halves of a word") == 1


def test_a_model_that_was_built_for_one_is_not_given_to_the_other(clip: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"0")
    resources = ResourceManager()
    settings: dict[str, Any] = {"config": {"thirds": {"weights": str(weights)}}, "cache": False, "resources": resources}
    with va.Annotator(["thirds"], catalog=MINE, **settings) as keeps:
        keeps.annotate(clip, progress=False)
        fast = annotate(clip, ["thirds"], precision="fast", **settings)
        assert value(fast) == float(np.float16(1) / np.float16(3))


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_rerun_does_what_the_record_says(clip: Path, tmp_path: Path, precision: Any) -> None:
    result = annotate(clip, ["thirds", "watch"], precision=precision)
    (folder,) = result.export(tmp_path)
    found = va.rerun(va.read(folder), progress=False, catalog=MINE)
    assert found, str(found)
    assert not any("precision" in what for what in found.made)


def test_a_comparison_tells_precisions_apart(clip: Path) -> None:
    found = va.compare(annotate(clip, ["thirds"]), annotate(clip, ["thirds"], precision="fast"))
    assert found.made["thirds precision"] == ("exact", "fast")
    assert found.made["thirds dtype"] == ("float32", "float16")


def test_the_native_format_keeps_it_and_reads_files_from_before(clip: Path, tmp_path: Path) -> None:
    result = annotate(clip, ["thirds"], precision="fast")
    (folder,) = result.export(tmp_path)
    assert va.read(folder).provenance == result.provenance
    manifest = folder / "manifest.json"
    plain = json.loads(manifest.read_text("utf-8"))
    assert plain["provenance"]["pipelines"][0].pop("precision") == "fast"
    manifest.write_text(json.dumps(plain), "utf-8")
    assert records(va.read(folder))["thirds"].precision == "exact"


def test_the_contract_is_kept_in_both(tmp_path: Path) -> None:
    check_pipeline("thirds", tmp_path, catalog_=MINE)


@pytest.mark.parametrize(
    ("cls", "says"),
    [("FailsWhenFast", "fast, on the clip 'plain'.*ZeroDivision"), ("ForgetsWhenFast", "fast, on the clip.*restore")],
)
def test_the_contract_finds_what_breaks_only_when_fast(tmp_path: Path, cls: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_pipeline(cls.lower(), tmp_path, catalog_=catalog_of(made(cls)))


def test_the_command_takes_it(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Catalog(MINE.pipelines, va.catalog().formats)
    monkeypatch.setattr("videoannotator.shell.annotating.catalog", lambda: found)
    monkeypatch.setattr("videoannotator.run.annotator._installed", lambda: found)
    named = ["--pipelines", "thirds,watch", "--precision", "fast"]
    assert main(["plan", str(clip), *named]) == 0
    assert "on cpu, fast" in capsys.readouterr().out
    assert main(["annotate", str(clip), *named, "--out", str(tmp_path), "--format", "native"]) == 0
    result = va.read(tmp_path / "clip.videoannotator")
    assert records(result)["thirds"].precision == "fast"
    assert "no fast mode" not in capsys.readouterr().err
    assert main(["annotate", str(clip), "--pipelines", "watch", "--precision", "fast", "--out", str(tmp_path)]) == 0
    assert "none of these pipelines has a fast mode: they run as exact" in capsys.readouterr().err
    assert main(["plan", str(clip), "--precision", "fats"]) == 2
