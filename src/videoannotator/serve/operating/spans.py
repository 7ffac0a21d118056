"""What is taken out of spans before they leave. Imports OpenTelemetry, so that only `tracing` imports it, when on."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from videoannotator.serve.operating.logs import without_secrets

__all__ = ["WithoutValues"]

_QUERY = "url.query"


class WithoutValues(SpanProcessor):
    """Of the query of an address, the names stay: values are names of videos, and keys of who puts one there."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """When a span begins: FastAPI gives it the query then."""
        query = (span.attributes or {}).get(_QUERY)
        if isinstance(query, str):
            names = [without_secrets(name) for name, _ in parse_qsl(query, keep_blank_values=True)]
            span.set_attribute(_QUERY, urlencode([(name, "*") for name in names], safe="*"))
