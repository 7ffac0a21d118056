"""``python -m benchmarks.accuracy NAME ...``: how good it is; prints a report and writes it down."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from benchmarks.speed.material import ASSETS, BUILD
from benchmarks.speed.report import Section, machine, write

NAMES = ("cuts", "faces", "identity", "speakers", "speech", "tracking", "voices")
"""Modules of this package with a function ``sections() -> list[Section]``."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="How good what is found is, against what people marked."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--out", type=Path, default=BUILD / "accuracy", help="folder of report.md and report.json")
    chosen = parser.parse_args()
    names = chosen.names or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if not ASSETS.is_dir():
        parser.error(f"{ASSETS} does not exist; set VIDEOANNOTATOR_TEST_ASSETS")
    head, began = machine(), time.perf_counter()
    print(f"{head}\n")
    done: list[Section] = []
    for name in names:
        for section in importlib.import_module(f"benchmarks.accuracy.{name}").sections():
            print(section, flush=True)
            done.append(section)
    text, plain = write(chosen.out, head, done, title="Accuracy")
    print(f"after {(time.perf_counter() - began) / 60:.1f} minutes; written to {text} and {plain}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
