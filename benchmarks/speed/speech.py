"""Speech recognition against openai-whisper's own command: the same weights, beams and text."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from benchmarks.speed.comparing import DifferenceError
from benchmarks.speed.material import ASSETS, BUILD
from benchmarks.speed.processes import Ran, job, peak, place, timed
from benchmarks.speed.report import Figure, Section, Table, spread

import videoannotator as va

__all__ = ["hear", "speech"]

_RATE = 16000
_PAUSES = (0.6, 2.5, 4.0, 1.2, 7.0, 3.0)  # seconds before each time that the sentence is said, in turn
_LEAST = 2.0
_OURS, _THEIRS = "speech_recognition", "whisper"


def sound(minutes: float, folder: Path = BUILD) -> Path:
    """The sentence again and again, with longer and shorter pauses, as a 16 kHz WAV of about that length."""
    from plugins.speech_recognition.tests import fitting

    said = fitting.sound(ASSETS)
    parts: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    while sum(part.size for part in parts) < minutes * 60 * _RATE:
        pause = _PAUSES[len(parts) // 2 % len(_PAUSES)]
        parts += [np.zeros(round(pause * _RATE), dtype=np.float32), said]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"said_{minutes:g}min.wav"
    working = path.with_suffix(".part.wav")
    with av.open(str(working), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=_RATE)
        stream.layout = "mono"
        whole = (np.clip(np.concatenate(parts), -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = _RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    working.replace(path)
    return path


def hear(sound: str, config: Mapping[str, Any], pipelines: Sequence[str], precision: str = "exact") -> dict[str, Any]:
    """One run of ours; what is said, and seconds by pipeline."""
    began, cpu = time.perf_counter(), time.process_time()
    with va.Annotator(pipelines, config=config, cache=False, precision=precision) as annotator:
        result = annotator.annotate(sound, progress=False, on_error="raise")
    said = result[_OURS].utterances if _OURS in result.pipelines else ()
    return {
        "text": [row.text for row in said],
        "seconds": {record.name: record.seconds for record in result.provenance.pipelines},
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "rows": {f"{name}.{output}": len(table) for name, output, table in result.tables()},
        "failures": [str(failure) for failure in (*result.failures, *result.media_failures)],
        "peak": peak(),
    }


def speech(minutes: float, repeats: int) -> Section:
    """How many times faster than the command. Raises `DifferenceError`."""
    from plugins.speech_recognition.tests import fitting

    path, weights = sound(minutes), fitting.checkpoint(ASSETS, BUILD / "whisper")
    runs: dict[str, list[Ran]] = {_OURS: [], _THEIRS: []}
    for number in range(repeats):
        for side in (_OURS, _THEIRS)[:: -1 if number % 2 else 1]:
            runs[side].append(_ours(path, weights) if side == _OURS else _theirs(path, weights))
        said = {side: _text(ran[-1].told["text"]) for side, ran in runs.items()}
        if said[_OURS] != said[_THEIRS] or fitting.SENTENCE not in said[_OURS]:
            raise DifferenceError(f"speech_recognition says {said[_OURS]!r}, whisper {said[_THEIRS]!r}")
        costs = ", ".join(f"{side} {ran[-1].cost.wall:.1f} s" for side, ran in runs.items())
        print(f"  speech {number + 1}/{repeats}: {costs}", file=sys.stderr)
    return _section(runs, minutes, said[_OURS].count(fitting.SENTENCE))


def _ours(path: Path, weights: Path) -> Ran:
    config = {_OURS: {"weights": str(weights), "beam_size": 5, "language": "en", "condition_on_previous_text": False}}
    with place() as (folder, environment):
        return job("hear", folder, environment, sound=str(path), config=config, pipelines=[_OURS])


def _theirs(path: Path, weights: Path) -> Ran:
    """``whisper FILE --model PATH --beam_size 5 ...``, with words as we have them."""
    options = {
        "model": weights,
        "beam_size": 5,
        "language": "en",
        "condition_on_previous_text": False,
        "word_timestamps": True,
        "fp16": False,
        "device": "cpu",
        "verbose": False,
        "output_format": "json",
    }
    program = [str(Path(sys.executable).with_name("whisper"))]
    if shutil.which("ffmpeg") is None:  # which it starts to read the file
        program = [sys.executable, "-m", "benchmarks.speed.openai_whisper"]
    with place() as (folder, environment), tempfile.TemporaryDirectory() as out:
        command = [*program, str(path), "--output_dir", out]
        command += [part for key, value in options.items() for part in (f"--{key}", str(value))]
        cost = timed(command, {**environment, "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", str(folder))})
        told = json.loads((Path(out) / f"{path.stem}.json").read_text(encoding="utf-8"))
    return Ran(cost, {"text": [segment["text"] for segment in told["segments"]]})


def _text(parts: Sequence[str]) -> str:
    return " ".join(" ".join(parts).split())


def _section(runs: Mapping[str, Sequence[Ran]], minutes: float, times: int) -> Section:
    def ratios(what: str) -> tuple[float, ...]:
        pairs = zip(runs[_THEIRS], runs[_OURS], strict=True)
        return tuple(getattr(theirs.cost, what) / getattr(ours.cost, what) for theirs, ours in pairs)

    inside = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in runs[_OURS][-1].told["seconds"].items())
    figures = (
        Figure("speech: times faster than openai-whisper's command (wall)", ratios("wall"), "", least=_LEAST,
               missed=f"inside pipelines: {inside}; the rest is the start of the process"),
        Figure("the same (processor)", ratios("cpu"), "", least=_LEAST),
    )  # fmt: skip
    rows = [
        (
            side,
            spread([ran.cost.wall for ran in ran_of], ".1f"),
            spread([ran.cost.cpu for ran in ran_of], ".1f"),
            f"{max(ran.cost.peak for ran in ran_of) / 1e6:.0f}",
        )
        for side, ran_of in runs.items()
    ]
    table = Table(("side", "wall s", "processor s", "peak MB"), tuple(rows))
    same = f"both sides say the same text in {minutes:g} minutes of sound, the sentence {times} times, with word times"
    note = (
        "Two layers of 64 numbers: much of both sides' time is their start. Ours includes converting the checkpoint to "
        "CTranslate2, for which torch is imported: the cache is empty each time."
    )
    return Section("Speech against openai-whisper's command", same, figures, (table,), (note,))
