"""``videoannotator demo``: from nothing to results that can be looked at, without a network."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from videoannotator.data.result import Result
from videoannotator.discover.catalog import catalog
from videoannotator.draw.lanes import Block, Lane
from videoannotator.draw.sheet import contact_sheet
from videoannotator.draw.style import Color
from videoannotator.errors import UsageError
from videoannotator.shell.annotating import next_step
from videoannotator.shell.demo_clip import DemoClip, make_clip
from videoannotator.shell.demo_material import MATERIAL_COMMAND, find_material
from videoannotator.shell.demo_truth import compare
from videoannotator.shell.main import Exit
from videoannotator.shell.progress import watching
from videoannotator.shell.request import Request
from videoannotator.shell.speaking import give, program, say

__all__ = ["run_demo"]

_TRUE: tuple[Color, Color] = (0, 158, 115), (110, 195, 165)


def run_demo(out: Path, material: Path | None, assignments: Sequence[str]) -> int:
    """Make the clip, annotate it with what needs no download, write everything. Returns the exit code.

    Raises `DataError` and `MissingDependencyError` when there is nothing to make a clip of.
    """
    found_material = find_material(material)
    request = Request.of((), None, assignments, offline=True)
    installed = catalog()
    choice = request.choose(installed)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be made: {error.strerror}") from error
    clip = make_clip(found_material, out / "demo.mp4")
    _tell_clip(clip)
    with request.annotator(choice) as annotator, watching("demo.mp4") as progress:
        result = annotator.annotate(clip.path, progress=progress)
    written = result.export(out, formats=list(installed.formats))
    sheet = out / "demo_sheet.png"
    contact_sheet(result, sheet, extra=_true_lanes(clip))
    _tell_result(result, clip)
    give("\nWritten")
    for path in (clip.path, *written, sheet):
        give(f"  {path}")
    _tell_next(out, sheet)
    return Exit.WELL if result.ok else Exit.FAILED


def _tell_clip(clip: DemoClip) -> None:
    give(f"Made {clip.path}: {clip.duration:.1f} s, {len(clip.cuts)} cuts, from")
    for source in clip.sources:
        give(f"  {source}")
    if not clip.speech:
        say("No recorded speech was found, so the clip is silent. To have two people speak in it, type")
        say(f"  {MATERIAL_COMMAND}")
        say(f"  {program()} demo --material demo-material")


def _tell_result(result: Result, clip: DemoClip) -> None:
    give("\nFound")
    for name, output, table in result.tables():
        give(f"  {name}.{output}: {len(table)} rows of {table.row_class.__name__}")
    for failure in result.failures:
        give(f"  failed: {failure}")
        if next_step(failure):
            give(f"    {next_step(failure)}")
    lines = list(compare(result, clip))
    if lines:
        give("\nAgainst what was put in")
    for line in lines:
        give(f"  {line}")


def _tell_next(out: Path, sheet: Path) -> None:
    give(f"\nLook at\n  {sheet}")
    give("\nThen type")
    give(f"  {program()} annotate YOUR_VIDEO.mp4 --out {shlex.quote(str(out.parent / 'annotations'))} --sheet")
    give(f"  {program()} plan YOUR_VIDEO.mp4")
    give(f"  {program()} pipelines        # what there is, what else there could be, and how to get it")


def _true_lanes(clip: DemoClip) -> list[Lane]:
    """What was put into the clip, drawn below what was found."""
    edges = [0.0, *clip.cuts, clip.duration]
    shots = [Block(a, b, _TRUE[n % 2]) for n, (a, b) in enumerate(pairwise(edges))]
    speech = [Block(span.start, span.end, _TRUE[0]) for span in clip.speech]
    return [Lane("shots put in", tuple(shots), slim=True), Lane("speech put in", tuple(speech), slim=True)]
