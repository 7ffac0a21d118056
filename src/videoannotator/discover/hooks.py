"""The hooks a plugin can implement, and the mark that says it does.

A plugin is a module named by an entry point of the group ``videoannotator``. Functions in it that carry
``@videoannotator.hookimpl`` and the name of a hook are called when pipelines and formats are listed, so
the module must import in milliseconds: no model, no torch, no cv2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from videoannotator.discover.specs import FormatSpec, PipelineSpec

__all__ = ["PROJECT", "hookimpl", "hookspec", "videoannotator_formats", "videoannotator_pipelines"]

PROJECT = "videoannotator"
"""pluggy's project name, and the entry point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def videoannotator_pipelines() -> list[PipelineSpec]:  # type: ignore[empty-body]  # a declaration; plugins have the bodies
    """The pipelines a plugin publishes.

    .. code-block:: python

        import videoannotator as va

        @va.hookimpl
        def videoannotator_pipelines():
            return [
                va.PipelineSpec(
                    name="brightness",
                    version="1.0",
                    needs=[va.Frames(rate=5.0, height=90, color="gray")],
                    gives={"brightness": "my_plugin.pipeline:Brightness"},
                    pipeline="my_plugin.pipeline:BrightnessPipeline",
                    licence="MIT",
                )
            ]
    """


@hookspec
def videoannotator_formats() -> list[FormatSpec]:  # type: ignore[empty-body]  # a declaration; plugins have the bodies
    """The file formats a plugin publishes.

    .. code-block:: python

        import videoannotator as va

        @va.hookimpl
        def videoannotator_formats():
            return [va.FormatSpec(name="textgrid", suffixes=[".TextGrid"], format="my_plugin.textgrid:TextGrid")]
    """
