"""What the user asked to be run, as typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from videoannotator.data.outcome import Precision
from videoannotator.discover.catalog import Catalog
from videoannotator.discover.readiness import describe_model
from videoannotator.discover.settings import entry_of
from videoannotator.errors import UsageError
from videoannotator.shell.choosing import Choice, check_assignments, choose
from videoannotator.shell.settings import Settings, comma_list, read_settings
from videoannotator.shell.speaking import say

if TYPE_CHECKING:
    from videoannotator.run.annotator import Annotator

__all__ = ["Request"]


@attrs.frozen
class Request:
    """What the options of the command ask for.

    ``named``: pipelines by name, None when none was named. ``start``, ``end``: seconds, None for the file's own.
    ``cache``: whether results may be taken from the cache, and are kept there. ``isolate``: pipelines to be run in
    processes of their own. ``precision``: asked of all pipelines. ``wait``: seconds for a device, at most.
    """

    named: tuple[str, ...] | None
    settings: Settings
    assignments: tuple[str, ...]
    device: str = "auto"
    start: float | None = None
    end: float | None = None
    offline: bool = False
    cache: bool = True
    isolate: tuple[str, ...] = ()
    precision: Precision = "exact"
    wait: float = 3600.0

    @classmethod
    def of(
        cls,
        pipelines: Sequence[str],
        config: Path | None,
        assignments: Sequence[str],
        *,
        device: str = "auto",
        start: float | None = None,
        end: float | None = None,
        offline: bool = False,
        cache: bool = True,
        isolate: Sequence[str] = (),
        precision: Precision = "exact",
        wait: float = 3600.0,
    ) -> Request:
        """From the options of the command. Raises `UsageError` and `ConfigError`."""
        named = comma_list(pipelines)
        if pipelines and not named:
            raise UsageError("--pipelines was given without a name; see: videoannotator pipelines")
        if start is not None and end is not None and not start < end:
            raise UsageError(f"--start must be before --end, got {start:g} and {end:g}")
        if start is not None and start < 0:
            raise UsageError(f"--start must not be negative, got {start:g}")
        settings = read_settings(config, assignments)
        return cls(
            tuple(named) or None,
            settings,
            tuple(assignments),
            device,
            start,
            end,
            offline,
            cache,
            tuple(comma_list(isolate)),
            precision,
            wait,
        )

    def choose(self, catalog: Catalog) -> Choice:
        """Which pipelines run; says on standard error which do not and why, and what will be fetched."""
        choice = choose(catalog, self.named, self.settings, offline=self.offline)
        check_assignments(self.assignments, choice)
        for state in choice.left_out:
            say(str(state))
        for state in choice.fetched:
            for model in state.fetch:
                say(f"{state.name}: its weights will be fetched: {describe_model(model)}")
        for name in self.settings:
            if name not in choice.names:
                say(f"{name} does not run: its settings are not used")
        chosen = [entry_of(catalog, name, self.settings.get(name)) for name in choice.names]
        if self.precision == "fast" and all("fast" not in entry.spec.precisions for entry in chosen):
            say("none of these pipelines has a fast mode: they run as exact")
        return choice

    def annotator(self, choice: Choice) -> Annotator:
        """The engine for what was chosen. Checks all settings."""
        from videoannotator.run.annotator import Annotator

        settings = {name: values for name, values in self.settings.items() if name in choice.names}
        fetch = bool(choice.fetched) and not self.offline
        return Annotator(
            list(choice.names),
            config=settings,
            device=comma_list([self.device]),
            download=fetch,
            cache=self.cache,
            isolation=dict.fromkeys(self.isolate, "process"),
            precision=self.precision,
            lease_timeout=self.wait,
        )
