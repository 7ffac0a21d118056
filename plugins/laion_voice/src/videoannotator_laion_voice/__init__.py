"""Emotions in voices: LAION's Empathic-Insight-Voice, regressions on what a fine-tuned Whisper hears."""

from __future__ import annotations

import videoannotator as va

_HEADS = "LAION's 55 regression heads on BUD-E-Whisper: 40 emotions, 15 attributes of voice and recording"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="laion_voice",
            version="1.0",
            summary="Forty emotions in voices, each rated 0 to 4, and what else is heard (Empathic-Insight-Voice)",
            needs=(
                va.Audio(rate=16000),
                va.Output("speaker_diarization", optional=True),
                va.Output("voice_activity", optional=True),
            ),
            gives={
                "emotions": "videoannotator_laion_voice.rows:VoiceEmotions",
                "dimensions": "videoannotator_laion_voice.rows:VoiceDimensions",
                "embeddings": "videoannotator_laion_voice.rows:VoiceEmbedding",
                "left_out": "videoannotator_laion_voice.rows:LeftOut",
            },
            pipeline="videoannotator_laion_voice.pipeline:LaionVoice",
            config="videoannotator_laion_voice.config:LaionVoiceConfig",
            licence="MIT",
            accelerators=("cuda", "mps"),
            batch=8,  # so many heads, or segments on their way through the encoder, are in memory at a time
            memory=va.MemoryNeed(fixed=2_300_000_000, per_frame=400_000_000),
            models=(
                va.ModelSpec(
                    name="bud-e-whisper",
                    source="hub:laion/BUD-E-Whisper@main",
                    licence="CC-BY-4.0",
                    files=("config.json", "preprocessor_config.json", "model*.safetensors*"),
                    summary="Whisper small, fine-tuned by LAION on captions of emotional speech; its encoder is used",
                ),
                va.ModelSpec(
                    name="empathic-insight-voice-large",
                    source="hub:laion/Empathic-Insight-Voice-Large@main",
                    licence="CC-BY-4.0",
                    files=("model_*_best.pth",),
                    size=55 * 590_000_000,
                    summary=f"{_HEADS}; 147 million parameters each",
                ),
                va.ModelSpec(
                    name="empathic-insight-voice-small",
                    source="hub:laion/Empathic-Insight-Voice-Small@main",
                    licence="CC-BY-4.0",
                    files=("model_*_best.pth",),
                    size=55 * 295_000_000,
                    summary=f"{_HEADS}; 74 million parameters each",
                ),
            ),
        )
    ]
