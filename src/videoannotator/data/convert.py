"""Values to plain data (what JSON holds) and back: the one converter of the library."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeVar, get_args, get_origin

import cattrs
import numpy as np

from videoannotator.errors import DataError

__all__ = ["converter", "structure", "unstructure"]

T = TypeVar("T")


def _is_array(hint: Any) -> bool:
    return hint is np.ndarray or get_origin(hint) is np.ndarray


def _array(value: Any, hint: Any) -> Any:
    dtype = next((get_args(a)[0] for a in get_args(hint) if get_origin(a) is np.dtype), None)
    return np.array(value, dtype=dtype)


def _strict(kind: type[Any], *accepted: type[Any]) -> Any:
    """No silent ``int(1.9)`` or ``str(None)``: plain values must have the type they claim."""

    def check(value: Any, hint: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise DataError(f"must be {kind.__name__}, got {value!r}")
        return kind(value)

    return check


def _make() -> cattrs.Converter:
    made = cattrs.Converter(forbid_extra_keys=True)
    for kind, accepted in ((int, (int,)), (float, (int, float)), (str, (str,)), (bool, (bool,))):
        made.register_structure_hook(kind, _strict(kind, *accepted))
    made.register_unstructure_hook(Fraction, str)
    made.register_structure_hook(Fraction, lambda value, _: Fraction(value))
    made.register_unstructure_hook(np.ndarray, np.ndarray.tolist)
    made.register_unstructure_hook_func(_is_array, np.ndarray.tolist)
    made.register_structure_hook_func(_is_array, _array)
    return made


converter = _make()
"""Values of `videoannotator.data` to plain data and back.

Fractions are text (``"1/30000"``), arrays are lists, extra keys are refused.
"""


def structure(cls: type[T], plain: Any) -> T:
    """``plain`` (dicts, lists, numbers, text) as a ``cls``. Raises `DataError` naming each thing that does not fit."""
    try:
        return converter.structure(plain, cls)
    except cattrs.BaseValidationError as error:
        raise DataError(
            f"{cls.__name__}: " + "; ".join(cattrs.transform_error(error, format_exception=_reason))
        ) from error


def _reason(error: BaseException, hint: type[Any] | None) -> str:
    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        return f"unknown keys {', '.join(sorted(error.extra_fields))}"
    return f"{type(error).__name__}: {error}"


def unstructure(value: Any) -> Any:
    """A value as plain data: dicts, lists, numbers, text, None."""
    return _plain(converter.unstructure(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value
