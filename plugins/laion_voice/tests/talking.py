"""A ``speaker_diarization`` that reads its turns from an RTTM file, for tests of who builds on it."""

from __future__ import annotations

from pathlib import Path

import attrs

from videoannotator import Audio, Pipeline, PipelineSpec, SpeakerTurn, Table

SPEC = PipelineSpec(
    name="speaker_diarization",
    version="1.0",
    needs=(Audio(),),
    gives={"turns": "videoannotator.data.rows:SpeakerTurn"},
    pipeline="plugins.laion_voice.tests.talking:Told",
    config="plugins.laion_voice.tests.talking:Config",
    licence="MIT",
)


@attrs.frozen(kw_only=True)
class Config:
    rttm: str = attrs.field(default="", metadata={"help": "the file"})


def turns_of(rttm: str) -> Table[SpeakerTurn]:
    fields = [line.split() for line in Path(rttm).read_text().splitlines()]
    times = [(float(field[3]), float(field[4]), field[7]) for field in fields]
    return Table.from_rows(SpeakerTurn, [SpeakerTurn(start, start + length, who) for start, length, who in times])


class Told(Pipeline[Config]):
    def finish(self) -> Table[SpeakerTurn]:
        return turns_of(self.config.rttm)
