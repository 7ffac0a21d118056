"""Who speaks when, for videoannotator: pyannote.audio, and known voices across recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import videoannotator as va

if TYPE_CHECKING:
    from videoannotator_speaker_diarization.enrolling import enrol_recordings
    from videoannotator_speaker_diarization.voiceprints import Calibration, Gallery, Known, calibrated, enrol

__all__ = [
    "Calibration",
    "Gallery",
    "Known",
    "calibrated",
    "enrol",
    "enrol_recordings",
    "videoannotator_pipelines",
]

_NETWORK = "pytorch_model.bin"


def __getattr__(name: str) -> Any:
    """What known voices are made with, imported when it is asked for."""
    if name == "enrol_recordings":
        from videoannotator_speaker_diarization.enrolling import enrol_recordings

        return enrol_recordings
    if name in ("Calibration", "Gallery", "Known", "calibrated", "enrol"):
        from videoannotator_speaker_diarization import voiceprints

        return getattr(voiceprints, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="speaker_diarization",
            version="1.0",
            summary="Who speaks when: turns of speakers, overlap, and a voice print of each speaker (pyannote.audio 4)",
            needs=(va.Audio(rate=16000),),
            gives={
                "turns": "videoannotator.data.rows:SpeakerTurn",
                "exclusive": "videoannotator.data.rows:SpeakerTurn",
                "overlap": "videoannotator_speaker_diarization.rows:Overlap",
                "voices": "videoannotator_speaker_diarization.rows:Voice",
            },
            pipeline="videoannotator_speaker_diarization.pipeline:SpeakerDiarization",
            config="videoannotator_speaker_diarization.config:SpeakerDiarizationConfig",
            licence="MIT",
            accelerators=("cuda", "mps"),
            precisions=("exact", "fast"),
            batch=32,
            memory=va.MemoryNeed(fixed=700_000_000, per_frame=60_000_000),
            models=(
                va.ModelSpec(
                    name="speaker-diarization-community-1",
                    source="hub:pyannote/speaker-diarization-community-1@main",
                    licence="CC-BY-4.0",
                    gated=True,
                    files=("config.yaml", f"segmentation/{_NETWORK}", f"embedding/{_NETWORK}", "plda/*.npz"),
                    summary="pyannote's pipeline of 2025, whole: segmentation, WeSpeaker ResNet34, PLDA for VBx. Its "
                    "checkpoints are pickles; they are unpickled when they hold nothing but tensors, plain values and "
                    "pyannote's own description of its task",
                ),
                va.ModelSpec(
                    name="speaker-diarization-3.1",
                    source="hub:pyannote/speaker-diarization-3.1@main",
                    licence="MIT",
                    gated=True,
                    files=("config.yaml",),
                    summary="pyannote's pipeline of 2023: settings only, the networks are the next two",
                ),
                va.ModelSpec(
                    name="segmentation-3.0",
                    source="hub:pyannote/segmentation-3.0@main",
                    licence="MIT",
                    gated=True,
                    files=(_NETWORK,),
                    summary="who of up to three speakers speaks, in pieces of 10 s; a pickle, unpickled as said above",
                ),
                va.ModelSpec(
                    name="wespeaker-voxceleb-resnet34-LM",
                    source="hub:pyannote/wespeaker-voxceleb-resnet34-LM@main",
                    licence="CC-BY-4.0",
                    files=(_NETWORK,),
                    summary="WeSpeaker's voice prints, 256 numbers; a pickle, unpickled as said above",
                ),
            ),
        )
    ]
