"""Rows that only this plugin gives."""

from __future__ import annotations

from typing import Annotated

import videoannotator as va

__all__ = ["FaceCluster"]


@va.row
class FaceCluster:
    """A face track, and the cluster of tracks it belongs to: the same face, as far as its vectors tell.

    ``cluster``: the same number for tracks of one face, within one run. ``similarity``: mean cosine of this track's
    vectors with those of the rest of its cluster; None for a track that is alone. ``embeddings``: how many vectors
    the track has. A track without one has no row.
    """

    track: int
    cluster: int
    similarity: Annotated[float, va.Range(ge=-1, le=1)] | None
    embeddings: Annotated[int, va.Range(ge=1)]
