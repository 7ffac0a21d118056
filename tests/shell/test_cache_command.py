"""``videoannotator cache``."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.run.pipelines import CATALOG

import videoannotator as va
from videoannotator.shell.main import Exit, main
from videoannotator.testing.clips import write_clip


def test_what_is_kept_is_listed_and_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10, rate=25)
    with va.Annotator(["watch"], catalog=CATALOG) as annotator:
        annotator.annotate(clip, progress=False)
    assert main(["cache", "list"]) == Exit.WELL
    shown = capsys.readouterr()
    pipeline, media, _, used = shown.out.rstrip("\n").split("\t")
    assert (pipeline, media, used) == ("watch", "clip.mp4", "used 0.0 days ago")
    assert shown.err.startswith("1 results, ")
    assert main(["cache", "clear", "--older-than", "1"]) == Exit.WELL
    assert capsys.readouterr().err == "freed 0.0 MB\n"
    assert main(["cache", "clear", "--older-than=-1"]) == Exit.USAGE
    assert main(["cache", "clear"]) == Exit.WELL
    capsys.readouterr()
    assert main(["cache", "list"]) == Exit.WELL
    assert capsys.readouterr().out == ""


def test_no_cache_computes_anew_and_keeps_nothing(tmp_path: Path, own_cache: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10, rate=25)
    command = ["annotate", str(clip), "--pipelines", "scene_detection", "--out", str(tmp_path / "out")]
    assert main([*command, "--no-cache"]) == Exit.WELL
    assert not list(own_cache.glob("results/*/entry.json"))
    assert main(command) == Exit.WELL
    assert len(list(own_cache.glob("results/*/entry.json"))) == 1

    def taken() -> bool:
        result = va.read(tmp_path / "out" / "clip.videoannotator")
        return result.provenance.pipelines[0].cached

    assert not taken()
    assert main(command) == Exit.WELL
    assert taken()
    assert main([*command, "--no-cache"]) == Exit.WELL
    assert not taken()
