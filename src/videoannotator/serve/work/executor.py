"""Where jobs are executed: all that a dispatcher asks of a place, be it this machine, a cluster or a batch system.

An executor is given a `Task` (plain values) and gives an `Execution`. Whatever the place, what runs there is
`executing.execute`: it tells `Message` values on the way and leaves the result in ``task.target``. An executor knows
nothing of the database; the dispatcher decides what becomes of a job.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from videoannotator.serve.work.messages import Message, Task

__all__ = ["Execution", "Executor"]


class Execution(Protocol):
    """One task at work. None of the methods waits."""

    def take(self) -> Sequence[Message]:
        """What was told since the last call. The last message ever is `Done` or `Gone`."""
        ...

    def ask_to_stop(self) -> None:
        """Ask it to end by itself, soon; it tells `Done` with ``state="cancelled"`` when it has."""
        ...

    def terminate(self) -> None:
        """Tell the system to end it; it may clean up."""
        ...

    def kill(self) -> None:
        """End it and everything it has started, now."""
        ...

    def memory(self, above: int) -> int | None:
        """Bytes of memory that it takes with everything it has started; None where the place watches that itself.

        What is not more than ``above`` need not be exact: memory that processes share may count more than once.
        """
        ...


class Executor(Protocol):
    """A place. ``name``: for people. ``slots``: tasks that can be at work at once."""

    name: str
    slots: int

    def start(self, task: Task) -> Execution:
        """Begin. Raises OSError when that is not possible now."""
        ...

    def tidy(self) -> None:
        """Called now and then: give back what has been idle for long."""
        ...

    def close(self) -> None:
        """End everything that is at work, and let go of the place."""
        ...
