"""The server by its commands: real processes, real jobs, a real database."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest

from videoannotator.discover.known import distributions
from videoannotator.shell.configuring import settings_table
from videoannotator.shell.main import Exit

Ended = subprocess.CompletedProcess[str]
KEY = re.compile(r"va_[0-9a-f]{12}_[\w-]{43}")


@attrs.frozen
class Running:
    """A server that was started by its command, and its command line."""

    data: Path
    key: str
    address: str
    call: Callable[..., Ended]

    def client(self, *words: object, **variables: str) -> Ended:
        """A command that speaks with it."""
        told = {"VIDEOANNOTATOR_SERVER": self.address, "VIDEOANNOTATOR_KEY": self.key, **variables}
        return self.call(*words, **told)


def _caller(plugins: Path, folder: Path) -> Callable[..., Ended]:
    def call(*words: object, **variables: str) -> Ended:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDEOANNOTATOR_")},
            "PYTHONPATH": str(plugins),
            "VIDEOANNOTATOR_BLOCK_PLUGINS": ",".join(distributions().values()),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "NO_COLOR": "1",
            **variables,
        }
        command = [sys.executable, "-m", "videoannotator.shell", *map(str, words)]
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )

    return call


def _pid(data: Path) -> int:
    return int(json.loads((data / "server.pid").read_text(encoding="utf-8"))["pid"])


@pytest.fixture(scope="module")
def server(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all these tests, on a free port, started on a fresh folder with one command."""
    folder = tmp_path_factory.mktemp("server")
    call = _caller(plugins, folder)
    data = folder / "data"
    started = call("server", "start", "--background", "--port", 0, "--data-dir", data)
    assert started.returncode == Exit.WELL, started.stderr
    keys = KEY.findall(started.stdout)
    assert len(keys) == 1
    address = re.search(r"http://127\.0\.0\.1:(\d+)", started.stderr)
    assert address is not None
    assert address[1] != "18011", "a port that was given is the one that is listened at"
    pid = _pid(data)
    yield Running(data, keys[0], address[0], call)
    call("server", "stop", "--data-dir", data, "--now")
    assert not psutil.pid_exists(pid)


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
    assert (told["ready"], told["address"], told["pid"]) == (True, server.address, _pid(server.data))
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


def test_accounts_on_the_folder_and_over_the_server(server: Running) -> None:
    folder = ("--data-dir", server.data)
    assert server.call("auth", "users", "create", "amelie", *folder).returncode == Exit.WELL
    made = server.call("auth", "keys", "create", "--user", "amelie", "--scope", "read", *folder)
    key = KEY.search(made.stdout)
    assert key is not None, made.stderr
    assert server.client("job", "list", VIDEOANNOTATOR_KEY=key[0]).returncode == Exit.WELL
    listed = server.client("auth", "keys", "list", "--server", server.address, "--json")
    ours = [one for one in map(json.loads, listed.stdout.splitlines()) if one["id"] == key[0][3:15]]
    assert [one["scopes"] for one in ours] == [["read"]]
    assert key[0] not in listed.stdout
    assert server.call("auth", "keys", "revoke", key[0][3:15], *folder).returncode == Exit.WELL
    shut_out = server.client("job", "list", VIDEOANNOTATOR_KEY=key[0])
    assert shut_out.returncode != Exit.WELL
    assert "revoked" in shut_out.stderr


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


def test_a_signal_lets_a_server_end_and_a_killed_one_is_no_obstacle(plugins: Path, tmp_path: Path) -> None:
    call = _caller(plugins, tmp_path)
    data = tmp_path / "data"
    start = ("server", "start", "--background", "--data-dir", data, "--set", "port=0")
    first = call(*start)
    assert first.returncode == Exit.WELL, first.stderr
    os.kill(_pid(data), signal.SIGKILL)
    assert call("server", "status", "--data-dir", data).returncode == Exit.FAILED
    second = call(*start)
    assert second.returncode == Exit.WELL, second.stderr
    assert not KEY.search(second.stdout), "the first key is made once"
    pid = _pid(data)
    os.kill(pid, signal.SIGTERM)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    assert not psutil.pid_exists(pid)
    assert call("server", "stop", "--data-dir", data).returncode == Exit.FAILED


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
    command: Callable[..., Ended], words: tuple[str, ...], code: int, said: str
) -> None:
    ended = command(*words)
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
    command: Callable[..., Ended],
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
    shown = command("config", "show", "--origin", **variables)
    assert shown.returncode == Exit.WELL, shown.stderr
    line = next(line for line in shown.stdout.splitlines() if line.startswith("server.jobs.concurrent"))
    assert re.match(rf"server\.jobs\.concurrent = {expected}\s+# .*{re.escape(origin)}$", line)


def test_a_setting_that_does_not_exist_names_its_file(command: Callable[..., Ended], tmp_path: Path) -> None:
    (tmp_path / "videoannotator.toml").write_text("[server.limits]\npixel = 3\n", encoding="utf-8")
    wrong = command("config", "validate")
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
