"""VideoAnnotator: videos of people interacting into typed, time-aligned annotations.

>>> import videoannotator as va
>>> with va.Annotator(["scene_detection"]) as annotator:  # doctest: +SKIP
...     result = annotator.annotate("session01.mp4")

Everything public is an attribute of this module. Each is imported when it is first used, so that
``import videoannotator`` takes milliseconds and pulls in no decoder, no model and no data frame library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from videoannotator.data.columns import ArrayOf as ArrayOf
    from videoannotator.data.columns import Ascending as Ascending
    from videoannotator.data.columns import Dtype as Dtype
    from videoannotator.data.columns import Range as Range
    from videoannotator.data.columns import Unit as Unit
    from videoannotator.data.comparing import Comparison as Comparison
    from videoannotator.data.comparing import compare as compare
    from videoannotator.data.frames import AudioTrack as AudioTrack
    from videoannotator.data.frames import FrameBatch as FrameBatch
    from videoannotator.data.media import AudioInfo as AudioInfo
    from videoannotator.data.media import MediaInfo as MediaInfo
    from videoannotator.data.media import VideoInfo as VideoInfo
    from videoannotator.data.needs import Audio as Audio
    from videoannotator.data.needs import Frames as Frames
    from videoannotator.data.needs import Output as Output
    from videoannotator.data.outcome import Coverage as Coverage
    from videoannotator.data.outcome import Failure as Failure
    from videoannotator.data.outcome import Provenance as Provenance
    from videoannotator.data.result import PipelineResult as PipelineResult
    from videoannotator.data.result import Result as Result
    from videoannotator.data.rows import Detection as Detection
    from videoannotator.data.rows import Embedding as Embedding
    from videoannotator.data.rows import Face as Face
    from videoannotator.data.rows import Gap as Gap
    from videoannotator.data.rows import Shot as Shot
    from videoannotator.data.rows import Signal as Signal
    from videoannotator.data.rows import SpeakerTurn as SpeakerTurn
    from videoannotator.data.rows import SpeechRegion as SpeechRegion
    from videoannotator.data.rows import Track as Track
    from videoannotator.data.rows import Utterance as Utterance
    from videoannotator.data.rows import Word as Word
    from videoannotator.data.rows import row as row
    from videoannotator.data.table import Table as Table
    from videoannotator.data.time import FrameClock as FrameClock
    from videoannotator.data.time import TimeSpan as TimeSpan
    from videoannotator.decode.probing import probe as probe
    from videoannotator.discover.catalog import Catalog as Catalog
    from videoannotator.discover.catalog import catalog as catalog
    from videoannotator.discover.format import Format as Format
    from videoannotator.discover.hooks import hookimpl as hookimpl
    from videoannotator.discover.pipeline import Context as Context
    from videoannotator.discover.pipeline import Pipeline as Pipeline
    from videoannotator.discover.specs import FormatSpec as FormatSpec
    from videoannotator.discover.specs import MemoryNeed as MemoryNeed
    from videoannotator.discover.specs import ModelSpec as ModelSpec
    from videoannotator.discover.specs import PipelineSpec as PipelineSpec
    from videoannotator.errors import VideoAnnotatorError as VideoAnnotatorError
    from videoannotator.formats.exporting import read as read
    from videoannotator.run.annotator import Annotator as Annotator
    from videoannotator.run.events import Event as Event
    from videoannotator.run.events import Failed as Failed
    from videoannotator.run.events import Finished as Finished
    from videoannotator.run.events import Notice as Notice
    from videoannotator.run.events import PipelineDone as PipelineDone
    from videoannotator.run.events import Progress as Progress
    from videoannotator.run.events import RowsReady as RowsReady
    from videoannotator.run.plan import Plan as Plan
    from videoannotator.run.rerunning import rerun as rerun
    from videoannotator.run.resources import release as release

_WHERE = {
    "data.comparing": "Comparison compare",
    "data.columns": "ArrayOf Ascending Dtype Range Unit",
    "data.frames": "AudioTrack FrameBatch",
    "data.media": "AudioInfo MediaInfo VideoInfo",
    "data.needs": "Audio Frames Output",
    "data.outcome": "Coverage Failure Provenance",
    "data.result": "PipelineResult Result",
    "data.rows": "Detection Embedding Face Gap Shot Signal SpeakerTurn SpeechRegion Track Utterance Word row",
    "data.table": "Table",
    "data.time": "FrameClock TimeSpan",
    "decode.probing": "probe",
    "discover.catalog": "Catalog catalog",
    "discover.format": "Format",
    "discover.hooks": "hookimpl",
    "discover.pipeline": "Context Pipeline",
    "discover.specs": "FormatSpec MemoryNeed ModelSpec PipelineSpec",
    "errors": "VideoAnnotatorError",
    "formats.exporting": "read",
    "run.annotator": "Annotator",
    "run.events": "Event Failed Finished Notice PipelineDone Progress RowsReady",
    "run.plan": "Plan",
    "run.rerunning": "rerun",
    "run.resources": "release",
}
_MODULE_OF = {name: f"videoannotator.{module}" for module, names in _WHERE.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("videoannotator")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'videoannotator' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__, "__version__"]
