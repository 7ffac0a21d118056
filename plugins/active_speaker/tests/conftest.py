"""What the tests of active_speaker share: films of real faces, whose mouths are moved, and real voices; truth known.

A face is one real picture, which trembles a little, with noise. Its mouth is opened by moving the lower lip and the jaw
of that picture down; how far, is half the level of a real voice and half chance, as with people.
"""

from __future__ import annotations

import os
import wave
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs
import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

import videoannotator as va
from videoannotator.discover.catalog import Catalog
from videoannotator.testing.contract import catalog_of
from videoannotator_active_speaker import videoannotator_pipelines

RATE, SIZE, SOUND = 25, (320, 240), 16000
START, SECONDS = 6.5, 15.0
"""The part of the recording of two speakers that is used: before, nobody speaks."""

DIARIZATION = '''
"""Turns of an RTTM file, instead of a network."""

from videoannotator import Pipeline, Table
from videoannotator.data.rows import SpeakerTurn

TURNS = {turns!r}


class Reference(Pipeline):
    def finish(self):
        mine = [(max(a, self.context.span.start), min(b, self.context.span.end), s) for a, b, s in TURNS]
        return Table.from_rows(SpeakerTurn, [SpeakerTurn(start=a, end=b, speaker=s) for a, b, s in mine if b > a])
'''


@attrs.frozen
class Turn:
    """A turn of the reference."""

    start: float
    end: float
    speaker: str


