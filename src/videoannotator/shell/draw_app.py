"""``videoannotator draw``: its options. What it does is in a module of its own, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
from cyclopts import Group, Parameter

__all__ = ["draw"]

OUT = Group("What is written")
DRAWN = Group("What is drawn")

Picture = Annotated[Path | None, Parameter(group=OUT)]
Seconds = Annotated[float | None, Parameter(group=OUT)]
Words = Annotated[tuple[str, ...], Parameter(consume_multiple=False, negative="", show_default=False)]


@Parameter(name="*", group=DRAWN)
@attrs.frozen(kw_only=True)
class Drawn:
    """What is drawn.

    Parameters
    ----------
    pipelines
        Draw only these, separated by commas.
    show
        What is drawn, separated by commas: boxes, masks, skeletons, faces, landmarks, pose, gaze, labels,
        expressions, scores, shots, lanes, time. Without this option: all but expressions and scores.
    hide
        Make faces (and heads), persons, or the whole picture unrecognisable. It hides what was found: look at the video
        before you pass it on.
    hide_with
        blur, pixelate, or fill, from which nobody can learn anything.
    hide_only
        Names, roles or track numbers of those who are hidden, separated by commas; others stay visible.
    hide_hold
        Seconds for which a place stays hidden before and after something was found there.
    """

    pipelines: Words = ()
    show: str | None = None
    hide: Literal["nothing", "faces", "persons", "all"] = "nothing"
    hide_with: Literal["blur", "pixelate", "fill"] = "blur"
    hide_only: Words = ()
    hide_hold: float = 0.5

    def options(self) -> dict[str, Any]:
        """As `videoannotator.draw` takes them."""
        from videoannotator.shell.settings import comma_list

        options: dict[str, Any] = {
            "hide": self.hide,
            "hide_with": self.hide_with,
            "hide_only": comma_list(self.hide_only),
            "hide_hold": self.hide_hold,
            "pipelines": tuple(comma_list(self.pipelines)) or None,
        }
        return options if self.show is None else {**options, "show": self.show}


EVERYTHING = Drawn()


def draw(
    result: Path,
    /,
    *,
    media: Path | None = None,
    what: Drawn = EVERYTHING,
    video: Picture = None,
    sheet: Picture = None,
    tracks: Picture = None,
    faces: Picture = None,
    image: Picture = None,
    at: Seconds = None,
    start: Seconds = None,
    end: Seconds = None,
    height: Annotated[int | None, Parameter(group=OUT)] = None,
    no_sound: Annotated[bool, Parameter(group=OUT, negative="", show_default=False)] = False,
) -> int:
    """Draw what was found: a video, a contact sheet, a chart of tracks, faces, one frame. Paths go to standard output.

    Parameters
    ----------
    result
        A folder NAME.videoannotator or another file that annotate wrote; or the video, when its result lies beside it
        or in a folder called annotations, there or here.
    media
        Where the video is now, if not where it was.
    video
        Write the video with boxes, skeletons, faces and lanes of shots and speech, as .mp4 with the original sound.
    sheet
        Write a contact sheet: frames with what was found, and a time line of everything.
    tracks
        Write a chart: which person or track is seen when.
    faces
        Write a sheet of faces, a row for each track.
    image
        Write one frame: the one shown --at so many seconds.
    at
        Seconds, for --image.
    start
        Where the video begins, in seconds.
    end
        Where the video ends, in seconds.
    height
        Of the pictures of --video and --image, in pixels. By default as the video is shown.
    no_sound
        Leave the sound out of --video: voices tell who somebody is, too.
    """
    from videoannotator.shell.drawing import Wanted, draw_result

    wanted = Wanted(video, sheet, tracks, faces, image, at, start, end, height, not no_sound)
    return draw_result(result, media, wanted, what.options())
