"""What runs inside the process that `videoannotator.decode.guarding` starts. It limits itself, then reads the files."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from videoannotator.decode.landlock import shut
from videoannotator.decode.limiting import limit_cpu_from_now, limit_this_process

if TYPE_CHECKING:
    from videoannotator.data.media import MediaInfo
    from videoannotator.decode.limits import MediaLimits

__all__ = ["answer"]

_HEAD = struct.Struct(">II")
_GRACE = 5
_ENOMEM = 12
_MEMORY = "reading it asks for more memory than is allowed; either it is very large, or a size in it is damaged."


def answer(question: Mapping[str, Any]) -> None:
    """Answer about each of the paths in ``question``, in order, on standard output. Never returns with an error."""
    guard = question["guard"]
    limit_this_process(**{name: guard[name] for name in ("memory", "file_size", "open_files")})
    from videoannotator.decode import probing  # noqa: F401 - within the limits, and before other files are shut out
    from videoannotator.decode.limits import MediaLimits

    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    limits = MediaLimits(**question["limits"])
    if guard["closed"]:
        shut([*question["places"], sys.prefix, sys.base_prefix], question["paths"])
    _send(output, {"ready": True})
    for path in question["paths"]:
        if hasattr(signal, "alarm"):  # for the day that nobody watches any more
            signal.alarm(int(guard["wall_seconds"]) + _GRACE)
        limit_cpu_from_now(guard["cpu_seconds"])
        _send(output, *_look(path, limits, question["decode_seconds"]))


def _send(output: Any, plain: Mapping[str, Any], rest: bytes = b"") -> None:
    text = json.dumps(plain).encode()
    output.write(_HEAD.pack(len(text), len(rest)) + text + rest)
    output.flush()


def _look(path: str, limits: MediaLimits, decode_seconds: float) -> tuple[dict[str, Any], bytes]:
    from videoannotator.decode.probing import probe
    from videoannotator.errors import MediaError

    try:
        media = probe(path, limits=limits)
        decoded = _decode(media, decode_seconds)
    except MediaError as error:
        if getattr(error.__cause__, "errno", None) == _ENOMEM:
            return _failed("MediaGuardError", _MEMORY, reason="memory"), b""
        more = {name: getattr(error, name) for name in ("limit", "value", "allowed", "reason") if hasattr(error, name)}
        return _failed(type(error).__name__, str(error).removeprefix(f"{error.path}: "), **more), b""
    except MemoryError:
        return _failed("MediaGuardError", _MEMORY, reason="memory"), b""
    except Exception as error:  # noqa: BLE001 - the border of this process: told to the one that asked
        message = f"reading it failed in a way that is not known: {type(error).__name__}: {error}"
        return _failed("MediaGuardError", message, reason="crash"), b""
    return _plain(media, decoded)


def _failed(kind: str, message: str, **more: Any) -> dict[str, Any]:
    return {"error": kind, "message": message, "more": more}


def _plain(media: MediaInfo, decoded: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    import attrs
    import numpy as np

    ticks = b""
    if media.video is not None:  # the times of a long film travel as they are, not as text
        ticks = media.video.clock.pts.tobytes()
        clock = attrs.evolve(media.video.clock, pts=np.zeros(0, np.int64))
        media = attrs.evolve(media, video=attrs.evolve(media.video, clock=clock))
    return {"media": _unstructured(media), **decoded}, ticks


def _unstructured(value: Any) -> dict[str, Any]:
    """As `videoannotator.data.convert` does it, whose library takes longer to load than all others here together."""
    import attrs
    import numpy as np

    def plain(_: Any, __: Any, inner: Any) -> Any:
        return str(inner) if isinstance(inner, Fraction) else inner.tolist() if isinstance(inner, np.ndarray) else inner

    return attrs.asdict(value, value_serializer=plain)


def _decode(media: MediaInfo, seconds: float) -> dict[str, Any]:
    from videoannotator.data.needs import Audio, Frames
    from videoannotator.data.time import TimeSpan
    from videoannotator.decode.passes import DecodePass

    if seconds <= 0:
        return {"decoded": 0, "heard": 0.0, "failures": []}
    pictures = [Frames()] if media.video is not None else []
    sound = [Audio()] if media.audio is not None else []
    with DecodePass(media, pictures, sound, TimeSpan(0.0, min(seconds, media.duration))) as decoding:
        for picture in decoding:
            picture.pixels(0)
        heard = max((track.span.duration for track in decoding.tracks.values()), default=0.0)
        return {
            "decoded": decoding.decoded,
            "heard": heard,
            "failures": [_unstructured(failure) for failure in decoding.failures],
        }
