"""Who speaks in each piece of a turn: one of the faces in the picture, somebody off screen, or it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
import numpy as np

from videoannotator_active_speaker.linking import Evidence, Linked, Recording
from videoannotator_active_speaker.turns import Piece

__all__ = ["Decided", "Verdict", "decide"]

Verdict = Literal["on_screen", "off_screen", "unknown"]

_MOST = 3.0
"""Most that the rest of the recording says about one piece, either way: 1 in 20, as diarization and tracks err."""


@attrs.frozen
class Decided:
    """What is told of a piece. ``probability``: that each face of it speaks. ``about``: the face that ``evidence`` and
    ``recording`` are about. See `Speaking` for the rest."""

    piece: Piece
    verdict: Verdict
    face: int | None = None
    score: float | None = None
    probability: Mapping[int, float] = attrs.field(factory=dict)
    evidence: Evidence = attrs.field(factory=Evidence)
    recording: float | None = None


def decide(recording: Recording, linked: Linked, *, on_screen: float, sure: float) -> list[Decided]:
    """One answer for each piece. ``on_screen``: how often a speaker is seen where faces are; ``sure``: least
    probability."""
    quiet = {track: recording.restless([track], None) for track in recording.tracks}
    return [_decided(piece, recording, linked, quiet, on_screen, sure) for piece in recording.pieces]


def _decided(
    piece: Piece, recording: Recording, linked: Linked, quiet: Mapping[int, float], on_screen: float, sure: float
) -> Decided:
    if not piece.pictured:
        return Decided(piece, "unknown")
    if not piece.faces:
        # between a picture that was looked at and the next, somebody may have come or gone at any time
        return Decided(piece, "off_screen" if piece.duration > recording.step else "unknown")
    found, before = {}, {}
    for face in piece.faces:
        restless = quiet[face]
        if piece.speaker is not None:
            restless = float(linked.restless[linked.places(face, piece.speaker)])
        found[face] = recording.evidence([(face, piece)], restless)
        before[face] = None if piece.speaker is None else _of_recording(linked, face, piece.speaker, found[face].total)
    prior = float(np.log(on_screen / len(piece.faces)))
    odds = [prior + found[face].total + (before[face] or 0.0) for face in piece.faces] + [float(np.log(1 - on_screen))]
    share = np.exp(np.array(odds) - max(odds))
    share /= share.sum()
    probability = {face: float(p) for face, p in zip(piece.faces, share, strict=False)}
    likeliest = max(piece.faces, key=lambda face: probability[face])
    about = {"evidence": found[likeliest], "recording": before[likeliest], "probability": probability}
    weighed = found[likeliest].measured or bool(before[likeliest])
    if not weighed:  # what was believed before looking is no answer
        return Decided(piece, "unknown", **about)  # type: ignore[arg-type]  # one dict of several types
    if probability[likeliest] >= sure:
        return Decided(piece, "on_screen", face=likeliest, score=probability[likeliest], **about)  # type: ignore[arg-type]  # as above
    if share[-1] >= sure:
        return Decided(piece, "off_screen", score=float(share[-1]), **about)  # type: ignore[arg-type]  # as above
    return Decided(piece, "unknown", **about)  # type: ignore[arg-type]  # as above


def _of_recording(linked: Linked, face: int, speaker: str, here: float) -> float:
    """What the voice's other pieces say about a face, in log odds; ``here``: what this piece itself says."""
    u, s = linked.places(face, speaker)
    if linked.chosen[u, s]:
        return float(np.clip(linked.evidence[u, s] - here, -_MOST, _MOST))
    others = linked.links.apart[u]  # the voice is somebody else's, or the face has another voice
    rivals = [*linked.score[others & linked.chosen[:, s], s], *linked.score[u, linked.chosen[u]]]
    return float(np.log(max(1 - max(rivals), np.exp(-_MOST)))) if rivals else 0.0
