"""What a developer and CI run: ``nox`` for all of it, ``nox -s tests`` for one."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.error_on_missing_interpreters = True

CONSTRAINTS = ("-c", "constraints.txt")
PARALLEL = ("-n", "logical", "--maxprocesses", "4", "--no-loadscope-reorder")
"""Tests in parallel, in the order in which they are collected: see ``conftest.py``."""
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads of one process that have nothing to do leave the processors to the others."""


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and simple faults."""
    session.install("ruff", *CONSTRAINTS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, on the library and on every plugin."""
    session.install(
        "-r",
        "requirements/light.txt",
        "-e",
        ".[postgres,tracing]",
        "mypy",
        "types-psutil",
        "types-tqdm",
        "hypothesis",
        *CONSTRAINTS,
    )
    session.run("mypy")
    for plugin in sorted(Path("plugins").glob("*/src")):
        session.run("mypy", str(plugin))


@nox.session
def tests(session: nox.Session) -> None:
    """Everything installed, every test, on up to four processors at once; ``-- tests/run`` for some of them."""
    session.install("-r", "requirements/all.txt", *CONSTRAINTS)
    session.run("pytest", *PARALLEL, *session.posargs, env=PATIENT)


@nox.session
def coverage(session: nox.Session) -> None:
    """How much of the code the tests reach. Tracing makes them half as fast again, so CI goes without."""
    session.install("-r", "requirements/all.txt", *CONSTRAINTS)
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *PARALLEL, *session.posargs, env=PATIENT)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def nightly(session: nox.Session) -> None:
    """What takes hours: the same tests with many more kills, examples, damaged files and requests; and load."""
    session.install("-r", "requirements/all.txt", *CONSTRAINTS)
    often = {
        "VIDEOANNOTATOR_TEST_DAMAGED": "5000",
        "VIDEOANNOTATOR_TEST_EXAMPLES": "1000",
        "VIDEOANNOTATOR_TEST_ROUNDS": "500",
    }
    session.run(
        "pytest", *(session.posargs or ("tests/serve", "tests/decode/test_hostile.py", "tests/formats")), env=often
    )
    session.run("python", "-m", "benchmarks.load", "--minutes", "10")
    session.run("python", "-m", "benchmarks.listing")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, every link checked."""
    session.install("mkdocs>=1.6,<2", *CONSTRAINTS)
    session.run("mkdocs", "build", "--strict", "--site-dir", "build/docs")


@nox.session
def accuracy(session: nox.Session) -> None:
    """How good what is found is, against what people marked; ``-- tracking`` for one of them."""
    session.install("-r", "requirements/all.txt", *CONSTRAINTS)
    session.run("python", "-m", "benchmarks.accuracy", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What a run costs, beside the peers' own tools and by itself; ``-- --quick`` takes five minutes."""
    session.install("-r", "requirements/all.txt", *CONSTRAINTS)
    session.run("python", "-m", "benchmarks.speed", *session.posargs)
