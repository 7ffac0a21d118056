"""``videoannotator plugins``: plugins in environments of their own."""

from __future__ import annotations

import shlex
import sys

from videoannotator.discover.catalog import plugins_here
from videoannotator.discover.environments import BrokenEnvironment, Environment, environments, plugins_folder
from videoannotator.discover.installing import find_environment, install_isolated, refresh, remove, wanted
from videoannotator.errors import PluginInstallError, UsageError
from videoannotator.shell.main import Exit
from videoannotator.shell.speaking import give, say

__all__ = ["install_plugin", "list_plugins", "refresh_plugin", "remove_plugin"]


def install_plugin(asked: str, *, isolated: bool) -> int:
    """Install a plugin into an environment of its own. Raises `UsageError` without ``isolated``: that is pip's work."""
    if not isolated:
        command = shlex.join([sys.executable, "-m", "pip", "install", *wanted(asked).arguments])
        raise UsageError(
            f"into this environment, pip installs it: {command}\n"
            f"Into one of its own: videoannotator plugins install {shlex.quote(asked)} --isolated"
        )
    found = install_isolated(asked, tell=say)
    _tell(found)
    return Exit.WELL


def _tell(found: Environment) -> None:
    for plugin in found.description.plugins:
        names = ", ".join(pipeline.spec["name"] for pipeline in plugin.pipelines)
        say(f"{plugin.distribution} {plugin.version} has an environment of its own, and these pipelines: {names}")
        if plugin.missing:
            say(f"it lacks {', '.join(plugin.missing)}")
        if plugin.formats:
            say(f"its formats cannot be used from there: {', '.join(plugin.formats)}; for them, install it with pip")


def list_plugins() -> int:
    """One line for each plugin: distribution, version, where it is, and the pipelines of those that are isolated."""
    for plugin in plugins_here():
        if plugin.distribution != "videoannotator":
            give(f"{plugin.distribution}\t{plugin.version}\there")
    for found in environments():
        if isinstance(found, BrokenEnvironment):
            give(f"{found.name}\tunknown\tisolated\tbroken")
            say(f"{found.name}: {found.reason}")
            continue
        problem = found.problem()
        for told in found.description.plugins:
            names = ",".join(pipeline.spec["name"] for pipeline in told.pipelines)
            give(f"{told.distribution}\t{told.version}\tisolated\t{names if problem is None else 'broken'}")
        if problem is not None:
            say(f"{found.name}: {problem}")
    say(f"environments of their own are in {plugins_folder()}")
    return Exit.WELL


def refresh_plugin(name: str) -> int:
    """Describe an environment anew."""
    _tell(refresh(name))
    return Exit.WELL


def remove_plugin(name: str) -> int:
    """Remove a plugin's environment. Raises `UsageError` for a plugin of this one: that is pip's work."""
    try:
        find_environment(name)
    except PluginInstallError:
        for plugin in plugins_here():
            if name in (plugin.name, plugin.distribution) and plugin.distribution != "videoannotator":
                command = shlex.join([sys.executable, "-m", "pip", "uninstall", plugin.distribution])
                raise UsageError(f"{name} is in this environment, and pip removes it: {command}") from None
        raise
    say(f"removed {remove(name).folder}")
    return Exit.WELL
