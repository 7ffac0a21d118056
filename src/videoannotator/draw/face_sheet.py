"""A sheet of faces: for each track some of its faces, cut out."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING

import attrs
import numpy as np

from videoannotator.data.boxes import BoxTable, box_tables
from videoannotator.data.result import Result
from videoannotator.draw.hiding import Hiding, grown
from videoannotator.draw.labels import Box
from videoannotator.draw.look import Look
from videoannotator.draw.people import People
from videoannotator.draw.saving import save
from videoannotator.draw.source import located, pictures, video_of
from videoannotator.draw.style import FAINT, GAP, INK, LANE, MARGIN, PAPER, WIDTH, font, pillow, shorten
from videoannotator.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["faces"]

_SIDE = 128
_LABELS = 230
_CAPTION = 18
_MARGIN = 0.3  # around the box of a face, on each side


@attrs.frozen
class _Group:
    """The faces of one track that are shown, as places in ``boxes.order``."""

    title: str
    note: str
    boxes: BoxTable
    shown: tuple[int, ...]


def faces(
    result: Result,
    path: str | PathLike[str] | None = None,
    *,
    look: Look | None = None,
    media: str | PathLike[str] | None = None,
    each: int = 9,
    most: int = 40,
) -> Image.Image:
    """Faces cut out, a row for each track, in order of time: an RGB picture, 1600 pixels wide.

    ``each``: at most so many faces of a track (up to 9): of as many equal stretches of its time the one with the
    highest score times size. Faces without a track are one row. ``most``: rows, of the tracks that are seen longest.
    ``path``, ``look``, ``media``: as for `contact_sheet`.

    Raises `ConfigError` when no pipeline of the result looked for faces, `NoVideoError` without pictures, and what
    `contact_sheet` raises.
    """
    pillow()
    look = look if look is not None else Look()
    tables = [boxes for boxes in box_tables(result, look.pipelines) if boxes.is_face]
    if not tables:
        raise ConfigError("no pipeline of this result looked for faces: annotate with face_analysis, too")
    result = located(result, media)
    video = video_of(result)
    people = People(result)
    each = max(1, min(each, (WIDTH - 2 * MARGIN - _LABELS + GAP) // (_SIDE + GAP)))
    groups = [group for boxes in tables for group in _groups(boxes, people, each)]
    groups = sorted(groups, key=lambda group: -len(group.shown) if group.title == "no track" else -(10**9))[:most]
    cut: dict[tuple[int, int], Image.Image] = {}
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, group in enumerate(groups):
        for place in group.shown:
            wanted.setdefault(int(group.boxes.frames[place]), []).append((number, place))
    hiding = Hiding(result, look, people)
    from PIL import Image

    for frame, time, pixels in pictures(result, list(wanted), (video.width, video.height)):
        picture = Image.fromarray(pixels).copy()
        hiding.apply(picture, frame, time, (1.0, 1.0))
        for number, place in wanted[frame]:
            cut[number, place] = _cut(picture, groups[number].boxes.box(place))
    return save(_page(result, groups, cut), path)


def _groups(boxes: BoxTable, people: People, each: int) -> list[_Group]:
    """A row for each track, those seen longest first; then one of the faces without."""
    places: dict[int | None, list[int]] = {}
    for n, track in enumerate(boxes.tracks):
        places.setdefault(track, []).append(n)
    groups = []
    for track, mine in sorted(places.items(), key=lambda item: (item[0] is None, -len(item[1]))):
        person = people.of(boxes, track, float(boxes.times[mine[0]]))
        title = "no track" if track is None else f"face {track}"
        title = title if person is None else f"{title}: {person.title}"
        first, last = float(boxes.times[mine[0]]), float(boxes.times[mine[-1]])
        note = f"{len(mine)} faces, {first:.2f} to {last:.2f} s"
        groups.append(_Group(title, note, boxes, _chosen(boxes, mine, each)))
    return groups


def _chosen(boxes: BoxTable, places: Sequence[int], each: int) -> tuple[int, ...]:
    """Of ``each`` equal stretches of time the best face: the highest score times size."""
    at = np.asarray(places)
    x1, y1, x2, y2 = boxes.corners[at].T
    worth = (x2 - x1) * (y2 - y1)
    if boxes.has("score"):
        scores = np.ma.filled(np.ma.asarray(boxes.table.column("score"), dtype=np.float64), np.nan)[boxes.order[at]]
        worth = worth * np.nan_to_num(scores)
    times = boxes.times[at]
    length = float(times[-1] - times[0]) or 1.0
    stretch = np.minimum((times - times[0]) / length * each, each - 1).astype(int)
    return tuple(int(at[np.flatnonzero(stretch == n)[np.argmax(worth[stretch == n])]]) for n in np.unique(stretch))


def _cut(picture: Image.Image, box: Box) -> Image.Image:
    """A square around a face, scaled to one size; what lies outside the picture is grey."""
    from PIL import Image

    x1, y1, x2, y2 = grown(box, _MARGIN)
    half = max(x2 - x1, y2 - y1, 2.0) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    side = max(1, round(2 * half))
    square = Image.new("RGB", (side, side), LANE)
    left, top = round(x - half), round(y - half)
    inside = (max(left, 0), max(top, 0), min(left + side, picture.width), min(top + side, picture.height))
    if inside[2] > inside[0] and inside[3] > inside[1]:
        square.paste(picture.crop(inside), (inside[0] - left, inside[1] - top))
    return square.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def _page(result: Result, groups: Sequence[_Group], cut: dict[tuple[int, int], Image.Image]) -> Image.Image:
    from PIL import Image, ImageDraw

    high = _SIDE + _CAPTION + GAP
    page = Image.new("RGB", (WIDTH, 2 * MARGIN + 40 + max(1, len(groups)) * high), PAPER)
    draw = ImageDraw.Draw(page)
    letters = font(20, result.provenance.media_name)
    name = shorten(result.provenance.media_name, letters, WIDTH - 2 * MARGIN)
    draw.text((MARGIN, MARGIN // 2), name, font=letters, fill=INK, anchor="lt")
    y = MARGIN + 30
    if not groups:
        draw.text((MARGIN, y), "no faces were found", font=font(15), fill=FAINT, anchor="lt")
    for number, group in enumerate(groups):
        letters = font(15, group.title)
        draw.text((MARGIN, y + 4), shorten(group.title, letters, _LABELS - 12), font=letters, fill=INK, anchor="lt")
        draw.text((MARGIN, y + 26), shorten(group.note, font(12), _LABELS - 12), font=font(12), fill=FAINT, anchor="lt")
        x = MARGIN + _LABELS
        for place in group.shown:
            if (number, place) in cut:
                page.paste(cut[number, place], (x, y))
            caption = f"{group.boxes.times[place]:.2f} s"
            draw.text((x, y + _SIDE + 4), caption, font=font(12), fill=FAINT, anchor="lt")
            x += _SIDE + GAP
        y += high
    return page
