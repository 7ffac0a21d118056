"""Jobs: submitted in both ways, listed, cancelled, tried again, deleted; what old clients say and are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient
from tests.serve.api.conftest import stored_files

from videoannotator.serve.service import Service
from videoannotator.serve.settings import ServerSettings
from videoannotator.serve.store.jobs import Ended, NewJob
from videoannotator.serve.store.schema import jobs
from videoannotator.serve.store.videos import NewVideo

Clients = Callable[..., TestClient]
OLD_FIELDS = (
    *("id", "status", "video_path", "video_filename", "video_size_bytes", "video_duration_seconds", "config"),
    *("selected_pipelines", "created_at", "completed_at", "error_message", "result_path", "storage_path"),
    "queue_position",
)


@pytest.fixture
def video_id(client: TestClient, service: Service, clip: bytes) -> str:
    """A video of `client`, put into its place without being looked at."""
    return video_of(service, client, clip)


def video_of(service: Service, client: TestClient, clip: bytes, **media: Any) -> str:
    described = {"video": {"width": 160}, "audio": {"channels": 1}, **media}
    new = NewVideo(
        owner_id=client.principal.user_id,  # type: ignore[attr-defined]  # see conftest
        name="session01.mp4",
        path="",
        stored=True,
        bytes=len(clip),
        sha256="0" * 64,
        media=described,
        duration=1.6,
    )
    new = attrs.evolve(new, path=f"videos/{new.id}.mp4")
    place = service.settings.data_dir / new.path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(clip)
    return service.videos.add(new).id


def submit(client: TestClient, video_id: str, **more: Any) -> Any:
    return client.post("/api/v1/jobs", json={"video_id": video_id, "pipelines": ["scene_detection"], **more})


def put(service: Service, job_id: str, **values: Any) -> None:
    with service.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(values))


def test_a_job_has_the_fields_that_old_clients_read(client: TestClient, video_id: str) -> None:
    made = submit(client, video_id, config={"scene_detection": {"threshold": 27.0}})
    assert made.status_code == 201, made.text
    job = made.json()
    assert made.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert set(OLD_FIELDS) <= set(job)
    assert (job["status"], job["state"], job["queue_position"], job["warnings"]) == ("pending", "pending", 1, [])
    assert job["config"] == {"scene_detection": {"threshold": 27.0}}
    assert (job["video_path"], job["result_path"], job["storage_path"]) == (None, None, None)
    assert job["created_at"].endswith("Z")
    shown = client.get(f"/api/v1/jobs/{job['id']}").json()
    assert shown == {key: value for key, value in job.items() if key != "warnings"}


def test_old_names_are_understood_and_told(client: TestClient, video_id: str) -> None:
    asked = {
        "selected_pipelines": "scene, voice_activity",
        "config": {"scene": {"clip_model": "ViT-L-14", "use_gpu": True}, "person_tracking": {"conf": 0.3}, "pps": 2},
    }
    answer = client.post("/api/v1/jobs", json={"video_id": video_id, **asked})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert job["selected_pipelines"] == ["scene_detection", "voice_activity"]
    assert job["config"] == {"scene_detection": {"architecture": "ViT-L-14"}}
    fields = {warning["field"] for warning in job["warnings"]}
    assert fields == {
        "pipelines",
        "config.scene",
        "config.scene_detection.clip_model",
        "config.scene_detection.use_gpu",
        "config.pps",
        "config.person_tracking",
    }


@pytest.mark.parametrize(
    ("asked", "field", "code"),
    [
        ({"pipelines": ["scene_detction"]}, "pipelines", "UNKNOWN_PIPELINE"),
        ({"config": {"scene_detection": {"treshold": 1}}}, "config.scene_detection.treshold", "INVALID_SETTING"),
        ({"config": {"scene_detection": {"threshold": "x"}}}, "config.scene_detection.threshold", "INVALID_SETTING"),
        ({"config": {"voice_activity": {}}}, "", "INVALID_CONFIG"),
        ({"formats": ["cooc"]}, "formats", "UNKNOWN_FORMAT"),
        ({"device": "gpu"}, "device", "INVALID_DEVICE"),
        ({"output_directory": "/etc"}, "output_directory", "OUTSIDE_ROOTS"),
        ({"start": 5.0, "end": 2.0}, "start", "INVALID_TIME"),
        ({"start": 1.6}, "start", "INVALID_TIME"),
        ({"config": {"scene_detection": {"weights": "/etc/passwd"}}}, "config.scene_detection.weights", None),
    ],
)
def test_what_a_run_would_refuse_is_refused_with_its_place(
    client: TestClient, video_id: str, asked: dict[str, Any], field: str, code: str | None
) -> None:
    answer = submit(client, video_id, **asked)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] == "INVALID_CONFIG"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert code is None or problem["errors"][0]["code"] == code
    assert problem["detail"] == problem["error"]["message"]
    assert client.get("/api/v1/jobs").json()["total"] == 0


def test_a_misspelt_name_is_answered_with_what_is_near(client: TestClient, video_id: str) -> None:
    assert "did you mean 'scene_detection'" in submit(client, video_id, pipelines=["scene_detction"]).json()["detail"]


def test_a_pipeline_that_can_do_nothing_with_the_video(client: TestClient, service: Service, clip: bytes) -> None:
    silent = video_of(service, client, clip, audio=None)
    assert submit(client, silent, pipelines=["voice_activity"]).json()["errors"][0]["code"] == "NOTHING_TO_LOOK_AT"
    both = submit(client, silent, pipelines=["voice_activity", "scene_detection"]).json()
    assert [warning["code"] for warning in both["warnings"]] == ["NOTHING_TO_LOOK_AT"]


def test_a_field_that_is_none_is_refused(client: TestClient, video_id: str) -> None:
    answer = submit(client, video_id, pipeline="x")
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    assert answer.json()["errors"][0]["field"] == "body.pipeline"
    for bad in ("", "{", "[]", '{"video_id": "\\ud800"}', "null"):
        answer = client.post("/api/v1/jobs", content=bad, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 404, 422), bad
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.post("/api/v1/jobs", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_the_same_key_makes_one_job(client: TestClient, video_id: str) -> None:
    headers = {"Idempotency-Key": "first"}
    asked = {"video_id": video_id, "pipelines": ["scene_detection"]}
    one = client.post("/api/v1/jobs", json=asked, headers=headers)
    two = client.post("/api/v1/jobs", json=asked, headers=headers)
    assert two.headers["idempotent-replayed"] == "true"
    assert (two.status_code, two.json()) == (201, one.json())
    other = client.post("/api/v1/jobs", json={**asked, "pipelines": ["motion"]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert client.get("/api/v1/jobs").json()["total"] == 1


def test_the_same_key_with_a_form_keeps_one_video(client: TestClient, service: Service, clip: bytes) -> None:
    def send() -> Any:
        return client.post(
            "/api/v1/jobs",
            files={"video": ("a.mp4", clip)},
            data={"selected_pipelines": "scene_detection"},
            headers={"Idempotency-Key": "form"},
        )

    assert send().json()["id"] == send().json()["id"]
    assert client.get("/api/v1/videos").json()["total"] == 1
    assert len(stored_files(service.settings.data_dir)) == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\nbroken off', "x"),
        (b"no form at all", "x"),
        (b'--x\r\nContent-Disposition: form-data; name="config"\r\n\r\n{}\r\n--x--\r\n', "x"),
        (b"", ""),
    ],
)
def test_of_a_broken_form_nothing_is_left(client: TestClient, service: Service, body: bytes, kind: str) -> None:
    boundary = f"; boundary={kind}" if kind else ""
    answer = client.post("/api/v1/jobs", content=body, headers={"Content-Type": f"multipart/form-data{boundary}"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert stored_files(service.settings.data_dir) == []


def test_a_form_with_wrong_settings_keeps_no_video(client: TestClient, service: Service, clip: bytes) -> None:
    for data in ({"config": "{"}, {"selected_pipelines": "nonsense"}, {"unknown": "field"}):
        answer = client.post("/api/v1/jobs/", files={"video": ("a.mp4", clip)}, data=data)
        assert answer.status_code in (400, 422), answer.text
        assert isinstance(answer.json()["detail"], str)
    assert stored_files(service.settings.data_dir) == []
    assert client.get("/api/v1/videos").json()["total"] == 0


def test_partial_is_completed_with_an_error_for_old_clients(
    client: TestClient, service: Service, video_id: str
) -> None:
    job_id = submit(client, video_id).json()["id"]
    claim = service.jobs.claim("w", 30.0)
    assert claim is not None
    service.jobs.finish(claim, Ended(state="partial", error_code="NO_AUDIO", error_message="the file has no sound"))
    job = client.get(f"/api/v1/jobs/{job_id}").json()
    assert (job["status"], job["state"], job["error_message"]) == ("completed", "partial", "the file has no sound")
    assert client.get("/api/v1/jobs?status_filter=completed").json()["total"] == 1
    assert client.get("/api/v1/jobs?state=completed").json()["total"] == 0
    assert client.get("/api/v1/jobs?status_filter=failed").json()["total"] == 0
    assert client.get("/api/v1/jobs?status_filter=done").status_code == 422


def test_lists_by_cursor_and_by_page(client: TestClient, service: Service, video_id: str) -> None:
    owner = client.principal.user_id  # type: ignore[attr-defined]  # see conftest
    made = [service.jobs.submit(NewJob(owner_id=owner, video_id=video_id, request={})).id for _ in range(7)][::-1]
    found, cursor = [], None
    for _ in range(9):
        page = client.get("/api/v1/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        found += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made
    second = client.get("/api/v1/jobs?page=2&per_page=3").json()
    assert ([job["id"] for job in second["jobs"]], second["total"]) == (made[3:6], 7)
    assert (second["page"], second["per_page"]) == (2, 3)
    assert client.get("/api/v1/jobs/?per_page=100000").json()["per_page"] == 200
    assert [job["queue_position"] for job in client.get("/api/v1/jobs").json()["jobs"]] == [7, 6, 5, 4, 3, 2, 1]
    assert client.get(f"/api/v1/jobs/{made[0]}").json()["queue_position"] == 7


def test_priorities_go_before_age_and_are_for_admins(
    client: TestClient, client_of: Clients, service: Service, video_id: str, clip: bytes
) -> None:
    first, urgent = submit(client, video_id).json(), submit(client, video_id, priority=5).json()
    assert urgent["queue_position"] == 1
    assert client.get(f"/api/v1/jobs/{first['id']}").json()["queue_position"] == 2
    somebody = client_of("researcher")
    mine = video_of(service, somebody, clip)
    assert submit(somebody, mine, priority=1).status_code == 403
    assert submit(somebody, mine, priority=-1).status_code == 201


def test_cancel_retry_delete(client: TestClient, service: Service, video_id: str) -> None:
    job_id = submit(client, video_id).json()["id"]
    assert client.post(f"/api/v1/jobs/{job_id}/retry").json()["code"] == "JOB_NOT_ENDED"
    cancelled = client.post(f"/api/v1/jobs/{job_id}/cancel").json()
    assert (cancelled["job_id"], cancelled["status"], cancelled["message"]) == (job_id, "cancelled", "cancelled")
    again = client.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "JOB_ALREADY_COMPLETED")
    retried = client.post(f"/api/v1/jobs/{job_id}/retry")
    assert retried.status_code == 201
    assert retried.json()["request"] == client.get(f"/api/v1/jobs/{job_id}").json()["request"]
    service.jobs.claim("w", 30.0)
    running = retried.json()["id"]
    assert client.post(f"/api/v1/jobs/{running}/cancel").json()["cancel_requested"] is True
    assert client.delete(f"/api/v1/jobs/{running}").status_code == 204
    assert (
        client.get(f"/api/v1/jobs/{running}").status_code == 404
    )  # gone for everybody; its worker still lets go of it
    assert client.delete(f"/api/v1/videos/{video_id}").json()["code"] == "VIDEO_IN_USE"
    assert client.get("/api/v1/jobs").json()["total"] == 1


def test_results_before_there_are_any(client: TestClient, service: Service, video_id: str) -> None:
    job_id = submit(client, video_id).json()["id"]
    assert client.get(f"/api/v1/jobs/{job_id}/results").json()["pipeline_results"] == {}
    for path in ("artifacts", "results/scene_detection", "artifacts/list", "results/files/scene_detection"):
        answer = client.get(f"/api/v1/jobs/{job_id}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "NO_RESULT_YET"), path
    put(service, job_id, state="failed", error_message="the file is damaged")
    answer = client.get(f"/api/v1/jobs/{job_id}/artifacts")
    assert (answer.status_code, answer.json()["code"], answer.json()["hint"]) == (
        404,
        "NO_RESULT",
        "the file is damaged",
    )


@pytest.mark.parametrize("path", ["", "/results", "/artifacts", "/events", "/history", "/artifacts/x", "/results/x"])
@pytest.mark.parametrize("job_id", ["nonsense", "%2e%2e", "%00", "00000000-0000-0000-0000-000000000000"])
def test_a_job_that_is_not_there(client: TestClient, path: str, job_id: str) -> None:
    answer = client.get(f"/api/v1/jobs/{job_id}{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_jobs_of_somebody_else_are_not_there(
    client: TestClient, client_of: Clients, service: Service, clip: bytes
) -> None:
    owner, other = client_of("researcher"), client_of("researcher")
    job_id = submit(owner, video_of(service, owner, clip)).json()["id"]
    assert submit(other, client.get("/api/v1/videos").json()["videos"][0]["id"]).status_code == 404
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("POST", "/retry"), ("GET", "/events")]:
        assert other.request(method, f"/api/v1/jobs/{job_id}{path}").status_code == 404, path
    assert other.get("/api/v1/jobs").json()["total"] == 0
    assert client.get("/api/v1/jobs").json()["total"] == 1


def test_output_directory_inside_the_roots(
    settings: ServerSettings, tmp_path: Path, service_with: Callable[[ServerSettings], TestClient], clip: bytes
) -> None:
    root = tmp_path / "out"
    root.mkdir()
    client = service_with(attrs.evolve(settings, roots=(root,)))
    video = client.post("/api/v1/videos", content=clip).json()["id"]
    made = submit(client, video, output_directory=str(root / "study"))
    assert made.json()["request"]["output_directory"] == str(root / "study")
    assert submit(client, video, output_directory=str(root / ".." / "x")).status_code == 400
    assert client.delete(f"/api/v1/jobs/{made.json()['id']}").headers["X-Stays"] == "output_directory"
    both = submit(client, video, output_directory=str(root), db_location=str(root / "study.db")).json()["id"]
    assert client.delete(f"/api/v1/jobs/{both}").headers["X-Stays"] == "output_directory, db_location"
    plain = submit(client, video).json()["id"]
    assert "X-Stays" not in client.delete(f"/api/v1/jobs/{plain}").headers
