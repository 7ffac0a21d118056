"""Nothing is lost: workers and the processes of jobs are killed at any time, stopped, and continued."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.serve.work.crew import Crew

import videoannotator as va
from videoannotator.serve.work.naming import absolute

KILLS = int(os.environ.get("VIDEOANNOTATOR_TEST_ROUNDS", "20"))
BURST = 20
"""Kills until all jobs are let end: a look at how long those stood still that were hit."""
BATCH = 4
"""Pictures of one call of the pipeline, after each of which there is a segment."""
FAILPOINTS = (
    "before-claim",
    "after-claim",
    "mid-stage",
    "before-rename",
    "after-rename",
    "before-commit",
    "after-commit",
)


@pytest.fixture
def allowed(bench: Any) -> float:
    """Seconds until a job has to be worked on again: its lease and ten more, on a machine that has time for us."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import videoannotator.serve.work.worker"], check=True)
    return float((bench.settings.jobs.lease + 10) * max(1.0, (time.monotonic() - began) / 2))


def submit(bench: Any, seen: Path) -> str:
    """A job that writes down which pictures it has seen, in a file of its own."""
    way = {"seconds": 0.1, "seen": str(seen / str(len(list(seen.iterdir()))))}
    Path(way["seen"]).touch()
    return bench.submit("counts", "after", max_attempts=10_000, config={"counts": way})


def check(bench: Any, ids: list[str], seen: Path, kills: int) -> None:
    """Every job ended once, with one result, and at most one call is repeated for each kill."""
    repeated = 0
    for number, id_ in enumerate(ids):
        job, row = bench.jobs.get(id_), bench.result(id_)
        assert job.state == "completed", job
        assert [told["status"] for told in bench.told(id_, "complete")] == ["completed"]
        assert row.attempt == job.attempt
        result = va.read(absolute(bench.settings, row.folder) / "Mutter & Kind.videoannotator")
        assert result["counts"].values.value.tolist() == [float(sum(range(n + 1))) for n in range(40)]
        assert result["after"].values.value.tolist() == [40.0]
        numbers = (seen / str(number)).read_text().split()
        assert set(numbers) == set(map(str, range(40)))
        repeated += len(numbers) - 40
        left = [path.name for path in (bench.settings.data_dir / "jobs" / id_).iterdir()]
        assert left == [f"attempt-{job.attempt}"], "nothing of the attempts before is left"
    assert repeated <= BATCH * kills, f"{repeated} pictures were done again after {kills} kills"


def settle(
    bench: Any, crew: Crew, ids: list[str], seconds: float = 300.0, look: Callable[[], None] = lambda: None
) -> None:
    until = time.monotonic() + seconds
    while not all(bench.jobs.get(one).ended for one in ids):
        crew.mend()
        look()
        assert time.monotonic() < until, [(j.state, j.attempt, j.error_message) for j in map(bench.jobs.get, ids)]
        time.sleep(0.05)


class Recovery:
    """How long each job that was being worked on stood still after a kill."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self._waiting: dict[tuple[str, int], float] = {}
        self.longest = 0.0

    def killed(self, pid: int) -> None:
        """The worker ``pid``, or the process of its job, is to be killed now."""
        for id_, worker, attempt, _ in self._bench.jobs.running():
            if f":{pid}:" in worker:
                self._waiting.setdefault((id_, attempt), time.monotonic())

    def look(self) -> None:
        for (id_, attempt), since in list(self._waiting.items()):
            job = self._bench.jobs.get(id_)
            if job.ended or job.attempt > attempt:
                self.longest = max(self.longest, time.monotonic() - since)
                del self._waiting[id_, attempt]


@pytest.mark.slow
def test_killed_at_random_times(bench: Any, tmp_path: Path, allowed: float) -> None:
    seed = int(os.environ.get("VIDEOANNOTATOR_TEST_SEED", random.randrange(10**6)))
    print(f"VIDEOANNOTATOR_TEST_SEED={seed}")
    draw, seen = random.Random(seed), tmp_path / "seen"
    seen.mkdir()
    ids: list[str] = []
    recovery, kills, settled = Recovery(bench), 0, 0
    with Crew(bench, 2, tmp_path / "log", back_off=1e-6) as crew:
        while kills < KILLS:
            crew.mend()
            if kills and kills % BURST == 0 and kills > settled:  # processes start more slowly than they are killed
                settle(bench, crew, ids, 300.0, recovery.look)
                settled = kills
            waiting = sum(not bench.jobs.get(one).ended for one in ids)
            if waiting < 3:
                ids.append(submit(bench, seen))
            if not bench.jobs.running():  # nobody is at work: a kill would hit nothing
                time.sleep(0.02)
                continue
            until = time.monotonic() + draw.uniform(0.0, 0.7)
            while time.monotonic() < until:
                recovery.look()
                time.sleep(0.02)
            victim, worker = draw.choice(crew.processes())
            recovery.killed(worker)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                kills += 1
        settle(bench, crew, ids, look=recovery.look)
    check(bench, ids, seen, kills)
    assert 0.0 < recovery.longest < allowed, f"seed {seed}"


def test_killed_at_every_failpoint(bench: Any, tmp_path: Path) -> None:
    seen, marks = tmp_path / "seen", tmp_path / "marks"
    seen.mkdir()
    marks.mkdir()
    ids = [submit(bench, seen) for _ in range(3)]
    more = {
        "VIDEOANNOTATOR_FAILPOINTS": ",".join(f"{name}=kill*1" for name in FAILPOINTS),
        "VIDEOANNOTATOR_FAILPOINTS_SEEN": str(marks),
    }
    with Crew(bench, 1, tmp_path / "log", more=more) as crew:
        settle(bench, crew, ids)
    assert {path.name for path in marks.iterdir()} == {f"{name}.0" for name in FAILPOINTS}
    check(bench, ids, seen, len(FAILPOINTS))


@pytest.mark.parametrize("whom", ["worker", "all"])
def test_one_stopped_past_its_lease_cannot_commit(bench: Any, tmp_path: Path, allowed: float, whom: str) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    with Crew(bench, 2, tmp_path / "log") as crew:
        crew.arrived()
        id_ = submit(bench, seen)
        bench.until(id_, lambda job: (seen / "0").read_text() != "")
        first = bench.jobs.get(id_)
        worker = int(first.worker.split(":")[1])
        stopped = [pid for pid, of in crew.processes() if of == worker and (whom == "all" or pid == worker)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        bench.until(id_, lambda job: job.attempt == 2)
        assert time.monotonic() - began < allowed
        (job,) = bench.wait(id_)
        assert bench.result(id_).worker != first.worker
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        until = time.monotonic() + 60
        while "somebody else has it" not in crew.log.read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        other = next(one for one in crew.workers if one.pid != worker)
        other.send_signal(signal.SIGSTOP)
        (after,) = bench.wait(bench.submit("counts", start=0.0, end=0.4))  # it works again, on what is its own
        assert bench.result(after.id).worker == first.worker
    assert (job.state, job.attempt, after.state) == ("completed", 2, "completed")
    assert bench.result(id_).attempt == 2
    assert bench.jobs.get(id_) == job, "a final state never changes"
    assert [path.name for path in (bench.settings.data_dir / "jobs" / id_).iterdir()] == ["attempt-2"]
