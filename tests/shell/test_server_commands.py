"""The server by its commands: real processes, real jobs, a real database."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.shell.serving import KEY, Ended, Running, caller

from videoannotator.shell.configuring import settings_table
from videoannotator.shell.main import Exit


@pytest.fixture
def here(plugins: Path, tmp_path: Path) -> Callable[..., Ended]:
    """The command in this process, in an empty folder."""
    return caller(plugins, tmp_path)


@pytest.fixture(scope="module")
def job(server: Running, tmp_path_factory: pytest.TempPathFactory, write_clip: Callable[..., Path]) -> str:
    """The id of a job that was submitted and watched to its end."""
    clip = write_clip(tmp_path_factory.mktemp("clips") / "Mutter & Kind.mp4")
    done = server.client("job", "submit", clip, "--pipelines", "grey", "--set", "grey.scale=2", "--watch")
    assert done.returncode == Exit.WELL, done.stderr
    submitted, ended = done.stdout.splitlines()
    assert ended.split("\t")[:2] == [submitted, "completed"]
    return submitted


def test_a_server_tells_that_it_is_ready_and_only_one_runs_on_a_folder(server: Running) -> None:
    status = server.call("server", "status", "--data-dir", server.data, "--json")
    assert status.returncode == Exit.WELL
    told = json.loads(status.stdout)
    assert (told["ready"], told["address"], told["pid"]) == (True, server.address, server.pid)
    second = server.call("server", "start", "--background", "--port", 0, "--data-dir", server.data)
    assert second.returncode == Exit.FAILED
    assert "runs on" in second.stderr
    assert server.key not in (server.data / "logs" / "server.log").read_text(encoding="utf-8")


def test_a_job_goes_through_with_its_settings_and_comes_back_as_files(
    server: Running, job: str, tmp_path: Path
) -> None:
    told = json.loads(server.client("job", "status", job, "--json").stdout)
    assert (told["state"], told["video_filename"]) == ("completed", "Mutter & Kind.mp4")
    assert told["config"] == {"grey": {"scale": 2}}
    results = json.loads(server.client("job", "results", job, "--json").stdout)
    assert results["pipeline_results"]["grey"]["rows"] == {"signals": 5}
    listed = server.client("job", "list")
    assert job in listed.stdout
    fetched = server.client("job", "download", job, "--out", tmp_path / "out")
    assert fetched.returncode == Exit.WELL, fetched.stderr
    paths = [Path(line) for line in fetched.stdout.splitlines()]
    assert paths
    assert all(path.exists() for path in paths)
    assert next((tmp_path / "out").rglob("manifest.json"), None) is not None
    zipped = server.client("job", "download", job, "--zip", "--out", tmp_path / "zip")
    assert zipped.returncode == Exit.WELL, zipped.stderr
    with zipfile.ZipFile(zipped.stdout.strip()) as archive:
        assert "Mutter & Kind.mp4" in archive.namelist()


def test_a_job_that_fails_says_why_in_its_exit_code_and_in_words(
    server: Running, tmp_path: Path, write_clip: Callable[..., Path]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    failed = server.client("job", "submit", clip, "--pipelines", "fails", "--watch")
    assert failed.returncode == Exit.FAILED
    assert "the test wants it so" in failed.stderr
    again = server.client("job", "retry", failed.stdout.splitlines()[0])
    assert again.returncode == Exit.WELL, again.stderr
    watched = server.client("job", "watch", again.stdout.strip())
    assert watched.returncode == Exit.FAILED
    gone = server.client("job", "delete", again.stdout.strip())
    assert gone.returncode == Exit.WELL
    assert server.client("job", "status", again.stdout.strip()).returncode == Exit.FAILED


@pytest.mark.parametrize("name", ["..", "two\nlines ü"])
def test_what_is_no_id_of_a_job_is_said_to_be_none(server: Running, name: str) -> None:
    for what in ("status", "results", "cancel", "retry", "delete", "download"):
        ended = server.client("job", what, name)
        assert ended.returncode == Exit.USAGE
        assert "is not the id of a job" in ended.stderr


def test_what_would_not_run_is_refused_before_anything_is_made(
    server: Running, tmp_path: Path, write_clip: Callable[..., Path]
) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    wrong = server.client("job", "submit", clip, "--pipelines", "grey", "--set", "grey.scale=11")
    assert wrong.returncode != Exit.WELL
    assert "scale" in wrong.stderr
    unknown = server.client("job", "submit", clip, "--pipelines", "gray")
    assert "grey" in unknown.stderr
    text = tmp_path / "text.mp4"
    text.write_text("no film", encoding="utf-8")
    refused = server.client("job", "submit", text, "--pipelines", "grey")
    assert refused.returncode == Exit.FAILED
    assert "text.mp4" in refused.stderr
    assert str(server.data) not in refused.stderr


def test_without_a_key_or_a_server_it_says_what_to_do(server: Running) -> None:
    no_key = server.client("job", "list", VIDEOANNOTATOR_KEY="")
    assert no_key.returncode != Exit.WELL
    assert "key" in no_key.stderr.lower()
    wrong = server.client("job", "list", VIDEOANNOTATOR_KEY=f"{server.key[:-1]}{'a' if server.key[-1] != 'a' else 'b'}")
    assert wrong.returncode != Exit.WELL
    assert server.key not in wrong.stderr
    nowhere = server.client("job", "list", VIDEOANNOTATOR_SERVER="http://127.0.0.1:9")
    assert nowhere.returncode == Exit.FAILED
    assert "videoannotator server start" in nowhere.stderr


@pytest.mark.parametrize("over", ["the folder", "the server"])
def test_accounts(server: Running, tmp_path: Path, over: str) -> None:
    there = ("--data-dir", server.data) if over == "the folder" else ("--server", server.address)
    name = f"amelie-{over.partition(' ')[2]}"

    def auth(*words: object) -> Ended:
        return server.client("auth", *words, *there)

    made = auth("users", "create", name, "--role", "analyst", "--email", "amelie@example.org")
    assert made.returncode == Exit.WELL, made.stderr
    again = auth("users", "create", name)
    assert again.returncode == Exit.FAILED
    assert name in again.stderr
    assert auth("users", "set-role", name, "researcher").returncode == Exit.WELL
    listed = [
        one for one in map(json.loads, auth("users", "list", "--json").stdout.splitlines()) if one["name"] == name
    ]
    assert [(one["role"], one["email"], one["id"]) for one in listed] == [
        ("researcher", "amelie@example.org", made.stdout.strip())
    ]
    assert f"{name}\tresearcher\tactive" in auth("users", "list").stdout
    unknown = auth("users", "disable", f"{name}x")
    assert (unknown.returncode, name in unknown.stderr) == (Exit.USAGE, True), "with the name that was meant"

    beyond = auth("keys", "create", "--user", name, "--scope", "admin")
    assert beyond.returncode != Exit.WELL
    assert not KEY.search(beyond.stdout)
    file = tmp_path / "key"
    written = auth("keys", "create", "--user", name, "--scope", "read", "--days", 1, "--output", file)
    assert written.returncode == Exit.WELL, written.stderr
    assert (written.stdout, file.stat().st_mode & 0o777) == ("", 0o600)
    key = file.read_text().strip()
    assert KEY.fullmatch(key)
    assert server.client("job", "list", VIDEOANNOTATOR_KEY=key).returncode == Exit.WELL
    keys = auth("keys", "list", "--user", name, "--json")
    assert [(one["id"], one["scopes"]) for one in map(json.loads, keys.stdout.splitlines())] == [(key[3:15], ["read"])]
    assert key[3:15] in auth("keys", "list").stdout
    assert key not in keys.stdout

    assert auth("users", "disable", name).returncode == Exit.WELL
    assert server.client("job", "list", VIDEOANNOTATOR_KEY=key).returncode == Exit.FAILED
    assert auth("users", "enable", name).returncode == Exit.WELL
    assert server.client("job", "list", VIDEOANNOTATOR_KEY=key).returncode == Exit.WELL
    assert auth("keys", "revoke", key[3:15]).returncode == Exit.WELL
    shut_out = server.client("job", "list", VIDEOANNOTATOR_KEY=key)
    assert (shut_out.returncode, "revoked" in shut_out.stderr) == (Exit.FAILED, True)

    token = auth("tokens", "create", "--scope", "read", "--minutes", 1)
    assert token.returncode == Exit.WELL, token.stderr
    assert server.client("job", "list", VIDEOANNOTATOR_KEY=token.stdout.strip()).returncode == Exit.WELL
    only_read = server.client("auth", "users", "create", "x", "--server", server.address, "--key", token.stdout.strip())
    assert only_read.returncode == Exit.FAILED
    if over == "the folder":  # a server gives as much as it may, and says until when
        assert auth("tokens", "create", "--minutes", 10**6).returncode == Exit.USAGE


def test_a_backup_taken_while_it_runs_becomes_another_server(server: Running, job: str, tmp_path: Path) -> None:
    assert server.call("db", "backup", tmp_path / "kept", "--data-dir", server.data).returncode == Exit.WELL
    new = tmp_path / "new"
    restored = server.call("db", "restore", tmp_path / "kept", "--data-dir", new)
    assert restored.returncode == Exit.WELL, restored.stderr
    again = server.call("db", "restore", tmp_path / "kept", "--data-dir", new)
    assert again.returncode != Exit.WELL
    assert next((new / "jobs" / job).rglob("manifest.json"), None) is not None
    assert (
        server.call("auth", "keys", "list", "--data-dir", new).stdout
        == server.call("auth", "keys", "list", "--data-dir", server.data).stdout
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("server", "--port", "1"), Exit.USAGE, "videoannotator server start"),
        (("validate-emotion", "x.json"), Exit.USAGE, "videoannotator.read"),
        (
            ("server", "start", "--host", "0.0.0.0", "--set", "access.required=false"),
            Exit.USAGE,
            "this machine",
        ),
        (("server", "status", "--set", "jobs.concurent=2"), Exit.USAGE, "concurrent"),
        (("worker",), Exit.USAGE, "PostgreSQL"),
        (("process", "nowhere.mp4"), Exit.USAGE, "no such file"),
    ],
)
def test_names_and_settings_that_cannot_work_say_what_does(
    here: Callable[..., Ended], words: tuple[str, ...], code: int, said: str
) -> None:
    ended = here(*words)
    assert ended.returncode == code, ended.stderr
    assert re.search(said, ended.stderr)


@pytest.mark.parametrize(
    ("file", "variable", "expected", "origin"),
    [
        ({}, None, 1, "default"),
        ({"concurrent": 2}, None, 2, "videoannotator.toml"),
        ({"concurrent": 2}, "3", 3, "VIDEOANNOTATOR_SERVER_JOBS_CONCURRENT"),
    ],
)
def test_each_layer_of_the_configuration_wins_over_the_one_below(
    here: Callable[..., Ended],
    tmp_path: Path,
    file: dict[str, Any],
    variable: str | None,
    expected: int,
    origin: str,
) -> None:
    if file:
        lines = "\n".join(f"{name} = {value}" for name, value in file.items())
        (tmp_path / "videoannotator.toml").write_text(f"[server.jobs]\n{lines}\n", encoding="utf-8")
    variables = {} if variable is None else {"VIDEOANNOTATOR_SERVER_JOBS_CONCURRENT": variable}
    shown = here("config", "show", "--origin", **variables)
    assert shown.returncode == Exit.WELL, shown.stderr
    line = next(line for line in shown.stdout.splitlines() if line.startswith("server.jobs.concurrent"))
    assert re.match(rf"server\.jobs\.concurrent = {expected}\s+# .*{re.escape(origin)}$", line)


def test_a_setting_that_does_not_exist_names_its_file(here: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "videoannotator.toml").write_text("[server.limits]\npixel = 3\n", encoding="utf-8")
    wrong = here("config", "validate")
    assert wrong.returncode != Exit.WELL
    assert "videoannotator.toml" in wrong.stderr
    assert "pixels" in wrong.stderr


def test_without_the_extra_everything_else_works(command: Callable[..., Ended], tmp_path: Path, clip: Path) -> None:
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text(
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('fastapi', 'starlette', 'sqlalchemy', 'psycopg', 'alembic', 'uvicorn',\n"
        "                                      'procrastinate', 'structlog', 'jwt', 'limits', 'prometheus_client'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n",
        encoding="utf-8",
    )
    without = {"PYTHONPATH": str(tmp_path)}
    assert command("--help", **without).returncode == Exit.WELL
    assert command("pipelines", **without).returncode == Exit.WELL
    assert command("config", "show", **without).returncode == Exit.WELL
    refused = command("server", "start", "--data-dir", tmp_path / "data", **without)
    assert refused.returncode == Exit.FAILED
    assert "videoannotator[server]" in refused.stderr
    imported = subprocess.run(
        [
            sys.executable,
            "-c",
            "import videoannotator as va; va.Annotator; va.probe(__import__('sys').argv[1])",
            str(clip),
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert imported.returncode == 0


def test_the_page_about_the_server_lists_every_setting_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    written = page.partition("<!-- settings -->\n")[2].partition("<!-- end of settings -->")[0]
    assert written.strip() == settings_table()
