"""What is known of whole tracks: their birth, gaps and end, and what lies in a gap on a straight line."""

from __future__ import annotations

import bisect
import pickle
from collections.abc import Iterable, Iterator

import attrs
import numpy as np

from videoannotator import Detection, Table
from videoannotator.data.rows import Gap, Track

__all__ = ["TrackBook"]

Box = tuple[float, float, float, float]
_ROUNDING = 1e-6  # seconds: 0.8 - 0.2 is a hair more than 0.6


@attrs.define
class _Entry:
    """A track so far. ``look``: number of the frame looked at in which it was seen last, and ``box`` where."""

    start: float
    start_frame: int
    end: float
    end_frame: int
    look: int
    box: Box
    frames: int = 0
    scores: float = 0.0
    labels: dict[str, int] = attrs.field(factory=dict)
    gaps: list[tuple[float, float]] = attrs.field(factory=list)


class TrackBook:
    """Keeps a few numbers of every track while its rows go by, until it cannot be seen again.

    ``lost_frames``: looks at the picture after which the tracker gives a lost track up. ``interpolate``: longest gap,
    in seconds, that `add` fills; None for none.
    """

    def __init__(self, lost_frames: int, interpolate: float | None = None) -> None:
        self._kept = lost_frames + 2  # ultralytics takes a track off its list one look late
        self._interpolate = interpolate
        self._entries: dict[int, _Entry] = {}
        self._looks = 0  # frames looked at
        self._recent: list[tuple[int, float]] = []  # the last of them, frame and time, as far back as gaps are filled

    def add(self, rows: Table[Detection], frames: Iterable[int], times: Iterable[float]) -> Table[Detection]:
        """Take down the rows of the next frames; gives the rows that lie in the gaps that end in them.

        ``frames``, ``times``: all that were looked at, also those without a row.
        """
        columns = [rows.column(name).tolist() for name in ("frame", "label", "score", "x1", "y1", "x2", "y2")]
        tracks = np.ma.filled(rows.track, 0).tolist() if len(rows) else []
        seen = list(zip(tracks, *columns, strict=True))
        between: list[Detection] = []
        place = 0
        for frame, time in zip(frames, times, strict=True):
            self._look(int(frame), float(time))
            while place < len(seen) and seen[place][1] == frame:
                track, _, label, score, *box = seen[place]
                place += 1
                if track:
                    between += self._seen(track, int(frame), float(time), label, score, tuple(box))
        return Table.from_rows(Detection, sorted(between, key=lambda row: row.frame))

    def ended(self) -> Table[Track]:
        """Takes out the tracks that cannot be seen again."""
        return self._out([n for n, entry in self._entries.items() if self._looks - entry.look > self._kept])

    def rest(self) -> Table[Track]:
        """Takes out all that are left: the stretch of time is over."""
        return self._out(list(self._entries))

    def forget(self) -> None:
        """A new stretch of time begins."""
        self._entries, self._looks, self._recent = {}, 0, []

    def state(self) -> bytes:
        """All that it remembers."""
        return pickle.dumps((self._entries, self._looks, self._recent))

    def restore(self, state: bytes) -> None:
        """Take that back."""
        self._entries, self._looks, self._recent = pickle.loads(state)  # noqa: S301 - our own, from `state`

    def _out(self, tracks: list[int]) -> Table[Track]:
        return Table.from_rows(Track, [_row(n, self._entries.pop(n)) for n in sorted(tracks)])

    def _look(self, frame: int, time: float) -> None:
        self._looks += 1
        if self._interpolate is None:
            return
        self._recent.append((frame, time))
        first = bisect.bisect_left(self._recent, time - self._interpolate - _ROUNDING, key=lambda one: one[1])
        del self._recent[:first]

    def _seen(self, track: int, frame: int, time: float, label: str, score: float, box: Box) -> Iterator[Detection]:
        entry = self._entries.get(track)
        if entry is None:
            entry = self._entries[track] = _Entry(time, frame, time, frame, self._looks, box)
        elif entry.look < self._looks - 1:
            entry.gaps.append((entry.end, time))
            if self._interpolate is not None and time - entry.end <= self._interpolate + _ROUNDING:
                yield from self._between(track, entry, (frame, time), label, box)
        entry.end, entry.end_frame, entry.look, entry.box = time, frame, self._looks, box
        entry.frames += 1
        entry.scores += score
        entry.labels[label] = entry.labels.get(label, 0) + 1

    def _between(self, track: int, entry: _Entry, now: tuple[int, float], label: str, box: Box) -> Iterator[Detection]:
        before, after = np.array(entry.box), np.array(box)
        for frame, time in self._recent:
            if entry.end_frame < frame < now[0]:
                share = (time - entry.end) / (now[1] - entry.end)
                x1, y1, x2, y2 = (before + share * (after - before)).tolist()
                corners = (x1, y1, max(x1, x2), max(y1, y2))  # rounding must not turn an empty box over
                yield Detection(frame, time, label, None, *corners, track, interpolated=True)


def _row(track: int, entry: _Entry) -> Track:
    return Track(
        track=track,
        label=max(entry.labels, key=lambda label: entry.labels[label]),  # the first of two that are as frequent
        start=entry.start,
        end=entry.end,
        start_frame=entry.start_frame,
        end_frame=entry.end_frame,
        frames=entry.frames,
        gaps=tuple(Gap(start, end) for start, end in entry.gaps),
        score=min(1.0, entry.scores / entry.frames),
    )
