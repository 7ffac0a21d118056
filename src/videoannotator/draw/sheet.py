"""One picture of a whole result: frames with what was found on them, and a time line of everything.

For looking, not for measuring: tiles show single frames, the time line rounds to pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from videoannotator.data.result import Result
from videoannotator.draw.lanes import Lane, lanes
from videoannotator.draw.look import Look
from videoannotator.draw.saving import save
from videoannotator.draw.source import located
from videoannotator.draw.style import (
    FAILURE,
    FAINT,
    GAP,
    INK,
    MARGIN,
    PAPER,
    WIDTH,
    Color,
    font,
    pillow,
    shorten,
    wrap,
)
from videoannotator.draw.tiles import choose_frames, tiles
from videoannotator.draw.timeline import timeline

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["contact_sheet"]

COLUMNS = 4
_FAILURES = 8


def contact_sheet(
    result: Result,
    path: str | PathLike[str] | None = None,
    *,
    look: Look | None = None,
    media: str | PathLike[str] | None = None,
    tile_count: int = 12,
    extra: Sequence[Lane] = (),
) -> Image.Image:
    """Frames with what was found on them, and a time line of everything: an RGB picture, 1600 pixels wide.

    Decodes the media once more. ``path``: also save it there, as PNG or whatever its suffix says. ``look``: what is
    drawn and hidden. ``media``: where the file is now, if not where it was. ``tile_count``: at most so many frames; a
    file without pictures has none. ``extra``: lanes of your own, put below the result's, for example human coding.

    Raises `MissingDependencyError` without Pillow, `MediaError` when the media file is not there, `DataError` when
    ``media`` is another file, and `ConfigError` when nobody is there to be hidden.
    """
    pillow()
    from PIL import Image

    look = look if look is not None else Look()
    result = located(result, media)
    shown = list(tiles(result, choose_frames(result, tile_count), _tile_width(), look))
    parts = [_head(result)]
    if shown:
        parts.append(_grid([picture for _, picture in shown]))
    drawn = [*lanes(result, look), *extra]
    if drawn and result.provenance.span.duration > 0:
        parts.append(timeline(drawn, result.provenance.span, [time for time, _ in shown]))
    parts.append(_foot(result))
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts) + MARGIN * (len(parts) + 1)), PAPER)
    y = MARGIN
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height + MARGIN
    return save(sheet, path)


def _tile_width() -> int:
    return (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS


def _grid(pictures: Sequence[Image.Image]) -> Image.Image:
    from PIL import Image

    wide, high = pictures[0].size
    rows = -(-len(pictures) // COLUMNS)
    grid = Image.new("RGB", (WIDTH, rows * high + (rows - 1) * GAP), PAPER)
    for n, picture in enumerate(pictures):
        grid.paste(picture, (MARGIN + n % COLUMNS * (wide + GAP), n // COLUMNS * (high + GAP)))
    return grid


def _head(result: Result) -> Image.Image:
    from PIL import Image, ImageDraw

    media = result.media
    facts = [f"{media.duration:.2f} s"]
    if media.video is not None:
        rate = f"{float(media.video.average_rate):.4g} frames/s" if media.video.average_rate else "rate unknown"
        variable = " (variable)" if media.video.clock.variable else ""
        facts += [f"{media.video.width} x {media.video.height}", rate + variable, media.video.codec]
    facts.append(f"sound {media.audio.codec} {media.audio.sample_rate} Hz" if media.audio is not None else "no sound")
    if result.provenance.span != media.span:
        facts.append(f"annotated: {result.provenance.span}")
    picture = Image.new("RGB", (WIDTH, 64), PAPER)
    draw = ImageDraw.Draw(picture)
    letters = font(30, Path(media.path).name)
    name = shorten(Path(media.path).name, letters, WIDTH - 2 * MARGIN)
    draw.text((MARGIN, 0), name, font=letters, fill=INK, anchor="lt")
    draw.text((MARGIN, 62), "   |   ".join(facts), font=font(15), fill=FAINT, anchor="lb")
    return picture


def _foot(result: Result) -> Image.Image:
    """Which versions and models made this, and what failed."""
    from PIL import Image, ImageDraw

    room = WIDTH - 2 * MARGIN
    lines = [(line, color) for text, color in _foot_lines(result) for line in wrap(text, font(14), room)]
    picture = Image.new("RGB", (WIDTH, max(1, 21 * len(lines))), PAPER)
    draw = ImageDraw.Draw(picture)
    for n, (line, color) in enumerate(lines):
        draw.text((MARGIN, 21 * n + 10), line, font=font(14), fill=color, anchor="lm")
    return picture


def _foot_lines(result: Result) -> Iterator[tuple[str, Color]]:
    for failure in result.failures[:_FAILURES]:
        where = f" {failure.span}" if failure.span is not None else ""
        yield f"failed: {failure.pipeline or 'decoding'}{where}: {failure.message}", FAILURE
    if len(result.failures) > _FAILURES:
        yield f"and {len(result.failures) - _FAILURES} more failures", FAILURE
    for notice in result.media.notices:
        yield f"note: {notice}", INK
    for record in result.provenance.pipelines:
        models = ", ".join(
            f"{model.name} ({model.licence or 'licence not known'}, {model.sha256[:8]})" for model in record.models
        )
        with_models = f" with {models}" if models else ""
        yield f"{record.name} {record.version}{with_models} on {record.device}", FAINT
    yield f"videoannotator {result.provenance.videoannotator}, {result.provenance.created}", FAINT
