"""Routes: what this server is, has and does. Health is for everybody; the rest is for admins."""

from __future__ import annotations

import platform
import time
from importlib import metadata as distributions
from pathlib import Path
from typing import Any

import attrs
import psutil
from fastapi import APIRouter, Request
from sqlalchemy import func, select

from videoannotator import __version__
from videoannotator.serve import migrating
from videoannotator.serve.api.asking import Admin, Anybody, Serving
from videoannotator.serve.api.models import moment_text
from videoannotator.serve.api.models_system import (
    ConfigShown,
    DatabaseShown,
    InfoShown,
    MetricsShown,
    Security,
    StorageShown,
    SystemHealth,
    WorkerList,
    WorkerShown,
    now,
)
from videoannotator.serve.api.operating import Operating
from videoannotator.serve.operating import machine
from videoannotator.serve.operating.health import Check, is_ready
from videoannotator.serve.operating.metrics import job_counts
from videoannotator.serve.operating.storage import storage
from videoannotator.serve.service import Service
from videoannotator.serve.store.schema import jobs, metadata
from videoannotator.serve.store.workers import WorkerStore

__all__ = ["configuration", "router", "statistics", "uptime"]

router = APIRouter(tags=["system"], prefix="/system")

_LIBRARIES = ("alembic", "av", "fastapi", "numpy", "psycopg", "pyarrow", "sqlalchemy", "starlette", "torch", "uvicorn")


def uptime(service: Service) -> int:
    """Whole seconds since the server began."""
    return int(time.monotonic() - service.started)


def statistics(service: Service) -> dict[str, int]:
    """How many jobs there are, by the names of older clients; partial ones are completed there, and counted apart."""
    counts = job_counts(service)
    return {
        "total_jobs": sum(counts.values()),
        "pending_jobs": counts["pending"],
        "running_jobs": counts["running"],
        "completed_jobs": counts["completed"] + counts["partial"],
        "partial_jobs": counts["partial"],
        "failed_jobs": counts["failed"],
        "cancelled_jobs": counts["cancelled"],
    }


