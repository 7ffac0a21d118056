"""What the routes for operators give. Shapes that older clients read keep their names; numbers are true or missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from videoannotator.serve.operating.health import Check

__all__ = [
    "Alive",
    "Checked",
    "ConfigShown",
    "DatabaseShown",
    "HealthShown",
    "InfoShown",
    "MetricsShown",
    "Readiness",
    "StorageShown",
    "SystemHealth",
    "WorkerList",
    "WorkerShown",
    "at",
    "now",
]


def at(seconds: float) -> datetime:
    """A moment of the database, to the second, UTC."""
    return datetime.fromtimestamp(int(seconds), UTC)


def now() -> datetime:
    """This moment, to the second, UTC."""
    return datetime.now(UTC).replace(microsecond=0)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    version: str = Field(examples=["2.0.0"])


class Checked(BaseModel):
    """One thing that was looked at."""

    name: Literal["database", "disk", "workers"]
    status: Literal["ok", "warning", "failing"]
    message: str = Field(examples=["SQLite answers in 1 ms"])

    @classmethod
    def of(cls, check: Check) -> Self:
        """From a check."""
        return cls.model_validate({"name": check.name, "status": check.status, "message": check.message})


class Readiness(BaseModel):
    """Whether work can be sent here."""

    status: Literal["ready", "not ready"]
    checks: list[Checked]


class HealthShown(BaseModel):
    """As older clients read it."""

    status: Literal["ok", "unhealthy"]
    version: str
    timestamp: datetime
    details: dict[str, dict[str, str]] | None = None


class Security(BaseModel):
    """What a client must bring."""

    auth_required: bool = Field(description="False: everybody on this machine is let in as admin.")


class SystemHealth(BaseModel):
    """As the Video Annotation Viewer and older clients read it. `system` and `gpu` only for who shows a key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "timestamp": "2026-11-28T09:30:00Z",
                    "api_version": "2.0.0",
                    "videoannotator_version": "2.0.0",
                    "uptime_seconds": 3672,
                    "security": {"auth_required": True},
                    "database": {"status": "healthy", "message": "SQLite answers in 1 ms"},
                    "workers": {"status": "healthy", "message": "1 worker is there, seen 2 s ago"},
                    "services": {"database": {"status": "healthy", "message": "..."}, "job_queue": "embedded"},
                    "pipelines": {"total": 2, "names": ["motion", "scene_detection"]},
                    "system": None,
                    "gpu": None,
                }
            ]
        }
    )

    status: Literal["healthy", "unhealthy"]
    timestamp: datetime
    api_version: str
    videoannotator_version: str
    uptime_seconds: int
    security: Security
    database: dict[str, str]
    workers: dict[str, str]
    services: dict[str, Any]
    pipelines: dict[str, Any]
    system: dict[str, Any] | None = None
    gpu: dict[str, Any] | None = None


class MetricsShown(BaseModel):
    """Numbers of jobs and requests, and how busy the machine is; `/metrics` has more, for Prometheus."""

    timestamp: datetime
    metrics: dict[str, float | int | None]
    performance: dict[str, float]


class InfoShown(BaseModel):
    """What runs here."""

    videoannotator_version: str
    python_version: str
    platform: str
    uptime_seconds: int
    database: Literal["sqlite", "postgresql"]
    devices: dict[str, Any]
    libraries: dict[str, str]
    pipelines: list[str]
    broken_plugins: dict[str, str] = Field(description="Plugins that could not be loaded, and why.")
    formats: list[str]
    limits: dict[str, Any]


class ConfigShown(BaseModel):
    """The settings that are in force, without passwords."""

    configuration: dict[str, Any]
    environment: Literal["production"] = "production"
    features: dict[str, bool]


class DatabaseShown(BaseModel):
    """Which database, how large, what is in it."""

    backend_type: Literal["sqlite", "postgresql"]
    schema_version: str | None
    newest_schema_version: str
    connection_info: dict[str, Any]
    statistics: dict[str, int]


class StorageShown(BaseModel):
    """What takes room. `users`: bytes of stored videos and results of each, largest first."""

    disk: dict[str, Any]
    videos: dict[str, int]
    results: dict[str, int]
    uploads: dict[str, int]
    users: list[dict[str, Any]]


class WorkerShown(BaseModel):
    """A worker. `there`: it was seen within a lease."""

    id: str
    host: str
    pid: int
    executor: str
    started_at: str = Field(examples=["2026-11-28T09:30:00Z"])
    seen_at: str = Field(examples=["2026-11-28T09:45:00Z"])
    age_seconds: float
    there: bool
    jobs: list[str] = Field(description="Ids of the jobs it has.")


class WorkerList(BaseModel):
    """All workers that are written down."""

    workers: list[WorkerShown]
