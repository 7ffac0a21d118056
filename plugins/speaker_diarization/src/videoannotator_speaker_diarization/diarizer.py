"""pyannote's speaker diarization, computing each piece of sound once, and saying how sure its turns are.

The steps, and every number but the last bits of batches, are pyannote's: what is written anew here is who computes.

- The embedding network sees a piece of sound once. pyannote hands it the same piece once for each speaker that the
  segmentation has room for (three), with another mask, though the masks come in only at its last layer.
- A piece in which nobody speaks is not embedded: with a mask of nothing, the network gives its last bias whatever it
  hears.
- On the processor each piece is computed by itself, in one thread, and several side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio import Inference
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, VBxClustering
from pyannote.core import SlidingWindowFeature

from videoannotator.discover.workers import Workers

__all__ = ["Agglomerative", "Diarizer", "NoPlda", "Segmenter", "VBx"]

Floats: TypeAlias = NDArray[np.floating]


class NoPlda(PLDA):  # type: ignore[misc]  # pyannote has no types
    """In place of a PLDA, for clustering that uses none: pyannote would load one all the same, from the hub."""

    def __init__(self) -> None:
        """Nothing is read."""


def _of_nothing(embeddings: Floats) -> tuple[NDArray[np.int8], Floats, Floats]:
    """What pyannote's clusterings give where no voice print is clear enough: one speaker, no known voice."""
    pieces, speakers, width = embeddings.shape
    return np.zeros((pieces, speakers), np.int8), np.ones((pieces, speakers, 1)), np.full((1, width), np.nan)


class VBx(VBxClustering):  # type: ignore[misc]  # as above
    """pyannote's VBx, for which more speakers may be asked than there are voice prints: then there is one for each.

    pyannote's agglomerative clustering has it so; its VBx ends in an error of scikit-learn's.
    """

    def __call__(self, embeddings: Floats, segmentations: Any = None, **bounds: Any) -> Any:
        """See `VBxClustering`."""
        clear, _, _ = self.filter_embeddings(embeddings, segmentations=segmentations)
        if not len(clear):
            return _of_nothing(embeddings)
        for name in ("num_clusters", "min_clusters", "max_clusters"):
            if bounds.get(name):
                bounds[name] = min(bounds[name], len(clear))
        return super().__call__(embeddings, segmentations=segmentations, **bounds)


class Agglomerative(AgglomerativeClustering):  # type: ignore[misc]  # as above
    """pyannote's, which takes the mean of nothing where nothing is clear enough."""

    def __call__(self, embeddings: Floats, segmentations: Any = None, **bounds: Any) -> Any:
        """See `AgglomerativeClustering`."""
        clear, _, _ = self.filter_embeddings(embeddings, segmentations=segmentations)
        if not len(clear):
            return _of_nothing(embeddings)
        return super().__call__(embeddings, segmentations=segmentations, **bounds)


class Segmenter(Inference):  # type: ignore[misc]  # as above
    """pyannote's sliding window, with the pieces of a batch shared among ``workers``.

    ``each``: pieces that the network sees at once. ``sure``: how sure it was of each speaker, by piece, float32
    (pieces, frames, speakers), 0..1, since `forget`.
    """

    def __init__(self, model: Any, *, step: float, each: int, workers: Workers | None) -> None:
        duration = model.specifications.duration
        count = 1 if workers is None else 4 * workers.count
        super().__init__(model, duration=duration, step=step * duration, skip_aggregation=True, batch_size=each * count)
        self._each, self._workers = each, workers
        self.sure: list[Floats] = []

    def forget(self) -> None:
        """Another recording begins."""
        self.sure = []

    def infer(self, chunks: torch.Tensor) -> Floats:
        """What pyannote takes: for networks that choose among sets of speakers, 0 or 1."""
        found = _shared(self._workers, lambda part: self._told(chunks[part]), len(chunks), self._each)
        self.sure.extend(sure for _, sure in found)
        return np.concatenate([told for told, _ in found])

    def _told(self, chunks: torch.Tensor) -> tuple[Floats, Floats]:
        with torch.inference_mode():
            said = self.model(chunks.to(self.device))
            told = self.conversion(said).cpu().numpy()
            if not self.model.specifications.powerset:
                return told, told
            return told, self.conversion(said, soft=True).clamp(0, 1).cpu().numpy()


