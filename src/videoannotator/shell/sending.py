"""Sending videos to a server so that nothing is sent twice: by tus 1.0, the routes of `serve.api.uploads`.

A connection that breaks is made again and goes on behind what the server has for certain, and so does a second call of
a command that was ended. The server holds the complete file against the SHA-256 that was announced.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from videoannotator.discover.hashing import known_sha256
from videoannotator.errors import ServerError, UsageError
from videoannotator.shell import unfinished
from videoannotator.shell.client import PROBING, Client, Refused, Unanswered
from videoannotator.shell.progress import following
from videoannotator.shell.speaking import say

__all__ = ["Sent", "send"]

PIECE = 64 << 20
"""Bytes of one request: a proxy that hands on whole requests only costs no more than this when a line breaks."""
_BLOCK = 1 << 20
_TUS = {"Tus-Resumable": "1.0.0"}
_PASSES = (409, 423, 429, 502, 503, 504)
"""Statuses that pass: somebody else is sending it, too many requests, a server that is starting or too busy."""


@attrs.frozen
class Sent:
    """A video that a server has. Until `forget` the same command would find it there."""

    video: str
    print_: str

    def forget(self) -> None:
        """What it was sent for is done."""
        unfinished.forget(self.print_)


@attrs.define
class _At:
    """How far an upload is. ``ours``: the server takes the bytes behind it from us, and from nobody else."""

    offset: int
    video: str | None = None
    ours: bool = True


def send(client: Client, file: Path) -> Sent:
    """Send a video, or what the server does not have of it yet. A bar is drawn where somebody watches.

    Raises `UsageError` for a file that cannot be read, and `ServerError`.
    """
    with following(f"{file.name}: sending") as move:
        return _Sending(client, file, move).run()


class _Sending:
    """One file on its way."""

    def __init__(self, client: Client, file: Path, move: Callable[[float, str], None]) -> None:
        self._client, self._file, self._move = client, file, move
        try:
            self._size = file.stat().st_size
            if self._size == 0:
                raise UsageError(f"{file}: is empty")
            move(0.0, "reading it")
            self._sha256 = known_sha256(file)
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
        self._print = unfinished.print_of(client.address, file, self._sha256)
        self._upload = unfinished.begun(self._print)
        self._said = ""

    def run(self) -> Sent:
        """Until the server has a video of it."""
        at = self._resumed()
        furthest = 0 if at is None else at.offset
        failures, since = 0, time.monotonic()
        while at is None or at.video is None:
            try:
                at = self._begin() if at is None else self._piece(at) if at.ours else self._taken_up(at)
            except (Unanswered, Refused) as error:
                failures += 1
                self._wait(error, at, failures, since)
                at = self._again(error, at)
            if at is not None and at.offset > furthest:
                furthest, failures, since = at.offset, 0, time.monotonic()
        return Sent(at.video, self._print)

    def _resumed(self) -> _At | None:
        """How far an earlier call came; None when there was none, or nothing is left of it."""
        if self._upload is None:
            return None
        return self._look()

    def _begin(self) -> _At:
        words = {"filename": self._file.name, "sha256": self._sha256}
        told = ",".join(
            f"{name} {base64.b64encode(text.encode('utf-8', 'replace')).decode()}" for name, text in words.items()
        )
        headers = {**_TUS, "Upload-Length": str(self._size), "Upload-Metadata": told}
        answer = self._client.exchange("POST", "/uploads", headers=headers)
        self._upload = answer["location"].rstrip("/").rpartition("/")[2]
        unfinished.keep(self._print, self._upload)
        return _At(0)

    def _taken_up(self, at: _At) -> _At:
        """Send no bytes, which is refused while the server still holds a connection that broke for alive.

        Else all that is sent is for nothing, for the refusal is read when it has been sent.
        """
        at = self._add(at, 0)
        where = f"{self._file.name}: goes on at {100 * at.offset / self._size:.0f} %"
        if at.video is None and where != self._said:
            self._said = where
            say(where)
        return at

    def _piece(self, at: _At) -> _At:
        """Send the next bytes. With the last ones, or none behind the last ones, the server looks at the file."""
        length = min(PIECE, self._size - at.offset)
        if length == 0:
            self._move(1.0, "the server looks at it")
        return self._add(at, length)

    def _add(self, at: _At, length: int) -> _At:
        answer = self._client.exchange(
            "PATCH",
            f"/uploads/{self._upload}",
            headers={
                **_TUS,
                "Upload-Offset": str(at.offset),
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(length),
            },
            content=self._bytes(at.offset, length),
        )
        place = answer.get("content-location")
        return _At(int(answer["upload-offset"]), None if place is None else place.rpartition("/")[2])

    def _bytes(self, begin: int, length: int) -> Iterator[bytes]:
        try:
            with self._file.open("rb") as stream:
                stream.seek(begin)
                left = length
                while left:
                    block = stream.read(min(_BLOCK, left))
                    if not block:
                        raise UsageError(f"{self._file}: was made shorter while it was sent")
                    yield block
                    left -= len(block)
                    done = begin + length - left
                    self._move(done / self._size, "" if done < self._size else "the server looks at it")
        except OSError as error:
            raise UsageError(f"{self._file}: cannot be read: {error.strerror}") from error

    def _wait(self, error: Unanswered | Refused, at: _At | None, failures: int, since: float) -> None:
        """Before the next try. Raises ``error`` when it does not pass, or has not for too long: ``since`` then."""
        pause = min(10.0, 0.25 * 2**failures)
        if isinstance(error, Refused):
            if error.status == 422:
                unfinished.forget(self._print)  # the server has the whole file, and will not have it
            gone = error.status == 404 and at is not None
            if not gone and error.status not in _PASSES:
                raise error
            if error.retry_after is not None:
                pause = min(60.0, max(0.5, error.retry_after))
        patience = PROBING if at is not None and at.offset == self._size else self._client.patience
        if time.monotonic() + pause > since + patience:
            raise error
        if isinstance(error, Unanswered):
            say(f"{self._file.name}: {error}; tried again in {pause:.1f} s")
        time.sleep(pause)

    def _again(self, error: Unanswered | Refused, at: _At | None) -> _At | None:
        """Where to go on after a failure: as before when nobody answers, anew when the bytes are gone."""
        if at is None:
            return None
        if isinstance(error, Refused) and error.status == 404:
            unfinished.forget(self._print)
            return None
        try:
            return self._look()
        except Unanswered:
            return attrs.evolve(at, ours=False)

    def _look(self) -> _At | None:
        """How far the server is; None when it knows nothing of this upload. Raises `ServerError` with what it says."""
        try:
            told = self._client.ask("GET", f"/uploads/{self._upload}")
        except Refused as error:
            if error.status != 404:
                raise
            unfinished.forget(self._print)
            return None
        if told["error"] is not None:
            unfinished.forget(self._print)
            raise ServerError(told["error"])
        return _At(told["offset"], told["video_id"], ours=False)
