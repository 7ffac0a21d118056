"""The pipeline ``speaker_diarization``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Pipeline, Table
from videoannotator.discover.hashing import known_sha256
from videoannotator.discover.workers import TorchWorkers
from videoannotator.errors import ConfigError, DataError
from videoannotator_speaker_diarization.config import SpeakerDiarizationConfig
from videoannotator_speaker_diarization.enrolling import gallery_at
from videoannotator_speaker_diarization.layout import Layout, Part, network_file, read_layout
from videoannotator_speaker_diarization.library import imported, quiet, without_tf32
from videoannotator_speaker_diarization.naming import named
from videoannotator_speaker_diarization.turns import Turn, overlap_rows, turn_rows, turns_of, voice_rows
from videoannotator_speaker_diarization.voiceprints import Gallery

if TYPE_CHECKING:
    from videoannotator_speaker_diarization.diarizer import Diarizer

__all__ = ["RATE", "SpeakerDiarization"]

RATE = 16000
"""Samples per second."""
_SHARES = {"segmentation": (0.0, 0.15), "embeddings": (0.15, 0.95)}
"""Which part of the work each of pyannote's steps is, about, with its own networks."""


class SpeakerDiarization(Pipeline[SpeakerDiarizationConfig]):
    """Who speaks when, by pyannote.audio 4 (Plaquet and Bredin 2023, https://doi.org/10.21437/Interspeech.2023-205;
    Bredin 2023, https://doi.org/10.21437/Interspeech.2023-105; VBx: Landini et al. 2022,
    https://doi.org/10.1016/j.csl.2021.101254).

    ``turns``: as people speak, so they may overlap. ``exclusive``: of those who speak at once only the one who is
    heard best, for giving words to speakers. ``overlap``: where several speak. ``voices``: the speakers.

    ``SpeakerTurn.score``: how sure the segmentation network is that this speaker speaks, averaged over the turn, and
    over the pieces of sound (ten seconds, one each second) that hear each moment. A piece whose speakers clustering
    took for others counts as 0. It does not say how sure it is that the turns of one name are one person's. None for a
    speaker behind whom there is no cluster: pyannote adds one where more speak at once than there are clusters.
    """

    def setup(self) -> None:
        """Load the networks, or take those that are loaded."""
        imported()
        from videoannotator_speaker_diarization.diarizer import Diarizer, NoPlda, Segmenter

        context, config = self.context, self.config
        weights = context.model(config.weights)
        layout = read_layout(weights.path, config.weights)
        segmentation = self._network(Part(config.segmentation) if config.segmentation else layout.segmentation)
        voice = Part(config.embedding) if config.embedding else layout.embedding
        embedding = self._network(voice, voice=True)
        plda = self._plda(layout.plda, embedding.dimension) if layout.plda else NoPlda()
        cpu = context.device == "cpu"
        self._workers = TorchWorkers("speaker_diarization", context.threads, owner="run") if cpu else None
        each = 1 if cpu else context.batch
        with without_tf32(context.device), quiet():
            segmenter = Segmenter(
                segmentation,
                step=config.segmentation_step or layout.step,
                each=config.segmentation_batch_size or each,
                workers=self._workers,
            )
            self._diarizer: Diarizer = Diarizer(
                segmenter,
                each=config.embedding_batch_size or each,
                workers=self._workers,
                embedding=embedding,
                embedding_exclude_overlap=layout.exclude_overlap,
                plda=plda,
                clustering=layout.clustering,
                segmentation_step=config.segmentation_step or layout.step,
            )
            self._diarizer.instantiate(_values(layout, config, self._diarizer))
            self._diarizer.to(segmenter.device)
            self._diarizer.prepare()
            self._model = known_sha256(network_file(voice.within(context.model(voice.name).path)))
            self._gallery = Gallery() if config.gallery is None else self._known_voices(config.gallery, embedding)

    def _known_voices(self, gallery: str, network: Any) -> Gallery:
        """Of the network that is used here. Raises `ModelError` for others, `DataError` for what is no gallery."""
        mapper = map if self._workers is None else self._workers.map
        known = gallery_at(self.context.model(gallery).path, network, self._model, mapper).of(self._model)
        known.centres()
        return known

    def _network(self, part: Part, *, voice: bool = False) -> Any:
        """A network of pyannote's; the one that makes voice prints may compute in another memory layout."""
        import torch

        from videoannotator_speaker_diarization.networks import read_network

        device, trust = self.context.device, self.config.trust_checkpoints
        fast = voice and device == "cpu" and self.context.precision == "fast"

        def build(file: Any) -> Any:
            network = read_network(part.within(file.path), device=device, trust=trust)
            return network.to(memory_format=torch.channels_last) if fast else network

        if fast:
            self.context.notice("voice prints are computed with the channels last")
        return self.context.load(part.name, build, variant=(part.inside, voice, trust))

    def _plda(self, part: Part, width: int) -> Any:
        from videoannotator_speaker_diarization.networks import read_plda

        plda = self.context.load(
            part.name, lambda file: read_plda(part.within(file.path)), variant=(part.inside, "plda"), concurrent=True
        )
        try:
            plda(np.ones((2, width)))
        except ValueError as error:
            raise ConfigError(
                f"the PLDA of {self.config.weights} is not for voice prints of {width} numbers: set "
                "speaker_diarization.embedding back, or take speaker-diarization-3.1, which needs no PLDA"
            ) from error
        return plda

    def finish(self) -> dict[str, Table[Any]]:
        """The turns of the whole track."""
        audio, config = self.context.audio, self.config
        if audio.rate != RATE:
            raise DataError(f"speaker_diarization needs sound at {RATE} Hz, got {audio.rate} Hz")
        if not len(audio):
            return {}
        import torch

        self._diarizer.forget()
        with quiet():  # torch warns of sound that is read only; nobody writes into it
            waveform = torch.from_numpy(audio.samples)[None]
        sound = {"waveform": waveform, "sample_rate": RATE, "uri": "sound"}
        with without_tf32(self.context.device):
            said = self._diarizer(
                sound,
                num_speakers=config.num_speakers,
                min_speakers=config.min_speakers,
                max_speakers=config.max_speakers,
                hook=self._hook,
            )
            rows = named(self._rows(said), self._gallery, most=config.gallery_distance)
        self.context.progress(1.0)
        return rows

    def _hook(self, step: str, artefact: Any, *, file: Any, total: int | None = None, completed: int = 0) -> None:
        if total and step in _SHARES:
            begin, end = _SHARES[step]
            self.context.progress(begin + (end - begin) * min(1.0, completed / total))

    def _rows(self, said: Any) -> dict[str, Table[Any]]:
        audio = self.context.audio
        sure = _Sureness.of(self._diarizer, said)
        turns, exclusive = (
            turns_of(annotation, len(audio) / RATE, sure.over)
            for annotation in (said.speaker_diarization, said.exclusive_speaker_diarization)
        )
        self._check_count(turns)
        speakers = said.speaker_diarization.labels()
        vectors = dict(zip(speakers, said.speaker_embeddings, strict=True))
        return {
            "turns": turn_rows(turns, audio),
            "exclusive": turn_rows(exclusive, audio),
            "overlap": overlap_rows(turns, audio),
            "voices": voice_rows(turns, vectors, self._model),
        }

    def _check_count(self, turns: list[Turn]) -> None:
        """Say so where another number of speakers was found than was asked for: there was too little speech."""
        config, found = self.config, len({turn.speaker for turn in turns})
        low, high = config.num_speakers or config.min_speakers or 0, config.num_speakers or config.max_speakers or found
        if turns and not low <= found <= high:
            asked = f"{low}" if low == high else f"at least {low}" if found < low else f"at most {high}"
            self.context.notice(f"{found} speakers were found where {asked} were asked for")

    def close(self) -> None:
        """Let go of the networks, and end the threads."""
        workers = self.__dict__.pop("_workers", None)
        if workers is not None:
            workers.close()
        self.__dict__.pop("_diarizer", None)


