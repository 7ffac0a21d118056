"""``videoannotator rerun``: the same again, and what differs."""

from __future__ import annotations

from pathlib import Path

from videoannotator.formats.exporting import read
from videoannotator.shell.main import Exit
from videoannotator.shell.progress import watching
from videoannotator.shell.speaking import give

__all__ = ["rerun_result"]


def rerun_result(folder: Path, video: Path | None, device: str | None, *, download: bool) -> int:
    """Print the comparison. Returns the exit code: well when rows, coverage and failures are the same."""
    from videoannotator.run.rerunning import rerun

    result = read(folder)
    with watching(result.provenance.media_name) as progress:
        comparison = rerun(result, video, device=device, download=download, progress=progress)
    give(comparison)
    return Exit.WELL if comparison else Exit.FAILED
