"""pyfeat against Py-Feat's own Detectorv2, on real faces, with a small network of its own classes."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

import videoannotator as va
from videoannotator.decode.passes import DecodePass
from videoannotator.errors import ConfigError, ModelError
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator.testing.relay import check_state
from videoannotator_pyfeat import videoannotator_pipelines
from videoannotator_pyfeat.network import Network, threads_left_alone
from videoannotator_pyfeat.rows import EMOTIONS, UNITS

torch = pytest.importorskip("torch", reason="torch is not installed")
if find_spec("feat") is None:
    pytest.skip("Py-Feat is not installed", allow_module_level=True)
with threads_left_alone():
    import feat  # noqa: F401 - so that no test that imports it sets a variable for all that come after

BOX = (330.0, 40.0, 560.0, 330.0)  # of the face in face_expressions.mp4, by eye


class Boxes(va.Pipeline[None]):
    """Stands in for face_analysis: a face in the same place in every picture, as far as it lies in it."""

    def begin(self) -> None:
        self.track = 7 + round(1000 * self.context.span.start)  # no track goes on in another span

    def process(self, batch: va.FrameBatch) -> va.Table[va.Face]:
        box = np.minimum(BOX, np.tile([batch.source_width, batch.source_height], 2))
        columns = dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        return va.Table.of(va.Face, frame=batch.frame, time=batch.time, score=0.5, track=self.track, **columns)


class Nobody(va.Pipeline[None]):
    """Stands in for face_analysis where there is no face."""

    def process(self, batch: va.FrameBatch) -> None:
        return None


def catalog(batch: int = 8, faces: str = "Boxes") -> Any:
    stand_in = va.PipelineSpec(
        name="face_analysis",
        version="1",
        needs=(va.Frames(rate=5.0),),
        gives={"faces": "videoannotator.data.rows:Face"},
        pipeline=f"{__name__}:{faces}",
        licence="MIT",
    )
    (spec,) = videoannotator_pipelines()
    return catalog_of(stand_in, attrs.evolve(spec, batch=batch))


def write_network(path: Path, *, units: int = 20, emotions: int = 7, **more: Any) -> Path:
    """The architecture of v2.8, small and with weights at random, in the file format that Py-Feat publishes."""
    from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
    from safetensors.torch import save_file

    torch.manual_seed(1)
    small: dict[str, Any] = {
        "backbone": "convnextv2_atto",
        "pretrained": False,
        "n_au": units,
        "n_emotion": emotions,
        "n_blendshape": 52,
        "mesh_normalized": True,
        "afg_channels": 16,
        "mefl_channels": 16,
        "unified_lmk_dim": 16,
        "use_head_v3": True,
        "drop_mefl": True,
        "emotion_use_au_prob": True,
        "gaze_eye_roi": True,
        "gaze_eye_dim": 16,
        "gaze_pose_6d": True,
        "gaze_hidden": 16,
        "gaze_bins": 90,
    }
    config = ModelV2Config(**(small | more))
    weights = {name: value.contiguous() for name, value in MEGraphAUv2(config).state_dict().items()}
    save_file(weights, path, metadata={"config": json.dumps(dataclasses.asdict(config))})
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="session")
def pictures(assets: Path) -> list[NDArray[np.uint8]]:
    clip = assets / "video" / "face_expressions.mp4"
    with DecodePass(va.probe(clip), [va.Frames(rate=0.5)]) as decoding:
        return [np.array(picture.pixels(0)) for picture in decoding][:4]


def detector(weights: Path) -> Any:
    """Py-Feat's own detector, without the networks that find and recognise faces: those would be fetched."""
    from feat.detector_v2 import Detectorv2
    from feat.multitask.inference import _DLIB68_IDX, CHIP_SIZE, MultitaskModel

    made = object.__new__(Detectorv2)
    torch.nn.Module.__init__(made)
    made.device, made.face_size, made.identity_detector = torch.device("cpu"), CHIP_SIZE, None
    made.multitask = MultitaskModel("cpu", weights_path=str(weights))
    made._idx68 = _DLIB68_IDX
    return made


def test_readings_are_those_of_detectorv2(small: Path, pictures: list[NDArray[np.uint8]]) -> None:
    ours, theirs = Network(small), detector(small)
    boxes = np.array([BOX, (-40, 10, 200, 200), (500, 200, 700, 420)], dtype=np.float32)  # two reach out of the picture
    frames = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
    found = theirs.crop_faces_from_boxes(frames, [torch.from_numpy(boxes)] * len(pictures))
    padding = {side: torch.zeros(len(pictures)) for side in ("Left", "Top", "Right", "Bottom")}
    batch = {"Image": frames, "Padding": padding, "Scale": torch.ones(len(pictures))}
    table = theirs.forward(found, batch)
    rows = iter(range(len(table)))
    for picture, data in zip(pictures, found, strict=True):
        faces = ours.cut_out(picture, boxes)
        np.testing.assert_array_equal(faces.numpy(), data["faces"].numpy())
        read = ours.read(picture[None], np.zeros(len(boxes), dtype=int), boxes)
        part = table.iloc[[next(rows) for _ in boxes]]
        np.testing.assert_allclose(read.units, part[[name.upper() for name in ours.units]], atol=1e-5)
        np.testing.assert_allclose(read.emotions, part[[name.capitalize() for name in ours.emotions]], atol=1e-5)
        np.testing.assert_allclose(read.affect, part[["valence", "arousal"]], atol=1e-5)
        # Py-Feat: radians, yaw to the own right, pitch up, roll to the own right
        np.testing.assert_allclose(np.radians(read.gaze), -part[["gaze_yaw", "gaze_pitch"]].to_numpy(), atol=1e-4)
        np.testing.assert_allclose(
            np.radians(read.pose), part[["Yaw", "Pitch", "Roll"]].to_numpy() * (-1, -1, 1), atol=1e-4
        )
    assert np.ptp(table["AU12"]) > 1e-4, "all faces look alike to this network: that compares nothing"


