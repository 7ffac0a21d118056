"""Settings in layers: which one wins, what is refused and where that is said to stand."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from videoannotator.errors import ConfigError, UsageError
from videoannotator.serve import configuring
from videoannotator.serve.configuring import Configuration, known_settings, outdated
from videoannotator.serve.settings import ServerSettings
from videoannotator.shell.configuring import hidden_password, template

VARIABLE = "VIDEOANNOTATOR_SERVER_PORT"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file, which is not there."""
    file = tmp_path / "home" / "videoannotator.toml"
    file.parent.mkdir()
    monkeypatch.setattr(configuring, "user_file", lambda: file)
    return file


def load(folder: Path, environment: dict[str, str] | None = None, **more: Any) -> Configuration:
    return Configuration.load(folder=folder, environment=environment or {}, **more)


@pytest.mark.parametrize("given", list(itertools.product([False, True], repeat=4)))
def test_the_later_layer_wins(given: tuple[bool, ...], home: Path, tmp_path: Path) -> None:
    own, here, environment, flag = given
    if own:
        home.write_text("[server]\nport = 1001\n")
    if here:
        (tmp_path / "videoannotator.toml").write_text("[server]\nport = 1002\n")
    found = load(tmp_path, {VARIABLE: "1003"} if environment else {}, flags={"server.port": 1004 if flag else None})
    layers = [(flag, 1004, "--port"), (environment, 1003, VARIABLE)]
    layers += [(here, 1002, str(tmp_path / "videoannotator.toml")), (own, 1001, str(home)), (True, 18011, "default")]
    port, origin = next((port, origin) for there, port, origin in layers if there)
    assert (found.server.port, found.origins["server.port"]) == (port, origin)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sever]\nport = 1", r"no setting sever \(did you mean 'server'\?\)"),
        ("[server]\nprot = 1", r"no setting server.prot \(did you mean 'port'\?\)"),
        ("[server.jobs]\nlese = 1.0", r"no setting server.jobs.lese \(did you mean 'lease'\?\)"),
        ("[server]\njobs = 3", r"server.jobs is a table, write \[server.jobs\]"),
        ("[server]\nport = 'x'", "server.port must be int, got 'x'"),
        ("[server]\nlog_format = 'xml'", "server.log_format must be one of 'text', 'json'"),
        ("[server]\nport = 70000", "port must be at most 65535"),
        ("[server.jobs]\nattempts = 0", "attempts must be at least 1"),
        ("[server.jobs]\nlease = 1.0", "heartbeat must be less than half"),
        ("[server]\nhost = '0.0.0.0'\n[server.access]\nrequired = false", "lets everybody in as admin"),
        ("[server", "is not TOML"),
    ],
)
def test_what_is_wrong_names_the_file(text: str, says: str, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "videoannotator.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says) as refused:
        load(tmp_path)
    assert str(file) in str(refused.value)


def test_a_variable_that_does_not_exist_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"VIDEOANNOTATOR_SERVER_JOB_LEASE.*did you mean"):
        load(tmp_path, {"VIDEOANNOTATOR_SERVER_JOB_LEASE": "9"})
    assert load(tmp_path, {"VIDEOANNOTATOR_CACHE": "x", VARIABLE: ""}).server.port == 18011  # not ours; as good as none


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("server.limits.duration", "none", None),
        ("server.access.required", "off", False),
        ("server.jobs.lease", "20", 20.0),
        ("server.access.origins", "https://a.example, https://b.example", ("https://a.example", "https://b.example")),
        ("server.roots", "[]", ()),
        ("server.database", "postgresql://u:p@h/n", "postgresql://u:p@h/n"),
    ],
)
def test_text_from_a_shell(key: str, text: str, value: object, home: Path, tmp_path: Path) -> None:
    assert load(tmp_path, flags={key: text}).values()[key] == value
    assert load(tmp_path, {known_settings()[key].variable: text}).values()[key] == value


def test_paths_of_a_file_begin_at_its_folder(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "lab" / "server.toml"
    file.parent.mkdir()
    file.write_text("[server]\ndata_dir = 'data'\nroots = ['in', '/abs']\n")
    server = load(tmp_path, config=file).server
    assert (server.data_dir, server.roots) == (file.parent / "data", (file.parent / "in", Path("/abs")))
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path, config=tmp_path / "absent.toml")


def test_a_key_is_not_sent_to_a_server_that_a_folder_names(home: Path, tmp_path: Path) -> None:
    here = tmp_path / "videoannotator.toml"
    here.write_text("[client]\nserver = 'http://elsewhere.invalid'\n")
    found = load(tmp_path, {"VIDEOANNOTATOR_KEY": "va_secret"})
    with pytest.raises(ConfigError, match="may be somebody else's"):
        _ = found.key
    told = load(tmp_path, {"VIDEOANNOTATOR_KEY": "va_secret"}, flags={"client.server": "lab:1"})
    assert (told.address, told.key) == ("http://lab:1", "va_secret")
    here.write_text("[client]\nserver = 'http://elsewhere.invalid'\nkey = 'va_its_own'\n")
    assert load(tmp_path).key == "va_its_own"


def test_every_variable_has_one_meaning() -> None:
    variables = [one.variable for one in known_settings().values()]
    assert len(set(variables)) == len(variables)
    assert all(one.help for one in known_settings().values())


def test_the_template_says_the_defaults(home: Path, tmp_path: Path) -> None:
    every = re.sub(r"^# (\w+ = .*)$", r"\1", template(), flags=re.MULTILINE)
    file = tmp_path / "every.toml"
    file.write_text(every.replace('data_dir = "~/videoannotator"', ""))
    found = load(tmp_path, config=file)
    assert found.server == ServerSettings()
    assert sum(origin == str(file) for origin in found.origins.values()) == len(known_settings()) - 1


def test_passwords_are_hidden_and_old_variables_named() -> None:
    assert hidden_password("postgresql://u:se:cret@h/n") == "postgresql://u:(hidden)@h/n"
    assert outdated({"STORAGE_ROOT": "/x", "PATH": "/bin"}) == {"STORAGE_ROOT": "VIDEOANNOTATOR_SERVER_DATA_DIR"}
