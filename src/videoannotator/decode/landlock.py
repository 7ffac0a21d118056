"""Landlock: a process of Linux gives up opening files and connections, for good, and no administrator is needed.

https://docs.kernel.org/userspace-api/landlock.html. Linux 5.13 has it for files, 6.7 for TCP; elsewhere `shut` does
nothing and says so. Python has no module for it: these are its three system calls.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["shut"]

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_VERSION = 1
_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_READ_FILE, _READ_FOLDER, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights about files each version brought: 13 with the first, then renaming, truncating, device control."""
_TCP_SINCE, _TCP_RIGHTS = 4, 0b11


def shut(folders: Iterable[str], files: Iterable[str]) -> frozenset[str]:
    """From now on this process, and all it starts, may only read below ``folders`` and ``files``, and write nothing.

    What is open stays open. Paths that are not there are passed over. Returns what is kept from now on: ``"files"``,
    ``"network"`` (TCP), both, or nothing where the system has no Landlock.
    """
    if not sys.platform.startswith("linux"):
        return frozenset()
    library = ctypes.CDLL(None, use_errno=True)
    call = library.syscall
    call.restype = ctypes.c_long
    version = call(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return frozenset()
    rights = (1 << max(count for since, count in _FILE_RIGHTS.items() if since <= version)) - 1
    tcp = _TCP_RIGHTS if version >= _TCP_SINCE else 0
    attributes = struct.pack("=QQ", rights, tcp) if tcp else struct.pack("=Q", rights)
    rules = call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return frozenset()
    try:
        for path, allowed in [
            *((folder, _READ_FILE | _READ_FOLDER | _EXECUTE) for folder in folders),
            *((file, _READ_FILE) for file in files),
        ]:
            _allow(call, rules, path, allowed)
        held = not library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) and not call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)
    return frozenset({"files", *(["network"] if tcp else [])}) if held else frozenset()


def _allow(call: ctypes._NamedFuncPointer, rules: int, path: str, allowed: int) -> None:
    with suppress(OSError, ValueError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                allowed &= _READ_FILE | _EXECUTE
            rule = struct.pack("=Qi", allowed, place)  # packed in the kernel's header, too
            call(_ADD, rules, _BENEATH, rule, 0)
        finally:
            os.close(place)
