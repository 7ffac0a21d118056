"""The pipeline ``motion``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import FrameBatch, Pipeline, Table
from videoannotator_motion.comparing import Change, compare
from videoannotator_motion.config import MotionConfig
from videoannotator_motion.regions import Boxes, Places, fixed_places
from videoannotator_motion.rows import CameraMotion, MotionEnergy

__all__ = ["Motion"]

Gray = NDArray[np.uint8]


class Motion(Pipeline[MotionConfig]):
    """Motion energy of every region, and the motion of the camera, for every picture that follows another.

    No row for the first picture of a stretch, the first after a cut, and one whose predecessor is more than
    ``longest`` seconds older: nothing was measured there, which is not the same as 0.

    Source: Motion Energy Analysis, frame differencing with a threshold (Grammer et al., 1999; Ramseyer & Tschacher,
    2011), per second of the file's own time, so that frame rates do not change the unit.
    """

    _previous: tuple[int, float, Gray] | None
    _fixed: Places | None
    _boxes: Boxes | None
    _opening: NDArray[np.int64] | None

    def begin(self) -> None:
        """Nothing is compared with what was shown before this stretch."""
        self._previous, self._fixed = None, None
        persons = self.context.output("person_tracking") if self.config.persons else None
        self._boxes = Boxes(persons.tables["detections"]) if persons is not None else None
        shots = self.context.output("scene_detection") if self.config.shots else None
        # a pipeline that failed has not said that there are no cuts
        known = shots is not None and shots.ok
        self._opening = np.sort(shots.tables["shots"].column("start_frame")) if shots is not None and known else None

    def state(self) -> tuple[int, float, Gray] | None:
        """The last picture, some 100 kB with the default height."""
        return self._previous

    def restore(self, state: tuple[int, float, Gray] | None) -> None:
        """Go on from there."""
        self._previous = state

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """Compare each picture with the one before."""
        if self._fixed is None:
            self._fixed = fixed_places(self.config.regions, (batch.width, batch.height), batch.scale)
        energy: list[dict[str, Any]] = []
        camera: list[dict[str, Any]] = []
        for frame, time, picture in zip(batch.frame.tolist(), batch.time.tolist(), batch.pixels, strict=True):
            if self._previous is not None and 0 < time - self._previous[1] <= self.config.longest:
                self._compare(self._previous, (frame, time, picture), batch.scale, energy, camera)
            self._previous = frame, time, picture
        if self._previous is not None:
            self._previous = *self._previous[:2], self._previous[2].copy()  # the batch's memory is others'
        return {"energy": _table(MotionEnergy, energy), "camera": _table(CameraMotion, camera)}

    def _compare(
        self,
        before: tuple[int, float, Gray],
        now: tuple[int, float, Gray],
        scale: tuple[float, float],
        energy: list[dict[str, Any]],
        camera: list[dict[str, Any]],
    ) -> None:
        config, (frame, time, picture) = self.config, now
        if self._opening is not None and _between(self._opening, before[0], frame):
            return
        persons = np.empty((0, 4))
        if self._boxes is not None:
            persons = self._boxes.about(before[0], before[1], config.longest) / np.tile(scale, 2)
        change = compare(before[2], picture, persons=persons, threshold=config.threshold, camera=config.camera)
        if config.cuts != "none" and self._opening is None and change.mean >= config.cut_threshold:
            return
        when = {"frame": frame, "time": time, "interval": time - before[1]}
        energy.append(when | self._energy(change, self._places(frame, picture, scale), when["interval"]))
        if change.camera is not None:
            camera.append(when | _camera(change, picture, scale, when["interval"]))

    def _places(self, frame: int, picture: Gray, scale: tuple[float, float]) -> Places:
        assert self._fixed is not None  # noqa: S101 - process() has set it
        if self._boxes is None:
            return self._fixed
        labels, boxes, tracks = self._boxes.tracked(frame)
        height, width = picture.shape
        return self._fixed + Places.of(labels, boxes, tracks, (width, height), scale)

    def _energy(self, change: Change, places: Places, interval: float) -> dict[str, Any]:
        raw = change.raw(places, self.config.threshold)
        left = change.without_camera(places, self.config.threshold)
        missing = np.full(len(places.names), np.nan)
        return {
            "region": list(places.names),
            **{name: places.boxes[:, i] for i, name in enumerate(("x1", "y1", "x2", "y2"))},
            "changed": raw.changed / interval,
            "energy": raw.energy / interval,
            "changed_compensated": left.changed / interval if left is not None else missing,
            "energy_compensated": left.energy / interval if left is not None else missing,
            "track": list(places.tracks),
        }


def _between(opening: NDArray[np.int64], before: int, frame: int) -> bool:
    """True when a shot begins after frame ``before``, at ``frame`` at the latest."""
    first, last = np.searchsorted(opening, [before, frame], side="right")
    return bool(last > first)


def _camera(change: Change, picture: Gray, scale: tuple[float, float], interval: float) -> dict[str, Any]:
    motion, left = change.camera, change.compensated
    assert motion is not None  # noqa: S101 - the caller has looked
    assert left is not None  # noqa: S101 - they come together
    height, width = picture.shape
    dx, dy = motion.shift(width, height)
    return {
        "dx": dx * scale[0] / interval,
        "dy": dy * scale[1] / interval,
        "rotation": motion.rotation / interval,
        "zoom": float(np.log(motion.scale)) / interval,
        "brightness": left.light / 255 / interval,
        "points": motion.points,
        "score": motion.share,
    }


def _table(row: type[Any], pieces: list[dict[str, Any]]) -> Table[Any]:
    """One table of pieces, each of one picture: values of a picture are repeated for all its rows."""
    if not pieces:
        return Table.empty(row)
    counts = [len(piece["region"]) if "region" in piece else 1 for piece in pieces]
    columns: dict[str, Any] = {}
    for name, value in pieces[0].items():
        if isinstance(value, list):
            columns[name] = [item for piece in pieces for item in piece[name]]
        elif isinstance(value, np.ndarray):
            columns[name] = np.concatenate([piece[name] for piece in pieces])
        else:
            columns[name] = np.repeat([piece[name] for piece in pieces], counts)
    return Table.of(row, **columns)
