"""Who speaks when, against references in RTTM: the excerpts, and how they are judged, by pyannote.metrics."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
from benchmarks.speed.material import ASSETS
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.base import BaseMetric
from pyannote.metrics.detection import DetectionErrorRate
from pyannote.metrics.diarization import DiarizationErrorRate

import videoannotator as va
from videoannotator.data.time import TimeSpan

__all__ = ["EXCERPTS", "Counts", "annotation_of", "counts", "judged", "module_of", "reference", "same_from_file"]

EXCERPTS = ("sample_two_speakers", "ami_dev00", "ami_trn05", "ami_trn08")
"""The recordings of ``audio/`` that have a reference."""
_LEAST = 1e-6


@attrs.frozen
class Counts:
    """Seconds: of speech in the reference, and of each kind of error. Without collar, overlapped speech included."""

    total: float = 0.0
    missed: float = 0.0
    false: float = 0.0
    confused: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(attrs.astuple(self), attrs.astuple(other), strict=True)))

    @property
    def rate(self) -> float:
        """The error rate: detection error rate where nobody is confused, diarization error rate else."""
        return (self.missed + self.false + self.confused) / self.total

    def cells(self) -> tuple[str, str, str, str]:
        """Error rate, and its parts as shares of the speech."""
        parts = (self.rate, self.missed / self.total, self.false / self.total, self.confused / self.total)
        return tuple(f"{part:.3f}" for part in parts)  # type: ignore[return-value]  # there are four


def reference(name: str) -> Annotation:
    """Who really speaks when."""
    (found,) = load_rttm(ASSETS / "audio" / f"{name}.rttm").values()
    return found


def annotation_of(rows: Iterable[Any]) -> Annotation:
    """Turns, or regions of speech by somebody, as pyannote has them."""
    found = Annotation()
    for number, row in enumerate(rows):
        found[Segment(row.start, row.end), number] = getattr(row, "speaker", "SPEECH")
    return found


def counts(found: Annotation, wanted: Annotation, span: TimeSpan, *, speakers: bool) -> Counts:
    """How one recording was judged, over all of it."""
    metric = DiarizationErrorRate() if speakers else DetectionErrorRate()
    parts = metric(wanted, found, uem=Timeline([Segment(span.start, span.end)]), detailed=True)
    missed = parts["missed detection"] if speakers else parts["miss"]
    return Counts(parts["total"], missed, parts["false alarm"], parts.get("confusion", 0.0))


def judged(results: Mapping[str, va.Result], pipeline: str, output: str, *, speakers: bool) -> dict[str, Counts]:
    """Every recording, and ``together``."""
    found = {
        name: counts(
            annotation_of(result[pipeline].tables[output]), reference(name), result.media.span, speakers=speakers
        )
        for name, result in results.items()
    }
    return {**found, "together": sum(found.values(), Counts())}


def same_from_file(results: Mapping[str, va.Result], pipeline: str, output: str, *, speakers: bool) -> str:
    """Write each result as RTTM, let pyannote read and judge that as it does with any, and compare the figures.

    Raises `ValueError` when they differ.
    """
    metric: BaseMetric = DiarizationErrorRate() if speakers else DetectionErrorRate()
    for name, result in results.items():
        uem = Timeline([Segment(0.0, result.media.duration)])
        with tempfile.TemporaryDirectory() as folder:
            files = [f for f in result.export(folder, formats=["rttm"]) if _is_of(f, pipeline, output)]
            turns = [turn for file in files for turn in load_rttm(file).values()]
            metric(reference(name), turns[0] if turns else Annotation(), uem=uem)
    ours = judged(results, pipeline, output, speakers=speakers)["together"].rate
    if abs(abs(metric) - ours) > _LEAST:
        raise ValueError(f"{pipeline}: {ours} from the rows, and {abs(metric)} by pyannote.metrics from the RTTM files")
    return f"the error rate of the rows with pyannote.metrics' own of the RTTM files written ({abs(metric):.6f})"


def _is_of(file: Path, pipeline: str, output: str) -> bool:
    return file.stem.endswith((f"_{pipeline}", f"_{pipeline}_{output}"))


def module_of(plugin: str) -> ModuleType:
    """``tests/fitting.py`` of a plugin, which fits its small networks."""
    file = Path(__file__).parents[2] / "plugins" / plugin / "tests" / "fitting.py"
    found = importlib.util.spec_from_file_location(f"{plugin}_fitting", file)
    if found is None or found.loader is None:
        raise FileNotFoundError(file)
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module
