"""Installing a plugin into an environment of its own: ``videoannotator plugins install NAME --isolated``."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

import attrs
from filelock import FileLock, Timeout

from videoannotator.data.convert import structure, unstructure
from videoannotator.discover.asking import ask, last_lines, variables_outside
from videoannotator.discover.catalog import BLOCK_VARIABLE, catalog, normal_name, place_of
from videoannotator.discover.environments import (
    DESCRIPTION,
    MARK,
    PLUGINS_VARIABLE,
    BrokenEnvironment,
    Description,
    Environment,
    environment_at,
    environments,
    plugins_folder,
    stamp_of,
)
from videoannotator.discover.known import APART, SHIPPED, distributions, what_to_install
from videoannotator.errors import NameClashError, PluginInstallError, nearest

__all__ = ["Wanted", "find_environment", "install_isolated", "refresh", "remove", "wanted"]

_EXECUTABLE = "Scripts/python.exe" if sys.platform == "win32" else "bin/python"
_FILES = (".whl", ".zip", ".tar.gz")

Tell = Callable[[str], None]


@attrs.frozen
class Wanted:
    """What the user named. ``arguments``: of ``pip install``. ``name``: of the environment.

    ``distribution``: its name; None when only installing will tell, then ``url`` is what it is installed from.
    ``python``: the version that it needs, as in ``"3.11"``; None: that of this interpreter.
    """

    asked: str
    name: str
    arguments: tuple[str, ...]
    distribution: str | None = None
    url: str | None = None
    python: str | None = None


def wanted(asked: str) -> Wanted:
    """What to install for a pipeline of ours, a requirement (``"my-plugin>=2"``), or the path of a project or wheel.

    What has a slash in it, begins with a dot or ends like a package file is a path, as for pip.
    Raises `PluginInstallError` for a path where nothing is, and for what is neither.
    """
    known = what_to_install(asked)
    if known is not None:
        distribution = SHIPPED.get(asked) or distributions()[asked]
        return Wanted(asked, distribution, tuple(known), distribution, python=APART.get(asked))
    requirement = re.fullmatch(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[.*\])?\s*([@<>=!~;].*)?", asked)
    path = Path(asked).expanduser()
    is_path = asked.endswith(_FILES) or asked.startswith(".") or "/" in asked or os.sep in asked
    if is_path and not (requirement and "@" in asked):
        if "://" in asked:
            raise PluginInstallError(f"write an address with the name of what is there: NAME @ {asked}")
        return _from_path(path.absolute())
    if requirement is None:
        raise PluginInstallError(f"{asked!r} is no pipeline, no requirement (my-plugin>=2) and no path (./my-plugin)")
    return Wanted(asked, _name(requirement.group(1)), (asked.strip(),), requirement.group(1))


def _from_path(path: Path) -> Wanted:
    if path.is_file() and path.name.endswith(_FILES):
        name = re.split(r"-\d", path.name)[0]
        return Wanted(str(path), _name(name), (str(path),), name)
    about = path / "pyproject.toml"
    if not about.is_file() and not (path / "setup.py").is_file():
        raise PluginInstallError(f"{path} is neither a package file nor the folder of a project (with pyproject.toml)")
    try:
        project = tomllib.loads(about.read_text(encoding="utf-8")).get("project", {}) if about.is_file() else {}
    except (OSError, ValueError) as error:
        raise PluginInstallError(f"{about} cannot be read: {error}") from error
    name = project.get("name")
    return Wanted(str(path), _name(name or path.name), (str(path),), name, path.resolve().as_uri())


def _name(text: str) -> str:
    """A name for a folder, whatever a project is called."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "plugin"


def this_core() -> list[str]:
    """The arguments of ``pip install`` that give another environment the videoannotator that this is."""
    dist = distribution("videoannotator")
    origin = json.loads(dist.read_text("direct_url.json") or "null")
    if origin is None:
        return [f"videoannotator=={dist.version}"]
    url = origin["url"]
    if "dir_info" in origin:
        return ["-e", _folder(url)] if origin["dir_info"].get("editable") else [_folder(url)]
    if "vcs_info" in origin:
        kind, commit = origin["vcs_info"]["vcs"], origin["vcs_info"]["commit_id"]
        return [f"videoannotator @ {kind}+{url}@{commit}"]
    return [f"videoannotator @ {url}"]


