"""``videoannotator cache`` and its options; what each does is in `videoannotator.shell.caching`."""

from __future__ import annotations

from cyclopts import App

__all__ = ["cache"]

cache = App(name="cache", help="Results that are kept, so that the same question is not computed twice.")


@cache.command(name="list")
def cache_list() -> int:
    """List what is kept: pipeline, file, size, and when it was used last."""
    from videoannotator.shell.caching import list_cache

    return list_cache()


@cache.command
def clear(*, older_than: float = 0.0) -> int:
    """Drop what is kept. It is computed again when it is asked for.

    Parameters
    ----------
    older_than
        Only what was not used for so many days.
    """
    from videoannotator.shell.caching import clear_cache

    return clear_cache(older_than)