def configuration(service: Service) -> dict[str, Any]:
    """The settings in force, as plain values, without the password of the database."""

    def plain(instance: type, field: Any, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else [plain(instance, field, one) for one in value] if isinstance(
            value, tuple | frozenset
        ) else value  # fmt: skip

    told = attrs.asdict(service.settings, value_serializer=plain)
    told["database"] = service.database.url.render_as_string(hide_password=True)
    return told


@router.get("/health")
def health(service: Serving, operating: Operating, request: Request) -> SystemHealth:
    """Health in one look, for the Video Annotation Viewer and older clients."""
    checks = operating.health.checks()
    told = {check.name: _told(check) for check in checks}
    known = getattr(request.state, "principal", None) is not None
    names = sorted(service.catalog.pipelines)
    return SystemHealth(
        status="healthy" if is_ready(checks) else "unhealthy",
        timestamp=now(),
        api_version=__version__,
        videoannotator_version=__version__,
        uptime_seconds=uptime(service),
        security=Security(auth_required=service.settings.access.required),
        database=told["database"],
        workers=told["workers"],
        services={
            "database": told["database"],
            "disk": told["disk"],
            "job_queue": "embedded" if service.database.is_sqlite else "postgresql",
            "pipelines": "ready" if names else "none installed",
        },
        pipelines={"total": len(names), "names": names},
        system=machine.system(service.settings.data_dir) if known else None,
        gpu=operating.cards.told() if known else None,
    )


def _told(check: Check) -> dict[str, str]:
    return {"status": "healthy" if check.works else "unhealthy", "message": check.message}


@router.get("/metrics")
def metrics(service: Serving, operating: Operating, principal: Admin) -> MetricsShown:
    """Numbers of jobs and requests, for people and older clients."""
    counts = statistics(service)
    requests, seconds = operating.metrics.answered()
    return MetricsShown(
        timestamp=now(),
        metrics={
            "jobs_total": counts["total_jobs"],
            "jobs_active": counts["pending_jobs"] + counts["running_jobs"],
            **{f"jobs_{name}": counts[f"{name}_jobs"] for name in ("completed", "partial", "failed", "cancelled")},
            **{f"jobs_{name}": counts[f"{name}_jobs"] for name in ("pending", "running")},
            "api_requests_total": requests,
            "response_time_avg": seconds,
            "pipeline_processing_time_avg": operating.metrics.pipeline_seconds(),
            "uptime_seconds": uptime(service),
        },
        performance={
            "cpu_usage": psutil.cpu_percent(),
            "memory_usage": psutil.virtual_memory().percent,
            "disk_usage": machine.disk(service.settings.data_dir)["percent"],
        },
    )


@router.get("/info")
def info(service: Serving, operating: Operating, principal: Anybody) -> InfoShown:
    """Versions, devices, pipelines, formats, and the limits that uploads meet."""
    catalog, limits = service.catalog, service.settings.limits
    return InfoShown(
        videoannotator_version=__version__,
        python_version=platform.python_version(),
        platform=platform.platform(),
        uptime_seconds=uptime(service),
        database="sqlite" if service.database.is_sqlite else "postgresql",
        devices=operating.cards.told(),
        libraries={name: version for name in _LIBRARIES if (version := _version(name)) is not None},
        pipelines=sorted(catalog.pipelines),
        broken_plugins={broken.plugin.name: broken.reason for broken in catalog.broken},
        formats=sorted(catalog.formats),
        limits={
            "upload_bytes": limits.upload_bytes,
            "duration": limits.duration,
            "pixels": limits.pixels,
            "user_jobs": limits.user_jobs,
            "user_streams": limits.user_streams,
        },
    )


def _version(name: str) -> str | None:
    try:
        return distributions.version(name)
    except distributions.PackageNotFoundError:
        return None


@router.get("/config")
def config(service: Serving, principal: Admin) -> ConfigShown:
    """The settings in force, without passwords."""
    return ConfigShown(
        configuration=configuration(service),
        features={
            "authentication": service.settings.access.required,
            "rate_limiting": True,
            "webhooks": False,
            "async_processing": True,
        },
    )


@router.get("/database")
def database(service: Serving, principal: Admin) -> DatabaseShown:
    """Which database, of which revision, how large, and what is in it."""
    version = migrating.current(service.database)
    size = service.database.size()
    connection_info = {
        "database_url": service.database.url.render_as_string(hide_password=True),
        "database_size_bytes": size,
        "database_size_mb": round(size / 1024**2, 2),
    }
    rows = {}
    with service.database.read() as connection:
        for name in ("users", "videos", "batches", "templates"):
            rows[name] = connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one()
    return DatabaseShown(
        backend_type="sqlite" if service.database.is_sqlite else "postgresql",
        schema_version=version.found,
        newest_schema_version=version.newest,
        connection_info=connection_info,
        statistics=statistics(service) | rows,
    )


@router.get("/storage")
def stored(service: Serving, principal: Admin) -> StorageShown:
    """What takes room, and whose it is."""
    told = storage(service.database)
    return StorageShown(disk=machine.disk(service.settings.data_dir), **attrs.asdict(told))


@router.get("/workers")
def workers(service: Serving, principal: Admin) -> WorkerList:
    """Workers, and the jobs they have."""
    lease = service.settings.jobs.lease
    held: dict[str, list[str]] = {}
    with service.database.read() as connection:
        running = select(jobs.c.worker, jobs.c.id).where(jobs.c.state == "running").order_by(jobs.c.id)
        for worker, job in connection.execute(running):
            held.setdefault(worker, []).append(job)
    return WorkerList(
        workers=[
            WorkerShown(
                id=row.id,
                host=row.host,
                pid=row.pid,
                executor=row.executor,
                started_at=moment_text(row.started_at),
                seen_at=moment_text(row.seen_at),
                age_seconds=round(row.age, 1),
                there=row.age <= lease,
                jobs=held.get(row.id, []),
            )
            for row in WorkerStore(service.database).all()
        ]
    )
