"""Speaking with a server: requests, events and downloads, and errors that say what to do next."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from videoannotator.errors import MissingDependencyError, ServerError, UsageError

if TYPE_CHECKING:
    import httpx2

    from videoannotator.serve.configuring import Configuration

__all__ = ["API", "Client", "Event", "Refused", "Unanswered"]

API = "/api/v1"
PROBING = 600.0  # s; what a server may take to look at a file that has just arrived

Event = tuple[str, dict[str, Any]]


class Client:
    """One server, spoken with as the owner of one key. A context manager.

    Every method raises `ServerError` with the server's own reason and hint, or one that says that it does not answer.
    ``timeout``: seconds to wait for a server that says nothing. ``patience``: seconds for which a lost event stream, or
    upload, is tried again.
    """

    def __init__(self, address: str, key: str | None, *, timeout: float = 30.0, patience: float = 60.0) -> None:
        try:
            import httpx2
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                'speaking with a server needs httpx2, which is not installed; type: pip install "videoannotator[cli]"'
            ) from error

        def sign(request: httpx2.Request) -> httpx2.Request:  # said outright, or a .netrc would be asked
            if key is not None:
                request.headers["Authorization"] = f"Bearer {key}"
            return request

        self.address, self.has_key, self.patience = address, key is not None, patience
        try:
            self._http = httpx2.Client(base_url=address, timeout=timeout, auth=sign, headers={"User-Agent": _agent()})
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, ValueError) as error:
            raise UsageError(f"{address} is no address of a server: {error}") from error

    @classmethod
    def of(cls, configuration: Configuration) -> Client:
        """The one that the settings name."""
        return cls(configuration.address, configuration.key, timeout=configuration.client.timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        api: bool = True,
    ) -> Any:
        """One request; the answer's JSON, None when it has no body. ``path``: below /api/v1, unless not ``api``."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        with self._translated():
            answer = self._http.request(
                method, f"{API if api else ''}{path}", params=given, json=body, headers=dict(headers or {})
            )
            self._check(answer)
            return answer.json() if answer.content else None

    def pages(self, path: str, name: str, *, most: int | None = None, **params: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list that is given in pages, or the first ``most``. ``name``: of the rows in an answer."""
        cursor: str | None = None
        given = 0
        while True:
            limit = 200 if most is None else min(200, most - given)
            answer = self.ask("GET", path, params={**params, "cursor": cursor, "limit": limit})
            for row in answer[name]:
                yield row
                given += 1
                if given == most:
                    return
            cursor = answer.get("next_cursor")
            if cursor is None:
                return

    def ask_surely(self, method: str, path: str, *, body: Any, key: str, tries: int = 5) -> Any:
        """A request that is made again when the connection is lost: ``key`` lets the server do its work only once."""
        for number in range(1, tries + 1):
            try:
                return self.ask(method, path, body=body, headers={"Idempotency-Key": key})
            except Unanswered:
                if number == tries:
                    raise
                time.sleep(0.2 * 2**number)
        raise AssertionError  # the loop has returned or raised

    def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], content: Iterator[bytes] | None = None
    ) -> Mapping[str, str]:
        """One request with bytes as its body; the headers of the answer, their names in lower case."""
        with self._translated():
            answer = self._http.request(
                method, f"{API}{path}", headers=dict(headers), content=content, timeout=self._long()
            )
            self._check(answer)
            return answer.headers

    def download(
        self, path: str, folder: Path, *, name: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Path:
        """Fetch a file into ``folder``. ``name``: below it; None: as the server calls it. Whole, or not at all."""
        given = {key: value for key, value in (params or {}).items() if value is not None}
        part: Path | None = None
        try:
            with (
                self._translated(),
                self._http.stream("GET", f"{API}{path}", params=given, timeout=self._long()) as answer,
            ):
                if answer.is_error:
                    answer.read()
                self._check(answer)
                target = folder / (name or _file_name(answer.headers.get("content-disposition", "")))
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f"{target.name}.part")
                with part.open("wb") as stream:
                    for piece in answer.iter_bytes():
                        stream.write(piece)
            part.replace(target)
        except OSError as error:
            raise UsageError(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
        finally:
            if part is not None:
                part.unlink(missing_ok=True)
        return target

    def events(self, job: str) -> Iterator[Event]:
        """What happens to a job, until it has ended: kinds (job.update, job.log, job.complete) and their data.

        A lost connection is taken up behind the last event that was seen.
        """
        import httpx2

        last, silent_since = "", time.monotonic()
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            try:
                with (
                    self._translated(),
                    self._http.stream("GET", f"{API}/jobs/{job}/events", headers=headers) as answer,
                ):
                    if answer.is_error:
                        answer.read()
                    self._check(answer)
                    for event in httpx2.EventSource(answer):
                        last, silent_since = event.id or last, time.monotonic()
                        if not event.data:
                            continue
                        yield event.event, json.loads(event.data)
                        if event.event == "job.complete":
                            return
            except Unanswered:
                if time.monotonic() - silent_since > self.patience:
                    raise
            time.sleep(0.5)

    def _long(self) -> httpx2.Timeout:
        import httpx2

        usual = self._http.timeout
        return httpx2.Timeout(
            connect=usual.connect, read=max(PROBING, usual.read or 0.0), write=usual.write, pool=usual.pool
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx2

        try:
            yield
        except httpx2.ConnectError as error:
            raise Unanswered(
                f"no server answers at {self.address}; start one with: videoannotator server start, or say where it is "
                f"with --server or VIDEOANNOTATOR_SERVER ({error})"
            ) from error
        except httpx2.TimeoutException as error:
            raise Unanswered(f"the server at {self.address} said nothing for too long; try again later") from error
        except httpx2.TransportError as error:
            raise Unanswered(f"the connection with {self.address} was lost: {error}") from error
        except json.JSONDecodeError as error:
            raise ServerError(f"{self.address} is no server of videoannotator: it does not answer in JSON") from error

    def _check(self, answer: httpx2.Response) -> None:
        if not answer.is_error and not answer.is_redirect:
            return
        raise Refused(self._reason(answer), answer.status_code, answer.headers.get("retry-after"))

    def _reason(self, answer: httpx2.Response) -> str:
        if answer.is_redirect:
            return f"{self.address} answers from {answer.headers.get('location')}; name that as the server"
        try:
            document = answer.json()
            detail = document["detail"]
        except (ValueError, KeyError, TypeError):
            return f"{self.address} answers {answer.status_code} {answer.reason_phrase}: {answer.text[:200]!r}"
        reason = detail if isinstance(detail, str) else json.dumps(detail)
        hint = document.get("hint")
        if answer.status_code == 401 and not self.has_key:
            hint = "give a key with --key, VIDEOANNOTATOR_KEY, or in the file that videoannotator config init writes"
        if answer.status_code >= 500 and document.get("request_id"):
            reason = f"{reason} (request {document['request_id']})"
        details = [
            f"\n  {one.get('field') or ''}: {one['message']}".replace("\n  : ", "\n  ")
            for one in document.get("errors") or []
            if isinstance(one, dict) and one.get("message") and one["message"] not in reason
        ]
        return reason + "".join(details) + (f"\n  {hint}" if hint else "")


class Refused(ServerError):  # noqa: N818 - named for what happened
    """The server answered, and did not do it. ``retry_after``: seconds, where it said when to come again."""

    def __init__(self, reason: str, status: int, retry_after: str | None) -> None:
        super().__init__(reason)
        self.status = status
        self.retry_after = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None


class Unanswered(ServerError):  # noqa: N818 - named for what happened
    """Nobody answered: what was asked for may or may not have been done."""


def _file_name(disposition: str) -> str:
    """The last part of the name that a header gives, whatever stands before it; ``download`` where it gives none."""
    said = Message()
    said["Content-Disposition"] = disposition
    name = (said.get_filename() or "").replace("\\", "/").rpartition("/")[2]
    return name if name not in ("", ".", "..") and name.isprintable() else "download"


def _agent() -> str:
    from videoannotator import __version__

    return f"videoannotator/{__version__}"
