"""What the tests of audio_processing share: a recogniser and a diarization whose rows are known."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.testing.contract import catalog_of
from videoannotator_audio_processing import videoannotator_pipelines

MODULE = '''
"""Stand-ins without models: they say what is in a file, or make something up from the stretch looked at."""

import attrs
import videoannotator as va
from videoannotator import Pipeline, SpeakerTurn, Table, Utterance, Word


@attrs.frozen
class Config:
    file: str = attrs.field(default="", metadata={"help": "whose rows to give"})
    exclusive: str = attrs.field(default="", metadata={"help": "whose rows to give as exclusive turns"})


class Speech(Pipeline):
    def finish(self):
        span = self.context.span
        if self.config.file:
            table = next(va.read(self.config.file).tables())[2]
            return table.during(span.start, span.end)
        step = (span.end - span.start) / 8
        if step * 8 < 0.01:
            return None
        at = [span.start + i * step for i in range(7)]
        words = [Word(t, t + step, f" w{i}", 0.5) for i, t in enumerate(at)]
        return Table.from_rows(Utterance, [
            Utterance(at[0], at[4], " w0 w1 w2 w3", tuple(words[:4]), "en", avg_logprob=-0.25),
            Utterance(at[4], at[6] + step, " w4 w5 w6", tuple(words[4:]), "en"),
        ])


class Voices(Pipeline):
    def finish(self):
        span = self.context.span
        if self.config.file:
            given = {"turns": self.turns(self.config.file)}
            if self.config.exclusive:
                given["exclusive"] = self.turns(self.config.exclusive)
            return given
        lasts = span.end - span.start
        if lasts < 0.01:
            return None
        return {"turns": Table.of(
            SpeakerTurn, start=[span.start, span.start + lasts * 0.3], end=[span.start + lasts * 0.4, span.end],
            speaker=["Anna", "Ben"],
        )}

    def turns(self, file):
        span = self.context.span
        return next(va.read(file).tables())[2].during(span.start, span.end)
'''


@pytest.fixture
def hearing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Catalog]:
    """Makes a catalog with audio_processing behind those two; ``sound``: they need the file's sound."""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "made_hearing.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))

    def made(*, sound: bool = False, exclusive: bool = False) -> Catalog:
        def spec(name: str, pipeline: str, **gives: str) -> va.PipelineSpec:
            return va.PipelineSpec(
                name=name,
                version="1.0",
                needs=(va.Audio(),) if sound else (),
                gives=gives,
                pipeline=f"made_hearing:{pipeline}",
                config="made_hearing:Config",
                licence="MIT",
            )

        turn = "videoannotator.data.rows:SpeakerTurn"
        turns = {"turns": turn} | ({"exclusive": turn} if exclusive else {})
        return catalog_of(
            spec("speech_recognition", "Speech", utterances="videoannotator.data.rows:Utterance"),
            spec("speaker_diarization", "Voices", **turns),
            *videoannotator_pipelines(),
        )

    return made
