"""Every error this library raises on purpose.

::

    VideoAnnotatorError
    ├── MediaError                    something about a media file; has ``path``
    │   ├── UnreadableMediaError      not a media file, empty, or damaged beyond opening
    │   ├── RefusedMediaError         a network address, a playlist, a format or size we do not open
    │   │   └── MediaLimitError       larger, longer or more than the caller's limits allow
    │   ├── MediaGuardError           a guarded process that read the file crashed, hung, or needed too much
    │   ├── NoVideoError              pictures were asked of a file without pictures
    │   └── NoAudioError              sound was asked of a file without sound
    ├── DataError (ValueError)        a value whose type, shape or range is wrong
    ├── PluginError                   something about plugins
    │   ├── PluginLoadError           a plugin could not be imported or declares nonsense
    │   ├── PluginInstallError        a plugin could not be installed in an environment of its own
    │   ├── NameClashError            two plugins publish the same name
    │   ├── UnknownPipelineError      no installed plugin publishes that pipeline
    │   └── UnknownFormatError        no installed plugin publishes that format
    ├── ConfigError (ValueError)      a setting that does not exist or is out of range
    ├── PlanError                     the pipelines asked for cannot be put in an order
    ├── ModelError                    something about model weights
    │   ├── ModelMissingError         the weights are not on this disk
    │   ├── ModelDownloadError        the weights could not be fetched
    │   └── ModelMismatchError        the file's hash is not the declared one
    ├── DeviceError                   the device asked for does not exist here
    │   └── LeaseTimeout              others held what a pipeline needs of a device, for too long
    ├── IsolationError                a pipeline's own process could not be made, or is not there any more
    │   ├── PipelineCrashed           the process ended by itself; says by which signal
    │   └── PipelineHung              the process did not answer in time and was ended
    ├── CacheError                    the cache folder cannot be used
    ├── FormatError                   a file format could not be written or read
    ├── ServerError                   the server refuses something; ``videoannotator.serve.errors`` has its tree
    ├── PipelineError                 a pipeline failed and ``on_error="raise"`` was asked for
    ├── MissingDependencyError (ImportError)  an optional package is not installed
    ├── UsageError                    the command was typed in a way that cannot work
    └── CancelledError                the run was cancelled by its owner

Every message says what is wrong and what to do next. Errors of dependencies are chained
(``raise ... from``), never shown alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike, fspath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from videoannotator.data.outcome import Failure

__all__ = [
    "CacheError",
    "CancelledError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "FormatError",
    "IsolationError",
    "LeaseTimeout",
    "MediaError",
    "MediaGuardError",
    "MediaLimitError",
    "MissingDependencyError",
    "ModelDownloadError",
    "ModelError",
    "ModelMismatchError",
    "ModelMissingError",
    "NameClashError",
    "NoAudioError",
    "NoVideoError",
    "PipelineCrashed",
    "PipelineError",
    "PipelineHung",
    "PlanError",
    "PluginError",
    "PluginInstallError",
    "PluginLoadError",
    "RefusedMediaError",
    "ServerError",
    "UnknownFormatError",
    "UnknownPipelineError",
    "UnreadableMediaError",
    "UsageError",
    "VideoAnnotatorError",
    "nearest",
]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt ``name``: `` (did you mean 'x'?)``, or the empty string."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


class VideoAnnotatorError(Exception):
    """The root of every error this library raises on purpose."""


class MediaError(VideoAnnotatorError):
    """Something is wrong with a media file. ``path`` names it."""

    def __init__(self, message: str, *, path: str | PathLike[str]) -> None:
        super().__init__(f"{fspath(path)}: {message}")
        self.path = fspath(path)


class UnreadableMediaError(MediaError):
    """The file is not a media file, is empty, or is damaged beyond opening."""


class RefusedMediaError(MediaError):
    """The file could be opened, and is not: a network address, a playlist, too many pixels."""


class MediaLimitError(RefusedMediaError):
    """The file could be opened, and has more of something than its reader allows.

    ``limit``: which one: a field of `videoannotator.decode.limits.MediaLimits`, or of
    `videoannotator.decode.unpacking.ZipLimits`. ``value``: what the file has; None where that cannot be read.
    ``allowed``: what it may have.
    """

    def __init__(
        self, message: str, *, path: str | PathLike[str], limit: str, value: float | None, allowed: float
    ) -> None:
        super().__init__(message, path=path)
        self.limit = limit
        self.value = value
        self.allowed = allowed


class MediaGuardError(MediaError):
    """The process that read the file for us, under guard, did not come to an end in good order.

    ``reason``: ``"memory"``, ``"cpu"`` (more processor time than allowed), ``"time"`` (no answer in time), ``"crash"``,
    or ``"start"`` (the process could not begin: that is not the file's fault). ``details``: the last lines that the
    process wrote, for a log; they tell of this machine and are nothing for who sent the file.
    """

    def __init__(self, message: str, *, path: str | PathLike[str], reason: str, details: str = "") -> None:
        super().__init__(message, path=path)
        self.reason = reason
        self.details = details


class NoVideoError(MediaError):
    """Pictures were asked of a file that has none."""


class NoAudioError(MediaError):
    """Sound was asked of a file that has none."""


class DataError(VideoAnnotatorError, ValueError):
    """A value whose type, shape or range is wrong. The message prints the offending value."""


class PluginError(VideoAnnotatorError):
    """Something about plugins."""


class PluginLoadError(PluginError):
    """A plugin could not be imported, or declares something that is not so."""


class PluginInstallError(PluginError):
    """A plugin could not be installed in an environment of its own. Nothing of it is left."""


class NameClashError(PluginError):
    """Two plugins publish the same name. Block one of them to go on."""


class UnknownPipelineError(PluginError):
    """No installed plugin publishes the pipeline asked for."""


class UnknownFormatError(PluginError):
    """No installed plugin publishes the file format asked for."""


class ConfigError(VideoAnnotatorError, ValueError):
    """A setting that does not exist, has the wrong type or is out of range. Names its path."""


class PlanError(VideoAnnotatorError):
    """The pipelines asked for cannot be put in an order, or one they need is not there."""


class ModelError(VideoAnnotatorError):
    """Something about model weights."""


class ModelMissingError(ModelError):
    """The weights are not on this disk, and fetching them was not agreed to."""


class ModelDownloadError(ModelError):
    """The weights could not be fetched."""


class ModelMismatchError(ModelError):
    """The file on disk is not the file that was declared: its SHA-256 differs."""


class DeviceError(VideoAnnotatorError):
    """The device asked for does not exist on this machine."""


class LeaseTimeout(DeviceError):  # noqa: N818 - named for what happened
    """Others held what a pipeline needs of a device, for longer than it was to wait. Names who holds what."""


class IsolationError(VideoAnnotatorError):
    """The process of an isolated pipeline could not be made, or is not there any more."""


class PipelineCrashed(IsolationError):  # noqa: N818 - named for what happened
    """The process of a pipeline ended by itself. ``code``: its exit status, negative for a signal."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class PipelineHung(IsolationError):  # noqa: N818 - as above
    """The process of a pipeline did not answer in time and was ended."""


class CacheError(VideoAnnotatorError):
    """The cache folder cannot be used. The message says which one, and how to choose another."""


class FormatError(VideoAnnotatorError):
    """A file could not be written in, or read from, a format."""


class ServerError(VideoAnnotatorError):
    """The server refuses something, or cannot do it. `videoannotator.serve.errors` draws the tree of these."""


class PipelineError(VideoAnnotatorError):
    """A pipeline failed and the caller asked for ``on_error="raise"``. ``failure`` has the traceback in its details."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class MissingDependencyError(VideoAnnotatorError, ImportError):
    """An optional package is not installed. The message gives the command that adds it."""


class UsageError(VideoAnnotatorError):
    """The ``videoannotator`` command was typed in a way that cannot work. The message says what to type instead."""


class CancelledError(VideoAnnotatorError):
    """The run was cancelled by its owner before it was done."""
