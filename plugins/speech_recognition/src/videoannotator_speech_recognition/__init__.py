"""What is said, with word times: Whisper on CTranslate2 (faster-whisper), or as OpenAI published it."""

from __future__ import annotations

import videoannotator as va
from videoannotator_speech_recognition.models import declared


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="speech_recognition",
            version="1.0",
            summary="What is said: utterances with words, their times and scores (Whisper)",
            needs=(va.Audio(rate=16000),),
            gives={"utterances": "videoannotator.data.rows:Utterance"},
            pipeline="videoannotator_speech_recognition.pipeline:SpeechRecognition",
            config="videoannotator_speech_recognition.config:SpeechRecognitionConfig",
            licence="MIT",
            accelerators=("cuda",),
            batch=8,
            precisions=("exact", "fast"),
            memory=va.MemoryNeed(fixed=1_000_000_000, per_frame=100_000_000),
            models=declared(),
        )
    ]
