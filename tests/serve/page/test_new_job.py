"""The form of a new job: uploads that are paused, server folders, settings, what it will take, many videos at once."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from tests.serve.page.conftest import Site, view

WHOLE = 8 << 20
"""Bytes of a piece of an upload."""


@pytest.fixture
def form(page: Any, site: Site) -> Any:
    """The empty form, with nothing chosen."""
    view(page, site, "new")
    chosen = page.locator(".choices input[id^=pipeline-]:checked")
    while chosen.count():
        chosen.first.click()
    return page


def _upload(page: Any, *paths: Path) -> None:
    page.locator("#pick").set_input_files([*paths])
    for path in paths:
        page.get_by_role("button", name=f"Leave {path.name} out").wait_for()


def _start(page: Any, words: str = "Start") -> str:
    """Press it; the id of the job or batch that is shown then."""
    page.get_by_role("button", name=words, exact=True).click()
    page.wait_for_function("() => /^#.(job|batch)[/]/.test(location.hash)")
    return str(page.url.rpartition("/")[2])


class Held:
    """Lets the first piece of an upload through, and keeps the second until the page gives it up."""

    def __init__(self, page: Any) -> None:
        self.offsets: list[str] = []
        page.route("**/api/v1/uploads/*", self)

    def __call__(self, route: Any) -> None:
        """What is asked."""
        if route.request.method == "PATCH":
            self.offsets.append(route.request.headers["upload-offset"])
            if len(self.offsets) == 2:
                return
        route.continue_()


def test_an_upload_is_paused_and_goes_on(form: Any, large: Path) -> None:
    held = Held(form)
    form.locator("#pick").set_input_files(large)
    form.wait_for_function("() => document.querySelector('#files progress')?.value > 10")
    line = form.locator("#files li")
    form.get_by_role("button", name=f"Pause {large.name}").click()
    line.get_by_text("paused").wait_for()
    form.wait_for_timeout(300)
    assert "paused" in line.inner_text()
    assert line.locator("progress").evaluate("bar => bar.value") == 100 * WHOLE // large.stat().st_size
    form.get_by_role("button", name=f"Go on with {large.name}").click()
    form.get_by_role("button", name=f"Leave {large.name} out").wait_for()
    assert held.offsets == ["0", str(WHOLE), str(WHOLE)]  # nothing was sent twice but what was held
    form.unroute_all(behavior="ignoreErrors")


def test_a_piece_that_arrived_in_part_is_not_sent_twice(form: Any, site: Site, large: Path) -> None:
    content = large.read_bytes()
    half: list[bytes] = []

    def break_off(route: Any) -> None:
        if route.request.method == "PATCH" and not half:
            half.append(content[: WHOLE // 2])
            headers = {**route.request.headers, "content-length": str(WHOLE // 2)}
            route.fetch(post_data=half[0], headers=headers)
            route.abort()
            return
        route.continue_()

    form.route("**/api/v1/uploads/*", break_off)
    _upload(form, large)
    videos = [one for one in site.api("GET", "videos")["videos"] if one["name"] == large.name]
    assert videos[0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_upload_is_still_there_after_a_look_at_the_jobs(form: Any, site: Site, large: Path) -> None:
    Held(form)
    form.locator("#pipeline-bright_square").check()
    form.locator("#pick").set_input_files(large)
    form.wait_for_function("() => document.querySelector('#files progress')?.value > 10")
    form.get_by_role("link", name="Jobs").click()
    form.get_by_role("heading", name="Jobs", exact=True).wait_for()
    form.get_by_role("link", name="New job").first.click()
    form.get_by_role("button", name=f"Pause {large.name}").click()
    assert form.locator("#pipeline-bright_square").is_checked()
    form.get_by_role("button", name=f"Remove {large.name}").click()
    form.locator("#files li").wait_for(state="detached")
    form.wait_for_timeout(100)
    left = site.api("GET", "uploads")["uploads"]
    assert not [one for one in left if one["name"] == large.name and not one["video_id"]], left
    form.unroute_all(behavior="ignoreErrors")


def test_videos_of_a_server_folder_are_taken_as_they_lie_there(form: Any, site: Site) -> None:
    form.get_by_text("Or take files of a folder on the server").click()
    form.get_by_role("button", name=str(site.shelf), exact=True).click()
    form.get_by_role("button", name="day one/").click()
    form.get_by_role("button", name="Take kitchen.mp4").wait_for()
    assert "notes.txt" not in form.locator(".entries").inner_text()
    form.get_by_role("button", name="Take all files of this folder").click()
    form.locator("#files", has_text="garden.mp4").wait_for()
    form.locator("#files", has_text="kitchen.mp4").wait_for()
    assert "broken.mp4" not in form.locator("#files").inner_text()
    assert "broken.mp4" in form.locator(".entries").get_by_role("alert").inner_text()  # and why it was not taken
    form.get_by_role("button", name="‹ one up").click()
    form.get_by_role("button", name="day one/").wait_for()
    assert form.get_by_role("button", name="‹ one up").count() == 0  # no way out of what is open
    form.get_by_role("button", name="Leave garden.mp4 out").click()
    form.locator("#pipeline-bright_square").check()
    job = site.ended(_start(form))
    assert site.api("GET", f"jobs/{job}")["video_filename"] == "kitchen.mp4"
    assert (site.shelf / "day one" / "kitchen.mp4").is_file()


def test_settings_arrive_and_wrong_ones_are_told_beside_their_field(form: Any, site: Site, square: Path) -> None:
    _upload(form, square)
    form.locator("#pipeline-bright_square").check()
    form.get_by_text("Settings of Bright Square").click()
    threshold, rooms = form.get_by_label("threshold"), form.get_by_label("rooms")
    assert threshold.input_value() == "128"
    _told(form, threshold, "300", "at most 255")
    _told(form, threshold, "2.5", "must be a whole number")
    _told(form, threshold, "200", "")
    _told(form, rooms, "kitchen, garden", "write it as JSON")
    rooms.fill('["cellar"]')
    rooms.blur()
    problem = form.locator("#h-go ~ [role=alert]")
    form.get_by_role("button", name="Start", exact=True).click()
    problem.get_by_text("no light in the cellar").wait_for()  # only the pipeline's own code knows
    form.get_by_text("Settings of Bright Square").click()  # closed
    _told(form, rooms, "", "")
    form.get_by_label("limit").fill("")
    form.get_by_label("limit").blur()
    form.locator("#pipeline-always_broken").check()
    assert threshold.is_visible()  # what was open stays open
    form.locator("#pipeline-always_broken").uncheck()
    job = site.ended(_start(form))
    asked = site.api("GET", f"jobs/{job}")
    assert asked["config"] == {"bright_square": {"threshold": 200, "limit": None}}


def _told(page: Any, field: Any, value: str, problem: str) -> None:
    """Type something; what is wrong with it stands beside it, and is read out with it, and Start goes there."""
    if not field.is_visible():
        page.get_by_text("Settings of Bright Square").click()
    field.fill(value)
    field.blur()
    if not problem:
        assert field.get_attribute("aria-invalid") is None
        return
    described = page.locator(f"#{(field.get_attribute('aria-describedby') or '').split()[-1]}")
    assert problem in described.inner_text(), described.inner_text()
    assert field.get_attribute("aria-invalid") == "true"
    page.get_by_text("Settings of Bright Square").click()  # closed: Start opens it again
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function("id => document.activeElement.id === id", arg=field.get_attribute("id"))
    assert page.url.endswith("#/new")


def test_what_it_will_take_is_told(form: Any, done: str, square: Path) -> None:
    cost = form.locator("#cost")
    assert "Choose a video" in cost.inner_text()
    _upload(form, square)
    form.locator("#pipeline-always_broken").check()
    cost.get_by_text("is not known before it has run here once").wait_for()
    form.locator("#pipeline-always_broken").uncheck()
    form.locator("#pipeline-bright_square").check()
    cost.get_by_text(re.compile(r"It takes about \d+ s\.")).wait_for()
    assert re.search(r"Memory: up to [\d.]+ [kMG]?B on cpu", cost.inner_text()), cost.inner_text()


def test_many_videos_are_one_batch_with_the_progress_of_the_whole(
    form: Any, site: Site, square: Path, held: Path, tmp_path: Path
) -> None:
    films = [tmp_path / "morning.mp4", tmp_path / "noon.mp4"]
    for number, path in enumerate(films):
        path.write_bytes(square.read_bytes() + bytes([0, 0, 0, 8 + number, *b"free", *bytes(number)]))
    _upload(form, *films)
    form.locator("#pipeline-slow_square").check()
    batch = _start(form, "Start 2 jobs")
    whole = form.locator("main > .card .progress").first
    whole.get_by_text("0 of 2 jobs have ended").wait_for()
    # of the whole, while its first job runs: no job has ended yet
    form.wait_for_function(
        "() => { const [whole, ...jobs] = document.querySelectorAll('progress');"
        " return jobs.length === 1 && whole.value > 0 && whole.value < jobs[0].value + 1; }"
    )
    assert "0 of 2 jobs" in whole.inner_text()
    held.unlink()
    whole.get_by_text("100 % · 2 of 2 jobs have ended").wait_for(timeout=60_000)
    form.locator("h1 + .badge", has_text=re.compile("^done$")).wait_for()
    for path in films:
        form.get_by_role("link", name=path.name).wait_for()
    assert site.api("GET", f"batches/{batch}")["states"] == {"completed": 2}
