"""Labels by open_clip's own loading, preparing and tokens; numbers against a plain computation with open_clip."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from plugins.scene_detection.tests.clips_of_clip import TINY, write_folder
from plugins.scene_detection.tests.test_scene_detection import _COMMANDS, _feed, _pipeline

import videoannotator as va
from videoannotator.data.frames import FrameBatch
from videoannotator.errors import ConfigError, MissingDependencyError, ModelError
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator_scene_detection import videoannotator_pipelines
from videoannotator_scene_detection.clip import Clip
from videoannotator_scene_detection.labelling import Labeller
from videoannotator_scene_detection.looking import Looking, spread
from videoannotator_scene_detection.pipeline import SceneDetection
from videoannotator_scene_detection.places import PLACES

open_clip = pytest.importorskip("open_clip", reason="the extra 'labels' is not installed")
(SPEC,) = videoannotator_pipelines()
WORDS = ["kitchen", "stage", "garden with a swing"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("clip") / "tiny")


def settings_of(folder: Path, **more: Any) -> dict[str, Any]:
    return {"labels": WORDS, "weights": str(folder), "abstain_below": 0.0, "embeddings": True, **more}


def by_the_book(folder: Path, video: Path, frames: list[int], labels: list[str], templates: list[str]) -> Any:
    """Probabilities (frames, labels), as open_clip's README computes them, on pictures decoded apart."""
    import torch
    from PIL import Image

    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with av.open(str(video)) as container:
        pictures = [f.to_ndarray(format="rgb24") for n, f in enumerate(container.decode(video=0)) if n in frames]
    words, images = [], []
    with torch.no_grad():
        for label in labels:
            vectors = [model.encode_text(tokenizer([t.replace("{}", label)]))[0] for t in templates]
            mean = torch.stack([v / v.norm() for v in vectors]).mean(dim=0)
            words.append(mean / mean.norm())
        for picture in pictures:
            # three values, of which the predecessor took two
            image, _, scale = model(prepare(Image.fromarray(picture))[None], tokenizer(["anything"]))
            images.append(image[0])
        return (scale * torch.stack(images) @ torch.stack(words).T).softmax(dim=-1).numpy()


def test_labels_are_those_of_open_clip_computed_plainly(assets: Path, run_alone: Any, folder: Path) -> None:
    video = assets / "video" / "speech_on_stage.mp4"
    templates = ["a photo of a {}.", "this is a {}", "{}"]
    tables = run_alone(SPEC, video, settings_of(folder, templates=templates, frames_per_shot=3)).tables
    shots, labels, seen = tables["shots"], list(tables["labels"]), tables["embeddings"]
    assert [(row.start_frame, row.end_frame) for row in labels] == [(s.start_frame, s.end_frame) for s in shots]
    for row in labels:
        assert [one.label for one in row.probabilities] == WORDS
        frames = [f for f in seen.frame.tolist() if row.start_frame <= f < row.end_frame]
        assert len(frames) == row.frames <= 3
        expected = by_the_book(folder, video, frames, WORDS, templates).mean(axis=0)
        assert [one.probability for one in row.probabilities] == pytest.approx(expected.tolist(), abs=1e-4)
        best = int(expected.argmax())
        assert (row.label, row.score) == (WORDS[best], row.probabilities[best].probability)
    assert shots.label.tolist() == [row.label for row in labels]
    assert len({row.probabilities for row in labels}) == len(labels), "it looked at the same pictures for every shot"


def test_pictures_are_prepared_as_open_clip_prepares_them(assets: Path, folder: Path) -> None:
    """The same tensor, to the bit, as from an image of the same frame: colours are not swapped, sides not stretched."""
    from PIL import Image

    with av.open(str(assets / "video" / "speech_on_stage.mp4")) as container:
        frame = next(container.decode(video=0))
    clip = Clip(folder, architecture="ViT-B-32", pretrained=None, device="cpu")
    _, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    given: list[Any] = []
    own, clip.prepare = clip.prepare, lambda image: given.append(own(image)) or given[-1]
    clip.picture(frame.to_ndarray(format="bgr24"))
    assert (given[0] == prepare(Image.fromarray(frame.to_ndarray(format="rgb24")))).all()


