"""What the routes about videos, uploads and server folders take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from videoannotator.serve.api.models import Model, Text, moment_text
from videoannotator.serve.store.uploads import Upload
from videoannotator.serve.store.videos import Video

__all__ = [
    "FolderEntry",
    "FolderList",
    "FolderShown",
    "FromFolder",
    "UploadList",
    "UploadShown",
    "VideoList",
    "VideoShown",
    "VideosMade",
]

_ID = "0b6f4f0e-9a55-4a1b-8a5e-0d6f3f1c2b7a"
_MEDIA = {
    "container": "mov,mp4,m4a,3gp,3g2,mj2",
    "duration": 61.44,
    "still": False,
    "video": {"codec": "h264", "width": 1280, "height": 720, "frames": 1536, "rate": 25.0, "variable_rate": False},
    "audio": {"codec": "aac", "sample_rate": 48000, "channels": 2, "start": 0.0, "duration": 61.44},
    "notices": [],
}


class VideoShown(BaseModel):
    """A video."""

    id: str = Field(examples=[_ID])
    name: str = Field(description="what its owner calls it", examples=["session01.mp4"])
    bytes: int = Field(examples=[10485760])
    sha256: str = Field(description="of the file, hexadecimal")
    duration: float = Field(description="seconds", examples=[61.44])
    media: dict[str, Any] = Field(
        description="what probing told: container, video (codec, width, height, frames, rate), audio, notices",
        examples=[_MEDIA],
    )
    stored: bool = Field(description="False: a file of a server folder, which is never deleted")
    owner_id: str
    created_at: str = Field(examples=["2026-11-28T09:30:00.000Z"])
    href: str = Field(description="the file itself, with Range", examples=[f"/api/v1/videos/{_ID}"])

    @classmethod
    def of(cls, video: Video) -> VideoShown:
        """As it is told."""
        return cls(
            id=video.id,
            name=video.name,
            bytes=video.bytes,
            sha256=video.sha256,
            duration=video.duration,
            media=video.media,
            stored=video.stored,
            owner_id=video.owner_id,
            created_at=moment_text(video.created_at) or "",
            href=f"/api/v1/videos/{video.id}",
        )


class VideoList(BaseModel):
    """A page of videos, newest first."""

    videos: list[VideoShown]
    total: int
    next_cursor: str | None = Field(description="send it back as `cursor` for the next page; null behind the last")


class UploadShown(BaseModel):
    """An upload that can be resumed, or is complete."""

    id: str
    name: str = Field(examples=["session01.mp4"])
    length: int = Field(description="bytes of the whole file")
    offset: int = Field(description="bytes that are here for certain: go on there")
    video_id: str | None = Field(description="the video, once it is complete and taken")
    error: str | None = Field(description="why the complete file was refused")
    created_at: str
    expires_at: str

    @classmethod
    def of(cls, upload: Upload) -> UploadShown:
        """As it is told."""
        return cls(
            id=upload.id,
            name=upload.name,
            length=upload.length,
            offset=upload.received,
            video_id=upload.video_id,
            error=upload.error,
            created_at=moment_text(upload.created_at) or "",
            expires_at=moment_text(upload.expires_at) or "",
        )


class UploadList(BaseModel):
    """Uploads, newest first."""

    uploads: list[UploadShown]


class FolderEntry(BaseModel):
    """Something in a server folder. ``path``: for `POST /videos/from-folder`, or to look into it."""

    name: str
    path: str
    kind: str = Field(description="folder or file", examples=["file"])
    bytes: int | None = Field(description="of a file")


class FolderShown(BaseModel):
    """What is in a server folder: folders first, then files with the name of a media file."""

    path: str
    entries: list[FolderEntry]
    truncated: bool = Field(description="there is more than is listed here")


class FolderList(BaseModel):
    """The folders that an operator has opened."""

    roots: list[str]


class FromFolder(Model):
    """Files of a server folder to be taken as they lie there."""

    paths: list[Text] = Field(min_length=1, max_length=500, examples=[["/data/study/session01.mp4"]])


class VideosMade(BaseModel):
    """``videos``: those that were taken. ``refused``: path and reason of the others."""

    videos: list[VideoShown]
    refused: list[dict[str, str]]
