"""Jobs as they go: cancelled, tried again, and followed by a page whose connection breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.serve.page.conftest import Site, view


def test_a_failure_is_told_and_tried_again(site: Site, page: Any, film: str) -> None:
    job = site.job(film, "always_broken")
    view(page, site, f"job/{job}")
    page.get_by_role("button", name="Try again").wait_for(timeout=60_000)
    assert "lamp of this pipeline is broken" in page.locator("main").inner_text()
    assert "Traceback" not in page.locator("main").inner_text()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("job => location.hash !== `#/job/${job}`", arg=job)
    second = site.ended(page.url.rpartition("/")[2], "failed")
    view(page, site, "jobs")
    line = page.locator(f"#job-{second}")
    assert "lamp of this pipeline is broken" in line.inner_text()
    line.get_by_role("button", name="Try again").click()
    page.wait_for_function("job => /^#.job[/]/.test(location.hash) && !location.hash.endsWith(job)", arg=second)
    third = page.url.rpartition("/")[2]
    assert third not in (job, second)
    site.ended(third, "failed")


def test_a_running_job_is_cancelled_from_the_page(site: Site, page: Any, square: Path, held: Path) -> None:
    first, second = (site.job(site.another(square), "slow_square") for _ in range(2))
    view(page, site, f"job/{first}")
    page.locator("h1 + .badge", has_text="running").wait_for(timeout=60_000)
    page.get_by_role("button", name="Cancel").focus()
    page.keyboard.press("Enter")
    page.locator("h1 + .badge", has_text="cancelled").wait_for()
    assert page.get_by_role("button", name="Cancel").count() == 0
    page.get_by_role("button", name="Try again").wait_for()
    view(page, site, "jobs")
    waiting = page.locator(f"#job-{second}")
    waiting.get_by_role("button", name="Cancel").click()
    waiting.locator(".badge", has_text="cancelled").wait_for()
    for job in (first, second):
        site.ended(job, "cancelled")


def test_a_page_whose_server_was_away_shows_how_things_are(
    site: Site, new_page: Any, cookies: Any, page: Any, square: Path, held: Path
) -> None:
    film = site.another(square)
    job = site.job(film, "slow_square")
    other = new_page(storage_state=cookies)
    view(page, site, f"job/{job}")
    view(other, site, "jobs")
    for tab in (page, other):
        tab.locator(".badge.running").first.wait_for(timeout=60_000)
    port = int(site.address.rpartition(":")[2])
    site.stop()
    for tab in (page, other):
        tab.get_by_text("The server does not answer").wait_for()
    held.unlink()
    site.start(port)
    site.ended(job)  # perhaps before a page is back: nobody may wait for an event that was long ago
    page.locator("h1 + .badge", has_text="done").wait_for()
    page.locator(".lane").first.wait_for()
    other.locator(f"#job-{job} .badge", has_text="done").wait_for()
    for tab in (page, other):
        assert tab.get_by_text("The server does not answer").count() == 0
    new = site.job(film, "bright_square")  # what happens now arrives, too
    other.locator(f"#job-{new}").wait_for()
