"""``/docs``: the page of the API, made from the server's own description."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import httpx2 as httpx
import pytest
from tests.serve.page.conftest import Site
from tests.serve.page.test_page import check


@pytest.fixture
def docs(new_page: Any, site: Site) -> Any:
    """The page, in the browser of somebody who has no key."""
    page = new_page()
    page.goto(f"{site.address}/docs")
    page.get_by_role("searchbox", name="Search").wait_for()
    return page


def _open(docs: Any, method: str, path: str) -> Any:
    route = docs.locator(
        "details.route", has=docs.locator(f"summary:has(.method:text-is('{method}')):has(.path:text-is('{path}'))")
    )
    route.locator("summary").first.click()
    route.get_by_role("heading", name="It answers").wait_for()
    return route


def test_every_route_is_there_and_nothing_comes_from_elsewhere(site: Site, new_page: Any) -> None:
    asked: list[str] = []
    page = new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.address}/redoc")
    page.get_by_role("searchbox", name="Search").wait_for()
    assert page.url == f"{site.address}/docs"
    assert all(url.startswith(site.address) for url in asked), asked
    paths = httpx.get(f"{site.address}/openapi.json").json()["paths"]
    shown = page.locator("details.route summary").evaluate_all(
        "all => all.map(one => ['.method', '.path'].map(part => one.querySelector(part).textContent).join(' '))"
    )
    assert sorted(shown) == sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true;")  # each can be drawn
    page.wait_for_function(
        "() => document.querySelectorAll('.route-told pre').length >= document.querySelectorAll('.route').length"
    )
    assert "undefined" not in page.locator("main").inner_text()
    assert "[object" not in page.locator("main").inner_text()


def test_a_route_tells_what_it_takes_and_gives(docs: Any) -> None:
    route = _open(docs, "POST", "/api/v1/jobs")
    told = route.inner_text()
    assert "Idempotency-Key" in told
    assert "multipart/form-data" in told
    assert "video_id needed" in told
    route.get_by_text("Or refuses, with a problem document").click()
    assert "the disk is full" in route.inner_text()
    command = route.get_by_label("As a command").inner_text()
    assert "-X POST" in command
    assert '"scene_detection"' in command


def test_its_commands_work(docs: Any, site: Site, done: str) -> None:
    for method, path in (
        ("GET", "/api/v1/jobs/{job_id}"),
        ("POST", "/api/v1/config/validate"),
        ("POST", "/api/v1/uploads"),
        ("GET", "/healthz"),
    ):
        command = _open(docs, method, path).get_by_label("As a command").inner_text()
        assert ("$KEY" in command) == (path != "/healthz")
        ran = subprocess.run(
            ["bash", "-c", f"{command} --fail-with-body"],
            env={**os.environ, "KEY": site.key, "JOB_ID": done},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"
        assert path != "/api/v1/jobs/{job_id}" or done in ran.stdout


def test_search_and_addresses_of_routes(docs: Any, site: Site) -> None:
    box, count = docs.get_by_role("searchbox", name="Search"), docs.get_by_role("status").first
    box.fill("idempotency")
    shown = docs.locator("details.route:visible .path")
    assert sorted(shown.all_inner_texts()) == ["/api/v1/batches", "/api/v1/jobs"]
    docs.get_by_text("2 of ").wait_for()
    box.fill("nothing of the kind")
    assert shown.count() == 0
    assert count.inner_text().startswith("0 of ")
    box.fill("")
    name = docs.locator("details.route").nth(40).get_attribute("id")
    docs.goto("about:blank")
    docs.goto(f"{site.address}/docs#{name}")
    docs.locator(f"#{name} .route-told pre").first.wait_for()
    assert docs.evaluate("document.activeElement.closest('details').id") == name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_phone(new_page: Any, site: Site, scheme: str) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(f"{site.address}/docs")
    page.get_by_role("searchbox", name="Search").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator(".route-told pre").first.wait_for()  # by keyboard alone
    _open(page, "POST", "/api/v1/jobs")
    _open(page, "GET", "/api/v1/jobs/{job_id}/results/{pipeline}")
    check(page, "docs")
