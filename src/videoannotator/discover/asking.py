"""Asking the interpreter of another environment, in a short process; `describing` is what answers there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from videoannotator.data.convert import structure
from videoannotator.discover.environments import DescribedSettings
from videoannotator.errors import ConfigError, PluginLoadError

__all__ = ["ask", "ask_code", "ask_settings", "last_lines", "variables_outside"]

_TIMEOUT = 600.0
"""Seconds. Importing a pipeline's module may import torch, from a slow disk."""
_LINES = 15
_ASK = ("-P", "-X", "utf8")


def variables_outside() -> dict[str, str]:
    """The variables for a process of another environment: all but those that would lead it into this one."""
    inner = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "VIDEOANNOTATOR_BLOCK_PLUGINS")
    return {name: value for name, value in os.environ.items() if name not in inner}


def last_lines(text: str) -> str:
    """The end of what a program wrote, for a message."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_LINES:])


def ask(python: str, question: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The answer of an environment. ``what``: what is asked for, for messages.

    Raises `ConfigError` as the environment did, and `PluginLoadError` when it cannot answer.
    """
    answer: dict[str, Any] = _answer([python, *_ASK, "-m", "videoannotator.discover.describing"], question, what)
    if "error" in answer:
        kind = ConfigError if answer["kind"] == "ConfigError" else PluginLoadError
        raise kind(answer["error"])
    return answer


def ask_code(python: str, code: str, what: str) -> Any:
    """What the function ``answer``, that a line of code imports, gives in an environment, as plain data.

    Raises `PluginLoadError` when it cannot answer.
    """
    return _answer([python, *_ASK, "-c", f"import json\n{code}\nprint(json.dumps(answer()))"], None, what)


def _answer(command: Sequence[str], question: Any, what: str) -> Any:
    python = command[0]
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter of an environment that we made
            command,
            input=json.dumps(question),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=variables_outside(),
            timeout=_TIMEOUT,
            check=False,
        )
    except OSError as error:
        raise PluginLoadError(f"{what}: {python} could not be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise PluginLoadError(f"{what}: {python} gave no answer for {_TIMEOUT:g} s") from error
    try:
        return json.loads(done.stdout.rstrip().rpartition("\n")[2])  # libraries print before it when imported
    except ValueError as error:
        raise PluginLoadError(
            f"{what}: {python} ended with exit status {done.returncode} and no answer; its last lines:\n"
            f"{last_lines(done.stderr)}"
        ) from error


def ask_settings(python: str, stamp: str, spec: Mapping[str, Any], given: Mapping[str, Any]) -> DescribedSettings:
    """Settings of a pipeline, checked by its environment, which is asked once for each ``stamp`` and question.

    Raises `ConfigError` with the text that it has there.
    """
    try:
        question = json.dumps({"do": "settings", "spec": spec, "given": given})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{spec['name']}: settings of a pipeline in an environment of its own are plain values: {error}"
        ) from error
    return _asked(python, stamp, question, f"settings of {spec['name']}")


@lru_cache(maxsize=256)
def _asked(python: str, stamp: str, question: str, what: str) -> DescribedSettings:
    return structure(DescribedSettings, ask(python, json.loads(question), what))
