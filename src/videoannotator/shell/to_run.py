"""Options that say what is run: those of ``annotate`` and ``plan``, and of ``job submit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import attrs
from cyclopts import Group, Parameter

from videoannotator.shell.places import Assignments

if TYPE_CHECKING:
    from videoannotator.shell.request import Request
    from videoannotator.shell.submitting import Wanted

__all__ = ["WHAT", "Flag", "ToRun", "ToSubmit", "Words"]

WHAT = Group("What runs")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Words = Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative="", show_default=False)]
Precision = Literal["exact", "fast"]


@Parameter(name="*", group=WHAT)
@attrs.frozen(kw_only=True)
class ToRun:
    """What runs on this machine.

    Parameters
    ----------
    pipelines
        Names, separated by commas. Naming one is consent to fetch its weights. Without this option: every
        installed pipeline that can run as things are; for each other one is said what it lacks.
    config
        A TOML file with a table of settings for each pipeline.
    set_
        One setting, PIPELINE.KEY=VALUE; may be repeated, and wins over the file.
    device
        auto, cpu, cuda, cuda:1, mps, or several of these, separated by commas.
    start
        Where to begin, in seconds.
    end
        Where to stop, in seconds.
    offline
        Never fetch weights.
    isolate
        Pipelines to run in a process of their own each, separated by commas: a crash there costs only its own rows.
    precision
        exact: the numbers of each pipeline's reference tool. fast: less time where a pipeline knows how, and numbers
        that differ a little.
    """

    pipelines: Words = ()
    config: Path | None = None
    set_: Assignments = ()
    device: str = "auto"
    start: float | None = None
    end: float | None = None
    offline: Flag = False
    isolate: Words = ()
    precision: Precision = "exact"

    def request(self, **more: Any) -> Request:
        """As it was typed. ``more``: what only some commands ask. Raises `UsageError` and `ConfigError`."""
        from videoannotator.shell.request import Request

        return Request.of(
            self.pipelines,
            self.config,
            self.set_,
            device=self.device,
            start=self.start,
            end=self.end,
            offline=self.offline,
            isolate=self.isolate,
            precision=self.precision,
            **more,
        )


@Parameter(name="*", group=WHAT)
@attrs.frozen(kw_only=True)
class ToSubmit:
    """What runs on a server.

    Parameters
    ----------
    pipelines
        Names, separated by commas. Without this option: every pipeline that is ready on the server.
    config
        A TOML file with a table of settings for each pipeline.
    set_
        One setting, PIPELINE.KEY=VALUE; may be repeated, and wins over the file.
    device
        auto, cpu, cuda, ... of the server. [default: the server's]
    precision
        exact: the numbers of each pipeline's reference tool. fast: less time, and numbers that differ a little.
    start
        Where to begin, in seconds.
    end
        Where to stop, in seconds.
    formats
        Formats to write beside the native result, separated by commas. [default: the server's]
    priority
        Jobs with a higher one are begun earlier.
    """

    pipelines: Words = ()
    config: Path | None = None
    set_: Assignments = ()
    device: str | None = None
    precision: Precision = "exact"
    start: float | None = None
    end: float | None = None
    formats: Annotated[Words, Parameter(name="--format")] = ()
    priority: int = 0

    def wanted(self) -> Wanted:
        """As it was typed. Raises `UsageError` and `ConfigError`."""
        from videoannotator.shell.submitting import Wanted

        return Wanted.of(
            self.pipelines,
            self.config,
            self.set_,
            self.formats,
            device=self.device,
            precision=self.precision,
            start=self.start,
            end=self.end,
            priority=self.priority,
        )
