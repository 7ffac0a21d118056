"""The only place that opens media.

FFmpeg opens far more than files: network addresses, devices, and lists (HLS, DASH, concat, image patterns) that make
it open further addresses. A list named ``holiday.mp4`` is still a list. So every file goes through `open_media`,
which gives FFmpeg an absolute ``file:`` address, allows the ``file`` protocol only, allows only the formats listed
here (none of them opens a second file), tells MOV to leave its references to other files alone, and refuses pictures
above a pixel limit before one is decoded. ``docs/media.md`` says what was measured.
"""

from __future__ import annotations

import os
import re
import stat
from os import PathLike
from typing import Any

import av
import av.error
import av.stream
from av.container import InputContainer
from av.video.stream import VideoStream

from videoannotator.errors import MediaLimitError, RefusedMediaError, UnreadableMediaError

__all__ = ["FORMATS", "MAX_PIXELS", "open_media"]

MAX_PIXELS = 33_177_600
"""Largest picture that is opened: 7680 x 4320 (8K), in pixels."""

_PICTURES = {
    "jpeg_pipe": (b"\xff\xd8\xff",),
    "png_pipe": (b"\x89PNG\r\n\x1a\n",),
    "bmp_pipe": (b"BM",),
    "tiff_pipe": (b"II*\x00", b"MM\x00*"),
}

FORMATS = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpegtsraw", "mpeg", "flv", "asf"),
    *("ogg", "wav", "w64", "mp3", "aac", "flac", "aiff", "au", "caf", "amr", "ac3", "dv", "mxf", "gif", "apng", "webp"),
    *("mjpeg", "h264", "hevc", "m4v", "mpegvideo", "ivf", "nut", "webp_pipe", "jpegxl_pipe", "ppm_pipe", "pgm_pipe"),
    *("yuv4mpegpipe", "wv", "dss"),
    *_PICTURES,
)
"""FFmpeg's names of the formats that are opened. None of them makes FFmpeg open a second file."""

_CLOSED = {"protocol_whitelist": "file", "format_whitelist": ",".join(FORMATS), "enable_drefs": "0"}
"""What FFmpeg is told. A MOV file may say that its pictures are in another one, which ``enable_drefs`` would read."""

_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]*://?[^/\\]", re.IGNORECASE)
_PROTOCOL = re.compile(
    r"^(async|cache|concat|concatf|crypto|data|fd|ftps?|gophers?|hls|https?|icecast|ipfs|ipns|md5|mmsh|mmst|pipe|rtmp\w*"
    r"|rtp|rtsps?|sctp|sftp|smb|srtp?|subfile|tcp|tee|tls|udp|unix|rist|ffrtmp\w*|bluray|file|lavfi|zmq)[:,]",
    re.IGNORECASE,
)
_LISTS = (
    (b"#EXTM3U", "an HLS playlist"),
    (b"ffconcat", "a list of files (FFmpeg concat script)"),
    (b"<?xml", "an XML document (perhaps a DASH manifest)"),
    (b"<MPD", "a DASH manifest"),
    (b"v=0\r\n", "a session description (SDP)"),
    (b"v=0\n", "a session description (SDP)"),
    (b"[playlist]", "a playlist"),
)
_EINVAL = 22
_TEXT = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)))
_ONLY_LOCAL = "Only files on this machine are opened; download it first and pass the path."


