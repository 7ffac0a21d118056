"""Routes: which pipelines and formats there are, what they take, and whether settings are right."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from videoannotator.data.needs import Audio, Frames, Output
from videoannotator.discover.catalog import Catalog, PipelineEntry
from videoannotator.discover.known import SHIPPED, how_to_install
from videoannotator.discover.models import ModelStore
from videoannotator.discover.readiness import describe_model, readiness
from videoannotator.discover.settings import schema_of
from videoannotator.errors import PluginError, UnknownPipelineError
from videoannotator.serve.api.asking import Anybody, Serving
from videoannotator.serve.api.models import problems_for
from videoannotator.serve.api.models_jobs import Asked, IssueShown
from videoannotator.serve.errors import NotFoundError
from videoannotator.serve.older import PIPELINES
from videoannotator.serve.service import Service
from videoannotator.serve.submitting import Submission, judged
from videoannotator.serve.validating import Verdict

__all__ = ["router"]

router = APIRouter(tags=["pipelines"])

_FRESH = 5.0
"""Seconds for which the list is kept: it takes a look at the disk for every model there is."""

Name = Annotated[str, Path(max_length=200, examples=["scene_detection"])]


class ModelShown(BaseModel):
    """Weights. ``size``: bytes, null where nobody has declared them."""

    name: str
    source: str
    licence: str
    size: int | None
    sha256: str | None
    on_disk: bool
    gated: bool = Field(description="asks for an agreement first")
    summary: str


class PipelineShown(BaseModel):
    """A pipeline, with the fields that clients of 1.x know."""

    name: str
    display_name: str
    description: str
    enabled: bool = Field(description="it can run as things are, or after fetching its weights")
    available: bool = Field(description="it can run at once")
    missing: str | None = Field(description="what it lacks")
    get: str | None = Field(description="what an operator types, or a user does, to have it")
    fetches: list[str] = Field(description="weights that are fetched first, with the settings as they are")
    installed: bool
    version: str | None
    backends: list[str]
    licence: str | None = Field(description="of the code with what it cannot run without")
    needs: list[str] = Field(description="pictures, sound, or another pipeline's rows", examples=[["pictures"]])
    outputs: list[dict[str, Any]] = Field(description="tables, each with the class of its rows")
    modalities: list[str]
    accelerators: list[str] = Field(description="devices it can use besides the processor")
    precisions: list[str]
    models: list[ModelShown]
    config_schema: dict[str, Any] = Field(description="settings as JSON Schema")
    pipeline_family: str | None
    stability: str
    tasks: list[str]
    capabilities: list[str]
    examples: list[dict[str, Any]]


class PipelineList(BaseModel):
    """Every pipeline that is installed, and those that could be."""

    pipelines: list[PipelineShown]
    total: int
    broken: list[dict[str, str]] = Field(description="plugins that are installed and did not load, with the reason")


class Parameter(BaseModel):
    """A setting, as the viewer reads it."""

    name: str
    type: str = Field(examples=["number"])
    description: str
    required: bool
    default: Any
    options: list[Any] | None
    min: float | None
    max: float | None
    unit: str | None


class ParameterList(BaseModel):
    """The settings of a pipeline."""

    pipeline: str
    parameters: list[Parameter]
    json_schema: dict[str, Any]


class FormatShown(BaseModel):
    """A file format."""

    name: str
    summary: str
    suffixes: list[str]


class FormatList(BaseModel):
    """Every file format that is installed."""

    formats: list[FormatShown]


class ToJudge(Asked):
    """Settings to be looked at, by pipeline; or those of one pipeline (``pipeline_name``)."""

    pipeline_name: str | None = Field(default=None, max_length=200)


class VerdictShown(BaseModel):
    """Whether it would run."""

    valid: bool
    errors: list[IssueShown]
    warnings: list[IssueShown]
    message: str
    pipelines: list[str] = Field(description="all that would run, in order")

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictShown:
        """As it is told."""
        return cls(
            valid=verdict.valid,
            errors=[IssueShown.of(issue) for issue in verdict.errors],
            warnings=[IssueShown.of(issue) for issue in verdict.warnings],
            message=verdict.message,
            pipelines=list(verdict.names),
        )


@router.get("/pipelines", response_model=PipelineList, responses=problems_for())
@router.get("/pipelines/", response_model=PipelineList, include_in_schema=False)
async def list_pipelines(request: Request, service: Serving, principal: Anybody) -> Response:
    """Which pipelines there are, whether they can run, and what those need that cannot; a few seconds old at most."""
    kept: tuple[float, bytes] | None = getattr(request.app.state, "pipelines", None)
    if kept is None or time.monotonic() - kept[0] > _FRESH:
        kept = time.monotonic(), await run_in_threadpool(_listed, service)
        request.app.state.pipelines = kept
    return Response(kept[1], media_type="application/json")


def _listed(service: Service) -> bytes:
    found = service.catalog
    shown = [_pipeline(found.backends(name)) for name in found.pipelines]
    shown += [_absent(name) for name in SHIPPED if name not in found.pipelines]
    broken = [{"plugin": item.plugin.name, "reason": item.reason} for item in found.broken]
    return PipelineList(pipelines=shown, total=len(shown), broken=broken).model_dump_json().encode()


@router.get("/pipelines/{name}", response_model=PipelineShown, responses=problems_for(404))
def show_pipeline(service: Serving, principal: Anybody, name: Name) -> PipelineShown:
    """One pipeline: settings, models with licence and presence, what it needs."""
    found = service.catalog
    known = _known(found, name)
    return _pipeline(found.backends(known)) if known in found.pipelines else _absent(known)


@router.get("/pipelines/{name}/schema", response_model=ParameterList, responses=problems_for(404))
def pipeline_schema(service: Serving, principal: Anybody, name: Name) -> ParameterList:
    """The settings of a pipeline, as a list for forms and as JSON Schema."""
    known = _known(service.catalog, name)
    entries = service.catalog.backends(known)
    schema = _schema(entries[0]) if entries else {}
    return ParameterList(pipeline=known, parameters=_parameters(schema), json_schema=schema)


@router.post("/pipelines/{name}/validate", response_model=VerdictShown, responses=problems_for(404))
def validate_pipeline(service: Serving, principal: Anybody, name: Name, asked: ToJudge) -> VerdictShown:
    """Whether settings of one pipeline are right. ``config``: its settings, or a mapping with its name."""
    known = _known(service.catalog, name)
    config = asked.config or {}
    plain = asked.plain()
    plain["pipelines"] = [known]
    inner = next((config[key] for key in (name, known) if isinstance(config.get(key), dict)), config)
    plain["config"] = {known: inner} if inner else {}
    return VerdictShown.of(judged(service, Submission(principal=principal, plain=plain)))


@router.post("/config/validate", response_model=VerdictShown, responses=problems_for())
def validate_config(service: Serving, principal: Anybody, asked: ToJudge) -> VerdictShown:
    """Whether a job with these settings would run, found out with the code that runs it."""
    plain = asked.plain()
    if asked.pipeline_name is not None and "pipelines" not in plain:
        plain["pipelines"] = [asked.pipeline_name]
    if "pipelines" not in plain and plain.get("config"):  # clients of 1.x send settings alone
        plain["pipelines"] = [name for name, values in plain["config"].items() if isinstance(values, dict)] or None
    lenient = "selected_pipelines" in asked.model_fields_set
    return VerdictShown.of(judged(service, Submission(principal=principal, plain=plain, lenient=lenient)))


@router.get("/formats", response_model=FormatList, responses=problems_for())
def list_formats(service: Serving, principal: Anybody) -> FormatList:
    """Which file formats results can be had in."""
    return FormatList(
        formats=[
            FormatShown(name=name, summary=entry.spec.summary, suffixes=list(entry.spec.suffixes))
            for name, entry in service.catalog.formats.items()
        ]
    )


def _known(found: Catalog, name: str) -> str:
    """The name of a pipeline, old names included. Raises `NotFoundError` with what is near."""
    if name in found.pipelines or name in SHIPPED:
        return name
    if name in PIPELINES:
        return PIPELINES[name][0]
    try:
        return found.pipeline(name).spec.name
    except UnknownPipelineError as error:
        raise NotFoundError(
            str(error), code="PIPELINE_NOT_FOUND", hint="GET /api/v1/pipelines lists what is here"
        ) from error


def _pipeline(entries: tuple[PipelineEntry, ...]) -> PipelineShown:
    entry = entries[0]
    spec, store = entry.spec, entry.models(ModelStore(download=True))
    state = readiness(entry, None, store)
    needs = [_need(need) for need in spec.needs]
    return PipelineShown(
        name=spec.name,
        display_name=_title(spec.name),
        description=spec.summary,
        enabled=state.ready or bool(state.fetch),
        available=state.ready,
        missing=state.missing,
        get=state.get,
        fetches=[describe_model(model) for model in state.fetch],
        installed=True,
        version=spec.version,
        backends=[one.spec.backend for one in entries if one.spec.backend],
        licence=spec.licence,
        needs=needs,
        outputs=[
            {"format": "table", "name": output, "types": [row.rpartition(":")[2]]} for output, row in spec.gives.items()
        ],
        modalities=_modalities(spec.needs),
        accelerators=list(spec.accelerators),
        precisions=list(spec.precisions),
        models=[
            ModelShown(
                name=model.name,
                source=model.source,
                licence=model.licence,
                size=model.size,
                sha256=model.sha256,
                on_disk=store.present(model.name, spec.models),
                gated=model.gated,
                summary=model.summary,
            )
            for model in spec.models
        ],
        config_schema=_schema(entry),
        pipeline_family=spec.name.partition("_")[0],
        stability="stable",
        tasks=[],
        capabilities=[],
        examples=[{"pipelines": [spec.name]}],
    )


def _absent(name: str) -> PipelineShown:
    """One of ours that is not installed here."""
    return PipelineShown(
        name=name,
        display_name=_title(name),
        description="not installed on this server",
        enabled=False,
        available=False,
        missing="it is not installed",
        get=f"an operator types: {how_to_install(name)}",
        fetches=[],
        installed=False,
        version=None,
        backends=[],
        licence=None,
        needs=[],
        outputs=[],
        modalities=[],
        accelerators=[],
        precisions=[],
        models=[],
        config_schema={},
        pipeline_family=name.partition("_")[0],
        stability="stable",
        tasks=[],
        capabilities=[],
        examples=[],
    )


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _need(need: Any) -> str:
    if isinstance(need, Output):
        return f"rows of {need.pipeline}" + (", if it runs" if need.optional else "")
    return "pictures" if isinstance(need, Frames) else "sound"


def _modalities(needs: Any) -> list[str]:
    kinds = {"video" if isinstance(need, Frames) else "audio" for need in needs if isinstance(need, Frames | Audio)}
    return sorted(kinds)


def _schema(entry: PipelineEntry) -> dict[str, Any]:
    try:
        return schema_of(entry) or {}
    except PluginError:  # it does not load, which `missing` tells
        return {}


def _parameters(schema: dict[str, Any]) -> list[Parameter]:
    return [_parameter(name, told) for name, told in schema.get("properties", {}).items()]


def _parameter(name: str, told: dict[str, Any]) -> Parameter:
    plain = next((part for part in told.get("anyOf", []) if part.get("type") != "null"), told)
    low, high = plain.get("minimum", plain.get("exclusiveMinimum")), plain.get("maximum", plain.get("exclusiveMaximum"))
    return Parameter(
        name=name,
        type="select" if "enum" in plain else str(plain.get("type", "string")),
        description=told.get("description", ""),
        required=False,
        default=told.get("default"),
        options=plain.get("enum"),
        min=low,
        max=high,
        unit=plain.get("unit"),
    )