@attrs.frozen(eq=False)
class Portrait:
    """One picture of a real face, (240, 320, 3), with the corners of its mouth and the distance between its eyes."""

    picture: NDArray[np.uint8]
    mouth: tuple[float, float]
    width: float

    def opened(self, share: float) -> NDArray[np.uint8]:
        """The same with the mouth open: 0 closed, 1 wide."""
        drop = 0.55 * self.width * share
        y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
        across = np.exp(-(((x - self.mouth[0]) / (0.75 * self.width)) ** 2) * 2)
        below = y - self.mouth[1]
        moved = drop * across
        fading = np.clip(1 - (below - moved) / (1.6 * self.width), 0, 1)
        source = np.where(below > moved, y - moved * fading, np.where(below > 0, self.mouth[1], y)).astype(np.float32)
        made = cv2.remap(self.picture, x, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = np.clip(moved - np.abs(below - moved / 2) * 2, 0, 2) / 2
        inside = (inside * np.clip(1.3 - np.abs(x - self.mouth[0]) / (0.5 * self.width), 0, 1))[..., None]
        return np.asarray(made * (1 - inside) + np.array([45, 20, 20]) * inside, dtype=np.uint8)


def _portrait(path: Path, time: float) -> Portrait:
    with va.Annotator(["face_analysis"], config={"face_analysis": {"rate": None}}, cache=False) as annotator:
        result = annotator.annotate(path, start=time, end=time + 0.08, progress=False)
    face = max(result["face_analysis"].faces, key=lambda row: row.eye_distance)
    with av.open(str(path)) as container:
        frame = next(f for n, f in enumerate(container.decode(video=0)) if n == face.frame)
    picture, marks = frame.to_ndarray(format="rgb24"), np.asarray(face.landmarks, dtype=np.float64)
    scale = 42 / float(face.eye_distance)
    middle = marks.mean(axis=0)
    shift = np.array([SIZE[0] / 2, SIZE[1] / 2]) - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    small = cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    corners = marks[3:] * scale + shift
    x, y = corners.mean(axis=0).tolist()
    return Portrait(np.asarray(small, dtype=np.uint8), (x, y), float(np.hypot(*(corners[1] - corners[0]))))


@pytest.fixture(scope="session")
def portraits(assets: Path) -> tuple[Portrait, Portrait]:
    """Two people."""
    videos = assets / "video"
    return _portrait(videos / "face_expressions.mp4", 0.2), _portrait(videos / "sitcom_kitchen.avi", 13.5)


@attrs.frozen(eq=False)
class Voices:
    """The recording of two speakers: samples of the part that is used, and who speaks when, on its own clock."""

    samples: NDArray[np.float32]
    turns: tuple[Turn, ...]

    def opening(self, speaker: str, seed: int) -> NDArray[np.float64]:
        """How far a mouth is open in each frame that says what ``speaker`` says: 0..1."""
        frames = int(SECONDS * RATE)
        hop = SOUND // RATE
        level = np.sqrt((self.samples[: frames * hop].reshape(frames, hop).astype(np.float64) ** 2).mean(axis=1))
        level = np.clip(20 * np.log10(level + 1e-6) - 20 * np.log10(level.max()) + 35, 0, 35) / 35
        chance = gaussian_filter1d(np.random.default_rng(seed).normal(size=frames), 1.5)
        chance = np.clip(0.5 + 0.35 * chance / chance.std(), 0, 1)
        times = (np.arange(frames) + 0.5) / RATE
        speaks = np.zeros(frames)
        for turn in self.turns:
            if turn.speaker == speaker:
                speaks[(times >= turn.start) & (times < turn.end)] = 1
        return np.asarray(gaussian_filter1d(speaks * (0.5 * level + 0.5 * chance), 0.7))


@pytest.fixture(scope="session")
def voices(assets: Path) -> Voices:
    """Real voices, with their reference."""
    folder = assets / "audio"
    with wave.open(str(folder / "sample_two_speakers.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SOUND, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).astype(np.float32) / 32768
    turns = []
    for line in (folder / "sample_two_speakers.rttm").read_text().splitlines():
        start, length, speaker = float(line.split()[3]) - START, float(line.split()[4]), line.split()[7]
        if start < SECONDS:
            turns.append(Turn(start, min(start + length, SECONDS), speaker))
    return Voices(samples[int(START * SOUND) : int((START + SECONDS) * SOUND)], tuple(turns))


def closed() -> NDArray[np.float64]:
    """A mouth that stays closed."""
    return np.zeros(int(SECONDS * RATE))


def chewing() -> NDArray[np.float64]:
    """A mouth that opens and closes one and a half times a second, from beginning to end, whatever is heard."""
    times = np.arange(int(SECONDS * RATE)) / RATE
    return np.asarray(0.3 * (1 - np.cos(2 * np.pi * 1.5 * times)))


def write_film(path: Path, faces: list[tuple[Portrait, NDArray[np.float64]]], samples: NDArray[np.float32]) -> Path:
    """Faces side by side, from left to right, each with how far its mouth is open in each frame; and a sound."""
    rng = np.random.default_rng(7)
    tremble = gaussian_filter1d(rng.normal(size=(int(SECONDS * RATE), len(faces), 2)), 6, axis=0) * 6
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = SIZE[0] * len(faces), SIZE[1], "yuv420p"
        audio: Any = container.add_stream("aac", rate=SOUND)
        audio.layout = "mono"
        for n in range(int(SECONDS * RATE)):
            parts = []
            for k, (portrait, opening) in enumerate(faces):
                shift = np.array([[1, 0, tremble[n, k, 0]], [0, 1, tremble[n, k, 1]]])
                moved = cv2.warpAffine(portrait.opened(float(opening[n])), shift, SIZE, borderMode=cv2.BORDER_REPLICATE)
                parts.append(moved.astype(np.float64) + rng.normal(scale=2.5, size=moved.shape))
            picture = np.clip(np.concatenate(parts, axis=1), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], "s16", "mono")
        sound.sample_rate, sound.pts = SOUND, 0
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="session")
def diarized(tmp_path_factory: pytest.TempPathFactory, voices: Voices) -> Catalog:
    """A catalog with the reference as ``speaker_diarization``, real face_analysis, and this plugin."""
    from videoannotator_face_analysis import videoannotator_pipelines as faces

    folder = tmp_path_factory.mktemp("diarization")
    turns = [(turn.start, turn.end, turn.speaker) for turn in voices.turns]
    (folder / "reference_turns.py").write_text(DIARIZATION.format(turns=turns))
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    reference = va.PipelineSpec(
        name="speaker_diarization",
        version="1.0",
        needs=(va.Audio(16000),),
        gives={"turns": "videoannotator.data.rows:SpeakerTurn"},
        pipeline="reference_turns:Reference",
        licence="MIT",
    )
    (face_analysis,) = (spec for spec in faces() if spec.name == "face_analysis")
    return catalog_of(reference, face_analysis, *videoannotator_pipelines())


@pytest.fixture(scope="session")
def films(
    tmp_path_factory: pytest.TempPathFactory, portraits: tuple[Portrait, Portrait], voices: Voices
) -> Mapping[str, Path]:
    """``two``: both speakers are seen. ``one``: speaker91 is not; the other's mouth is closed meanwhile. ``chewing``:
    neither speaker is seen, but somebody who chews."""
    folder = tmp_path_factory.mktemp("films")
    left, right = portraits
    first, second = voices.opening("speaker90", 1), voices.opening("speaker91", 2)
    scenes = {"two": [(left, first), (right, second)], "one": [(left, first)], "chewing": [(left, chewing())]}
    return {name: write_film(folder / f"{name}.mp4", faces, voices.samples) for name, faces in scenes.items()}


@pytest.fixture(scope="session")
def told(films: Mapping[str, Path], diarized: Catalog) -> Callable[..., va.Result]:
    """Runs it on a film of ``films``, with settings; what was run once is not run again."""
    done: dict[str, va.Result] = {}

    def run(film: str, **config: Any) -> va.Result:
        key = f"{film} {sorted(config.items())}"
        if key not in done:
            names = ["active_speaker", "speaker_diarization"]
            with va.Annotator(names, config={"active_speaker": config}, catalog=diarized) as annotator:
                done[key] = annotator.annotate(films[film], progress=False)
            assert done[key].ok, done[key].failures
        return done[key]

    return run
