"""The process of an isolated pipeline: ``python -m videoannotator.run.isolation.child``, started by `proxy`.

Its first line on standard input says where the run is to be met, and with which key. After that standard input only
stands open: when it ends, the run is gone, and so is this process.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import numpy as np

from videoannotator import errors
from videoannotator.data.convert import structure, unstructure
from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.result import PipelineResult
from videoannotator.data.time import TimeSpan
from videoannotator.discover.config import config_of
from videoannotator.discover.models import ModelStore
from videoannotator.discover.packing import unpack_spec
from videoannotator.discover.pipeline import Context, Pipeline, Rows, remembers
from videoannotator.discover.specs import load
from videoannotator.run.devices import Machine, is_out_of_memory
from videoannotator.run.isolation.memory import Attached
from videoannotator.run.isolation.wire import (
    Message,
    Parts,
    Wire,
    pack_rows,
    unpack_media,
    unpack_result,
)
from videoannotator.run.threads import algebra_in_one_thread, keep_to

__all__ = ["Child", "main"]

_LOOK = 0.5
"""Seconds between two looks at whether the run is still there."""

Answer = tuple[dict[str, Any], Parts]


class _Forward(logging.Handler):
    """Sends records to the run, where its loggers decide what becomes of them."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._wire = wire

    def emit(self, record: logging.LogRecord) -> None:
        body = {"name": record.name, "level": record.levelno, "message": record.getMessage()}
        if record.exc_info:
            body["trace"] = logging.Formatter().formatException(record.exc_info)
        with suppress(OSError):  # the run is gone, and this process soon will be
            self._wire.send("log", body)


