"""Commands of version 1 under the names people know: they do what they say, or name what they became."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import attrs

from videoannotator.errors import UsageError, nearest
from videoannotator.shell.accounts import give_secret
from videoannotator.shell.databases import opened
from videoannotator.shell.extra import needing_the_server
from videoannotator.shell.main import Exit
from videoannotator.shell.places import Folder
from videoannotator.shell.speaking import give, say

__all__ = ["clean_storage", "generate_token", "no_config_command", "no_server_command", "set_up", "show_info"]

_SERVER = {
    "--reload": "it was for developers of the server, and is gone",
    "--workers": "one process serves; jobs run in processes of their own: --set jobs.concurrent=N",
    "--dev": "it let everybody in; for that, on this machine only: --set access.required=false",
}


def no_server_command(words: Sequence[str]) -> NoReturn:
    """``videoannotator server`` with what version 1 understood, or with a word that is none. Raises `UsageError`."""
    if words and not words[0].startswith("-"):
        raise UsageError(
            f"there is no command server {words[0]}{nearest(words[0], ('start', 'stop', 'status'))}; "
            "there are start, stop and status"
        )
    gone = [f"\n  {name}: {became}" for name, became in _SERVER.items() if any(w.startswith(name) for w in words)]
    raise UsageError("the server is started with: videoannotator server start" + "".join(gone))


def no_config_command(words: Sequence[str]) -> NoReturn:
    """``videoannotator config`` with what version 1 understood. Raises `UsageError`."""
    became = {"--validate": "config validate FILE", "--show-default": "config init", "--server": "job list --server"}
    for word in words:
        name = word.partition("=")[0]
        if name in became:
            raise UsageError(f"config {name} is called now: videoannotator {became[name]}")
    if words and not words[0].startswith("-"):
        raise UsageError(
            f"there is no command config {words[0]}{nearest(words[0], ('show', 'validate', 'init'))}; "
            "there are show, validate and init"
        )
    raise UsageError("say what of it: videoannotator config show, validate or init")


def generate_token(
    where: Folder, user: str | None, key_name: str, expires_days: float | None, output: Path | None
) -> int:
    """Make an API key for a user, who is made as a researcher where there is none of that name."""
    with opened(where) as service:
        from videoannotator.serve.errors import NotFoundError
        from videoannotator.shell.local_accounts import Local

        local, user_id = Local(service), None
        if user is not None:
            try:
                user_id = service.users.named(user).id
            except NotFoundError:
                user_id = local.add_user(user, "researcher", None, None)["id"]
                say(f"{user} is a researcher now")
        made = local.make_key(user_id, key_name, None, expires_days)
    say(f"key {made['id']} ({', '.join(made['scopes'])}), valid until {made['expires_at'] or 'it is revoked'}")
    give_secret(made["key"], output)
    return Exit.WELL


def set_up(where: Folder, *, admin: bool, force: bool) -> int:
    """Make the database, and the first admin with a key."""
    if force:
        raise UsageError(
            "setup-db --force would throw away what is there, and does not do that any more: "
            "move the data folder away, or give another one with --data-dir"
        )
    settings = where.settings()
    with needing_the_server():
        from videoannotator.serve.access.first import first_admin
        from videoannotator.serve.running import prepared

        with prepared(settings, key=False) as (service, _):
            secret = first_admin(service) if admin else None
    say(f"the database is ready: {settings.data_dir}")
    if secret is not None:
        say("The first admin's key. It is shown this once, and kept nowhere:")
        give(secret)
    elif admin:
        say("an admin has a key already; make another one with: videoannotator auth keys create")
    return Exit.WELL


def clean_storage(where: Folder, days: float | None, *, force: bool, as_json: bool) -> int:
    """Remove what nobody needs, or say what that would be."""
    if days is not None:
        where = attrs.evolve(where, set_=(*where.set_, f"retention.days={days}"))
    with opened(where) as service:
        from videoannotator.serve.cleaning import clean

        report = clean(service, dry_run=not force)
    give(json.dumps(report.plain(), indent=2) if as_json else report)
    if not force:
        say("nothing was removed; --force does it")
    return Exit.WELL


def show_info(*, as_json: bool) -> int:
    """Which version this is, where it keeps things, and what is installed."""
    import platform
    import sys

    from videoannotator import __version__
    from videoannotator.discover.catalog import catalog
    from videoannotator.discover.hashing import cache_folder
    from videoannotator.serve.configuring import Configuration, user_file

    found, loaded = catalog(), Configuration.load()
    plain = {
        "version": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "pipelines": sorted(found.pipelines),
        "formats": sorted(found.formats),
        "cache": str(cache_folder()),
        "configuration": str(user_file()),
        "server_data": str(loaded.server.data_dir),
        "server": loaded.address,
    }
    if as_json:
        give(json.dumps(plain, indent=2))
        return Exit.WELL
    for name, value in plain.items():
        text = ", ".join(value) if isinstance(value, list) else value
        give(f"{name.replace('_', ' '):14} {text}")
    return Exit.WELL
