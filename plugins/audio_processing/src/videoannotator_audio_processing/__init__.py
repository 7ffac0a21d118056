"""Who said what, for videoannotator: words attributed to speakers, overlap told."""

from __future__ import annotations

import videoannotator as va


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="audio_processing",
            version="1.0",
            summary="Who said what: every word with its speaker, utterances cut where the speaker changes",
            needs=(va.Output("speech_recognition"), va.Output("speaker_diarization")),
            gives={
                "utterances": "videoannotator.data.rows:Utterance",
                "words": "videoannotator_audio_processing.rows:SpokenWord",
                "turns": "videoannotator.data.rows:SpeakerTurn",
            },
            pipeline="videoannotator_audio_processing.pipeline:AudioProcessing",
            config="videoannotator_audio_processing.config:AudioProcessingConfig",
            licence="MIT",
        )
    ]
