"""The form of old clients, read as a stream: the file goes to the disk as it comes, never into memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import Message

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from videoannotator.serve.errors import RequestError, TooLargeError
from videoannotator.serve.receiving import Part, plain_title

__all__ = ["Form", "boundary_of"]

_MOST_FIELDS = 50
_MOST_TEXT = 1 << 20


def boundary_of(content_type: str) -> bytes:
    """What separates the parts of a form. Raises `RequestError` where the header does not say."""
    said = Message()
    said["Content-Type"] = content_type
    boundary = said.get_param("boundary")
    if said.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
        raise RequestError("the body is no form: its Content-Type names no boundary", code="INVALID_FORM")
    if not re.fullmatch(r"[ -~]{1,200}", boundary):
        raise RequestError("the boundary of the form is no text", code="INVALID_FORM")
    return boundary.encode("ascii")


class Form:
    """A form while it arrives. ``fields``: texts by name. ``name``: of the file that went to ``part``.

    ``file_field``: the only field whose content goes to the disk.
    """

    def __init__(self, boundary: bytes, file_field: str, part: Callable[[], Part]) -> None:
        self.fields: dict[str, str] = {}
        self.part: Part | None = None
        self.name: str | None = None
        self._file_field = file_field
        self._make = part
        self._header = b""
        self._said: Message = Message()
        self._field = ""
        self._text = bytearray()
        self._sink: Callable[[bytes], object] | None = None
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_done,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._all,
            },
        )
        self._value = b""

    def write(self, data: bytes) -> None:
        """More of the body. Raises `RequestError` for what is no form, `TooLargeError`, and what `Part` raises."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise RequestError(f"the form cannot be read: {error}", code="INVALID_FORM") from error

    def finish(self) -> None:
        """The body has ended. Raises `RequestError` when the form has not."""
        if not self._ended:
            raise RequestError("the form breaks off in the middle", code="INVALID_FORM", hint="send it again")

    def discard(self) -> None:
        """Leave nothing on the disk."""
        if self.part is not None:
            self.part.discard()

    def _begin(self) -> None:
        self._header, self._value, self._said = b"", b"", Message()
        self._text.clear()
        self._sink = None
        if len(self.fields) >= _MOST_FIELDS:
            raise TooLargeError(f"the form has more than {_MOST_FIELDS} fields")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._said[self._header.decode("latin-1")] = self._value.decode("utf-8", "replace")
        self._header, self._value = b"", b""

    def _headers_done(self) -> None:
        field = self._said.get_param("name", header="Content-Disposition")
        filename = self._said.get_filename()
        self._field = field if isinstance(field, str) else ""
        if self._field != self._file_field:
            return
        if self.part is not None:
            raise RequestError(f"the form has more than one {self._file_field!r}", code="INVALID_FORM")
        if filename is None:
            raise RequestError(f"{self._file_field!r} must be a file", code="INVALID_FORM")
        self.part = self._make()
        self.name = plain_title(filename)
        self._sink = self.part.write

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._sink is not None:
            self._sink(piece)
            return
        self._text += piece
        if len(self._text) > _MOST_TEXT:
            raise TooLargeError(f"the field {self._field[:50]!r} has more than {_MOST_TEXT:,} bytes")

    def _end(self) -> None:
        if self._sink is None and self._field:
            try:
                self.fields[self._field] = self._text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise RequestError(f"the field {self._field[:50]!r} is not UTF-8", code="INVALID_FORM") from error

    def _all(self) -> None:
        self._ended = True
