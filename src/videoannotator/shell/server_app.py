"""``videoannotator server`` and ``worker`` and their options; what each does is in `videoannotator.shell.serving`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

__all__ = ["server", "worker"]

SETTINGS = Group("Settings", help="Each wins over the environment and the files; see: videoannotator config show")

server = App(name="server", help="The server: start it, stop it, see how it is.")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
DataDir = Annotated[Path | None, Parameter(group=SETTINGS)]
Database = Annotated[str | None, Parameter(group=SETTINGS)]
Config = Annotated[Path | None, Parameter(name="--config", group=SETTINGS)]
Assignments = Annotated[
    tuple[str, ...], Parameter(name="--set", group=SETTINGS, consume_multiple=False, negative="", show_default=False)
]


@server.command
def start(
    *,
    host: Annotated[str | None, Parameter(group=SETTINGS)] = None,
    port: Annotated[int | None, Parameter(group=SETTINGS)] = None,
    data_dir: DataDir = None,
    database: Database = None,
    config: Config = None,
    set_: Assignments = (),
    background: Flag = False,
) -> int:
    """Start the server. Whatever is missing is made: data folder, database, the first admin's key.

    That key is printed once, to standard output. Ctrl-C or server stop ends the server.

    Parameters
    ----------
    host
        Address to listen at. [default: 127.0.0.1, this machine only]
    port
        Port to listen at; 0 for a free one. [default: 18011]
    data_dir
        Where videos, results and the SQLite file are.
    database
        postgresql://USER@HOST/NAME, for several machines. [default: SQLite in the data folder]
    config
        Read this file, and not the user's and this folder's.
    set_
        One setting, KEY=VALUE as in jobs.concurrent=2; may be repeated.
    background
        Come back when it is ready. It writes what it has to say to logs/server.log in the data folder.
    """
    from videoannotator.shell.serving import Given, start_server

    given = Given.of(config, set_, host=host, port=port, data_dir=data_dir, database=database)
    return start_server(given, background=background)


@server.command
def stop(*, data_dir: DataDir = None, config: Config = None, now: Flag = False, wait: float = 60.0) -> int:
    """Stop the server of a data folder. Jobs that run are taken up by the next start.

    Parameters
    ----------
    data_dir
        Its data folder.
    config
        Read this file, and not the user's and this folder's.
    now
        Wait for nothing.
    wait
        Seconds to wait until it has ended; exit code 1 when it has not.
    """
    from videoannotator.shell.serving import Given, stop_server

    return stop_server(Given.of(config, (), data_dir=data_dir), now=now, wait=wait)


@server.command
def status(*, data_dir: DataDir = None, config: Config = None, json: Flag = False) -> int:
    """Say whether the server runs and whether it can work. Exit code 1 when it does not or cannot.

    Parameters
    ----------
    data_dir
        Its data folder.
    config
        Read this file, and not the user's and this folder's.
    json
        As JSON.
    """
    from videoannotator.shell.serving import Given, show_server

    return show_server(Given.of(config, (), data_dir=data_dir), as_json=json)


@server.default
def _nothing(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> int:
    from videoannotator.shell.outdated import no_server_command

    return no_server_command(words)


def worker(
    *,
    data_dir: DataDir = None,
    database: Database = None,
    config: Config = None,
    set_: Assignments = (),
) -> int:
    """Execute jobs of a server that has its database in PostgreSQL, on this machine. Ctrl-C ends it.

    The data folder must be the server's own, on a disk that both see.

    Parameters
    ----------
    data_dir
        The server's data folder, as it is called here.
    database
        The server's database, postgresql://USER@HOST/NAME.
    config
        Read this file, and not the user's and this folder's.
    set_
        One setting, KEY=VALUE as in jobs.concurrent=2; may be repeated.
    """
    from videoannotator.shell.serving import Given, start_worker

    return start_worker(Given.of(config, set_, data_dir=data_dir, database=database))
