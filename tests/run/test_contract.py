"""The contract kit passes good pipelines and catches bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from tests.run import several_models
from tests.run.pipelines import CATALOG, SIGNAL, spec

import videoannotator as va
from videoannotator.testing.contract import catalog_of, check_pipeline, check_spec


class Drifting(va.Pipeline[None]):
    """Frame / rate instead of the file's own times."""

    def process(self, batch: va.FrameBatch) -> Any:
        return va.Table.of(
            va.Detection, frame=batch.frame, time=batch.frame / 30, label="x", score=1.0, x1=0, y1=0, x2=1, y2=1
        )


class Moody(va.Pipeline[None]):
    calls = 0

    def process(self, batch: va.FrameBatch) -> Any:
        Moody.calls += 1
        return va.Table.of(va.Signal, time=batch.time, name="x", value=[float(Moody.calls)] * len(batch))


class Late(va.Pipeline[None]):
    def finish(self) -> Any:
        return va.Table.of(va.Signal, time=[1e6], name="x", value=[1.0])


class FromTheStart(va.Pipeline[None]):
    """Of the span, whenever the sound begins."""

    def finish(self) -> Any:
        return va.Table.of(va.Signal, time=[self.context.span.start], name="x", value=[1.0])


class WantsMore(va.Pipeline[None]):
    def finish(self) -> Any:
        return va.Table.of(
            va.Signal, time=[self.context.audio.time(100)], name="x", value=self.context.audio.samples[100:101]
        )


class Hoards(va.Pipeline[None]):
    """Does not forget the span before."""

    def setup(self) -> None:
        self.frames = 0

    def process(self, batch: va.FrameBatch) -> None:
        self.frames += len(batch)

    def finish(self) -> Any:
        return va.Table.of(va.Signal, time=[self.context.span.start], name="frames", value=[float(self.frames)])


class KeepsToItself(va.Pipeline[None]):
    """Remembers the brightest so far, and tells nobody."""

    def begin(self) -> None:
        self.best = 0

    def process(self, batch: va.FrameBatch) -> Any:
        self.best = max(self.best, int(batch.frame[-1]) % 8)
        return va.Table.of(va.Signal, time=batch.time, name="x", value=[float(self.best)] * len(batch))


class TellsTooLittle(KeepsToItself):
    def state(self) -> Any:
        return 0

    def restore(self, state: Any) -> None:
        self.best = state


class TellsWhatChanges(va.Pipeline[None]):
    def begin(self) -> None:
        self.seen: list[int] = []

    def process(self, batch: va.FrameBatch) -> Any:
        self.seen += batch.frame.tolist()

    def finish(self) -> Any:
        return va.Table.of(va.Signal, time=[self.context.span.start], name="x", value=[float(sum(self.seen))])

    def state(self) -> Any:
        return self.seen

    def restore(self, state: Any) -> None:
        self.seen = state


class Sums(TellsWhatChanges):
    """As it should be."""

    def state(self) -> Any:
        return list(self.seen)


class SaysNothing(TellsWhatChanges):
    state = va.Pipeline.state


class CallsAllOne(va.Pipeline[None]):
    """Gives somebody else the same id in another span."""

    def process(self, batch: va.FrameBatch) -> Any:
        return va.Table.of(
            va.Detection, frame=batch.frame, time=batch.time, label="x", score=1.0, x1=0, y1=0, x2=1, y2=1, track=1
        )


@attrs.frozen
class Weights:
    weights: str = attrs.field(default="", metadata={"help": "a file"})


class Counter:
    """A model with a memory."""

    built = 0

    def __init__(self) -> None:
        Counter.built += 1
        self.seen = 0
        self.closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class HasAModel(va.Pipeline[Weights]):
    def setup(self) -> None:
        self.model = self.context.load(self.config.weights, lambda file: Counter())

    def begin(self) -> None:
        self.model.seen = 0

    def process(self, batch: va.FrameBatch) -> Any:
        assert not self.model.closed
        return va.Table.of(va.Signal, time=batch.time, name="x", value=batch.frame % 7)


