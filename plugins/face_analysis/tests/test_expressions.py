"""face_expressions against EmotiEffLib's own recogniser, on real faces, with small networks of the same signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import videoannotator as va
from videoannotator.errors import ConfigError, DeviceError, ModelError
from videoannotator.testing.clips import write_clip
from videoannotator.testing.contract import catalog_of, check_pipeline
from videoannotator.testing.relay import check_state
from videoannotator_face_analysis import videoannotator_pipelines
from videoannotator_face_analysis.expression_models import EXPRESSION_MODELS
from videoannotator_face_analysis.expression_network import ExpressionNetwork
from videoannotator_face_analysis.expression_pipeline import inside
from videoannotator_face_analysis.expression_rows import EIGHT, SEVEN, Expression

CATALOG = catalog_of(*videoannotator_pipelines())
SIGNATURES = {
    model.name: (9 if "_7" in model.name else 10) - (0 if "va_mtl" in model.name else 2) for model in EXPRESSION_MODELS
}
SIDES = {name: 112 if "mbf" in name else 260 if "_b2_" in name else 224 for name in SIGNATURES}


def write_network(
    path: Path, outputs: int, side: int | str = 224, batch: int | str = "batch", *, seed: int = 0, shape: Any = None
) -> Path:
    """A network of EmotiEffLib's signature, with weights at random: its last node is the classifier, as theirs is."""
    random = np.random.default_rng(seed)
    weights = {
        "kernel": random.normal(0, 0.3, (8, 3, 9, 9)),
        "classifier": random.normal(0, 3, (outputs, 8)),
        "bias": random.normal(0, 0.5, outputs),
    }
    nodes = [
        helper.make_node("Conv", ["input", "kernel"], ["maps"], strides=[9, 9]),
        helper.make_node("Relu", ["maps"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "classifier", "bias"], ["output"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape or [batch, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, outputs])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As enet_b0_8_va_mtl, but small."""
    return write_network(tmp_path_factory.mktemp("weights") / "small_va_mtl.onnx", 10)


@pytest.fixture(scope="session")
def crops(assets: Path) -> list[NDArray[np.uint8]]:
    """Faces of a real video, cut out by their boxes: of several sizes, in red, green, blue."""
    from videoannotator.decode.passes import DecodePass
    from videoannotator.decode.probing import probe

    video = assets / "video" / "caregiver_infant.mp4"
    faces = run(video, None, ["face_analysis"], {"face_analysis": {"rate": 1.0}})["face_analysis"].faces
    found = []
    with DecodePass(probe(video), [va.Frames(rate=1.0)]) as decoding:
        for picture in decoding:
            here = faces[faces.frame == picture.frame]
            found += [inside(picture.pixels(0), np.array([face.x1, face.y1, face.x2, face.y2])) for face in here]
    assert len(found) >= 8
    assert len({crop.shape for crop in found}) >= 8
    return found


def recoded(
    source: Path, path: Path, *, rotation: int = 0, size: tuple[int, int] | None = None, count: int = 12
) -> Path:
    """The first frames of a real video, without loss, stored turned by ``rotation`` and marked so."""
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        stream: Any = None
        for number, frame in zip(range(count), given.decode(video=0), strict=False):
            picture = frame.reformat(*(size or (None, None)), format="rgb24").to_ndarray()
            picture = np.ascontiguousarray(np.rot90(picture, rotation // 90))
            if stream is None:
                stream = output.add_stream("ffv1", rate=Fraction(10))
                stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "bgr0"
                stream.set_display_rotation(-rotation)
            made = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="bgr0")
            made.pts, made.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def short(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, ten frames each, of which two in a row make one row: 20 faces."""
    return recoded(assets / "video" / "face_expressions.mp4", tmp_path_factory.mktemp("clips") / "short.mkv", count=40)


def run(
    video: Path, weights: Path | None, names: Sequence[str] = ("face_expressions",), config: Any = None
) -> va.Result:
    settings = {name: dict(given) for name, given in (config or {}).items()}
    if weights:
        settings.setdefault("face_expressions", {})["weights"] = str(weights)
    with va.Annotator(list(names), config=settings, catalog=CATALOG, download=False, cache=False) as annotator:
        result = annotator.annotate(video, progress=False)
    assert result.ok, result.failures
    return result


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_readings_are_those_of_emotiefflib(
    name: str, crops: list[NDArray[np.uint8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("emotiefflib.facial_analysis", reason="emotiefflib, the reference, is not installed")
    path = write_network(tmp_path / f"{name}.onnx", SIGNATURES[name], SIDES[name], seed=len(name))
    monkeypatch.setattr(library, "get_model_path_onnx", lambda model_name: str(path))
    theirs = library.EmotiEffLibRecognizer(engine="onnx", model_name=name)
    ours = ExpressionNetwork(path, name=path.name, threads=2)
    assert [label.capitalize() for label in ours.labels] == list(theirs.idx_to_emotion_class.values())
    for crop in crops:
        np.testing.assert_array_equal(ours.prepared(crop), theirs._preprocess(crop)[0])
    labels, scores = theirs.predict_emotions(crops, logits=False)
    read = ours(crops)
    count = len(ours.labels)
    np.testing.assert_allclose(read.probabilities, scores[:, :count], atol=1e-5)
    assert [ours.labels[best].capitalize() for best in read.probabilities.argmax(axis=1)] == labels
    assert np.ptp(scores[:, :count], axis=0).max() > 0.01, "all faces look alike to this network: that compares nothing"
    if "va_mtl" in name:
        assert read.affect is not None
        np.testing.assert_allclose(read.affect, scores[:, count:], atol=1e-5)
    else:
        assert read.affect is None


def test_red_comes_first(small: Path, crops: list[NDArray[np.uint8]]) -> None:
    network = ExpressionNetwork(small, name=small.name)
    red = np.zeros((50, 40, 3), np.uint8)
    red[..., 0] = 255
    np.testing.assert_allclose(network.prepared(red)[:, 0, 0], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    turned = [crop[..., ::-1] for crop in crops]
    assert np.abs(network(crops).probabilities - network(turned).probabilities).max() > 0.01


def test_a_face_is_read_alike_in_any_company(small: Path, crops: list[NDArray[np.uint8]]) -> None:
    network = ExpressionNetwork(small, name=small.name, threads=2)
    together = network(crops)
    for number, crop in enumerate(crops):
        alone = network([crop])
        np.testing.assert_array_equal(alone.probabilities[0], together.probabilities[number])
        assert alone.affect is not None
        assert together.affect is not None
        np.testing.assert_array_equal(alone.affect[0], together.affect[number])


def test_a_network_for_one_face_at_a_time_gives_the_same(small: Path, crops: Any, tmp_path: Path) -> None:
    single = write_network(tmp_path / "single_va_mtl.onnx", 10, batch=1)
    one, other = (ExpressionNetwork(path, name=path.name)(crops) for path in (small, single))
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(7, 10))
def test_probabilities_are_probabilities(tmp_path_factory: pytest.TempPathFactory, seed: int, outputs: int) -> None:
    path = write_network(tmp_path_factory.mktemp("any") / "any.onnx", outputs, 32, seed=seed)
    random = np.random.default_rng(seed)
    faces = [random.integers(0, 256, (*random.integers(1, 60, 2), 3), dtype=np.uint8) for _ in range(3)]
    network = ExpressionNetwork(path, name=path.name)
    read = network(faces)
    assert network.labels == (EIGHT if outputs in (8, 10) else SEVEN)
    assert read.probabilities.shape == (3, len(network.labels))
    np.testing.assert_allclose(read.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (read.probabilities >= 0).all()
    assert (read.affect is not None) == (outputs > 8)


def test_no_faces_are_no_readings(small: Path) -> None:
    read = ExpressionNetwork(small, name=small.name)([])
    assert read.probabilities.shape == (0, 8)
    assert read.affect is not None
    assert read.affect.shape == (0, 2)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("no model"), "onnxruntime cannot open"),
        (lambda path: write_network(path, 5), r"it gives \[1, 5\]"),
        (lambda path: write_network(path, 8, shape=["n", 4, 20, 20]), "not pictures"),
        (lambda path: write_network(path, 8, shape=["n", 3, 20, 30]), "not squares"),
    ],
)
def test_another_file_is_named(make: Callable[[Path], Any], says: str, tmp_path: Path) -> None:
    make(tmp_path / "other.onnx")
    with pytest.raises(ModelError, match=says):
        ExpressionNetwork(tmp_path / "other.onnx", name="other.onnx")


def test_a_device_that_onnxruntime_cannot_use_is_refused(small: Path) -> None:
    with pytest.raises(DeviceError, match="cannot use 'mps'"):
        ExpressionNetwork(small, name=small.name, device="mps")


def test_a_file_without_sizes_is_taken_for_what_its_name_says(tmp_path: Path) -> None:
    for name, side in (("enet_b2_8", 260), ("mbf_va_mtl", 112), ("enet_b0_8", 224)):
        path = write_network(tmp_path / f"{name}.onnx", 8, shape=["n", 3, "height", "width"])
        assert ExpressionNetwork(path, name=name).size == side


def test_every_face_of_a_real_video_has_a_row(assets: Path, small: Path) -> None:
    rates = {name: {"rate": 2.0} for name in ("face_analysis", "face_expressions")}
    result = run(assets / "video" / "caregiver_infant.mp4", small, config=rates)
    faces, rows = result["face_analysis"].faces, result["face_expressions"].expressions
    assert len(rows) == len(faces) >= 30
    for name in ("frame", "time", "x1", "y1", "x2", "y2"):
        np.testing.assert_array_equal(rows.column(name), faces.column(name))
    assert rows.column("track").tolist() == faces.column("track").tolist()
    probabilities = np.stack([rows.column(label) for label in EIGHT], axis=1)
    np.testing.assert_array_equal(rows.score, probabilities.max(axis=1))
    assert rows.label.tolist() == [EIGHT[best] for best in probabilities.argmax(axis=1)]
    assert np.ptp(probabilities, axis=0).max() > 0.01
    (record,) = result.provenance.pipelines[-1].models
    assert record.name == small.name


def test_rows_are_what_the_network_reads_from_the_boxes(assets: Path, small: Path, crops: Any) -> None:
    rows = run(
        assets / "video" / "caregiver_infant.mp4",
        small,
        config={"face_analysis": {"rate": 1.0}, "face_expressions": {"rate": 1.0}},
    )["face_expressions"].expressions
    read = ExpressionNetwork(small, name=small.name)(crops)
    np.testing.assert_array_equal(np.stack([rows.column(label) for label in EIGHT], axis=1), read.probabilities)
    np.testing.assert_array_equal(np.stack([rows.valence, rows.arousal], axis=1), read.affect)


def test_a_network_without_contempt_and_affect_leaves_them_open(short: Path, tmp_path: Path) -> None:
    rows = run(short, write_network(tmp_path / "enet_b2_7.onnx", 7, 260))["face_expressions"].expressions
    assert len(rows) == 20
    assert (rows[0].contempt, rows[0].valence, rows[0].arousal) == (None, None, None)


def test_batches_and_taking_up_change_nothing(short: Path, small: Path) -> None:
    found = []
    for batch in (1, 16):
        catalog = catalog_of(
            *(
                spec if spec.name != "face_expressions" else with_batch(spec, batch)
                for spec in videoannotator_pipelines()
            )
        )
        with va.Annotator(
            ["face_expressions"], config={"face_expressions": {"weights": str(small)}}, catalog=catalog, cache=False
        ) as annotator:
            result = annotator.annotate(short, progress=False)
            if batch == 1:
                check_state(annotator.plan(short), "face_expressions", result, "on a real face")
        found.append(result["face_expressions"].expressions)
    assert found[0] == found[1]
    assert len(found[0]) == 20


def with_batch(spec: va.PipelineSpec, batch: int) -> va.PipelineSpec:
    return attrs.evolve(spec, batch=batch)


def test_pictures_that_were_not_searched_for_faces_are_an_error(short: Path, small: Path) -> None:
    config = {"face_expressions": {"weights": str(small), "rate": 10.0}}
    with va.Annotator(["face_expressions"], config=config, catalog=CATALOG, cache=False) as annotator:
        result = annotator.annotate(short, progress=False)
    (failure,) = result.failures
    assert "10 pictures per second are to be looked at, and face_analysis looks at 5 per second" in failure.message
    assert "Set the rate of both to the same" in failure.message


def test_fewer_pictures_than_face_analysis_are_allowed(short: Path, small: Path) -> None:
    result = run(short, small, config={"face_expressions": {"rate": 2.5}})
    rows = result["face_expressions"].expressions
    assert len(rows) == 10
    assert set(rows.frame) < set(result["face_analysis"].faces.frame)


def test_a_rotated_video_gives_what_the_upright_one_gives(assets: Path, small: Path, tmp_path: Path) -> None:
    source = assets / "video" / "face_expressions.mp4"
    upright = run(recoded(source, tmp_path / "upright.mkv"), small)["face_expressions"].expressions
    turned = run(recoded(source, tmp_path / "turned.mkv", rotation=90), small)["face_expressions"].expressions
    assert len(upright) == 6
    assert upright == turned


@pytest.mark.parametrize("size", [(16, 90), (16, 16), (64, 36)])
def test_tiny_videos_have_no_faces_and_no_rows(
    assets: Path, small: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    clip = recoded(assets / "video" / "face_expressions.mp4", tmp_path / "tiny.mkv", size=size)
    result = run(clip, small)
    assert len(result["face_expressions"].expressions) == len(result["face_analysis"].faces)
    assert result["face_expressions"].coverage.duration > 1


def test_a_black_video_has_no_rows_and_is_covered(small: Path, tmp_path: Path) -> None:
    clip = tmp_path / "black.mkv"
    with av.open(str(clip), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    result = run(clip, small)["face_expressions"]
    assert len(result.expressions) == 0
    assert result.coverage.duration == pytest.approx(1.0)


def test_a_ten_bit_portrait_video_is_read(assets: Path, small: Path, tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "deep.mkv", frames=6, rate=12, size=(120, 160), codec="ffv1", pixel_format="yuv420p10le"
    )
    assert run(clip, small)["face_expressions"].coverage.duration > 0


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.floats(-50, 150)] * 4))
def test_what_is_cut_out_lies_inside(box: tuple[float, float, float, float]) -> None:
    x1, x2 = sorted(box[:2])
    y1, y2 = sorted(box[2:])
    picture = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    part = inside(picture, np.array([x1, y1, x2, y2]))
    expected = picture[int(max(y1, 0)) : int(max(y2, 0)), int(max(x1, 0)) : int(max(x2, 0))]
    np.testing.assert_array_equal(part, expected)


def test_the_contract(small: Path, tmp_path: Path) -> None:
    check_pipeline("face_expressions", tmp_path, config={"weights": str(small)}, catalog_=CATALOG)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'weights'"):
        va.Annotator(["face_expressions"], config={"face_expressions": {"weight": "x"}}, catalog=CATALOG)


def test_without_the_weights_the_plan_says_what_to_fetch() -> None:
    with va.Annotator(catalog=CATALOG, download=False) as annotator:
        assert "face_expressions" not in annotator.pipelines
        assert "enet_b0_8_va_mtl" in annotator.left_out["face_expressions"]


def test_rows_survive_files(short: Path, small: Path, tmp_path: Path) -> None:
    result = run(short, small)
    result.export(tmp_path / "out", formats=["native", "csv"])
    rows = result["face_expressions"].expressions
    assert rows.row_class is Expression
    for file in tmp_path.glob("out/*.json"):
        assert va.read(file)["face_expressions"].expressions == rows
