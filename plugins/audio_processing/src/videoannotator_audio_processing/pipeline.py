"""The pipeline ``audio_processing``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from videoannotator import Pipeline, SpeakerTurn, Table, Utterance
from videoannotator.errors import ConfigError, PlanError
from videoannotator_audio_processing.attributing import Attribution, Voices, attributed, smoothed
from videoannotator_audio_processing.config import AudioProcessingConfig
from videoannotator_audio_processing.regrouping import Piece, changed, pieces
from videoannotator_audio_processing.rows import SpokenWord

__all__ = ["AudioProcessing"]

T = TypeVar("T")


class AudioProcessing(Pipeline[AudioProcessingConfig]):
    """Words of ``speech_recognition``, given to the speakers of ``speaker_diarization``.

    Every word comes out once, in its order. See `attributed` for the rule, `pieces` for the cutting of utterances.
    """

    _given = 0

    def setup(self) -> None:
        """Look whether the rows that the settings ask for are there. Raises `ConfigError`, `PlanError`."""
        self._rows("speech_recognition", "utterances", Utterance)
        self._rows("speaker_diarization", "turns", SpeakerTurn)
        if self.config.turns == "exclusive":
            given = self.context.output("speaker_diarization")
            if given is not None and "exclusive" not in given.tables:
                raise ConfigError(
                    "turns='exclusive' needs a speaker_diarization that gives exclusive turns, and this one gives "
                    f"{', '.join(given.tables)}: use turns='auto'"
                )

    def state(self) -> int:
        """How many utterances were told: their numbers are not used twice."""
        return self._given

    def restore(self, state: int) -> None:
        """Go on from there."""
        self._given = state

    def finish(self) -> dict[str, Table[Any]]:
        """Who said what."""
        config = self.config
        utterances = self._rows("speech_recognition", "utterances", Utterance)
        turns = self._rows("speaker_diarization", "turns", SpeakerTurn)
        heard = Voices(turns)
        deciding = self._exclusive() if config.turns != "regular" else None
        spans = [span for utterance in utterances for span in utterance.words or (utterance,)]
        found = attributed(spans, deciding or heard, heard, tolerance=config.tolerance)
        made: list[Utterance] = []
        words: list[SpokenWord] = []
        inexact = place = 0
        for utterance in utterances:
            mine = found[place : place + (len(utterance.words) or 1)]
            place += len(mine)
            if not utterance.words:
                made.append(changed(utterance, speaker=mine[0].speaker, speaker_score=mine[0].score))
                continue
            mine = smoothed(utterance.words, mine, under=config.smooth)
            parts = pieces(utterance, mine, pause=config.pause)
            inexact += not all(part.exact for part in parts)
            for part in parts:
                made.append(part.utterance)
                words += _words(part, mine, self._given + len(made))
        self._given += len(made)
        self._say(utterances, words, heard, made, inexact)
        return {
            "utterances": Table.from_rows(Utterance, made),
            "words": Table.from_rows(SpokenWord, words),
            "turns": Table.from_rows(SpeakerTurn, turns),
        }

    def _exclusive(self) -> Voices | None:
        """The exclusive turns; None where there are none."""
        given = self.context.output("speaker_diarization")
        if given is None or "exclusive" not in given.tables:
            return None
        voices = Voices(self._rows("speaker_diarization", "exclusive", SpeakerTurn))
        return voices if voices.speakers else None

    def _rows(self, pipeline: str, output: str, row: type[T]) -> list[T]:
        """The rows of another pipeline whose middle lies in the stretch of time looked at now.

        Not those that begin in it: sound comes in samples, and the first may begin a moment before.
        """
        given = self.context.output(pipeline)
        table = None if given is None else given.tables.get(output)
        if table is None or not issubclass(table.row_class, row):
            raise PlanError(f"audio_processing needs the {output} ({row.__name__} rows) of {pipeline}, and has none")
        span, middle = self.context.span, (table.start + table.end) / 2
        return list(table[(middle >= span.start) & (middle < span.end)])

    def _say(
        self,
        utterances: Sequence[Utterance],
        words: Sequence[SpokenWord],
        heard: Voices,
        made: Sequence[Utterance],
        inexact: int,
    ) -> None:
        """What may be seen in the rows."""
        whole = sum(1 for utterance in utterances if not utterance.words)
        if whole:
            self.context.notice(f"{whole} utterances have no words with times: each was given to one speaker whole")
        if inexact:
            self.context.notice(f"{inexact} utterances were cut whose text is not their words': they have the words")
        nobody = sum(1 for word in words if word.speaker is None)
        nearest = sum(1 for word in words if word.speaker_by == "nearest")
        if nobody or nearest:
            self.context.notice(
                f"during {nobody + nearest} of {len(words)} words nobody speaks: {nearest} were given to the speaker "
                f"of the nearest turn, {nobody} to nobody"
            )
        silent = [speaker for speaker in heard.speakers if all(u.speaker != speaker for u in made)]
        if silent:
            self.context.notice(f"speakers with turns and without words: {', '.join(sorted(silent))}")


def _words(part: Piece, found: Sequence[Attribution], utterance: int) -> list[SpokenWord]:
    first, last = part.words
    return [
        SpokenWord(
            utterance=utterance,
            start=word.start,
            end=word.end,
            text=word.text,
            language=part.utterance.language,
            score=word.score,
            speaker=one.speaker,
            speaker_score=one.score,
            speaker_by=one.by,
            others=one.others,
        )
        for word, one in zip(part.utterance.words, found[first:last], strict=True)
    ]
