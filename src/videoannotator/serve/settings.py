"""What an operator can set. Imports nothing of the extra ``server``."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import attrs
from platformdirs import user_data_path

from videoannotator.errors import ConfigError

__all__ = ["Access", "Jobs", "Limits", "Retention", "ServerSettings"]

MEGABYTE = 1024**2
GIGABYTE = 1024**3


@attrs.frozen(kw_only=True)
class Limits:
    """What a request, a file and a user may take. None: no limit."""

    body_bytes: int = attrs.field(default=MEGABYTE, metadata={"help": "largest body that is not an upload"})
    upload_bytes: int = attrs.field(default=20 * GIGABYTE, metadata={"help": "largest uploaded file"})
    duration: float | None = attrs.field(default=6 * 3600.0, metadata={"help": "longest video, seconds"})
    pixels: int | None = attrs.field(default=33_000_000, metadata={"help": "largest picture, pixels"})
    user_bytes: int | None = attrs.field(default=None, metadata={"help": "stored by one user, unless theirs says"})
    user_jobs: int | None = attrs.field(default=1000, metadata={"help": "waiting and running jobs of one user"})
    user_streams: int = attrs.field(default=10, metadata={"help": "open event streams of one user"})
    free_bytes: int = attrs.field(default=GIGABYTE, metadata={"help": "uploads are refused below this much free disk"})
    per_key: str = attrs.field(default="1200/minute", metadata={"help": "requests of one key, as `limits` writes it"})
    per_address: str = attrs.field(default="300/minute", metadata={"help": "requests without a valid key"})


@attrs.frozen(kw_only=True)
class Jobs:
    """How jobs are executed."""

    concurrent: int = attrs.field(default=1, metadata={"help": "jobs executed at once by one dispatcher"})
    attempts: int = attrs.field(default=3, metadata={"help": "how often a job is begun, at most"})
    lease: float = attrs.field(default=30.0, metadata={"help": "seconds without a sign of life until it is taken back"})
    heartbeat: float = attrs.field(default=5.0, metadata={"help": "seconds between two signs of life"})
    poll: float = attrs.field(default=0.5, metadata={"help": "seconds between two looks for work"})
    back_off: float = attrs.field(default=10.0, metadata={"help": "seconds before the first retry; doubles each time"})
    soft_cancel: float = attrs.field(default=2.0, metadata={"help": "seconds to stop by itself"})
    hard_cancel: float = attrs.field(default=10.0, metadata={"help": "seconds until its process group is killed"})
    memory: int | None = attrs.field(default=None, metadata={"help": "bytes a job may use; more fails it"})
    nice: int = attrs.field(default=10, metadata={"help": "of the processes that execute jobs"})
    idle: float = attrs.field(default=600.0, metadata={"help": "seconds that a process without work keeps its models"})
    device: str = attrs.field(default="auto", metadata={"help": "where jobs run, unless they say"})


@attrs.frozen(kw_only=True)
class Retention:
    """What is removed by itself. None: nothing."""

    days: float | None = attrs.field(default=None, metadata={"help": "ended jobs older than this go"})
    bytes: int | None = attrs.field(default=None, metadata={"help": "the oldest ended jobs go above this much"})
    upload_hours: float = attrs.field(default=24.0, metadata={"help": "unfinished uploads older than this go"})
    every: float = attrs.field(default=600.0, metadata={"help": "seconds between two looks"})


@attrs.frozen(kw_only=True)
class Access:
    """Who is let in, and from where."""

    required: bool = attrs.field(default=True, metadata={"help": "false: everybody is admin; loopback only"})
    origins: tuple[str, ...] = attrs.field(default=(), metadata={"help": "exact origins other pages may call from"})
    hosts: tuple[str, ...] = attrs.field(default=(), metadata={"help": "names this server answers to; empty: its own"})
    jwks_url: str | None = attrs.field(default=None, metadata={"help": "keys of a token issuer"})
    issuer: str | None = attrs.field(default=None, metadata={"help": "required `iss` of its tokens"})
    audience: str | None = attrs.field(default=None, metadata={"help": "required `aud` of its tokens"})
    token_minutes: float = attrs.field(default=15.0, metadata={"help": "life of our own tokens"})


def _paths(given: Iterable[str | PathLike[str]]) -> tuple[Path, ...]:
    return tuple(Path(one) for one in given)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """All of it.

    ``data_dir``: videos, results, the SQLite file, the signing key. ``database``: a URL; None for SQLite in
    ``data_dir``. ``roots``: folders of this machine that jobs may read videos from and write results to.
    """

    data_dir: Path = attrs.field(factory=lambda: user_data_path("videoannotator") / "server", converter=Path)
    database: str | None = None
    host: str = "127.0.0.1"
    port: int = 18011
    roots: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    limits: Limits = Limits()
    jobs: Jobs = Jobs()
    retention: Retention = Retention()
    access: Access = Access()
    log_format: str = attrs.field(default="text", metadata={"help": "text or json"})
    log_level: str = "info"
    otlp_endpoint: str | None = attrs.field(default=None, metadata={"help": "where traces go; none by default"})

    def __attrs_post_init__(self) -> None:
        loopback = self.host in ("127.0.0.1", "::1", "localhost")
        if not self.access.required and not loopback:
            raise ConfigError(
                f"access.required = false lets everybody in as admin, and host = {self.host!r} is not this machine "
                "alone; set host = '127.0.0.1', or leave access.required on"
            )
        if not 0 < self.jobs.heartbeat < self.jobs.lease / 2:
            raise ConfigError("jobs.heartbeat must be less than half of jobs.lease: one lost heartbeat is no death")

    @property
    def database_url(self) -> str:
        """Where the database is."""
        return self.database or f"sqlite:///{(self.data_dir / 'server.db').absolute()}"
