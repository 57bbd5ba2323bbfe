"""Read and check the body of a request: its size, type and encoding."""

from __future__ import annotations

import io
import re
from contextlib import suppress
from typing import IO, Any

from .errors import BodyIncomplete, BodyTooLarge, LengthRequired, UnsupportedContent

#: Content types that are treated as missing. clustaar.webhook's client sends no type.
_GENERIC = ("", "application/octet-stream", "text/plain")

_DIGITS = re.compile("[0-9]{1,18}").fullmatch


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """Read and return the body of a WSGI request.

    If the body is too large, up to *limit* more bytes are read and discarded. Otherwise
    some proxies, which cannot finish sending the body, would not forward the response.

    :param environ: the WSGI environment.
    :param limit: the maximum size of the body, in bytes.
    :raises BodyTooLarge: if the body is larger.
    :raises LengthRequired: if neither the request nor the server says where it ends.
    :raises BodyIncomplete: if it is shorter than announced, or ends within a chunk.
    """
    length = _length(environ)
    if length is not None and length > limit:
        if length <= 2 * limit:
            _discard(environ["wsgi.input"], length)
        raise BodyTooLarge
    if length is None and not environ.get("wsgi.input_terminated"):
        raise LengthRequired
    wanted = limit + 1 if length is None else length
    try:
        body = _read(environ["wsgi.input"], wanted)
    except Exception as error:  # Each server raises its own exceptions.
        raise BodyIncomplete from error
    if len(body) > limit:
        _discard(environ["wsgi.input"], limit)
        raise BodyTooLarge
    if length is not None and len(body) < length:
        raise BodyIncomplete
    return body


def _length(environ: dict[str, Any]) -> int | None:
    """Return the length of the body; None to read until it ends.

    A server that decodes chunks sets ``wsgi.input_terminated``; then the length of a
    chunked request is ignored. Other servers may get both headers: nginx sends uWSGI
    the length of the decoded body.
    """
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    digits = environ.get("CONTENT_LENGTH") or ""
    if chunked and environ.get("wsgi.input_terminated"):
        return None
    if _DIGITS(digits):
        return int(digits)
    # Only in HTTP/1 does a request without both headers have no body.
    first = environ.get("SERVER_PROTOCOL", "HTTP/1.1").startswith("HTTP/1")
    return 0 if first and not chunked else None


def _read(stream: IO[bytes], wanted: int) -> bytes:
    """Read *wanted* bytes, or fewer at the end; one read may return only a part."""
    body = _part(stream, wanted)
    while len(body) < wanted:
        more = _part(stream, wanted - len(body))
        if not more:
            break
        body += more
    return body


def _part(stream: IO[bytes], size: int) -> bytes:
    """Read up to *size* bytes.

    The decoder of chunks in Werkzeug's development server shrinks the buffer when the
    connection ends within a chunk. ``RawIOBase.read`` would then read memory beyond
    the buffer, which can end the process.
    """
    if not isinstance(stream, io.RawIOBase):
        return stream.read(size)
    buffer = bytearray(size)
    count = stream.readinto(buffer) or 0
    if count > len(buffer):
        raise EOFError("The connection ended within a chunk.")
    return bytes(buffer[:count])


def _discard(stream: IO[bytes], amount: int) -> None:
    """Read and discard up to *amount* bytes."""
    with suppress(Exception):  # Each server raises its own exceptions.
        while amount > 0 and (data := _part(stream, min(amount, 65_536))):
            amount -= len(data)


def check_content(environ: dict[str, Any]) -> None:
    """Check that the headers allow JSON, and that the body is not compressed.

    :raises UnsupportedContent: if the type is not JSON, or the body is compressed.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedContent("Send the body without compression.")
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if mimetype != "application/json" and not mimetype.endswith("+json"):
        if mimetype not in _GENERIC:
            raise UnsupportedContent
