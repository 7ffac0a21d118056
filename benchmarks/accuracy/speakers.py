"""Who speaks when: the real diarization pipelines, with small networks that were fitted to the very recordings.

Made to see that nothing is lost between pyannote and the rows, and to have the error rate and its parts at hand for
whoever has pyannote's own weights. It says nothing about these.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy.rttm import EXCERPTS, judged, module_of, same_from_file
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Section, Table

import videoannotator as va

__all__ = ["diarized", "fitted", "sections"]


def fitted(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Fit the small networks and save them in the hub's two layouts; settings by name of the pipeline they are like."""
    fitting = module_of("speaker_diarization")
    networks = fitting.fit_segmentation(ASSETS), fitting.fit_embedding(ASSETS)
    whole = fitting.community(folder / "speaker-diarization-community-1", *networks)
    parts = fitting.separate(folder, *networks)
    separate = {
        "weights": str(parts / "speaker-diarization-3.1"),
        "segmentation": str(parts / "segmentation-3.0"),
        "embedding": str(parts / "wespeaker-voxceleb-resnet34-LM"),
    }
    return {"community-1 (VBx)": {"weights": str(whole)}, "3.1 (agglomerative)": separate}


def diarized(config: Mapping[str, Any]) -> dict[str, va.Result]:
    """All recordings; the number of speakers is not told."""
    with va.Annotator(["speaker_diarization"], config={"speaker_diarization": config}, cache=False) as annotator:
        return {
            name: annotator.annotate(ASSETS / "audio" / f"{name}.wav", progress=False, on_error="raise")
            for name in EXCERPTS
        }


def sections() -> list[Section]:
    """Measure both pipelines."""
    done = []
    with tempfile.TemporaryDirectory() as folder:
        for name, config in fitted(Path(folder)).items():
            results = diarized(config)
            same = same_from_file(results, "speaker_diarization", "turns", speakers=True)
            found = judged(results, "speaker_diarization", "turns", speakers=True)
            rows = [(recording, *counts.cells()) for recording, counts in found.items()]
            head = ("recording", "diarization error rate", "missed", "false alarm", "confusion")
            done.append(
                Section(
                    f"Speakers, by a pipeline like {name}, its small networks fitted to these very recordings",
                    same,
                    (),
                    (Table(head, tuple(rows)),),
                    ("No collar, overlapped speech judged. This says nothing about pyannote's own weights.",),
                )
            )
    return done
