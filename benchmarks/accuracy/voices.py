"""Where somebody speaks: `voice_activity` beside the silero-vad package, against the references."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.accuracy.rttm import EXCERPTS, Counts, counts, judged, reference, same_from_file
from benchmarks.speed.material import ASSETS
from benchmarks.speed.report import Figure, Section, Table
from pyannote.core import Annotation, Segment

import videoannotator as va
from videoannotator.data.needs import Audio
from videoannotator.decode.passes import DecodePass

__all__ = ["found_by_silero", "found_by_us", "sections"]

_ALIKE = 0.001
"""So much more of the speech may be wrong than by the package."""


def found_by_us() -> dict[str, va.Result]:
    """``voice_activity`` with its defaults."""
    with va.Annotator(["voice_activity"], cache=False) as annotator:
        return {
            name: annotator.annotate(ASSETS / "audio" / f"{name}.wav", progress=False, on_error="raise")
            for name in EXCERPTS
        }


def found_by_silero(results: Mapping[str, va.Result]) -> dict[str, Annotation]:
    """The package with its defaults, on the same samples."""
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    model, found = load_silero_vad(), {}
    for name, result in results.items():
        with DecodePass(result.media, (), [Audio()]) as decoding:
            list(decoding)
        samples = torch.from_numpy(decoding.tracks[Audio()].samples.copy())
        regions = get_speech_timestamps(samples, model, return_seconds=False)
        found[name] = Annotation()
        for number, region in enumerate(regions):
            found[name][Segment(region["start"] / 16000, region["end"] / 16000), number] = "SPEECH"
    return found


def sections() -> list[Section]:
    """Measure both."""
    results = found_by_us()
    same = same_from_file(results, "voice_activity", "speech", speakers=False)
    ours = judged(results, "voice_activity", "speech", speakers=False)
    theirs = {
        name: counts(annotation, reference(name), results[name].media.span, speakers=False)
        for name, annotation in found_by_silero(results).items()
    }
    theirs["together"] = sum(theirs.values(), Counts())
    rows = [
        (name, side, *found[name].cells()[:3])
        for name in ours
        for side, found in (("voice_activity", ours), ("silero-vad", theirs))
    ]
    missed = "speech is missed or made up that the package hears right"
    most = theirs["together"].rate + _ALIKE
    figure = Figure(
        "detection error rate, all files", (ours["together"].rate,), "", most=most, missed=missed, how=".3f"
    )
    head = ("recording", "side", "detection error rate", "missed", "false alarm")
    title = "Voice activity: 30 s each of four recordings with reference, no collar, pyannote.metrics"
    return [Section(title, same, (figure,), (Table(head, tuple(rows)),))]
