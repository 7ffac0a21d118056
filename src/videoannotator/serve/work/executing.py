"""The work itself: one attempt at a job, done with `Annotator` exactly as the command line does it.

Runs in the process of the job, wherever that is. Knows neither the database nor who asked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from videoannotator.data.outcome import Coverage, Failure
from videoannotator.data.result import Result
from videoannotator.errors import CancelledError, FormatError, VideoAnnotatorError
from videoannotator.run.annotator import Annotator
from videoannotator.run.cache import ResultCache
from videoannotator.run.events import Event, Failed, Finished, Notice, PipelineDone, Progress
from videoannotator.run.plan import Plan
from videoannotator.run.resources import ResourceManager
from videoannotator.serve.failpoints import failpoint
from videoannotator.serve.work.messages import Done, Message, Noted, Progressed, Task
from videoannotator.serve.work.retrying import code_of, failing_code, retries
from videoannotator.serve.work.tabling import add_tables
from videoannotator.serve.work.writing import Written, named, remove_older, write_result

__all__ = ["Stop", "Worked", "execute", "summary_of"]

_log = logging.getLogger(__name__)


class Stop:
    """Somebody's wish that the task at hand ends. Set from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = False
        self._annotator: Annotator | None = None

    def request(self) -> None:
        """End soon."""
        with self._lock:
            self._wanted = True
            annotator = self._annotator
        if annotator is not None:
            annotator.cancel()

    def watch(self, annotator: Annotator | None) -> None:
        """This one is at work now."""
        with self._lock:
            self._annotator = annotator

    def check(self) -> None:
        """Raises `CancelledError` when it is wanted."""
        if self._wanted:
            raise CancelledError("the job was cancelled")


class Worked:
    """What stays warm between tasks: the models of the last one, until the next has taken what it shares with it."""

    def __init__(self) -> None:
        self.resources = ResourceManager()
        self._last: Annotator | None = None

    def annotator(self, task: Task) -> Annotator:
        """The engine for a task; it is kept until there is another. Raises what `Annotator` raises."""
        request = task.request
        return Annotator(
            request.pipelines,
            config=request.config,
            device=[device.strip() for device in (request.device or task.device).split(",")],
            cache=ResultCache(Path(task.cache)),
            isolation=dict.fromkeys(request.isolate, "process"),
            precision=request.precision,
            resources=self.resources,
        )

    def keep(self, annotator: Annotator) -> None:
        """Its models stay; what only the one before it has used goes."""
        if self._last is not None:
            self._last.close()
        self._last = annotator


def execute(task: Task, tell: Callable[[Message], None], stop: Stop, worked: Worked) -> Done:
    """Do it, telling how far it is. Errors that are foreseen are in what comes back; others are raised."""
    try:
        return _executed(task, tell, stop, worked)
    except CancelledError:
        return Done(state="cancelled")
    except (VideoAnnotatorError, OSError, MemoryError) as error:
        return Done(state="failed", code=code_of(error), message=str(error) or type(error).__name__)
    finally:
        stop.watch(None)


def _executed(task: Task, tell: Callable[[Message], None], stop: Stop, worked: Worked) -> Done:
    stop.check()
    remove_older(task)
    annotator = worked.annotator(task)
    try:
        stop.watch(annotator)
        result = _annotated(annotator, task, tell, stop)
    finally:
        worked.keep(annotator)
    state, code, message = _judged(result)
    if code is not None and retries(code, attempt=task.attempt, max_attempts=task.max_attempts, before=task.before):
        return Done(state="failed", code=code, message=message)  # the engine keeps what it has for the next attempt
    stop.check()
    tell(Progressed(stage="writing", fraction=1.0, frames=0, media_seconds=0.0, eta=None))
    written = _also_tables(write_result(result, task), result, task)
    if written.failures and state == "completed":
        state, code = "partial", "FORMAT_FAILED"
        message = "; ".join(f"{name}: {said}" for name, said in written.failures.items())
    return Done(
        state=state,
        code=code,
        message=message,
        folder=task.target,
        bytes=written.bytes,
        summary=summary_of(result, annotator.left_out, written),
    )


def _also_tables(written: Written, result: Result, task: Task) -> Written:
    """Where the job names a database for its rows, they go there, too; what stops that is told like a format's."""
    if task.request.db_location is None:
        return written
    try:
        add_tables(named(result, task.name), Path(task.request.db_location), task.job)
    except FormatError as error:
        return attrs.evolve(written, failures={**written.failures, "db_location": str(error)})
    return written


