"""What is installed in the environment of this interpreter: versions, and where the code of a package lies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

__all__ = ["code_places", "hash_of_code", "library_versions"]


def library_versions(distributions: Iterable[str]) -> dict[str, str]:
    """Installed versions of these distributions and of what they require directly.

    Read once per process: what it has imported stays what it was, whatever is installed afterwards.
    """
    return dict(_library_versions(frozenset(distributions)))


@cache
def _library_versions(distributions: frozenset[str]) -> dict[str, str]:
    names = set(distributions)
    for name in tuple(names):
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        for requirement in needed:
            if match := re.match(r"[A-Za-z0-9._-]+", requirement):
                names.add(match.group())
    versions = {}
    for name in sorted(names):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def code_places(path: str) -> tuple[str, ...]:
    """Folders of the top-level package of ``"package.module:Class"``, or its one file; nothing is imported.

    Empty for a package that is not here.
    """
    found = find_spec(path.partition(".")[0].partition(":")[0])
    if found is None:
        return ()
    folders = tuple(found.submodule_search_locations or ())
    return folders or ((found.origin,) if found.origin else ())


def hash_of_code(places: Sequence[str]) -> str:
    """A hash of names, sizes and times of the source files at `code_places`; empty where there are none.

    A version number tells published plugins apart; whoever is writing one changes its code between two runs.
    """
    if not places:
        return ""
    told = hashlib.sha256()
    folders = [Path(place) for place in places]
    files = (file for place in folders for file in ([place] if place.is_file() else place.rglob("*.py")))
    for file in sorted(files):
        stat = file.stat()
        told.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return told.hexdigest()
