"""What the command says: results to standard output, everything else to standard error."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["give", "program", "say", "version_line"]


def program() -> str:
    """How to call this command again from where the user stands: its name, or its path if it is not on ``PATH``."""
    script = Path(sys.argv[0])
    if script.stem == "videoannotator" and shutil.which("videoannotator") is None:
        return shlex.quote(str(script))
    return "videoannotator"


def version_line() -> str:
    """The name of the program and its version."""
    from videoannotator import __version__

    return f"videoannotator {__version__}"


def give(text: object) -> None:
    """A line of results, for people and for the next program."""
    sys.stdout.write(f"{text}\n")


def say(text: object = "") -> None:
    """A line for the person who watches."""
    sys.stdout.flush()  # or the two come out of order where both end in one place
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
