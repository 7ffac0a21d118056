"""What a pipeline is: the class a plugin author writes, and what the house hands to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import attrs

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import ModelRecord, Precision
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.models import ModelFile, ModelKey, ModelStore
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import PlanError

__all__ = ["Context", "Loader", "Pipeline", "Rows", "remembers"]

ConfigT = TypeVar("ConfigT")
ModelT = TypeVar("ModelT")

Rows = Table[Any] | Mapping[str, Table[Any]] | None
"""What `Pipeline.process` and `Pipeline.finish` return: the table of the one output, tables by output, or nothing."""


class Loader(Protocol):
    """Keeps models that are loaded: see `Context.load`."""

    def __call__(self, key: ModelKey, build: Callable[[], Any], *, concurrent: bool) -> Any:
        """The model of ``key``, built when it is not there yet."""
        ...


def _ignore(said: object) -> None:
    """Nobody watches."""


def _build_always(key: ModelKey, build: Callable[[], Any], *, concurrent: bool) -> Any:
    """Nobody keeps models."""
    return build()


@attrs.define(eq=False)
class Context:
    """What the house hands to a pipeline.

    ``media``: the file. ``span``: the stretch it is looking at now. ``device``: ``"cpu"``, ``"cuda:0"``, ``"mps"``: use
    this one and no other. ``threads``: how many processor threads to use at most. ``batch``: most frames in a batch.
    ``precision``: ``"exact"``: the numbers that the reference tool gives on this device, the same bits whenever it is
    done again. ``"fast"``, only for a pipeline whose spec declares it: it may compute in a smaller number type, another
    memory layout or another engine, and says in ``dtype`` and with `notice` what it did.
    ``dtype``: in which the models compute; a pipeline that computes in another one says so by setting it in
    `Pipeline.setup`. ``dtypes``: in which it may compute, best first.
    ``models_used``: filled by `model`, ends in the provenance.
    """

    media: MediaInfo
    span: TimeSpan
    device: str = "cpu"
    threads: int = 1
    batch: int = 8
    dtype: str = "float32"
    precision: Precision = "exact"
    dtypes: tuple[str, ...] = ("float32",)
    models: tuple[ModelSpec, ...] = ()
    store: ModelStore = attrs.field(factory=ModelStore)
    report: Callable[[float], None] = _ignore
    tell: Callable[[str], None] = _ignore
    loader: Loader = _build_always
    models_used: list[ModelRecord] = attrs.field(factory=list)
    _audio: AudioTrack | None = None
    _outputs: Mapping[str, PipelineResult] = attrs.field(factory=dict)

    @property
    def audio(self) -> AudioTrack:
        """The sound of the span. There from `Pipeline.finish` on, for a pipeline whose needs name `Audio`."""
        if self._audio is None:
            raise PlanError("there is no sound yet: it is there in finish(), for a pipeline whose needs name Audio")
        return self._audio

    def output(self, pipeline: str) -> PipelineResult | None:
        """The result of a pipeline named by an `Output` need; None when the need is optional and it does not run."""
        return self._outputs.get(pipeline)

    def model(self, name_or_path: str) -> ModelFile:
        """Weights by declared name or local path. Raises `ModelError` when they cannot be had."""
        file = self.store.get(name_or_path, self.models)
        if file.record not in self.models_used:
            self.models_used.append(file.record)
        return file

    def load(
        self,
        name_or_path: str,
        build: Callable[[ModelFile], ModelT],
        *,
        variant: Hashable = (),
        concurrent: bool = False,
    ) -> ModelT:
        """A model, loaded once per process, device and precision, and kept for the next run.

        ``build``: makes it from the file, on `device`, in `dtype`. ``variant``: what else it was built with: the same
        weights with another variant are another model. ``concurrent``: True when it may be used by several threads at
        once (an onnxruntime session may); otherwise only one pipeline at a time computes with it.

        The model belongs to the house: do not close it. Its method ``close()``, if it has one, is called when it is
        given up. Everything that a run remembers belongs into the pipeline, not into the model. Raises what `model`
        and ``build`` raise.
        """
        file = self.model(name_or_path)
        key = ModelKey(file.name, file.sha256, self.device, self.dtype, variant, self.precision)
        model: ModelT = self.loader(key, lambda: build(file), concurrent=concurrent)
        return model

    def notice(self, text: str) -> None:
        """Say how it computes where that may be seen in the numbers. Ends in the provenance, once."""
        self.tell(text)

    def progress(self, fraction: float) -> None:
        """Say how much of a long `Pipeline.finish` is done, 0..1. Raises `CancelledError` when the run is cancelled."""
        self.report(fraction)


class Pipeline(Generic[ConfigT]):
    """A pipeline. Subclass it; write `process` (frames), `finish` (sound, others' rows, the last word), or both.

    One object serves one run of one file; all calls come from one thread, in this order: `setup`; then for every
    stretch of time that was asked for (mostly one, the whole file) `begin`, `process` for every batch in order of
    time, and `finish`; at last `close`. After an error only `close` is called.

    A pipeline that remembers something from one batch to the next (a tracker, a detector of cuts) forgets it in
    `begin` and gives it in `state`. Then a run that was killed goes on where it was, and a batch for which memory
    was short is done again without anything lost or doubled.
    """

    def __init__(self, config: ConfigT, context: Context) -> None:
        self.config = config
        self.context = context

    def setup(self) -> None:
        """Load models. Called once, before anything else."""

    def begin(self) -> None:
        """A stretch of time begins: `Context.span`. What was seen before it says nothing about it."""

    def process(self, batch: FrameBatch) -> Rows:
        """The rows of a batch of frames."""
        raise NotImplementedError(f"{type(self).__name__} needs frames, but has no process()")

    def finish(self) -> Rows | Iterator[Rows]:
        """The rows that can be told only at the end of the stretch. Sound and other pipelines' rows are there now.

        Where this takes long, make it a generator that yields rows piece by piece, with a `state` from which a new
        object can go on: called after `restore`, it gives the pieces that are still missing.
        """
        return None

    def state(self) -> Any:
        """What `process` and `finish` remember, as a value that can be pickled and that later calls do not change.

        Called between batches, often: keep it small. Ids that were given belong to it, too. None: nothing.
        """
        return None

    def restore(self, state: Any) -> None:
        """Take back what `state` gave, in an object of the same settings, after `setup` and `begin`."""
        raise NotImplementedError(f"{type(self).__name__} gives a state(), but has no restore()")

    @property
    def _resumable(self) -> bool:
        """True when a new object can go on in the middle of a stretch: it has a `state`, or nothing to remember.

        One that takes frames and has a last word, but no state, may have gathered what it says then.
        """
        kind = type(self)
        gathers = kind.process is not Pipeline.process and kind.finish is not Pipeline.finish
        return remembers(self) or not gathers

    def close(self) -> None:
        """Give back what `setup` took, except models from `Context.load`. Called always."""


def remembers(pipeline: Pipeline[Any]) -> bool:
    """True for a pipeline that has a `Pipeline.state` of its own."""
    return type(pipeline).state is not Pipeline.state
