"""What a pyannote pipeline is made of, read from its ``config.yaml`` without pyannote.

Two layouts are in use on the hub::

    speaker-diarization-community-1/      everything in one folder
      config.yaml                         segmentation: $model/segmentation
                                          embedding: $model/embedding
                                          plda: $model/plda
      segmentation/pytorch_model.bin
      embedding/pytorch_model.bin
      plda/xvec_transform.npz, plda.npz

    speaker-diarization-3.1/config.yaml   segmentation: pyannote/segmentation-3.0
                                          embedding: pyannote/wespeaker-voxceleb-resnet34-LM

A part may also be named by a path, as in copies made for machines without a network: of a folder, or of a
``pytorch_model.bin``, in the folder of the ``config.yaml`` or anywhere. Nothing here is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from videoannotator.errors import ModelError

__all__ = ["CONFIG", "NETWORK", "Layout", "Part", "models_in", "network_file", "read_layout"]

CONFIG = "config.yaml"
NETWORK = "pytorch_model.bin"

_SEPARATE = "speaker-diarization-3.1"
_ON_HUB = {
    "pyannote/segmentation-3.0": "segmentation-3.0",
    "pyannote/wespeaker-voxceleb-resnet34-LM": "wespeaker-voxceleb-resnet34-LM",
    "pyannote/speaker-diarization-community-1": "speaker-diarization-community-1",
}
"""Repositories of the hub that pipelines name -> the names that they are declared by."""
_PIPELINES = (
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
)
_CLUSTERINGS = ("VBxClustering", "AgglomerativeClustering")
_READ = {"segmentation", "embedding", "plda", "clustering", "segmentation_step", "embedding_exclude_overlap"}
_OURS = {"segmentation_batch_size", "embedding_batch_size", "legacy", "der_variant", "token", "cache_dir"}
"""Parameters that say how to compute, how to download or what to give: that is said elsewhere here."""

Values: TypeAlias = dict[str, Any]


@attrs.frozen
class Part:
    """Where one network, or the PLDA, is. ``name``: of a declared model, or a path. ``inside``: which folder of it."""

    name: str
    inside: str = ""

    def within(self, path: Path) -> Path:
        """The file or folder, where ``path`` is that of the model called `name`."""
        return path / self.inside if self.inside else path


@attrs.frozen
class Layout:
    """What ``config.yaml`` says. ``values``: of the hyper-parameters, as ``pipeline.instantiate`` takes them."""

    segmentation: Part
    embedding: Part
    plda: Part | None
    clustering: str
    step: float = 0.1
    exclude_overlap: bool = False
    values: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)


def network_file(place: Path) -> Path:
    """The file of a network: ``place`` itself, or the one in that folder."""
    return place / NETWORK if place.is_dir() else place


def models_in(weights: str, *, segmentation: str | None = None, embedding: str | None = None) -> tuple[str, ...]:
    """The models that a pipeline uses, by declared name or path. A local one is read to see what it refers to.

    ``segmentation``, ``embedding``: networks that are used in place of the pipeline's. Of a pipeline that cannot be
    read, only what is given is told: `read_layout` says what is wrong when it is loaded.
    """
    if weights == _SEPARATE:
        parts = [segmentation or _ON_HUB["pyannote/segmentation-3.0"]]
        return (weights, *parts, embedding or _ON_HUB["pyannote/wespeaker-voxceleb-resnet34-LM"])
    local = Path(weights).expanduser()
    found = [name for name in (segmentation, embedding) if name]
    if local.exists():
        try:
            layout = read_layout(local, weights)
        except (ModelError, OSError):
            return (weights, *found)
        found = [segmentation or layout.segmentation.name, embedding or layout.embedding.name]
        found += [layout.plda.name] if layout.plda else []
    return tuple(dict.fromkeys((weights, *found)))


def read_layout(place: Path, name: str) -> Layout:
    """What the pipeline at ``place`` is made of. Raises `ModelError` for something else than such a pipeline.

    ``place``: a folder with a ``config.yaml``, or such a file. ``name``: what the pipeline is called in the settings.
    """
    path = place / CONFIG if place.is_dir() else place
    config = _read(path)
    pipeline = config.get("pipeline")
    if not isinstance(pipeline, Mapping) or pipeline.get("name") not in _PIPELINES:
        raise ModelError(
            f"{path} describes no speaker diarization pipeline: pipeline.name must be {_PIPELINES[0]}, as in those of "
            "pyannote.audio 3 and 4"
        )
    params = dict(pipeline.get("params") or {})
    unknown = sorted(set(params) - _READ - _OURS)
    if unknown or "preprocessors" in config:
        raise ModelError(f"{path}: not understood here: {', '.join(unknown) or 'preprocessors'}; take it out")
    clustering = params.get("clustering", "VBxClustering")
    if clustering not in _CLUSTERINGS:
        raise ModelError(f"{path}: clustering must be {' or '.join(_CLUSTERINGS)}, got {clustering!r}")
    parts = _Parts(path, name, inside=place.is_dir())
    default = "pyannote/speaker-diarization-community-1"  # as in pyannote's own SpeakerDiarization
    return Layout(
        segmentation=parts.part("segmentation", params.get("segmentation", {"checkpoint": default})),
        embedding=parts.part("embedding", params.get("embedding", {"checkpoint": default})),
        plda=parts.part("plda", params.get("plda", {"checkpoint": default})) if clustering == "VBxClustering" else None,
        clustering=clustering,
        step=float(params.get("segmentation_step", 0.1)),
        exclude_overlap=bool(params.get("embedding_exclude_overlap", False)),
        values=_values(path, config),
    )


def _read(path: Path) -> Values:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ModelError(f"{path} cannot be read as the config.yaml of a pyannote pipeline: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} is no config.yaml of a pyannote pipeline: it holds no mapping")
    return found


def _values(path: Path, config: Values) -> dict[str, dict[str, Any]]:
    """The hyper-parameters: those that are frozen, and those that are not."""
    values: dict[str, dict[str, Any]] = {}
    for section in ("freeze", "params"):
        for part, given in dict(config.get(section) or {}).items():
            if not isinstance(given, Mapping):
                raise ModelError(f"{path}: {section}.{part} must hold values by name, got {given!r}")
            values.setdefault(str(part), {}).update(given)
    return values


@attrs.frozen
class _Parts:
    """Finds the parts that a ``config.yaml`` names. ``inside``: the pipeline was given as its folder."""

    path: Path
    name: str
    inside: bool

    def part(self, key: str, given: object) -> Part:
        folder = ""
        if isinstance(given, Mapping):
            if given.get("revision") is not None:
                raise ModelError(f"{self.path}: {key} names a revision, and models are fetched as they are declared")
            folder = str(given.get("subfolder") or (key if given.get("checkpoint") in _ON_HUB else ""))
            given = given.get("checkpoint")
        if not isinstance(given, str) or not given:
            raise ModelError(f"{self.path}: {key} must be a path or the name of a repository, got {given!r}")
        if given.startswith("$model/"):
            return self._own(given.removeprefix("$model/"), folder)
        if given in _ON_HUB:
            name = _ON_HUB[given]
            return Part(name, folder if name.startswith("speaker-diarization") else "")
        beside = self.path.parent / given
        if not Path(given).is_absolute() and beside.exists():
            return self._own(given, folder)
        if Path(given).expanduser().exists():
            return Part(str(Path(given).expanduser() / folder))
        raise ModelError(
            f"{self.path}: {key} is {given!r}, which is no path here and none of {', '.join(_ON_HUB)}; name a local "
            f"copy there, or in speaker_diarization.{key}"
        )

    def _own(self, relative: str, folder: str) -> Part:
        """A part in the folder of the ``config.yaml``; it belongs to a pipeline that was given as a folder."""
        inside = "/".join(step for step in (relative.strip("/"), folder) if step)
        own = (self.path.parent / inside).resolve()
        if self.inside and own.is_relative_to(self.path.parent.resolve()):
            return Part(self.name, inside)
        return Part(str(self.path.parent / inside))
