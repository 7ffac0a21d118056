"""The pipeline ``laion_voice``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import AudioTrack, Pipeline, Table
from videoannotator.discover.stretches import KINDS, Stretch, stretches_of
from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import ConfigError, ModelError
from videoannotator_laion_voice.config import LaionVoiceConfig
from videoannotator_laion_voice.encoder import Encoder, Heard
from videoannotator_laion_voice.heads import Head, HeadFiles
from videoannotator_laion_voice.rows import (
    DIMENSIONS,
    EMOTIONS,
    LeftOut,
    VoiceDimensions,
    VoiceEmbedding,
    VoiceEmotions,
)
from videoannotator_laion_voice.segments import Skipped, choose

__all__ = ["LaionVoice"]


class LaionVoice(Pipeline[LaionVoiceConfig]):
    """The ratings of every segment: one row per turn, speech region, shot or window, in order of time.

    A segment is heard as it is, with whoever else speaks in it. Nothing is smoothed over time, ranked or made into
    shares of one another. What is not rated is in ``left_out``.

    The heads are as large as the encoder, and there are many: no more than ``context.batch`` are in memory at a time.
    If all that are asked fit, they stay loaded; otherwise all but one do, and the rest come and go, each once for a
    block of segments.

    Source: Empathic-Insight-Voice (Schuhmann et al., *EmoNet-Voice: A Fine-Grained, Expert-Verified Benchmark for
    Speech Emotion Detection*, 2025, https://arxiv.org/abs/2506.09827).
    """

    def setup(self) -> None:
        """Load the encoder, or take the one that is loaded, and see which heads there are."""
        device, config = self.context.device, self.config
        self._alone = TorchWorkers("laion_voice", self.context.threads, owner="run") if device == "cpu" else None
        self._encoder: Encoder = self.context.load(config.encoder, lambda file: Encoder(file.path, device=device))
        if config.max_segment_duration > self._encoder.seconds:
            raise ConfigError(
                f"laion_voice.max_segment_duration: the encoder hears {self._encoder.seconds:g} s at a time, got "
                f"{config.max_segment_duration!r}"
            )
        self._files = HeadFiles(Path(self.context.model(config.weights).path), config.heads)
        names = self._files.names
        self._staying = names if len(names) <= self.context.batch else names[: self.context.batch - 1]
        self._heads: dict[str, Head] = {}

    def begin(self) -> None:
        """Nothing of the stretch is rated yet."""
        self._told, self._done = False, 0

    def state(self) -> tuple[bool, int]:
        """Whether it was told what is left out, and how many segments are rated."""
        return self._told, self._done

    def restore(self, state: tuple[bool, int]) -> None:
        """Go on from there."""
        self._told, self._done = state

    def finish(self) -> Iterator[dict[str, Table[Any]]]:
        """The ratings, block by block."""
        audio = self.context.audio
        shortest, longest = self.config.min_segment_duration, self.config.max_segment_duration
        rated, left = choose(self._candidates(), audio, shortest=shortest, longest=longest)
        if not self._told:
            self._told = True
            if left:
                yield {"left_out": _left_out(left)}
        while self._done < len(rated):
            block = rated[self._done : self._done + self.config.block]
            tables = self._tables(block, *self._rate(block, audio, len(rated)))
            self._done += len(block)
            yield tables

    def _candidates(self) -> list[Stretch]:
        """What the settings, and the pipelines that run, say is to be rated; it may reach beyond the sound."""
        config = self.config
        found, kind = stretches_of(
            self.context, config.segments, duration=config.segment_duration, overlap=config.segment_overlap
        )
        self.context.notice(f"segments are {KINDS[kind]}")
        return found

    def _rate(
        self, block: Sequence[Stretch], audio: AudioTrack, total: int
    ) -> tuple[dict[str, NDArray[np.float32]], Heard]:
        """The ratings of a block by head, (N,) each, and what the encoder hears in it."""

        def tell(fraction: float) -> None:
            self.context.progress((self._done + fraction * len(block)) / total)

        places = [segment.samples_of(audio) for segment in block]
        pieces = [audio.samples[first:last] for first, last in places]
        heard = self._encoder(
            pieces, most=self.context.batch, alone=self._alone, tell=lambda fraction: tell(fraction / 2)
        )
        ratings = {}
        for number, name in enumerate(self._files.names, start=1):
            ratings[name] = self._head(name)(heard, alone=self._alone).numpy()
            if not np.isfinite(ratings[name]).all():
                raise ModelError(f"{self._files[name]} gives ratings that are no numbers; fetch it again")
            tell(0.5 + 0.5 * number / len(self._files.names))
        return ratings, heard

    def _head(self, name: str) -> Head:
        """A head; one that does not stay is nobody's but the caller's."""
        device, encoder, files = self.context.device, self._encoder, self._files

        def build(_: object = None) -> Head:
            return Head(files[name], positions=encoder.positions, width=encoder.width, device=device)

        if name not in self._staying:
            return build()
        if name not in self._heads:
            variant = (name, encoder.positions, encoder.width)
            self._heads[name] = self.context.load(self.config.weights, build, variant=variant, concurrent=True)
        return self._heads[name]

    def _tables(
        self, block: Sequence[Stretch], ratings: dict[str, NDArray[np.float32]], heard: Heard
    ) -> dict[str, Table[Any]]:
        common = _places(block)
        emotions = {name: ratings[name] for name in EMOTIONS if name in ratings}
        dimensions = {name: ratings[name] for name in DIMENSIONS if name in ratings}
        tables: dict[str, Table[Any]] = {}
        if emotions:
            tables["emotions"] = Table.of(VoiceEmotions, **common, **emotions)
        if dimensions:
            tables["dimensions"] = Table.of(VoiceDimensions, **common, **dimensions)
        if self.config.embeddings:
            tables["embeddings"] = Table.of(VoiceEmbedding, **common, vector=list(heard.pooled.cpu().numpy()))
        return tables

    def close(self) -> None:
        """Let go of the networks, and end the threads."""
        alone = self.__dict__.pop("_alone", None)
        if alone is not None:
            alone.close()
        for name in ("_encoder", "_heads"):
            self.__dict__.pop(name, None)


def _places(segments: Sequence[Stretch]) -> dict[str, list[Any]]:
    return {name: [getattr(segment, name) for segment in segments] for name in ("start", "end", "speaker")}


def _left_out(left: Sequence[Skipped]) -> Table[LeftOut]:
    places = _places([one.segment for one in left])
    return Table.of(LeftOut, **places, reason=[one.reason for one in left])
