"""What the server refuses, and why. Each is an answer (RFC 9457) of the API as well.

::

    ServerError (errors.py)
    ├── RequestError               400  the request cannot be understood; ``details`` may list what is wrong, and where
    │   ├── InvalidConfigError     400  settings, pipelines or options that a run would refuse
    │   └── MediaRefusedError      422  the file is no media file, or one that is not opened
    ├── UnauthorizedError          401  no key or token, or one that is wrong; the message says in which way
    ├── ForbiddenError             403  the role or the scopes do not allow it
    ├── NotFoundError              404  not there, or somebody else's
    ├── GoneError                  410  what older versions had here; the message names what it became
    ├── ConflictError              409  the state it is in does not allow it
    │   └── JobEndedError          409  the job has ended
    ├── KeyReuseError              422  an idempotency key was used for another request before
    ├── TooLargeError              413  a body, a file or a picture above the limit
    ├── QuotaError                 429  the user has too much of something
    ├── RateLimitError             429  too many requests; ``retry_after`` seconds
    ├── StorageFullError           507  the disk is full, or too full to begin
    ├── BackupError                409  a backup is not whole, or must not go where it was told
    ├── DataFolderError            503  the data folder belongs to another database
    ├── DatabaseUnavailable        503  the database does not answer
    ├── DatabaseVersionError       503  the tables are not those that this version needs
    ├── ChecksumError              460  other bytes arrived than were announced
    ├── PreconditionError          412  a condition of the request does not hold
    ├── UnsupportedBodyError       415  not this kind of body
    ├── RangeError                 416  a range that lies outside the file
    ├── BusyError                  423  somebody else is at it right now
    └── LeaseLostError             409  somebody else has the job now: what this worker says of it does not count
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from videoannotator.errors import ServerError

__all__ = [
    "BackupError",
    "BusyError",
    "ChecksumError",
    "ConflictError",
    "DataFolderError",
    "DatabaseUnavailable",
    "DatabaseVersionError",
    "ForbiddenError",
    "GoneError",
    "InvalidConfigError",
    "JobEndedError",
    "KeyReuseError",
    "LeaseLostError",
    "MediaRefusedError",
    "NotFoundError",
    "PreconditionError",
    "QuotaError",
    "RangeError",
    "RateLimitError",
    "RefusedError",
    "RequestError",
    "StorageFullError",
    "TooLargeError",
    "UnauthorizedError",
    "UnsupportedBodyError",
]


class RefusedError(ServerError):
    """What the API answers with a problem document.

    ``status``: of HTTP. ``code``: stable, for programs. ``hint``: what to do next. ``details``: one entry for each
    thing that is wrong, with ``field``, ``message``, ``code``. ``headers``: for the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.stable_code = code or self.code
        self.details = tuple(dict(detail) for detail in details)
        self.headers = dict(headers or {})


class RequestError(RefusedError):
    """The request cannot be understood."""

    status = 400
    code = "INVALID_REQUEST"


class InvalidConfigError(RequestError):
    """Settings, pipelines or options that a run would refuse."""

    code = "INVALID_CONFIG"


class MediaRefusedError(RequestError):
    """The file is no media file, or one that is not opened here."""

    status = 422
    code = "MEDIA_REFUSED"


class UnauthorizedError(RefusedError):
    """No key or token, or one that is wrong."""

    status = 401
    code = "UNAUTHORIZED"


class ForbiddenError(RefusedError):
    """The role or the scopes do not allow it."""

    status = 403
    code = "FORBIDDEN"


class NotFoundError(RefusedError):
    """Not there, or somebody else's: the two answers are the same."""

    status = 404
    code = "NOT_FOUND"


class GoneError(RefusedError):
    """What older versions had here is no more; the hint names what it became."""

    status = 410
    code = "GONE"


class ConflictError(RefusedError):
    """The state it is in does not allow it."""

    status = 409
    code = "CONFLICT"


class JobEndedError(ConflictError):
    """The job has ended; what was asked for makes sense before that only."""

    code = "JOB_ALREADY_COMPLETED"


class KeyReuseError(RefusedError):
    """An idempotency key that was used for another request before."""

    status = 422
    code = "IDEMPOTENCY_KEY_REUSED"


class TooLargeError(RefusedError):
    """A body, a file or a picture above the limit."""

    status = 413
    code = "TOO_LARGE"


class QuotaError(RefusedError):
    """The user has too much of something: stored bytes, jobs, open event streams."""

    status = 429
    code = "QUOTA_EXCEEDED"


class RateLimitError(RefusedError):
    """Too many requests. ``Retry-After`` says when to come back."""

    status = 429
    code = "RATE_LIMITED"


class StorageFullError(RefusedError):
    """The disk is full, or too full to begin. Nothing of the request was kept."""

    status = 507
    code = "STORAGE_FULL"


class BackupError(RefusedError):
    """A backup is not whole, or must not go where it was told. Nothing was changed."""

    status = 409
    code = "BACKUP"


class DataFolderError(RefusedError):
    """The data folder belongs to another database: its files would look like nobody's."""

    status = 503
    code = "DATA_FOLDER"


class DatabaseUnavailable(RefusedError):  # noqa: N818 - named for what happened
    """The database does not answer. What was acknowledged before is safe; try again."""

    status = 503
    code = "DATABASE_UNAVAILABLE"


class DatabaseVersionError(RefusedError):
    """The tables are not those that this version needs: older, newer, or somebody else's."""

    status = 503
    code = "DATABASE_VERSION"


class ChecksumError(RefusedError):
    """Other bytes arrived than were announced; nothing of them was kept. The status is that of tus."""

    status = 460
    code = "CHECKSUM_MISMATCH"


class PreconditionError(RefusedError):
    """A condition of the request does not hold."""

    status = 412
    code = "PRECONDITION_FAILED"


class UnsupportedBodyError(RefusedError):
    """Not this kind of body."""

    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"


class RangeError(RefusedError):
    """A range that lies outside the file."""

    status = 416
    code = "RANGE_NOT_SATISFIABLE"


class BusyError(RefusedError):
    """Somebody else is at it right now."""

    status = 423
    code = "LOCKED"


class LeaseLostError(RefusedError):
    """Somebody else has the job now, or it has ended: what this worker says of it does not count."""

    status = 409
    code = "LEASE_LOST"
