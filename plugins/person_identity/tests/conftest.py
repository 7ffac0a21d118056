"""What the tests of person_identity share: real weights, and walkers whose way is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator import Detection, Table
from videoannotator_person_identity.likeness import Looks
from videoannotator_person_identity.pipeline import rows_at
from videoannotator_person_identity.solving import Limits, Seen, Solved, solved
from videoannotator_person_identity.tracks import Tracks, tracks_of

SIZE = 1280, 720
RATE = 10.0
DIMENSIONS = 32


@pytest.fixture(scope="session")
def osnet(assets: Path) -> Path:
    """Real OSNet weights."""
    path = assets / "models" / "osnet_x0_25_msmt17.onnx"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path


@attrs.frozen
class Walk:
    """A stretch of a track: who, from frame to frame (half-open), from where to where (middle of the box, px)."""

    track: int
    who: int
    frames: tuple[int, int]
    way: tuple[tuple[float, float], tuple[float, float]]
    height: float = 200.0


@attrs.frozen(eq=False)
class Scene:
    """Walks with their rows, looks and truth. ``who``: by row of ``tracks``."""

    tracks: Tracks
    looks: Looks
    who: NDArray[np.intp]

    def solved(self, *, looks: bool = True, cuts: Sequence[float] = (), **limits: Any) -> Solved:
        """What the plugin makes of it."""
        at = rows_at(self.tracks, self.looks.group, self.looks.time)
        kinds = [Seen("appearance", self.looks, at, 0.75)] if looks else []
        chosen = {"odds": 0.0, "speed": 6.0, "reentry_is_new": False, **limits}
        return solved(self.tracks, kinds, cuts=cuts, size=SIZE, limits=Limits(**chosen))

    def persons(self, found: Solved) -> NDArray[np.intp]:
        """The number of the person in each row, -1: nobody."""
        mine = np.full(len(self.tracks), -1, dtype=np.intp)
        for i, stretches in enumerate(found.persons):
            for stretch in stretches:
                mine[stretch.begin : stretch.end] = i
        return mine


def scene(walks: Sequence[Walk], *, seed: int = 0, likeness: float = 0.0, noise: float = 1.0) -> Scene:
    """Walkers with looks: a vector for each person, all somewhat alike, and noise that is larger in some directions.

    ``likeness``: how much all persons look the same, 0..1. ``noise``: of single looks.
    """
    rng = np.random.default_rng(seed)
    base = rng.normal(size=DIMENSIONS)
    faces = {who: np.random.default_rng(1000 + who).normal(size=DIMENSIONS) for who in sorted({w.who for w in walks})}
    turned = rng.normal(size=(4, DIMENSIONS))  # differences that mean nothing: light, the way somebody faces
    columns: dict[str, list[Any]] = {name: [] for name in ("frame", "track", "who", "x", "y", "height")}
    for walk in walks:
        frames = np.arange(*walk.frames)
        share = np.linspace(0, 1, len(frames))[:, None]
        place = np.array(walk.way[0]) * (1 - share) + np.array(walk.way[1]) * share
        for name, values in zip(
            columns,
            (frames, [walk.track] * len(frames), [walk.who] * len(frames), *place.T, [walk.height] * len(frames)),
            strict=True,
        ):
            columns[name] += list(values)
    frame, height = np.array(columns["frame"]), np.array(columns["height"])
    x, y, wide = np.array(columns["x"]), np.array(columns["y"]), height * 0.4
    order = np.argsort(frame, kind="stable")
    table = Table.of(
        Detection,
        frame=frame[order],
        time=frame[order] / RATE,
        label="person",
        score=0.9,
        track=np.array(columns["track"])[order],
        x1=(x - wide / 2)[order],
        x2=(x + wide / 2)[order],
        y1=(y - height / 2)[order],
        y2=(y + height / 2)[order],
    )
    tracks, who = tracks_of(table), np.array(columns["who"])[order]
    who = who[tracks.row]
    keys = np.unique(np.stack([tracks.track, np.floor(tracks.time).astype(int)], axis=1), axis=0)
    vectors, times = [], []
    for track, second in keys:
        mine = np.flatnonzero((tracks.track == track) & (np.floor(tracks.time) == second))
        person = int(np.bincount(who[mine]).argmax())
        # noise belongs to the person and the moment, not to the order in which tracks come
        draw = np.random.default_rng([seed, person, int(second)])
        sight = base * likeness + faces[person] * (1 - likeness) + noise * draw.normal(size=4) @ turned / 2
        sight = sight + 0.1 * noise * draw.normal(size=DIMENSIONS)
        vectors.append(sight / np.linalg.norm(sight))
        times.append(tracks.time[mine].mean())
    looks = Looks(np.array(vectors), np.ones(len(keys)), np.array(times), keys[:, 0].astype(np.intp))
    return Scene(tracks, looks, who)


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Scene]:
    """See `scene`."""
    return scene


@pytest.fixture(scope="session")
def walk() -> type[Walk]:
    """See `Walk`."""
    return Walk
