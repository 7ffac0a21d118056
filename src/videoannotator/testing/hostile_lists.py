"""Files that are no media but lists of them: each asks FFmpeg to open something else. All are named like videos."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

__all__ = ["box", "boxes", "changed", "lists", "referring"]


def lists(near: str, far: str, address: str) -> Iterator[tuple[str, bytes]]:
    """Kinds of lists and what is in them.

    They ask to open ``near``, a path relative to them, ``far``, the same as a whole path, or ``address``, a server's.
    """
    for what, target in (("near", near), ("far", far), ("address", address)):
        for kind, text in _TEXTS.items():
            yield f"{kind} {what}", text.format(target=target).encode()
        yield f"reference movie {what}", _reference_movie(target)
        yield f"subtitle of an AVI {what}", _avi_with_subtitle(_TEXTS["hls"].format(target=target).encode())
    for kind, text in _OTHERS.items():
        yield kind, text.encode()
    yield "utf-16 hls", _TEXTS["hls"].format(target=near).encode("utf-16")
    yield "hls behind a mark", b"\xef\xbb\xbf" + _TEXTS["hls"].format(target=near).encode()
    yield "concat behind much", b"#" * 5000 + b"\n" + _TEXTS["concat"].format(target=near).encode()


_TEXTS = {
    "concat": "ffconcat version 1.0\nfile '{target}'\nduration 1\n",
    "concat without a head": "file '{target}'\nfile '{target}'\n",
    "concat behind a comment": "# holiday\nffconcat version 1.0\nfile '{target}'\n",
    "concat option": "ffconcat version 1.0\nfile '{target}'\noption safe 0\noption protocol_whitelist file,http,tcp\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "hls behind blanks": "\n \t#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n",
    "hls key": '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:9,\n{target}\n',
    "hls map": '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MAP:URI="{target}"\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n',
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    "hls concat": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nconcat:{target}|{target}\n#EXT-X-ENDLIST\n",
    "hls subfile": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsubfile,,start,0,end,9,,:{target}\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "dash without a head": '<MPD type="static"><Period><AdaptationSet><Representation><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>",
    "imf": '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><AssetList><Asset>'
    "<ChunkList><Chunk><Path>{target}</Path></Chunk></ChunkList></Asset></AssetList></AssetMap>",
    "smil": '<smil><body><video src="{target}"/></body></smil>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{target}"/></svg>',
    "xxe": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{target}">]><MPD>&b;</MPD>',
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "asf reference": "[Reference]\r\nRef1={target}\r\nRef2={target}\r\n",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "ram": "{target}\n",
    "rtsp text": "RTSPtextRTSP://{target}\n",
    "quicktime link": '<?xml version="1.0"?><?quicktime type="application/x-quicktime-media-link"?>'
    '<embed src="{target}"/>',
    "ffmetadata": ";FFMETADATA1\ntitle={target}\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=9\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\ntimestamp: 00:00:00:000, "
    "filepos: 000000000\n# {target}\n",
    "avisynth": 'AviSource("{target}")\n',
    "lavfi": "movie={target}\n",
    "unwind": "ffconcat version 1.0\nstream\nexact_stream_id 1\nfile {target}\ninpoint -9999999999\n",
    "itself": "ffconcat version 1.0\nfile list.mp4\n",
}
_OTHERS = {
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\n",
    "sdp sap": "v=0\no=- 0 0 IN IP4 224.2.2.2\nc=IN IP4 224.2.2.2/1\nm=audio 5004 RTP/AVP 0\n",
}


def box(kind: bytes, payload: bytes) -> bytes:
    """A box of MP4 and MOV: size, name, content."""
    return struct.pack(">I", len(payload) + 8) + kind + payload


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in ``data``, one after the other: name and content."""
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        yield kind, data[place + 8 : place + size]
        place += max(8, size)


def changed(data: bytes, path: str, change: Callable[[bytes], bytes]) -> bytes:
    """``data`` with the content of each box at ``path`` (``moov/trak/mdia``) changed, and all sizes around it fitting.

    Offsets stay right where the ``moov`` box comes last, as FFmpeg writes it.
    """
    first, _, rest = path.partition("/")
    parts = []
    for kind, payload in boxes(data):
        inside = payload
        if kind == first.encode():
            inside = changed(payload, rest, change) if rest else change(payload)
        parts.append(box(kind, inside))
    return b"".join(parts)


def referring(movie: bytes, file: str) -> bytes:
    """``movie`` (MOV), saying that its samples are in ``file``: a path of a folder and a name, beside it."""
    path = (":" + file.replace("/", ":")).encode()
    path += b"\0" * (len(path) % 2)
    entry = bytes(4) + bytes(10) + bytes([0]) + bytes(27) + bytes(12) + bytes([0]) + bytes(63) + bytes(16)
    entry += struct.pack(">HH", 1, len(file.split("/"))) + bytes(16)
    entry += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0) + bytes(64)
    return changed(movie, "moov/trak/mdia/minf/dinf/dref", lambda _: struct.pack(">II", 0, 1) + box(b"alis", entry))


def _reference_movie(target: str) -> bytes:
    """A QuickTime reference movie: nothing in it but where the movie is."""
    place = target.encode() + b"\0"
    reference = box(b"rdrf", struct.pack(">I4sI", 0, b"url ", len(place)) + place)
    return box(b"ftyp", b"qt  " + bytes(4) + b"qt  ") + box(b"moov", box(b"rmra", box(b"rmda", reference)))


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _avi_with_subtitle(script: bytes) -> bytes:
    """An AVI whose subtitle ("GAB2") is a list of files: FFmpeg looks for the format of what is inside once more."""
    title = b"GAB2\0" + struct.pack("<HIH", 2, 2, 0) + b"\0\0" + struct.pack("<HI", 4, len(script)) + script
    header = _chunk(b"avih", struct.pack("<14I", 40000, 0, 0, 0x10, 1, 0, 1, 0, 16, 16, 0, 0, 0, 0))
    about = b"txts" + bytes(4) + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, 25, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    stream = _chunk(b"LIST", b"strl" + _chunk(b"strh", about) + _chunk(b"strf", b""))
    body = _chunk(b"LIST", b"hdrl" + header + stream) + _chunk(b"LIST", b"movi" + _chunk(b"00tx", title))
    return _chunk(b"RIFF", b"AVI " + body)
