"""What is opened, what is refused, and what the refusal says."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from videoannotator.data.needs import Frames
from videoannotator.decode.opening import FORMATS, open_media
from videoannotator.decode.passes import DecodePass
from videoannotator.decode.probing import probe
from videoannotator.errors import MediaLimitError, RefusedMediaError, UnreadableMediaError
from videoannotator.testing.clips import truncate, write_clip


class _Listener:
    """Counts who calls."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.hits = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                self.hits += 1
                client.close()


@pytest.fixture
def listener() -> Iterator[_Listener]:
    served = _Listener()
    yield served
    served.socket.close()


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "hls behind blanks": "\n  #EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{url}</BaseURL></MPD>',
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["holiday.mp4", "list.m3u8", "a.mpd"])
def test_lists_of_other_files_are_refused_under_any_name(
    tmp_path: Path, listener: _Listener, kind: str, name: str
) -> None:
    write_clip(tmp_path / "other.mp4", frames=2)
    for url in (f"http://127.0.0.1:{listener.port}/a.ts", "other.mp4", str(tmp_path / "other.mp4")):
        (tmp_path / name).write_text(PLAYLISTS[kind].format(url=url))
        with pytest.raises(RefusedMediaError, match="would open other files"):
            open_media(tmp_path / name)
    assert listener.hits == 0


def test_formats_that_are_not_listed_are_refused_by_ffmpeg_too(tmp_path: Path) -> None:
    # a concat script with a comment first escapes the look at the first bytes
    (tmp_path / "list.mp4").write_text("# a comment\nffconcat version 1.0\nfile other.mp4\n")
    with pytest.raises((RefusedMediaError, UnreadableMediaError)):
        open_media(tmp_path / "list.mp4")


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtmp", "tcp", "ftp", "unknown"])
def test_addresses_are_refused_before_anything_is_opened(listener: _Listener, scheme: str) -> None:
    with pytest.raises(RefusedMediaError, match="address, not a file"):
        open_media(f"{scheme}://127.0.0.1:{listener.port}/video.mp4")
    assert listener.hits == 0


@pytest.mark.parametrize("address", ["concat:a.mp4|b.mp4", "pipe:0", "file:a.mp4", "subfile,,start,0,end,9,,:a.mp4"])
def test_protocols_of_ffmpeg_are_refused(address: str) -> None:
    with pytest.raises(RefusedMediaError, match="address, not a file"):
        open_media(address)


def test_a_path_object_of_an_address_is_refused() -> None:
    with pytest.raises(RefusedMediaError):
        open_media(Path("http://127.0.0.1/video.mp4"))


@pytest.mark.parametrize(
    "name", ["-i.mp4", "concat:a|b.mp4", "a %03d; $(x) 'q'.mp4", "12:30 Kind.mp4", "ünï \u202e.mp4"]
)
def test_odd_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_clip(tmp_path / "clip.mp4", frames=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    info = probe(name)
    assert info.video is not None
    assert len(info.video.clock) == 3
    assert info.path == os.path.join(os.getcwd(), name)


def _zero(path: Path) -> None:
    path.touch()


def _text(path: Path) -> None:
    path.write_text("Session 1, mother and child, 12 March.\n")


def _directory(path: Path) -> None:
    path.mkdir()


def _unfinished(path: Path) -> None:
    truncate(write_clip(path), 0.5)


def _noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 64)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_zero, "empty"),
        (_text, "text file"),
        (_directory, "directory"),
        (_unfinished, "truncated, or the recording was never finished"),
        (_noise, "not a media file"),
        (_pipe, "not a regular file"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_is_no_media_file_is_named(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(UnreadableMediaError, match=says) as caught:
        probe(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("size", [(640, 480), (176, 144), (1918, 1078)])
def test_pictures_above_the_limit_are_refused(tmp_path: Path, codec: str, size: tuple[int, int]) -> None:
    pixels = size[0] * size[1]
    path = write_clip(tmp_path / "clip.mp4", frames=1, size=size, codec=codec)
    with pytest.raises(MediaLimitError, match=f"= {pixels} pixels, more than the limit of {pixels - 1}") as caught:
        probe(path, max_pixels=pixels - 1)
    assert (caught.value.limit, caught.value.value, caught.value.allowed) == ("pixels", pixels, pixels - 1)
    info = probe(path, max_pixels=pixels)
    assert info == probe(path)
    with DecodePass(info, [Frames()], max_pixels=pixels) as decoding:
        assert len(list(decoding)) == 1


def test_pictures_far_above_the_limit_are_not_even_decoded_once(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=1, size=(1920, 1080), codec="mpeg4")
    with pytest.raises(MediaLimitError, match="above the limit") as caught:
        probe(path, max_pixels=1_000_000)
    assert caught.value.limit == "pixels"


def test_pixel_aspect_cannot_blow_pictures_up(tmp_path: Path) -> None:
    from fractions import Fraction

    path = write_clip(tmp_path / "wide.mkv", frames=1, size=(320, 240), sample_aspect_ratio=Fraction(10))
    with pytest.raises(RefusedMediaError, match="as shown have 3200 x 240"):
        probe(path, max_pixels=400_000)


def test_a_pass_refuses_too(tmp_path: Path) -> None:
    info = probe(write_clip(tmp_path / "clip.mp4", frames=1))
    with pytest.raises(RefusedMediaError):
        DecodePass(info, max_pixels=100)
    Path(info.path).unlink()
    with pytest.raises(UnreadableMediaError, match="no such file"):
        DecodePass(info)


def test_no_format_that_is_opened_opens_files_by_itself() -> None:
    """FFmpeg marks demuxers that open what they please (AVFMT_NOFILE: lists of pictures, devices, addresses)."""
    known = {}
    for name in FORMATS:
        with contextlib.suppress(ValueError):  # not in every build of FFmpeg
            known[name] = av.ContainerFormat(name, "r")
    assert len(known) > 40
    assert [name for name, form in known.items() if form.no_file] == []
    assert av.ContainerFormat("image2", "r").no_file
    lists = {"concat", "hls", "dash", "sdp", "rtsp", "image2", "ffmetadata", "vobsub", "imf", "lavfi", "applehttp"}
    assert lists & set(FORMATS) == set()