def open_media(path: str | PathLike[str], *, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """Open a media file on this machine for reading.

    ``max_pixels``: a stream of larger pictures is refused, and the decoder refuses them if the header lied (its own
    limit is an eighth and 0.13 million pixels higher: it counts margins).

    Raises `RefusedMediaError` for network addresses, playlists and other lists of files and formats that are not
    in `FORMATS`; `MediaLimitError` for pictures above the limit; `UnreadableMediaError` for everything that is no
    media file: missing, a directory, empty, text, damaged beyond opening.
    """
    name = os.fspath(path)
    head = _check_file(name)
    options = {**_CLOSED, "max_pixels": _padded(max_pixels)}
    try:
        container: Any = av.open(
            "file:" + os.path.abspath(name),
            "r",
            format=_picture_format(head),
            options=options,
            metadata_errors="replace",  # titles in Latin-1 are no reason to refuse a film
        )
    except av.error.FFmpegError as error:
        raise _explained(name, head, error) from error
    try:
        _check_streams(name, container, max_pixels)
    except RefusedMediaError:
        container.close()
        raise
    return container  # type: ignore[no-any-return]  # av.open is overloaded on the mode's literal


def _padded(max_pixels: int) -> str:
    """The decoder's own limit, which is the second line: it counts the margins that it puts around a picture."""
    return str(max_pixels + max_pixels // 8 + 131_072)


def _check_file(name: str) -> bytes:
    """The first bytes of a regular file. Anything else is an error that says what it is."""
    if not os.path.lexists(name) and (_ADDRESS.match(name) or _PROTOCOL.match(name)):
        raise RefusedMediaError(f"this is an address, not a file. {_ONLY_LOCAL}", path=name)
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableMediaError("this is a directory. Pass the media files inside it.", path=name)
        if not stat.S_ISREG(mode):
            raise UnreadableMediaError("this is a device or a pipe, not a regular file.", path=name)
        with open(name, "rb") as file:
            head = file.read(512)
    except FileNotFoundError as error:
        raise UnreadableMediaError("there is no such file.", path=name) from error
    except PermissionError as error:
        raise UnreadableMediaError("this file may not be read (permission denied).", path=name) from error
    except (OSError, ValueError) as error:
        raise UnreadableMediaError(f"this file cannot be read: {error}.", path=name) from error
    if not head:
        raise UnreadableMediaError("the file is empty (0 bytes). Was the copy or the recording interrupted?", path=name)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, kind in _LISTS:
        if text.lower().startswith(start.lower()):
            raise RefusedMediaError(
                f"this is {kind}, which would open other files or addresses. {_ONLY_LOCAL}", path=name
            )
    return head


def _picture_format(head: bytes) -> str | None:
    # FFmpeg would take a .jpg for an image sequence, which is a list of files and therefore not allowed
    return next((name for name, starts in _PICTURES.items() if head.startswith(starts)), None)


def _explained(name: str, head: bytes, error: av.error.FFmpegError) -> Exception:
    if error.errno == _EINVAL:
        return RefusedMediaError(
            "this is in a format that is not opened here (playlists and capture formats are not). "
            "Convert it, for example with: ffmpeg -i INPUT output.mp4",
            path=name,
        )
    if not head.translate(None, _TEXT):
        return UnreadableMediaError("this is a text file, not a media file.", path=name)
    if b"ftyp" in head[:16]:
        return UnreadableMediaError(
            "the index of this MP4/MOV file is missing or damaged: the file is truncated, or the recording "
            "was never finished. Copy it again, or repair it with a tool such as untrunc.",
            path=name,
        )
    return UnreadableMediaError(f"this is not a media file that can be read ({error.strerror}).", path=name)


def _check_streams(name: str, container: InputContainer, max_pixels: int) -> None:
    for stream in container.streams:
        if not isinstance(stream, VideoStream) or stream.codec_context is None:
            continue
        width, height = stream.codec_context.width, stream.codec_context.height
        if not width * height and not stream.disposition & av.stream.Disposition.attached_pic:
            # above the limit some decoders give up before they tell the size
            says = f"its pictures are above the limit of {max_pixels} pixels, or their size cannot be read."
            raise MediaLimitError(says, path=name, limit="pixels", value=None, allowed=max_pixels)
        if (pixels := width * height) > max_pixels:
            says = f"its pictures have {width} x {height} = {pixels} pixels, more than the limit of {max_pixels}."
            raise MediaLimitError(says, path=name, limit="pixels", value=pixels, allowed=max_pixels)
        stream.codec_context.options = {**stream.codec_context.options, "max_pixels": _padded(max_pixels)}
