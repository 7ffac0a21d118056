"""Doing it again: from what a result says of how it was made, to a comparison of the two."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import attrs

from videoannotator.data.comparing import Comparison, compare
from videoannotator.data.outcome import PipelineRecord
from videoannotator.data.result import Result
from videoannotator.discover.catalog import Catalog, catalog
from videoannotator.discover.config import models_of
from videoannotator.discover.hashing import known_sha256
from videoannotator.discover.models import ModelStore
from videoannotator.discover.settings import entry_of, settings_of
from videoannotator.errors import DataError, ModelMismatchError
from videoannotator.run.annotator import Annotator
from videoannotator.run.progress import ProgressOption

__all__ = ["rerun"]


def rerun(
    result: Result,
    path: str | PathLike[str] | None = None,
    *,
    device: str | None = None,
    download: bool = False,
    progress: ProgressOption = True,
    catalog: Catalog | None = None,
) -> Comparison:
    """Make ``result`` again as its provenance tells, without the cache, and compare: ``if rerun(result): ...``.

    ``path``: where the file is now, if not where it was. ``device``: by default the one it was made on. The pipelines
    that are installed now are used: what differs in versions is in `Comparison.made`.

    Raises `DataError` when the result does not say how it was made, or the file is another one, `ModelMismatchError`
    when weights of that name are others now, `UnknownPipelineError`, `ConfigError`, and what
    `Annotator.annotate` raises.
    """
    made = result.provenance
    if not made.media_sha256 or not made.pipelines:
        raise DataError("this result does not say how it was made, so it cannot be made again")
    place = Path(result.media.path if path is None else path)
    if not place.is_file():
        raise DataError(f"{place} is not there; say where the file is: rerun(result, path)")
    digest = known_sha256(place)
    if digest != made.media_sha256:
        raise DataError(
            f"{place} is not the file this result was made from: its SHA-256 is {digest}, that of the result's "
            f"{made.media_name} {made.media_sha256}"
        )
    found = catalog if catalog is not None else _installed()
    for record in made.pipelines:
        _check_weights(record, found, ModelStore(download=download))
    names = [record.name for record in made.pipelines]
    devices = sorted({record.device for record in made.pipelines} - {"cpu"})
    with Annotator(
        names,
        config={record.name: record.config for record in made.pipelines if record.config},
        device=device or (devices[0] if devices else "cpu"),
        download=download,
        cache=False,
        catalog=found,
        isolation={record.name: "process" for record in made.pipelines if record.isolation == "process"},
        precision={record.name: record.precision for record in made.pipelines},
    ) as annotator:
        again = annotator.annotate(place, spans=made.spans or [made.span], progress=progress)
    asked = {name: result[name] for name in names}  # others had no part in it: this file could not be given to them
    return compare(attrs.evolve(result, pipelines=asked), again)


def _installed() -> Catalog:
    return catalog()


def _check_weights(record: PipelineRecord, found: Catalog, store: ModelStore) -> None:
    """Raise `ModelMismatchError` for a model of these settings that was another file then, under the same name."""
    if not record.models:
        return
    entry = entry_of(found, record.name, record.config)
    store = entry.models(store)
    for named in models_of(settings_of(entry, record.config or None)):
        file = store.get(named, entry.spec.models)
        then = [model.sha256 for model in record.models if model.name == file.name]
        if then and file.sha256 not in then:  # one that is not in the record had no part in it
            raise ModelMismatchError(
                f"{record.name} was made with weights {file.name} whose SHA-256 begins with "
                f"{', '.join(sha256[:12] for sha256 in then)}; that of {file.path} begins with {file.sha256[:12]}: "
                "put the file of then there"
            )
