"""What an operator can set. Imports nothing of the extra ``server``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import attrs
from platformdirs import user_data_path

from videoannotator.errors import ConfigError

__all__ = ["Access", "ClientSettings", "Jobs", "Limits", "Retention", "ServerSettings"]

MEGABYTE = 1024**2
GIGABYTE = 1024**3
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_AT_LEAST_ONE = ("attempts", "body_bytes", "upload_bytes")
_ABOVE_ZERO = (
    "duration",
    "every",
    "heartbeat",
    "lease",
    "pixels",
    "poll",
    "stalled",
    "streams",
    "token_minutes",
    "total_pixels",
    "upload_hours",
)


def _check_numbers(settings: Any) -> None:
    """No number may be negative, and of some zero makes no sense. Raises `ConfigError`."""
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if field.name in _AT_LEAST_ONE and not value >= 1:
            raise ConfigError(f"{field.name} must be at least 1, got {value!r}")
        if field.name in _ABOVE_ZERO and not value > 0:
            raise ConfigError(f"{field.name} must be above 0, got {value!r}")
        if not 0 <= value < float("inf"):
            raise ConfigError(f"{field.name} must be a number that is not negative, got {value!r}")


@attrs.frozen(kw_only=True)
class Limits:
    """What a request, a file and a user may take. None: no limit."""

    body_bytes: int = attrs.field(default=MEGABYTE, metadata={"help": "largest body that is not an upload"})
    upload_bytes: int = attrs.field(default=20 * GIGABYTE, metadata={"help": "largest uploaded file"})
    duration: float | None = attrs.field(default=6 * 3600.0, metadata={"help": "longest video, seconds"})
    pixels: int | None = attrs.field(default=33_000_000, metadata={"help": "largest picture, pixels"})
    total_pixels: int | None = attrs.field(
        default=40_000_000_000_000,
        metadata={"help": "of all pictures together: 6 h of 1080p at 30 a second are 1.3e12"},
    )
    streams: int | None = attrs.field(default=64, metadata={"help": "most streams of a file"})
    user_bytes: int | None = attrs.field(default=None, metadata={"help": "stored by one user, unless theirs says"})
    user_jobs: int | None = attrs.field(default=1000, metadata={"help": "waiting and running jobs of one user"})
    user_streams: int = attrs.field(default=10, metadata={"help": "open event streams of one user"})
    free_bytes: int = attrs.field(default=GIGABYTE, metadata={"help": "uploads are refused below this much free disk"})
    per_key: str = attrs.field(default="1200/minute", metadata={"help": "requests of one key, as `limits` writes it"})
    per_address: str = attrs.field(default="300/minute", metadata={"help": "requests without a valid key"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)


@attrs.frozen(kw_only=True)
class Jobs:
    """How jobs are executed."""

    concurrent: int = attrs.field(
        default=1, metadata={"help": "jobs executed at once by one server or worker; 0: none here"}
    )
    attempts: int = attrs.field(default=3, metadata={"help": "how often a job is begun, at most"})
    lease: float = attrs.field(default=30.0, metadata={"help": "seconds without a sign of life until it is taken back"})
    heartbeat: float = attrs.field(default=5.0, metadata={"help": "seconds between two signs of life"})
    poll: float = attrs.field(default=0.5, metadata={"help": "seconds between two looks for work"})
    back_off: float = attrs.field(default=10.0, metadata={"help": "seconds before the first retry; doubles each time"})
    soft_cancel: float = attrs.field(default=2.0, metadata={"help": "seconds to stop by itself"})
    hard_cancel: float = attrs.field(default=10.0, metadata={"help": "seconds until its process group is killed"})
    memory: int | None = attrs.field(default=None, metadata={"help": "bytes a job may use; more fails it"})
    stalled: float | None = attrs.field(
        default=6 * 3600.0, metadata={"help": "seconds without any progress until an attempt is ended as hung"}
    )
    nice: int = attrs.field(default=19, metadata={"help": "what the priority number of jobs is above the server's"})
    idle: float = attrs.field(default=600.0, metadata={"help": "seconds that a process without work keeps its models"})
    device: str = attrs.field(default="auto", metadata={"help": "where jobs run, unless they say"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)


@attrs.frozen(kw_only=True)
class Retention:
    """What is removed by itself. None: nothing."""

    days: float | None = attrs.field(default=None, metadata={"help": "ended jobs older than this go"})
    bytes: int | None = attrs.field(default=None, metadata={"help": "the oldest ended jobs go above this much"})
    upload_hours: float = attrs.field(default=24.0, metadata={"help": "unfinished uploads older than this go"})
    every: float = attrs.field(default=600.0, metadata={"help": "seconds between two looks"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)


_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@attrs.frozen(kw_only=True)
class Access:
    """Who is let in, and from where."""

    required: bool = attrs.field(default=True, metadata={"help": "false: everybody is admin; loopback only"})
    origins: tuple[str, ...] = attrs.field(default=(), metadata={"help": "exact origins other pages may call from"})
    hosts: tuple[str, ...] = attrs.field(default=(), metadata={"help": "names this server answers to; empty: its own"})
    jwks_url: str | None = attrs.field(default=None, metadata={"help": "keys of a token issuer"})
    issuer: str | None = attrs.field(default=None, metadata={"help": "required `iss` of its tokens"})
    audience: str | None = attrs.field(default=None, metadata={"help": "required `aud` of its tokens"})
    algorithms: tuple[str, ...] = attrs.field(
        default=("RS256", "ES256", "EdDSA"), metadata={"help": "signatures accepted from the token issuer"}
    )
    role_claim: str | None = attrs.field(
        default=None,
        metadata={"help": "where its tokens carry roles, e.g. realm_access.roles; none: an admin sets roles here"},
    )
    role_prefix: str = attrs.field(
        default="videoannotator-", metadata={"help": "what stands before a role in that claim"}
    )
    leeway: float = attrs.field(default=30.0, metadata={"help": "seconds by which clocks may differ"})
    token_minutes: float = attrs.field(default=15.0, metadata={"help": "life of our own tokens"})
    stream_minutes: float = attrs.field(default=5.0, metadata={"help": "life of tokens that open event streams only"})
    session_hours: float = attrs.field(default=12.0, metadata={"help": "a sign-in of the web page lasts this long"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^/*@?#\s]+", origin):
                raise ConfigError(
                    f"access.origins: {origin!r} is no exact origin; write 'https://name' or 'https://name:port', "
                    "with nothing behind it and no wildcard"
                )
        given = [self.jwks_url is not None, self.issuer is not None, self.audience is not None]
        if any(given) and not all(given):
            raise ConfigError(
                "access.jwks_url, access.issuer and access.audience belong together: a token is only believed when "
                "its signature, who made it and whom it is for are all checked"
            )
        if self.jwks_url is not None and not re.match(
            r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", self.jwks_url
        ):
            raise ConfigError(
                f"access.jwks_url = {self.jwks_url!r}: keys are fetched by https only (http from this machine alone)"
            )
        symmetric = [name for name in self.algorithms if name not in _SIGNATURES]
        if symmetric:
            raise ConfigError(
                f"access.algorithms: {', '.join(symmetric)} cannot be used; choose from {', '.join(_SIGNATURES)}"
            )


def _paths(given: Iterable[str | PathLike[str]]) -> tuple[Path, ...]:
    return tuple(Path(one) for one in given)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """All of it.

    ``data_dir``: videos, results, the SQLite file, the signing key. ``database``: a URL; None for SQLite in
    ``data_dir``. ``roots``: folders of this machine that jobs may read videos from and write results to.
    """

    data_dir: Path = attrs.field(
        factory=lambda: user_data_path("videoannotator") / "server",
        converter=Path,
        metadata={"help": "where videos, results, the SQLite file and the signing key are; made when it is not there"},
    )
    database: str | None = attrs.field(
        default=None,
        repr=False,  # it may hold a password
        metadata={"help": "postgresql://USER@HOST/NAME for several machines; none: SQLite in data_dir"},
    )
    host: str = attrs.field(
        default="127.0.0.1", metadata={"help": "address to listen at; another than this machine's own needs a key"}
    )
    port: int = attrs.field(default=18011, metadata={"help": "port to listen at; 0: a free one"})
    roots: tuple[Path, ...] = attrs.field(
        default=(),
        converter=_paths,
        metadata={"help": "folders that jobs may read videos from and write results to"},
    )
    limits: Limits = Limits()
    jobs: Jobs = Jobs()
    retention: Retention = Retention()
    access: Access = Access()
    log_format: Literal["text", "json"] = attrs.field(default="text", metadata={"help": "text or json"})
    log_level: Literal["debug", "info", "warning", "error"] = attrs.field(
        default="info", metadata={"help": "the least that is logged: debug, info, warning, error"}
    )
    otlp_endpoint: str | None = attrs.field(default=None, metadata={"help": "where traces go; none by default"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)
        if self.port > 65535:
            raise ConfigError(f"port must be at most 65535, got {self.port}")
        if not self.access.required and self.host not in LOOPBACK:
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


@attrs.frozen(kw_only=True)
class ClientSettings:
    """Which server ``videoannotator job`` and ``auth`` speak with, and as whom."""

    server: str | None = attrs.field(
        default=None, metadata={"help": "address of the server; none: the one on this machine"}
    )
    key: str | None = attrs.field(default=None, repr=False, metadata={"help": "API key, va_..."})
    timeout: float = attrs.field(default=30.0, metadata={"help": "seconds to wait for a server that says nothing"})

    def __attrs_post_init__(self) -> None:
        _check_numbers(self)
