"""Settings of pipelines: from plain values to checked attrs objects, and to JSON Schema.

A config class is a frozen attrs class whose fields have defaults. Fields may be int, float, bool, str, Literal,
lists and tuples of them, optional ones, nested config classes and lists of those; `Range` and `Unit` act as they do on
rows, ``metadata={"help": ...}`` says what a setting does.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
import cattrs
import numpy as np

from videoannotator.data.columns import Range, Unit
from videoannotator.data.convert import converter, unstructure
from videoannotator.data.needs import Audio, Frames, Need, Output
from videoannotator.discover.environments import DescribedSettings
from videoannotator.discover.specs import PipelineSpec, load
from videoannotator.errors import ConfigError, PluginLoadError, VideoAnnotatorError, nearest

__all__ = ["config_of", "config_schema", "models_of", "needs_of", "plain_config", "setting_value"]


def config_of(spec: PipelineSpec, given: Any = None) -> Any:
    """The settings of a pipeline: defaults, overridden by ``given``.

    ``given``: a mapping of plain values, a config object, or None. A pipeline without settings has None.
    Raises `ConfigError` that names the setting by its path, what it must be and what was given.
    """
    if spec.config is None:
        if given:
            raise ConfigError(f"{spec.name} has no settings, got {given!r}")
        return None
    cls = load(spec.config)
    if not attrs.has(cls):
        raise PluginLoadError(f"the config of {spec.name}, {spec.config}, is no attrs class")
    if isinstance(given, cls):
        _check(given, spec.name)
        return given
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"{spec.name}: settings are a mapping or a {cls.__name__}, got {given!r}")
    return _build(cls, given or {}, spec.name)


def _build(cls: type[Any], plain: Mapping[str, Any], path: str) -> Any:
    hints = get_type_hints(cls, include_extras=True)
    names = [field.name for field in attrs.fields(cls)]
    for key in plain:
        if key not in names:
            raise ConfigError(f"{path}.{key}: no such setting{nearest(str(key), names)}; there are {', '.join(names)}")
    values = {key: setting_value(hints[key], value, f"{path}.{key}") for key, value in plain.items()}
    try:
        made = cls(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    _check(made, path)
    return made


def setting_value(hint: Any, value: Any, path: str) -> Any:
    """One setting of the type ``hint``. Raises `ConfigError` that names ``path``, the type and what was given."""
    plain, _ = _split(hint)
    if attrs.has(plain):
        if isinstance(value, plain):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path} must be a group of settings, got {value!r}")
        return _build(plain, value, path)
    if get_origin(plain) is Literal and value not in (*get_args(plain), *((None,) if _optional(hint) else ())):
        raise ConfigError(f"{path} must be {_describe(hint)}, got {value!r}")
    if get_origin(plain) in (list, tuple) and isinstance(value, str):  # text is a sequence, too: of its letters
        raise ConfigError(f"{path} must be {_describe(hint)}, got {value!r}")
    if get_origin(plain) in (list, tuple) and isinstance(value, list | tuple) and attrs.has(get_args(plain)[0]):
        groups = [setting_value(get_args(plain)[0], one, f"{path}[{number}]") for number, one in enumerate(value)]
        return get_origin(plain)(groups)
    try:
        return converter.structure(value, hint)
    except (VideoAnnotatorError, cattrs.BaseValidationError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} must be {_describe(hint)}, got {value!r}") from error


def _check(made: Any, path: str) -> None:
    hints = get_type_hints(type(made), include_extras=True)
    for field in attrs.fields(type(made)):
        value = getattr(made, field.name)
        if attrs.has(type(value)):
            _check(value, f"{path}.{field.name}")
            continue
        if isinstance(value, list | tuple) and any(attrs.has(type(one)) for one in value):
            for number, one in enumerate(value):
                _check(one, f"{path}.{field.name}[{number}]")
            continue
        _, marks = _split(hints[field.name])
        allowed = marks.get(Range)
        if allowed is not None and value is not None:
            numbers = np.asarray(value, dtype=float)
            if np.isnan(numbers).any() or allowed.outside(numbers).any():
                raise ConfigError(f"{path}.{field.name} must be in {allowed}, got {value!r}")


def _split(hint: Any) -> tuple[Any, dict[type, Any]]:
    """``Annotated[X | None, marks]`` and ``Annotated[X, marks] | None`` -> (X, marks)."""
    marks: dict[type, Any] = {}
    while True:
        if get_origin(hint) is Annotated:
            hint, *extra = get_args(hint)
            marks.update({type(e): e for e in extra})
            continue
        rest = [a for a in get_args(hint) if a is not type(None)]
        if get_origin(hint) in (Union, types.UnionType) and len(rest) == 1:
            hint = rest[0]
            continue
        return hint, marks


def _optional(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _optional(get_args(hint)[0])
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _describe(hint: Any) -> str:
    plain, marks = _split(hint)
    if get_origin(plain) is Literal:
        text = "one of " + ", ".join(repr(c) for c in get_args(plain))
    elif get_origin(plain) in (list, tuple):
        text = f"a list of {_describe(get_args(plain)[0])}"
    else:
        text = getattr(plain, "__name__", str(plain))
    if Range in marks:
        text += f" in {marks[Range]}"
    return text + (" or nothing" if _optional(hint) else "")


_JSON_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def config_schema(cls: type[Any]) -> dict[str, Any]:
    """The settings of a config class as JSON Schema (draft 2020-12)."""
    hints = get_type_hints(cls, include_extras=True)
    properties = {}
    for field in attrs.fields(cls):
        described = _schema_of(hints[field.name])
        if field.metadata.get("help"):
            described["description"] = field.metadata["help"]
        if field.default is not attrs.NOTHING and not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            described["default"] = unstructure(field.default)
        properties[field.name] = described
    return {"type": "object", "title": cls.__name__, "properties": properties, "additionalProperties": False}


def _schema_of(hint: Any) -> dict[str, Any]:
    plain, marks = _split(hint)
    schema: dict[str, Any]
    if attrs.has(plain):
        schema = config_schema(plain)
    elif get_origin(plain) is Literal:
        schema = {"enum": list(get_args(plain))}
    elif get_origin(plain) in (list, tuple):
        schema = {"type": "array", "items": _schema_of(get_args(plain)[0])}
    else:
        schema = {"type": _JSON_TYPES[plain]} if plain in _JSON_TYPES else {}
    if Range in marks:
        bounds: Range = marks[Range]
        limits = {
            "minimum": bounds.ge,
            "exclusiveMinimum": bounds.gt,
            "maximum": bounds.le,
            "exclusiveMaximum": bounds.lt,
        }
        schema.get("items", schema).update({k: v for k, v in limits.items() if v is not None})
    if Unit in marks:
        schema["unit"] = marks[Unit].name
    if _optional(hint):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def plain_config(config: Any) -> dict[str, Any]:
    """A config object as plain values, defaults included; empty for a pipeline without settings."""
    if isinstance(config, DescribedSettings):
        return config.plain
    plain: dict[str, Any] = {} if config is None else unstructure(config)
    return plain


def models_of(config: Any) -> tuple[str, ...]:
    """The models these settings will use, by declared name or path, each once.

    What the config's own method ``models()`` says; without one, the text in its setting ``weights``; else none.
    Raises `PluginLoadError` when the method gives something else than names.
    """
    if isinstance(config, DescribedSettings):
        return config.models
    own = getattr(config, "models", None)
    if callable(own):
        told = own()
        names = () if isinstance(told, str) else tuple(told)  # text is a sequence, too: of its letters
        if isinstance(told, str) or not all(isinstance(name, str) for name in names):
            raise PluginLoadError(f"{type(config).__name__}.models() gives {told!r}; it must give a tuple of names")
        return tuple(dict.fromkeys(names))
    weights = getattr(config, "weights", None)
    return (weights,) if isinstance(weights, str) else ()


def needs_of(spec: PipelineSpec, config: Any) -> tuple[Need, ...]:
    """What the pipeline asks for under these settings."""
    own = getattr(config, "needs", None)
    needs = tuple(own()) if callable(own) else spec.needs
    for need in needs:
        if not isinstance(need, Frames | Audio | Output):
            raise PluginLoadError(f"{spec.name} asks for {need!r}; a need is Frames, Audio or Output")
    if sum(isinstance(n, Frames) for n in needs) > 1 or sum(isinstance(n, Audio) for n in needs) > 1:
        raise PluginLoadError(f"{spec.name} asks for frames or sound more than once: {needs}")
    return needs
