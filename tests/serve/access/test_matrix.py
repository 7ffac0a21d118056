"""Every route with every role: who comes in, who is refused, and for whom somebody else's things are not there."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.serve.access.conftest import PLENTY, Somebody, with_key
from tests.serve.access.table import TABLE, Need

from videoannotator.serve import migrating
from videoannotator.serve.access.places import is_public
from videoannotator.serve.access.principals import Role, scopes_of
from videoannotator.serve.api.app import create_app
from videoannotator.serve.service import Service
from videoannotator.serve.settings import Access, ServerSettings
from videoannotator.serve.store.jobs import NewJob
from videoannotator.serve.store.videos import NewVideo

CALLERS: dict[str, tuple[Role, tuple[str, ...] | None]] = {
    "guest": ("guest", None),
    "analyst": ("analyst", None),
    "owner": ("researcher", None),
    "another": ("researcher", None),
    "owner, key to read": ("researcher", ("read",)),
    "owner, key without scopes": ("researcher", ()),
    "admin": ("admin", None),
    "admin, key to read and write": ("admin", ("read", "write")),
}
LEVELS = {"READ": "read", "WRITE": "write", "ADMIN": "admin"}


@attrs.define(eq=False)
class Hall:
    """A server, and everybody who may come to its door."""

    app: FastAPI
    service: Service
    portal: BlockingPortal
    people: dict[str, Somebody]

    @property
    def owner(self) -> str:
        """Whose the things are."""
        return self.people["owner"].user.id

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"", **state: Any) -> int:
        """The status of the answer; what it would send then is not waited for: event streams do not end."""
        return self.portal.call(self._ask, method, path, headers, body, state)

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes, state: dict[str, Any]) -> int:
        plain, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": state,
        }
        status: list[int] = []
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await anyio.sleep_forever()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            await self.app(scope, receive, send)  # type: ignore[arg-type]  # plain dicts
        return status[0]

    def make(self, thing: str) -> str:
        """A new thing of the owner, and its id."""
        service, owner = self.service, self.owner
        if thing == "user":
            return service.users.add(f"somebody {uuid.uuid4().hex}", "guest").id
        if thing == "key":
            return service.keys.create(owner, "another", ())[0].id
        if thing == "template":
            return service.templates.add(owner, uuid.uuid4().hex, {}).id
        if thing == "upload":
            with service.database.write() as connection:
                upload = service.uploads.add(owner, "a.mp4", 10, {}, seconds=600, connection=connection)
            return upload.id
        if thing == "batch":
            with service.database.write() as connection:
                return service.batches.add(owner, "b", connection=connection).id
        name = f"videos/{uuid.uuid4()}.mp4"
        path = service.settings.data_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"film")
        new = NewVideo(
            owner_id=owner, name="a.mp4", path=name, stored=True, bytes=4, sha256="0" * 64, media={}, duration=1.0
        )
        video = service.videos.add(new)
        if thing == "video":
            return video.id
        job = service.jobs.submit(NewJob(owner_id=owner, video_id=video.id, request={"pipelines": []}))
        return job.id


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One for all routes: nobody changes anybody else's things, that is the point."""
    folder: Path = tmp_path_factory.mktemp("hall")
    service = Service.of(ServerSettings(data_dir=folder, limits=PLENTY, access=Access(hosts=("testserver",))))
    migrating.upgrade(service.database)
    people = {name: with_key(service, role, name=name) for name, (role, scopes) in CALLERS.items() if scopes is None}
    for name, (_, scopes) in CALLERS.items():
        if scopes is not None:
            user = people[name.partition(",")[0]].user
            key, secret = service.keys.create(user.id, name, scopes)  # type: ignore[arg-type]  # of the table above
            people[name] = Somebody(user, key, secret)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        yield Hall(create_app(service), service, portal, people)
    service.close()


def routes(app: FastAPI) -> set[tuple[str, str]]:
    """All of an application."""
    return {
        (method, str(route.path))
        for route in iter_route_contexts(app.routes)
        for method in (route.methods or {"no method: a mount?"})
    }


def test_the_table_has_every_route(hall: Hall) -> None:
    """A new route without a line in the table fails here: whoever adds one decides who may use it."""
    assert routes(hall.app) - set(TABLE) - {("POST", "/api/v1/jobs/estimate")} == set()
    gone = set(TABLE) - routes(hall.app)
    assert gone <= {("POST", "/api/v1/jobs/estimate")}