def test_temperature_and_abstaining(assets: Path, run_alone: Any, folder: Path) -> None:
    video, span = assets / "video" / "shot_change.mp4", va.TimeSpan(2.0, 4.0)
    tables = {
        t: run_alone(SPEC, video, settings_of(folder, temperature=t, abstain_below=0.5), span=span).tables
        for t in (0.05, 1.0, 1e6)
    }
    sure, plain, none = (list(tables[t]["labels"]) for t in (0.05, 1.0, 1e6))
    assert len(plain) == 2
    for cold, row, hot in zip(sure, plain, none, strict=True):
        assert cold.score > row.score > hot.score
        assert hot.score == pytest.approx(1 / 3, abs=1e-3)
        assert hot.label is None
        assert cold.label == WORDS[int(np.argmax([p.probability for p in row.probabilities]))]
        assert len(hot.probabilities) == 3  # what it compared is kept
    assert [shot.label for shot in tables[1e6]["shots"]] == [None, None]


@pytest.mark.parametrize("how", ["file", "pickled"])
def test_a_bare_weights_file_needs_its_architecture(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    import torch
    from safetensors.torch import load_file

    weights = folder / "open_clip_model.safetensors"
    if how == "pickled":
        torch.save({"state_dict": load_file(weights)}, tmp_path / "tiny.pt")
        weights = tmp_path / "tiny.pt"
    (tmp_path / "Tiny-CLIP.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(tmp_path / "Tiny-CLIP.json")
    whole = Clip(folder, architecture="ViT-B-32", pretrained=None, device="cpu")
    bare = Clip(weights, architecture="Tiny-CLIP", pretrained=None, device="cpu")
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    np.testing.assert_array_equal(bare.picture(picture), whole.picture(picture))
    np.testing.assert_array_equal(bare.words(WORDS, ["{}"]), whole.words(WORDS, ["{}"]))
    assert bare.scale == whole.scale == pytest.approx(np.exp(3.5))


def test_what_cannot_be_loaded_is_said(folder: Path, tmp_path: Path) -> None:
    weights = folder / "open_clip_model.safetensors"

    def load(path: Path, architecture: str = "ViT-B-32", pretrained: str | None = None) -> None:
        Clip(path, architecture=architecture, pretrained=pretrained, device="cpu")

    with pytest.raises(ModelError, match="open_clip cannot load this as ViT-B-32"):
        load(weights)
    with pytest.raises(ConfigError, match=r"'ViT-B-33' is none of open_clip's; it has .*ViT-B-32"):
        load(weights, "ViT-B-33")
    with pytest.raises(ConfigError, match="weights of ViT-L-14 differ in how pictures are prepared"):
        load(weights, "ViT-L-14")
    with pytest.raises(ConfigError, match="pretrained='mine': open_clip knows for ViT-L-14 openai"):
        load(weights, "ViT-L-14", "mine")
    with pytest.raises(ModelError, match="its tokenizer, timm/ViT-B-16-SigLIP, is not beside the weights"):
        load(weights, "ViT-B-16-SigLIP")
    with pytest.raises(ModelError, match="would be fetched unasked"):
        load(weights, "xlm-roberta-base-ViT-B-32")
    with pytest.raises(ModelError, match="is no open_clip model"):
        load(tmp_path)
    (tmp_path / "code.pt").write_bytes(pickle.dumps(print, protocol=2))
    with pytest.raises(ModelError, match="open_clip cannot load this"):
        load(tmp_path / "code.pt")


def test_without_open_clip_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'videoannotator-scene-detection\[labels\]'"):
        Clip(folder, architecture="ViT-B-32", pretrained=None, device="cpu")


def test_the_declared_weights_are_asked_for_only_with_labels(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=5, rate=5)
    catalog = catalog_of(SPEC)
    with va.Annotator(["scene_detection"], catalog=catalog, cache=False) as annotator:
        assert annotator.plan(clip).to_fetch == ()
    config = {"scene_detection": {"places": True}}
    with va.Annotator(["scene_detection"], config=config, catalog=catalog, cache=False, download=False) as annotator:
        (model,) = annotator.plan(clip).to_fetch
        assert (model.size, model.licence) == (605_143_316, "MIT")
        result = annotator.annotate(clip, progress=False)
    (failure,) = result.failures
    assert "downloads are off" in failure.message


def test_without_labels_no_torch_is_imported(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=5, rate=5)
    code = (
        "import sys, videoannotator as va\n"
        "with va.Annotator(['scene_detection'], cache=False) as annotator:\n"
        f"    r = annotator.annotate({str(clip)!r}, progress=False)\n"
        "assert r.ok and len(r['scene_detection'].shots) and not len(r['scene_detection'].labels)\n"
        "print(sorted({'torch', 'open_clip', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.slow
def test_contract_with_labels_and_fades(tmp_path: Path, folder: Path) -> None:
    config = settings_of(folder, fades=True, threshold=5.0, min_scene_length=0.1)
    results = check_pipeline("scene_detection", tmp_path, catalog_=catalog_of(SPEC), config=config)
    assert all(len(result["scene_detection"].labels) for result in results.values())


def test_batches_of_any_size_give_the_same_rows(assets: Path, folder: Path) -> None:
    tables = []
    for batch in (1, 16):
        spec = attrs.evolve(SPEC, batch=batch)
        config = {"scene_detection": settings_of(folder)}
        with va.Annotator(["scene_detection"], catalog=catalog_of(spec), config=config, cache=False) as annotator:
            video = assets / "video" / "speech_on_stage.mp4"
            tables.append(annotator.annotate(video, spans=[(0, 3)], progress=False)["scene_detection"].tables)
    assert tables[0] == tables[1]
    assert len(tables[0]["labels"]) > 1


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("narrow.mp4", {"size": (16, 120)}),
        ("low.mp4", {"size": (320, 16)}),
        ("turned.mp4", {"size": (160, 120), "rotation": 90}),
        ("deep.mkv", {"codec": "libx265", "pixel_format": "yuv420p10le"}),
        ("one.mp4", {"frames": 1}),
    ],
)
def test_hard_videos_have_one_shot_with_a_label(
    tmp_path: Path, run_alone: Any, folder: Path, name: str, how: dict[str, Any]
) -> None:
    path = write_clip(tmp_path / name, rate=25, **{"frames": 8} | how)
    tables = run_alone(SPEC, path, settings_of(folder, fades=True, min_scene_length=5.0)).tables
    (shot,), (label,) = tables["shots"], tables["labels"]
    assert (shot.start_frame, shot.end_frame) == (label.start_frame, label.end_frame) == (0, how.get("frames", 8))
    assert shot.label == label.label
    assert sum(one.probability for one in label.probabilities) == pytest.approx(1)


def test_the_list_of_places_is_sound() -> None:
    assert len(set(PLACES)) == len(PLACES) > 20
    assert all(place == place.strip() and not place.startswith(("a ", "an ", "the ")) for place in PLACES)


# ---- without a network ----------------------------------------------------------------------------------------------


class _Looks:
    """Stands where `Clip` does: sees the grey of a picture."""

    scale = 10.0

    def picture(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        angle = float(pixels.mean()) / 255
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


class _Unloaded(SceneDetection):
    def setup(self) -> None:
        """No network."""


def _labelled(pts: Any, config: dict[str, Any]) -> Any:
    pipeline = _pipeline(pts, config, kind=_Unloaded)
    pipeline._labeller = Labeller(pipeline.config, _Looks(), np.eye(2, dtype=np.float32), pipeline._clock)  # type: ignore[arg-type]
    return pipeline


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0, 5, 90, 250])), min_size=1, max_size=60),
    st.sampled_from(list(_COMMANDS)),
    st.floats(0, 1),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_labels_are_told_once_for_every_shot_that_was_looked_at(
    steps: list[tuple[int, int]], detector: str, shortest: float, most: int, random: Any
) -> None:
    pts = 1000 + np.cumsum([step for step, _ in steps])
    config = {
        "detector": detector,
        "min_scene_length": shortest,
        "labels": ["dark", "bright"],
        "frames_per_shot": most,
        "embeddings": True,
    }
    pipeline = _labelled(pts, config)
    frames = sorted(random.sample(range(len(steps)), random.randint(1, len(steps))))
    colors = [steps[frame][1] for frame in frames]
    rows: list[Any] = []
    seen: list[Any] = []
    clock = pipeline._clock
    for frame, color in zip(frames, colors, strict=True):
        pixels = np.full((1, 24, 32, 3), color, np.uint8)
        given_ = pipeline.process(FrameBatch(np.array([frame]), clock.times[[frame]], pixels, "bgr", 32, 24)) or {}
        rows += given_.get("labels", ())
        seen += given_.get("embeddings", ())
        told = pipeline.state()
        pipeline = _labelled(pts, config)
        pipeline.restore(told)
    given_ = pipeline.finish()
    rows += given_["labels"]
    seen += given_["embeddings"]
    shots = {(s.start_frame, s.end_frame, s.start, s.end): s for s in given_["shots"]}
    keys = [(r.start_frame, r.end_frame, r.start, r.end) for r in rows]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)
    assert set(keys) <= set(shots)
    assert all(shots[key].label == row.label for key, row in zip(keys, rows, strict=True))
    assert [shots[key].label for key in shots if key not in keys] == [None] * (len(shots) - len(keys))
    looked = [one.frame for one in seen]
    assert looked == sorted(set(looked))
    for row in rows:
        inside = [frame for frame in looked if row.start_frame <= frame < row.end_frame]
        assert len(inside) == row.frames <= most
    if shortest >= 0.5 and detector != "threshold":
        # told before it can be over: nothing was missed
        assert len(keys) == len(shots) or any(s.end - s.start < 1 for s in shots.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4000), st.floats(0.01, 2))
