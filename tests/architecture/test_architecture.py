"""What must stay true of the whole house, whoever builds on."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import videoannotator as va
from videoannotator import errors
from videoannotator.discover import hooks

ROOT = Path(__file__).parents[2]

PUBLIC = set(
    """
    Annotator ArrayOf Ascending Audio AudioInfo AudioTrack Catalog Comparison Context Coverage Detection Dtype Embedding
    Event Face Failed Failure Finished Format FormatSpec FrameBatch FrameClock Frames Gap MediaInfo MemoryNeed ModelSpec
    Notice Output Pipeline PipelineDone PipelineResult PipelineSpec Plan Progress Provenance Range Result RowsReady Shot
    Signal SpeakerTurn SpeechRegion Table TimeSpan Track Unit Utterance VideoAnnotatorError VideoInfo Word catalog
    compare hookimpl probe read release rerun row
    """.split()
)

HEAVY = ("torch", "cv2", "av", "pandas", "polars", "pyarrow", "onnxruntime", "scenedetect", "ultralytics", "fastapi")


def in_a_new_process(code: str) -> str:
    # a process that measures coverage would be measured with it
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_package_imports_only_packages_above_it() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_would_see_an_upward_import(tmp_path: Path) -> None:
    package = tmp_path / "house"
    for name, text in {
        "__init__": "",
        "attic": "from house import cellar",
        "cellar": "from house import attic",
    }.items():
        (package / f"{name}.py").parent.mkdir(exist_ok=True)
        (package / f"{name}.py").write_text(text)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["house"]\n[[tool.importlinter.contracts]]\n'
        'name = "x"\ntype = "layers"\ncontainers = ["house"]\nlayers = ["attic", "cellar"]\n'
    )
    code = "import sys; sys.path.insert(0, '.')\nfrom importlinter.cli import lint_imports_command as c; c([])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cellar is not allowed to import" in done.stdout


def test_public_names_are_these_and_all_resolve() -> None:
    assert sorted(PUBLIC) == va.__all__
    for name in PUBLIC:
        assert getattr(va, name) is not None
    tree = ast.parse((ROOT / "src/videoannotator/__init__.py").read_text())
    typed = {a.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names if a.asname}
    assert typed == PUBLIC, "what type checkers see is what there is"
    with pytest.raises(AttributeError, match="no attribute 'Anotator'"):
        _ = va.Anotator  # type: ignore[attr-defined]


def test_importing_is_quick_and_light() -> None:
    code = f"""
        import sys, time
        began = time.process_time()
        import videoannotator
        took = time.process_time() - began
        print(took, [m for m in {HEAVY!r} if m in sys.modules])
    """
    runs = [in_a_new_process(code).split(" ", 1) for _ in range(3)]
    assert all(loaded == "[]" for _, loaded in runs), runs
    assert min(float(took) for took, _ in runs) < 0.3


def test_listing_the_pipelines_is_light() -> None:
    code = f"""
        import sys
        import videoannotator as va
        found = va.catalog()
        assert not found.broken, found.broken
        print(sorted(found.pipelines), [m for m in {HEAVY!r} if m in sys.modules])
    """
    listed, _, heavy = in_a_new_process(code).rpartition(" ")
    assert heavy == "[]"
    assert "scene_detection" in listed


def test_every_hook_is_documented_with_an_example_that_runs() -> None:
    names = [name for name in vars(hooks) if name.startswith("videoannotator_")]
    assert names == ["videoannotator_pipelines", "videoannotator_formats"]
    for name in names:
        text = inspect.getdoc(getattr(hooks, name))
        assert text is not None
        example = dedent(text.split(".. code-block:: python", 1)[1])
        space: dict[str, Any] = {}
        exec(example, space)
        assert space[name](), f"{name}: the example publishes nothing"


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"── ([A-Z]\w+)", errors.__doc__)  # type: ignore[union-attr]
    defined = [n for n, o in vars(errors).items() if inspect.isclass(o) and issubclass(o, errors.VideoAnnotatorError)]
    assert sorted(["VideoAnnotatorError", *drawn]) == sorted(defined)
    assert sorted(set(errors.__all__) - {"nearest"}) == sorted(defined)


OPENERS = set(
    """
    av.open av.container.open cv2.VideoCapture cv2.imread decord.VideoReader imageio.get_reader librosa.load
    soundfile.SoundFile soundfile.read sf.read torchaudio.load torchcodec.decoders.AudioDecoder
    torchcodec.decoders.VideoDecoder AudioDecoder VideoCapture VideoDecoder VideoReader whisper.load_audio
    """.split()
)


def opens_media(code: str) -> list[str]:
    """Calls that read media. Writing is another matter: what is written is not known to anybody but us."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in OPENERS:
            mode = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
            if not any(isinstance(value, ast.Constant) and value.value == "w" for value in mode):
                found.append(name)
        elif isinstance(node, ast.ImportFrom) and node.module in {name.rpartition(".")[0] for name in OPENERS}:
            found += [f"{node.module}.{a.name}" for a in node.names if f"{node.module}.{a.name}" in OPENERS]
    return found


def test_media_is_opened_in_one_place_only() -> None:
    places = [
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
        for _ in opens_media(path.read_text())
    ]
    assert places == ["src/videoannotator/decode/opening.py"]


def test_another_place_that_opens_media_would_be_seen() -> None:
    for code in (
        "av.open(path)",
        "av.open(path, 'r')",
        "with av.open(file=path, mode='r', options=o) as c: pass",
        "cv2.VideoCapture(0)",
        "from av import open as media",
        "samples, rate = soundfile.read(path)",
        "def f():\n    return torchaudio.load(p)",
    ):
        assert len(opens_media(code)) == 1, code
    for code in ("av.open(path, 'w')", "av.open(path, mode='w', format='mp4')", "open(path)", "self.open('r')"):
        assert opens_media(code) == [], code


def test_devices_are_asked_for_in_one_place_only() -> None:
    asks = re.compile(r"torch\.(cuda|backends\.mps|mps)\b")
    places = [
        path.relative_to(ROOT).as_posix()
        for path in [*(ROOT / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
        if asks.search(re.sub(r"#.*|\"\"\".*?\"\"\"", "", path.read_text(), flags=re.DOTALL))
    ]
    assert places == ["src/videoannotator/run/devices.py"]


def test_the_version_is_said_once() -> None:
    from importlib.metadata import version

    assert va.__version__ == version("videoannotator")  # type: ignore[attr-defined]
