"""The page in a real browser, in front of a real server."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.serve.page.conftest import RATE, SIDE, Site, left, sign_in, view

_MARKUP = "<img src=x onerror=alert(1)>"
_RED = "canvas => { const p = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); "
_COLUMNS = (  # the box's outermost painted columns in the row of its middle
    _RED + "const seen = []; const y = Math.round(window.middle); for (let x = 0; x < p.width; x += 1)"
    " if (p.data[4 * (y * p.width + x) + 3] > 100) seen.push(x); return [seen[0], seen.at(-1)]; }"
)
_WIDEST = (
    "() => [...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll > *') &&"
    " one.getBoundingClientRect().right > 391).map(one => `${one.tagName} ${one.id} ${one.className}`)"
)


def _done(page: Any) -> None:
    page.locator("h1 + .badge", has_text=re.compile("^done$")).wait_for(timeout=60_000)


def test_from_the_key_to_the_boxes_and_the_files(site: Site, new_page: Any, square: Path) -> None:
    page = new_page()
    page.goto(site.address)
    page.get_by_label("API key").fill("va_000000000000_wrong")
    page.get_by_role("button", name="Sign in").click()
    assert page.get_by_role("alert").filter(has_text=re.compile("key", re.I)).inner_text()
    sign_in(page, site)
    view(page, site, "new")
    page.locator("#pick").set_input_files(square)
    page.get_by_role("button", name=f"Leave {square.name} out").wait_for()
    chosen = page.locator(".choices input[id^=pipeline-]:checked")
    while chosen.count():
        chosen.first.click()
    page.locator("#pipeline-bright_square").check()
    page.get_by_role("button", name="Start", exact=True).click()
    _done(page)
    page.locator(".lane").first.wait_for()
    video, canvas = page.locator("video"), page.locator(".stage canvas")
    for frame in (5, 30):
        time = (frame + 0.5) / RATE
        video.evaluate("(video, time) => { video.currentTime = time; }", time)
        page.wait_for_function(
            "time => Math.abs(document.querySelector('.stage canvas').dataset.time - time) < 0.06", arg=time
        )
        page.evaluate("middle => { window.middle = middle; }", left(frame) // 2 + SIDE / 2)
        first, last = canvas.evaluate(_COLUMNS)
        assert abs(first - left(frame)) <= 2, (frame, first)
        assert abs(last - (left(frame) + SIDE)) <= 2, (frame, last)
    place = page.locator(".lane").first.bounding_box()
    page.mouse.click(place["x"] + place["width"] / 4, place["y"] + 10)
    page.wait_for_function("() => Math.abs(document.querySelector('video').currentTime - 1) < 0.05")
    for link in ("Get all for the Video Annotation Viewer", "Get this format"):
        address = page.get_by_role("link", name=link).get_attribute("href")
        answer = page.request.get(f"{site.address}{address}")
        assert answer.ok, answer.text()
        assert zipfile.ZipFile(io.BytesIO(answer.body())).testzip() is None


def test_markup_in_names_is_shown_as_text(site: Site, page: Any, square: Path) -> None:
    video = site.video(square, f"{_MARKUP}.mp4")
    asked = {"pipelines": ["bright_square"]}
    batch = site.api("POST", "batches", json={"video_ids": [video], "name": _MARKUP, **asked})["id"]
    site.api("POST", "templates", json={"name": _MARKUP, "request": asked})
    user = site.api("POST", "users", json={"name": _MARKUP, "role": "researcher"})["id"]
    site.api("POST", "keys", json={"name": _MARKUP, "user_id": user})
    for name in ("jobs", f"batch/{batch}", "new", "admin"):
        view(page, site, name)
        page.locator("#main", has_text=_MARKUP).wait_for()
        assert page.locator("main img, [onerror]").count() == 0


def test_an_upload_goes_on_after_the_page_was_loaded_again(site: Site, page: Any, large: Path) -> None:
    view(page, site, "new")
    sent: list[str] = []

    def second_is_lost(route: Any) -> None:
        if route.request.method == "PATCH":
            sent.append(route.request.headers["upload-offset"])
            if len(sent) == 2:
                route.abort()
                return
        route.continue_()

    page.route("**/api/v1/uploads/*", second_is_lost)
    page.locator("#pick").set_input_files(large)
    page.wait_for_function("() => document.querySelector('#files progress')?.value > 10")
    page.reload()
    page.locator("#pick").set_input_files(large)
    page.get_by_role("button", name=f"Leave {large.name} out").wait_for()
    assert sent[0] == "0"
    assert set(sent[1:]) == {str(8 << 20)}  # the first piece was sent once


def test_the_keyboard_is_enough(site: Site, new_page: Any, square: Path) -> None:
    page = new_page()
    page.goto(site.address)
    page.locator("#key:focus").wait_for()
    page.keyboard.type(site.key)
    page.keyboard.press("Enter")
    _tab_to(page, "a", "New job")
    page.keyboard.press("Enter")
    page.locator("#pick").wait_for()
    page.locator("#pick").set_input_files(square)  # what the system's own dialog does
    page.get_by_role("button", name=f"Leave {square.name} out").wait_for()
    _tab_to(page, "#pipeline-bright_square")
    page.keyboard.press("Space")
    _tab_to(page, "button.main", "Start")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=square.name).wait_for()


def _tab_to(page: Any, what: str, text: str = "") -> None:
    for _ in range(200):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "([what, text]) => [document.activeElement].some(at => at.matches(what) && at.textContent.includes(text))",
            [what, text],
        )
        if found:
            return
    raise AssertionError(f"Tab never comes to {what} {text}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_and_fits_a_phone(
    site: Site, new_page: Any, cookies: Any, film: str, done: str, scheme: str
) -> None:
    asked = {"pipelines": ["bright_square"]}
    batch = site.api("POST", "batches", json={"video_ids": [film], "name": "two", **asked})["id"]
    page = new_page(color_scheme=scheme)
    page.goto(site.address)
    page.get_by_label("API key").wait_for()
    check(page, "sign in")
    page = new_page(color_scheme=scheme, storage_state=cookies)
    for name in (f"job/{done}", "jobs", "new", f"batch/{batch}", "admin"):
        view(page, site, name)
        page.wait_for_load_state("load")
        if name.startswith("job/"):
            page.locator(".lane").first.wait_for()
        page.wait_for_timeout(300)
        check(page, name)


def check(page: Any, name: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, (name, page.evaluate(_WIDEST))
    page.set_viewport_size({"width": 1280, "height": 900})


def test_an_admin_lets_people_in_and_shuts_them_out(site: Site, new_page: Any, page: Any) -> None:
    view(page, site, "admin")
    page.locator("#new-user").fill("Ada")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("rowheader", name="Ada").wait_for()
    page.locator("#new-key").fill("adas key")
    page.locator("#key-owner").select_option(label="Ada")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#made-key code").inner_text()
    other = new_page()
    sign_in(other, site, key)
    assert other.get_by_role("link", name="Admin").count() == 0
    assert other.get_by_role("link", name="New job").count() > 0
    page.get_by_role("button", name="Revoke adas key").click()
    page.get_by_role("button", name="Revoke it").click()
    page.get_by_role("button", name="Revoke adas key").wait_for(state="detached")
    other.reload()
    other.get_by_label("API key").wait_for()
    page.reload()
    page.get_by_role("rowheader", name="Ada").wait_for()
    assert key not in page.content()


def test_an_admin_sees_what_takes_room_and_who_is_at_work(site: Site, page: Any, square: Path, held: Path) -> None:
    job = site.job(site.another(square), "slow_square")
    until = time.monotonic() + 60
    while site.api("GET", f"jobs/{job}")["state"] != "running":
        assert time.monotonic() < until
        time.sleep(0.1)
    stored = site.api("GET", "system/storage")
    view(page, site, "admin")
    machine = page.get_by_role("region", name="This server")
    machine.get_by_role("heading", name="Room on the disk").wait_for()
    told = machine.inner_text()
    assert re.search(r"Free\s+[\d.]+ [kMGT]B of [\d.]+ [kMGT]B \([\d.]+ % in use\)", told), told
    assert f"in {stored['videos']['count']} file" in told
    assert f"in {stored['results']['count']} job" in told
    whose = page.get_by_role("region", name="Table of what takes room")
    whose.get_by_role("rowheader", name="admin").wait_for()
    worker = site.api("GET", "system/workers")["workers"][0]
    row = page.get_by_role("region", name="Table of workers").get_by_role("row").nth(1)
    assert f"process {worker['pid']}" in row.inner_text()
    assert "just now" in row.inner_text()
    row.get_by_role("link", name="a job").click()
    page.locator("h1 + .badge", has_text="running").wait_for()
    assert page.url.endswith(job)


def test_files_of_the_page_are_sent_once(client: Any) -> None:
    icon = client.get("/page/icon.svg")
    assert icon.headers["cache-control"] == "max-age=86400"  # asked for at every view
    for path in ("/", "/page/main.mjs", "/page/icon.svg", "/docs"):
        first = client.get(path)
        assert first.status_code == 200
        assert first.content
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert "default-src 'self'" in again.headers["content-security-policy"]
        other = client.get(path, headers={"If-None-Match": '"another"'})
        assert other.content == first.content
    assert client.get("/page/main.mjs").headers["cache-control"] == "no-cache"  # the parts must fit together
    assert client.get("/redoc", follow_redirects=False).headers["location"] == "/docs"