def test_threads_pictures_and_company_change_no_bit(small: Path, pictures: list[NDArray[np.uint8]]) -> None:
    which = np.repeat(np.arange(2), 20)  # more faces than are computed together
    boxes = np.random.default_rng(0).uniform(0, 300, (40, 2, 2)).cumsum(axis=1).reshape(-1, 4)
    boxes[:, 2:] += 8
    one, two = (Network(small, threads=threads) for threads in (1, 2))
    found = one.read(np.stack(pictures), which, boxes)
    other = two.read(np.stack(pictures), which, boxes)
    few = two.read(pictures[1][None], np.zeros(3, dtype=int), boxes[30:33])
    for name in ("units", "emotions", "affect", "gaze", "pose"):
        np.testing.assert_array_equal(getattr(found, name), getattr(other, name))
        np.testing.assert_array_equal(getattr(found, name)[30:33], getattr(few, name))
    one.close()
    two.close()


def run(video: Path, weights: Path, catalog_: Any, **settings: Any) -> va.Result:
    config = {"pyfeat": {"weights": str(weights), **settings}}
    with va.Annotator(["pyfeat"], config=config, catalog=catalog_, download=False, cache=False) as annotator:
        return annotator.annotate(video, progress=False)


def test_every_face_has_a_row_and_batches_change_nothing(small: Path, assets: Path) -> None:
    clip, found = assets / "video" / "shot_change.mp4", []
    for batch in (1, 16):
        config = {"pyfeat": {"weights": str(small), "rate": 1.0}}
        with va.Annotator(["pyfeat"], config=config, catalog=catalog(batch), cache=False) as annotator:
            result = annotator.annotate(clip, progress=False)
            assert result.ok, result.failures
            if batch == 1:
                check_state(annotator.plan(clip), "pyfeat", result, "on real pictures")
        found.append(result["pyfeat"])
        faces = result["face_analysis"].faces[::5]
    for output, table in found[0].tables.items():
        assert table == found[1].tables[output], output
        assert len(table) == len(faces) == 5, output
        for name in ("frame", "time", "x1", "y1", "x2", "y2"):
            np.testing.assert_array_equal(table.column(name), faces.column(name))
        assert set(table.track) == {7}
    expressions, units = found[0].expressions, found[0].action_units
    shares = np.stack([expressions.column(name) for name in EMOTIONS[:7]], axis=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(expressions.score, shares.max(axis=1))
    assert expressions.label.tolist() == [EMOTIONS[best] for best in shares.argmax(axis=1)]
    assert (units[0].au16, expressions[0].contempt) == (None, None)
    assert len(UNITS) == 24
    assert (result.provenance.pipelines[-1].dtype, result.provenance.pipelines[-1].models[0].name) == (
        "float32",
        small.name,
    )


def test_older_weights_know_more(tmp_path: Path, assets: Path) -> None:
    older = write_network(tmp_path / "v23.safetensors", units=24, emotions=8, gaze_bins=0, n_blendshape=0)
    result = run(assets / "video" / "shot_change.mp4", older, catalog(), rate=0.5)["pyfeat"]
    assert result.ok
    assert result.action_units[0].au45 is not None
    assert result.expressions[0].contempt is not None


def test_no_faces_are_no_rows(small: Path, assets: Path) -> None:
    result = run(assets / "video" / "shot_change.mp4", small, catalog(faces="Nobody"))["pyfeat"]
    assert result.ok
    assert [len(table) for table in result.tables.values()] == [0, 0, 0]
    assert result.coverage.duration > 4


@pytest.mark.slow
def test_the_contract(small: Path, tmp_path: Path) -> None:
    check_pipeline("pyfeat", tmp_path, config={"weights": str(small)}, catalog_=catalog())


def test_pictures_that_were_not_searched_for_faces_are_an_error(small: Path, assets: Path) -> None:
    (failure,) = run(assets / "video" / "shot_change.mp4", small, catalog(), rate=None).failures
    assert "every frame" in failure.message
    assert "face_analysis looks at 5 per second" in failure.message


def test_other_files_are_named(tmp_path: Path, small: Path) -> None:
    other, pickled, text = tmp_path / "other.safetensors", tmp_path / "old.pt", tmp_path / "text.safetensors"
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(3)}, other)
    pickled.write_bytes(small.read_bytes())
    text.write_text("no weights")
    with pytest.raises(ModelError, match="metadata missing 'config'"):
        Network(other)
    with pytest.raises(ModelError, match=r"no \.safetensors file; weights in other formats may run code"):
        Network(pickled)
    with pytest.raises(ModelError, match="is no multitask network"):
        Network(text)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'weights'"):
        va.Annotator(["pyfeat"], config={"pyfeat": {"weight": "x"}}, catalog=catalog())


def test_the_licence_of_the_weights_is_said() -> None:
    (spec,) = videoannotator_pipelines()
    assert "non-commercial" in spec.licence
    assert "non-commercial" in spec.models[0].licence


def test_no_process_that_is_started_later_has_fewer_threads(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from videoannotator_pyfeat.network import Network\n"
        "Network(Path(sys.argv[1]))\n"
        "print(os.environ.get('OMP_NUM_THREADS'))\n"
    )
    weights = str(write_network(tmp_path / "weights.safetensors"))
    for given in (None, "3"):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        environment |= {} if given is None else {"OMP_NUM_THREADS": given}
        done = subprocess.run(
            [sys.executable, "-c", code, weights], capture_output=True, text=True, env=environment, check=True
        )
        assert done.stdout.split() == [str(given)]
