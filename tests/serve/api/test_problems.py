"""Every refusal is a problem document, whoever refuses."""

from __future__ import annotations

from starlette.testclient import TestClient


def test_a_route_that_is_not_there_is_a_problem_document(client: TestClient) -> None:
    answer = client.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "NOT_FOUND"
    assert isinstance(answer.json()["detail"], str)
