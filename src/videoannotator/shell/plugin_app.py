"""``videoannotator pipelines`` and ``plugins`` and their options."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

__all__ = ["pipelines", "plugins"]


def pipelines(
    name: str | None = None,
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    format_: Annotated[Literal["text", "json", "markdown"], Parameter(name="--format")] = "text",
    detailed: Annotated[bool, Parameter(negative="", show_default=False)] = False,
) -> int:
    """List pipelines: installed, missing with the command that adds it, failed to load with the reason.

    Parameters
    ----------
    name
        Show this one in full: its models, their licences, and its settings.
    json
        As JSON.
    format_
        markdown: a table, for documents.
    detailed
        Each one in full.
    """
    from videoannotator.shell.listing import show_pipelines

    return show_pipelines(name, "json" if json else format_, detailed=detailed)


plugins = App(name="plugins", help="Plugins in environments of their own, for those that cannot live in this one.")


@plugins.command
def install(plugin: str, /, *, isolated: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Install a plugin, with what it requires, into an environment of its own, so that its pipelines can run.

    Parameters
    ----------
    plugin
        A pipeline of ours, a distribution (my-plugin, "my-plugin>=2"), or the path of a project or wheel.
    isolated
        Into an environment of its own. Without this option: what to type to install it into this one.
    """
    from videoannotator.shell.plugging import install_plugin

    return install_plugin(plugin, isolated=isolated)


@plugins.command(name="list")
def plugins_list() -> int:
    """List plugins: distribution, version, here or isolated, and what the isolated ones publish."""
    from videoannotator.shell.plugging import list_plugins

    return list_plugins()


@plugins.command(name="refresh")
def plugins_refresh(name: str, /) -> int:
    """Ask an environment again for its pipelines, after it was changed in place.

    Parameters
    ----------
    name
        The plugin, or one of its pipelines.
    """
    from videoannotator.shell.plugging import refresh_plugin

    return refresh_plugin(name)


@plugins.command(name="remove")
def plugins_remove(name: str, /) -> int:
    """Remove the environment of a plugin.

    Parameters
    ----------
    name
        The plugin, or one of its pipelines.
    """
    from videoannotator.shell.plugging import remove_plugin

    return remove_plugin(name)
