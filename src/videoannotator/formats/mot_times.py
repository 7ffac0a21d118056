"""When the frames of a MOTChallenge file are shown: the file itself knows only their numbers."""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import attrs

from videoannotator.data.media import MediaInfo
from videoannotator.data.time import FrameClock
from videoannotator.errors import FormatError
from videoannotator.formats.files import read_text

__all__ = ["Sequence", "Times", "find_sequence", "times_of"]

SEQINFO = "seqinfo.ini"


def times_of(clock: FrameClock | None) -> dict[int, float]:
    """Seconds of every frame that a clock knows, by index."""
    return {} if clock is None else dict(enumerate(clock.times.tolist()))


@attrs.frozen
class Times:
    """Seconds of frames: by index, or at ``rate`` frames per second. ``source``: where they are from, for messages."""

    known: Mapping[int, float]
    source: str
    rate: float | None = None

    def at(self, frames: Iterable[int], path: Path) -> list[float]:
        """The times of ``frames``. Raises `FormatError` for one that the source does not know."""
        if self.rate is not None:
            return [frame / self.rate for frame in frames]
        frames = list(frames)
        beyond = [frame for frame in frames if frame not in self.known]
        if beyond:
            raise FormatError(f"{path} has a frame {beyond[0] + 1}, which {self.source} does not have")
        return [self.known[frame] for frame in frames]


@attrs.frozen
class Sequence:
    """What a ``seqinfo.ini`` says. ``rate``: frames per second."""

    name: str | None = None
    rate: float | None = None

    def times(
        self, path: Path, rate: float | None, media: str | PathLike[str] | None
    ) -> tuple[Times, MediaInfo | None]:
        """The times that a reader of ``path`` was told, or this sequence tells, and the media file if it was named.

        Raises `FormatError` when nobody tells any.
        """
        if media is not None:
            from videoannotator.decode.probing import probe

            info = probe(media)
            if info.video is None:
                raise FormatError(
                    f"{info.path} has no pictures, so it does not tell when the frames of {path} are shown"
                )
            return Times(times_of(info.video.clock), info.path), info
        rate = self.rate if rate is None else rate
        if rate is None:
            raise FormatError(
                f"{path} does not say when its frames are shown, and no time is guessed. Put a {SEQINFO} with "
                "frameRate=... into its folder, or say it: "
                "videoannotator.formats.mot.read_mot(path, media='film.mp4') or read_mot(path, rate=25)"
            )
        if not 0 < rate < float("inf"):
            raise FormatError(f"{path}: a frame rate must be above 0, got {rate!r}")
        return Times({}, "", rate), None


def find_sequence(path: Path) -> Sequence:
    """The ``seqinfo.ini`` of a file: beside it, or one folder up, as in ``MOT17-02/gt/gt.txt``.

    Raises `FormatError` when it is damaged.
    """
    for folder in (path.absolute().parent, path.absolute().parent.parent):
        if not (folder / SEQINFO).is_file():
            continue
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(read_text(folder / SEQINFO))
            section = parser["Sequence"] if parser.has_section("Sequence") else {}
            rate = section.get("frameRate")
            return Sequence(section.get("name"), None if rate is None else float(rate))
        except (configparser.Error, ValueError) as error:
            raise FormatError(f"{folder / SEQINFO} cannot be read: {error}") from error
    return Sequence()
