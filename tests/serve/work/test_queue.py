"""Several machines: PostgreSQL, and workers that are called by the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.work.worker import worker_of


@pytest.fixture
def postgres(postgres_url: str, settings: ServerSettings, empty_postgres: None) -> Iterator[Service]:
    service = Service.of(attrs.evolve(settings, database=postgres_url))
    yield service
    service.close()


def test_a_worker_is_called_and_does_it(postgres: Service, clip: Path, bench_of: Callable[..., Any]) -> None:
    bench = bench_of(postgres, clip)
    works = worker_of(postgres)
    thread = threading.Thread(target=works.run)
    thread.start()
    try:
        first, second = bench.wait(bench.submit("counts"), bench.submit("misbehaves"))
    finally:
        works.stop()
        thread.join(20)
    assert not thread.is_alive()
    assert (first.state, second.state) == ("completed", "failed")
    assert bench.result(first.id).summary["pipelines"]["counts"]["rows"] == {"values": 40}
