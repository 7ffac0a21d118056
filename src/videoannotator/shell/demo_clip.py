"""Makes the demo's clip: still pictures panned, zoomed and cut, and excerpts of a recording under them.

The clip is made where the demo runs, from files that are there already, so that its truth is known: when the
cuts are, because they are put there, and when somebody speaks, because the recording comes with a reference.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from videoannotator.data.time import TimeSpan
from videoannotator.shell.demo_material import Material, read_rttm_spans

if TYPE_CHECKING:
    import av
    from PIL import Image

__all__ = ["DemoClip", "make_clip"]

WIDTH, HEIGHT = 640, 360
RATE = Fraction(25, 2)  # frames per second: enough for people who only pan, half the work of 25

# seconds of the recording, in the order in which the clip plays them. Each excerpt begins and ends where the
# reference has nobody speaking, except at the end of the recording; (1.0, 2.6) is quiet from end to end.
EXCERPTS = (TimeSpan(5.2, 7.4), TimeSpan(17.98, 21.62), TimeSpan(1.0, 2.6), TimeSpan(21.62, 30.0))

Box = tuple[float, float, float, float]


@attrs.frozen
class Scene:
    """One shot: the camera moves from one part of a picture to another. Boxes are x1, y1, x2, y2 in pixels."""

    picture: str
    frames: int
    first: Box
    last: Box


# every box has the clip's 16:9
SCENES = (
    Scene("zidane", 44, (0, 0, 1280, 720), (110, 0, 1230, 630)),
    Scene("bus", 46, (0, 380, 800, 830), (10, 350, 810, 800)),
    Scene("coffee", 30, (0, 30, 600, 367.5), (60, 60, 540, 330)),
    Scene("zidane", 36, (660, 10, 1236, 334), (450, 110, 1026, 434)),
    Scene("astronaut", 41, (0, 0, 512, 288), (64, 10, 448, 226)),
)
SCENES_WITHOUT_ULTRALYTICS = (
    Scene("astronaut", 50, (0, 0, 512, 288), (64, 10, 448, 226)),
    Scene("coffee", 38, (0, 30, 600, 367.5), (60, 60, 540, 330)),
    Scene("astronaut", 56, (112, 0, 368, 144), (80, 0, 336, 144)),
    Scene("coffee", 53, (120, 100, 440, 280), (60, 60, 540, 330)),
)


@attrs.frozen
class DemoClip:
    """The clip and what is known of it.

    ``cuts``: seconds at which a new shot begins, the first shot's left out. ``speech``: when somebody speaks, empty
    when no recording was at hand and the clip is silent. ``duration``: seconds. ``sources``: what it was made of.
    """

    path: Path
    duration: float
    cuts: tuple[float, ...]
    speech: tuple[TimeSpan, ...]
    sources: tuple[Path, ...]


def make_clip(material: Material, path: Path) -> DemoClip:
    """Write the clip (MP4; H.264 where the decoder's build has it, else MPEG-4 part 2; AAC) and tell its truth."""
    scenes = tuple(scene for scene in _scenes(material) if scene.picture in material.pictures)
    frames = sum(scene.frames for scene in scenes)
    duration = float(frames / RATE)
    sources = [material.pictures[name] for name in dict.fromkeys(scene.picture for scene in scenes)]
    # silence and not no sound: listening and hearing nobody is a result
    speech: tuple[TimeSpan, ...] = ()
    sound = Sound(np.zeros(round(duration * 16000), dtype=np.int16), 16000)
    if material.speech is not None and material.reference is not None:
        sound = _sound(material.speech, duration)
        speech = _cut_like_sound(read_rttm_spans(material.reference), duration)
        sources += [material.speech, material.reference]
    _write(path, _frames(scenes, material), sound)
    starts = np.cumsum([scene.frames for scene in scenes])[:-1]
    cuts = tuple(float(start / RATE) for start in starts.tolist())
    return DemoClip(path, duration, cuts, speech, tuple(sources))


def _scenes(material: Material) -> tuple[Scene, ...]:
    return SCENES if {"zidane", "bus"} <= material.pictures.keys() else SCENES_WITHOUT_ULTRALYTICS


def _frames(scenes: tuple[Scene, ...], material: Material) -> Iterator[NDArray[np.uint8]]:
    """Every frame of the clip in order, uint8 (HEIGHT, WIDTH, 3) RGB."""
    from PIL import Image

    for scene in scenes:
        with Image.open(material.pictures[scene.picture]) as picture:
            still = picture.convert("RGB")
        for frame in range(scene.frames):
            yield _view(still, scene, frame / (scene.frames - 1))


def _view(still: Image.Image, scene: Scene, progress: float) -> NDArray[np.uint8]:
    from PIL import Image

    eased = (1 - np.cos(np.pi * progress)) / 2  # the camera starts and stops softly
    x1, y1, x2, y2 = (a + (b - a) * float(eased) for a, b in zip(scene.first, scene.last, strict=True))
    # resize() takes a box with fractions, which a crop() would round: the pan would tremble
    view = still.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=(x1, y1, x2, y2))
    return np.asarray(view)


@attrs.frozen(eq=False)
class Sound:
    """int16 (N,) mono."""

    samples: NDArray[np.int16]
    rate: int


def _sound(path: Path, duration: float) -> Sound:
    """The excerpts one after the other, cut to the clip's duration."""
    with wave.open(str(path)) as recording:
        rate = recording.getframerate()
        whole = np.frombuffer(recording.readframes(recording.getnframes()), dtype="<i2")
        mono = whole.reshape(-1, recording.getnchannels())[:, 0]
    parts = [mono[round(part.start * rate) : round(part.end * rate)] for part in EXCERPTS]
    return Sound(np.concatenate(parts)[: round(duration * rate)].astype(np.int16), rate)


def _cut_like_sound(reference: tuple[TimeSpan, ...], duration: float) -> tuple[TimeSpan, ...]:
    """The reference's spans as they lie in the clip."""
    spans = []
    offset = 0.0
    for part in EXCERPTS:
        for span in reference:
            start, end = max(span.start, part.start), min(span.end, part.end)
            if start < end:
                shift = offset - part.start
                spans.append(TimeSpan(start + shift, min(end + shift, duration)))
        offset += part.duration
    return tuple(spans)


def _write(path: Path, frames: Iterator[NDArray[np.uint8]], sound: Sound) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        has_h264 = "libx264" in av.codecs_available
        video = container.add_stream("libx264", rate=RATE) if has_h264 else container.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = 1_500_000
        # both streams must exist before the first packet is written
        audio = container.add_stream("aac", rate=sound.rate, layout="mono")
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, 1 / RATE
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for chunk in _audio_frames(sound):
            container.mux(audio.encode(chunk))
        container.mux(audio.encode(None))


def _audio_frames(sound: Sound) -> Iterator[av.AudioFrame]:
    import av

    size = 1024  # what one AAC packet holds
    for start in range(0, sound.samples.size, size):
        samples = sound.samples[None, start : start + size].astype(np.float32) / 32768
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        yield frame
