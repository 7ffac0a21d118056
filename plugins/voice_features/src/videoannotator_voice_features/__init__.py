"""How voices sound: loudness, pitch, voicing, jitter, shimmer, harmonics-to-noise ratio, spectral measures."""

from __future__ import annotations

import videoannotator as va

_ROWS = "videoannotator_voice_features.rows"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="voice_features",
            version="1.0",
            summary="How voices sound: loudness, pitch, voicing, jitter, shimmer, spectral measures",
            needs=(
                va.Audio(rate=16000),
                va.Output("speaker_diarization", optional=True),
                va.Output("voice_activity", optional=True),
            ),
            gives={"frames": f"{_ROWS}:VoiceFrame", "segments": f"{_ROWS}:VoiceSegment"},
            pipeline="videoannotator_voice_features.pipeline:VoiceFeatures",
            config="videoannotator_voice_features.config:VoiceFeaturesConfig",
            licence="MIT",
            memory=va.MemoryNeed(fixed=250_000_000),  # of the processor
        )
    ]
