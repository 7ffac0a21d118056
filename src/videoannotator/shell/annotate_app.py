"""``videoannotator annotate``, ``plan``, ``rerun``, ``demo`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from videoannotator.shell.places import Assignments
from videoannotator.shell.to_run import WHAT, Flag, ToRun, Words

__all__ = ["annotate", "demo", "plan", "rerun"]

OUT = Group("What is written")
WHAT_RUNS = ToRun()

Videos = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]


def annotate(
    videos: Videos,
    /,
    *,
    what: ToRun = WHAT_RUNS,
    no_cache: Annotated[Flag, Parameter(group=WHAT)] = False,
    wait: Annotated[float, Parameter(group=WHAT)] = 3600.0,
    out: Annotated[Path, Parameter(group=OUT)] = Path("annotations"),
    formats: Annotated[Words, Parameter(name="--format", group=OUT)] = (),
    sheet: Annotated[Flag, Parameter(group=OUT)] = False,
    video: Annotated[Flag, Parameter(group=OUT)] = False,
) -> int:
    """Annotate videos and write the results. Paths of the files written go to standard output.

    Parameters
    ----------
    videos
        Video or audio files.
    no_cache
        Compute everything anew, and keep nothing.
    wait
        Seconds that a pipeline waits, at most, for memory of a device that others hold.
    out
        The folder to write into; made when it does not exist.
    formats
        Formats, separated by commas. [default: native,coco,webvtt,rttm]
    sheet
        Also draw a contact sheet: frames with what was found, and a time line.
    video
        Also write the video with what was found drawn into it.
    """
    from videoannotator.shell.annotating import annotate_files

    request = what.request(cache=not no_cache, wait=wait)
    return annotate_files(videos, request, out, formats, sheet=sheet, video=video)


def plan(video: Path, /, *, what: ToRun = WHAT_RUNS) -> int:
    """Say what annotate would do, without loading a model or decoding a frame.

    Parameters
    ----------
    video
        A video or audio file.
    """
    from videoannotator.shell.annotating import show_plan

    return show_plan(video, what.request())


def rerun(
    result: Path,
    video: Path | None = None,
    /,
    *,
    device: str | None = None,
    offline: Annotated[Flag, Parameter(group=WHAT)] = False,
) -> int:
    """Make a result again as it says it was made, and tell what differs. Exit code 1 when something does.

    Parameters
    ----------
    result
        A folder NAME.videoannotator that annotate wrote.
    video
        Where the video is now, if not where it was.
    device
        By default the one the result was made on.
    offline
        Never fetch weights.
    """
    from videoannotator.shell.rerunning import rerun_result

    return rerun_result(result, video, device, download=not offline)


def demo(
    *,
    out: Annotated[Path, Parameter(group=OUT)] = Path("videoannotator-demo"),
    material: Path | None = None,
    weights: Annotated[str | None, Parameter(group=WHAT)] = None,
    set_: Annotated[Assignments, Parameter(group=WHAT)] = (),
) -> int:
    """Make a short clip from pictures that are on this disk, annotate it, and show the results. No network.

    Parameters
    ----------
    out
        The folder to write into; made when it does not exist.
    material
        A folder of unpacked packages to take pictures and a recording from.
    weights
        YOLO weights on this disk, for persons: a short way to say --set person_tracking.weights=PATH.
    set_
        One setting, PIPELINE.KEY=VALUE; may be repeated.
    """
    from videoannotator.shell.demo import run_demo

    assignments = set_ if weights is None else (*set_, f"person_tracking.weights={weights}")
    return run_demo(out, material, assignments)