class _Outputs(Mapping[str, PipelineResult]):
    """Results of other pipelines, fetched when they are asked for, once."""

    def __init__(self, ask: Callable[[str, dict[str, Any]], Message]) -> None:
        self._ask = ask
        self._had: dict[str, PipelineResult | None] = {}

    def __getitem__(self, name: str) -> PipelineResult:
        if name not in self._had:
            answer = self._ask("output", {"name": name})
            self._had[name] = unpack_result(answer.body["result"], answer.parts) if answer.body["result"] else None
        found = self._had[name]
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, result in self._had.items() if result is not None])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Child:
    """Answers the calls of a run, one after the other."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._asking = threading.Lock()
        self._pipeline: Pipeline[Any] | None = None
        self._name = ""
        self._pieces: Iterator[Rows] | None = None
        self._block: Attached | None = None
        self._old: list[Attached] = []
        self._before = 0  # bytes of its device that were in use before there was a pipeline
        self._peak: Callable[[], int] = lambda: 0
        self._settle_algebra: Callable[[], None] = lambda: None

    def serve(self) -> None:
        """Answer until the run closes the pipeline, or is gone."""
        with algebra_in_one_thread() as self._settle_algebra:
            self._serve()

    def _serve(self) -> None:
        while True:
            try:
                message = self._wire.receive()
            except (EOFError, OSError):
                return
            kind, body, parts = self._answer(message)
            # only now nothing of the call is left that could hold the pictures
            body["kept"] = self._block is not None and not self._block.free()
            with suppress(OSError):
                self._wire.send(kind, body, parts)
            if message.kind == "close":
                return

    def _answer(self, message: Message) -> tuple[str, dict[str, Any], Parts]:
        try:
            body, parts = getattr(self, f"_on_{message.kind}")(message)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the border: errors cross it as what they say
            kind, body, parts = "error", _described(error), []
        else:
            kind = "answer"
        if self._pipeline is not None:
            context = self._pipeline.context
            body["dtype"] = context.dtype
            body["taken"] = max(0, self._peak() - self._before)
            body["models"] = [unstructure(record) for record in context.models_used]
        return kind, body, parts

    def _ask(self, kind: str, body: dict[str, Any]) -> Message:
        """Ask the run, in the middle of a call of it."""
        with self._asking:
            self._wire.send(kind, body)
            return self._wire.receive()

    def _report(self, fraction: float) -> None:
        self._ask("progress", {"fraction": float(fraction)})

    def _tell(self, text: str) -> None:
        self._ask("notice", {"text": text})

    @property
    def _here(self) -> Pipeline[Any]:
        assert self._pipeline is not None  # noqa: S101 - the run calls setup first
        return self._pipeline

    # the calls ----------------------------------------------------------------------------------------------------

    def _on_setup(self, message: Message) -> Answer:
        body = message.body
        spec = unpack_spec(body["spec"])
        self._name = spec.name
        store = ModelStore(download=body["download"], folder=Path(body["folder"]))
        context = Context(
            media=unpack_media(body["media"], message.parts),
            span=structure(TimeSpan, body["span"]),
            device=body["device"],
            threads=body["threads"],
            batch=body["batch"],
            dtype=body["dtype"],
            precision=body["precision"],
            dtypes=tuple(body["dtypes"]),
            models=spec.models,
            store=store,
            report=self._report,
            tell=self._tell,
            outputs=_Outputs(self._ask),
        )
        machine = Machine()
        self._before, self._peak = machine.held(context.device), machine.watch_peak(context.device)
        self._pipeline = load(spec.pipeline)(config_of(spec, body["config"]), context)
        self._pipeline.setup()
        keep_to(context.threads)
        self._settle_algebra()
        return {"remembers": remembers(self._pipeline), "resumable": self._pipeline._resumable}, []

    def _on_begin(self, message: Message) -> Answer:
        self._pieces = None
        self._here.context.span = structure(TimeSpan, message.body["span"])
        self._here.begin()
        return {}, []

    def _on_process(self, message: Message) -> Answer:
        body = message.body
        batch = FrameBatch(
            frame=np.frombuffer(message.parts[0], np.int64),
            time=np.frombuffer(message.parts[1], np.float64),
            pixels=self._attached(body["block"]).array(tuple(body["shape"]), "uint8"),
            color=body["color"],
            source_width=body["source_width"],
            source_height=body["source_height"],
        )
        return pack_rows(self._name, self._here.process(batch))

    def _on_finish(self, message: Message) -> Answer:
        self._pieces = None
        self._settle_algebra()
        audio = message.body["audio"]
        if audio is not None:
            # a block of its own, that stays as long as the track: others' sound never comes into it
            samples = Attached(audio["block"])
            track = AudioTrack(samples.array(tuple(audio["shape"]), "float32"), audio["rate"], audio["start"])
            self._here.context._audio = track
            self._let_go()
            self._old.append(samples)
        elif not message.body["same"]:
            self._here.context._audio = None
        given = self._here.finish()
        if isinstance(given, Iterator):
            self._pieces = given
            return {"pieces": True}, []
        body, parts = pack_rows(self._name, given)
        return {**body, "pieces": False}, parts

    def _on_next(self, message: Message) -> Answer:
        assert self._pieces is not None  # noqa: S101 - finish() was answered with pieces
        try:
            rows = next(self._pieces)
        except StopIteration:
            self._pieces = None
            return {"end": True}, []
        body, parts = pack_rows(self._name, rows)
        return {**body, "end": False}, parts

    def _on_state(self, message: Message) -> Answer:
        state = self._here.state()
        return {"none": state is None}, [] if state is None else [pickle.dumps(state)]

    def _on_restore(self, message: Message) -> Answer:
        self._here.restore(pickle.loads(message.parts[0]))  # noqa: S301 - made by a process of the same pipeline
        return {}, []

    def _on_close(self, message: Message) -> Answer:
        self._pieces = None
        if self._pipeline is not None:
            self._pipeline.close()
        return {}, []

    def _attached(self, header: dict[str, Any]) -> Attached:
        if self._block is None or self._block.header != header:
            if self._block is not None:
                self._old.append(self._block)
            self._block = Attached(header)
        self._let_go()
        return self._block

    def _let_go(self) -> None:
        """Give up what the pipeline has kept for a while, and keeps no more."""
        for old in self._old:
            old.close()
        self._old = [old for old in self._old if not old.free()]


def _described(error: BaseException) -> dict[str, Any]:
    """An error as plain data. ``kind``: the class of `videoannotator.errors`, or MemoryError, or empty."""
    kind = next((c.__name__ for c in type(error).__mro__ if getattr(errors, c.__name__, None) is c), "")
    if is_out_of_memory(error):
        kind = "MemoryError"
    text = str(error) if kind else f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    return {"kind": kind, "message": text, "path": getattr(error, "path", None), "trace": trace}


def _take_standard_input() -> tuple[int, dict[str, Any]]:
    """The first line, and where the rest will end; the pipeline finds nothing to read there."""
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(lifeline, 1)
        if not more:
            raise SystemExit("the run is gone")
        line += more
    return lifeline, json.loads(line)


def _end_with(lifeline: int, parent: int) -> None:
    """End this process, and what it started, when the run is gone.

    The kernel's own signal for that (PR_SET_PDEATHSIG) comes already when the thread ends that made this process.
    """
    while True:
        if sys.platform == "win32":
            gone = not os.read(lifeline, 1)
        else:
            ready, _, _ = select.select([lifeline], [], [], _LOOK)
            # a process that the run has forked holds the other end open, too
            gone = bool(ready and not os.read(lifeline, 1)) or os.getppid() != parent
        if gone:
            if sys.platform != "win32" and os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os._exit(1)


def main() -> None:
    """Meet the run and answer it."""
    parent = os.getppid()
    lifeline, hello = _take_standard_input()
    threading.Thread(target=_end_with, args=(lifeline, parent), name="lifeline", daemon=True).start()
    listener = Listener(hello["address"], hello["family"], authkey=bytes.fromhex(hello["authkey"]))
    wire = Wire(listener.accept())
    with suppress(FileNotFoundError):  # the run removes its folder once we have met
        listener.close()
    root = logging.getLogger()
    root.addHandler(_Forward(wire))
    root.setLevel(hello["level"])
    Child(wire).serve()
    wire.close()


if __name__ == "__main__":
    main()