class Diarizer(SpeakerDiarization):  # type: ignore[misc]  # as above
    """See the module. ``segmenter`` takes the place of pyannote's own.

    After a call: ``assigned``: int (pieces, speakers in a piece), the cluster of each, -2 for none.
    """

    assigned: NDArray[np.integer] | None = None
    _named: list[int] | None = None

    def __init__(self, segmenter: Segmenter, *, each: int, workers: Workers | None, **params: Any) -> None:
        super().__init__(segmentation=segmenter.model, embedding_batch_size=each, **params)
        self._segmentation = segmenter
        self._workers = workers
        metric = self._embedding.metric
        vbx = self.klustering == "VBxClustering"
        self.clustering = VBx(self._plda, metric=metric) if vbx else Agglomerative(metric=metric)

    def prepare(self) -> None:
        """Find out how short a sound may be for the embedding network: it is tried with ever shorter ones."""
        if self.embedding_exclude_overlap:
            self._embedding.min_num_samples  # noqa: B018 - kept from here on

    def forget(self) -> None:
        """Another recording begins."""
        self.assigned = self._named = None
        self._segmentation.forget()

    def to_annotation(self, discrete_diarization: Any, **durations: float) -> Any:
        """As pyannote; which clusters have turns is kept, before they are given names."""
        annotation = super().to_annotation(discrete_diarization, **durations)
        self._named = annotation.labels() if self._named is None else self._named
        return annotation

    def clusters_of(self, annotation: Any) -> dict[str, int]:
        """Speaker -> cluster, for the turns (not the exclusive ones) of the last call."""
        return dict(zip(annotation.labels(), self._named or [], strict=True))

    def reconstruct(self, segmentations: Any, hard_clusters: Any, count: Any) -> Any:
        """As pyannote; who is whom is kept."""
        self.assigned = np.array(hard_clusters)
        return super().reconstruct(segmentations, hard_clusters, count)

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: Any,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> Floats:
        """Voice prints by piece and speaker, float (pieces, speakers, D)."""
        network = self._embedding.model_
        if not hasattr(network, "forward_frames"):  # not WeSpeaker's
            found: Floats = super().get_embeddings(file, binary_segmentations, exclude_overlap, hook)
            return found
        masks = self._masks(binary_segmentations, exclude_overlap)
        heard = np.flatnonzero(masks.any(axis=(1, 2)))
        step = self.embedding_batch_size * (1 if self._workers is None else 2 * self._workers.count)
        window = binary_segmentations.sliding_window
        embeddings = np.empty((len(masks), masks.shape[2], network.dimension), dtype=np.float32)
        embeddings[:] = self._of_nobody(network)
        for begin in range(0, len(heard), step):
            some = heard[begin : begin + step]
            sounds = torch.stack([self._audio.crop(file, window[int(chunk)], mode="pad")[0] for chunk in some])

            def embedded(part: slice, sounds: torch.Tensor = sounds, some: NDArray[np.intp] = some) -> Floats:
                return self._embedded(network, sounds[part], masks[some[part]])

            embeddings[some] = np.concatenate(_shared(self._workers, embedded, len(some), self.embedding_batch_size))
            if hook is not None:
                hook("embeddings", None, total=len(heard), completed=min(begin + step, len(heard)))
        return embeddings

    def _masks(self, segmentations: Any, exclude_overlap: bool) -> Floats:
        """Which frames are whose, float32 (pieces, frames, speakers): no overlap where enough is left."""
        active: Floats = np.nan_to_num(segmentations.data, nan=0.0).astype(np.float32)
        if not exclude_overlap or not (active.sum(axis=2) > 1).any():
            return active
        frames = active.shape[1]
        samples = segmentations.sliding_window.duration * self._embedding.sample_rate
        least = math.ceil(frames * self._embedding.min_num_samples / samples)
        clear = active * (active.sum(axis=2, keepdims=True) < 2)
        enough = clear.sum(axis=1, keepdims=True) > least
        return np.asarray(np.where(enough, clear, active), dtype=np.float32)

    def _embedded(self, network: Any, sounds: torch.Tensor, masks: Floats) -> Floats:
        """float32 (pieces, speakers, D). The last layer sees one speaker at a time, as there: the bits are the same."""
        device = self._embedding.device
        with torch.inference_mode():
            frames = network.forward_frames(sounds.to(device))
            given = torch.from_numpy(np.ascontiguousarray(masks.transpose(2, 0, 1))).to(device)
            told = [network.forward_embedding(frames, weights=mask) for mask in given]
            embeddings: Floats = torch.stack(told, dim=1).cpu().numpy()
        return embeddings

    def _of_nobody(self, network: Any) -> Floats:
        """What the network says of a mask of nothing, float32 (D,)."""
        device = self._embedding.device
        with torch.inference_mode():
            frames = network.forward_frames(torch.zeros(1, 1, self._embedding.sample_rate, device=device))
            told = network.forward_embedding(frames, weights=torch.zeros(1, 10, device=device))
        of_nobody: Floats = told[0].cpu().numpy()
        return of_nobody

    def sureness(self, frames: Any) -> Any:
        """How sure the segmentation was of each cluster, a feature (N, clusters) over ``frames`` (a ``SlidingWindow``).

        The mean over the pieces that hear a moment, of the greatest probability among those speakers of the piece who
        belong to the cluster; 0 where none of a piece does: there it was not heard.
        """
        assert self.assigned is not None  # noqa: S101 - called after a call
        sure = np.concatenate(self._segmentation.sure)
        clusters = int(self.assigned.max()) + 1
        by_cluster = np.zeros((*sure.shape[:2], max(0, clusters)), dtype=np.float32)
        for piece, whose in enumerate(self.assigned):
            for cluster in np.unique(whose[whose >= 0]):
                by_cluster[piece, :, cluster] = sure[piece][:, whose == cluster].max(axis=1)
        window = self._segmentation
        pieces = SlidingWindowFeature(by_cluster, _pieces(window.duration, window.step))
        return Inference.aggregate(pieces, frames, hamming=False, missing=0.0)


def _pieces(duration: float, step: float) -> Any:
    from pyannote.core import SlidingWindow

    return SlidingWindow(start=0.0, duration=duration, step=step)


def _shared(workers: Workers | None, work: Callable[[slice], Any], count: int, each: int) -> list[Any]:
    """``work`` on ``count`` things, ``each`` at a time: side by side where there are workers."""
    portions: Iterator[slice] = (slice(begin, begin + each) for begin in range(0, count, each))
    return list(map(work, portions) if workers is None else workers.map(work, portions))
