"""What a learned model says of faces, 25 times a second: `network`, fed as it was trained.

Faces are cut out as by LR-ASD's authors (``Columbia_test.py``): a square around the box, 0.4 larger on each side and
lower by as much, scaled to 224 pixels, of which the middle 112 are seen, grey. Boxes are means of those near in time,
where they take medians over 13 frames of 25 a second: here faces are looked for less often. Each of 25 moments a second
shows the last picture that there was, for films of other rates; four windows of sound belong to each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from videoannotator import AudioTrack
from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import MissingDependencyError
from videoannotator_active_speaker.features import mfcc
from videoannotator_active_speaker.tracks import FaceTrack, InPicture

try:
    import torch

    from videoannotator_active_speaker.network import LRASD, REACH, load
except ImportError as error:
    raise MissingDependencyError(
        'active_speaker.weights needs torch; run: pip install "videoannotator-active-speaker[learned]", or unset it'
    ) from error

__all__ = ["Learned", "Watching", "cut"]

RATE = 25
_SIDE = 112
_SCALE, _GREY = 0.4, 110
_CHUNK = 100  # pictures that are looked at together, 4 s
_PIECE = 1500  # moments that are judged together, 60 s, with _AROUND more on each side
_AROUND = 100

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]


class Learned:
    """The network on a device. On a processor each face is computed in one thread, so that threads change nothing."""

    def __init__(self, path: Path, *, device: str, threads: int) -> None:
        self.network: LRASD = load(path, device)
        self._device = device
        self._workers = TorchWorkers("active-speaker", threads) if device == "cpu" else None

    def faces(self, stacks: Sequence[Gray]) -> list[NDArray[np.float32]]:
        """What is seen in stacks of faces (T, 112, 112): (T, 128) each."""
        return self._each(self._faces, stacks)

    def probabilities(self, given: Sequence[tuple[NDArray[np.float32], Floats]]) -> list[NDArray[np.float32]]:
        """(T,) for each of what was seen (T, 128) and the sound's coefficients (4 T, 13)."""
        return self._each(self._probabilities, given)

    def _each(self, work: Any, given: Sequence[Any]) -> list[Any]:
        return list(map(work, given) if self._workers is None else self._workers.map(work, given))

    def _faces(self, stack: Gray) -> NDArray[np.float32]:
        with torch.inference_mode():
            seen = self.network.faces(torch.from_numpy(np.ascontiguousarray(stack))[None].to(self._device))
        return np.asarray(seen[0].cpu().numpy(), dtype=np.float32)

    def _probabilities(self, given: tuple[NDArray[np.float32], Floats]) -> NDArray[np.float32]:
        seen, sound = (torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32))[None] for part in given)
        with torch.inference_mode():
            said = self.network(seen.to(self._device), sound.to(self._device))
        return np.asarray(said[0].cpu().numpy(), dtype=np.float32)

    def close(self) -> None:
        """End the threads."""
        if self._workers is not None:
            self._workers.close()


def cut(picture: Gray, box: Floats) -> Gray:
    """A face as the network sees it: grey (112, 112). ``box``: x1, y1, x2, y2 in pixels of ``picture``, (H, W)."""
    half = float(max(box[2] - box[0], box[3] - box[1])) / 2
    x, y = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
    side = 2 * half * (1 + _SCALE)
    scale = 2 * _SIDE / max(side, 1e-6)
    left, top = x - half * (1 + _SCALE), y - half
    # the middle 112 of 224 pixels; pixel centres have whole coordinates
    shift = np.array([left, top]) * -scale + 0.5 * scale - 0.5 - _SIDE / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    flags = cv2.INTER_LINEAR
    face = cv2.warpAffine(picture, matrix, (_SIDE, _SIDE), flags=flags, borderValue=_GREY)
    return np.asarray(face, dtype=np.uint8)


class _Run:
    """A stretch in which one face is in sight: pictures that wait to be looked at, and what was seen of the others."""

    def __init__(self, first: int) -> None:
        self.first = first  # the moment of the first picture
        self.waiting: tuple[Gray, ...] = ()  # from `before` pictures before the first that was not looked at
        self.before = 0
        self.seen: tuple[NDArray[np.float32], ...] = ()

    @property
    def count(self) -> int:
        """Moments so far."""
        return sum(map(len, self.seen)) + len(self.waiting) - self.before

    def state(self) -> tuple[Any, ...]:
        return self.first, self.waiting, self.before, self.seen

    @classmethod
    def of(cls, state: tuple[Any, ...]) -> _Run:
        run = cls(state[0])
        run.waiting, run.before, run.seen = state[1:]
        return run


