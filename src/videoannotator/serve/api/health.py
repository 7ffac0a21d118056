"""Routes: signs of life, readiness, Prometheus' metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from videoannotator import __version__
from videoannotator.serve.api.asking import Admin
from videoannotator.serve.api.models_system import Alive, Checked, HealthShown, Readiness, now
from videoannotator.serve.api.operating import Operating
from videoannotator.serve.operating.health import is_ready
from videoannotator.serve.operating.metrics import CONTENT_TYPE

__all__ = ["old_router", "router"]

router = APIRouter(tags=["health"])
old_router = APIRouter(tags=["health"])

_NOT_READY: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "Not ready; `checks` says why."}
}
_UNHEALTHY: dict[int | str, dict[str, Any]] = {
    503: {"model": HealthShown, "description": "Not healthy; `details` says why."}
}


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers. Looks at nothing else: whoever restarts processes must not do so because a disk is full."""
    return Alive(status="ok", version=__version__)


@router.get("/readyz", responses=_NOT_READY)
def ready(operating: Operating, response: Response) -> Readiness:
    """Can this server take work: does the database answer, is there room on the disk, is a worker there?"""
    checks = operating.health.checks()
    fine = is_ready(checks)
    response.status_code = 200 if fine else 503
    return Readiness(status="ready" if fine else "not ready", checks=[Checked.of(check) for check in checks])


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
def metrics(operating: Operating, principal: Admin) -> Response:
    """Numbers for Prometheus. For admins: give its job `authorization: {credentials_file: ...}` with a key."""
    return Response(operating.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/health", responses=_UNHEALTHY)
@old_router.get("/health", responses=_UNHEALTHY)
def health(
    operating: Operating,
    response: Response,
    detailed: Annotated[bool, Query(description="Look at database, disk and workers, too.")] = False,
) -> HealthShown:
    """What older clients ask: alive, or with `detailed` as `/readyz`, in their shape."""
    if not detailed:
        return HealthShown(status="ok", version=__version__, timestamp=now())
    checks = operating.health.checks()
    response.status_code = 200 if is_ready(checks) else 503
    details = {
        check.name: {"status": "error" if not check.works else check.status, "message": check.message}
        for check in checks
    }
    return HealthShown(
        status="ok" if is_ready(checks) else "unhealthy", version=__version__, timestamp=now(), details=details
    )
