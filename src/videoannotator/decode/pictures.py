"""Decoded frames to pixels: scaled, turned and converted in FFmpeg's filter graph."""

from __future__ import annotations

from threading import Lock
from typing import Any

import attrs
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from videoannotator.data.needs import Color
from videoannotator.decode.geometry import Orientation

__all__ = ["Converter", "Look", "matrix_is_known"]

_FORMATS: dict[Color, str] = {"rgb": "rgb24", "bgr": "bgr24", "gray": "gray"}
_RANGES = {1: "tv", 2: "pc"}
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc"}
_UNSPECIFIED = 2
_CONVERTED = frozenset({0, *_MATRICES})
_PRIMARIES = frozenset({1, *range(4, 13), 22})
_TRANSFERS = frozenset({1, *range(4, 9), *range(11, 19)})
"""Matrices, primaries and transfer functions (numbers of ISO/IEC 23091-2) that FFmpeg converts; others it refuses."""


@attrs.frozen
class Look:
    """Size and colour of the pictures a need asks for."""

    width: int
    height: int
    color: Color


def matrix_is_known(frame: VideoFrame) -> bool:
    """False where a frame says of its colours what FFmpeg cannot convert, or what means nothing."""
    return frame.colorspace in _CONVERTED or frame.colorspace == _UNSPECIFIED


class Converter:
    """Makes pixels of decoded frames. Graphs are built once per look and kind of frame, and kept. Thread-safe.

    Where a frame says of its colours what FFmpeg cannot convert (reserved numbers, rare matrices), it is taken to say
    nothing of them.
    """

    def __init__(self, orientation: Orientation) -> None:
        self._orientation = orientation
        self._graphs: dict[tuple[Any, ...], Graph] = {}
        self._lock = Lock()
        self.conversions = 0

    def pixels(self, frame: VideoFrame, look: Look) -> NDArray[np.uint8]:
        """uint8, (height, width, 3) or, for gray, (height, width). Read only."""
        with self._lock:
            _forget_unknown_colours(frame)
            kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
            graph = self._graphs.get((look, kind))
            if graph is None:
                graph = self._graphs[look, kind] = _graph(kind, look, self._orientation)
            graph.vpush(frame)
            pixels = graph.vpull().to_ndarray()
            self.conversions += 1
        pixels.flags.writeable = False
        return pixels  # type: ignore[return-value]  # 8-bit formats only


def _forget_unknown_colours(frame: VideoFrame) -> None:
    if not matrix_is_known(frame):
        frame.colorspace = _UNSPECIFIED
    if frame.color_primaries not in _PRIMARIES:
        frame.color_primaries = _UNSPECIFIED
    if frame.color_trc not in _TRANSFERS:
        frame.color_trc = _UNSPECIFIED


def _graph(kind: tuple[Any, ...], look: Look, orientation: Orientation) -> Graph:
    width, height, pixel_format, matrix, color_range = kind
    turned = orientation.rotation in (90, 270)
    target = (look.height, look.width) if turned else (look.width, look.height)
    # averaging is right for making smaller, bicubic for making larger; at equal size the flags choose FFmpeg's plain
    # conversion, which gives bit for bit what OpenCV's reader gives
    smaller = target[0] < width and target[1] < height
    scale = f"w={target[0]}:h={target[1]}:flags={'area' if smaller else 'bicubic'}:out_range=full"
    graph = Graph()
    graph.threads = 1  # frames are decoded in parallel; more threads here only contend
    source = f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base=1/1000:pixel_aspect=1/1"
    if color_range in _RANGES:
        source += f":range={_RANGES[color_range]}"
    if matrix in _MATRICES:
        source += f":colorspace={_MATRICES[matrix]}"
    nodes = [graph.add("buffer", source), graph.add("scale", scale), graph.add("format", _FORMATS[look.color])]
    nodes += [graph.add(name, arguments or None) for name, arguments in orientation.filters]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
