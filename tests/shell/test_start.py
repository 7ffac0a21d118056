"""What the command imports before it does anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "cv2", "av", "pandas", "polars", "onnxruntime", "PIL", "pyarrow", "scenedetect", "ultralytics")
COMMANDS = [["--help"], ["--version"], ["annotate", "--help"], ["demo", "--help"]]


@pytest.mark.parametrize("arguments", [*COMMANDS, ["annotate"], ["annotate", "x.mp4", "--nonsense"]], ids=" ".join)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = (
        "import json, sys\nfrom videoannotator.shell.main import main\n"
        f"main({arguments!r})\nsys.stderr.write('\\n' + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == []


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"], ["--version"]], ids=" ".join)
def test_what_is_asked_most_is_answered_by_python_and_this_package_alone(arguments: list[str]) -> None:
    code = (
        "import json, sys\nbefore = set(sys.modules)\nfrom videoannotator.shell.main import main\n"
        f"main({arguments!r})\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "sys.stderr.write('\\n' + json.dumps(sorted(new - set(sys.stdlib_module_names))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(("Usage: videoannotator COMMAND\n", "videoannotator "))
    assert json.loads(done.stderr.splitlines()[-1]) == ["videoannotator"]


def test_the_page_lists_every_command_with_the_words_of_its_own_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from videoannotator.shell.app import app
    from videoannotator.shell.commands import COMMANDS as TABLE
    from videoannotator.shell.commands import page

    monkeypatch.setenv("COLUMNS", "70")
    shown = page()
    assert max(map(len, shown.splitlines())) <= 70
    as_one = " ".join(shown.split())
    for name in app:
        assert f" {name}" in as_one, "every command and flag that cyclopts knows"
    for one in TABLE:
        assert f" {one.name} {one.help} " in as_one
        assert app[one.name].help.partition("\n")[0] == one.help, "lazily or when it is imported"


def test_listing_imports_no_model_code() -> None:
    heavy = [name for name in HEAVY if name != "pyarrow"]  # tables are Arrow, and specs name row classes
    code = (
        "import json, sys\nfrom videoannotator.shell.main import main\n"
        f"main(['pipelines'])\nsys.stderr.write('\\n' + json.dumps([m for m in {heavy!r} if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_the_installed_script_is_this_command() -> None:
    script = Path(sys.executable).with_name("videoannotator")
    if not script.exists():
        pytest.skip("videoannotator is not installed in this environment")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("videoannotator ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands_and_options(shell: str) -> None:
    from videoannotator.shell.app import app

    script = app.generate_completion(shell=shell)
    for word in ("annotate", "pipelines", "offline", "sheet"):
        assert word in script


def test_without_the_extra_it_says_how_to_get_it() -> None:
    code = (
        "import sys\nsys.modules['cyclopts'] = None\n"  # what an import meets when it is not installed
        "from videoannotator.shell.main import main\nsys.exit(main(['pipelines']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'pip install "videoannotator[cli]"' in done.stderr
    assert "Traceback" not in done.stderr
