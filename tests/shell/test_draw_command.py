"""The command that draws."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import pytest

import videoannotator as va
from videoannotator.data.outcome import Coverage, Provenance
from videoannotator.data.result import PipelineResult, Result
from videoannotator.data.rows import Shot
from videoannotator.data.table import Table
from videoannotator.discover.hashing import known_sha256
from videoannotator.shell.main import main
from videoannotator.testing.clips import write_clip

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """A folder with ``annotations/film.videoannotator`` of a film that lies beside it, in which nothing was found."""
    film = write_clip(tmp_path / "film.mp4", frames=10, rate=10, size=(320, 240))
    media = va.probe(film)
    made = Provenance(film.name, known_sha256(film), "2.0", "2026-01-01T00:00:00+00:00", media.span)
    rows = PipelineResult("scene_detection", {"shots": Table.empty(Shot)}, Coverage((media.span,)))
    Result(media, {"scene_detection": rows}, made).export(tmp_path / "annotations")
    return tmp_path


def test_annotate_draws(command: Command, tmp_path: Path) -> None:
    write_clip(tmp_path / "film.mp4", frames=10, rate=10)
    write_clip(tmp_path / "sound.m4a", frames=0, sound="tone")
    done = command("annotate", "film.mp4", "sound.m4a", "--pipelines", "grey", "--format", "native", "--video")
    assert done.returncode == 1, "grey cannot look at sound"
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert names == ["film.videoannotator", "film_drawn.mp4", "sound.videoannotator"]
    assert "no video is drawn: this file has no pictures" in done.stderr
    with av.open(str(tmp_path / "annotations" / "film_drawn.mp4")) as film:
        assert film.streams.video[0].frames == 10


def test_all_pictures_of_a_result(command: Command, annotated: Path) -> None:
    wanted = [
        "--video",
        "v.mp4",
        "--sheet",
        "s.png",
        "--tracks",
        "t.png",
        "--image",
        "i.jpg",
        "--at",
        "0.5",
        "--end",
        "0.5",
    ]
    done = command("draw", "annotations/film.videoannotator", *wanted)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["s.png", "t.png", "i.jpg", "v.mp4"]
    assert all((annotated / name).stat().st_size for name in done.stdout.split())
    info = va.probe(annotated / "v.mp4")
    assert info.video is not None
    assert len(info.video.clock) == 5


def test_a_film_finds_its_result_and_a_result_its_film(
    annotated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(annotated)
    assert main(["draw", "film.mp4", "--sheet", "s.png"]) == 0
    (annotated / "moved").mkdir()
    shutil.move(annotated / "film.mp4", annotated / "moved" / "other.mp4")
    assert main(["draw", "annotations/film.videoannotator", "--video", "v.mp4"]) == 1
    assert "--media PATH" in capsys.readouterr().err
    again = ["draw", "annotations/film.videoannotator", "--video", "v.mp4", "--media", "moved/other.mp4"]
    assert main(again) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.videoannotator", "--sheet", "s.png"], "no such file"),
        (["annotations/film.videoannotator"], "say what to draw: --video OUT.mp4"),
        (["annotations/film.videoannotator", "--image", "i.png"], "go together"),
        (["annotations/film.videoannotator", "--sheet", "s.png", "--show", "boxs"], "did you mean 'boxes'"),
        (["annotations/film.videoannotator", "--video", "v.avi"], "ends with .mp4"),
        (["annotations/film.videoannotator", "--video", "v.mp4", "--hide", "faces"], "annotate with face_analysis"),
        (["lonely.mp4", "--sheet", "s.png"], "annotate lonely.mp4"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    annotated: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    write_clip(annotated / "lonely.mp4", frames=2, rate=10)
    monkeypatch.chdir(annotated)
    assert main(["draw", *arguments]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
