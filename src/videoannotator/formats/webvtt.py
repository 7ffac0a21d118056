"""WebVTT: what is said, for players and people."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from videoannotator.data.result import Result
from videoannotator.data.rows import Shot, SpeechRegion, Utterance, Word
from videoannotator.data.table import Table
from videoannotator.errors import DataError, FormatError
from videoannotator.formats.classes import class_path
from videoannotator.formats.cues import milliseconds
from videoannotator.formats.files import dumps, file_names, new_file, read_text
from videoannotator.formats.record import Record, foreign_result

if TYPE_CHECKING:
    import webvtt

__all__ = ["WebVtt"]

_CLASSES: tuple[type[Any], ...] = (Utterance, Word, SpeechRegion, Shot)
_MARK = "videoannotator "  # begins the note that holds our record
_TAG = re.compile(r"<([^>]*)>")
_VOICE = re.compile(r"v(?:\.[^\s]*)?[ \t\n\f\r]+(.*)", re.DOTALL)
_OWN_IDENTIFIER = re.compile(r"(\d+)((?: [a-z_]+=[^ ]*)*)")
_SPACE = " \t\n\f\r"
_TEXTS = ("language", "suspected")  # of a row with text, in the identifier of its cue
_NUMBERS = ("score", "speaker_score")


class WebVtt:
    """Web Video Text Tracks (https://www.w3.org/TR/webvtt1/), written and parsed with webvtt-py.

    One file ``{stem}_{pipeline}.vtt`` for each table of `Utterance`, `Word`, `SpeechRegion` or `Shot` rows, one cue
    for each row, in the order of their starts. Speech is ``<v Speaker>text``, a region is ``speech``, a shot is
    ``Shot 3``, or ``Shot 3: kitchen`` with a label (usable as chapters). The cue identifier has the row's number and
    what a player does not show: ``3 language=en score=0.91``, and of an utterance why it may be invented. The last
    block is a note for our reader: media, coverage, failures, provenance.

    What it cannot hold: times finer than a millisecond (a cue is never shorter than one); the words of an
    utterance with their times, scores and speakers (their text is there), and the figures of the model that heard
    it (``avg_logprob``, ``no_speech_prob``, ``compression_ratio``, ``temperature``); the picture stream's clock; the
    character U+0000, which WebVTT replaces by U+FFFD; rows of any other class.
    """

    def write(self, result: Result, folder: Path, *, stem: str) -> list[Path]:
        """Write one file for each table of speech or shots, also when it has no rows; see `Format.write`."""
        import webvtt
        from webvtt.errors import MalformedCaptionError

        written = []
        for name, pipeline, output, table in file_names(result, stem, ".vtt", _holds):
            kind = _kind(table)
            what = f"{pipeline}.{output} of {result.provenance.media_name}, written by videoannotator"
            record = dumps(Record.of_table(result, pipeline, output, kind, clock=False)).replace(">", "\\u003e")
            cues = sorted((milliseconds(row), number, row) for number, row in enumerate(table, 1))
            try:
                text = webvtt.WebVTT(
                    captions=[_cue(kind, span, number, row) for span, number, row in cues],
                    header_comments=[re.sub(r"[\r\n]+|--+>", " ", what)],
                    footer_comments=[_MARK + record],
                ).content
            except (ValueError, MalformedCaptionError) as error:
                raise FormatError(f"{name} could not be written: {error}") from error
            with new_file(folder / name) as file:
                file.write(f"{text}\n".encode())
            written.append(folder / name)
        return written

    def read(self, path: Path) -> Result:
        """The rows of a file of ours, in their order; `Utterance` rows (output ``utterances``) of anybody else's.

        A cue of somebody else's file with several voices gives an utterance for each. Raises `FormatError` when the
        file is no WebVTT, or a cue is malformed or has no duration.
        """
        import webvtt
        from webvtt.errors import MalformedCaptionError, MalformedFileError

        text = read_text(path)
        try:
            parsed = webvtt.from_string(text, strict=True)
        except (MalformedFileError, MalformedCaptionError) as error:
            raise FormatError(f"{path} is not WebVTT: {error}") from error
        note = next((c for c in reversed(parsed.footer_comments) if c.startswith(_MARK)), None)
        try:
            if note is None:
                rows = [row for cue in parsed.captions for row in _foreign_rows(cue)]
                return foreign_result(
                    path, "WebVTT", "webvtt", "utterances", Table.from_rows(Utterance, rows), media=None
                )
            record = Record.from_plain(json.loads(note[len(_MARK) :]), path)
            pipeline, output, entry = record.only_table(path)
            kind = next((k for k in _CLASSES if class_path(k) == entry.row), None)
            if kind is None:
                raise FormatError(f"{path} is damaged: WebVTT does not hold {entry.row}")
            numbered = dict(_own_row(kind, cue) for cue in parsed.captions)
            table = Table.from_rows(kind, [numbered[number] for number in sorted(numbered)])
        except (DataError, ValueError) as error:
            raise FormatError(f"{path} is damaged: {error}") from error
        return record.result({(pipeline, output): table}, path)


def _holds(table: Table[Any]) -> bool:
    return issubclass(table.row_class, _CLASSES)


def _kind(table: Table[Any]) -> type[Any]:
    return next(k for k in _CLASSES if issubclass(table.row_class, k))


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def _cue(kind: type[Any], span: tuple[int, int], number: int, row: Any) -> webvtt.Caption:
    import webvtt

    more: dict[str, Any] = {}
    if kind is Shot:
        text = f"Shot {number}" + (f": {_escaped(row.label)}" if row.label else "")
        more = {"frames": f"{row.start_frame}-{row.end_frame}", "label": row.label}
    elif kind is SpeechRegion:
        text = "speech"
    else:
        text = _escaped(row.text)
        if row.speaker:
            text = f"<v {_escaped_voice(row.speaker)}>{text}"
        more = {"speaker": None if row.speaker else row.speaker} | {n: getattr(row, n, None) for n in _TEXTS}
    more |= {n: None if (value := getattr(row, n, None)) is None else repr(value) for n in _NUMBERS}
    said = [f"{key}={quote(value, safe='')}" for key, value in more.items() if value is not None]
    return webvtt.Caption(
        _clock(span[0]), _clock(span[1]), text.split("\n") if text else [], " ".join([str(number), *said])
    )


def _escaped(text: str) -> str:
    """Cue text: ``& < >`` and whatever would end the cue or be lost as character references."""
    text = html.escape(text.replace("\0", "\ufffd"), quote=False).replace("\r", "&#13;")
    return text if all(text.split("\n")) else text.replace("\n", "&#10;")


def _escaped_voice(name: str) -> str:
    name = _escaped(name).replace("\n", "&#10;")
    inner = name.strip(_SPACE)
    before, after = name[: len(name) - len(name.lstrip(_SPACE))], name[len(name.rstrip(_SPACE)) :] if inner else ""
    return "".join(f"&#{ord(c)};" for c in before) + inner + "".join(f"&#{ord(c)};" for c in after)


def _voices(cue: webvtt.Caption) -> Iterator[tuple[str | None, str]]:
    """The text of a cue by voice, without tags; None where no voice is named."""
    voice: str | None = None
    place, raw = 0, cue.raw_text
    said = ""
    for tag in _TAG.finditer(raw):
        said += raw[place : tag.start()]
        place = tag.end()
        named = _VOICE.fullmatch(tag[1])
        if named or tag[1] == "/v":
            if said.strip() or (not named and said):
                yield voice, html.unescape(said)
            said = ""
            voice = html.unescape(named[1].strip(_SPACE)) if named else None
    said += raw[place:]
    if said.strip() or voice is not None:
        yield voice, html.unescape(said)


def _foreign_rows(cue: webvtt.Caption) -> list[Utterance]:
    start, end = _seconds(cue)
    voices = [(voice, text) for voice, text in _voices(cue) if text.strip()]
    if len({voice for voice, _ in voices}) <= 1:
        voices = [(voices[0][0] if voices else None, "".join(text for _, text in voices))]
    return [Utterance(start=start, end=end, text=text.strip(), speaker=voice) for voice, text in voices]


def _seconds(cue: webvtt.Caption) -> tuple[float, float]:
    return cue.start_time.in_milliseconds() / 1000, cue.end_time.in_milliseconds() / 1000


def _own_row(kind: type[Any], cue: webvtt.Caption) -> tuple[int, Any]:
    """The number in its table and the row of a cue that we wrote."""
    named = _OWN_IDENTIFIER.fullmatch(cue.identifier or "")
    if named is None:
        raise FormatError(f"the cue at {cue.start} has not the identifier it was written with: {cue.identifier!r}")
    said = {key: unquote(value) for key, _, value in (pair.partition("=") for pair in named[2].split())}
    start, end = _seconds(cue)
    row: dict[str, Any] = {"start": start, "end": end, **{n: float(said[n]) for n in _NUMBERS if n in said}}
    if kind is Shot:
        row |= _frames(said) | {"label": said.get("label")}
    elif kind is not SpeechRegion:
        raw = cue.raw_text
        voice = _VOICE.fullmatch(raw[1 : raw.find(">")]) if raw.startswith("<v") else None
        row["speaker"] = html.unescape(voice[1].strip(_SPACE)) if voice else said.get("speaker")
        row["text"] = html.unescape(raw[raw.find(">") + 1 :] if voice else raw)
        row |= {n: said[n] for n in _TEXTS if n in said}
    return int(named[1]), kind(**row)


def _frames(said: Mapping[str, str]) -> dict[str, int]:
    first, _, last = said.get("frames", "").partition("-")
    return {"start_frame": int(first), "end_frame": int(last)}
