"""The tables. Alembic's migrations make them; a test holds the two against each other.

Moments are seconds since 1970 (UTC) by the database's clock, as double precision numbers: the same arithmetic on both
databases. Ids are UUIDs as text, made by the server. Plain values are JSON.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    desc,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

__all__ = [
    "about",
    "api_keys",
    "batches",
    "idempotency",
    "job_events",
    "job_results",
    "jobs",
    "metadata",
    "revoked_tokens",
    "templates",
    "uploads",
    "users",
    "videos",
    "workers",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Plain = JSON().with_variant(JSONB(), "postgresql")
_Id = String(36)
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only a column called INTEGER

STATES = ("pending", "running", "completed", "partial", "failed", "cancelled")
ROLES = ("admin", "researcher", "analyst", "guest")
_GOING = text("delete_requested_at IS NOT NULL")
_OF_GOING = ("delete_requested_at", "owner_id", "state", "batch_id", "video_id")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


users = Table(
    "users",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("email", String(320)),
    Column("full_name", String(200)),
    Column("role", String(20), nullable=False),
    Column("active", Boolean, nullable=False, default=True),
    Column("quota_bytes", BigInteger, comment="of stored videos and results; NULL: the server's default"),
    Column("quota_jobs", Integer, comment="pending and running at once; NULL: the server's default"),
    Column("created_at", Double, nullable=False),
    CheckConstraint(_one_of("role", ROLES), name="role"),
    Index(None, "created_at", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True, comment="the part of the key that may be shown"),
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the whole key, hexadecimal"),
    Column("scopes", _Plain, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used_at", Double),
    Index(None, "user_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("id", String(32), primary_key=True, comment="`jti` of a token of ours that counts no more"),
    Column("expires_at", Double, nullable=False, index=True, comment="the row may go then: so has the token"),
)

videos = Table(
    "videos",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("owner_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False, comment="the client's name for it: data, never a path"),
    Column("path", Text, nullable=False, comment="relative to the data folder, or absolute inside an allowed root"),
    Column("stored", Boolean, nullable=False, comment="ours to delete; a file of a server folder is not"),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media", _Plain, nullable=False, comment="what probing told: duration, width, height, streams, notices"),
    Column("duration", Double, nullable=False),
    Column("with_jobs", Boolean, nullable=False, default=False, comment="came with a job: goes with the last one"),
    Column("created_at", Double, nullable=False),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "created_at", "id"),
    Index(None, "sha256"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("owner_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, default=0),
    Column("metadata", _Plain, nullable=False),
    Column("video_id", _Id, ForeignKey("videos.id", ondelete="SET NULL"), comment="once it is complete"),
    Column("error", Text, comment="why the complete file was refused"),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("owner_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(200)),
    Column("created_at", Double, nullable=False),
    Index(None, "owner_id", "created_at", "id"),
    Index(None, "created_at", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("owner_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("batch_id", _Id, ForeignKey("batches.id", ondelete="SET NULL")),
    Column("video_id", _Id, ForeignKey("videos.id", ondelete="RESTRICT"), nullable=False),
    Column("video_duration", Double, nullable=False, comment="of its video: how far a batch is, is told by an index"),
    Column("state", String(10), nullable=False),
    Column("priority", Integer, nullable=False, default=0, comment="higher first"),
    Column("request", _Plain, nullable=False, comment="pipelines, config, device, precision, spans, formats"),
    Column("attempt", Integer, nullable=False, default=0, comment="counts claims; with worker it is the fence"),
    Column("max_attempts", Integer, nullable=False, default=3),
    Column("not_before", Double, nullable=False, comment="a retry waits until then"),
    Column("worker", String(100), comment="who has it while it runs"),
    Column("beat", Integer, nullable=False, default=0, comment="counts heartbeats of all attempts"),
    Column("lease_until", Double),
    Column("cancel_requested_at", Double),
    Column("delete_requested_at", Double, comment="goes when nobody works on it any more"),
    Column("stage", String(100), comment="what is being done, in words"),
    Column("fraction", Double, nullable=False, default=0.0),
    Column("frames", BigInteger, nullable=False, default=0),
    Column("media_seconds", Double, nullable=False, default=0.0),
    Column("eta", Double, comment="seconds left"),
    Column("error_code", String(50)),
    Column("error_message", Text),
    Column("traceparent", String(100)),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    CheckConstraint(_one_of("state", STATES), name="state"),
    # lists leave out what is to go: with that column at the end, an index answers by itself which jobs are on a page
    Index("ix_jobs_owner_id", "owner_id", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_created_at", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_state", "state", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_owner_id_state", "owner_id", "state", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_batch_id", "batch_id", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_batch_id_state", "batch_id", "state", "video_duration"),
    Index("ix_jobs_video_id", "video_id", "created_at", "id", "delete_requested_at"),
    Index("ix_jobs_counted", "state"),  # narrow: all of them are counted by going through it
    Index("ix_jobs_going", *_OF_GOING, sqlite_where=_GOING, postgresql_where=_GOING),  # few, if any
    Index(None, "finished_at", "id"),
    Index("ix_jobs_next", "state", desc("priority"), "created_at", "id"),
)

job_results = Table(
    "job_results",
    metadata,
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("worker", String(100), nullable=False),
    Column("folder", Text, nullable=False, comment="relative to the data folder, or absolute inside an allowed root"),
    Column("bytes", BigInteger, nullable=False),
    Column("summary", _Plain, nullable=False, comment="by pipeline: rows of each table, seconds, failures, coverage"),
    Column("created_at", Double, nullable=False),
)

job_events = Table(
    "job_events",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("job_id", _Id, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("owner_id", _Id, nullable=False),
    Column("kind", String(20), nullable=False, comment="update, progress, log, complete"),
    Column("data", _Plain, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "job_id", "id"),
    Index(None, "owner_id", "id"),
    sqlite_autoincrement=True,  # an id is never used twice: clients resume behind the last one they saw
)

templates = Table(
    "templates",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("owner_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("description", Text),
    Column("shared", Boolean, nullable=False, default=False),
    Column("request", _Plain, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("owner_id", "name"),
    Index(None, "owner_id", "created_at", "id"),
    Index("ix_templates_shared", "shared", "created_at", "id"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("user_id", _Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("route", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("response", _Plain, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("executor", String(50), nullable=False),
    Column("info", _Plain, nullable=False, comment="devices, version, pipelines it can run"),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)

about = Table(
    "about",
    metadata,
    Column("name", String(50), primary_key=True, comment="instance: which data folder belongs to this database"),
    Column("value", Text, nullable=False),
)
