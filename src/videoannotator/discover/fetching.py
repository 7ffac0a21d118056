"""Fetching weights: over https, from the hub, out of archives. What is kept is whole, and is what was declared."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from urllib.error import URLError
from urllib.request import urlopen

from filelock import FileLock
from tqdm import tqdm

from videoannotator.discover.hashing import sha256_of
from videoannotator.discover.hub import fetch as fetch_from_hub
from videoannotator.discover.hub import hub_source
from videoannotator.discover.specs import ModelSpec
from videoannotator.errors import ModelDownloadError, ModelMismatchError

__all__ = ["fetch"]

_BLOCK = 1 << 20
_TIMEOUT = 60.0


def fetch(spec: ModelSpec, path: Path, *, bars: bool) -> None:
    """Fetch the weights of ``spec``, which must not lie in a package, to ``path``. They are there whole, or not at all.

    ``bars``: show progress on standard error. Raises `ModelDownloadError`, `ModelMismatchError` when something else
    comes than was declared, and for the hub what `videoannotator.discover.hub.fetch` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    source = hub_source(spec.source)
    if source is not None:
        part = path.with_name(f".{path.name}.part")
        with FileLock(f"{part}.lock"):
            if not path.exists():  # nobody else has fetched it meanwhile
                _keep(spec, fetch_from_hub(spec, source, part, bars=bars), path)
                shutil.rmtree(part, ignore_errors=True)
        return
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        made = Path(folder) / "fetched"
        try:
            _download(spec, made, bars=bars)
            if spec.inside is not None:
                made = _member(made, spec.inside)
        except (URLError, OSError, zipfile.BadZipFile) as error:
            raise ModelDownloadError(
                f"{spec.name} could not be fetched from {spec.source}: {error}; put the file at {path}, or set "
                "'weights' to where it is"
            ) from error
        _keep(spec, made, path)


def _download(spec: ModelSpec, to: Path, *, bars: bool) -> None:
    with urlopen(spec.source, timeout=_TIMEOUT) as answer, to.open("wb") as file:  # noqa: S310 - ModelSpec admits https only
        length = answer.headers.get("Content-Length")
        with tqdm(
            total=int(length) if length else None, desc=spec.name, unit="B", unit_scale=True, disable=not bars
        ) as bar:
            while block := answer.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
    if length and to.stat().st_size != int(length):
        raise OSError(f"{to.stat().st_size} bytes came instead of {length}")


def _member(archive: Path, name: str) -> Path:
    """The one file called ``name`` of a zip archive, wherever it lies in it, unpacked beside the archive."""
    with zipfile.ZipFile(archive) as packed:
        found = [inner for inner in packed.infolist() if PurePosixPath(inner.filename).name == name]
        if len(found) != 1:
            raise OSError(f"the archive has {len(found)} files called {name}, not one")
        to = archive.with_name("member")
        with packed.open(found[0]) as member, to.open("wb") as file:
            shutil.copyfileobj(member, file, _BLOCK)
    return to


def _keep(spec: ModelSpec, made: Path, path: Path) -> None:
    if spec.sha256 and sha256_of(made, spec.files) != spec.sha256:
        if made.is_dir():
            shutil.rmtree(made)
        else:
            made.unlink()
        raise ModelMismatchError(f"{spec.source} did not give what was declared; nothing was kept")
    os.replace(made, path)
