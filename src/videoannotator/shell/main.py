"""Entry point of the command: from arguments to an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from enum import IntEnum

from videoannotator.errors import (
    CancelledError,
    ConfigError,
    DeviceError,
    ModelMissingError,
    PlanError,
    UnknownFormatError,
    UnknownPipelineError,
    UsageError,
    VideoAnnotatorError,
)

__all__ = ["Exit", "main"]


class Exit(IntEnum):
    """What the shell is told."""

    WELL = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


# what the caller can put right by typing something else
_USAGE = (
    UsageError,
    ConfigError,
    DeviceError,
    ModelMissingError,
    PlanError,
    UnknownFormatError,
    UnknownPipelineError,
)


# what is asked most, and answered without the command line's library: it takes longer to import than to answer
_PAGES: tuple[list[str], ...] = ([], ["--help"], ["-h"], ["--version"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. ``arguments``: without the program's name; None reads sys.argv."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in _PAGES:
        sys.stdout.write(_page(words))
        return Exit.WELL
    try:
        from videoannotator.shell.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("cyclopts", "rich"):
            raise
        sys.stderr.write(
            f"videoannotator: the command needs {error.name}, which is not installed. Add it with: "
            'pip install "videoannotator[cli]"\n'
        )
        return Exit.USAGE
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        answer = app(words, result_action="return_value")
        sys.stdout.flush()
    except SystemExit as stop:  # the argument parser, which has said why
        return stop.code if isinstance(stop.code, int) else Exit.FAILED
    except (KeyboardInterrupt, CancelledError):
        sys.stderr.write("videoannotator: interrupted\n")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `videoannotator pipelines | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more when it ends
        return Exit.WELL
    except VideoAnnotatorError as error:
        sys.stderr.write(f"videoannotator: {error}\n")
        return Exit.USAGE if isinstance(error, _USAGE) else Exit.FAILED
    return answer if isinstance(answer, int) else Exit.WELL


def _page(words: list[str]) -> str:
    if words == ["--version"]:
        from videoannotator.shell.speaking import version_line

        return f"{version_line()}\n"
    from videoannotator.shell.commands import page

    return page()
