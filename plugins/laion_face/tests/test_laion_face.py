"""The pipeline on real video, against a plain forward of transformers' own model and of the heads as trained."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.errors import ConfigError, ModelError
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import check_pipeline
from videoannotator_laion_face.encoder import Encoder, portrait
from videoannotator_laion_face.heads import Heads, neutral_means
from videoannotator_laion_face.rows import DIMENSIONS, EMOTIONS

CORNERS = ("x1", "y1", "x2", "y2")


def run(path: Path, end: float | None = None, rate: float = 1.0, **config: Any) -> va.Result:
    settings = {"laion_face": {"rate": rate, **config}, "face_analysis": {"rate": rate}}
    with va.Annotator(["face_analysis", "laion_face"], config=settings, cache=False, download=False) as annotator:
        return annotator.annotate(path, end=end, progress=False)


def reference(siglip: Path, crops: list[NDArray[np.uint8]]) -> Any:
    """What transformers' whole model says of pictures prepared by hand: float32 (N, WIDTH)."""
    from transformers import SiglipModel

    model = SiglipModel.from_pretrained(siglip).eval()
    seen = []
    for crop in crops:
        picture = Image.fromarray(crop).resize((32, 32), Image.Resampling.BILINEAR)
        pixels = (torch.tensor(np.asarray(picture)).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5
        with torch.no_grad():
            said = model.get_image_features(pixel_values=pixels)
        seen.append(said if isinstance(said, torch.Tensor) else said.pooler_output)
    return torch.cat(seen)


@pytest.fixture
def film(assets: Path) -> Path:
    return assets / "video" / "face_expressions.mp4"


def test_ratings_are_those_of_a_plain_forward(film: Path, siglip: Path, large: Any) -> None:
    folder, heads = large
    result = run(film, 4.0, weights=str(folder), encoder=str(siglip), embeddings=True, scaled=True, margin=0.2)
    assert result.ok, result.failures
    faces, rated = result["face_analysis"].faces, result["laion_face"]
    assert len(rated.emotions) == len(faces) == 4
    for name in ("frame", "time", *CORNERS):
        assert (rated.emotions.column(name) == faces.column(name)).all()
    crops = []
    with DecodePass(probe(film), [va.Frames(rate=1.0)]) as decoding:
        for picture in decoding:
            for face in faces[faces.frame == picture.frame]:
                x1, y1, x2, y2 = (getattr(face, name) for name in CORNERS)
                side = max(x2 - x1, y2 - y1) * 1.4
                left, top = round((x1 + x2) / 2 - side / 2), round((y1 + y2) / 2 - side / 2)
                padded = np.pad(picture.pixels(0), ((400, 400), (400, 400), (0, 0)), mode="edge")
                crops.append(padded[400 + top :, 400 + left :][: round(side), : round(side)])
    embeddings = reference(siglip, crops)
    np.testing.assert_allclose(np.stack(list(rated.embeddings.vector)), embeddings, atol=2e-5)
    at_unit_length = embeddings / embeddings.norm(dim=1, keepdim=True)
    for name in EMOTIONS:
        with torch.no_grad():
            expected = heads[name](at_unit_length)[:, 0].numpy()
        np.testing.assert_allclose(rated.emotions.column(name), expected, atol=1e-5)
        np.testing.assert_allclose(rated.scaled.column(name), expected / 7, atol=1e-5)
        mean = EMOTIONS.index(name) / 10
        np.testing.assert_allclose(rated.above_neutral.column(name), expected - mean, atol=1e-5)
    with torch.no_grad():
        valence = heads["valence"](at_unit_length)[:, 0].numpy()
    np.testing.assert_allclose(rated.dimensions.column("valence"), valence, atol=1e-5)
    assert [row.dominance for row in rated.dimensions] == [None] * 4, "there is no such head in the folder"
    assert not set(DIMENSIONS) & set(rated.emotions.columns)
    assert np.ptp(rated.emotions.anger) > 0, "it must look at the pictures"


def test_it_matters_whether_the_embedding_has_unit_length(film: Path, siglip: Path, small: Any) -> None:
    folder, heads = small
    result = run(film, 1.0, weights=str(folder), encoder=str(siglip), embeddings=True, normalize=False)
    vector = torch.tensor(np.array(result["laion_face"].embeddings.vector[0]))[None]
    with torch.no_grad():
        expected = float(heads["triumph"](vector))
    assert result["laion_face"].emotions.triumph[0] == pytest.approx(expected, abs=1e-5)
    other = run(film, 1.0, weights=str(folder), encoder=str(siglip))["laion_face"]
    assert other.emotions.triumph[0] != result["laion_face"].emotions.triumph[0]
    assert len(other.embeddings) == len(other.scaled) == len(other.above_neutral) == len(other.dimensions) == 0


def test_red_is_red(siglip: Path) -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 255
    encoder = Encoder(siglip)
    np.testing.assert_allclose(encoder([red]), reference(siglip, [red]), atol=1e-5)
    assert not np.allclose(encoder([red]), encoder([red[..., ::-1].copy()]), atol=1e-3)


def test_some_heads_only(film: Path, siglip: Path, large: Any) -> None:
    folder, _ = large
    some = {"weights": str(folder), "encoder": str(siglip), "heads": ("valence", "jealousy_envy")}
    rated = run(film, 1.0, **some)["laion_face"]
    assert rated.emotions[0].jealousy_envy is not None
    assert rated.emotions[0].anger is None
    assert rated.dimensions[0].valence is not None
    only = run(film, 1.0, **{**some, "heads": ("valence",)})["laion_face"]
    assert (len(only.emotions), len(only.dimensions)) == (0, 1)
    assert only.dimensions[0].valence == rated.dimensions[0].valence


def test_no_face_no_row_and_frames_that_nobody_searched_are_refused(
    tmp_path: Path, film: Path, siglip: Path, small: Any
) -> None:
    config = {"weights": str(small[0]), "encoder": str(siglip)}
    clip = write_clip(tmp_path / "clip.mp4", frames=10, rate=10)
    result = run(clip, **config)
    assert result.ok, result.failures
    assert len(result["laion_face"].emotions) == 0
    assert result["laion_face"].coverage.duration > 0
    settings = {"laion_face": {**config, "rate": 10.0}, "face_analysis": {"rate": 1.0}}
    with va.Annotator(["face_analysis", "laion_face"], config=settings, cache=False) as annotator:
        (failure,) = annotator.annotate(film, end=2.0, progress=False).failures
    assert failure.pipeline == "laion_face"
    assert "face_analysis looks at 1 per second" in failure.message


def test_rows_can_be_written_and_read(tmp_path: Path, film: Path, siglip: Path, large: Any) -> None:
    result = run(film, 2.0, weights=str(large[0]), encoder=str(siglip), embeddings=True)
    result.export(tmp_path, formats=["native", "csv"])
    assert va.read(tmp_path / "face_expressions.videoannotator") == result
    assert va.read(tmp_path / "face_expressions.datapackage.json").pipelines == result.pipelines


@pytest.mark.slow
def test_contract(tmp_path: Path, siglip: Path, small: Any) -> None:
    config = {"weights": str(small[0]), "encoder": str(siglip), "rate": 5.0, "embeddings": True}
    check_pipeline("laion_face", tmp_path, config=config)


def test_what_others_have_fetched_is_used_without_a_network(
    tmp_path: Path, film: Path, siglip: Path, large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defaults, offline, with the hub's own cache filled by somebody else."""
    for repository, folder in (
        ("google--siglip2-so400m-patch16-384", siglip),
        ("laion--Empathic-Insight-Face-Large", large[0]),
    ):
        store = tmp_path / "hub" / f"models--{repository}"
        shutil.copytree(folder, store / "snapshots" / "0123abcd")
        (store / "refs").mkdir()
        (store / "refs" / "main").write_text("0123abcd")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = run(film, 1.0)
    assert result.ok, result.failures
    assert len(result["laion_face"].emotions) == len(result["laion_face"].above_neutral) == 1
    models = {model.name: model for model in result.provenance.pipelines[-1].models}
    assert models["empathic-insight-face-large"].licence == "CC-BY-4.0"
    assert models["siglip2-so400m-patch16-384"].source == "hub:google/siglip2-so400m-patch16-384@main"


def test_heads_of_both_suites_are_loaded_and_others_refused(tmp_path: Path, small: Any, large: Any) -> None:
    for folder, made in (small, large):
        heads = Heads(folder, width=32)
        assert heads.names == tuple(name for name in (*EMOTIONS, *DIMENSIONS) if name in made)
        embeddings = torch.randn(3, 32)
        with torch.no_grad():
            expected = torch.stack([made[name](embeddings)[:, 0] for name in heads.names], dim=1)
        torch.testing.assert_close(heads(embeddings), expected)
    with pytest.raises(ModelError, match="takes embeddings of 32 numbers, and is given 1152"):
        Heads(small[0], width=1152)
    with pytest.raises(ConfigError, match=r"no head 'angr' \(did you mean 'anger'"):
        Heads(small[0], width=32, names=["angr"])
    with pytest.raises(ConfigError, match="has no head 'valence'; it has"):
        Heads(small[0], width=32, names=["valence"])
    with pytest.raises(ConfigError, match="names no head"):
        Heads(small[0], width=32, names=[])
    with pytest.raises(ModelError, match="no folder of heads"):
        Heads(small[0] / "model_awe_best.pth", width=32)
    with pytest.raises(ModelError, match="holds no model_NAME_best"):
        Heads(tmp_path, width=32)
    broken = tmp_path / "broken"
    shutil.copytree(small[0], broken)
    (broken / "model_awe_best.pth").unlink()
    with pytest.raises(ModelError, match="lacks 1 of the 40 emotions: awe"):
        Heads(broken, width=32)


class _Code:
    def __reduce__(self) -> Any:
        return os.mkdir, ("it-was-run",)


@pytest.mark.parametrize(
    ("holds", "says"),
    [
        ({"layers.0.weight": torch.ones(1, 32)}, "not linear ones with a bias"),
        ({"layers.0.weight": torch.ones(2, 32), "layers.0.bias": torch.ones(2)}, "does not end in one rating"),
        ({"other": torch.ones(3)}, "does not end in one rating"),
        ([1, 2], "does not end in one rating"),
        ({"layers.0.weight": _Code()}, "not unpickled here"),
        (None, "no head, or holds"),
    ],
)
def test_files_that_are_no_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: Any, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model_anger_best.pth"
    if holds is None:
        file.write_bytes(pickle.dumps({"layers.0.weight": _Code()}))
    else:
        torch.save(holds, file)
    with pytest.raises(ModelError, match=says):
        Heads(tmp_path, width=32, names=["anger"])
    assert not (tmp_path / "it-was-run").exists()


def test_what_is_no_encoder_and_no_means(tmp_path: Path, siglip: Path, film: Path, large: Any) -> None:
    with pytest.raises(ModelError, match="no SigLIP checkpoint"):
        Encoder(tmp_path)
    (tmp_path / "means.json").write_text(json.dumps({"anger": 0.5, "Jealousy_&_Envy": {"mean": 1, "std": 2}, "x": 3}))
    assert neutral_means(tmp_path / "means.json") == {"anger": 0.5, "jealousy_envy": 1.0}
    for text in ("[1]", "{", '{"anger": "much"}', '{"x": 1}'):
        (tmp_path / "means.json").write_text(text)
        with pytest.raises(ModelError, match=r"means\.json"):
            neutral_means(tmp_path / "means.json")
    (tmp_path / "own.json").write_text(json.dumps({"anger": 0.5}))
    rated = run(film, 1.0, weights=str(large[0]), encoder=str(siglip), neutral=str(tmp_path / "own.json"))["laion_face"]
    assert rated.above_neutral[0].anger == pytest.approx(rated.emotions[0].anger - 0.5, abs=1e-6)
    assert rated.above_neutral[0].awe is None, "its mean was not told"
    folder = tmp_path / "two"
    shutil.copytree(large[0], folder)
    (folder / "neutral_stats_2.json").write_text("{}")
    (failure,) = run(film, 1.0, weights=str(folder), encoder=str(siglip)).failures
    assert "more than one file beside the heads" in failure.message


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.tuples(*[st.floats(-80, 140, width=32)] * 2),
    st.tuples(*[st.floats(0, 120, width=32)] * 2),
    st.floats(0, 2),
)
def test_portraits_are_squares_around_the_face(
    width: int, height: int, corner: tuple[float, float], size: tuple[float, float], margin: float
) -> None:
    x, y = np.meshgrid(np.arange(width, dtype=np.uint8), np.arange(height, dtype=np.uint8))
    picture = np.stack([x, y, x], axis=-1)
    box = np.array([*corner, corner[0] + size[0], corner[1] + size[1]])
    crop = portrait(picture, box, margin)
    shown = np.minimum(box[2:], [width, height]) - np.maximum(box[:2], 0)
    if crop is None:
        assert min(shown) < 1
        return
    assert crop.shape[0] == crop.shape[1] == max(1, round(max(size) * (1 + 2 * margin)))
    # every pixel of the picture inside the square is where it was; what lies outside repeats the border
    left, top = (
        round((box[0] + box[2]) / 2 - max(size) * (0.5 + margin)),
        round((box[1] + box[3]) / 2 - max(size) * (0.5 + margin)),
    )
    at = np.arange(crop.shape[0])
    assert (crop[0, :, 0] == np.clip(at + left, 0, width - 1)).all()
    assert (crop[:, 0, 1] == np.clip(at + top, 0, height - 1)).all()


def test_settings_and_listing_import_no_model() -> None:
    code = (
        "import sys, videoannotator_laion_face as p, videoannotator_laion_face.config, videoannotator_laion_face.rows; "
    )
    code += (
        "p.videoannotator_pipelines(); print([m for m in ('torch', 'transformers', 'PIL', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for wrong in ({"margin": -1}, {"rate": 0}, {"margins": 0.1}, {"heads": "anger"}):
        with pytest.raises(ConfigError):
            va.Annotator(["laion_face"], config={"laion_face": wrong})
