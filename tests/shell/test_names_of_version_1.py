"""Every name that version 1 had does what it says, or names what it became; and what happens without the extra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from videoannotator.shell.main import main

BLOCKED = ("fastapi", "sqlalchemy", "psycopg", "starlette", "uvicorn", "alembic", "structlog", "jwt", "procrastinate")


@pytest.fixture(autouse=True)
def nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no configuration, no server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.mark.parametrize(
    ("words", "became"),
    [
        (["server"], "videoannotator server start"),
        (["server", "--dev"], "access.required=false"),
        (["server", "--workers=4"], "jobs.concurrent=N"),
        (["server", "strat"], "did you mean 'start'?"),
        (["config", "--validate", "x.toml"], "config validate FILE"),
        (["config", "--show-default"], "config init"),
        (["validate-emotion", "x.json"], "videoannotator.read"),
        (["setup-db", "--force"], "--data-dir"),
    ],
    ids=" ".join,
)
def test_what_is_gone_names_what_it_became(words: list[str], became: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert became in capsys.readouterr().err


def test_what_stays_does_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("videoannotator ")
    assert main(["info", "--json"]) == 0
    assert "version" in json.loads(capsys.readouterr().out)
    assert main(["setup-db", "--data-dir", "data"]) == 0
    first = capsys.readouterr().out.strip()
    assert first.startswith("va_")
    assert main(["generate-token", "--user", "amelie", "--output", "key", "--data-dir", "data"]) == 0
    assert capsys.readouterr().out == ""
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert main(["auth", "users", "list", "--json", "--data-dir", "data"]) == 0
    users = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {user["name"]: user["role"] for user in users} == {"admin": "admin", "amelie": "researcher"}
    assert main(["backup", "saved", "--data-dir", "data"]) == 0
    assert capsys.readouterr().out.strip() == "saved"
    assert main(["db", "restore", "saved", "--data-dir", "again"]) == 0
    assert main(["storage-cleanup", "--json", "--data-dir", "data"]) == 0
    capsys.readouterr()
    assert main(["diagnose", "database", "system", "--json"]) in (0, 2)
    assert {check["section"] for check in json.loads(capsys.readouterr().out)["checks"]} == {"database", "system"}


def test_accounts_refuse_what_makes_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auth", "users", "list", "--data-dir", "absent"]) == 2
    assert "server start makes one" in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()
    main(["setup-db", "--data-dir", "data"])
    assert main(["auth", "keys", "create", "--scope", "wirte", "--data-dir", "data"]) == 2
    assert main(["auth", "users", "set-role", "nobody", "guest", "--data-dir", "data"]) == 2
    assert main(["auth", "users", "set-role", "admin", "guest", "--data-dir", "data"]) == 1
    assert "last active admin" in capsys.readouterr().err


def test_config_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["config", "init", "--here"]) == 0
    assert (tmp_path / "videoannotator.toml").stat().st_mode & 0o777 == 0o600
    assert main(["config", "init", "--here"]) == 2
    monkeypatch.setenv("VIDEOANNOTATOR_KEY", "va_0123456789ab_" + "s" * 43)
    monkeypatch.setenv("VIDEOANNOTATOR_SERVER_DATABASE", "postgresql://me:hush@host/name")
    capsys.readouterr()
    assert main(["config", "show", "--origin"]) == 0
    shown = capsys.readouterr().out
    assert "VIDEOANNOTATOR_KEY" in shown
    assert "sss" not in shown
    assert "hush" not in shown
    assert main(["config", "validate"]) == 0


def test_without_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        f"for name in {BLOCKED!r}: sys.modules[name] = None\n"  # what an import meets when it is not installed
        "import videoannotator\nfrom videoannotator.shell.main import main\n"
        "for words in (['--help'], ['server', '--help'], ['config', 'show'], ['info'], ['server', 'status']):\n"
        "    sys.stderr.write(f'{words[0]} {main(words)}\\n')\n"
        "sys.stderr.write(f\"start {main(['server', 'start', '--data-dir', 'd'])}\\n\")\n"
        "sys.stderr.write(f\"setup {main(['setup-db', '--data-dir', 'd'])}\\n\")\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=tmp_path,
        env={**os.environ},
    )
    for line in ("--help 0", "server 0", "config 0", "info 0"):
        assert line in done.stderr.splitlines()
    assert done.stderr.count("pip install 'videoannotator[server]'") == 2
    assert "Traceback" not in done.stderr
