"""`IsolatedPipeline`: a pipeline in a process of its own, called like any other."""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from videoannotator import errors
from videoannotator.data.convert import structure, unstructure
from videoannotator.data.frames import AudioTrack, FrameBatch
from videoannotator.data.outcome import ModelRecord
from videoannotator.discover.packing import pack_spec
from videoannotator.discover.pipeline import Context, Pipeline, Rows
from videoannotator.discover.specs import PipelineSpec
from videoannotator.errors import IsolationError, VideoAnnotatorError
from videoannotator.run.isolation.memory import Block
from videoannotator.run.isolation.process import Process
from videoannotator.run.isolation.wire import Message, Wire, pack_media, pack_result, unpack_rows

__all__ = ["IsolatedPipeline", "PipelineProcessError"]

_LEAVE = 5.0
"""Seconds a process is given to close its pipeline, and to go."""


class PipelineProcessError(Exception):
    """An error in the process of a pipeline, of a kind that only that process knows: ``"Kind: message"``.

    A note holds its traceback there.
    """


class IsolatedPipeline(Pipeline[Any]):
    """Runs the pipeline of ``spec`` in a process of its own, from `setup` to `close`.

    ``plain_config``: its settings as plain values. ``python``: the interpreter of the environment it is installed in.
    ``timeout``: seconds without an answer or progress after which the process is ended. ``importable``: False when the
    classes of its rows are those of another environment, and not to be looked for in this one.

    Errors of `videoannotator.errors` and `MemoryError` are raised as in the same process, others as
    `PipelineProcessError`. Raises `PipelineCrashed` when the process ends by itself, `PipelineHung` when it is silent
    for too long, `IsolationError` when it cannot be started or is not there any more. `state` is bytes.
    """

    def __init__(
        self,
        spec: PipelineSpec,
        plain_config: Mapping[str, Any] | None,
        context: Context,
        *,
        python: str = sys.executable,
        timeout: float = 300.0,
        importable: bool = True,
    ) -> None:
        super().__init__(plain_config, context)
        self.spec = spec
        self._declared = spec.gives if importable else None
        self.python = python
        self.timeout = timeout
        self._process: Process | None = None
        self._end: weakref.finalize[Any, Any] | None = None
        self._remembers = False
        self._goes_on = False
        self._idle = True  # nothing asked that is not answered
        self.taken = 0  # bytes of its device that the process has taken at most
        self._pixels: Block | None = None
        self._sound: AudioTrack | None = None  # the track that the process has

    # the calls ----------------------------------------------------------------------------------------------------

    def setup(self) -> None:
        """Start the process and load the pipeline and its models there."""
        self._process = Process(self.spec.name, self.python, self.timeout)
        self._end = weakref.finalize(self, self._process.end)
        context = self.context
        media, parts = pack_media(context.media)
        body = {
            "spec": pack_spec(self.spec),
            "config": None if self.config is None else unstructure(self.config),
            "media": media,
            "span": unstructure(context.span),
            "device": context.device,
            "threads": context.threads,
            "batch": context.batch,
            "dtype": context.dtype,
            "precision": context.precision,
            "dtypes": context.dtypes,
            "download": context.store.download,
            "folder": str(context.store.folder),
        }
        told = self._call("setup", body, parts).body
        self._remembers, self._goes_on = told["remembers"], told["resumable"]

    def begin(self) -> None:
        """A stretch of time begins."""
        self._call("begin", {"span": unstructure(self.context.span)})

    def process(self, batch: FrameBatch) -> Rows:
        """The rows of a batch of frames. The pixels are copied once, into memory that the process sees."""
        if self._pixels is None or self._pixels.size < batch.pixels.nbytes:
            if self._pixels is not None:
                self._pixels.close()
            self._pixels = Block(batch.pixels.nbytes)
        block = self._pixels
        block.write(batch.pixels)
        body = {
            "block": block.header(),
            "shape": list(batch.pixels.shape),
            "color": batch.color,
            "source_width": batch.source_width,
            "source_height": batch.source_height,
        }
        answer = self._call("process", body, [batch.frame.tobytes(), batch.time.tobytes()])
        return unpack_rows(answer.body, answer.parts, self._declared)

    def finish(self) -> Rows | Iterator[Rows]:
        """The last rows; piece by piece where the pipeline gives them so."""
        track = self.context._audio
        if track is None or track is self._sound:
            answer = self._call("finish", {"audio": None, "same": track is not None})
        else:
            sound = Block(track.samples.nbytes)
            try:
                sound.write(track.samples)
                audio = {
                    "block": sound.header(),
                    "shape": list(track.samples.shape),
                    "rate": track.rate,
                    "start": track.start,
                }
                self._sound = track
                answer = self._call("finish", {"audio": audio})
            finally:
                sound.close()
        if answer.body["pieces"]:
            return self._pieces()
        return unpack_rows(answer.body, answer.parts, self._declared)

    def _pieces(self) -> Iterator[Rows]:
        while not (answer := self._call("next")).body["end"]:
            yield unpack_rows(answer.body, answer.parts, self._declared)

    def state(self) -> bytes | None:
        """What the pipeline remembers, as bytes that a process of the same environment can read."""
        if not self._remembers:
            return None
        answer = self._call("state")
        return None if answer.body["none"] else bytes(answer.parts[0])

    @property
    def _resumable(self) -> bool:
        return self._goes_on

    def restore(self, state: bytes) -> None:
        """Take back what `state` gave."""
        self._call("restore", parts=[state])

    def close(self) -> None:
        """Close the pipeline, and end its process, in this order where it still answers."""
        process, self._process = self._process, None
        try:
            if process is not None and self._idle:
                process.timeout = min(self.timeout, _LEAVE)
                self._process = process
                self._call("close")
        finally:
            self._process = None
            if process is not None:
                process.end(_LEAVE if self._idle else 0.0)
            if self._end is not None:
                self._end.detach()
            if self._pixels is not None:
                self._pixels.close()
                self._pixels = None

    # what is behind them ------------------------------------------------------------------------------------------

    def _call(self, kind: str, body: Mapping[str, Any] | None = None, parts: Sequence[Any] = ()) -> Message:
        """Ask the process, and serve it until it answers."""
        process = self._process
        if process is None or process.wire is None or not self._idle:
            raise IsolationError(f"the process of {self.spec.name} is not there any more; make the pipeline anew")
        doing = f"it was in {'finish' if kind == 'next' else kind}()"
        self._idle = False
        try:
            process.wire.send(kind, body, parts)
            while True:
                process.wait(doing)
                message = process.wire.receive()
                if message.kind in ("answer", "error"):
                    break
                self._serve(process.wire, message)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            process.crashed(doing)
        self._idle = True
        self._learn(message)
        if message.kind == "error":
            raise _error_of(message.body)
        return message

    def _learn(self, message: Message) -> None:
        """What every answer tells besides."""
        context = self.context
        context.dtype = message.body.get("dtype", context.dtype)
        self.taken = message.body.get("taken", self.taken)
        for plain in message.body.get("models", ()):
            record = structure(ModelRecord, plain)
            if record not in context.models_used:
                context.models_used.append(record)
        if self._pixels is None:
            return
        self._pixels.unlink()  # it has been found: from now on it goes with the two processes
        # the pipeline still looks at these pictures, or has perhaps never seen them: the next are put elsewhere
        if message.body["kept"] or message.kind == "error":
            self._pixels.close()
            self._pixels = None

    def _serve(self, wire: Wire, message: Message) -> None:
        """What the process asks or tells in the middle of a call."""
        if message.kind == "log":
            _log(message.body)
        elif message.kind == "progress":
            self.context.report(message.body["fraction"])
            wire.send("go_on")
        elif message.kind == "notice":
            self.context.notice(message.body["text"])
            wire.send("go_on")
        elif message.kind == "output":
            result = self.context.output(message.body["name"])
            plain, parts = (None, []) if result is None else pack_result(result)
            wire.send("result", {"result": plain}, parts)


def _log(body: Mapping[str, Any]) -> None:
    logger = logging.getLogger(body["name"])
    if logger.isEnabledFor(body["level"]):
        record = logger.makeRecord(body["name"], body["level"], "", 0, body["message"], (), None)
        record.exc_text = body.get("trace")
        logger.handle(record)


def _error_of(body: Mapping[str, Any]) -> BaseException:
    """The error that the process described."""
    kind = getattr(errors, body["kind"], None)
    made: BaseException
    if body["kind"] == "MemoryError":
        made = MemoryError(body["message"])
    elif isinstance(kind, type) and issubclass(kind, VideoAnnotatorError):
        made = kind.__new__(kind)  # the message is complete: it must not be put together a second time
        made.args = (body["message"],)
        if body["path"] is not None:
            made.path = body["path"]  # type: ignore[attr-defined]  # a MediaError
    else:
        made = PipelineProcessError(body["message"])
    made.add_note("in the process of the pipeline:\n" + body["trace"].rstrip())
    return made
