"""The commands and their options. What each does is in a module of its own, imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from videoannotator.shell.draw_app import draw
from videoannotator.shell.model_app import models

__all__ = ["app"]

WHAT = Group("What runs")
OUT = Group("What is written")


def _version() -> str:
    from videoannotator import __version__

    return f"videoannotator {__version__}"


app = App(
    name="videoannotator",
    version=_version,
    help_format="plaintext",  # the default, markdown, doubles the time until help is shown
    version_format="plaintext",
    suppress_keyboard_interrupt=False,  # main() says it and gives the exit code
    help="Turn videos of people interacting into typed, time-aligned annotations.",
    help_epilogue="Exit codes: 0 all well, 1 something failed and the rest was done, 2 wrong usage, 130 interrupted.",
)
app.register_install_completion_command()

SERVER = Group("The server", sort_key=1)
BEFORE = Group("Known from version 1", sort_key=2)

# these are imported when they are called
for _name, _place, _group, _help in (
    ("server", "server_app:server", SERVER, "Start it, stop it, see how it is."),
    ("worker", "server_app:worker", SERVER, "Execute jobs of a server on another machine."),
    ("job", "job_app:job", SERVER, "Send videos to a server, watch its jobs, fetch what came out."),
    ("auth", "auth_app:auth", SERVER, "Who may use a server: users, their keys, short-lived tokens."),
    ("db", "db_app:db", SERVER, "The database of this machine's server: upgrade, save, bring back."),
    ("config", "config_app:config", SERVER, "Settings of the server and of the commands that speak with it."),
    ("diagnose", "known_app:diagnose", None, "Look at this installation: what works, what is missing."),
    ("info", "known_app:info", None, "Say which version this is, what is installed, where things are kept."),
    ("process", "known_app:process", BEFORE, "Annotate one video: a short form of annotate."),
    ("generate-token", "known_app:generate_token", BEFORE, "Make an API key, as auth keys create does."),
    ("setup-db", "known_app:setup_db", BEFORE, "Make the server's database, as server start does."),
    ("backup", "known_app:backup", BEFORE, "Save everything the server keeps, as db backup does."),
    ("storage-cleanup", "known_app:storage_cleanup", BEFORE, "Remove what the server keeps and nobody needs."),
    ("validate-emotion", "known_app:validate_emotion", BEFORE, "Gone; says what to do instead."),
    ("version", "known_app:version", BEFORE, "Print the version."),
):
    app.command(f"videoannotator.shell.{_place}", name=_name, help=_help, group=_group)

Videos = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]
Names = Annotated[tuple[str, ...], Parameter(group=WHAT, consume_multiple=False, negative="", show_default=False)]
ConfigFile = Annotated[Path | None, Parameter(name="--config", group=WHAT)]
Assignments = Annotated[
    tuple[str, ...], Parameter(name="--set", group=WHAT, consume_multiple=False, negative="", show_default=False)
]
Formats = Annotated[
    tuple[str, ...], Parameter(name="--format", group=OUT, consume_multiple=False, negative="", show_default=False)
]
Device = Annotated[str, Parameter(group=WHAT)]
Precise = Annotated[Literal["exact", "fast"], Parameter(group=WHAT)]
Seconds = Annotated[float | None, Parameter(group=WHAT)]
Offline = Annotated[bool, Parameter(group=WHAT, negative="", show_default=False)]


@app.command
def annotate(
    videos: Videos,
    /,
    *,
    pipelines: Names = (),
    config: ConfigFile = None,
    set_: Assignments = (),
    device: Device = "auto",
    start: Seconds = None,
    end: Seconds = None,
    offline: Offline = False,
    isolate: Names = (),
    precision: Precise = "exact",
    no_cache: Annotated[bool, Parameter(group=WHAT, negative="", show_default=False)] = False,
    wait: Annotated[float, Parameter(group=WHAT)] = 3600.0,
    out: Annotated[Path, Parameter(group=OUT)] = Path("annotations"),
    formats: Formats = (),
    sheet: Annotated[bool, Parameter(group=OUT, negative="", show_default=False)] = False,
    video: Annotated[bool, Parameter(group=OUT, negative="", show_default=False)] = False,
) -> int:
    """Annotate videos and write the results. Paths of the files written go to standard output.

    Parameters
    ----------
    videos
        Video or audio files.
    pipelines
        Names, separated by commas. Naming one is consent to fetch its weights. Without this option: every
        installed pipeline that can run as things are; for each other one is said what it lacks.
    config
        A TOML file with a table of settings for each pipeline.
    set_
        One setting, PIPELINE.KEY=VALUE; may be repeated, and wins over the file.
    device
        auto, cpu, cuda, cuda:1, mps, or several of these, separated by commas.
    start
        Where to begin, in seconds.
    end
        Where to stop, in seconds.
    offline
        Never fetch weights.
    isolate
        Pipelines to run in a process of their own each, separated by commas: a crash there costs only its own rows.
    precision
        exact: the numbers of each pipeline's reference tool. fast: less time where a pipeline knows how, and numbers
        that differ a little.
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
    from videoannotator.shell.request import Request

    request = Request.of(
        pipelines,
        config,
        set_,
        device=device,
        start=start,
        end=end,
        offline=offline,
        cache=not no_cache,
        isolate=isolate,
        precision=precision,
        wait=wait,
    )
    return annotate_files(videos, request, out, formats, sheet=sheet, video=video)