def _annotated(annotator: Annotator, task: Task, tell: Callable[[Message], None], stop: Stop) -> Result:
    request = task.request
    spans: Any = {"start": request.start, "end": request.end, "spans": request.spans}
    tell(Progressed(stage="planning", fraction=0.0, frames=0, media_seconds=0.0, eta=None))
    plan = annotator.plan(task.media, **spans)
    stop.check()
    stages = _Stages(plan)
    events: Iterator[Event] = annotator.stream(task.media, **spans)
    for event in events:
        failpoint("mid-stage")
        if isinstance(event, Finished):
            return event.result
        if isinstance(event, Progress):
            stop.check()  # it may have been wanted before there was a run to cancel
            stage = stages.now
            tell(
                Progressed(
                    stage=stage,
                    fraction=event.fraction,
                    frames=event.frames,
                    media_seconds=event.seconds,
                    eta=event.eta,
                )
            )
        elif isinstance(event, PipelineDone):
            stages.done.add(event.pipeline)
            tell(Noted(pipeline=event.pipeline, message=f"{event.pipeline} is done, {event.seconds:.1f} s"))
        elif isinstance(event, Notice):
            tell(Noted(pipeline=event.pipeline, message=event.message))
        elif isinstance(event, Failed):
            tell(Noted(pipeline=event.failure.pipeline, message=str(event.failure)))
    raise CancelledError("the run ended without a result")


class _Stages:
    """What is being done, in words: the pipelines at work."""

    def __init__(self, plan: Plan) -> None:
        self._stages = [[planned.name for planned in stage] for stage in plan.stages]
        self.done: set[str] = set()

    @property
    def now(self) -> str:
        for stage in self._stages:
            at_work = [name for name in stage if name not in self.done]
            if at_work:
                return ", ".join(at_work)[:100]
        return "finishing"


def _judged(result: Result) -> tuple[Any, str | None, str | None]:
    """State, code and message of a result."""
    if result.ok:
        return "completed", None, None
    failed = [name for name, pipeline in result.pipelines.items() if not pipeline.ok]
    state = "failed" if failed and len(failed) == len(result.pipelines) else "partial"
    said = [str(failure) for failure in result.failures]
    message = "; ".join(said[:5]) + (f" and {len(said) - 5} more" if len(said) > 5 else "")
    failures = [failure for name in failed for failure in result[name].failures]
    return state, failing_code(failures), message


def summary_of(result: Result, left_out: Mapping[str, str], written: Written) -> dict[str, Any]:
    """What a result holds, as plain values: for lists and pages that need not open it.

    ``pipelines``: by name ``ok``, ``rows`` (by output), ``seconds``, ``coverage``, ``failures``, ``models``, ...;
    ``left_out``: pipelines that were not ready, and why; ``files``: by format, names in the result's folder;
    ``format_failures``: formats that could not be written, and why.
    """
    records = {record.name: record for record in result.provenance.pipelines}
    pipelines = {}
    for name, pipeline in result.pipelines.items():
        record = records.get(name)
        pipelines[name] = {
            "ok": pipeline.ok,
            "rows": {output: len(table) for output, table in pipeline.tables.items()},
            "coverage": _coverage(pipeline.coverage),
            "failures": [_failure(failure) for failure in pipeline.failures],
            "seconds": record.seconds if record else None,
            "version": record.version if record else None,
            "device": record.device if record else None,
            "precision": record.precision if record else None,
            "cached": record.cached if record else False,
            "notices": list(record.notices) if record else [],
            "models": [
                {"name": model.name, "source": model.source, "sha256": model.sha256, "licence": model.licence}
                for model in (record.models if record else ())
            ],
        }
    span = result.provenance.span
    return {
        "name": result.stem,
        "span": [span.start, span.end],
        "media": {"duration": result.media.duration, "sha256": result.provenance.media_sha256},
        "pipelines": pipelines,
        "media_failures": [_failure(failure) for failure in result.media_failures],
        "notices": list(result.media.notices),
        "left_out": dict(left_out),
        "files": {name: list(files) for name, files in written.files.items()},
        "format_failures": dict(written.failures),
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "spans": [[span.start, span.end] for span in coverage.spans],
        "duration": coverage.duration,
        "rate": coverage.rate,
    }


def _failure(failure: Failure) -> dict[str, Any]:
    span = failure.span
    return {
        "kind": failure.kind,
        "message": failure.message,
        "pipeline": failure.pipeline,
        "span": None if span is None else [span.start, span.end],
    }
