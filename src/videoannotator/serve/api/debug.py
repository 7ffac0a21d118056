"""Routes under ``/debug`` of older clients: answered with the truth, or with what they became."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from videoannotator import __version__
from videoannotator.serve.api.asking import Admin, Anybody, Serving
from videoannotator.serve.api.models_system import now
from videoannotator.serve.api.operating import Operating
from videoannotator.serve.api.system import statistics, uptime
from videoannotator.serve.errors import GoneError
from videoannotator.serve.operating import machine
from videoannotator.serve.store.workers import WorkerStore

__all__ = ["router"]

router = APIRouter(tags=["debug"], prefix="/debug", deprecated=True)

_GONE: dict[int | str, dict[str, Any]] = {410: {"description": "Gone; `hint` names what it became."}}


@router.get("/server-info")
def server_info(service: Serving, operating: Operating, principal: Admin) -> dict[str, Any]:
    """Now `/system/info`, `/system/health` and `/system/database`."""
    has = machine.system(service.settings.data_dir)
    requests, seconds = operating.metrics.answered()
    return {
        "server": {
            "version": __version__,
            "videoannotator_version": __version__,
            "environment": "production",
            "uptime_seconds": uptime(service),
            "debug_mode": False,
            "api_base_path": "/api/v1",
        },
        "database": {
            "backend": "sqlite" if service.database.is_sqlite else "postgresql",
            "connection_status": "healthy",
            "total_jobs": statistics(service)["total_jobs"],
            "size_mb": round(service.database.size() / 1024**2, 2),
        },
        "pipelines": sorted(service.catalog.pipelines),
        "system": {
            "platform": has["platform"],
            "python_version": has["python_version"],
            "cpu_count": has["cpu_count"],
            "cpu_usage_percent": has["cpu_percent"],
            "memory_total_gb": round(has["memory"]["total"] / 1024**3, 2),
            "memory_used_gb": round(has["memory"]["used"] / 1024**3, 2),
            "memory_usage_percent": has["memory_percent"],
            "gpu": operating.cards.told(),
        },
        "request_stats": {"total_requests": requests, "average_response_time_ms": round(seconds * 1000, 1)},
    }


@router.get("/background-jobs")
def background_jobs(service: Serving, principal: Admin) -> dict[str, Any]:
    """Now `/system/workers`."""
    counts = statistics(service)
    there = [worker for worker in WorkerStore(service.database).all() if worker.age <= service.settings.jobs.lease]
    return {
        "background_processing": {
            "running": bool(there),
            "workers": len(there),
            "poll_interval": service.settings.jobs.poll,
            "max_concurrent_jobs": service.settings.jobs.concurrent,
            "concurrent_jobs": counts["running_jobs"],
        },
        "queue": {"pending": counts["pending_jobs"], "running": counts["running_jobs"]},
        "timestamp": now().isoformat(),
    }


@router.get("/token-info")
def token_info(service: Serving, principal: Anybody) -> dict[str, Any]:
    """Now `/users/me`."""
    return {
        "token": {
            "valid": True,
            "user_id": principal.user_id,
            "username": principal.name,
            "role": principal.role,
            "permissions": sorted(principal.scopes),
            "rate_limit": {"requests": service.settings.limits.per_key},
        }
    }


@router.get("/pipelines", response_class=Response, responses=_GONE)
def pipelines(principal: Anybody) -> Response:
    """Gone: `GET /pipelines` lists them, `GET /pipelines/{name}` tells all of one."""
    raise GoneError("this listed made-up pipelines", hint="GET /api/v1/pipelines, GET /api/v1/pipelines/{name}")


@router.get("/jobs/{job_id}", response_class=Response, responses=_GONE)
def job(principal: Anybody, job_id: str) -> Response:
    """Gone: `GET /jobs/{id}` has the job's real progress, `GET /jobs/{id}/events` what happened."""
    raise GoneError("this told made-up progress", hint="GET /api/v1/jobs/{id}, GET /api/v1/jobs/{id}/events")


@router.get("/request-log", response_class=Response, responses=_GONE)
def request_log(principal: Admin) -> Response:
    """Gone: requests are in the server's log, each with its id."""
    raise GoneError("this was always empty", hint="requests are in the server's log, under their X-Request-ID")


@router.get("/mock-events", response_class=Response, responses=_GONE)
def mock_events(principal: Anybody) -> Response:
    """Gone: `GET /events/stream` tells what really happens."""
    raise GoneError("this told made-up events", hint="GET /api/v1/events/stream")
