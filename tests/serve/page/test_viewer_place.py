"""``/viewer``: the Video Annotation Viewer where its build was placed, and what is said where it was not."""

from __future__ import annotations

from typing import Any

from videoannotator.serve.service import Service


def test_without_a_build_it_says_what_to_do(client: Any) -> None:
    answer = client.get("/viewer/")
    assert answer.status_code == 404
    assert "made for the address <code>/viewer/</code>" in answer.text
    assert "data folder" in answer.text


def test_a_build_is_served_with_its_own_addresses_and_nothing_else(client: Any, service: Service) -> None:
    folder = service.settings.data_dir / "viewer"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>viewer</title>")
    (folder / "assets" / "app.js").write_text("let x = 1;")
    (service.settings.data_dir / "secret.txt").write_text("kept to itself")
    assert "viewer" in client.get("/viewer/").text
    assert client.get("/viewer/assets/app.js").headers["content-type"].startswith("text/javascript")
    assert "viewer" in client.get("/viewer/library/of/videos").text
    assert client.get("/viewer/assets/none.js").status_code == 404
    for path in (
        "/viewer/..%2fsecret.txt",
        "/viewer/%2e%2e/secret.txt",
        "/viewer//etc/passwd",
        "/page/..%2fapi%2fapp.py",
    ):
        answer = client.get(path)
        assert "kept to itself" not in answer.text, path
        assert "root:" not in answer.text, path
        assert "FastAPI" not in answer.text, path
    assert client.get("/viewer/..%2fsecret.txt").status_code == 404
