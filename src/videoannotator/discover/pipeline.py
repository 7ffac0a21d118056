"""What a pipeline is: the class a plugin author writes, and what the house hands to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.media import MediaInfo
from videoannotator.data.outcome import ModelRecord
from videoannotator.data.result import PipelineResult
from videoannotator.data.table import Table
from videoannotator.data.time import TimeSpan
from videoannotator.discover.models import ModelFile, ModelStore
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import PlanError

__all__ = ["Context", "Pipeline", "Rows"]

ConfigT = TypeVar("ConfigT")

Rows = Table[Any] | Mapping[str, Table[Any]] | None
"""What `Pipeline.process` and `Pipeline.finish` return: the table of the one output, tables by output, or nothing."""


def _ignore(fraction: float) -> None:
    """Nobody watches."""


@attrs.define(eq=False)
class Context:
    """What the house hands to a pipeline.

    ``media``: the file. ``span``: what this run looks at. ``device``: ``"cpu"``, ``"cuda:0"``, ``"mps"``: use this one
    and no other. ``threads``: how many processor threads to use at most.
    ``models_used``: filled by `model`, ends in the provenance.
    """

    media: MediaInfo
    span: TimeSpan
    device: str = "cpu"
    threads: int = 1
    models: tuple[ModelSpec, ...] = ()
    store: ModelStore = attrs.field(factory=ModelStore)
    report: Callable[[float], None] = _ignore
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

    def progress(self, fraction: float) -> None:
        """Say how much of a long `Pipeline.finish` is done, 0..1. Raises `CancelledError` when the run is cancelled."""
        self.report(fraction)


class Pipeline(Generic[ConfigT]):
    """A pipeline. Subclass it; write `process` (frames), `finish` (sound, others' rows, the last word), or both.

    One object serves one run of one file; all calls come from one thread, in this order: `setup`, `process` for
    every batch in order of time, `finish`, `close`. After an error only `close` is called.
    """

    def __init__(self, config: ConfigT, context: Context) -> None:
        self.config = config
        self.context = context

    def setup(self) -> None:
        """Load models. Called once, before the first batch."""

    def process(self, batch: FrameBatch) -> Rows:
        """The rows of a batch of frames."""
        raise NotImplementedError(f"{type(self).__name__} needs frames, but has no process()")

    def finish(self) -> Rows:
        """The rows that can be told only at the end. The sound and other pipelines' rows are there now."""
        return None

    def close(self) -> None:
        """Give back what `setup` took. Called always."""
