"""Traces (OpenTelemetry): off unless an address for them is set, and then from the request through to its job.

What is traced: each request (by FastAPI itself, with the caller's ``traceparent``), and each attempt at a job, which
continues the trace of the request that submitted it, wherever it is executed. Nothing of a video or a result is in it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from videoannotator import __version__
from videoannotator.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

__all__ = ["AttemptSpan", "current_trace", "install", "shut_down", "traceparent_for_job"]

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_lock = threading.Lock()
_provider: TracerProvider | None = None


def install(endpoint: str | None, *, exporter: SpanExporter | None = None) -> None:
    """Send traces to ``endpoint`` (OTLP over HTTP, such as ``http://127.0.0.1:4318``). None: nothing is traced.

    Raises `ConfigError` when the extra ``tracing`` is not installed.
    """
    global _provider
    if endpoint is None and exporter is None:
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        from videoannotator.serve.operating.spans import WithoutValues
    except ImportError as error:
        raise ConfigError(
            f"otlp_endpoint = {endpoint!r} asks for traces, and {error.name} is not installed; "
            "type pip install 'videoannotator[tracing]', or leave otlp_endpoint out"
        ) from error
    with _lock:
        if _provider is not None:
            return
        _provider = TracerProvider(
            resource=Resource.create({"service.name": "videoannotator", "service.version": __version__}),
            shutdown_on_exit=False,  # `shut_down` has sent what could be sent
        )
        _provider.add_span_processor(WithoutValues())
        if exporter is not None:
            _provider.add_span_processor(SimpleSpanProcessor(exporter))
        else:
            address = f"{str(endpoint).rstrip('/')}/v1/traces"
            _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
        trace.set_tracer_provider(_provider)


def shut_down(patience: float = 3.0) -> None:
    """Send what is left; a collector that does not answer is not waited for longer than ``patience`` seconds.

    The SDK takes a limit and does not keep to it: it tries again for half a minute, in which systemd would kill us.
    """
    if _provider is not None:
        sending = threading.Thread(target=_provider.force_flush, name="videoannotator:traces", daemon=True)
        sending.start()
        sending.join(patience)


def current_trace() -> str | None:
    """The id of the trace this runs in, as 32 hexadecimal digits; None when nothing is traced."""
    if _provider is None:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def traceparent_for_job(given: str | None) -> str | None:
    """For the row of a job: where its trace goes on (W3C ``traceparent``).

    That is the request at hand when requests are traced here; otherwise what the client has ``given``, if it is one:
    whoever executes the job may trace.
    """
    carrier: dict[str, str] = {}
    if _provider is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent") or (given if given is not None and _TRACEPARENT.fullmatch(given) else None)


class AttemptSpan:
    """One attempt at a job as a span, from its claim to the commit of how it ended. Does nothing when off."""

    def __init__(self, traceparent: str | None, known: Mapping[str, Any]) -> None:
        self._span: Any = None
        if _provider is None:
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({} if traceparent is None else {"traceparent": traceparent})
        self._span = _provider.get_tracer("videoannotator").start_span(
            "job attempt", context=parent, kind=SpanKind.CONSUMER, attributes=_named(known)
        )

    @property
    def trace_id(self) -> str | None:
        """For logs; None when off."""
        return None if self._span is None else f"{self._span.get_span_context().trace_id:032x}"

    def end(self, state: str | None, error: str | None = None) -> None:
        """``state``: of the job afterwards; None when the attempt did not count."""
        if self._span is None:
            return
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attributes(_named({"state": state or "lost", "error_code": error or ""}))
        if state in ("failed", "partial", None):
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end()
        self._span = None


def _named(known: Mapping[str, Any]) -> dict[str, Any]:
    return {f"videoannotator.{name}": value for name, value in known.items()}
