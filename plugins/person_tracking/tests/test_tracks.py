"""Ids: from 1, not shared, not dependent on batches; how long a lost one is kept."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator import Detection, Table
from videoannotator_person_tracking.config import PersonTrackingConfig
from videoannotator_person_tracking.detector import Detections
from videoannotator_person_tracking.tracker import Follower, NoTracker, frames_lost


def seen(*boxes: tuple[float, float, float]) -> Detections:
    """Detections of people 40 wide and 80 high at x, y, with a score, in a picture of 640x480."""
    rows = [[x, y, x + 40, y + 80, score, 0] for x, y, score in boxes]
    return Detections(np.array(rows, dtype=np.float32).reshape(-1, 6), None, (480, 640))


@pytest.mark.parametrize("kind", ["openvino", "torch"])
def test_same_rows_for_any_batch_and_number_of_threads(
    run: Any, pedestrians: Any, detect_openvino: Any, trained: Any, kind: str
) -> None:
    weights, frames = {"openvino": detect_openvino, "torch": trained["detect"]}[kind], pedestrians[:24]
    eight = run(frames, batch=8, weights=weights)
    assert eight == run(frames, batch=1, weights=weights)
    assert eight == run(frames, batch=16, weights=weights, threads=1)
    assert eight == run(frames, batch=5, weights=weights, threads=3)
    assert len(eight) > 60


def test_two_runs_side_by_side_do_not_share_ids(start: Any, pedestrians: Any, detect_openvino: Any) -> None:
    first = start(pedestrians[:24], weights=detect_openvino)
    second = start(pedestrians[:24], weights=detect_openvino)
    tables: tuple[list[Table[Detection]], list[Table[Detection]]] = ([], [])
    for n in range(0, 24, 8):
        for one, rows in zip((first, second), tables, strict=True):
            rows.append(one.rows(n, 8))
    assert Table.concat(tables[0]) == Table.concat(tables[1])
    assert tables[0][0].track.min() == 1
    assert start(pedestrians[:24], weights=detect_openvino).all(8) == Table.concat(tables[0])


def test_two_runs_can_share_a_detector(start: Any, pedestrians: Any, detect_openvino: Any) -> None:
    kept: dict[Any, Any] = {}

    def loader(key: Any, build: Any, *, concurrent: bool) -> Any:
        assert not concurrent
        return kept.setdefault(key, kept.get(key) or build())

    alone = start(pedestrians[:16], weights=detect_openvino).all(8)
    first = start(pedestrians[:16], loader=loader, weights=detect_openvino)
    first.rows(0, 8)
    second = start(pedestrians[:16], loader=loader, weights=detect_openvino)
    assert second.pipeline._detector is first.pipeline._detector
    first.pipeline.close()
    assert second.all(8) == alone
    third = start(pedestrians[:16], loader=loader, weights=detect_openvino, iou=0.5)
    assert third.pipeline._detector is not second.pipeline._detector
    (key, *_) = kept
    assert (key.name, key.device, len(kept)) == (detect_openvino.name, "cpu", 2)
    assert second.pipeline.context.dtype in ("float32", "bfloat16")


def test_another_pipeline_goes_on_from_the_state(start: Any, pedestrians: Any, detect_openvino: Any) -> None:
    whole = start(pedestrians[:24], weights=detect_openvino).all(8)
    first, second = (start(pedestrians[:24], weights=detect_openvino) for _ in range(2))
    rows = [first.rows(0, 8)]
    second.pipeline.restore(first.pipeline.state())
    rows += [second.rows(n, 8) for n in (8, 16)]
    assert Table.concat(rows) == whole


def test_nobody_there_gives_an_empty_table(run: Any, pose_openvino: Any) -> None:
    rows = run(np.zeros((9, 240, 320, 3), dtype=np.uint8), weights=pose_openvino)
    assert isinstance(rows, Table)
    assert rows.row_class is Detection
    assert len(rows) == 0


def test_rows_are_in_source_pixels(start: Any, pedestrians: Any, detect_openvino: Any) -> None:
    one = start(pedestrians[:8], weights=detect_openvino)
    other = start(pedestrians[:8], weights=detect_openvino)
    plain, wide = one.rows(0, 8), other.rows(0, 8, stretched=2.0)
    np.testing.assert_allclose(wide.x2, plain.x2 * 2, rtol=1e-6)
    np.testing.assert_array_equal(wide.y2, plain.y2)


def test_a_track_is_kept_while_out_of_sight_and_then_given_up() -> None:
    for gap, same in ((5, True), (6, True), (7, False)):  # ultralytics takes it off its list one look late
        tracker = Follower(PersonTrackingConfig(), lost_frames=5)
        for _ in range(5):
            (before,) = tracker.update(seen((100, 100, 0.9))).track
        for _ in range(gap):
            assert len(tracker.update(seen())) == 0
        tracker.update(seen((100, 100, 0.9)))
        (after,) = tracker.update(seen((100, 100, 0.9))).track
        assert before == 1
        assert bool(after == before) is same, gap


walks = st.lists(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.15, 0.5, 0.9])), max_size=4), max_size=25)


@given(walks, st.integers(0, 25))
def test_a_tracker_goes_on_in_another_from_its_state(walk: list[list[tuple[int, float]]], cut: int) -> None:
    frames = [seen(*((x * 90.0, 100.0 + 2 * n, score) for x, score in people)) for n, people in enumerate(walk)]
    whole, first, second = (Follower(PersonTrackingConfig(), lost_frames=3) for _ in range(3))
    expected = [whole.update(found) for found in frames]
    given = [first.update(found) for found in frames[:cut]]
    state = first.state()
    kept = bytes(state)
    for found in frames[cut:]:
        first.update(found)  # a state is what it was, whatever its tracker does next
    assert state == kept
    second.restore(state)
    given += [second.update(found) for found in frames[cut:]]
    for ours, theirs in zip(given, expected, strict=True):
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
        np.testing.assert_array_equal(ours.score, theirs.score)
        assert (ours.track is None) == (theirs.track is None)
        if theirs.track is not None:
            np.testing.assert_array_equal(ours.track, theirs.track)


def test_a_new_stretch_of_time_has_new_ids() -> None:
    tracker = Follower(PersonTrackingConfig(), 30)
    assert tracker.update(seen((100, 100, 0.9), (400, 100, 0.9))).track.tolist() == [1, 2]
    tracker.forget()
    assert tracker.update(seen((100, 100, 0.9))).track.tolist() == [3]


def test_a_new_track_is_reported_from_its_second_frame_on() -> None:
    tracker = Follower(PersonTrackingConfig(), 30)
    assert tracker.update(seen((100, 100, 0.9))).track.tolist() == [1]  # but at once in the very first frame
    assert tracker.update(seen((100, 100, 0.9), (400, 100, 0.9))).track.tolist() == [1]
    assert tracker.update(seen((100, 100, 0.9), (400, 100, 0.9))).track.tolist() == [1, 2]


def test_weak_detections_have_no_id_and_can_be_left_out() -> None:
    weak = seen((100, 100, 0.2))
    rows = Follower(PersonTrackingConfig(), 30).update(weak)
    assert rows.track is None
    assert len(rows) == 1
    assert len(Follower(PersonTrackingConfig(untracked=False), 30).update(weak)) == 0
    assert NoTracker().update(weak).track is None


def test_keypoints_follow_their_detection() -> None:
    tracker = Follower(PersonTrackingConfig(), 30)
    found = seen((400, 100, 0.5), (100, 100, 0.9))
    points = np.arange(2 * 17 * 3, dtype=np.float32).reshape(2, 17, 3)
    for order in ([0, 1], [1, 0], [0, 1]):
        rows = tracker.update(attrs.evolve(found, boxes=found.boxes[order], keypoints=points[order]))
        for box, keypoints in zip(rows.boxes, rows.keypoints, strict=True):
            assert (keypoints == points[0 if box[0] > 200 else 1]).all()


def test_boxes_are_cut_at_the_edge_of_the_picture() -> None:
    tracker = Follower(PersonTrackingConfig(), 30)
    for step in range(12):
        rows = tracker.update(seen((max(0.0, 60.0 - 10 * step), 430, 0.9)))
        assert rows.boxes.min() >= 0
        assert rows.boxes[:, 3].max() <= 480


@pytest.mark.parametrize(
    ("settings", "file_rate", "frames"),
    [
        ({}, 25.0, 30),  # ultralytics' track_buffer, whatever the rate of the file
        ({}, 14.3, 30),
        ({}, None, 30),
        ({"rate": 5.0}, 25.0, 6),  # the same time in fewer looks
        ({"rate": 100.0}, 25.0, 30),  # no more looks than frames
        ({"lost_after": 2.0}, 25.0, 50),
        ({"lost_after": 2.0, "rate": 5.0}, 25.0, 10),
        ({"lost_after": 0.01}, 25.0, 1),
    ],
)
def test_lost_after_is_a_time(settings: Any, file_rate: float | None, frames: int) -> None:
    assert frames_lost(PersonTrackingConfig(**settings), file_rate) == frames


@given(st.floats(1.0, 240.0))
def test_at_the_files_own_rate_the_default_is_ultralytics(file_rate: float) -> None:
    assert frames_lost(PersonTrackingConfig(), file_rate) == 30
