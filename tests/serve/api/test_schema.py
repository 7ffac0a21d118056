"""The API holds what its description says, whatever it is sent (Schemathesis)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as budget
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.serve.conftest import Acting, add_user

from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, Jobs, Limits, ServerSettings
from videoannotator.serve.store.schema import metadata

ROUNDS = int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "4"))
"""Examples for each operation."""

_CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
)


@schemathesis.serializer("application/offset+octet-stream")
def _as_it_is(ctx: Any, value: Any) -> Any:
    """Bytes of an upload go as they are."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description of a server, as its clients get it, with the server behind it."""
    folder: Path = tmp_path_factory.mktemp("schema")
    settings = ServerSettings(
        data_dir=folder / "data",
        roots=(folder / "root",),
        access=Access(hosts=("testserver", "localhost")),
        jobs=Jobs(poll=0.05),
        limits=Limits(user_streams=10_000),
    )
    (folder / "root").mkdir()
    service = Service.of(settings)
    metadata.create_all(service.database.engine)
    app = create_app(service)
    yield schemathesis.openapi.from_asgi("/openapi.json", Acting(app, add_user(service, "admin")))
    service.close()


_ONLY = os.environ.get("VIDEOANNOTATOR_TEST_OPERATION", "")
"""Part of ``METHOD /path``, to look at some operations alone."""


def test_the_api_holds_its_description(described: Any) -> None:
    wrong = []
    for found in described.get_all_operations():
        operation = found.ok()
        # streams that stay open by design have tests of their own
        if operation.path.endswith("/events/stream") or _ONLY not in operation.label:
            continue
        try:
            _fuzzed(operation)
        except Exception as error:  # noqa: BLE001 - all findings are told, not the first one alone
            wrong.append(f"{operation.label}: {type(error).__name__}: {str(error)[:3000]}")
    assert not wrong, "\n\n".join(wrong)


def _fuzzed(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @budget(
        max_examples=ROUNDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: Any) -> None:
        case.validate_response(case.call(), checks=_CHECKS)

    holds()


def test_every_operation_is_described(described: Any) -> None:
    document = described.raw_schema
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("description") or operation.get("summary"), where
            assert any(status.startswith("2") for status in operation["responses"]), where
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], where