def test_an_endless_shot_is_looked_at_seldom_and_evenly(most: int, frames: int, step: float) -> None:
    looking: Looking[int] = Looking(most)
    looks = 0
    for frame in range(frames):
        if looking.due(frame, frame * step):
            looking.add(frame, frame * step, frame)
            looks += 1
        assert looking.shot is not None
        assert len(looking.shot.looked) < max(2 * most, 8)
    last = looking.last()
    assert last is not None
    kept = [one.frame for one in last[1]]
    assert 1 <= len(kept) <= most
    room = max(2 * most, 8)
    assert looks <= room * (2 + np.log2(1 + frames * step))
    if len(kept) > 2:
        gaps = np.diff(kept)
        assert gaps.max() <= 3 * gaps.min()


def test_spread() -> None:
    assert spread([1, 2, 3], 5) == [1, 2, 3]
    assert spread(list(range(9)), 1) == [4]
    assert spread(list(range(9)), 3) == [1, 4, 7]
    assert spread([], 2) == []


def test_what_it_remembers_of_labels_is_small() -> None:
    count = 4000
    pipeline = _labelled(range(0, count * 40, 40), {"labels": ["dark", "bright"]})
    sizes = []
    for until in (500, count):
        _feed(pipeline, list(range(until - 500, until)), [90] * 500)
        sizes.append(len(pickle.dumps(pipeline.state())))
    assert sizes[1] < sizes[0] + 2000
