"""Masks are those of ultralytics' own predictor on the same frames, as COCO writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videoannotator_person_tracking.detector import Detector
from videoannotator_person_tracking.masks import decoded, encoded, resized


@pytest.fixture(scope="session")
def openvino_seg(made: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ultralytics import YOLO
    from ultralytics.utils import checks

    copy = tmp_path_factory.mktemp("seg") / "seg.pt"
    copy.write_bytes(made["segment"].read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "AUTOINSTALL", False)
        return Path(YOLO(copy).export(format="openvino", imgsz=320, verbose=False))


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_masks_are_the_predictors(made: Mapping[str, Path], openvino_seg: Path, street: Any, kind: str) -> None:
    import torch
    from ultralytics import YOLO

    threads = torch.get_num_threads()
    weights = made["segment"] if kind == "torch" else openvino_seg
    model = YOLO(str(weights), task="segment")
    settings = {"imgsz": 320} if kind == "torch" else {}
    detector = Detector(weights, conf=0.25, classes=["person"], masks=True, threads=2, **settings)
    frames, some = street[::8], 0
    for frame, ours in zip(frames, detector.detect(frames), strict=True):
        (theirs,) = model.predict(frame, conf=0.25, classes=[0], retina_masks=True, verbose=False, **settings)
        assert len(ours) == len(theirs.boxes) == len(ours.masks)
        np.testing.assert_allclose(ours.boxes, theirs.boxes.data.numpy(), atol=0.05)
        for counts, mask in zip(ours.masks, theirs.masks.data.numpy(), strict=True):
            mine = decoded(counts, frame.shape)
            assert mine.shape == mask.shape == frame.shape[:2]
            assert (mine != mask).mean() < 1e-3
            some += int(mask.sum())
    torch.set_num_threads(threads)
    assert some > 1000, "nothing is masked, so this tests nothing"


def test_rows_have_masks_that_lie_in_their_detections(start: Any, made: Mapping[str, Path], street: Any) -> None:
    settings = {"weights": made["segment"], "imgsz": 320, "tracker": "none"}
    rows = start(street[:4], masks=True, **settings).all(2)
    assert len(rows) > 4
    for row in rows[:8]:
        y, x = np.nonzero(decoded(row.mask, street.shape[1:3]))
        assert len(x) > 0
        assert row.x1 - 1 <= x.min() <= x.max() <= row.x2 + 1
        assert row.y1 - 1 <= y.min() <= y.max() <= row.y2 + 1
    assert all(mask is None for mask in start(street[:1], **settings).all(1).mask)
    (wide, *_) = start(street[:1], masks=True, **settings).rows(0, 1, stretched=2.0)
    (plain, *_) = rows
    whole = decoded(wide.mask, (street.shape[1], 2 * street.shape[2]))
    np.testing.assert_array_equal(whole[:, ::2], decoded(plain.mask, street.shape[1:3]))


def test_masks_follow_their_tracks(start: Any, made: Mapping[str, Path], street: Any) -> None:
    still = np.repeat(street[:1], 4, axis=0)  # the same picture: the same detections, tracked
    rows = start(still, weights=made["segment"], imgsz=320, masks=True).all(4)
    first, last = (rows[rows.frame == n] for n in (0, 3))
    masks = dict(zip(first.track.tolist(), first.mask.tolist(), strict=True))
    assert len(last) > 0
    assert all(masks[row.track] == row.mask for row in last)


def test_run_lengths_give_the_mask_back() -> None:
    rng = np.random.default_rng(0)
    for shape in ((7, 5), (1, 1), (40, 33)):
        masks = (rng.random((3, *shape)) > 0.6).astype(np.uint8)
        for counts, mask in zip(encoded(masks), masks, strict=True):
            np.testing.assert_array_equal(decoded(counts, shape), mask)
    assert resized([], (4, 4), (8, 8)) == []
