"""Voice prints of recordings in which one known person speaks, by the embedding network of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from videoannotator.data.frames import AudioTrack
from videoannotator.data.needs import Audio
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.errors import DataError, MediaError
from videoannotator_speaker_diarization.voiceprints import Gallery, Known

__all__ = ["enrol_recordings", "gallery_at", "recordings_in", "voice_print"]

_RATE = 16000
_PIECE = 10 * _RATE
"""Samples of which the network makes one voice print: as much as pyannote gives it in a recording."""
_LEAST = _RATE // 2
"""Samples under which the end of a recording does not count, and a recording is too short."""

Floats: TypeAlias = NDArray[np.floating]
Mapper: TypeAlias = Callable[[Callable[[Floats], Floats], Iterable[Floats]], Iterator[Floats]]


def voice_print(network: Any, samples: Floats, mapper: Mapper = map) -> NDArray[np.float32] | None:
    """How the one who speaks in ``samples`` sounds: the mean voice print of its pieces of ten seconds, float32 (D,).

    ``network``: an embedding network of pyannote.audio. ``samples``: float32 (N,), mono, 16 kHz. ``mapper``: `map`, or
    that of workers. None where there is no sound in it, or less than half a second.
    """
    import torch

    device = next(network.parameters()).device

    def embedded(piece: Floats) -> Floats:
        with torch.inference_mode():
            wave = torch.from_numpy(np.array(piece, dtype=np.float32))[None, None].to(device)
            vector: Floats = network(wave)[0].float().cpu().numpy()
        return vector

    pieces = [samples[begin : begin + _PIECE] for begin in range(0, len(samples), _PIECE)]
    heard = [piece for piece in pieces if len(piece) >= _LEAST and piece.any()]
    if not heard:
        return None
    weights = [len(piece) for piece in heard]
    mean = np.average(np.array(list(mapper(embedded, heard)), dtype=np.float64), axis=0, weights=weights)
    return mean.astype(np.float32) if np.isfinite(mean).all() and mean.any() else None


def recordings_in(folder: Path, network: Any, model: str, mapper: Mapper = map) -> Gallery:
    """Known voices of the recordings ``folder/NAME/*``; `Gallery` is empty where there are no such folders.

    ``model``: SHA-256 of the network's file. Raises `DataError` for a file without a voice that can be used.
    """
    rows = []
    for person in sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith(".")):
        for file in sorted(place for place in person.iterdir() if place.is_file() and not place.name.startswith(".")):
            track = _sound(file)
            vector = voice_print(network, track.samples, mapper)
            if vector is None:
                raise DataError(
                    f"{file} is too short for a voice print, or silent: take half a second of speech or more"
                )
            rows.append(Known(person.name, model, vector, len(track) / _RATE))
    return Gallery(tuple(rows))


def gallery_at(place: Path, network: Any, model: str, mapper: Mapper = map) -> Gallery:
    """What the setting ``gallery`` names: a file; a folder with such files, with recordings by person, or with both.

    Raises `DataError` for something else.
    """
    if not place.is_dir():
        return Gallery.read(place)
    saved = Gallery.read(place) if any(place.glob("*.npz")) else Gallery()
    known = saved + recordings_in(place, network, model, mapper)
    if not known.known:
        raise DataError(f"{place} holds neither .npz files of known voices nor recordings: {place}/NAME/*.wav")
    return known


def _sound(file: Path) -> AudioTrack:
    try:
        info = probe(file)
        need = Audio(_RATE)
        with DecodePass(info, (), [need]) as decoding:
            list(decoding)
    except MediaError as error:
        raise DataError(f"{file} is no recording of a voice: {error}") from error
    return decoding.tracks[need]


def enrol_recordings(
    folder: str | Path, weights: str | Path, path: str | Path | None = None, *, device: str = "cpu"
) -> Gallery:
    """Make speakers known from recordings, in each of which nobody else speaks: ``folder/NAME/*.wav``.

    Any sound or video file that can be decoded will do; how somebody sounds depends on room and microphone, so several
    recordings of a person are better than one. ``weights``: the embedding network the recordings will be run with: a
    ``pytorch_model.bin`` or its folder, or the folder of a pipeline with one inside. Written to ``path``, too, if it is
    given. Raises `DataError` for a folder without recordings and for a file that is none, `ModelError` for weights
    that are no embedding network.
    """
    from videoannotator.discover.models import sha256_of
    from videoannotator_speaker_diarization.layout import CONFIG, network_file, read_layout
    from videoannotator_speaker_diarization.library import imported
    from videoannotator_speaker_diarization.networks import read_network

    imported()
    place = Path(weights).expanduser()
    if (place / CONFIG).is_file():
        part = read_layout(place, str(weights)).embedding
        place = part.within(place if part.name == str(weights) else Path(part.name))
    file = network_file(place)
    network = read_network(file, device=device)
    gallery = recordings_in(Path(folder), network, sha256_of(file))
    if not gallery.known:
        raise DataError(f"{folder} has no recordings in folders named after persons: {folder}/NAME/*.wav")
    if path is not None:
        gallery.save(path)
    return gallery
