"""Which speaker is whom of the gallery: an open set, so any of them may be nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from videoannotator import SpeakerTurn, Table
from videoannotator_speaker_diarization.rows import Voice
from videoannotator_speaker_diarization.voiceprints import Gallery, distances

__all__ = ["Told", "named", "told"]


def named(tables: Mapping[str, Table[Any]], gallery: Gallery, *, most: float) -> dict[str, Table[Any]]:
    """The tables of a recording with those speakers called by name who are known. See `told` for ``most``."""
    voices: list[Any] = list(tables["voices"])
    found = told({voice.label: voice.vector for voice in voices}, gallery, most=most)
    names = {label: said.name for label, said in found.items() if said.name is not None}

    def called(row: Any) -> Any:
        return attrs.evolve(row, speaker=names.get(row.speaker, row.speaker))

    for n, voice in enumerate(voices):
        if voice.label in found:
            voices[n] = attrs.evolve(called(voice), **attrs.asdict(found[voice.label]))
    turns = {name: Table.from_rows(SpeakerTurn, map(called, tables[name])) for name in ("turns", "exclusive")}
    return {**tables, **turns, "voices": Table.from_rows(Voice, voices)}


@attrs.frozen
class Told:
    """What the gallery says of one speaker.

    ``name``: whose voice it is taken to be, None for unknown. ``nearest``: whose it is most like; that may be another
    one, who is somebody else here. ``likeness``: cosine similarity (-1..1) to `name`, or to `nearest` where that is
    None.
    """

    name: str | None
    nearest: str
    likeness: float


def told(vectors: Mapping[str, NDArray[np.floating] | None], gallery: Gallery, *, most: float) -> dict[str, Told]:
    """What is told of every speaker who has a voice print, by label.

    ``most``: cosine distance from the middle of a person's voice prints up to which a voice may be that person's. Each
    name goes to one speaker at most and each speaker has one name at most: those that lie, all together, furthest
    within ``most`` (Kuhn 1955). Who is left over stays unknown.
    """
    labels = [label for label, vector in vectors.items() if vector is not None]
    names, centres = gallery.centres()
    if not labels or not names:
        return {}
    rows = np.array([vectors[label] for label in labels], dtype=np.float64)
    apart = distances(rows, centres)
    within = np.where(apart <= most, most - apart + 1e-9, 0.0)  # at the very border counts, too
    chosen = {labels[i]: int(j) for i, j in zip(*linear_sum_assignment(-within), strict=True) if within[i, j] > 0}
    found = {}
    for i, label in enumerate(labels):
        nearest = int(apart[i].argmin())
        of = chosen.get(label, nearest)
        likeness = float(1 - apart[i, of])
        found[label] = Told(names[of] if label in chosen else None, names[nearest], likeness)
    return found
