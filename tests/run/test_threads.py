"""Threads of linear algebra: none of its bits depend on how many there are, and who had more has them again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.run.multiplying import CATALOG, Product
from threadpoolctl import threadpool_info, threadpool_limits

import videoannotator as va
from videoannotator.run.threads import algebra_in_one_thread
from videoannotator.testing.clips import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=2, rate=20, sound="tone")


def counts() -> list[int]:
    """Threads of each library that does NumPy's and SciPy's algebra here."""
    import scipy.linalg  # noqa: F401 - loads its own

    found = [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if not found:
        pytest.skip("NumPy computes with another library than OpenBLAS here")
    return found


def products(clip: Path, **more: object) -> Product:
    with va.Annotator(["products"], catalog=CATALOG, cache=False, **more) as annotator:  # type: ignore[arg-type]  # as given
        (product,) = annotator.annotate(clip, progress=False)["products"].products
    return product  # type: ignore[no-any-return]  # tables of a result are of any row


def test_a_pipeline_computes_in_one_thread_wherever_it_runs(clip: Path) -> None:
    with threadpool_limits(2, "blas"):
        before = counts()
        here, there = products(clip), products(clip, isolation="process")
        assert counts() == before == [2] * len(before)
    assert set(here.threads) == set(there.threads) == {1}


def test_threads_change_no_bit(clip: Path) -> None:
    # the numbers that OpenBLAS' code for these processors gives do depend on threads; it is chosen when it is loaded
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.run.test_threads import products, threadpool_limits\n"
        "found = []\n"
        "for threads in (1, 2, 4):\n"
        "    os.environ['OMP_NUM_THREADS'] = str(threads)  # what the process of an isolated pipeline finds\n"
        "    with threadpool_limits(threads, 'blas'):\n"
        "        found += [products(Path(sys.argv[1])), products(Path(sys.argv[1]), isolation='process')]\n"
        "print(len({product.values.tobytes() for product in found}), len(found))\n"
    )
    path = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_CORETYPE": "Haswell"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(clip)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == ["1", "6"], done.stderr


def test_the_last_to_go_puts_the_threads_back() -> None:
    with threadpool_limits(2, "blas"):
        before = counts()
        first_in, first_out = threading.Event(), threading.Event()

        def first() -> None:
            with algebra_in_one_thread():
                first_in.set()
                first_out.wait(10)

        other = threading.Thread(target=first)
        other.start()
        first_in.wait(10)
        with algebra_in_one_thread():
            first_out.set()
            other.join()
            assert set(counts()) == {1}
        assert counts() == before


def test_what_is_loaded_later_keeps_to_it_when_told() -> None:
    code = (
        "import numpy, threading\n"
        "from threadpoolctl import threadpool_info\n"
        "from videoannotator.run.threads import algebra_in_one_thread\n"
        "threads = lambda: [p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas']\n"
        "with algebra_in_one_thread() as again:\n"
        "    import scipy.linalg\n"
        "    before = threads()\n"
        "    again()\n"
        "    print(max(before), max(threads()), end=' ')\n"
        "print(min(threads()))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert done.stdout.split() == [str(processors), "1", str(processors)]


def test_an_error_puts_them_back_too() -> None:
    with threadpool_limits(2, "blas"):
        before = counts()
        with pytest.raises(ZeroDivisionError), algebra_in_one_thread():
            raise ZeroDivisionError
        assert counts() == before