def _folder(url: str) -> str:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path)


def install_isolated(asked: str, *, tell: Tell = lambda text: None) -> Environment:
    """Install a plugin, and the videoannotator that this is, into an environment of its own, and describe it.

    ``asked``: see `wanted`. An environment of this name that is there already is replaced once the new one is
    complete. ``tell``: is told what is done.

    Raises `PluginInstallError` with the last lines of the tool, `PluginLoadError` when what was installed is no plugin
    or does not load, `NameClashError` when its pipelines are there already. Then nothing of it is left.
    """
    want = wanted(asked)
    folder = plugins_folder() / want.name
    with _alone():
        inside = folder / secrets.token_hex(4)
        if folder.exists() and not (folder / MARK).is_file():
            raise PluginInstallError(f"{folder} is there and is not ours; choose another place with {PLUGINS_VARIABLE}")
        if asked in SHIPPED:
            _refuse_clashes(want.name, {(asked, None)})  # before much is fetched
        try:
            inside.mkdir(parents=True)
            (folder / MARK).touch()
            tell(f"making an environment in {inside}")
            _fill(inside, want, tell)
            tell("asking it for its pipelines")
            found = _described(folder, want, inside.name)
            _refuse_clashes(want.name, _published(found))
            _write(found)
        except BaseException as error:
            _give_up(folder, inside)
            if isinstance(error, OSError):
                raise PluginInstallError(f"{inside}: {error}") from error
            raise
        _tidy(folder)
    return found


def _give_up(folder: Path, inside: Path) -> None:
    """Drop what was begun; unless it was complete a moment before it was stopped."""
    there = environment_at(folder) if (folder / DESCRIPTION).is_file() else None
    if not (isinstance(there, Environment) and there.description.inside == inside.name):
        shutil.rmtree(inside, ignore_errors=True)
    _tidy(folder)


def _fill(inside: Path, want: Wanted, tell: Tell) -> None:
    uv = _uv()
    python = str(inside / _EXECUTABLE)
    here = want.python in (None, ".".join(map(str, sys.version_info[:2])))
    if uv is not None:
        # another Python is one that uv finds on this machine, or fetches
        maker = sys.executable if here else str(want.python)
        _run([*uv, "venv", "--quiet", "--allow-existing", "--python", maker, str(inside)], want)
        command = [*uv, "pip", "install", "--python", python]
    elif not here:
        raise PluginInstallError(
            f"{want.asked} needs Python {want.python}, this is {sys.version_info[0]}.{sys.version_info[1]}; uv "
            "finds or fetches it: pip install uv, then again"
        )
    else:
        _run([sys.executable, "-m", "venv", str(inside)], want)
        command = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    arguments = [*this_core(), *want.arguments]
    tell(f"installing {' '.join(arguments)}")
    _run([*command, *arguments], want)


def _uv() -> list[str] | None:
    found = shutil.which("uv")
    if found is not None:
        return [found]
    return [sys.executable, "-m", "uv"] if find_spec("uv") is not None else None


