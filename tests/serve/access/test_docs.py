"""What docs/access.md says is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import attrs

from videoannotator.serve import access, api, store
from videoannotator.serve.access.principals import ROLES
from videoannotator.serve.settings import Access, Limits

DOCS = Path(__file__).parents[3] / "docs" / "access.md"
TEXT = DOCS.read_text()
CODE = re.compile(r'"((?:KEY|TOKEN|CREDENTIALS|AUTHORIZATION|NO|USER|ISSUER|QUOTA|CROSS|HOST|ORIGIN)_[A-Z_]+)"')
ELSEWHERE = {"KEY_NOT_FOUND", "USER_NOT_FOUND"}  # of resources, not of the door


def test_every_refusal_is_in_the_table() -> None:
    sources = [path for one in (access, store) for path in Path(str(one.__file__)).parent.glob("*.py")]
    sources += [Path(str(api.__file__)).parent / f"{name}.py" for name in ("guarding", "outermost", "session")]
    raised = {code for path in sources for code in CODE.findall(path.read_text())} - ELSEWHERE
    table = TEXT.partition("| code |")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", table)) - {"RATE_LIMITED", "TOO_LARGE"}
    assert told == raised


def test_roles_and_settings_are_those_there_are() -> None:
    table = TEXT.partition("| role |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == ROLES
    for group, made in {"access": Access(), "limits": Limits()}.items():
        there = {field.name for field in attrs.fields(type(made))}
        assert set(re.findall(rf"`{group}\.(\w+)", TEXT)) <= there
    for name, value in re.findall(r"`access\.(\w+)` \((\d+)\)", TEXT):
        assert getattr(Access(), name) == float(value)
    for name, value in re.findall(r"^\| `limits\.(\w+)` \| `?([^|`]+)`? \|", TEXT, re.MULTILINE):
        shown = value.strip().replace(" MiB", "*1048576").replace(" GiB", "*1073741824").replace("none", "")
        number = 1
        for factor in shown.split("*"):
            number = number * int(factor) if factor.isdecimal() else number
        assert getattr(Limits(), name) in (shown, None if not shown else number)


def test_the_example_of_an_issuer_is_taken() -> None:
    example = TEXT.partition("```toml\n")[2].partition("```")[0]
    given = tomllib.loads(example)["server"]["access"]
    assert Access(**{**given, "algorithms": tuple(given["algorithms"])}).role_claim == "realm_access.roles"
