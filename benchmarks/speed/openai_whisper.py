"""openai-whisper's own command where there is no ``ffmpeg`` program: PyAV decodes, and nothing else is changed.

``python -m benchmarks.speed.openai_whisper FILE ...``: the arguments are those of ``whisper``.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import whisper.audio
from whisper.transcribe import cli


def load_audio(file: str, sr: int = whisper.audio.SAMPLE_RATE) -> np.ndarray[Any, np.dtype[np.float32]]:
    """As `whisper.audio.load_audio`: mono, float32, of that rate."""
    resampler = av.AudioResampler("s16", "mono", sr)
    parts = []
    with av.open(file) as container:
        for frame in container.decode(audio=0):
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts).astype(np.float32) / 32768.0


if __name__ == "__main__":
    whisper.audio.load_audio = load_audio
    cli()