def _run(command: Sequence[str], want: Wanted) -> None:
    done = subprocess.run(  # noqa: S603 - uv, pip or venv, with what the user named
        command,
        env=variables_outside(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        hint = "" if what_to_install(want.asked) is not None else nearest(want.asked, SHIPPED)
        raise PluginInstallError(
            f"{want.asked} could not be installed{hint}: {' '.join(command)} ended with exit status "
            f"{done.returncode}:\n{last_lines(done.stdout)}"
        )


def _described(folder: Path, want: Wanted, inside: str) -> Environment:
    question = {
        "do": "describe",
        "distribution": want.distribution,
        "url": want.url,
        "asked": want.asked,
        "inside": inside,
        "executable": _EXECUTABLE,
    }
    answer = ask(str(folder / inside / _EXECUTABLE), question, f"the pipelines of {want.name}")
    description = structure(Description, answer)
    return Environment(want.name, folder, attrs.evolve(description, stamp=stamp_of(description)))


def _refuse_clashes(name: str, published: set[tuple[str, str | None]]) -> None:
    """Raise `NameClashError` when somebody else publishes what the environment ``name`` does: (pipeline, backend)."""
    for other in catalog().entries:
        clashes = (other.spec.name, other.spec.backend) in published
        if clashes and (other.environment is None or other.environment.name != name):
            place = place_of(other)
            raise NameClashError(
                f"{place.named} publishes the pipeline {other.spec.name!r} already. Remove that first "
                f"({place.remove}), or block it: {BLOCK_VARIABLE}={place.block}"
            )


def _published(found: Environment) -> set[tuple[str, str | None]]:
    specs = [pipeline.spec for plugin in found.description.plugins for pipeline in plugin.pipelines]
    return {(spec["name"], spec.get("backend")) for spec in specs}


def _write(found: Environment) -> None:
    place = found.folder / DESCRIPTION
    working = place.with_suffix(".part")
    working.write_text(json.dumps(unstructure(found.description), indent=1), encoding="utf-8")
    os.replace(working, place)


def _tidy(folder: Path) -> None:
    """Drop all of a folder of ours that its description does not speak of: what was replaced, or never completed."""
    if not (folder / MARK).is_file():
        return
    if not (folder / DESCRIPTION).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return
    found = environment_at(folder)
    if isinstance(found, Environment):
        for place in folder.iterdir():
            if place.is_dir() and place.name != found.description.inside:
                shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    """One change at a time, whichever process makes it."""
    folder = plugins_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise PluginInstallError(
            f"plugins are being installed or removed in {folder}; wait until that is done"
        ) from error
    except OSError as error:
        raise PluginInstallError(f"{folder} cannot be written: {error}") from error
    try:
        for place in folder.iterdir():
            _tidy(place)  # whoever began it has been killed: the lock is ours
        yield
    finally:
        lock.release()


def find_environment(name: str) -> Environment | BrokenEnvironment:
    """The environment called ``name``, or that of the plugin, distribution or pipeline of this name.

    Raises `PluginInstallError` when there is none, or more than one.
    """
    every = environments()
    fitting = [found for found in every if name in _names(found) or normal_name(name) == found.name]
    if len(fitting) > 1:  # backends of one pipeline
        raise PluginInstallError(f"{name!r} is in several environments; name one: {', '.join(f.name for f in fitting)}")
    if fitting:
        return fitting[0]
    names = [name for found in every for name in _names(found)]
    raise PluginInstallError(
        f"no plugin {name!r} has an environment of its own{nearest(name, names)}; see: videoannotator plugins list"
    )


def _names(found: Environment | BrokenEnvironment) -> list[str]:
    if isinstance(found, BrokenEnvironment):
        return [found.name]
    plugins = found.description.plugins
    return [
        found.name,
        *(p.name for p in plugins),
        *(p.distribution for p in plugins),
        *(name for name, _ in _published(found)),
    ]


def refresh(name: str) -> Environment:
    """Describe an environment anew, after it was changed in place. Raises what `install_isolated` raises."""
    with _alone():
        found = find_environment(name)
        if isinstance(found, BrokenEnvironment):
            raise PluginInstallError(found.reason)
        told = found.description
        anew = _described(found.folder, Wanted(told.asked, found.name, (), told.plugins[0].distribution), told.inside)
        _refuse_clashes(anew.name, _published(anew))
        _write(anew)
    return anew


def remove(name: str) -> Environment | BrokenEnvironment:
    """Remove an environment; see `find_environment`."""
    with _alone():
        found = find_environment(name)
        (found.folder / DESCRIPTION).unlink(missing_ok=True)  # first: what is half removed is never discovered
        shutil.rmtree(found.folder, ignore_errors=True)
        if found.folder.exists():
            raise PluginInstallError(f"{found.folder} could not be removed completely; nothing in it is used any more")
    return found
