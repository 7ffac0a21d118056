"""What the command says: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys

__all__ = ["give", "say"]


def give(text: object) -> None:
    """A line of results, for people and for the next program."""
    sys.stdout.write(f"{text}\n")


def say(text: object = "") -> None:
    """A line for the person who watches."""
    sys.stdout.flush()  # or the two come out of order where both end in one place
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
