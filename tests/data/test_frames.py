"""Batches of pictures: parts of them, and the same pictures on other devices."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from videoannotator.data.frames import FrameBatch, Uploads
from videoannotator.errors import DataError

torch = pytest.importorskip("torch")


def batch(pixels: NDArray[np.uint8], uploads: tuple[Uploads, ...] = ()) -> FrameBatch:
    pixels.flags.writeable = False
    numbers = np.arange(len(pixels))
    return FrameBatch(numbers, numbers / 25, pixels, "rgb", 8, 6, uploads)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.arange(5 * 6 * 8 * 3, dtype=np.uint8).reshape(5, 6, 8, 3)


def test_a_part_shares_memory(pixels: NDArray[np.uint8]) -> None:
    part = batch(pixels)[1:3]
    assert part.frame.tolist() == [1, 2]
    assert np.shares_memory(part.pixels, pixels)
    assert len(part.uploads) == 2


def test_on_the_processor_it_is_the_same_memory_without_a_warning(pixels: NDArray[np.uint8]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = batch(pixels).torch()
    assert tensor.data_ptr() == pixels.__array_interface__["data"][0]
    assert np.array_equal(tensor.numpy(), pixels)
    part = batch(pixels)[::2].torch()
    assert np.array_equal(part.numpy(), pixels[::2])


def test_pictures_go_to_another_device_once(pixels: NDArray[np.uint8]) -> None:
    uploads = tuple(Uploads(picture) for picture in pixels)
    one, other = batch(pixels, uploads), batch(pixels[1:4].copy(), uploads[1:4])
    assert one.torch("meta").shape == pixels.shape
    assert one.torch("meta").device.type == "meta"
    sent = [upload.to("meta") for upload in uploads]
    assert other.torch("meta").shape == (3, 6, 8, 3)
    assert all(a is b.to("meta") for a, b in zip(sent[1:4], other.uploads, strict=True))


def test_one_upload_per_picture(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="one entry per picture"):
        batch(pixels, (Uploads(pixels[0]),))
