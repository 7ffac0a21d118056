"""Who in the picture is speaking: voices to faces to persons, over the whole recording."""

from __future__ import annotations

import videoannotator as va

_ROWS = "videoannotator_active_speaker.rows"
_WEIGHTS = "https://raw.githubusercontent.com/Junhua-Liao/LR-ASD/1b6dcd2d8fc2895683de6508ec6294ec47d388ca/weight"


@va.hookimpl
def videoannotator_pipelines() -> list[va.PipelineSpec]:
    """The one pipeline of this plugin."""
    return [
        va.PipelineSpec(
            name="active_speaker",
            version="1.0",
            summary="Which face, and which person, each voice belongs to, and when the speaker is off screen",
            needs=(
                va.Frames(rate=25.0, height=720, color="gray"),
                va.Audio(16000),
                va.Output("face_analysis"),
                va.Output("speaker_diarization", optional=True),
                va.Output("voice_activity", optional=True),
                va.Output("face_landmarks", optional=True),
                va.Output("person_identity", optional=True),
                va.Output("scene_detection", optional=True),
            ),
            gives={
                "speaking": f"{_ROWS}:Speaking",
                "speakers": f"{_ROWS}:SpeakerLink",
                "frames": f"{_ROWS}:SpeakingFace",
            },
            pipeline="videoannotator_active_speaker.pipeline:ActiveSpeaker",
            config="videoannotator_active_speaker.config:ActiveSpeakerConfig",
            licence="MIT",
            accelerators=("cuda", "mps"),
            batch=8,
            memory=va.MemoryNeed(fixed=150_000_000, per_pixel=4),
            models=(
                va.ModelSpec(
                    name="lr_asd_talkset",
                    source=f"{_WEIGHTS}/finetuning_TalkSet.model",
                    licence="MIT",
                    size=3_426_337,
                    summary="LR-ASD, trained on AVA-ActiveSpeaker, fine-tuned on TalkSet; the better outside AVA",
                ),
                va.ModelSpec(
                    name="lr_asd_ava",
                    source=f"{_WEIGHTS}/pretrain_AVA.model",
                    licence="MIT",
                    size=3_426_337,
                    summary="LR-ASD, trained on AVA-ActiveSpeaker",
                ),
            ),
        )
    ]
