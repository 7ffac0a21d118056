"""The first start: one admin, one key, however many servers start together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from videoannotator.serve.access.authenticating import Credentials
from videoannotator.serve.access.first import first_admin, local_principal
from videoannotator.serve.access.signing import SIGNING_KEY, signing_key
from videoannotator.serve.errors import ServerError
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

STARTING = """
import sys
from videoannotator.serve.access.first import first_admin, local_principal
from videoannotator.serve.access.signing import signing_key
from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings

service = Service.of(ServerSettings(data_dir=sys.argv[1], database=sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
key = signing_key(service.settings.data_dir).hex()
print(first_admin(service), local_principal(service).user_id, key)
"""


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Service:
    """On either database."""
    return Service.of(ServerSettings(data_dir=tmp_path / "data", database=database_url))


def test_servers_that_start_together_make_one_admin(service: Service, database_url: str) -> None:
    command = [sys.executable, "-c", STARTING, str(service.settings.data_dir), database_url]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0].split() for process in started]
    secrets = [secret for secret, _, _ in said if secret != "None"]
    assert len(secrets) == 1
    assert len({local for _, local, _ in said}) == 1
    assert len({key for _, _, key in said}) == 1
    admin = service.authenticator.principal(Credentials(secrets[0], "access"))
    assert (admin.name, admin.role, admin.scopes_held) == ("admin", "admin", ("read", "write", "admin"))
    assert sorted(user.name for user in service.users.page()) == ["admin", "local"]
    assert first_admin(service) is None
    service.close()


def test_a_key_that_is_gone_is_not_made_again(service: Service) -> None:
    """Whoever has lost it makes another on the server, with the command; nobody is let in because it ended."""
    secret = first_admin(service)
    assert secret is not None
    service.keys.revoke(secret.split("_")[1], None)
    assert first_admin(service) is None


def test_a_server_that_asked_nobody_before_gets_its_first_key(service: Service) -> None:
    local = local_principal(service)
    assert local_principal(service) == local
    assert local.may("admin")
    assert first_admin(service) is not None


def test_somebody_else_called_admin(service: Service) -> None:
    service.users.add("admin", "guest")
    secret = first_admin(service)
    assert secret is not None
    who = service.authenticator.principal(Credentials(secret, "access"))
    assert who.role == "admin"
    assert who.name.startswith("admin ")


def test_the_signing_key_is_for_the_server_alone(tmp_path: Path) -> None:
    key = signing_key(tmp_path / "data")
    path = tmp_path / "data" / SIGNING_KEY
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(tmp_path / "data") == key
    path.chmod(0o640)
    with pytest.raises(ServerError, match="chmod 600"):
        signing_key(tmp_path / "data")
    path.chmod(0o600)
    for damaged in ("", "xyz", "ab" * 31, "é"):
        path.write_text(damaged)
        with pytest.raises(ServerError, match="is damaged"):
            signing_key(tmp_path / "data")


def test_tokens_of_an_old_signing_key_are_told_so(service: Service) -> None:
    user = service.users.add("amelie", "researcher")
    made = service.tokens.make("access", user.id, ("read",), 60)
    (service.settings.data_dir / SIGNING_KEY).unlink()
    again = Service.of(attrs.evolve(service.settings))
    with pytest.raises(ServerError, match="does not have") as caught:
        again.authenticator.principal(Credentials(made.token, "access"))
    assert caught.value.stable_code == "TOKEN_UNKNOWN_KEY"  # type: ignore[attr-defined]  # of `RefusedError`
