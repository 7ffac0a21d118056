"""What silero-vad's README says, as a program: it has no command of its own. ``python -m benchmarks.speed.silero``

The sound is read with PyAV, as the README lets one do: its own reader wants FFmpeg in the system.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import av
import numpy as np
import torch
from silero_vad import get_speech_timestamps, load_silero_vad  # type: ignore[import-untyped]  # it ships no types

RATE = 16000


def sound(path: str) -> torch.Tensor:
    """The whole sound of a file: float32, mono, 16 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts = []
    with av.open(path) as file:
        for frame in file.decode(audio=0):
            parts += resampler.resample(frame)
    parts += resampler.resample(None)
    return torch.from_numpy(np.concatenate([part.to_ndarray().reshape(-1) for part in parts]))


def main(video: str, target: str) -> None:
    """Find speech and write it down, in samples."""
    model = load_silero_vad()
    Path(target).write_text(json.dumps(get_speech_timestamps(sound(video), model)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
