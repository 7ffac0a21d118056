"""Results to draw: rows put onto real clips, and the pixels that come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.outcome import Coverage, Failure, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.decode.probing import probe


def make_result(
    path: Path, tables: dict[str, Any], *, rate: float | None = None, failure: Failure | None = None
) -> Result:
    media = probe(path)
    coverage = Coverage((media.span,), rate)
    pipelines = {
        name: PipelineResult(
            name,
            table if isinstance(table, dict) else {"rows": table},
            coverage,
            (failure,) if failure and failure.pipeline == name else (),
        )
        for name, table in tables.items()
    }
    provenance = Provenance(path.name, "0" * 64, "2.0", "2026-01-01T00:00:00+00:00", media.span)
    return Result(media, pipelines, provenance)


def read_film(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    """Every frame as a player shows it: (seconds of the container, RGB pixels)."""
    with av.open(str(path)) as film:
        return [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in film.decode(video=0)]


def differing(a: NDArray[np.uint8], b: NDArray[np.uint8], by: int = 40) -> NDArray[np.bool_]:
    """Where two pictures differ clearly."""
    return np.asarray(np.abs(a.astype(int) - b.astype(int)).max(axis=2) > by)
