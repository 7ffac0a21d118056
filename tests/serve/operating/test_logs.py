"""The log: one line an event, with what is known, and without secrets. Traces: off, or through to the job."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient
from tests.serve.operating import filling

from videoannotator.errors import ConfigError
from videoannotator.serve.access.requests import REQUEST_ID
from videoannotator.serve.access.secret_keys import made_key
from videoannotator.serve.operating import logs, tracing
from videoannotator.serve.operating.tracing import AttemptSpan, traceparent_for_job
from videoannotator.serve.service import Service
from videoannotator.serve.store.jobs import NewJob


@pytest.fixture
def installed() -> Iterator[Callable[..., io.StringIO]]:
    """``installed("json")``: everything that is logged goes there, until the test is over."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def install(form: str, level: str = "info") -> io.StringIO:
        stream = io.StringIO()
        logs.install(form, level, stream=stream)
        return stream

    yield install
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_json_is_one_object_a_line(installed: Callable[..., io.StringIO]) -> None:
    """With what is known where it was written, whoever writes it, and the error as text."""
    stream = installed("json")
    token = REQUEST_ID.set("r1")
    with logs.about(job_id="j1", attempt=2):
        logging.getLogger("some.library").warning("two\nlines of %s", "ünïcode", extra={"rows": 3})
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("videoannotator").exception("it failed")
    REQUEST_ID.reset(token)
    logging.getLogger("videoannotator").info("outside")
    first, second, third = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert first["message"] == "two\nlines of ünïcode"
    assert (first["level"], first["logger"], first["rows"]) == ("warning", "some.library", 3)
    assert (first["job_id"], first["attempt"], first["request_id"]) == ("j1", 2, "r1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", first["time"])
    assert "ValueError: broken" in second["exception"]
    assert not {"job_id", "request_id", "trace_id"} & third.keys()


def test_text_is_for_people(installed: Callable[..., io.StringIO]) -> None:
    """The same, to read; what has several lines is seen to be one event."""
    stream = installed("text")
    with logs.about(job_id="j1"):
        logging.getLogger("a.b").info("one\ntwo")
    logging.getLogger("a.b").debug("not asked for")
    first, second = stream.getvalue().splitlines()
    assert first.endswith("Z INFO a.b: one")
    assert second == "  two  [job_id=j1]"


def test_installing_twice_writes_once(installed: Callable[..., io.StringIO]) -> None:
    """Also what uvicorn says, which brings handlers of its own, and a level."""
    logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler(io.StringIO()))
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    installed("text")
    stream = installed("text")
    logging.getLogger("uvicorn.error").info("started")
    assert stream.getvalue().count("started") == 1


def _secrets() -> list[str]:
    return [
        made_key()[1],
        "va_" + "A" * 43,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw",
        "hunter2hunter2",
    ]


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_is_written(installed: Callable[..., io.StringIO], form: str) -> None:
    """Neither in messages nor in values, in errors, in addresses."""
    stream = installed(form)
    log = logging.getLogger("careless")
    *keys, password = _secrets()
    for key in keys:
        log.info("key %s", key)
        log.info("with", extra={"header": f"Bearer {key}"})
        log.info("GET /events/stream?job_id=1&token=%s", key)
        try:
            raise ValueError(f"bad key {key!r}")
        except ValueError:
            log.exception("it failed")
    log.info("Authorization: Basic %s", "dXNlcjpodW50ZXIyaHVudGVyMg==")
    log.info("postgresql://me:%s@host/x", password)
    written = stream.getvalue()
    for secret in (*keys, password, "dXNlcjpodW50ZXIy"):
        assert secret not in written
        assert secret[-20:] not in written
    assert "va_***" in written
    assert "me:***@host" in written


@given(st.text(alphabet="abcdefghijklmnop ABC=.:/-_\n0123456789", max_size=200))
def test_other_texts_stay_as_they_are(text: str) -> None:
    """What is no secret is not changed."""
    if not re.search(r"(?i)va_|eyj|bearer|basic|token=|key=|://", text):
        assert logs.without_secrets(text) == text


def test_traces_are_off_by_default(working_traces: None) -> None:
    """Nothing is imported, nothing is sent, no id is made up; what a client has sent goes with the job if it is one."""
    code = "import sys; from videoannotator.serve.operating import tracing; tracing.install(None); assert tracing.current_trace() is None; assert 'opentelemetry' not in sys.modules"  # noqa: E501 - a program
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    good = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    assert traceparent_for_job(good) == good
    for bad in ("", "x" * 500, good.upper(), good + "\n", None):
        assert traceparent_for_job(bad) is None
    AttemptSpan(good, {}).end("completed")


@pytest.fixture
def working_traces() -> Iterator[None]:
    """Traces as they were before the test."""
    before = tracing._provider
    tracing._provider = None
    yield
    tracing._provider = before


def test_traces_that_cannot_be_are_refused(monkeypatch: pytest.MonkeyPatch, working_traces: None) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"pip install 'videoannotator\[tracing\]'"):
        tracing.install("http://127.0.0.1:4318")


def test_trace_goes_from_the_request_to_the_job(
    service: Service, client_of: Callable[..., TestClient], installed: Callable[..., io.StringIO], working_traces: None
) -> None:
    """One trace: the caller's, the request, the row of the job, the attempt; the log lines carry its id."""
    exporter = InMemorySpanExporter()
    tracing.install(None, exporter=exporter)
    stream = installed("json")
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    rows = filling.fill(service.database, jobs=1)
    made: list[str | None] = []

    app = client_of("admin").app.app  # type: ignore[attr-defined]

    @app.get("/submit")
    def submit() -> None:
        logging.getLogger("inside").info("submitting")
        new = NewJob(owner_id=rows["users"][0]["id"], video_id=rows["videos"][0]["id"], request={})
        made.append(service.jobs.submit(new).traceparent)

    answer = client_of("admin").get("/submit", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.status_code == 200
    assert made[0] is not None
    assert made[0].split("-")[1] == trace
    assert made[0].split("-")[2] != "00f067aa0ba902b7", "it goes on from the request here"
    line = next(json.loads(one) for one in stream.getvalue().splitlines() if "submitting" in one)
    assert line["trace_id"] == trace
    assert line["request_id"] == answer.headers["x-request-id"]
    span = AttemptSpan(made[0], {"job_id": "j", "attempt": 1})
    assert span.trace_id == trace
    span.end("partial", "PIPELINE_FAILED")
    found = {one.name: one for one in exporter.get_finished_spans()}
    attempt = found["job attempt"]
    assert attempt.parent is not None
    assert f"{attempt.parent.span_id:016x}" == made[0].split("-")[2]
    assert attempt.attributes["videoannotator.state"] == "partial"
    assert not attempt.status.is_ok
