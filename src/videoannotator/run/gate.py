"""A gate that many pass together, or one alone: for measuring what one takes while nobody else takes anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """Who wants to be alone goes before those who come later. A thread that is inside, or aside, passes as it is."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._aside = 0
        self._alone = False
        self._disturbed = False
        self._wanted = 0
        self._here = threading.local()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        self._here.entered = True
        try:
            yield
        finally:
            self._here.entered = False

    @property
    def _is_in(self) -> bool:
        return getattr(self._here, "entered", False)

    @contextmanager
    def together(self) -> Iterator[None]:
        """While the block runs, nobody is inside alone."""
        if self._is_in:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._alone and not self._wanted)
            self._inside += 1
        try:
            with self._entered():
                yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For what takes too long for others to wait: whoever is inside alone meanwhile is told so."""
        with self._changed:
            self._aside += 1
            self._disturbed = True
        try:
            with self._entered():
                yield
        finally:
            with self._changed:
                self._aside -= 1

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While the block runs, nobody else is inside; see `undisturbed`."""
        if self._is_in:
            yield
            return
        with self._changed:
            self._wanted += 1
            try:
                self._changed.wait_for(lambda: not self._alone and not self._inside)
                self._alone, self._disturbed = True, self._aside > 0
            finally:
                self._wanted -= 1
        try:
            with self._entered():
                yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()

    @property
    def undisturbed(self) -> bool:
        """Asked by who is inside alone: True when nobody was aside since it came in."""
        with self._changed:
            return not self._disturbed
