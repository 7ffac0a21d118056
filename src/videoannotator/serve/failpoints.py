"""Places where a test makes the server die, wait, or find the disk full. They do nothing without an order to.

``VIDEOANNOTATOR_FAILPOINTS`` holds ``name=action`` pairs, separated by commas. Actions: ``kill`` (SIGKILL to this
process), ``sleep:S``, ``full`` (`OSError`, no space left). ``name=action*2`` acts the first two times, over all
processes that share the folder ``VIDEOANNOTATOR_FAILPOINTS_SEEN``. ``name=action@0.1`` acts with that probability.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path

__all__ = ["VARIABLE", "failpoint"]

VARIABLE = "VIDEOANNOTATOR_FAILPOINTS"
SEEN = "VIDEOANNOTATOR_FAILPOINTS_SEEN"


def failpoint(name: str) -> None:
    """Do what the environment says for the place ``name``."""
    told = os.environ.get(VARIABLE)
    if not told:
        return
    for pair in told.split(","):
        place, _, action = pair.strip().partition("=")
        chosen = _chosen(name, action) if place == name else None
        if chosen is not None:
            _act(name, chosen)


def _chosen(name: str, action: str) -> str | None:
    """The action without its limits; None when it is not to be done this time."""
    action, _, chance = action.partition("@")
    if chance and random.random() >= float(chance):  # noqa: S311 - no secret
        return None
    action, _, times = action.partition("*")
    if not times:
        return action
    folder = Path(os.environ[SEEN])
    for number in range(int(times)):
        try:
            (folder / f"{name}.{number}").touch(exist_ok=False)  # whoever makes it acts
        except FileExistsError:
            continue
        return action
    return None


def _act(name: str, action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # the signal is on its way
    elif action.startswith("sleep:"):
        time.sleep(float(action.removeprefix("sleep:")))
    elif action == "full":
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (failpoint {name})")
    else:
        raise ValueError(f"{VARIABLE}: {name} has no action {action!r}; there are kill, sleep:SECONDS and full")
