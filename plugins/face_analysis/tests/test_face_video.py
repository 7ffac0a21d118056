"""Whole runs: the same rows for any batch, tracks and vectors on real videos, and videos that are hard."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of, check_result
from videoannotator.testing.relay import check_state
from videoannotator_face_analysis import videoannotator_pipelines

from . import networks

SPEC = next(spec for spec in videoannotator_pipelines() if spec.name == "face_analysis")
OUTPUTS = ("faces", "tracks", "embeddings", "clusters")


def _annotated(path: Path, config: dict[str, Any], spec: va.PipelineSpec = SPEC, **more: Any) -> va.Result:
    settings: dict[str, Any] = {"catalog": catalog_of(spec), "cache": False, "download": False, **more}
    with va.Annotator(["face_analysis"], config={"face_analysis": config}, **settings) as annotator:
        result = annotator.annotate(path, progress=False)
    assert result.ok, result.failures
    return result


@pytest.fixture(scope="session")
def settings(yunet: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """YuNet, and vectors that are alike where average colours are."""
    network = networks.embedder(tmp_path_factory.mktemp("networks") / "embedder.onnx", normalises=True)
    return {"weights": str(yunet), "embedding": str(network), "same_face": 0.5, "rate": 3.0}


@pytest.fixture(scope="session")
def together(assets: Path, settings: dict[str, Any]) -> va.Result:
    return _annotated(assets / "video" / "caregiver_infant.mp4", settings)


def test_rows_do_not_depend_on_the_batch(assets: Path, settings: dict[str, Any], together: va.Result) -> None:
    import attrs

    for batch in (1, 16):
        spec = attrs.evolve(SPEC, batch=batch)
        other = _annotated(assets / "video" / "caregiver_infant.mp4", settings, spec)
        for output in OUTPUTS:
            assert other["face_analysis"].tables[output] == together["face_analysis"].tables[output], output
    assert len(together["face_analysis"].embeddings) > 10


def test_what_it_remembers_is_all_in_its_state(assets: Path, settings: dict[str, Any], together: va.Result) -> None:
    path = assets / "video" / "caregiver_infant.mp4"
    catalog = catalog_of(SPEC)
    with va.Annotator(["face_analysis"], config={"face_analysis": settings}, catalog=catalog, cache=False) as annotator:
        check_state(annotator.plan(path), "face_analysis", together, "caregiver_infant.mp4")


def test_spans_share_no_numbers(assets: Path, settings: dict[str, Any]) -> None:
    path = assets / "video" / "caregiver_infant.mp4"
    spans = [va.TimeSpan(1.0, 3.0), va.TimeSpan(6.0, 8.0)]
    with va.Annotator(
        ["face_analysis"], config={"face_analysis": settings}, catalog=catalog_of(SPEC), cache=False
    ) as annotator:
        found = annotator.annotate(path, spans=spans, progress=False)["face_analysis"]
    for column, table in (("track", found.faces), ("track", found.tracks), ("cluster", found.clusters)):
        if column == "cluster":
            late = found.clusters.track > found.tracks[found.tracks.end < 3.0].track.max()
        else:
            late = (table.time if "time" in table.columns else table.start) > 4.5
        numbers = np.asarray(table.column(column))
        assert late.any()
        assert (~late).any()
        assert not set(numbers[late].tolist()) & set(numbers[~late].tolist())


def test_tracks_vectors_and_clusters_speak_of_the_same_faces(together: va.Result) -> None:
    found = together["face_analysis"]
    faces = found.faces
    assert set(faces.track.tolist()) == set(found.tracks.track.tolist())
    for row in found.tracks:
        mine = faces[faces.track == row.track]
        assert (len(mine), mine.time[0], mine.time[-1]) == (row.frames, row.start, row.end)
        assert row.score == pytest.approx(mine.score.mean())
    counts: dict[int, int] = {}
    for vector in found.embeddings:
        (face,) = faces[(faces.frame == vector.frame) & (faces.track == vector.track)]
        assert face.yaw is not None
        assert vector.vector.shape == (128,)
        counts[vector.track] = counts.get(vector.track, 0) + 1
        window = faces[(faces.track == vector.track) & (np.floor(faces.time) == np.floor(vector.time))]
        facing = np.cos(np.radians(window.yaw)) * np.cos(np.radians(window.pitch)) * window.sharpness
        assert face.sharpness * np.cos(np.radians(face.yaw)) * np.cos(np.radians(face.pitch)) == pytest.approx(
            np.nanmax(np.where(facing >= 0, facing, np.nan)[_usable(window)]), rel=1e-4
        )
    assert {row.track: row.embeddings for row in found.clusters} == counts
    assert max(np.bincount(np.floor(found.embeddings.time[found.embeddings.track == 1]).astype(int))) == 1


def _usable(window: Any) -> NDArray[np.bool_]:
    facing = np.cos(np.radians(window.yaw)) * np.cos(np.radians(window.pitch))
    return np.asarray((window.eye_distance >= 12) & (np.nan_to_num(facing, nan=-1.0) >= 0.5))


def test_the_default_gives_no_vectors(assets: Path) -> None:
    result = _annotated(assets / "video" / "caregiver_infant.mp4", {"rate": 1.0})
    assert len(result["face_analysis"].tracks) > 0
    assert len(result["face_analysis"].embeddings) == len(result["face_analysis"].clusters) == 0
    untracked = _annotated(assets / "video" / "caregiver_infant.mp4", {"rate": 1.0, "tracking": False})
    assert untracked["face_analysis"].faces.track.mask.all()
    assert len(untracked["face_analysis"].tracks) == 0


def test_both_models_are_recorded_and_a_missing_one_is_named(assets: Path, settings: dict[str, Any]) -> None:
    path = assets / "video" / "shot_change.mp4"
    made = _annotated(path, settings).provenance.pipelines[-1]
    assert [model.name for model in made.models] == ["face_detection_yunet_2026may.onnx", "embedder.onnx"]
    with va.Annotator(
        ["face_analysis"],
        config={"face_analysis": {"embedding": "sface"}},
        catalog=catalog_of(SPEC),
        cache=False,
        download=False,
    ) as annotator:
        (failure,) = annotator.annotate(path, progress=False).failures
    assert "sface is not on this disk" in str(failure)


def _clip(
    path: Path, picture: NDArray[np.uint8], *, rotation: int = 0, pixels: str = "yuv420p", codec: str = "libx264"
) -> Path:
    """Eight times the same picture, a quarter of a second each; a player turns it by ``rotation`` degrees clockwise."""
    stored = np.ascontiguousarray(np.rot90(picture, rotation // 90))
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=Fraction(4))
        stream.width, stream.height, stream.pix_fmt = stored.shape[1], stored.shape[0], pixels
        if rotation:
            stream.set_display_rotation(-rotation)
        for _ in range(8):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(stored, "rgb24").reformat(format=pixels)))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("upright.mp4", {}),
        ("portrait.mp4", {"rotation": 90}),
        ("turned.mp4", {"rotation": 180}),
        ("deep.mkv", {"pixels": "yuv420p10le", "codec": "libx265"}),
    ],
)
@pytest.mark.parametrize("detector", ["centerface", "yunet"])
def test_a_face_is_found_however_it_is_stored(
    astronaut: NDArray[np.uint8], tmp_path: Path, yunet: Path, detector: str, name: str, made: dict[str, Any]
) -> None:
    """A portrait of 360 x 512: its face is where it is in the picture as shown."""
    path = _clip(tmp_path / name, np.ascontiguousarray(astronaut[:, 60:420]), **made)
    weights = str(yunet) if detector == "yunet" else detector
    found = _annotated(path, {"weights": weights, "height": None})["face_analysis"]
    (track,) = found.tracks
    assert track.frames == len(found.faces) == 8
    by_eye = np.array([(203, 101), (249, 104), (226, 124), (201, 141), (247, 141)]) - [60, 0]
    for face in found.faces:
        np.testing.assert_allclose(face.landmarks, by_eye, atol=9)
        assert abs(face.roll) < 12
        assert abs(face.yaw) < 15
        assert face.eye_distance == pytest.approx(46, abs=8)
        assert face.sharpness > 100


@pytest.mark.parametrize("detector", ["centerface", "yunet"])
@pytest.mark.parametrize("size", [(16, 400), (16, 16), (640, 16), (64, 48)])
def test_where_no_face_is_nothing_is_found(tmp_path: Path, yunet: Path, detector: str, size: tuple[int, int]) -> None:
    black = _clip(tmp_path / "black.mp4", np.zeros((size[1], size[0], 3), np.uint8))
    drawn = write_clip(tmp_path / "drawn.mp4", frames=4, rate=5, size=size)
    for path in (black, drawn):
        result = _annotated(path, {"weights": str(yunet) if detector == "yunet" else detector})
        assert [len(result["face_analysis"].tables[output]) for output in OUTPUTS] == [0, 0, 0, 0]
        assert result["face_analysis"].coverage.duration > 0


def test_a_crowd_is_followed(astronaut: NDArray[np.uint8], tmp_path: Path, yunet: Path) -> None:
    """160 faces in every picture, each with a number of its own that stays."""
    face = astronaut[40:190, 150:300]
    crowd = np.tile(face[::2, ::2], (10, 16, 1))
    path = _clip(tmp_path / "crowd.mp4", np.ascontiguousarray(crowd[: 750 // 2 * 2, : 1200 // 2 * 2]))
    result = _annotated(path, {"weights": str(yunet), "height": None})
    found = result["face_analysis"]
    check_result(found, result.media)
    assert len(found.tracks) >= 120
    assert np.median([row.frames for row in found.tracks]) == 8
    assert np.unique(found.faces.track).size == len(found.tracks)