class _Sureness:
    """How sure the segmentation is of each speaker. ``values``: float (N, speakers), ``middles``: float (N,), s."""

    def __init__(self, values: NDArray[np.floating], middles: NDArray[np.floating], column: Mapping[str, int]) -> None:
        self._values, self._middles, self._column = values, middles, column

    @classmethod
    def of(cls, diarizer: Diarizer, said: Any) -> _Sureness:
        if diarizer.assigned is None:  # nobody speaks
            return cls(np.empty((0, 0)), np.empty(0), {})
        feature = diarizer.sureness(diarizer._segmentation.model.receptive_field)
        window, values = feature.sliding_window, feature.data
        middles = window.start + window.duration / 2 + window.step * np.arange(len(values))
        return cls(values, middles, diarizer.clusters_of(said.speaker_diarization))

    def over(self, start: float, end: float, speaker: str) -> float | None:
        """Mean over the frames in ``[start, end)``; None where the speaker has no cluster."""
        column = self._column.get(speaker)
        if column is None or column >= self._values.shape[1] or len(self._middles) < 2:
            return None
        half = (self._middles[1] - self._middles[0]) / 2  # turns begin and end in the middles of frames
        first, last = np.searchsorted(self._middles, (start - half, end - half))
        within = self._values[first : max(last, first + 1), column]
        return float(np.clip(within.mean(), 0.0, 1.0)) if within.size else None


def _values(layout: Layout, config: SpeakerDiarizationConfig, diarizer: Diarizer) -> dict[str, dict[str, Any]]:
    """The hyper-parameters: the pipeline's own, and over them those of the settings.

    Raises `ConfigError` for a setting that this pipeline has no use for, and where one is missing.
    """
    given = {
        "clustering_threshold": ("clustering", "threshold", config.clustering_threshold),
        "clustering_fa": ("clustering", "Fa", config.clustering_fa),
        "clustering_fb": ("clustering", "Fb", config.clustering_fb),
        "min_cluster_size": ("clustering", "min_cluster_size", config.min_cluster_size),
        "segmentation_threshold": ("segmentation", "threshold", config.segmentation_threshold),
        "min_duration_off": ("segmentation", "min_duration_off", config.min_duration_off),
    }
    known = {part: set(names) for part, names in diarizer.parameters().items()}
    values = {part: dict(layout.values.get(part, {})) for part in known}
    for setting, (part, name, value) in given.items():
        if value is None:
            continue
        if name not in known[part]:
            raise ConfigError(
                f"speaker_diarization.{setting} does nothing in {config.weights}, which has no {part}.{name}; unset it"
            )
        values[part][name] = value
    for part, names in known.items():
        odd, lacks = sorted(set(values[part]) - names), sorted(names - set(values[part]))
        if odd or lacks:
            raise ConfigError(
                f"the config.yaml of {config.weights} {'has' if odd else 'lacks'} "
                f"{', '.join(f'params.{part}.{name}' for name in odd or lacks)}"
                f"{', which its networks and clustering do not know' if odd else ''}"
            )
    return values
