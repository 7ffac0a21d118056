"""Folders of this machine that the operator has opened to jobs: nothing outside them is read or written."""

from __future__ import annotations

from pathlib import Path

from videoannotator.serve.errors import RequestError
from videoannotator.serve.settings import ServerSettings

__all__ = ["inside_roots"]


def inside_roots(settings: ServerSettings, given: str, *, what: str) -> Path:
    """``given`` as an absolute path without links, if it lies in one of ``settings.roots``.

    ``what``: the name of the option, for the message. It need not exist. Raises `RequestError` (``OUTSIDE_ROOTS``).
    """
    try:
        place = Path(given)
        if not given or not place.is_absolute():
            raise _refused(settings, what, "it must be an absolute path")
        real = place.resolve()  # follows links, and knows no '..' any more
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero character, a circle of links
        raise _refused(settings, what, "it is no path that can be used") from error
    if not any(real.is_relative_to(root.resolve()) for root in settings.roots):
        raise _refused(settings, what, "it lies outside the folders that this server may use")
    return real


def _refused(settings: ServerSettings, what: str, why: str) -> RequestError:
    return RequestError(
        f"{what}: {why}",
        code="OUTSIDE_ROOTS",
        hint=(
            f"it may lie in {', '.join(map(str, settings.roots))}"
            if settings.roots
            else "an operator opens folders with the setting 'roots'; none is open"
        ),
        details=[{"field": what, "message": why, "code": "OUTSIDE_ROOTS"}],
    )
