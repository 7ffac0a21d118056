"""Who may do what, for every route: the table that `test_matrix` holds the application against.

``PUBLIC``: anybody. ``KNOWN``: whoever has a key of any role. ``READ``, ``WRITE``, ``ADMIN``: that scope.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["TABLE", "Need"]

Level = Literal["PUBLIC", "KNOWN", "READ", "WRITE", "ADMIN"]
Thing = Literal["video", "upload", "job", "template", "batch", "key", "user"]


@attrs.frozen
class Need:
    """What a route asks for.

    ``thing``: what its path names; somebody else's is not there. ``own_only``: for admins, too.
    ``headers``, ``body``: without which the route does not get so far.
    """

    level: Level
    thing: Thing | None = None
    own_only: bool = False
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""


_TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
_JSON = {"Content-Type": "application/json"}
_V1 = "/api/v1"

TABLE: dict[tuple[str, str], Need] = {
    # the page, signs of life, the description of the API
    ("GET", "/"): Need("PUBLIC"),
    ("GET", "/favicon.ico"): Need("PUBLIC"),
    ("GET", "/page/{name}"): Need("PUBLIC"),
    ("GET", "/viewer"): Need("PUBLIC"),
    ("GET", "/viewer/{name:path}"): Need("PUBLIC"),
    ("GET", "/docs"): Need("PUBLIC"),
    ("GET", "/redoc"): Need("PUBLIC"),
    ("GET", "/openapi.json"): Need("PUBLIC"),
    ("HEAD", "/openapi.json"): Need("PUBLIC"),
    ("GET", "/healthz"): Need("PUBLIC"),
    ("GET", "/readyz"): Need("PUBLIC"),
    ("GET", "/health"): Need("PUBLIC"),
    ("GET", f"{_V1}/health"): Need("PUBLIC"),
    ("GET", f"{_V1}/system/health"): Need("PUBLIC"),
    ("POST", f"{_V1}/session"): Need("PUBLIC"),
    ("DELETE", f"{_V1}/session"): Need("PUBLIC"),
    # what the server is and does
    ("GET", "/metrics"): Need("ADMIN"),
    ("GET", f"{_V1}/system/metrics"): Need("ADMIN"),
    ("GET", f"{_V1}/system/info"): Need("KNOWN"),
    ("GET", f"{_V1}/system/config"): Need("ADMIN"),
    ("GET", f"{_V1}/system/database"): Need("ADMIN"),
    ("GET", f"{_V1}/system/storage"): Need("ADMIN"),
    ("GET", f"{_V1}/system/workers"): Need("ADMIN"),
    ("GET", f"{_V1}/debug/server-info"): Need("ADMIN"),
    ("GET", f"{_V1}/debug/background-jobs"): Need("ADMIN"),
    ("GET", f"{_V1}/debug/request-log"): Need("ADMIN"),
    ("GET", f"{_V1}/debug/token-info"): Need("KNOWN"),
    ("GET", f"{_V1}/debug/pipelines"): Need("KNOWN"),
    ("GET", f"{_V1}/debug/jobs/{{job_id}}"): Need("KNOWN"),
    ("GET", f"{_V1}/debug/mock-events"): Need("KNOWN"),
    # people, keys, tokens
    ("GET", f"{_V1}/users/me"): Need("KNOWN"),
    ("PATCH", f"{_V1}/users/me"): Need("KNOWN"),
    ("DELETE", f"{_V1}/users/me"): Need("KNOWN"),
    ("GET", f"{_V1}/users"): Need("ADMIN"),
    ("POST", f"{_V1}/users"): Need("ADMIN"),
    ("GET", f"{_V1}/users/{{user_id}}"): Need("ADMIN", "user"),
    ("PATCH", f"{_V1}/users/{{user_id}}"): Need("ADMIN", "user", headers=_JSON, body=b"{}"),
    ("DELETE", f"{_V1}/users/{{user_id}}"): Need("ADMIN", "user"),
    ("GET", f"{_V1}/keys"): Need("KNOWN"),
    ("POST", f"{_V1}/keys"): Need("WRITE"),
    ("GET", f"{_V1}/keys/{{key_id}}"): Need("KNOWN", "key"),
    ("DELETE", f"{_V1}/keys/{{key_id}}"): Need("KNOWN", "key"),
    ("POST", f"{_V1}/tokens"): Need("KNOWN"),
    ("POST", f"{_V1}/tokens/stream"): Need("READ"),
    ("POST", f"{_V1}/tokens/revoke"): Need("KNOWN"),
    # videos
    ("POST", f"{_V1}/videos"): Need("WRITE"),
    ("PUT", f"{_V1}/videos/{{video_id}}"): Need("WRITE"),
    ("GET", f"{_V1}/videos"): Need("READ"),
    ("POST", f"{_V1}/videos/from-folder"): Need("WRITE"),
    ("GET", f"{_V1}/videos/{{video_id}}"): Need("READ", "video"),
    ("HEAD", f"{_V1}/videos/{{video_id}}"): Need("READ", "video"),
    ("GET", f"{_V1}/videos/{{video_id}}/info"): Need("READ", "video"),
    ("DELETE", f"{_V1}/videos/{{video_id}}"): Need("WRITE", "video"),
    ("GET", f"{_V1}/folders"): Need("WRITE"),
    ("GET", f"{_V1}/folders/look"): Need("WRITE"),
    ("OPTIONS", f"{_V1}/uploads"): Need("KNOWN"),
    ("GET", f"{_V1}/uploads"): Need("WRITE"),
    ("POST", f"{_V1}/uploads"): Need("WRITE"),
    ("HEAD", f"{_V1}/uploads/{{upload_id}}"): Need("WRITE", "upload", own_only=True, headers=_TUS),
    ("GET", f"{_V1}/uploads/{{upload_id}}"): Need("WRITE", "upload", own_only=True),
    ("PATCH", f"{_V1}/uploads/{{upload_id}}"): Need("WRITE", "upload", own_only=True, headers=_TUS),
    ("DELETE", f"{_V1}/uploads/{{upload_id}}"): Need("WRITE", "upload", own_only=True, headers=_TUS),
    # jobs and their results
    ("POST", f"{_V1}/jobs"): Need("WRITE"),
    ("POST", f"{_V1}/jobs/"): Need("WRITE"),
    ("POST", f"{_V1}/jobs/estimate"): Need("READ"),
    ("GET", f"{_V1}/jobs"): Need("READ"),
    ("GET", f"{_V1}/jobs/"): Need("READ"),
    ("GET", f"{_V1}/jobs/{{job_id}}"): Need("READ", "job"),
    ("DELETE", f"{_V1}/jobs/{{job_id}}"): Need("WRITE", "job"),
    ("POST", f"{_V1}/jobs/{{job_id}}/cancel"): Need("WRITE", "job"),
    ("POST", f"{_V1}/jobs/{{job_id}}/retry"): Need("WRITE", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/results"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/results/{{pipeline}}"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/results/files/{{pipeline}}"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/artifacts"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/artifacts/list"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/artifacts/{{name:path}}"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/events"): Need("READ", "job"),
    ("GET", f"{_V1}/jobs/{{job_id}}/history"): Need("READ", "job"),
    ("GET", f"{_V1}/events/stream"): Need("READ"),
    # what can be run, and how
    ("GET", f"{_V1}/pipelines"): Need("KNOWN"),
    ("GET", f"{_V1}/pipelines/"): Need("KNOWN"),
    ("GET", f"{_V1}/pipelines/{{name}}"): Need("KNOWN"),
    ("GET", f"{_V1}/pipelines/{{name}}/schema"): Need("KNOWN"),
    ("POST", f"{_V1}/pipelines/{{name}}/validate"): Need("KNOWN"),
    ("POST", f"{_V1}/config/validate"): Need("KNOWN"),
    ("GET", f"{_V1}/formats"): Need("KNOWN"),
    ("GET", f"{_V1}/templates"): Need("KNOWN"),
    ("POST", f"{_V1}/templates"): Need("WRITE"),
    ("GET", f"{_V1}/templates/{{template_id}}"): Need("KNOWN", "template"),
    ("PUT", f"{_V1}/templates/{{template_id}}"): Need("WRITE", "template", headers=_JSON, body=b"{}"),
    ("DELETE", f"{_V1}/templates/{{template_id}}"): Need("WRITE", "template"),
    ("POST", f"{_V1}/batches"): Need("WRITE"),
    ("GET", f"{_V1}/batches"): Need("READ"),
    ("GET", f"{_V1}/batches/{{batch_id}}"): Need("READ", "batch"),
    ("POST", f"{_V1}/batches/{{batch_id}}/cancel"): Need("WRITE", "batch"),
    ("DELETE", f"{_V1}/batches/{{batch_id}}"): Need("WRITE", "batch"),
}
