"""Pipelines, formats, judgement of settings, estimates, templates, batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.serve.api.test_jobs import video_of

from videoannotator.discover.catalog import catalog
from videoannotator.discover.known import SHIPPED
from videoannotator.discover.settings import schema_of
from videoannotator.serve.older import PIPELINES, SETTINGS, translated
from videoannotator.serve.service import Service
from videoannotator.serve.validating import setting_names

Clients = Callable[..., TestClient]


def test_pipelines_with_all_that_is_known_of_them(client: TestClient) -> None:
    told = client.get("/api/v1/pipelines").json()
    assert told["total"] == len(told["pipelines"]) >= len(SHIPPED)
    by_name = {pipeline["name"]: pipeline for pipeline in told["pipelines"]}
    faces = by_name["face_analysis"]
    assert (faces["licence"], faces["needs"], faces["modalities"]) == ("MIT", ["pictures"], ["video"])
    assert {"name", "source", "licence", "size", "sha256", "on_disk", "gated", "summary"} == set(faces["models"][0])
    assert faces["config_schema"]["properties"]["rate"]["description"]
    assert by_name["person_tracking"]["backends"]
    diarization = by_name["speaker_diarization"]
    if not diarization["available"]:
        assert diarization["missing"]
        assert diarization["get"]
    absent = [pipeline for pipeline in told["pipelines"] if not pipeline["installed"]]
    assert all(pipeline["get"].startswith("an operator types: ") for pipeline in absent)
    assert client.get("/api/v1/pipelines/").json() == told
    assert client.get("/api/v1/pipelines/face_analysis").json() == faces
    assert client.get("/api/v1/pipelines/face_laion_clip").json()["name"] == "laion_face"
    near = client.get("/api/v1/pipelines/face_analisis")
    assert (near.status_code, near.json()["code"]) == (404, "PIPELINE_NOT_FOUND")
    assert "did you mean 'face_analysis'" in near.json()["detail"]


def test_settings_as_the_viewer_reads_them(client: TestClient) -> None:
    told = client.get("/api/v1/pipelines/scene_detection/schema").json()
    by_name = {parameter["name"]: parameter for parameter in told["parameters"]}
    assert by_name["detector"]["type"] == "select"
    assert "content" in by_name["detector"]["options"]
    shortest = by_name["min_scene_length"]
    assert (shortest["type"], shortest["default"], shortest["min"]) == ("number", 0.6, 0.0)
    assert set(by_name) == set(told["json_schema"]["properties"])


def test_settings_are_judged_as_a_run_would(client: TestClient, client_of: Clients) -> None:
    wrong = client.post("/api/v1/pipelines/scene_detection/validate", json={"config": {"threshold": -5, "x": 1}}).json()
    assert wrong["valid"] is False
    assert [error["field"] for error in wrong["errors"]] == [
        "config.scene_detection.threshold",
        "config.scene_detection.x",
    ]
    assert {"field", "message", "code", "hint"} == set(wrong["errors"][0])
    assert isinstance(wrong["message"], str)
    nested = {"config": {"scene_detection": {"threshold": 27.0}}}
    assert client.post("/api/v1/pipelines/scene_detection/validate", json=nested).json()["valid"] is True
    assert client.post("/api/v1/config/validate", json=nested).json()["pipelines"] == ["scene_detection"]
    assert client.post("/api/v1/config/validate", json={**nested, "selected_pipelines": ["motion"]}).json()["warnings"]
    assert client.post("/api/v1/pipelines/nonsense/validate", json={"config": {}}).status_code == 404
    assert client_of("guest").post("/api/v1/config/validate", json=nested).json()["valid"] is True


def test_formats(client: TestClient) -> None:
    assert {"native", "coco", "csv", "viewer"} <= {
        one["name"] for one in client.get("/api/v1/formats").json()["formats"]
    }


def test_an_estimate_runs_nothing(client: TestClient, service: Service, clip: bytes) -> None:
    video = video_of(service, client, clip)
    asked = {"video_id": video, "pipelines": ["scene_detection", "voice_activity"], "device": "cpu"}
    told = client.post("/api/v1/jobs/estimate", json=asked).json()
    assert (told["frames"], told["passes"], told["to_fetch"]) == (40, 1, [])
    assert [pipeline["name"] for pipeline in told["pipelines"]] == asked["pipelines"]
    assert told["pipelines"][0]["device"] == "cpu"
    assert client.post("/api/v1/jobs/estimate", json={**asked, "end": 0.8}).json()["frames"] == 20
    assert client.post("/api/v1/jobs/estimate", json={**asked, "pipelines": ["nonsense"]}).status_code == 400
    assert client.get("/api/v1/jobs").json()["total"] == 0


def test_templates(client: TestClient, client_of: Clients, service: Service, clip: bytes) -> None:
    request = {"pipelines": ["scene_detection"], "config": {"scene_detection": {"threshold": 20.0}}}
    made = client.post("/api/v1/templates", json={"name": "classroom", "shared": True, "request": request})
    assert made.status_code == 201, made.text
    template = made.json()
    assert (template["request"], template["own"], template["warnings"]) == (request, True, [])
    assert client.post("/api/v1/templates", json={"name": "classroom", "request": {}}).status_code == 409
    wrong = {"name": "x", "request": {"pipelines": ["nonsense"]}}
    assert client.post("/api/v1/templates", json=wrong).json()["errors"][0]["code"] == "UNKNOWN_PIPELINE"
    other = client_of("researcher")
    assert [(t["name"], t["own"]) for t in other.get("/api/v1/templates").json()["templates"]] == [("classroom", False)]
    place = made.headers["location"]
    assert other.put(place, json={"name": "mine"}).status_code == 403
    assert other.delete(place).status_code == 403
    job = other.post(
        "/api/v1/jobs",
        json={"video_id": video_of(service, other, clip), "template": "classroom", "formats": ["csv"]},
    ).json()
    assert (job["config"], job["request"]["template"], job["request"]["formats"]) == (
        request["config"],
        "classroom",
        ["csv"],
    )
    changed = client.put(place, json={"description": "for wave 2", "shared": False}).json()
    assert (changed["description"], changed["shared"], changed["request"]) == ("for wave 2", False, request)
    assert other.get(place).status_code == 404
    assert client.delete(place).status_code == 204


def test_batches(client: TestClient, client_of: Clients, service: Service, clip: bytes) -> None:
    films = [video_of(service, client, clip) for _ in range(3)]
    asked = {"video_ids": films, "name": "wave 2", "pipelines": ["scene_detection"]}
    made = client.post("/api/v1/batches", json=asked, headers={"Idempotency-Key": "b"})
    assert made.status_code == 201, made.text
    batch = made.json()
    assert (batch["jobs"], batch["state"], len(batch["job_ids"])) == (3, "pending", 3)
    again = client.post("/api/v1/batches", json=asked, headers={"Idempotency-Key": "b"})
    assert again.json() == batch
    listed = client.get("/api/v1/jobs", params={"batch_id": batch["id"]}).json()
    assert {job["id"] for job in listed["jobs"]} == set(batch["job_ids"])
    assert {job["video_id"] for job in listed["jobs"]} == set(films)
    none = client.post("/api/v1/batches", json={**asked, "video_ids": [*films, "nonsense"]})
    assert none.status_code == 404
    assert client.get("/api/v1/jobs").json()["total"] == 3
    assert client_of("researcher").get(made.headers["location"]).status_code == 404
    cancelled = client.post(f"{made.headers['location']}/cancel").json()
    assert (cancelled["cancelled"], cancelled["state"], cancelled["fraction"]) == (3, "cancelled", 1.0)
    assert [one["id"] for one in client.get("/api/v1/batches").json()["batches"]] == [batch["id"]]
    assert client.delete(made.headers["location"]).status_code == 204
    assert client.get("/api/v1/jobs").json()["total"] == 3


_ENTRIES = {name: catalog().backends(name) for name in SETTINGS if name in catalog().pipelines}


@pytest.mark.parametrize("pipeline", sorted(_ENTRIES))
def test_what_old_settings_became_is_there(pipeline: str) -> None:
    now = {name for entry in _ENTRIES[pipeline] for name in (schema_of(entry) or {})["properties"]}
    for old, change in SETTINGS[pipeline].items():
        assert old not in now or isinstance(change, str), f"{old} is a setting today"
        assert isinstance(change, str) or change[0] in now


@pytest.mark.parametrize("old", sorted(PIPELINES))
def test_old_names_of_pipelines_lead_to_ours(old: str) -> None:
    assert old not in SHIPPED
    assert set(PIPELINES[old]) <= set(SHIPPED)


_NAMES = {name: setting_names(catalog(), name) for name in catalog().pipelines}
_PLAIN = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner))
_KEYS = st.sampled_from([*SETTINGS["scene_detection"], "threshold", "pps", "device"]) | st.text(max_size=5)
_CONFIG = st.dictionaries(
    st.sampled_from(["scene", "scene_detection", "person", "pps", "face_laion_clip", "x"]),
    _PLAIN | st.dictionaries(_KEYS, _PLAIN, max_size=4),
    max_size=4,
)


@budget(max_examples=40, deadline=None)
@given(st.none() | st.lists(st.sampled_from([*PIPELINES, *SHIPPED, "x"]), max_size=4), _CONFIG)
def test_translating_loses_nothing_silently(names: list[str] | None, config: dict[str, Any]) -> None:
    made = translated(names, config, _NAMES, lambda name: _NAMES.get(name, ()))
    again = translated(made.pipelines, made.config, _NAMES, lambda name: _NAMES.get(name, ()))
    assert (again.pipelines, again.config) == (made.pipelines, made.config), (names, config)  # today's words stay
    said = {field for field, _ in made.said}
    for name, values in config.items():
        if isinstance(values, dict) and name in _NAMES:
            kept = made.config.get(name, {})
            lost = [key for key in values if f"config.{name}.{key}" not in said and key not in (kept or ())]
            assert not isinstance(kept, dict) or not lost  # what is no mapping stays as it is, and is refused