class RemembersInItsModel(HasAModel):
    def process(self, batch: va.FrameBatch) -> Any:
        self.model.seen += len(batch)
        return va.Table.of(va.Signal, time=batch.time, name="x", value=[float(self.model.seen)] * len(batch))


def made(cls: str, *needs: Any, **more: Any) -> va.PipelineSpec:
    import attrs

    return attrs.evolve(spec("tried", "Quiet", *needs, **more), pipeline=f"{__name__}:{cls}")


@pytest.mark.parametrize("name", ["watch", "quiet", "loudness"])
def test_good_pipelines_pass(name: str, tmp_path: Path) -> None:
    if name == "watch":  # its settings say nothing of themselves
        with pytest.raises(AssertionError, match="settings without a help text: rate, width"):
            check_pipeline(name, tmp_path, catalog_=CATALOG)
    else:
        results = check_pipeline(name, tmp_path, catalog_=CATALOG)
        sounds = {"late_sound", "few_samples"} if name == "loudness" else set()
        assert set(results) == {"plain", "variable", "upright", "one_frame", "silent"} | sounds


def test_a_state_that_tells_all_passes(tmp_path: Path) -> None:
    check_pipeline("tried", tmp_path, catalog_=catalog_of(made("Sums", va.Frames())))


@pytest.mark.parametrize(
    ("cls", "needs", "gives", "says"),
    [
        ("Drifting", va.Frames(), {"x": "videoannotator.data.rows:Detection"}, "is not the file's"),
        ("Moody", va.Frames(), {"x": SIGNAL}, "two runs gave different rows"),
        ("Late", va.Audio(), {"x": SIGNAL}, "lies outside the file"),
        ("FromTheStart", va.Audio(), {"x": SIGNAL}, "'late_sound', x: time .* lies outside the sound, from 0.3"),
        ("WantsMore", va.Audio(), {"x": SIGNAL}, "'few_samples'.*pipeline_error"),
        ("KeepsToItself", va.Frames(), {"x": SIGNAL}, "x is another: something is remembered that state"),
        ("TellsTooLittle", va.Frames(), {"x": SIGNAL}, "x is another: something is remembered that state"),
        ("TellsWhatChanges", va.Frames(), {"x": SIGNAL}, "later calls change what state"),
        ("SaysNothing", va.Frames(), {"x": SIGNAL}, "has a last word, but no state"),
        ("Hoards", va.Frames(), {"x": SIGNAL}, "changed the x of the next"),
        ("CallsAllOne", va.Frames(), {"x": "videoannotator.data.rows:Detection"}, "share the x of track"),
        ("NoSuchClass", va.Frames(), {"x": SIGNAL}, "cannot be imported"),
    ],
)
def test_bad_pipelines_are_caught(cls: str, needs: Any, gives: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, va.VideoAnnotatorError), match=says):
        check_pipeline("tried", tmp_path, catalog_=catalog_of(made(cls, needs, gives=gives)))


def checked_with_a_model(cls: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"weights")
    tried = attrs.evolve(made(cls, va.Frames(), config=f"{__name__}:Weights"), batch=3)
    check_pipeline("tried", tmp_path, config={"weights": str(tmp_path / "weights.bin")}, catalog_=catalog_of(tried))


def test_a_model_is_loaded_for_what_needs_it_anew_only(tmp_path: Path) -> None:
    Counter.built = 0
    checked_with_a_model("HasAModel", tmp_path)
    assert Counter.built == 1 + 2 * 4, "for all runs, and for each of four clips as two objects have it in turn"


def test_what_is_remembered_in_a_model_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="x is another: something is remembered that state"):
        checked_with_a_model("RemembersInItsModel", tmp_path)


def test_models_need_the_setting_weights() -> None:
    model = va.ModelSpec("m", "https://example.invalid/m", "MIT")
    with pytest.raises(AssertionError, match="no setting 'weights'"):
        check_spec(spec("tried", "Quiet", va.Frames(), models=[model]))
    check_spec(several_models.SPEC)
    with pytest.raises(AssertionError, match=r"by default it uses main\.bin, which it does not declare"):
        check_spec(attrs.evolve(several_models.SPEC, models=several_models.SPEC.models[1:]))
