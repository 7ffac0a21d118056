"""Known voices: made from earlier results or from recordings, kept in a small file, met again in other recordings.

The file is a NumPy archive (``.npz``, nothing in it is pickled) with these arrays: ``version`` (1), ``names`` (N,),
text; ``models`` (N,), SHA-256 of the embedding network's file; ``seconds`` (N,), how much speech the voice print is
from; and for each row i an array ``vector_i``, float32 (D,). A person may have several rows, one for each recording: a
voice is another one with a cold, on the telephone, or at the other end of the room.

Voice prints are biometric data: they tell a person from others as a fingerprint does.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator import Result
from videoannotator.errors import DataError, ModelError

__all__ = ["Calibration", "Gallery", "Known", "calibrated", "distances", "enrol"]

_VERSION = 1
_PIPELINE = "speaker_diarization"
_LABEL = re.compile(r"SPEAKER_\d+")


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = np.asarray(vector, dtype=np.float64)
    unit: NDArray[np.float64] = wide / max(float(np.linalg.norm(wide)), 1e-12)
    return unit


def _units(vectors: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    return np.stack([_unit(vector) for vector in vectors]) if len(vectors) else np.empty((0, 0))


@attrs.frozen(eq=False)
class Known:
    """The voice of a known person in one recording.

    ``vector``: float32 (D,). ``model``: SHA-256 of the network's file. ``seconds``: how much speech it is from.
    Raises `DataError` for a vector that is none, and for a name that is what unknown speakers are called.
    """

    name: str
    model: str
    vector: NDArray[np.float32]
    seconds: float

    def __attrs_post_init__(self) -> None:
        if not self.name.strip() or _LABEL.fullmatch(self.name):
            raise DataError(
                f"a known speaker needs a name, and SPEAKER_00 is what unknown ones have; got {self.name!r}"
            )
        if self.vector.ndim != 1 or not np.isfinite(self.vector).all() or not self.vector.any():
            raise DataError(f"the voice print of {self.name} must be a vector of finite numbers that are not all 0")


@attrs.frozen(eq=False)
class Gallery:
    """Known voices."""

    known: tuple[Known, ...] = ()

    def __add__(self, other: Gallery) -> Gallery:
        """Both together."""
        return Gallery(self.known + other.known)

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody's name, once each, sorted."""
        return tuple(sorted({known.name for known in self.known}))

    def of(self, model: str) -> Gallery:
        """The same. Raises `ModelError` when a vector is of another network: such vectors cannot be compared."""
        other = sorted({known.model[:12] for known in self.known if known.model != model})
        if other:
            raise ModelError(
                f"the gallery's voice prints were made by the embedding network {', '.join(other)}..., this run uses "
                f"{model[:12]}...; those of different networks cannot be compared: enrol the speakers anew with it"
            )
        return self

    def centres(self) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """The names, and for each the middle of that person's voice prints, of length 1: float64 (names, D).

        Raises `DataError` where vectors have different lengths.
        """
        if len({known.vector.size for known in self.known}) > 1:
            raise DataError("the voice prints of the gallery have different lengths: they are of different networks")
        names = self.names
        mine = [np.mean([_unit(k.vector) for k in self.known if k.name == name], axis=0) for name in names]
        return names, _units(mine)

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
                models=np.array([known.model for known in self.known], dtype=np.str_),
                seconds=np.array([known.seconds for known in self.known], dtype=np.float64),
                **vectors,
            )
        return path

    @classmethod
    def read(cls, path: str | Path) -> Gallery:
        """Read what `save` wrote; of a folder, all ``.npz`` files in it. Raises `DataError` for something else."""
        path = Path(path)
        if path.is_dir():
            files = sorted(path.glob("*.npz"))
            if not files:
                raise DataError(f"{path} holds no gallery: no .npz file made by enrol() or enrol_recordings()")
            return sum(map(cls.read, files), cls())
        try:
            with np.load(path, allow_pickle=False) as file:
                version = int(file["version"])
                if version != _VERSION:
                    raise DataError(f"{path} is a gallery of version {version}; this library reads {_VERSION}")
                names, models, seconds = (file[name].tolist() for name in ("names", "models", "seconds"))
                rows = [
                    Known(name, model, np.asarray(file[f"vector_{i}"], dtype=np.float32), float(long))
                    for i, (name, model, long) in enumerate(zip(names, models, seconds, strict=True))
                ]
        except (OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path} is no gallery made by enrol() or enrol_recordings(): {error}") from error
        return cls(tuple(rows))


