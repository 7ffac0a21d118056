"""What is said of pipelines of ours that are not installed."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from videoannotator.discover import known

ROOT = Path(__file__).parents[2]


def test_every_plugin_of_the_repository_is_known_under_its_distribution() -> None:
    published = {}
    for project in (ROOT / "plugins").glob("*/pyproject.toml"):
        published[project.parent.name] = tomllib.loads(project.read_text())["project"]["name"]
    assert published == known.distributions()


@pytest.mark.parametrize("name", sorted(known.APART))
def test_what_needs_an_environment_of_its_own_is_installed_into_one(name: str) -> None:
    assert known.how_to_install(name) == f"videoannotator plugins install {name} --isolated"
    options = known.what_to_install(name)
    assert options is not None
    _, constraints, _, folder = options
    assert Path(constraints).is_file()
    project = tomllib.loads((Path(folder) / "pyproject.toml").read_text())["project"]
    python = known.APART[name]
    assert python is None or project["requires-python"].startswith(f">={python},<")


BACKENDS = [(pipeline, backend) for pipeline, backends in known.BACKENDS.items() for backend in backends]
HERE = [(name, None) for name in sorted(set(known.SHIPPED) - set(known.APART))]


@pytest.mark.parametrize(("name", "backend"), [*HERE, *BACKENDS])
def test_in_a_clone_the_command_names_what_is_there(name: str, backend: str | None) -> None:
    command = known.how_to_install(name, backend)
    assert command is not None
    *_, constraints, _, folder = shlex.split(command)
    assert Path(constraints).is_file()
    assert (Path(folder) / "pyproject.toml").is_file()


def test_elsewhere_the_command_names_the_distribution(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(known, "__file__", str(tmp_path / "lib" / "site-packages" / "videoannotator" / "known.py"))
    assert known.how_to_install("voice_activity") == "pip install videoannotator-voice-activity"
    rtm = "pip install videoannotator-person-tracking-rtm"
    assert known.how_to_install("person_tracking", "rtmlib") == known.how_to_install("person_tracking_rtm") == rtm
    assert known.how_to_install("person_tracking", "ultralytics") == known.how_to_install("person_tracking")
    assert known.how_to_install("no_such_thing") is None
    assert known.how_to_install("person_tracking", "no_such_thing") is None


def test_every_distribution_is_an_extra_and_the_groups_are_permissive() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {requirement for requirements in extras.values() for requirement in requirements}
    assert set(known.distributions().values()) <= named
    for group in ("light", "vision"):
        (members,) = (r.partition("[")[2].removesuffix("]").split(",") for r in extras[group])
        assert set(members) <= set(extras)
        brought = {r for member in members for r in extras[member] if r.startswith("videoannotator-")}
        assert brought, "a group without plugins"
        for folder, distribution in known.distributions().items():
            if distribution in brought:
                licence = tomllib.loads((ROOT / "plugins" / folder / "pyproject.toml").read_text())["project"][
                    "license"
                ]
                assert licence == "MIT", f"{group} brings {distribution}, whose licence is {licence}"
