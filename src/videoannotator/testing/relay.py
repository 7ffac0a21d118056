"""What a pipeline says of its past is all of it: another object that is told goes on as if it were the first.

This is what taking up a killed run, and doing a batch again for which memory was short, rest on.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.result import Result
from videoannotator.data.table import Table
from videoannotator.decode.batching import Batcher
from videoannotator.decode.passes import DecodePass
from videoannotator.discover.models import ModelKey, ModelStore
from videoannotator.discover.pipeline import Context, Loader, Pipeline, Rows
from videoannotator.discover.specs import load
from videoannotator.run.plan import Plan, PlannedPipeline

__all__ = ["check_state"]

_BATCH = 3
"""Frames in a batch: few, so that a short clip has many borders between them."""


def check_state(plan: Plan, name: str, result: Result, where: str) -> None:
    """Run the pipeline ``name`` of ``plan`` twice, once with a new object for every call; the rows must be the same.

    ``result``: of a run of the plan, for the rows of others that the pipeline reads. Raises `AssertionError`.
    """
    planned = next(p for p in plan.pipelines if p.name == name)
    batches, audio = _decoded(plan, planned)
    models = _Models()

    def fresh() -> Pipeline[Any]:
        context = Context(
            media=plan.media,
            span=plan.span,
            batch=_BATCH,
            precision=planned.precision,
            models=planned.entry.spec.models,
            store=ModelStore(),
            outputs={n.pipeline: result[n.pipeline] for n in planned.outputs if n.pipeline in result},
            audio=audio,
            loader=models.others(),
        )
        made: Pipeline[Any] = load(planned.entry.spec.pipeline)(planned.config, context)
        made.setup()
        made.begin()
        return made

    try:
        _check(planned, batches, fresh, where)
    finally:
        models.close()


def _check(planned: PlannedPipeline, batches: list[FrameBatch], fresh: Callable[[], Pipeline[Any]], where: str) -> None:
    runner = _Runner(fresh())
    assert runner.pipeline._resumable, (
        f"{where}: it takes frames and has a last word, but no state(): a run that was killed could not go on. "
        "Write state() and restore(), even if it remembers nothing: return ()"
    )
    alone = _rows(planned, runner, batches)
    runner = _Runner(fresh(), fresh)
    relay = _rows(planned, runner, batches)
    for output in planned.entry.spec.gives:
        assert alone.get(output) == relay.get(output), (
            f"{where}: with a new object for every call, told by restore() what state() gave, {output} is another: "
            "something is remembered that state() does not tell"
        )


class _Models:
    """Two of each model, which objects have in turn: what one remembers in its model, the next does not find there.

    A model for every object would show no more, and loading them takes most of the time.
    """

    def __init__(self) -> None:
        self._loaded: tuple[dict[ModelKey, Any], ...] = ({}, {})
        self._objects = 0

    def others(self) -> Loader:
        """For the next object: other models than the one before has."""
        self._objects += 1
        kept = self._loaded[self._objects % 2]

        def load_once(key: ModelKey, build: Callable[[], Any], *, concurrent: bool) -> Any:
            if key not in kept:
                kept[key] = build()
            return kept[key]

        return load_once

    def close(self) -> None:
        for model in (model for kept in self._loaded for model in kept.values()):
            close = getattr(model, "close", None)
            if callable(close):
                close()


class _Runner:
    """Makes the calls; with ``fresh``, each on a new object that was told what the one before remembered."""

    def __init__(self, pipeline: Pipeline[Any], fresh: Any = None) -> None:
        self.pipeline = pipeline
        self._fresh = fresh

    def process(self, batch: FrameBatch) -> Rows:
        rows = self.pipeline.process(batch)
        self._hand_over(lambda: self.pipeline.process(batch))
        return rows

    def finish(self) -> Iterator[Rows]:
        while True:
            given = self.pipeline.finish()
            if not isinstance(given, Iterator):
                yield given
                return
            for rows in given:
                yield rows
                if self._fresh is not None:
                    break
            else:
                return
            self._hand_over(lambda: None)

    def _hand_over(self, spoil: Any) -> None:
        """``spoil``: what the old object does before its state is used, which must not change it."""
        if self._fresh is None:
            return
        state = self.pipeline.state()
        told = pickle.dumps(state)
        spoil()
        assert pickle.dumps(state) == told, f"{type(self.pipeline).__name__}: later calls change what state() gave"
        self.pipeline.close()
        self.pipeline = self._fresh()
        if state is not None:
            self.pipeline.restore(pickle.loads(told))  # noqa: S301 - written two lines above


def _rows(planned: PlannedPipeline, runner: _Runner, batches: list[FrameBatch]) -> dict[str, Table[Any]]:
    parts: dict[str, list[Table[Any]]] = {}

    def keep(rows: Rows) -> None:
        named: Mapping[str, Table[Any]] = rows if isinstance(rows, Mapping) else {}
        if isinstance(rows, Table):
            named = {next(iter(planned.entry.spec.gives)): rows}
        for output, table in named.items():
            if len(table):
                parts.setdefault(output, []).append(table)

    try:
        for batch in batches:
            keep(runner.process(batch))
        for piece in runner.finish():
            keep(piece)
    finally:
        runner.pipeline.close()
    return {output: Table.concat(tables) for output, tables in parts.items()}


def _decoded(plan: Plan, planned: PlannedPipeline) -> tuple[list[FrameBatch], AudioTrack | None]:
    needs = [planned.frames] if planned.frames is not None else []
    if not needs and planned.audio is None:
        return [], None
    batches: list[FrameBatch | None] = []
    sounds = [planned.audio] if planned.audio is not None else []
    with DecodePass(plan.media, needs, sounds) as decoding:
        if needs:
            batcher = Batcher(plan.media, needs[0], 0, _BATCH)
            batches.extend(map(batcher.add, decoding))
            batches.append(batcher.flush())
        else:
            list(decoding)  # reads the sound, and gives nothing
        return [batch for batch in batches if batch is not None], next(iter(decoding.tracks.values()), None)
