"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_ID = sa.String(36)
_PLAIN = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them, parents first."""
    _about()
    _revoked_tokens()
    _users()
    _workers()
    _api_keys()
    _batches()
    _idempotency()
    _templates()
    _videos()
    _jobs()
    _uploads()
    _job_events()
    _job_results()


def _about() -> None:
    op.create_table(
        "about",
        sa.Column(
            "name", sa.String(length=50), nullable=False, comment="instance: which data folder belongs to this database"
        ),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_about")),
    )


def _revoked_tokens() -> None:
    op.create_table(
        "revoked_tokens",
        sa.Column("id", sa.String(length=32), nullable=False, comment="`jti` of a token of ours that counts no more"),
        sa.Column("expires_at", sa.Double(), nullable=False, comment="the row may go then: so has the token"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revoked_tokens")),
    )
    op.create_index(op.f("ix_revoked_tokens_expires_at"), "revoked_tokens", ["expires_at"], unique=False)


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=320)),
        sa.Column("full_name", sa.String(length=200)),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), comment="of stored videos and results; NULL: the server's default"),
        sa.Column("quota_jobs", sa.Integer(), comment="pending and running at once; NULL: the server's default"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.CheckConstraint("role IN ('admin', 'researcher', 'analyst', 'guest')", name=op.f("ck_users_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_index(op.f("ix_users_created_at_id"), "users", ["created_at", "id"], unique=False)


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("executor", sa.String(length=50), nullable=False),
        sa.Column("info", _PLAIN, nullable=False, comment="devices, version, pipelines it can run"),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=16), nullable=False, comment="the part of the key that may be shown"),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the whole key, hexadecimal"),
        sa.Column("scopes", _PLAIN, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("revoked_at", sa.Double()),
        sa.Column("last_used_at", sa.Double()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_index(op.f("ix_api_keys_created_at_id"), "api_keys", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_api_keys_user_id_created_at_id"), "api_keys", ["user_id", "created_at", "id"], unique=False
    )


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=200)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_batches_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(op.f("ix_batches_created_at_id"), "batches", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_batches_owner_id_created_at_id"), "batches", ["owner_id", "created_at", "id"], unique=False
    )


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("route", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("response", _PLAIN, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_idempotency_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)


def _templates() -> None:
    op.create_table(
        "templates",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("request", _PLAIN, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_templates_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_templates_owner_id_name")),
    )
    op.create_index(
        op.f("ix_templates_owner_id_created_at_id"), "templates", ["owner_id", "created_at", "id"], unique=False
    )
    op.create_index("ix_templates_shared", "templates", ["shared", "created_at", "id"], unique=False)


def _videos() -> None:
    op.create_table(
        "videos",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the client's name for it: data, never a path"),
        sa.Column(
            "path", sa.Text(), nullable=False, comment="relative to the data folder, or absolute inside an allowed root"
        ),
        sa.Column("stored", sa.Boolean(), nullable=False, comment="ours to delete; a file of a server folder is not"),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "media", _PLAIN, nullable=False, comment="what probing told: duration, width, height, streams, notices"
        ),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("with_jobs", sa.Boolean(), nullable=False, comment="came with a job: goes with the last one"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_videos_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_videos")),
    )
    op.create_index(op.f("ix_videos_created_at_id"), "videos", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_videos_owner_id_created_at_id"), "videos", ["owner_id", "created_at", "id"], unique=False)
    op.create_index(op.f("ix_videos_sha256"), "videos", ["sha256"], unique=False)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("batch_id", _ID),
        sa.Column("video_id", _ID, nullable=False),
        sa.Column(
            "video_duration",
            sa.Double(),
            nullable=False,
            comment="of its video: how far a batch is, is told by an index",
        ),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False, comment="higher first"),
        sa.Column("request", _PLAIN, nullable=False, comment="pipelines, config, device, precision, spans, formats"),
        sa.Column("attempt", sa.Integer(), nullable=False, comment="counts claims; with worker it is the fence"),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Double(), nullable=False, comment="a retry waits until then"),
        sa.Column("worker", sa.String(length=100), comment="who has it while it runs"),
        sa.Column("beat", sa.Integer(), nullable=False, comment="counts heartbeats of all attempts"),
        sa.Column("lease_until", sa.Double()),
        sa.Column("cancel_requested_at", sa.Double()),
        sa.Column("delete_requested_at", sa.Double(), comment="goes when nobody works on it any more"),
        sa.Column("stage", sa.String(length=100), comment="what is being done, in words"),
        sa.Column("fraction", sa.Double(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.Column("media_seconds", sa.Double(), nullable=False),
        sa.Column("eta", sa.Double(), comment="seconds left"),
        sa.Column("error_code", sa.String(length=50)),
        sa.Column("error_message", sa.Text()),
        sa.Column("traceparent", sa.String(length=100)),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double()),
        sa.Column("finished_at", sa.Double()),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'completed', 'partial', 'failed', 'cancelled')", name=op.f("ck_jobs_state")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_jobs_batch_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_jobs_owner_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name=op.f("fk_jobs_video_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    for name, columns in (
        ("ix_jobs_owner_id", ["owner_id", "created_at", "id", "delete_requested_at"]),
        ("ix_jobs_created_at", ["created_at", "id", "delete_requested_at"]),
        ("ix_jobs_state", ["state", "created_at", "id", "delete_requested_at"]),
        ("ix_jobs_owner_id_state", ["owner_id", "state", "created_at", "id", "delete_requested_at"]),
        ("ix_jobs_batch_id", ["batch_id", "created_at", "id", "delete_requested_at"]),
        ("ix_jobs_batch_id_state", ["batch_id", "state", "video_duration"]),
        ("ix_jobs_video_id", ["video_id", "created_at", "id", "delete_requested_at"]),
        ("ix_jobs_counted", ["state"]),
    ):
        op.create_index(name, "jobs", columns, unique=False)
    going = sa.text("delete_requested_at IS NOT NULL")
    of_going = ["delete_requested_at", "owner_id", "state", "batch_id", "video_id"]
    op.create_index("ix_jobs_going", "jobs", of_going, sqlite_where=going, postgresql_where=going)
    op.create_index(op.f("ix_jobs_finished_at_id"), "jobs", ["finished_at", "id"], unique=False)
    op.create_index("ix_jobs_next", "jobs", ["state", sa.desc("priority"), "created_at", "id"])


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("metadata", _PLAIN, nullable=False),
        sa.Column("video_id", _ID, comment="once it is complete"),
        sa.Column("error", sa.Text(), comment="why the complete file was refused"),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_uploads_owner_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name=op.f("fk_uploads_video_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_expires_at"), "uploads", ["expires_at"], unique=False)
    op.create_index(op.f("ix_uploads_created_at_id"), "uploads", ["created_at", "id"], unique=False)
    op.create_index(
        op.f("ix_uploads_owner_id_created_at_id"), "uploads", ["owner_id", "created_at", "id"], unique=False
    )


def _job_events() -> None:
    op.create_table(
        "job_events",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="update, progress, log, complete"),
        sa.Column("data", _PLAIN, nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_events_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_job_events_job_id_id"), "job_events", ["job_id", "id"], unique=False)
    op.create_index(op.f("ix_job_events_owner_id_id"), "job_events", ["owner_id", "id"], unique=False)


def _job_results() -> None:
    op.create_table(
        "job_results",
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=False),
        sa.Column(
            "folder",
            sa.Text(),
            nullable=False,
            comment="relative to the data folder, or absolute inside an allowed root",
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "summary", _PLAIN, nullable=False, comment="by pipeline: rows of each table, seconds, failures, coverage"
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_results_job_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_results")),
    )
