"""Run the server: data folder, database, first key, dispatcher, clean-up, HTTP, and how all of it ends.

SIGTERM or SIGINT: no new requests, open ones get a few seconds, running jobs are given back or finished as the
dispatcher knows best. A second signal: everything ends now; what was running is taken up by the next start.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import NoReturn

import psutil
import uvicorn

from videoannotator.errors import ServerError, UsageError
from videoannotator.serve import instance, migrating
from videoannotator.serve.access.first import first_admin
from videoannotator.serve.api.app import create_app
from videoannotator.serve.cleaning import clean
from videoannotator.serve.operating import logs, tracing
from videoannotator.serve.pid_file import claimed
from videoannotator.serve.service import Service
from videoannotator.serve.settings import LOOPBACK, ServerSettings
from videoannotator.serve.work.worker import Works, worker_of

__all__ = ["Repeated", "make_data_dir", "prepared", "serve", "work"]

_log = logging.getLogger(__name__)

GRACE = 5  # s; for open requests, event streams among them, when the server ends


class Repeated:
    """A thread that does the same work again and again, or for ever, and begins again when that fails.

    ``work`` is called until `stop`; ``pause``: seconds between two calls, and after a failure doubling up to a minute.
    """

    def __init__(self, name: str, work: Callable[[], object], *, pause: float) -> None:
        self.name, self.failures = name, 0
        self._work, self._pause, self._stopping = work, pause, threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Do not call the work again. The call that is going on is not disturbed."""
        self._stopping.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the last call is over; False when that took longer than ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                self._work()
                wait = self._pause
            except Exception:  # noqa: BLE001 - whatever it was: jobs must go on, and the log says why they did not
                self.failures += 1
                wait = min(60.0, max(1.0, wait) * 2)
                _log.exception("%s failed; it begins again in %.0f s", self.name, wait)


@contextmanager
def prepared(settings: ServerSettings, *, key: bool = True) -> Iterator[tuple[Service, str | None]]:
    """The service on a data folder and a database that are as they must be, and the first key if one was made now.

    ``key``: make one, where there is none and one is asked for.
    """
    make_data_dir(settings)
    service = Service.of(settings)
    try:
        migrating.upgrade(service.database)
        instance.join(service.database, settings.data_dir)
        yield service, first_admin(service) if key and settings.access.required else None
    finally:
        service.close()


def make_data_dir(settings: ServerSettings) -> None:
    """Make the data folder, closed to other users. Raises `UsageError` when that cannot be."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the data folder {folder} cannot be made: {error.strerror}; choose another one with --data-dir"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"the data folder {folder} cannot be written; choose another one with --data-dir")


def listening(settings: ServerSettings) -> socket.socket:
    """A socket that listens where the settings say. Raises `UsageError` when that cannot be."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where a socket says that it is one of TCP
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((settings.host, settings.port))
        made.listen(2048)
    except OSError as error:
        made.close()
        raise UsageError(
            f"cannot listen at {settings.host} port {settings.port}: {error.strerror}; "
            "choose another one with --host and --port"
        ) from error
    return made


def address_of(made: socket.socket) -> str:
    """Where this machine reaches a server that listens there."""
    host, port = made.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Server(uvicorn.Server):
    """One that leaves the signals to us: `serve` has more to end than HTTP."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: ServerSettings, *, key: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Run until a signal ends it. ``key``: told the first key, once; ``ready``: told the address when it listens.

    Raises `UsageError`, `ServerError` and the errors of the database.
    """
    shared = settings.database is not None and not settings.database.startswith("sqlite")
    if settings.jobs.concurrent == 0 and not shared:
        raise UsageError("jobs.concurrent = 0 leaves the jobs to workers, and with SQLite there are none; set it to 1")
    make_data_dir(settings)
    with ExitStack() as stack:
        stack.enter_context(_told(settings))
        made = stack.enter_context(listening(settings))
        address = address_of(made)
        stack.enter_context(claimed(settings.data_dir, address, shared=shared))
        service, secret = stack.enter_context(prepared(settings))
        if secret is not None:
            key(secret)
        if settings.host not in LOOPBACK:
            _log.warning("listening at %s without TLS: keys can be read on the way; see docs/deploy.md", settings.host)
        http = _Server(
            uvicorn.Config(
                create_app(service),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        jobs = _Work(service)
        stack.enter_context(_ending(jobs, http))
        jobs.start()
        _settle()
        try:
            ready(address)
            http.run(sockets=[made])
        finally:
            jobs.stop()
        if not http.started:
            raise ServerError("the server could not start; its log has the reason")


def _settle() -> None:
    """What is there now stays: the collector of garbage need not go through it again and again, 70 ms each time."""
    gc.collect()
    gc.freeze()


class _Work:
    """What goes on beside HTTP: jobs, whose worker begins again should it ever fail, and the clean-up."""

    def __init__(self, service: Service, *, cleans: bool = True) -> None:
        self._service = service
        self._worker: Works | None = None
        self._lock = threading.Lock()
        self._stopping = False
        self._threads: list[Repeated] = []
        if service.settings.jobs.concurrent:
            self._threads.append(Repeated("the worker", self._work, pause=0.0))
        if cleans:
            every = service.settings.retention.every
            self._threads.append(Repeated("the clean-up", lambda: clean(service), pause=every))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait until what runs was given back."""
        for thread in self._threads:
            thread.stop()
        with self._lock:
            self._stopping = True
            if self._worker is not None:
                self._worker.stop()
        self.wait()

    def wait(self) -> None:
        """Until it was stopped."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with self._lock:
            if self._stopping:
                return
            self._worker = worker_of(self._service)
        self._worker.run()


@contextmanager
def _ending(work: _Work, http: uvicorn.Server | None = None) -> Iterator[None]:
    """While the block lasts: the first signal ends everything in order, the second one at once."""
    told = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        if told.is_set():
            _end_now(128 + number)
        told.set()
        if http is not None:
            http.should_exit = True
        threading.Thread(target=work.stop, name="ending", daemon=True).start()  # jobs stop while requests end

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def work(settings: ServerSettings) -> None:
    """Do jobs until a signal ends it, and answer no requests. Raises the errors of the database."""
    make_data_dir(settings)
    with ExitStack() as stack:
        stack.enter_context(_told(settings))
        service = Service.of(settings)
        stack.callback(service.close)
        migrating.check(service.database)
        instance.join(service.database, settings.data_dir)
        working = _Work(service, cleans=False)
        with _ending(working):
            working.start()
            _log.info("doing jobs of %r", service.database)
            working.wait()


@contextmanager
def _told(settings: ServerSettings) -> Iterator[None]:
    """Logs and traces as the settings want them."""
    logs.install(settings.log_format, settings.log_level)
    tracing.install(settings.otlp_endpoint)
    try:
        yield
    finally:
        tracing.shut_down()


def _end_now(code: int) -> NoReturn:
    """Kill what this process has started, and be gone. The pid file is seen to be stale; jobs are taken up again."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    os._exit(code)
