"""What is said: a small Whisper that was fitted to the very recording, through both engines.

Made to see that no word is lost or doubled on the way to the rows. It says nothing about OpenAI's weights.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.accuracy.rttm import module_of
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Figure, Section, Table

import videoannotator as va

__all__ = ["ENGINES", "WANTED", "heard", "sections", "wrong"]

ENGINES = ("faster-whisper", "openai-whisper")
WANTED = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country"
"""What is said in ``audio/jfk.flac``, as openai-whisper's own test has it."""


def wrong(said: str, wanted: str = WANTED) -> tuple[float, int, int, int]:
    """Word error rate by jiwer, and how many words are other ones, missing, too many. Case and punctuation aside."""
    import jiwer

    plain = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.RemovePunctuation(),
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )
    found = jiwer.process_words(wanted, said, reference_transform=plain, hypothesis_transform=plain)
    return found.wer, found.substitutions, found.deletions, found.insertions


def heard(weights: Path, engine: str) -> va.Result:
    """The recording through one engine."""
    config = {"speech_recognition": {"weights": str(weights), "engine": engine, "language": "en"}}
    with va.Annotator(["speech_recognition"], config=config, cache=False) as annotator:
        return annotator.annotate(ASSETS / "audio" / "jfk.flac", progress=False, on_error="raise")


def sections() -> list[Section]:
    """Measure both engines."""
    rows, figures = [], []
    with tempfile.TemporaryDirectory() as folder:
        weights = module_of("speech_recognition").checkpoint(ASSETS, Path(folder))
        for engine in ENGINES:
            said = " ".join(row.text.strip() for row in heard(weights, engine)["speech_recognition"].utterances)
            rate, other, missing, more = wrong(said)
            rows.append((engine, f"{rate:.3f}", str(other), str(missing), str(more), said))
            figures.append(Figure(f"word error rate, {engine}", (rate,), "", most=0.0, how=".3f"))
    head = ("engine", "word error rate", "other words", "missing", "too many", "what it says")
    title = "Speech: jfk.flac by a small Whisper fitted to it, through both engines (jiwer)"
    note = "This says nothing about OpenAI's weights."
    return [Section(title, "", tuple(figures), (Table(head, tuple(rows)),), (note,))]
