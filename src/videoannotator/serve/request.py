"""What a job asks for, as it is kept in the database and handed to whoever executes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from videoannotator.data.convert import structure, unstructure
from videoannotator.data.outcome import Precision
from videoannotator.errors import DataError
from videoannotator.serve.errors import InvalidConfigError

__all__ = ["DEFAULT_FORMATS", "JobRequest"]

DEFAULT_FORMATS = ("coco", "webvtt", "rttm")
"""Written beside the native result unless a job says otherwise: those of the command line."""


@attrs.frozen(kw_only=True)
class JobRequest:
    """The options of a run, with the words of `Annotator`.

    ``pipelines``: names; None for every pipeline that is ready. ``config``: settings by pipeline. ``device``: None for
    the server's. ``start``, ``end``: seconds, or ``spans`` instead: pairs of them. ``formats``: written beside the
    native result, which is always kept. ``isolate``: pipelines that run in processes of their own.
    ``output_directory``: a folder inside one of the server's roots, for the result; None for the data folder.
    ``db_location``: an SQLite file inside one of them, which gets the rows of the result as well.
    ``template``: name of the preset that this came from, for the record.
    """

    pipelines: tuple[str, ...] | None = None
    config: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    device: str | None = None
    precision: Precision = "exact"
    start: float | None = None
    end: float | None = None
    spans: tuple[tuple[float, float], ...] | None = None
    formats: tuple[str, ...] = DEFAULT_FORMATS
    isolate: tuple[str, ...] = ()
    output_directory: str | None = None
    db_location: str | None = None
    template: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.spans is not None and (self.start is not None or self.end is not None):
            raise InvalidConfigError("a job has start and end, or spans, not both")
        if self.pipelines is not None and not self.pipelines:
            raise InvalidConfigError(
                "pipelines is empty", hint="name one, or leave it out: then all that are ready run"
            )

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> JobRequest:
        """From plain values. Raises `InvalidConfigError` naming each thing that does not fit."""
        for name in ("pipelines", "spans", "formats", "isolate"):
            if isinstance(plain.get(name), str):  # text is a sequence, too: of its letters
                raise InvalidConfigError(f"{name} must be a list, got {plain[name]!r}")
        try:
            return structure(cls, dict(plain))
        except DataError as error:
            raise InvalidConfigError(str(error), hint="GET /api/v1/pipelines tells what a pipeline takes") from error

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        made: dict[str, Any] = unstructure(self)
        return made