def test_public_places_are_those_of_the_table() -> None:
    for (method, path), need in TABLE.items():
        shown = re.sub(r"\{[^}]*\}", "x", path)
        assert is_public(method, shown) is (need.level == "PUBLIC") or path in ("/healthz", "/readyz"), (method, path)


def expected(need: Need, caller: str) -> str:
    """``in``, ``401``, ``403`` or ``404``, by the rules of `principals`, told here once more in other words."""
    role, scopes = CALLERS[caller]
    held = set(scopes_of(role)) & (set(scopes_of(role)) if scopes is None else set(scopes))
    if need.level in LEVELS and LEVELS[need.level] not in held:
        return "403"
    if need.thing in (None, "user"):
        return "in"
    if caller.startswith("owner"):
        return "in"
    if need.own_only:
        return "404"
    everybodys = "admin" in held or (role == "analyst" and need.thing in ("job", "video", "batch"))
    return "in" if everybodys else "404"


ROUTES = sorted(TABLE, key=lambda route: route[::-1])


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_who_may(hall: Hall, method: str, path: str) -> None:
    if (method, path) not in routes(hall.app):
        pytest.skip("this route is not there")
    need = TABLE[method, path]
    got, wanted = {}, {}
    for caller in [None, *CALLERS]:
        thing = hall.make(need.thing) if need.thing else str(uuid.uuid4())
        named = re.sub(r"\{(job|video|upload|template|batch|key|user)_id\}", thing, path)
        named = re.sub(r"\{[^}]*\}", "none", named)
        headers = {"Host": "testserver", **need.headers}
        if caller is None:
            status = hall.ask(method, named, headers, need.body)
            wanted["nobody"] = "in" if need.level == "PUBLIC" else "401"
            got["nobody"] = _said(status, need)
            continue
        status = hall.ask(method, named, headers | hall.people[caller].bearer, need.body)
        wanted[caller] = expected(need, caller)
        got[caller] = _said(status, need)
        if wanted[caller] == "in" and status == 404 and path.count("{") > 1:
            got[caller] = "in"  # the job is there; what is missing is what the path names behind it
    if path in (f"/api/v1/jobs/{{job_id}}/{part}" for part in ("artifacts", "artifacts/list", "results")):
        got = {who: "in" if said == "409" else said for who, said in got.items()}
    assert got == wanted


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if TABLE[route].level != "PUBLIC"])
def test_a_route_asks_for_itself_as_well(hall: Hall, method: str, path: str) -> None:
    """Behind the door nobody is let in either: a mistake in the list of public places opens nothing."""
    if (method, path) in {("POST", "/api/v1/jobs/estimate"), ("OPTIONS", "/api/v1/uploads")} - routes(hall.app):
        pytest.skip("this route is not there")
    if (method, path) == ("OPTIONS", "/api/v1/uploads"):
        return  # tells which parts of tus are spoken, as every server of it does
    need = TABLE[method, path]
    named = re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path)
    assert hall.ask(method, named, {"Host": "testserver", **need.headers}, need.body, principal=None) == 401


def _said(status: int, need: Need) -> str:
    assert status < 500 or status == 503, status
    if need.level == "PUBLIC":
        return "401" if status == 401 else "in"  # 403 of the sign-in is for other pages, 404 for no viewer
    return str(status) if status in (401, 403) or (status == 404 and need.thing) else "in"


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v2/jobs", "/admin", "/page", "/.env", "//", "/api/v1/jobs/../users"]
)
def test_what_is_not_there_is_told_to_the_known_only(hall: Hall, path: str) -> None:
    status = hall.ask("GET", path, {"Host": "testserver"})
    assert status == 404 if path == "/page" else status == 401
    assert hall.ask("GET", path, {"Host": "testserver", **hall.people["guest"].bearer}) == 404


def test_lists_hold_ones_own(hall: Hall) -> None:
    """Where a list is given, it is filtered by the query: nobody sees more than they may."""
    from starlette.testclient import TestClient

    mine, job, batch = hall.make("video"), hall.make("job"), hall.make("batch")
    client = TestClient(hall.app)
    for caller, sees in {"owner": True, "another": False, "analyst": True, "admin": True}.items():
        bearer = hall.people[caller].bearer
        for path, thing in (("videos", mine), ("jobs", job), ("batches", batch)):
            answer = client.get(f"/api/v1/{path}", headers=bearer, params={"limit": 200})
            assert answer.status_code == 200
            assert (thing in answer.text) is sees, (caller, path)
    assert mine not in client.get("/api/v1/videos", headers=hall.people["admin, key to read and write"].bearer).text
