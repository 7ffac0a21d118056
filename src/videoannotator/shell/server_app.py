"""``videoannotator server`` and ``worker`` and their options; what each does is in `videoannotator.shell.serving`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from videoannotator.shell.places import SETTINGS, Folder

__all__ = ["server", "worker"]

FOLDER = Folder()

server = App(name="server", help="The server: start it, stop it, see how it is.")

Flag = Annotated[bool, Parameter(negative="", show_default=False)]


@server.command
def start(
    *,
    host: Annotated[str | None, Parameter(group=SETTINGS)] = None,
    port: Annotated[int | None, Parameter(group=SETTINGS)] = None,
    where: Folder = FOLDER,
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
    background
        Come back when it is ready. It writes what it has to say to logs/server.log in the data folder.
    """
    from videoannotator.shell.serving import start_server

    return start_server(where, host, port, background=background)


@server.command
def stop(*, where: Folder = FOLDER, now: Flag = False, wait: float = 60.0) -> int:
    """Stop the server of a data folder. Jobs that run are taken up by the next start.

    Parameters
    ----------
    now
        Wait for nothing.
    wait
        Seconds to wait until it has ended; exit code 1 when it has not.
    """
    from videoannotator.shell.serving import stop_server

    return stop_server(where, now=now, wait=wait)


@server.command
def status(*, where: Folder = FOLDER, json: Flag = False) -> int:
    """Say whether the server runs and whether it can work. Exit code 1 when it does not or cannot.

    Parameters
    ----------
    json
        As JSON.
    """
    from videoannotator.shell.serving import show_server

    return show_server(where, as_json=json)


@server.default
def _nothing(*words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]) -> int:
    from videoannotator.shell.outdated import no_server_command

    no_server_command(words)


def worker(*, where: Folder = FOLDER) -> int:
    """Execute jobs of a server that has its database in PostgreSQL, on this machine. Ctrl-C ends it.

    The data folder must be the server's own, on a disk that both see.
    """
    from videoannotator.shell.serving import start_worker

    return start_worker(where)
