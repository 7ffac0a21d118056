"""The pipeline ``egemaps``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np

from videoannotator import Pipeline, Table
from videoannotator.discover.pipeline import Rows
from videoannotator.discover.stretches import KINDS, Stretch, stretches_of, within
from videoannotator.errors import DataError
from videoannotator_egemaps.config import EgemapsConfig
from videoannotator_egemaps.naming import column_of
from videoannotator_egemaps.rows import Descriptors, Features, Functionals
from videoannotator_egemaps.smile import Extractor, Frames

__all__ = ["Egemaps"]

_TOGETHER = 10  # stretches in a piece of the output


@attrs.frozen(eq=False)
class _Told:
    """What openSMILE says of a stretch, None when that is too short."""

    stretch: Stretch
    frames: Frames | None


class Egemaps(Pipeline[EgemapsConfig]):
    """openSMILE's features of turns, speech regions or fixed stretches, each measured by itself.

    Equal to ``opensmile.Smile(feature_set, level).process_signal`` of the same samples, except that samples of 1.0
    are not turned into -1.0. What every number is: `videoannotator_egemaps.rows`.
    """

    _functionals: Extractor
    _descriptors: Extractor | None
    _done = 0  # stretches that were given

    def setup(self) -> None:
        """Load openSMILE."""
        self._functionals = Extractor(self.config.feature_set, descriptors=False)
        wanted = self.config.descriptors
        self._descriptors = Extractor(self.config.feature_set, descriptors=True) if wanted else None

    def begin(self) -> None:
        """What was heard before the stretch says nothing about it."""
        self._done = 0

    def state(self) -> int:
        """How many stretches were given."""
        return self._done

    def restore(self, state: Any) -> None:
        """Go on behind these."""
        self._done = state

    def finish(self) -> Iterator[Rows]:
        """One stretch after the other."""
        audio = self.context.audio
        if audio.rate != self.config.rate:
            raise DataError(f"egemaps needs sound at {self.config.rate} Hz, got {audio.rate} Hz")
        found, kind = stretches_of(self.context, self.config.segments, duration=self.config.segment_duration)
        stretches = within(found, audio)
        if self.config.segments == "auto":
            self.context.notice(f"segments are {KINDS[kind]}")
        while self._done < len(stretches):
            rows = self._piece(stretches[self._done : self._done + _TOGETHER], len(stretches))
            self._done = min(self._done + _TOGETHER, len(stretches))
            yield rows
        self.context.progress(1.0)

    def _piece(self, stretches: Sequence[Stretch], of: int) -> dict[str, Table[Any]]:
        functionals, descriptors = [], []
        for number, stretch in enumerate(stretches, self._done):
            self.context.progress(number / of)
            functionals.append(_Told(stretch, self._heard(self._functionals, stretch)))
            if self._descriptors is not None:
                descriptors.append(_Told(stretch, self._heard(self._descriptors, stretch)))
        many = self.config.feature_set == "ComParE_2016"
        tables: dict[str, Table[Any]] = {"compare" if many else "functionals": self._whole(functionals)}
        if self._descriptors is not None:
            tables["compare_descriptors" if many else "descriptors"] = self._single(descriptors, self._descriptors)
        return tables

    def _heard(self, extractor: Extractor, stretch: Stretch) -> Frames | None:
        audio = self.context.audio
        first, last = stretch.samples_of(audio)
        return extractor(audio.samples[first:last], audio.rate)

    def _whole(self, told: Sequence[_Told]) -> Table[Any]:
        """A row for every stretch."""
        names = self._functionals.names
        span = {name: [getattr(one.stretch, name) for one in told] for name in ("start", "end", "speaker")}
        if self.config.feature_set == "ComParE_2016":
            return Table.of(Features, **span, values=[one.frames and one.frames.values[0] for one in told])
        missing = np.full(len(names), np.nan, dtype=np.float32)
        values = np.stack([missing if one.frames is None else one.frames.values[0] for one in told])
        return Table.of(Functionals, **span, **_columns(names, values))

    def _single(self, told: Sequence[_Told], extractor: Extractor) -> Table[Any]:
        """A row for every frame of every stretch."""
        row_class: type[Any] = Features if self.config.feature_set == "ComParE_2016" else Descriptors
        parts = [Table.empty(row_class)]
        for one in told:
            if one.frames is None:
                continue
            start = one.stretch.start + one.frames.start
            end = np.minimum(one.stretch.start + one.frames.end, one.stretch.end)
            kept = start < end
            values = one.frames.values[kept]
            columns = {"values": list(values)} if row_class is Features else _columns(extractor.names, values)
            span = {"start": start[kept], "end": end[kept], "speaker": [one.stretch.speaker] * int(kept.sum())}
            parts.append(Table.of(row_class, **span, **columns))
        return Table.concat(parts)


def _columns(names: Sequence[str], values: Any) -> dict[str, Any]:
    return {column_of(name): values[:, number] for number, name in enumerate(names)}
