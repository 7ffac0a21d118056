"""Write a result in any of the installed formats, and read a file of any of them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from videoannotator.data.result import Result
from videoannotator.discover.catalog import FormatEntry, catalog
from videoannotator.discover.format import Format
from videoannotator.discover.specs import load
from videoannotator.errors import FormatError

__all__ = ["export", "read"]


def export(result: Result, folder: str | PathLike[str], formats: Sequence[str] = ("native",)) -> list[Path]:
    """Write ``result`` into ``folder`` in each of ``formats``; returns the paths written, in that order.

    The names begin with the media file's name. A format that can hold nothing of this result writes nothing.
    Raises `UnknownFormatError` before anything is written, `FormatError` when something cannot be written, or two
    formats give a file the same name.
    """
    names = [formats] if isinstance(formats, str) else list(dict.fromkeys(formats))
    installed = catalog()
    makers = {name: _load(installed.format(name)) for name in names}
    written: dict[Path, str] = {}
    for name, maker in makers.items():
        for path in maker.write(result, Path(folder), stem=result.stem):
            if path in written:
                raise FormatError(f"{written[path]} and {name} both write {path.name}: use a folder for each")
            written[path] = name
    return list(written)


def read(path: str | PathLike[str]) -> Result:
    """The result that a file or folder holds. The end of its name says which formats are tried.

    Raises `FormatError` when it is not there, no installed format has such names, or it cannot be read.
    """
    place = Path(path)
    if not place.exists():
        raise FormatError(f"{place} is not there")
    entries = _candidates(place)
    errors = []
    for entry in entries:
        try:
            return _load(entry).read(place)
        except FormatError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise FormatError("; ".join(f"{e.spec.name}: {error}" for e, error in zip(entries, errors, strict=True)))
    known = ", ".join(f"{name} ({' '.join(e.spec.suffixes)})" for name, e in catalog().formats.items())
    raise FormatError(f"{place} has a name that no installed format reads; there are {known}")


def _candidates(place: Path) -> list[FormatEntry]:
    """The formats whose suffix fits, the longest suffix first. A folder with a manifest goes by any name."""
    name = (place / "manifest.json" if place.is_dir() and (place / "manifest.json").is_file() else place).name.lower()
    fitting = [
        (max(len(s) for s in entry.spec.suffixes if name.endswith(s.lower())), entry)
        for entry in catalog().formats.values()
        if any(name.endswith(s.lower()) for s in entry.spec.suffixes)
    ]
    return [entry for _, entry in sorted(fitting, key=lambda pair: -pair[0])]


def _load(entry: FormatEntry) -> Format:
    made: Format = load(entry.spec.format)()
    return made
