"""The API holds what its description says, whatever it is sent (Schemathesis)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
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


schema = schemathesis.pytest.from_fixture("described")


@schema.exclude(path_regex="events").parametrize()
@budget(
    max_examples=ROUNDS,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_holds_its_description(case: Any) -> None:
    response = case.call()
    case.validate_response(response, checks=_CHECKS)


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
