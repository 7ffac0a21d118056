"""Whether a job could run as it is asked for, found out with the code that runs it; all that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import attrs

from videoannotator.data.needs import Audio, Frames
from videoannotator.data.outcome import Precision
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.config import models_of, needs_of
from videoannotator.discover.models import ModelStore
from videoannotator.discover.readiness import describe_model, readiness
from videoannotator.discover.settings import entry_of, schema_of, settings_of
from videoannotator.errors import ConfigError, DeviceError, PluginError, VideoAnnotatorError, nearest
from videoannotator.run.annotator import Annotator
from videoannotator.run.devices import check as check_device
from videoannotator.run.plan import ordered
from videoannotator.serve.errors import InvalidConfigError, RefusedError
from videoannotator.serve.older import translated
from videoannotator.serve.request import JobRequest
from videoannotator.serve.roots import inside_roots
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.videos import Video

__all__ = ["Issue", "Verdict", "setting_names", "validated"]

_DATA = (".npz", ".json")
"""Files that hold numbers and texts, no code: who is known, what is neutral. Those of opened folders may be named."""

_PLACE = re.compile(r"^([a-z][\w-]*(?:\.\w+|\[\d+\])*)\b")


@attrs.frozen(kw_only=True)
class Issue:
    """Something that is wrong, or worth knowing. ``field``: where in the request. ``code``: stable, for programs."""

    field: str
    message: str
    code: str
    hint: str | None = None


@attrs.frozen(kw_only=True)
class Verdict:
    """What came of looking at a request.

    ``request``: as it would run, None when it would not. ``names``: every pipeline that would run, in order, those that
    others need included.
    """

    request: JobRequest | None
    names: tuple[str, ...] = ()
    errors: tuple[Issue, ...] = ()
    warnings: tuple[Issue, ...] = ()

    @property
    def valid(self) -> bool:
        """True when it would run."""
        return not self.errors

    @property
    def message(self) -> str:
        """In one sentence."""
        if self.errors:
            return f"{_counted(self.errors, 'thing')} would stop this job: {self.errors[0].message}"
        return "this would run" + (f", with {_counted(self.warnings, 'warning')}" if self.warnings else "")

    def required(self) -> JobRequest:
        """The request. Raises `InvalidConfigError` with all errors."""
        if self.request is None or self.errors:
            raise InvalidConfigError(
                "; ".join(issue.message for issue in self.errors) or "this job would not run",
                hint=next((issue.hint for issue in self.errors if issue.hint), None),
                details=[attrs.asdict(issue) for issue in self.errors],
            )
        return self.request


def _texts(value: Any, field: str) -> Iterator[tuple[str, str]]:
    """Every text in plain values, with its place."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, f"{field}.{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{field}[{number}]")


def _is_place(text: str) -> bool:
    """True for what a library would take for a path: absolute, of a home, above, or of something that is here."""
    try:
        place = Path(text)
        return place.is_absolute() or text.startswith("~") or ".." in place.parts or (text != "" and place.exists())
    except (OSError, ValueError):
        return False


def _counted(issues: Sequence[Issue], what: str) -> str:
    return f"{len(issues)} {what}{'' if len(issues) == 1 else 's'}"


def setting_names(catalog: Catalog, name: str) -> tuple[str, ...]:
    """The names of a pipeline's settings, of all its backends; none for one that is not installed."""
    found: dict[str, None] = {}
    for entry in catalog.backends(name):
        try:
            found.update(dict.fromkeys((schema_of(entry) or {}).get("properties", {})))
        except PluginError:
            continue  # it does not load: readiness tells why
    return tuple(found)


def validated(
    settings: ServerSettings,
    catalog: Catalog,
    plain: Mapping[str, Any],
    *,
    video: Video | None = None,
    lenient: bool = False,
) -> Verdict:
    """Look at a request: names, settings, device, formats, times, folders, and whether the video can be given to them.

    ``plain``: the fields of `JobRequest`; names and settings of old clients are taken, with a warning. ``lenient``:
    settings of pipelines that do not run are left out with a warning, as old clients expect. Loads no model, opens no
    media. Raises nothing for what is wrong with the request: see `Verdict`.
    """
    look = _Look(settings, catalog)
    config = plain.get("config") or {}
    old = translated(plain.get("pipelines"), config, catalog.pipelines, lambda name: setting_names(catalog, name))
    for field, sentence in old.said:
        look.warn(field, sentence, "RENAMED")
    told = {**plain, "pipelines": old.pipelines, "config": old.config}
    for key, value in (("start", old.start), ("end", old.end)):
        if value is not None and told.get(key) is None:
            told[key] = value
    try:
        request = JobRequest.of({key: value for key, value in told.items() if value is not None})
    except RefusedError as error:
        look.refuse("", str(error), "INVALID_REQUEST", error.hint)
        return look.verdict(None)
    request = look.known(request) if lenient else request
    names = look.pipelines(request)
    look.options(request)
    if names and not look.errors:
        names = look.as_a_run_would(request, names)
    if video is not None and not look.errors:
        look.video(video, request, names)
    return look.verdict(None if look.errors else request, names)


class _Look:
    """Collects what is wrong."""

    def __init__(self, settings: ServerSettings, catalog: Catalog) -> None:
        self.settings, self.catalog = settings, catalog
        self.errors: list[Issue] = []
        self.warnings: list[Issue] = []

    def refuse(self, field: str, message: str, code: str, hint: str | None = None) -> None:
        self.errors.append(Issue(field=field, message=message, code=code, hint=hint))

    def warn(self, field: str, message: str, code: str, hint: str | None = None) -> None:
        self.warnings.append(Issue(field=field, message=message, code=code, hint=hint))

    def verdict(self, request: JobRequest | None, names: tuple[str, ...] = ()) -> Verdict:
        return Verdict(request=request, names=names, errors=tuple(self.errors), warnings=tuple(self.warnings))

    def pipelines(self, request: JobRequest) -> tuple[str, ...]:
        """Names and settings; the names in the order they would run."""
        good = True
        for name in (*(request.pipelines or ()), *request.config):
            try:
                entry_of(self.catalog, name, request.config.get(name))
            except PluginError as error:
                good = False
                field = f"config.{name}" if name in request.config else "pipelines"
                self.refuse(field, str(error), "UNKNOWN_PIPELINE", "GET /api/v1/pipelines lists what is here")
        if not good:
            return ()
        if request.pipelines is None:
            return self._settings(tuple(self.catalog.pipelines), request, chosen=False)
        return self._settings(request.pipelines, request, chosen=True)

    def _settings(self, names: Iterable[str], request: JobRequest, *, chosen: bool) -> tuple[str, ...]:
        for name, given in request.config.items():
            self._given(entry_of(self.catalog, name, given), given)
        if self.errors:
            return ()
        try:
            runs = tuple(entry.spec.name for entry, _, _ in ordered(self.catalog, tuple(names), request.config))
        except VideoAnnotatorError as error:
            self.refuse("pipelines", str(error), "INVALID_CONFIG")
            return ()
        if chosen:
            for name in runs:
                self._ready(entry_of(self.catalog, name, request.config.get(name)), request.config.get(name))
        return runs

    def _given(self, entry: PipelineEntry, given: Mapping[str, Any]) -> None:
        """Settings of one pipeline; where several are wrong, each is told."""
        name = entry.spec.name
        hint = f"GET /api/v1/pipelines/{name}/schema tells its settings"
        try:
            self._harmless(entry, settings_of(entry, given), given)
            return
        except (ConfigError, PluginError) as error:
            wrong = [str(error)]
        if entry.environment is None:  # another environment's are asked by a process each
            alone = []
            for key, value in given.items():
                try:
                    settings_of(entry, {key: value})
                except (ConfigError, PluginError) as error:
                    alone.append(str(error))
            wrong = alone or wrong
        for message in wrong:
            found = _PLACE.match(message)
            place = found.group(1) if found else name
            self.refuse(f"config.{place if place.startswith(name) else name}", message, "INVALID_SETTING", hint)

    def _harmless(self, entry: PipelineEntry, config: Any, given: Mapping[str, Any]) -> None:
        """No weights but declared ones, and no file outside the opened folders: both would be read by the server."""
        name, declared = entry.spec.name, {model.name for model in entry.spec.models}
        named = {model for model in models_of(config) if model not in declared}
        for field, value in _texts(given, f"config.{name}"):
            if value in named and not value.endswith(_DATA):
                self.refuse(
                    field,
                    f"{name}: a job takes declared models only, not {value!r}",
                    "UNDECLARED_MODEL",
                    f"there are {', '.join(sorted(declared)) or 'none'}; an operator adds others as a plugin",
                )
            elif _is_place(value):
                try:
                    inside_roots(self.settings, str(Path(value).expanduser()), what=field)
                except RefusedError as error:
                    self.refuse(field, str(error), error.stable_code, error.hint)
        for key, value in given.items():
            if key.startswith("trust_") and value is True:
                self.refuse(
                    f"config.{name}.{key}",
                    f"{name}.{key} would run code from a file of weights, which a server does not do",
                    "UNDECLARED_MODEL",
                )

    def _ready(self, entry: PipelineEntry, given: Mapping[str, Any] | None) -> None:
        state = readiness(entry, given, ModelStore(download=True))
        if state.ready:
            return
        if not state.fetch:
            self.refuse("pipelines", f"{state.name} cannot run here: {state.missing}", "PIPELINE_NOT_READY", state.get)
            return
        models = " and ".join(describe_model(model) for model in state.fetch)
        self.warn("pipelines", f"{state.name}: the job begins with fetching {models}", "MODEL_IS_FETCHED")

    def options(self, request: JobRequest) -> None:
        """All that is not about pipelines."""
        for name in request.formats:
            if name not in self.catalog.formats:
                self.refuse(
                    "formats",
                    f"no format {name!r}{nearest(name, self.catalog.formats)}",
                    "UNKNOWN_FORMAT",
                    f"there are {', '.join(self.catalog.formats)}",
                )
        if request.precision not in get_args(Precision):
            self.refuse("precision", f"precision is 'exact' or 'fast', got {request.precision!r}", "INVALID_CONFIG")
        try:
            check_device(request.device or self.settings.jobs.device)
        except DeviceError as error:
            self.refuse("device", str(error), "INVALID_DEVICE")
        if request.output_directory is not None:
            try:
                inside_roots(self.settings, request.output_directory, what="output_directory")
            except RefusedError as error:
                self.refuse("output_directory", str(error), error.stable_code, error.hint)
        stretches = request.spans or ((request.start or 0.0, request.end),)
        for start, end in stretches:
            if not start >= 0 or (end is not None and not start < end):
                self.refuse(
                    "spans" if request.spans else "start", f"{start:g} to {end} s is no stretch of time", "INVALID_TIME"
                )

    def known(self, request: JobRequest) -> JobRequest:
        """Without settings of pipelines that were not asked for."""
        if request.pipelines is None:
            return request
        kept = {}
        for name, given in request.config.items():
            if name in request.pipelines:
                kept[name] = given
            else:
                self.warn(f"config.{name}", f"{name} was not asked for: its settings were left out", "UNUSED_SETTINGS")
        return attrs.evolve(request, config=kept)

    def as_a_run_would(self, request: JobRequest, names: tuple[str, ...]) -> tuple[str, ...]:
        """The last word is that of the class that runs it; the pipelines that it would run."""
        try:
            annotator = Annotator(
                request.pipelines,
                config=request.config,
                device=request.device or self.settings.jobs.device,
                precision=request.precision,
                isolation=dict.fromkeys(request.isolate, "process"),
                cache=False,
                catalog=self.catalog,
            )
        except VideoAnnotatorError as error:
            self.refuse("", str(error), "INVALID_CONFIG")
            return names
        with annotator:
            for name, why in annotator.left_out.items():
                self.warn("pipelines", f"{name} is left out: {why}", "PIPELINE_NOT_READY")
            if not annotator.pipelines:
                self.refuse("pipelines", "no pipeline can run here", "PIPELINE_NOT_READY", "GET /api/v1/pipelines")
            return tuple(name for name in names if name not in annotator.left_out)

    def video(self, video: Video, request: JobRequest, names: tuple[str, ...]) -> None:
        """Whether this video has what they look at or listen to, where it was asked for."""
        stretches = request.spans or ((request.start or 0.0, request.end),)
        for start, _ in stretches:
            if start >= video.duration:
                self.refuse(
                    "start", f"the video is {video.duration:.3f} s long, nothing of it lies there", "INVALID_TIME"
                )
        lacking = {}
        for name in names:
            entry = entry_of(self.catalog, name, request.config.get(name))
            needs = needs_of(entry.spec, settings_of(entry, request.config.get(name)))
            if any(isinstance(need, Frames) for need in needs) and video.media.get("video") is None:
                lacking[name] = "the file has no pictures"
            elif any(isinstance(need, Audio) for need in needs) and video.media.get("audio") is None:
                lacking[name] = "the file has no sound"
        for name, why in lacking.items():
            self.warn("pipelines", f"{name} will give nothing: {why}", "NOTHING_TO_LOOK_AT")
        if request.pipelines is not None and lacking and set(names) <= set(lacking):
            self.refuse("pipelines", "none of these pipelines can do anything with this video", "NOTHING_TO_LOOK_AT")
