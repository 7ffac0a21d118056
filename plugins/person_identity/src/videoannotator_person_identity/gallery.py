"""Known persons: made from earlier results or from pictures, kept in a small file, met again in other recordings.

The file is a NumPy archive (``.npz``, nothing in it is pickled) with these arrays: ``version`` (1), ``names`` (N,),
text; ``kinds`` (N,), ``"appearance"`` or ``"face"``; ``models`` (N,), SHA-256 of the weights the vector is from; and
for each row i an array ``vector_i``, float32 (D,), of length 1. A person may have several rows.

Appearance is clothes and build: it holds within a visit to the lab, hardly to the next day. Faces hold longer.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from videoannotator import Result
from videoannotator.errors import DataError, ModelError

__all__ = ["Gallery", "Known", "enrol", "enrol_pictures"]

_VERSION = 1
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@attrs.frozen(eq=False)
class Known:
    """One look of a known person: ``vector``: float32 (D,), of length 1. ``model``: SHA-256 of the weights."""

    name: str
    kind: str
    model: str
    vector: NDArray[np.float32]


@attrs.frozen(eq=False)
class Gallery:
    """Known persons."""

    known: tuple[Known, ...] = ()

    def __add__(self, other: Gallery) -> Gallery:
        """Both together."""
        return Gallery(self.known + other.known)

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody's name, once each, sorted."""
        return tuple(sorted({known.name for known in self.known}))

    def of(self, kind: str, model: str) -> Gallery:
        """Looks of one kind. Raises `ModelError` when they are of other weights: such vectors cannot be compared."""
        rows = tuple(known for known in self.known if known.kind == kind)
        other = sorted({known.model[:12] for known in rows if known.model != model})
        if other:
            raise ModelError(
                f"the gallery's {kind} vectors were made with weights {', '.join(other)}..., this run uses "
                f"{model[:12]}...; vectors of different models cannot be compared: enrol the persons anew with these"
            )
        return Gallery(rows)

    def save(self, path: str | Path) -> Path:
        """Write to ``path`` (``.npz``)."""
        path = Path(path)
        if path.suffix != ".npz":
            raise DataError(f"a gallery is a .npz file, got {path}")
        vectors: dict[str, Any] = {f"vector_{i}": known.vector for i, known in enumerate(self.known)}
        with path.open("wb") as file:
            np.savez(
                file,
                version=np.array(_VERSION),
                names=np.array([known.name for known in self.known], dtype=np.str_),
                kinds=np.array([known.kind for known in self.known], dtype=np.str_),
                models=np.array([known.model for known in self.known], dtype=np.str_),
                **vectors,
            )
        return path

    @classmethod
    def read(cls, path: str | Path) -> Gallery:
        """Read what `save` wrote. Raises `DataError` for another file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                version = int(file["version"])
                if version != _VERSION:
                    raise DataError(f"{path} is a gallery of version {version}; this library reads {_VERSION}")
                fields = [file[name].tolist() for name in ("names", "kinds", "models")]
                rows = [
                    Known(name, kind, model, file[f"vector_{i}"].astype(np.float32))
                    for i, (name, kind, model) in enumerate(zip(*fields, strict=True))
                ]
        except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is no gallery made by enrol() or enrol_pictures(): {error}") from error
        return cls(tuple(rows))


def enrol(result: Result, names: Mapping[int, str], path: str | Path | None = None) -> Gallery:
    """Make persons of a result known: ``{person number: name}``. Written to ``path``, too, if it is given.

    Raises `DataError` for a result without `person_identity`, for a number it does not have, and for a person of whom
    no look was taken.
    """
    if "person_identity" not in result:
        raise DataError("the result has no person_identity; run that pipeline, with weights, and enrol from its result")
    looks = result["person_identity"].tables["looks"]
    there = {int(row.person) for row in result["person_identity"].tables["persons"]}
    rows = []
    for person, name in names.items():
        if person not in there:
            raise DataError(f"the result has no person {person!r}; it has {', '.join(map(str, sorted(there)))}")
        mine = [Known(name, row.kind, row.model, row.vector) for row in looks if row.person == person]
        if not mine:
            raise DataError(f"no look of person {person} was taken: run person_identity with its setting 'weights'")
        rows += mine
    gallery = Gallery(tuple(rows))
    if path is not None:
        gallery.save(path)
    return gallery


def enrol_pictures(
    folder: str | Path, weights: str | Path, path: str | Path | None = None, *, device: str = "cpu", threads: int = 1
) -> Gallery:
    """Make persons known from pictures of their whole bodies, one person in each: ``folder/NAME/*.jpg``.

    ``weights``: the file of the re-identification network the recordings will be run with. Written to ``path``, too, if
    it is given. Raises `DataError` for a folder without pictures and for a file that is none, `ModelError` for weights
    that are no re-identification network.
    """
    from videoannotator.discover.models import sha256_of
    from videoannotator_person_identity.appearance import Appearance

    found = {person: _pictures(person) for person in sorted(Path(folder).iterdir()) if person.is_dir()}
    if not any(found.values()):
        raise DataError(f"{folder} has no pictures in folders named after persons: {folder}/NAME/*.jpg")
    network, model = Appearance(Path(weights), device=device, threads=threads), sha256_of(Path(weights))
    rows = []
    for person, files in found.items():
        vectors = network.of_crops([_read(file) for file in files])
        rows += [Known(person.name, "appearance", model, vector) for vector in vectors]
    gallery = Gallery(tuple(rows))
    if path is not None:
        gallery.save(path)
    return gallery


def _pictures(folder: Path) -> Sequence[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES)


def _read(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{file} is no picture that can be read: {error}") from error
