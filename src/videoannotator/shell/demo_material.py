"""What the demo's clip is made of: pictures and a recording that other packages bring with them.

Nothing of those packages is imported, only files in their folders are read. They are looked for in a folder
of unpacked packages that the user names, then where Python would import the packages from.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import attrs

from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError, MissingDependencyError

__all__ = ["MATERIAL_COMMAND", "Material", "find_material", "read_rttm_spans"]

MATERIAL_COMMAND = "uv pip install --no-deps --target demo-material ultralytics pyannote.audio"

PICTURES = {
    "zidane": "ultralytics/assets/zidane.jpg",
    "bus": "ultralytics/assets/bus.jpg",
    "astronaut": "skimage/data/astronaut.png",
    "coffee": "skimage/data/coffee.png",
}
SPEECH = "pyannote/audio/sample/sample.wav"
REFERENCE = "pyannote/audio/sample/sample.rttm"


@attrs.frozen
class Material:
    """Files found. ``pictures``: name to path. ``speech``: 16-bit WAV. ``reference``: RTTM, who spoke when."""

    pictures: dict[str, Path]
    speech: Path | None = None
    reference: Path | None = None


def _package_folders(package: str) -> list[Path]:
    """Where the files of a top-level package lie; empty when it is not installed. Imports nothing."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [Path(place) for place in spec.submodule_search_locations]


def _locate(relative: str, folder: Path | None) -> Path | None:
    package, _, rest = relative.partition("/")
    places = [] if folder is None else [folder / package]
    for place in places + _package_folders(package):
        if (place / rest).is_file():
            return place / rest
    return None


def find_material(folder: Path | None = None) -> Material:
    """Look for pictures of people and for recorded speech.

    ``folder`` holds unpacked packages (``pip install --no-deps --target``) and is looked into first.
    Raises `DataError` when ``folder`` was given and holds none of the material, `MissingDependencyError` when
    no picture of a person is to be had anywhere: without one there is nothing to show.
    """
    known = [*PICTURES.values(), SPEECH]
    if folder is not None and not any((folder / relative).is_file() for relative in known):
        wanted = ", ".join(known)
        raise DataError(f"{folder} holds none of {wanted}. Fill it with: {MATERIAL_COMMAND}")
    pictures = {name: path for name, relative in PICTURES.items() if (path := _locate(relative, folder)) is not None}
    if not pictures.keys() & {"zidane", "bus", "astronaut"}:
        raise MissingDependencyError(
            "the demo found no picture of a person: neither scikit-image nor ultralytics is installed in "
            f"{sys.prefix}. Add one with: pip install scikit-image"
        )
    return Material(pictures, speech=_locate(SPEECH, folder), reference=_locate(REFERENCE, folder))


def read_rttm_spans(path: Path) -> tuple[TimeSpan, ...]:
    """When somebody speaks, whoever it is: the union of the turns in an RTTM file, in order of time."""
    turns = []
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields and fields[0] == "SPEAKER":
            turns.append((float(fields[3]), float(fields[3]) + float(fields[4])))
    union: list[tuple[float, float]] = []
    for start, end in sorted(turns):
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(end, union[-1][1]))
        else:
            union.append((start, end))
    return tuple(TimeSpan(start, end) for start, end in union)
