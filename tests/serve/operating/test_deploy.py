"""What deploys the server is read and held against the repository: there is no container engine in the tests."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from videoannotator.errors import ConfigError
from videoannotator.serve.settings import Access, ServerSettings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILES = [DEPLOY / "Dockerfile", DEPLOY / "Dockerfile.gpu"]


def _steps(file: Path) -> list[tuple[str, str]]:
    """Instructions of a Dockerfile, with lines that go on put together."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_image_is_small_pinned_and_without_root(file: Path) -> None:
    """Nothing of the build stage but what was installed; every base image has a version; it ends as a plain user."""
    steps = _steps(file)
    bases = [value.split()[0] for kind, value in steps if kind == "FROM"]
    bases += [match for kind, value in steps if kind == "COPY" for match in re.findall(r"--from=(\S+[:/]\S+)", value)]
    assert all(re.search(r":\d[\w.-]*$", base) for base in bases), bases
    last = max(number for number, (kind, _) in enumerate(steps) if kind == "FROM")
    final = steps[last:]
    users = [value for kind, value in final if kind == "USER"]
    assert users == ["videoannotator"]
    assert [kind for kind, _ in final].index("USER") > max(n for n, (kind, _) in enumerate(final) if kind == "RUN")
    assert all("--from=build" in value for kind, value in final if kind == "COPY")
    for kind, value in steps:
        if kind == "RUN" and "apt-get install" in value:
            assert "--no-install-recommends" in value
            assert "rm -rf /var/lib/apt/lists" in value
    assert not [value for kind, value in steps if re.search(r"(?i)(password|secret|va_)", value)]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_image_is_made_of_what_is_there(file: Path) -> None:
    """Every source exists and gets through .dockerignore; every extra and plugin is one; the command is one of ours."""
    steps = _steps(file)
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for kind, value in steps:
        if kind == "COPY" and "--from" not in value:
            for source in shlex.split(value)[:-1]:
                assert (ROOT / source).exists(), source
                assert source.removeprefix("./") in allowed, f".dockerignore keeps {source} out"
    (plugins,) = [value.partition("=")[2].strip('"').split() for kind, value in steps if kind == "ARG"]
    for plugin in plugins:
        assert (ROOT / plugin / "pyproject.toml").exists(), plugin
    (install,) = [value for kind, value in steps if kind == "RUN" and "uv pip install" in value]
    assert "--overrides overrides.txt" in install
    (extras,) = re.findall(r'"\.\[([^]]+)\]"', install)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    found = dict(steps)
    assert yaml.safe_load(found["ENTRYPOINT"]) == ["videoannotator"]
    assert "videoannotator" in PROJECT["scripts"]
    assert yaml.safe_load(found["CMD"]) == ["server", "start"]
    assert found["EXPOSE"] == str(ServerSettings().port)


def _settings() -> set[str]:
    """Every environment variable of the server."""
    names = set()
    for field in attrs.fields(ServerSettings):
        if attrs.has(type(getattr(ServerSettings(), field.name))):
            names |= {
                f"{field.name}_{inner.name}" for inner in attrs.fields(type(getattr(ServerSettings(), field.name)))
            }
        else:
            names.add(field.name)
    return {f"VIDEOANNOTATOR_SERVER_{name.upper()}" for name in names}


def test_only_settings_that_exist_are_set() -> None:
    """A name with a slip in it would be ignored in silence by a container."""
    texts = [file.read_text() for file in (*DEPLOY.iterdir(), ROOT / "docs" / "deploy.md") if file.is_file()]
    used = {name for text in texts for name in re.findall(r"VIDEOANNOTATOR_SERVER_[A-Z][A-Z_]*[A-Z]", text)}
    assert used
    assert used <= _settings()


def test_compose() -> None:
    """Nothing is reachable from elsewhere, images have versions, and the image is the one that is built here."""
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = told["services"]
    assert services.keys() == {"database", "server", "worker"}
    for service in services.values():
        assert re.search(r":\d", service["image"])
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
        for volume in service["volumes"]:
            assert volume.split(":")[0] in told["volumes"]
    assert (DEPLOY / services["server"]["build"]["context"] / services["server"]["build"]["dockerfile"]).exists()
    assert services["server"]["environment"].items() - services["worker"]["environment"].items() == {
        ("VIDEOANNOTATOR_SERVER_JOBS_CONCURRENT", "0")
    }
    (network,) = told["networks"]["default"]["ipam"]["config"]
    assert services["server"]["environment"]["VIDEOANNOTATOR_SERVER_ACCESS_PROXIES"] == network["gateway"]
    assert "PASSWORD" not in services["server"]["environment"]["VIDEOANNOTATOR_SERVER_DATABASE"].upper()
    assert not (DEPLOY / ".env").exists()


def test_unit() -> None:
    """systemd's file is whole, and runs as a user of its own."""
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    unit.read(DEPLOY / "videoannotator.service")
    service = unit["Service"]
    assert service["User"] == "videoannotator"
    assert service["ExecStart"].split()[1:] == ["server", "start"]
    assert float(service["TimeoutStopSec"]) > ServerSettings().jobs.hard_cancel + 15
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    """Names of options and their values; it looks for the program, too, which is not where it will be."""
    checks = shutil.which("systemd-analyze")
    if checks is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    text = (
        (DEPLOY / "videoannotator.service").read_text().replace("/opt/videoannotator/bin/videoannotator", "/bin/true")
    )
    for name, told in {"right": text, "wrong": text.replace("PrivateTmp", "PrivateTemp")}.items():
        unit = tmp_path / f"{name}.service"
        unit.write_text(told)
        said = subprocess.run([checks, "verify", str(unit)], capture_output=True, text=True, timeout=60)
        about = [line for line in said.stderr.splitlines() if unit.name in line]
        assert bool(about) == (name == "wrong"), said.stderr


def test_who_is_believed_as_a_proxy() -> None:
    """Addresses and networks, but not everybody: else whoever asks could say to be somebody else."""
    assert Access(proxies=("10.0.0.7", "10.1.0.0/24", "::1")).proxies[1] == "10.1.0.0/24"
    for wrong in ("0.0.0.0/0", "::/0", "*", "proxy.example", "10.0.0.1/8", ""):
        with pytest.raises(ConfigError, match=r"access\.proxies"):
            Access(proxies=(wrong,))
