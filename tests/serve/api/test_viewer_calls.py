"""What the Video Annotation Viewer asks of a server, in its order, against a job that really runs."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from starlette.testclient import TestClient

from videoannotator.serve.service import Service
from videoannotator.serve.settings import Jobs, ServerSettings
from videoannotator.serve.store.workers import WorkerStore
from videoannotator.serve.work.dispatcher import Dispatcher
from videoannotator.serve.work.local import LocalExecutor


@pytest.fixture
def settings(settings: ServerSettings) -> ServerSettings:
    """With short times."""
    return attrs.evolve(settings, jobs=Jobs(poll=0.1, heartbeat=0.5, lease=10.0, nice=0))


@pytest.fixture
def dispatcher(service: Service) -> Iterator[Dispatcher]:
    """Executes jobs in processes, as a server does."""
    executor = LocalExecutor(1, nice=0, idle=5.0)
    made = Dispatcher(service.settings, service.jobs, WorkerStore(service.database), executor)
    executor.on_news(made.wake)
    made.start()
    yield made
    made.stop()


def ended(client: TestClient, job_id: str, seconds: float = 120.0) -> Any:
    until = time.monotonic() + seconds
    while True:
        job = client.get(f"/api/v1/jobs/{job_id}").json()
        if job["state"] not in ("pending", "running"):
            return job
        assert time.monotonic() < until, job
        time.sleep(0.1)


def events_of(text: str) -> list[tuple[str, str, Any]]:
    """``(id, event, data)`` of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


@pytest.mark.slow
def test_the_viewers_calls_in_their_order(client: TestClient, dispatcher: Dispatcher, clip: bytes) -> None:
    pipelines = client.get("/api/v1/pipelines").json()["pipelines"]
    assert {"scene_detection", "voice_activity", "openface3"} <= {pipeline["name"] for pipeline in pipelines}
    scene = client.get("/api/v1/pipelines/scene_detection").json()
    assert (scene["enabled"], scene["available"], scene["licence"]) == (True, True, "MIT")
    parameters = client.get("/api/v1/pipelines/scene_detection/schema").json()["parameters"]
    assert {"threshold", "min_scene_length"} <= {parameter["name"] for parameter in parameters}
    config = {"scene_detection": {"threshold": 30.0}}
    verdict = client.post("/api/v1/pipelines/scene_detection/validate", json={"config": config["scene_detection"]})
    assert verdict.json()["valid"] is True
    selected = ["scene_detection", "voice_activity"]
    judged = client.post("/api/v1/config/validate", json={"config": config, "selected_pipelines": selected}).json()
    assert (judged["valid"], judged["errors"]) == (True, [])

    submitted = client.post(
        "/api/v1/jobs/",
        files={"video": ("Mutter & Kind.mp4", clip, "video/mp4")},
        data={"selected_pipelines": ",".join(selected), "config": json.dumps(config)},
    )
    assert submitted.status_code == 201, submitted.text
    made = submitted.json()
    assert (made["status"], made["video_filename"], made["video_size_bytes"]) == (
        "pending",
        "Mutter & Kind.mp4",
        len(clip),
    )
    assert (made["selected_pipelines"], made["config"], made["queue_position"]) == (selected, config, 1)
    job_id = made["id"]

    stream = client.get(f"/api/v1/jobs/{job_id}/events")  # ends by itself when the job has
    assert stream.headers["content-type"].startswith("text/event-stream")
    told = events_of(stream.text)
    assert {event for _, event, _ in told} >= {"job.update", "job.complete"}
    assert [event for _, event, _ in told].count("job.complete") == 1
    numbers = [int(number) for number, _, _ in told]
    assert numbers == sorted(set(numbers))
    assert all(data["job_id"] == job_id for _, _, data in told)
    updates = [data for _, event, data in told if event == "job.update"]
    assert [data["status"] for data in updates][:2] == ["pending", "running"]
    assert all({"fraction", "frames", "media_seconds", "eta"} <= set(data) for data in updates if "stage" in data)
    assert any("scene_detection is done" in data["message"] for _, event, data in told if event == "job.log")
    rest = client.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(numbers[1])})
    kept = [int(number) for number, _, data in told if "stage" not in data]  # how far it was is forgotten
    assert [int(number) for number, _, _ in events_of(rest.text)] == [number for number in kept if number > numbers[1]]

    job = ended(client, job_id)
    assert (job["status"], job["error_message"]) == ("completed", None), job
    assert client.get("/api/v1/jobs?page=1&per_page=20").json()["jobs"] == [job]

    results = client.get(f"/api/v1/jobs/{job_id}/results").json()
    assert set(results["pipeline_results"]) == set(selected)
    shots = results["pipeline_results"]["scene_detection"]
    assert (shots["status"], shots["annotation_count"], shots["coverage"]["duration"]) == ("completed", 1, 1.6)
    file = client.get(shots["download_url"])
    assert file.status_code == 200
    assert file.json()[0]["scene_type"]

    archive = client.get(f"/api/v1/jobs/{job_id}/artifacts")
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert opened.testzip() is None
        assert opened.read("Mutter & Kind.mp4") == clip
        scenes = json.loads(opened.read("Mutter & Kind_scene_detection.json"))
    assert isinstance(scenes, list)
    assert scenes[0]["end_time"] == pytest.approx(1.6)

    for name in ("native", "csv", "coco", "json"):
        answer = client.get(f"/api/v1/jobs/{job_id}/results/scene_detection?format={name}")
        assert answer.status_code in (200, 404), answer.text
    rows = client.get(f"/api/v1/jobs/{job_id}/results/scene_detection").json()
    assert rows["tables"]["shots"]["columns"]["start"] == [0.0]
    listed = client.get(f"/api/v1/jobs/{job_id}/artifacts/list").json()["artifacts"]
    assert listed[0]["kind"] == "video"
    for artifact in listed:
        assert len(client.get(artifact["href"]).content) == artifact["bytes"], artifact
    assert client.get(f"/api/v1/jobs/{job_id}/artifacts/..%2f..%2fserver.db").status_code == 404

    assert client.post(f"/api/v1/jobs/{job_id}/cancel").json()["code"] == "JOB_ALREADY_COMPLETED"
    again = client.post(f"/api/v1/jobs/{job_id}/retry").json()
    assert ended(client, again["id"])["state"] == "completed"
    cached = client.get(f"/api/v1/jobs/{again['id']}/results").json()["pipeline_results"]
    assert all(pipeline["cached"] for pipeline in cached.values())

    assert client.delete(f"/api/v1/jobs/{job_id}").status_code == 204
    assert client.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert client.get(f"/api/v1/videos/{made['video_id']}").status_code == 200  # the second job uses it
    assert client.delete(f"/api/v1/jobs/{again['id']}").status_code == 204
    assert client.get(f"/api/v1/videos/{made['video_id']}").status_code == 404
