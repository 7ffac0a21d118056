"""``videoannotator pipelines``: what is installed, what is missing and how to get it, what did not load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from videoannotator.data.convert import unstructure
from videoannotator.discover.catalog import Catalog, PipelineEntry, Plugin, catalog, normal_name
from videoannotator.discover.known import BACKENDS, SHIPPED, how_to_install
from videoannotator.discover.models import ModelStore
from videoannotator.discover.readiness import describe_model, readiness
from videoannotator.discover.settings import schema_of
from videoannotator.errors import PluginLoadError, UsageError
from videoannotator.shell.speaking import give
from videoannotator.shell.weights import used_by_default

__all__ = ["describe", "describe_text", "overview", "overview_markdown", "overview_text", "show_pipelines"]


def overview(found: Catalog) -> dict[str, Any]:
    """Everything that is installed, not installed or broken, as plain data."""
    broken = {item.plugin.name for item in found.broken}
    absent = [name for name in SHIPPED if name not in found.pipelines and name not in broken]
    return {
        "installed": [_entry(entry) for entry in found.entries],
        "not_installed": [{"name": name, "command": how_to_install(name)} for name in absent]
        + [
            {"name": name, "backend": backend, "command": how_to_install(name, backend)}
            for name, backend in _absent_backends(found)
            if name not in absent or SHIPPED[name] != BACKENDS[name][backend]  # else it has its line already
        ],
        "broken": [
            {
                "plugin": item.plugin.name,
                "distribution": item.plugin.distribution,
                "version": item.plugin.version,
                "reason": item.reason,
                "missing_packages": list(item.plugin.missing),
            }
            for item in found.broken
        ],
        "formats": [
            {"name": e.spec.name, "summary": e.spec.summary, "suffixes": list(e.spec.suffixes)}
            for e in found.formats.values()
        ],
    }


def _absent_backends(found: Catalog) -> Iterator[tuple[str, str]]:
    here = {normal_name(plugin.distribution) for plugin in _plugins(found)}
    for name, backends in BACKENDS.items():
        yield from ((name, backend) for backend, distribution in backends.items() if distribution not in here)


def _plugins(found: Catalog) -> Iterator[Plugin]:
    yield from (entry.plugin for entry in found.entries)
    yield from (item.plugin for item in found.broken)


def _entry(entry: PipelineEntry) -> dict[str, Any]:
    spec, store = entry.spec, ModelStore()
    state = readiness(entry, None, store)
    return {
        "name": spec.name,
        "backend": spec.backend,
        "version": spec.version,
        "summary": spec.summary,
        "plugin": entry.plugin.distribution,
        "plugin_version": entry.plugin.version,
        "environment": None if entry.environment is None else str(entry.environment.folder),
        "licence": spec.licence,
        "ready": state.ready,
        "missing": state.missing,
        "get": state.get,
        "gives": dict(spec.gives),
    }


def describe(entry: PipelineEntry) -> dict[str, Any]:
    """One pipeline in full, as plain data: also its models, needs, and its settings as JSON Schema."""
    spec, store = entry.spec, entry.models(ModelStore())
    used = used_by_default(entry)
    models = [
        {
            **unstructure(model),
            "on_disk": store.present(model.name, spec.models),
            "path": str(store.locate(model)),
            "by_default": model.name in used,
        }
        for model in spec.models
    ]
    try:
        schema = schema_of(entry)
    except PluginLoadError as error:
        schema = {"error": str(error)}
    return {
        **_entry(entry),
        "needs": [{"kind": type(need).__name__, **unstructure(need)} for need in spec.needs],
        "accelerators": list(spec.accelerators),
        "precisions": list(spec.precisions),
        "models": models,
        "config": schema,
    }


def overview_text(found: Catalog) -> str:
    """`overview` for people."""
    return "\n".join(_overview_lines(overview(found)))


def _overview_lines(plain: dict[str, Any]) -> Iterator[str]:
    yield "Installed pipelines"
    for item in plain["installed"]:
        backend = f" (backend {item['backend']})" if item["backend"] else ""
        yield f"  {item['name']} {item['version']}{backend}  {item['summary']}".rstrip()
        if item["ready"]:
            apart = ", in an environment of its own" if item["environment"] else ""
            yield f"      ready; licence {item['licence']}{apart}"
        else:
            yield f"      not ready: {item['missing']}"
            yield f"      {item['get']}"
    if not plain["installed"]:
        yield "  none"
    if plain["not_installed"]:
        yield "Not installed"
        names = [
            item["name"] + (f" (backend {item['backend']})" if "backend" in item else "")
            for item in plain["not_installed"]
        ]
        width = max(map(len, names))
        commands = (item["command"] for item in plain["not_installed"])
        yield from (f"  {name:{width}}  {command}" for name, command in zip(names, commands, strict=True))
    if plain["broken"]:
        yield "Failed to load"
        for item in plain["broken"]:
            yield f"  {item['plugin']} ({item['distribution']} {item['version']}): {item['reason']}"
            if item["missing_packages"]:
                packages = " ".join(f'"{name}"' for name in item["missing_packages"])
                yield f"      Type: pip install {packages}"
    if plain["formats"]:
        yield "Formats"
        width = max(len(item["name"]) for item in plain["formats"])
        yield from (f"  {item['name']:{width}}  {item['summary']}".rstrip() for item in plain["formats"])
    if plain["installed"]:
        yield f"More on one: videoannotator pipelines {plain['installed'][0]['name']}"


def describe_text(entry: PipelineEntry) -> str:
    """`describe` for people; the settings as the JSON Schema that it is."""
    return "\n".join(_describe_lines(entry, describe(entry)))


def _describe_lines(entry: PipelineEntry, plain: dict[str, Any]) -> Iterator[str]:
    import json

    yield f"{plain['name']} {plain['version']}  {plain['summary']}".rstrip()
    yield f"  plugin   {plain['plugin']} {plain['plugin_version']}"
    if plain["backend"]:
        yield f"  backend  {plain['backend']}: --set {plain['name']}.backend={plain['backend']} chooses it"
    if plain["environment"]:
        yield f"  lives in an environment of its own, {plain['environment']}"
    yield f"  licence  {plain['licence']}"
    for output, row in plain["gives"].items():
        yield f"  gives    {output}: rows of {row.partition(':')[2]}"
    for need in entry.spec.needs:
        yield f"  needs    {need}"
    yield "  runs on  " + ", ".join(["cpu", *plain["accelerators"]])
    if "fast" in plain["precisions"]:
        yield "  runs     exact, or with --precision fast: less time, and numbers that differ a little"
    for model, spec in zip(plain["models"], entry.spec.models, strict=True):
        where = f"on disk: {model['path']}" if model["on_disk"] else "not on disk"
        wanted = "" if model["by_default"] else "; used when a setting names it"
        yield f"  model    {describe_model(spec)}; {where}{wanted}"
        if spec.summary:
            yield f"           {spec.summary}"
    yield "  state    ready" if plain["ready"] else f"  state    not ready: {plain['missing']}"
    if plain["get"]:
        yield f"           {plain['get']}"
    if plain["config"] is None:
        yield "  settings none"
    else:
        yield f"  settings (--set {plain['name']}.KEY=VALUE, or [{plain['name']}] in --config FILE), as JSON Schema:"
        yield from (f"    {line}" for line in json.dumps(plain["config"], indent=2).splitlines())


def show_pipelines(name: str | None, form: Literal["text", "json", "markdown"], *, detailed: bool = False) -> int:
    """Print the list, or one pipeline in full, or all of them. Returns the exit code."""
    import json

    found = catalog()
    if form == "markdown":
        if name is not None or detailed:
            raise UsageError("--format markdown gives the table of all pipelines, without a name and --detailed")
        give(overview_markdown(found))
    elif name is not None:
        first = describe(found.pipeline(name))
        others = found.backends(name)[1:]
        if form == "json":
            give(json.dumps({**first, "other_backends": [describe(entry) for entry in others]}, indent=2))
        else:
            give("\n\n".join(map(describe_text, found.backends(name))))
    elif detailed:
        every = found.entries
        text = json.dumps(list(map(describe, every)), indent=2) if form == "json" else None
        give("\n\n".join(map(describe_text, every)) if text is None else text)
    else:
        give(json.dumps(overview(found), indent=2) if form == "json" else overview_text(found))
    return 0


def overview_markdown(found: Catalog) -> str:
    """`overview` of what is installed as a table for documents."""
    lines = ["| pipeline | version | what it does | gives | licence | state |", "| --- | --- | --- | --- | --- | --- |"]
    for item in overview(found)["installed"]:
        name = item["name"] + (f" (backend {item['backend']})" if item["backend"] else "")
        state = "ready" if item["ready"] else f"not ready: {item['missing']}"
        cells = [f"`{name}`", item["version"], item["summary"], ", ".join(item["gives"]), item["licence"], state]
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)
