"""The key our own tokens are signed with: one file, readable by the server alone.

It lies in the data folder, which all servers of one database share: the paths in the database are relative to it.
Removing the file and starting again ends every token and sign-in at once; API keys are not touched.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from filelock import FileLock

from videoannotator.errors import ServerError

__all__ = ["SIGNING_KEY", "fingerprint", "signing_key"]

SIGNING_KEY = "signing.key"


def signing_key(data_dir: Path) -> bytes:
    """The key of a data folder, 32 bytes; made there when there is none.

    Raises `ServerError` when the file is damaged, or open to other users of this machine.
    """
    path = data_dir / SIGNING_KEY
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(data_dir / f".{SIGNING_KEY}.lock"):
            if not path.exists():
                _write(path, secrets.token_hex(32))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ServerError(f"{path} can be read by other users of this machine; run: chmod 600 {path}")
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ServerError(
            f"{path} is damaged: it holds no 64 hexadecimal digits. Remove it and start again; "
            "who is signed in has to sign in again, API keys stay valid"
        )
    return key


def fingerprint(key: bytes) -> str:
    """A name for a key that gives nothing of it away."""
    return hashlib.sha256(b"videoannotator signing key\0" + key).hexdigest()[:16]


def _write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
