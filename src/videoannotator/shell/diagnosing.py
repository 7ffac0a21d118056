"""``videoannotator diagnose``: what this installation can do, what it lacks, and what to type."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs

from videoannotator.errors import UsageError, VideoAnnotatorError, nearest
from videoannotator.serve.configuring import Configuration
from videoannotator.shell.configuring import hidden_password
from videoannotator.shell.speaking import give

__all__ = ["Check", "diagnose"]

GIGABYTE = 1024**3


@attrs.frozen
class Check:
    """One thing that was looked at. ``warning``: something works less well than it could."""

    section: str
    name: str
    state: Literal["ok", "warning", "error"]
    message: str
    data: Mapping[str, Any] = attrs.field(factory=dict)


def diagnose(names: Sequence[str], *, as_json: bool) -> int:
    """Look, and say what was found. Returns 0 when all is well, 1 when something is broken, 2 for warnings only."""
    unknown = [name for name in names if name not in (*SECTIONS, "all")]
    if unknown:
        known = ["all", *SECTIONS]
        raise UsageError(
            f"there is no section {unknown[0]!r}{nearest(unknown[0], known)}; there are {', '.join(known)}"
        )
    chosen = list(SECTIONS) if not names or "all" in names else list(dict.fromkeys(names))
    checks = [check for name in chosen for check in _looked_at(name)]
    worst = 1 if any(c.state == "error" for c in checks) else 2 if any(c.state == "warning" for c in checks) else 0
    if as_json:
        verdict = {0: "ok", 1: "error", 2: "warning"}[worst]
        give(json.dumps({"state": verdict, "checks": [attrs.asdict(check) for check in checks]}, indent=2))
        return worst
    section = ""
    for check in checks:
        if check.section != section:
            section = check.section
            give(section)
        give(f"  {check.state:7}  {check.name}: {check.message}")
    return worst


def _looked_at(section: str) -> Iterator[Check]:
    try:
        yield from SECTIONS[section](section)
    except VideoAnnotatorError as error:
        yield Check(section, section, "error", str(error))


def _system(section: str) -> Iterator[Check]:
    import av
    import psutil

    from videoannotator import __version__

    yield Check(section, "videoannotator", "ok", __version__, {"version": __version__})
    version = platform.python_version()
    yield Check(section, "python", "ok", f"{version}, {sys.executable}", {"version": version, "path": sys.executable})
    yield Check(section, "system", "ok", platform.platform(), {"platform": platform.platform()})
    cores, memory = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(), None
    memory = psutil.virtual_memory()
    yield Check(
        section,
        "processor and memory",
        "ok" if memory.available > GIGABYTE else "warning",
        f"{cores} threads, {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free",
        {"threads": cores, "memory_bytes": memory.total, "available_bytes": memory.available},
    )
    libraries = {name: ".".join(map(str, parts)) for name, parts in av.library_versions.items()}
    yield Check(
        section,
        "decoder",
        "ok",
        f"PyAV {av.__version__}, libavcodec {libraries['libavcodec']}",
        {"libraries": libraries},
    )


def _gpu(section: str) -> Iterator[Check]:
    from videoannotator.run.devices import Machine, cards

    devices = Machine().available()
    found = cards()
    if devices == ("cpu",):
        yield Check(section, "devices", "ok", "no card that can be used: everything runs on the processor")
        return
    yield Check(section, "devices", "ok", ", ".join(devices), {"devices": list(devices)})
    for number, card in enumerate(found):
        yield Check(section, f"card {number}", "ok", ", ".join(f"{k} {v}" for k, v in card.items()), card)


def _storage(section: str) -> Iterator[Check]:
    from videoannotator.discover.models import ModelStore
    from videoannotator.run.cache import ResultCache

    settings = Configuration.load().server
    places = {"cache": ResultCache().folder, "models": ModelStore().folder, "server's data": settings.data_dir}
    for name, folder in places.items():
        there = next(place for place in (folder, *folder.parents) if place.exists())
        usage = shutil.disk_usage(there)
        data = {"path": str(folder), "free_bytes": usage.free, "total_bytes": usage.total}
        message = f"{folder}: {usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB free"
        if not os.access(there, os.W_OK):
            yield Check(section, name, "error", f"{there} cannot be written", data)
        elif usage.free < max(settings.limits.free_bytes, usage.total // 50):
            yield Check(section, name, "warning", f"{message}; the disk is nearly full", data)
        else:
            yield Check(section, name, "ok", message, data)


def _database(section: str) -> Iterator[Check]:
    settings = Configuration.load().server
    shown = hidden_password(settings.database_url)
    try:
        from videoannotator.serve import migrating
        from videoannotator.serve.store.database import Database
    except ModuleNotFoundError as error:
        yield Check(
            section, "server", "ok", f"not installed ({error.name}); pip install 'videoannotator[server]' adds it"
        )
        return
    file = settings.data_dir / "server.db"
    if settings.database is None and not file.exists():
        yield Check(
            section, "database", "ok", f"none yet in {settings.data_dir}; videoannotator server start makes one"
        )
        return
    try:
        database = Database(settings.database_url)
    except ModuleNotFoundError as error:
        yield Check(section, "database", "error", f"{shown} needs {error.name}: pip install 'videoannotator[postgres]'")
        return
    try:
        version = migrating.current(database)
        state: Literal["ok", "warning"] = "ok" if version.is_newest else "warning"
        hint = "" if version.is_newest else "; videoannotator db upgrade brings it to this version"
        data = {"revision": version.found, "newest": version.newest}
        yield Check(section, "database", state, f"{shown}, revision {version.found or 'none'}{hint}", data)
        if database.is_sqlite:
            with database.read() as connection:
                told = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            whole = told == "ok"
            yield Check(
                section, "integrity", "ok" if whole else "error", "whole" if whole else f"damaged: {told}; use a backup"
            )
    finally:
        database.close()


def _models(section: str) -> Iterator[Check]:
    from videoannotator.discover.catalog import catalog
    from videoannotator.shell.weights import declared

    entries = catalog().entries
    for one in declared(entries):
        plain = one.plain
        where = f"on disk, {plain['path']}" if plain["on_disk"] else "not on disk"
        yield Check(section, f"{plain['pipeline']} {plain['name']}", "ok", f"{where}; {plain['licence']}", plain)
    if not entries:
        yield Check(section, "models", "ok", "no pipeline is installed")


def _pipelines(section: str) -> Iterator[Check]:
    from videoannotator.discover.catalog import catalog
    from videoannotator.discover.models import ModelStore
    from videoannotator.discover.readiness import readiness

    found, store = catalog(), ModelStore()
    for entry in found.entries:
        state = readiness(entry, None, store)
        message = "ready" if state.ready else f"{state.missing}. {state.get}"
        yield Check(section, entry.spec.name, "ok" if state.ready or state.fetch else "warning", message)
    for broken in found.broken:
        yield Check(section, broken.plugin.name, "error", f"did not load: {broken.reason}")
    if not found.entries:
        yield Check(section, "pipelines", "warning", "none is installed; see: videoannotator pipelines")


SECTIONS: Mapping[str, Callable[[str], Iterator[Check]]] = {
    "system": _system,
    "gpu": _gpu,
    "storage": _storage,
    "database": _database,
    "models": _models,
    "pipelines": _pipelines,
}
