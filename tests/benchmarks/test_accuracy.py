"""What the accuracy benchmarks make of tracks is what TrackEval's measures are defined to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.accuracy.mot import Boxes, judged, read_truth, tracked

from videoannotator import Detection, Table


def walk(track: int, start: int, end: int, y: float = 0.0) -> Boxes:
    """Somebody who walks to the right, 5 pixels a frame, 20 wide and 40 high."""
    frame = np.arange(start, end)
    x = 5.0 * frame
    box = np.stack([x, np.full_like(x, y), x + 20, np.full_like(x, y + 40)], axis=1)
    return Boxes(frame, np.full(len(frame), track), box)


def both(*parts: Boxes) -> Boxes:
    return Boxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("frame", "track", "boxes")))


def rows(boxes: Boxes) -> Table[Detection]:
    corners = {name: boxes.boxes[:, n] for n, name in enumerate(("x1", "y1", "x2", "y2"))}
    more = {"label": ["person"] * len(boxes), "score": np.full(len(boxes), 0.9), "time": boxes.frame / 10}
    return Table.of(Detection, frame=boxes.frame, track=boxes.track, **corners, **more)


def test_the_truth_itself_is_perfect() -> None:
    truth = both(walk(1, 0, 20), walk(2, 0, 20, 100))
    scores = judged(truth, truth, 20)
    assert (scores.hota, scores.mota, scores.idf1) == pytest.approx((1, 1, 1))
    assert (scores.switches, scores.missed, scores.false, scores.persons) == (0, 0, 0, 2)


def test_another_id_halfway_is_a_switch_and_halves_the_identity() -> None:
    truth, found = walk(1, 0, 20), both(walk(7, 0, 10), walk(9, 10, 20))
    scores = judged(found, truth, 20)
    assert scores.switches == 1
    assert scores.mota == pytest.approx(1 - 1 / 20)
    assert scores.idf1 == pytest.approx(0.5)
    assert scores.detection == pytest.approx(1)
    assert scores.association == pytest.approx(0.5)


def test_tracks_tied_to_one_person_are_one() -> None:
    truth, found = both(walk(1, 0, 20), walk(2, 0, 20, 100)), both(walk(7, 0, 10), walk(9, 10, 20), walk(3, 0, 20, 100))
    table = rows(found)
    assert judged(tracked(table), truth, 20).switches == 1
    tied = judged(tracked(table, {7: "mother", 9: "mother"}), truth, 20)
    assert (tied.switches, tied.idf1, tied.persons) == (0, pytest.approx(1), 2)
    with pytest.raises(ValueError, match="twice"):
        judged(tracked(table, {7: "mother", 3: "mother"}), truth, 20)


def test_what_is_missed_and_what_is_not_there() -> None:
    scores = judged(both(walk(1, 0, 10), walk(5, 0, 4, 300)), walk(1, 0, 20), 20)
    assert (scores.missed, scores.false) == (10, 4)
    assert scores.mota == pytest.approx(1 - 14 / 20)
    nobody = Boxes(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)))
    assert judged(nobody, walk(1, 0, 20), 20).missed == 20
    with pytest.raises(ValueError, match="frames 0 to 19"):
        judged(walk(1, 0, 20), walk(1, 0, 10), 10)


def test_rows_without_a_track_are_not_judged() -> None:
    table = rows(walk(1, 0, 3))
    loose = Table.from_rows(Detection, [*table, Detection(0, 0.0, "person", 0.2, 0, 0, 5, 5)])
    assert len(tracked(loose)) == 3


def test_marked_rows_to_be_ignored_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text("1,9,499,158,31,75,1,-1,-1,-1\n1,15,258,219,32,88,0,-1,-1,-1\n2,9,500,160,30,70,1,-1,-1,-1\n")
    truth = read_truth(file, 0.5)
    assert truth.frame.tolist() == [0, 1]
    assert truth.track.tolist() == [9, 9]
    assert truth.boxes[0].tolist() == [249.5, 79, 265, 116.5]


def test_the_real_truth(assets: Path) -> None:
    truth = read_truth(assets / "pets/gt.txt", 0.625)
    assert (len(truth), len(np.unique(truth.track))) == (4476, 19)
    assert (truth.frame.min(), truth.frame.max()) == (0, 794)
