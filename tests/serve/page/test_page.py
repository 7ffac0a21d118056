"""The page in a real browser, in front of a real server."""

from __future__ import annotations

import io
import re
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


def test_a_failure_is_told_and_tried_again(site: Site, new_page: Any, square: Path) -> None:
    job = site.api("POST", "jobs", json={"video_id": site.video(square), "pipelines": ["always_broken"]})["id"]
    page = new_page()
    sign_in(page, site)
    view(page, site, f"job/{job}")
    again = page.get_by_role("button", name="Try again")
    again.wait_for(timeout=60_000)
    assert "lamp of this pipeline is broken" in page.locator("main").inner_text()
    again.click()
    page.wait_for_function("job => location.hash !== `#/job/${job}`", arg=job)
    new = page.url.rpartition("/")[2]
    page.wait_for_function(
        "async job => (await (await fetch(`/api/v1/jobs/${job}`)).json()).state === 'failed'", arg=new, timeout=60_000
    )
    page.get_by_role("button", name="Try again").wait_for()


def test_markup_in_names_is_shown_as_text(site: Site, new_page: Any, square: Path) -> None:
    video = site.video(square, f"{_MARKUP}.mp4")
    asked = {"pipelines": ["bright_square"]}
    batch = site.api("POST", "batches", json={"video_ids": [video], "name": _MARKUP, **asked})["id"]
    site.api("POST", "templates", json={"name": _MARKUP, "request": asked})
    user = site.api("POST", "users", json={"name": _MARKUP, "role": "researcher"})["id"]
    site.api("POST", "keys", json={"name": _MARKUP, "user_id": user})
    page = new_page()
    sign_in(page, site)
    for name in ("jobs", f"batch/{batch}", "new", "admin"):
        view(page, site, name)
        page.locator("#main", has_text=_MARKUP).wait_for()
        assert page.locator("main img, [onerror]").count() == 0


def test_an_upload_goes_on_after_the_page_was_loaded_again(site: Site, new_page: Any, large: Path) -> None:
    page = new_page()
    sign_in(page, site)
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
def test_every_view_is_accessible_and_fits_a_phone(site: Site, new_page: Any, square: Path, scheme: str) -> None:
    asked = {"pipelines": ["bright_square"]}
    batch = site.api("POST", "batches", json={"video_ids": [site.video(square)], "name": "two", **asked})["id"]
    job = site.api("GET", f"jobs?batch_id={batch}")["jobs"][0]["id"]
    page = new_page(color_scheme=scheme)
    page.goto(site.address)
    page.get_by_label("API key").wait_for()
    _check(page, "sign in")
    sign_in(page, site)
    view(page, site, f"job/{job}")
    _done(page)
    page.locator(".lane").first.wait_for()
    for name in (f"job/{job}", "jobs", "new", f"batch/{batch}", "admin"):
        view(page, site, name)
        page.wait_for_load_state("load")
        page.wait_for_timeout(300)
        _check(page, name)


def _check(page: Any, name: str) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, (name, page.evaluate(_WIDEST))
    page.set_viewport_size({"width": 1280, "height": 900})


def test_an_admin_lets_people_in_and_shuts_them_out(site: Site, new_page: Any) -> None:
    page = new_page()
    sign_in(page, site)
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
