"""Putting pictures and films in place, so that nobody ever sees half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from videoannotator.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["appearing", "save"]


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to; what is written appears as ``path``, replacing an older file, when the block ends well.

    Raises `FormatError` when it cannot be written.
    """
    working = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield working
        os.replace(working, path)
    except OSError as error:
        raise FormatError(f"{path} could not be written: {error}") from error
    finally:
        with suppress(OSError):
            working.unlink(missing_ok=True)


def save(picture: Image.Image, path: str | PathLike[str] | None) -> Image.Image:
    """The picture, saved if there is a path. The suffix says as what. Raises `ConfigError` for one nobody knows."""
    if path is None:
        return picture
    from PIL import Image

    path = Path(path)
    Image.init()
    kind = Image.EXTENSION.get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ConfigError(f"{path}: a picture is saved as .png, .jpg, .tif or .webp, not as {path.suffix or 'that'}")
    with appearing(path) as working:
        picture.save(working, format=kind)
    return picture
