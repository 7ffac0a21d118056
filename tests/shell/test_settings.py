"""Settings as typed: TOML files, ``--set``, comma lists, and folders for files of one name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.errors import ConfigError, UsageError
from videoannotator.shell.annotating import folders
from videoannotator.shell.settings import comma_list, read_settings


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("3", 3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ('"0.5"', "0.5"),
        ("yolo11n.pt", "yolo11n.pt"),
        ("/data/my weights/a=b.onnx", "/data/my weights/a=b.onnx"),
        ("C:\\models\\a.pt", "C:\\models\\a.pt"),
        ("2024-01-01", "2024-01-01"),
        ("", ""),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_values_are_toml_where_they_are_and_text_elsewhere(text: str, value: object) -> None:
    assert read_settings(None, [f"a.key={text}"]) == {"a": {"key": value}}


def test_assignments_go_inside_groups_and_win() -> None:
    assert read_settings(None, ["a.tracker.buffer=1", "a.tracker.buffer=2", "a.x=1"]) == {
        "a": {"tracker": {"buffer": 2}, "x": 1}
    }
    with pytest.raises(ConfigError, match="has no keys inside"):
        read_settings(None, ["a.x=1", "a.x.y=2"])


@pytest.mark.parametrize("wrong", ["a", "a=1", "=1", "a.=1", ".b=1"])
def test_assignments_of_another_shape_are_refused(wrong: str) -> None:
    with pytest.raises(UsageError, match="--set takes"):
        read_settings(None, [wrong])


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.integers() | st.booleans(), max_size=4))
def test_a_file_gives_what_it_says(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    file = tmp_path_factory.mktemp("settings") / "lab.toml"
    file.write_text("[a]\n" + "".join(f"{key} = {str(value).lower()}\n" for key, value in values.items()))
    assert read_settings(file, []) == tomllib.loads(file.read_text()) == {"a": values}


@pytest.mark.parametrize(
    ("text", "says"), [("a = [", "is not TOML"), ("rate = 5", "stands outside a pipeline's table")]
)
def test_files_of_another_shape_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "lab.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_settings(file, [])


def test_comma_lists() -> None:
    assert comma_list(["a, b", "b,c,", ""]) == ["a", "b", "c"]


NAMES = st.sampled_from(["clip.mp4", "Clip.mp4", "clip.avi", "other.mp4", "a_clip.mp4"])
PATHS = st.builds(lambda folder, name: Path("/", *folder, name), st.lists(st.sampled_from("ab"), max_size=3), NAMES)


@given(st.lists(PATHS, unique=True, max_size=6))
def test_no_two_videos_write_the_same_files(videos: list[Path]) -> None:
    places = folders(videos, Path("out"))
    assert list(places) == videos
    targets = {(str(places[video]).casefold(), video.stem.casefold()) for video in videos}
    alone = [video for video in videos if sum(v.stem.casefold() == video.stem.casefold() for v in videos) == 1]
    assert len(targets) == len(videos)
    assert all(places[video] == Path("out") for video in alone)