def distances(vectors: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosine distances, 0 (the same direction) to 2: (N, D) and (M, D) to (N, M)."""
    left, right = _units(list(vectors)), _units(list(centres))
    if not len(left) or not len(right):
        return np.empty((len(left), len(right)))
    apart: NDArray[np.float64] = np.clip(1 - left @ right.T, 0.0, 2.0)
    return apart


def enrol(result: Result, names: Mapping[str, str], path: str | Path | None = None) -> Gallery:
    """Make speakers of a result known: ``{"SPEAKER_00": "Anna"}``. Written to ``path``, too, if it is given.

    Speakers are named by their label, or by the name they were recognised by. To add to a gallery:
    ``(Gallery.read(path) + enrol(result, names)).save(path)``. Raises `DataError` for a result without
    `speaker_diarization`, for a speaker it does not have, and for one of whom there is no voice print.
    """
    if _PIPELINE not in result:
        raise DataError(f"the result has no {_PIPELINE}; run that pipeline, and enrol from its result")
    voices = result[_PIPELINE].tables["voices"]
    by_name = {row.speaker: row for row in voices} | {row.label: row for row in voices}
    rows = []
    for speaker, name in names.items():
        voice = by_name.get(speaker)
        if voice is None:
            there = ", ".join(sorted(row.speaker for row in voices)) or "none"
            raise DataError(f"the result has no speaker {speaker!r}; it has {there}")
        if voice.vector is None:
            raise DataError(
                f"{speaker} spoke too little for a voice print ({voice.seconds:.1f} s): take another recording"
            )
        rows.append(Known(name, voice.model, voice.vector, voice.seconds))
    gallery = Gallery(tuple(rows))
    if path is not None:
        gallery.save(path)
    return gallery


@attrs.frozen(eq=False)
class Calibration:
    """How far voices of the gallery lie apart, for choosing ``gallery_distance``.

    ``same``: float64 (N,), cosine distance of each recording from the middle of the others of the same person;
    ``different``: float64 (M,), from the middles of all other persons. ``distance``: where as many of the ones lie
    beyond as of the others within, about; ``error``: the greater of these two shares at it.
    """

    same: NDArray[np.float64]
    different: NDArray[np.float64]
    distance: float
    error: float


def calibrated(gallery: Gallery) -> Calibration:
    """Measure a gallery against itself, each recording left out in turn.

    Raises `DataError` unless there are two persons, and two recordings of one of them. With a handful of people this
    is a hint, and no more.
    """
    same: list[float] = []
    different: list[float] = []
    for one in gallery.known:
        names, centres = Gallery(tuple(known for known in gallery.known if known is not one)).centres()
        for name, distance in zip(names, distances(one.vector[None], centres)[0], strict=True):
            (same if name == one.name else different).append(float(distance))
    if not same or not different:
        raise DataError("to calibrate, a gallery needs two persons, and two recordings of at least one of them")
    near, far = np.sort(same), np.sort(different)
    edges = np.unique(np.concatenate([near, far]))
    middles = np.concatenate([[edges[0] / 2], (edges[:-1] + edges[1:]) / 2, [edges[-1] + 1e-6]])
    missed = 1 - np.searchsorted(near, middles, side="right") / len(near)
    taken = np.searchsorted(far, middles, side="right") / len(far)
    worst = np.maximum(missed, taken)
    best = np.flatnonzero(worst == worst.min())
    return Calibration(near, far, float(middles[best[len(best) // 2]]), float(worst.min()))
