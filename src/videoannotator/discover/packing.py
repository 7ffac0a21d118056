"""Specs and needs as plain data: for other processes, and for files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from videoannotator.data.convert import structure, unstructure
from videoannotator.data.needs import Audio, Frames, Need, Output
from videoannotator.discover.specs import MemoryNeed, ModelSpec, PipelineSpec

__all__ = ["pack_needs", "pack_spec", "unpack_needs", "unpack_spec"]

_NEEDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in (Frames, Audio, Output)}


def pack_needs(needs: Iterable[Need]) -> list[dict[str, Any]]:
    """Needs as plain data."""
    return [{"need": type(need).__name__, **unstructure(need)} for need in needs]


def unpack_needs(plain: Iterable[Mapping[str, Any]]) -> tuple[Need, ...]:
    """What `pack_needs` was given."""
    return tuple(
        structure(_NEEDS[need["need"]], {key: value for key, value in need.items() if key != "need"}) for need in plain
    )


def pack_spec(spec: PipelineSpec) -> dict[str, Any]:
    """A spec as plain data."""
    plain: dict[str, Any] = unstructure(spec)
    plain["needs"] = pack_needs(spec.needs)
    return plain


def unpack_spec(plain: Mapping[str, Any]) -> PipelineSpec:
    """What `pack_spec` was given."""
    models = [structure(ModelSpec, model) for model in plain["models"]]
    memory = structure(MemoryNeed, plain["memory"]) if plain["memory"] is not None else None
    return PipelineSpec(**{**plain, "needs": unpack_needs(plain["needs"]), "models": models, "memory": memory})
