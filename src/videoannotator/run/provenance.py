"""With what a result was made, read from the running process."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import av

from videoannotator.data.outcome import PipelineRecord, Provenance
from videoannotator.discover.installed import library_versions
from videoannotator.run.plan import Plan

__all__ = ["provenance_of"]


def provenance_of(plan: Plan, media_sha256: str, records: Iterable[PipelineRecord]) -> Provenance:
    """The provenance of a finished run."""
    records = tuple(records)
    return Provenance(
        media_name=Path(plan.media.path).name,
        media_sha256=media_sha256,
        videoannotator=version("videoannotator"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        span=plan.span,
        spans=plan.spans if len(plan.spans) > 1 else (),
        pipelines=records,
        decoder={"av": av.__version__, **{k: ".".join(map(str, v)) for k, v in sorted(av.library_versions.items())}},
        libraries=library_versions({"videoannotator", *(r.plugin for r in records if not r.libraries)}),
        platform={"system": platform.platform(), "machine": platform.machine(), "python": sys.version.split()[0]},
    )