class Watching:
    """Feeds the network while pictures pass. Memory: 512 bytes for each face and moment, 12 kB for each that waits."""

    def __init__(self, learned: Learned, tracks: Mapping[int, FaceTrack]) -> None:
        self._learned, self._tracks, self._in_picture = learned, tracks, InPicture(tracks)
        self._runs: dict[int, tuple[_Run, ...]] = {}

    def state(self) -> dict[int, tuple[Any, ...]]:
        """What was seen, and what waits."""
        return {track: tuple(run.state() for run in runs) for track, runs in self._runs.items()}

    def restore(self, state: Mapping[int, tuple[Any, ...]]) -> None:
        """Go on from there."""
        self._runs = {track: tuple(map(_Run.of, runs)) for track, runs in state.items()}

    def look(self, picture: Gray, time: float, scale: tuple[float, float]) -> None:
        """Take the faces of a picture. ``scale``: from its pixels to those shown."""
        moment = int(np.floor(time * RATE + 1e-6))
        for track in self._in_picture.during(time, time):
            box = self._tracks[track].box(time)
            face = cut(picture, box / np.tile(scale, 2))
            runs = self._runs.get(track, ())
            if not runs or moment - (runs[-1].first + runs[-1].count) > RATE // 4:
                runs = (*runs, _Run(moment))
                self._runs[track] = runs
            run = runs[-1]
            missing = moment - (run.first + run.count) + 1
            last = run.waiting[-1:]
            if missing > 0:  # moments without a picture of their own show the last one
                run.waiting = (*run.waiting, *(last * (missing - 1)), face)
            elif run.waiting:
                run.waiting = (*run.waiting[:-1], face)  # several pictures in one moment: the last
            if len(run.waiting) - run.before >= _CHUNK + REACH:
                self._see([run])

    def _see(self, runs: Sequence[_Run], *, rest: bool = False) -> None:
        """Look at what waits, but for the last few pictures, whose successors are not there yet."""
        seen = self._learned.faces([np.stack(run.waiting) for run in runs])
        for run, found in zip(runs, seen, strict=True):
            end = len(run.waiting) if rest else len(run.waiting) - REACH
            run.seen = (*run.seen, found[run.before : end])
            keep = max(0, end - REACH)
            run.waiting, run.before = run.waiting[keep:], end - keep

    def finish(self, audio: AudioTrack) -> Mapping[int, tuple[Floats, Floats]]:
        """Times and probabilities of each track, where there is sound."""
        every = [run for runs in self._runs.values() for run in runs]
        for run in every:
            if len(run.waiting) > run.before:
                self._see([run], rest=True)
        sound = _Sound(audio)
        found = {}
        for track, runs in self._runs.items():
            parts = [self._judged(run, sound) for run in runs]
            times = np.concatenate(
                [(run.first + np.arange(len(said))) / RATE for run, said in zip(runs, parts, strict=True)]
            )
            found[track] = times, np.concatenate(parts)
        return found

    def _judged(self, run: _Run, sound: _Sound) -> Floats:
        """Probabilities of a run; NaN where there is no sound."""
        seen = np.concatenate(run.seen)
        inside = np.flatnonzero(sound.there(run.first + np.arange(len(seen))))
        said = np.full(len(seen), np.nan)
        if len(inside):
            first, last = int(inside[0]), int(inside[-1]) + 1
            pieces = [(a, min(a + _PIECE, last)) for a in range(first, last, _PIECE)]
            wide = [(max(first, a - _AROUND), min(last, b + _AROUND)) for a, b in pieces]
            given = [(seen[a:b], sound.of(run.first + a, run.first + b)) for a, b in wide]
            for (a, b), (begin, _), got in zip(pieces, wide, self._learned.probabilities(given), strict=True):
                said[a:b] = got[a - begin : b - begin]
        return said


class _Sound:
    """The coefficients of a sound by moment."""

    def __init__(self, audio: AudioTrack) -> None:
        self._audio = audio

    def there(self, moments: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the sound has begun and has not ended in all of each moment."""
        start, end = self._audio.start, self._audio.start + len(self._audio) / self._audio.rate
        return (moments / RATE >= start - 1e-6) & ((moments + 1) / RATE <= end + 1e-6)

    def of(self, first: int, last: int) -> Floats:
        """Of the moments ``[first, last)``: (4 (last - first), 13)."""
        rate = self._audio.rate
        begin = max(0, round((first / RATE - self._audio.start) * rate))
        windows = 4 * (last - first)
        wanted = (windows - 1) * rate // 100 + rate // 40
        samples = np.asarray(self._audio.samples[begin : begin + wanted])
        return mfcc(np.append(samples, np.zeros(wanted - len(samples), dtype=samples.dtype)))[:windows]