@app.command
def plan(
    video: Path,
    /,
    *,
    pipelines: Names = (),
    config: ConfigFile = None,
    set_: Assignments = (),
    device: Device = "auto",
    start: Seconds = None,
    end: Seconds = None,
    offline: Offline = False,
    isolate: Names = (),
    precision: Precise = "exact",
) -> int:
    """Say what annotate would do, without loading a model or decoding a frame.

    Parameters
    ----------
    video
        A video or audio file.
    pipelines
        Names, separated by commas; see annotate.
    config
        A TOML file with a table of settings for each pipeline.
    set_
        One setting, PIPELINE.KEY=VALUE; may be repeated.
    device
        auto, cpu, cuda, cuda:1, mps, or several of these, separated by commas.
    start
        Where to begin, in seconds.
    end
        Where to stop, in seconds.
    offline
        Never fetch weights.
    isolate
        Pipelines to run in a process of their own each.
    precision
        exact or fast; see annotate.
    """
    from videoannotator.shell.annotating import show_plan
    from videoannotator.shell.request import Request

    request = Request.of(
        pipelines,
        config,
        set_,
        device=device,
        start=start,
        end=end,
        offline=offline,
        isolate=isolate,
        precision=precision,
    )
    return show_plan(video, request)


@app.command
def rerun(result: Path, video: Path | None = None, /, *, device: str | None = None, offline: Offline = False) -> int:
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


app.command(draw)


@app.command
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


cache = App(name="cache", help="Results that are kept, so that the same question is not computed twice.")
app.command(cache)


@cache.command(name="list")
def cache_list() -> int:
    """List what is kept: pipeline, file, size, and when it was used last."""
    from videoannotator.shell.caching import list_cache

    return list_cache()


@cache.command
def clear(*, older_than: float = 0.0) -> int:
    """Drop what is kept. It is computed again when it is asked for.

    Parameters
    ----------
    older_than
        Only what was not used for so many days.
    """
    from videoannotator.shell.caching import clear_cache

    return clear_cache(older_than)


app.command(models)

plugins = App(name="plugins", help="Plugins in environments of their own, for those that cannot live in this one.")
app.command(plugins)


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


@app.command
def demo(
    *,
    out: Annotated[Path, Parameter(group=OUT)] = Path("videoannotator-demo"),
    material: Path | None = None,
    weights: Annotated[str | None, Parameter(group=WHAT)] = None,
    set_: Assignments = (),
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
