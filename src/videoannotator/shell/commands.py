"""All commands in one table, and the page that lists them: it is shown without importing any package of others."""

from __future__ import annotations

import shutil
import textwrap
from typing import NamedTuple

__all__ = ["ABOUT", "COMMANDS", "EPILOGUE", "GROUPS", "Command", "page"]

ABOUT = "Turn videos of people interacting into typed, time-aligned annotations."
EPILOGUE = "Exit codes: 0 all well, 1 something failed and the rest was done, 2 wrong usage, 130 interrupted."
GROUPS = ("Commands", "The server", "Known from version 1")
_MAIN, _SERVER, _BEFORE = GROUPS


class Command(NamedTuple):
    """``place``: where it is, below this package; imported when it is called. ``group``: where the page lists it."""

    name: str
    place: str
    group: str
    help: str


COMMANDS = (
    Command(
        "annotate",
        "annotate_app:annotate",
        _MAIN,
        "Annotate videos and write the results. Paths of the files written go to standard output.",
    ),
    Command(
        "cache", "keep_app:cache", _MAIN, "Results that are kept, so that the same question is not computed twice."
    ),
    Command(
        "demo",
        "annotate_app:demo",
        _MAIN,
        "Make a short clip from pictures that are on this disk, annotate it, and show the results. No network.",
    ),
    Command("diagnose", "known_app:diagnose", _MAIN, "Look at this installation: what works, what is missing."),
    Command(
        "draw",
        "draw_app:draw",
        _MAIN,
        "Draw what was found: a video, a contact sheet, a chart of tracks, faces, one frame. "
        "Paths go to standard output.",
    ),
    Command("info", "known_app:info", _MAIN, "Say which version this is, what is installed, where things are kept."),
    Command(
        "models",
        "model_app:models",
        _MAIN,
        "Weights of the installed pipelines: what there is, fetching it, where it is.",
    ),
    Command(
        "pipelines",
        "plugin_app:pipelines",
        _MAIN,
        "List pipelines: installed, missing with the command that adds it, failed to load with the reason.",
    ),
    Command(
        "plan",
        "annotate_app:plan",
        _MAIN,
        "Say what annotate would do, without loading a model or decoding a frame.",
    ),
    Command(
        "plugins",
        "plugin_app:plugins",
        _MAIN,
        "Plugins in environments of their own, for those that cannot live in this one.",
    ),
    Command(
        "rerun",
        "annotate_app:rerun",
        _MAIN,
        "Make a result again as it says it was made, and tell what differs. Exit code 1 when something does.",
    ),
    Command("auth", "auth_app:auth", _SERVER, "Who may use a server: users, their keys, short-lived tokens."),
    Command("config", "config_app:config", _SERVER, "Settings of the server and of the commands that speak with it."),
    Command("db", "db_app:db", _SERVER, "The database of this machine's server: upgrade, save, bring back."),
    Command("job", "job_app:job", _SERVER, "Send videos to a server, watch its jobs, fetch what came out."),
    Command("server", "server_app:server", _SERVER, "Start it, stop it, see how it is."),
    Command("worker", "server_app:worker", _SERVER, "Execute jobs of a server on another machine."),
    Command("backup", "known_app:backup", _BEFORE, "Save everything the server keeps, as db backup does."),
    Command("generate-token", "known_app:generate_token", _BEFORE, "Make an API key, as auth keys create does."),
    Command("process", "known_app:process", _BEFORE, "Annotate one video: a short form of annotate."),
    Command("setup-db", "known_app:setup_db", _BEFORE, "Make the server's database, as server start does."),
    Command("storage-cleanup", "known_app:storage_cleanup", _BEFORE, "Remove what the server keeps and nobody needs."),
    Command("validate-emotion", "known_app:validate_emotion", _BEFORE, "Gone; says what to do instead."),
    Command("version", "known_app:version", _BEFORE, "Print the version."),
)
_FLAGS = (
    ("--help, -h", "This page; behind a command, what it does and its options."),
    ("--install-completion", "Let the shell complete commands and options."),
    ("--version", "Print the version."),
)
_WIDEST = 110


def page() -> str:
    """What ``videoannotator --help`` shows, as wide as the terminal."""
    width = max(50, min(shutil.get_terminal_size().columns, _WIDEST))
    parts = ["Usage: videoannotator COMMAND", *textwrap.wrap(ABOUT, width)]
    for group in GROUPS:
        rows = [(one.name, one.help) for one in COMMANDS if one.group == group]
        parts.append("\n".join([f"{group}:", *_lined_up([*rows, *(_FLAGS if group == _MAIN else ())], width)]))
    return "\n\n".join([*parts, "\n".join(textwrap.wrap(EPILOGUE, width))]) + "\n"


def _lined_up(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Names on the left, what they do on the right."""
    left = max(len(name) for name, _ in rows) + 4
    return [
        textwrap.fill(text, width, initial_indent=f"  {name}".ljust(left), subsequent_indent=" " * left)
        for name, text in rows
    ]
