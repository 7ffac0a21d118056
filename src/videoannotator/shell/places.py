"""Options that many commands share: which server is asked, and which data folder is worked on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Group, Parameter

from videoannotator.errors import UsageError

if TYPE_CHECKING:
    from videoannotator.serve.configuring import Configuration
    from videoannotator.serve.settings import ServerSettings
    from videoannotator.shell.client import Client

__all__ = ["Asked", "Assignments", "Folder", "FolderOrServer"]

WHERE = Group("Which server")
SETTINGS = Group("Settings", help="Each wins over the environment and the files; see: videoannotator config show")

Assignments = Annotated[
    tuple[str, ...], Parameter(name="--set", consume_multiple=False, negative="", show_default=False)
]


@Parameter(name="*", group=WHERE)
@attrs.frozen(kw_only=True)
class Asked:
    """A server that is spoken with.

    Parameters
    ----------
    server
        Its address. [default: VIDEOANNOTATOR_SERVER, else the configuration, else this machine's]
    key
        API key; better in VIDEOANNOTATOR_KEY or the configuration, where other users do not see it.
    """

    server: str | None = None
    key: str | None = None

    def client(self) -> Client:
        """To speak with it. Raises `ConfigError` and `UsageError`."""
        from videoannotator.serve.configuring import Configuration
        from videoannotator.shell.client import Client

        return Client.of(Configuration.load(flags={"client.server": self.server, "client.key": self.key}))


@Parameter(name="*", group=SETTINGS)
@attrs.frozen(kw_only=True)
class Folder:
    """A server's settings, its data folder and its database among them.

    Parameters
    ----------
    data_dir
        Where videos, results and the SQLite file are.
    database
        postgresql://USER@HOST/NAME, for several machines. [default: SQLite in the data folder]
    config
        Read this file, and not the user's and this folder's.
    set_
        One setting, KEY=VALUE as in jobs.concurrent=2; may be repeated.
    """

    data_dir: Path | None = None
    database: str | None = None
    config: Path | None = None
    set_: Assignments = ()

    def flags(self) -> dict[str, Any]:
        """What was typed, by the keys of settings. Raises `UsageError`."""
        found: dict[str, Any] = {}
        for assignment in self.set_:
            key, equals, text = assignment.partition("=")
            if not equals or not key.strip():
                raise UsageError(f"--set takes KEY=VALUE, as in jobs.concurrent=2; got {assignment!r}")
            found[f"server.{key.strip().removeprefix('server.')}"] = text.strip()
        named = {"server.data_dir": self.data_dir, "server.database": self.database}
        return found | {key: value for key, value in named.items() if value is not None}

    def configuration(self, **more: Any) -> Configuration:
        """All layers put together. ``more``: further settings of ``server`` as typed; None was not."""
        from videoannotator.serve.configuring import Configuration

        flags = self.flags() | {f"server.{key}": value for key, value in more.items() if value is not None}
        return Configuration.load(config=self.config, flags=flags)

    def settings(self, **more: Any) -> ServerSettings:
        """Those of the server."""
        return self.configuration(**more).server


@Parameter(name="*", group=WHERE)
@attrs.frozen(kw_only=True)
class FolderOrServer:
    """The database of this machine's server, or a server that is spoken with.

    Parameters
    ----------
    server
        Ask the server at this address. Without it: the database itself, for which no key is needed.
    key
        API key to ask with. [default: VIDEOANNOTATOR_KEY, else the configuration]
    data_dir
        The server's data folder.
    database
        The server's database, if it is not SQLite in the data folder.
    config
        Read this file, and not the user's and this folder's.
    """

    server: str | None = None
    key: str | None = None
    data_dir: Path | None = None
    database: str | None = None
    config: Path | None = None

    @property
    def folder(self) -> Folder:
        """The options that say where the database is."""
        return Folder(data_dir=self.data_dir, database=self.database, config=self.config)

    @property
    def asked(self) -> Asked:
        """The options that say which server is asked."""
        return Asked(server=self.server, key=self.key)
