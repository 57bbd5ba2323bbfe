"""The body of a request: its size, its type, its bytes."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import IO, Any

from .errors import BodyIncomplete, BodyTooLarge, LengthRequired, UnsupportedContent

#: Content types that say nothing. The predecessor's own client sends no type at all.
_GENERIC = ("", "application/octet-stream", "text/plain")

_DIGITS = re.compile("[0-9]{1,18}").fullmatch


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """Read the body of a WSGI request, at most *limit* bytes and one.

    Of a body that is too large, as much again may be read and forgotten: a proxy that
    cannot send a body to its end does not pass on the answer.

    :param environ: the WSGI environment.
    :param limit: the maximum length of the body in bytes, announced or chunked.
    :raises BodyTooLarge: when the body is longer.
    :raises LengthRequired: when neither the request nor the server says where it ends.
    :raises BodyIncomplete: when it ends before its announced length, or in a chunk.
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
    except Exception as error:  # Each server has its own for what breaks off.
        raise BodyIncomplete from error
    if len(body) > limit:
        _discard(environ["wsgi.input"], limit)
        raise BodyTooLarge
    if length is not None and len(body) < length:
        raise BodyIncomplete
    return body


def _length(environ: dict[str, Any]) -> int | None:
    """Return the length of the body; None if it has to be read to its end.

    A server that decodes chunks says so with ``wsgi.input_terminated``, and the length
    of a chunked request means nothing. A server that does not say so may still have
    been given both: nginx sends the length of what it has decoded to uWSGI.
    """
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    digits = environ.get("CONTENT_LENGTH") or ""
    if chunked and environ.get("wsgi.input_terminated"):
        return None
    if _DIGITS(digits):
        return int(digits)
    # Only HTTP/1 says that a request without these two headers has no body.
    first = environ.get("SERVER_PROTOCOL", "HTTP/1.1").startswith("HTTP/1")
    return 0 if first and not chunked else None


def _read(stream: IO[bytes], wanted: int) -> bytes:
    """Read *wanted* bytes, or all there are; a stream may give less at a time."""
    body = stream.read(wanted)
    while len(body) < wanted:
        more = stream.read(wanted - len(body))
        if not more:
            break
        body += more
    return body


def _discard(stream: IO[bytes], amount: int) -> None:
    """Read up to *amount* bytes and forget them."""
    with suppress(Exception):  # Each server has its own for what breaks off.
        while amount > 0 and (data := stream.read(min(amount, 65_536))):
            amount -= len(data)


def check_content(environ: dict[str, Any]) -> None:
    """Check that the headers allow JSON, and that the body is not compressed.

    :raises UnsupportedContent: when they say something else.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedContent("Send the body without compression.")
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if mimetype != "application/json" and not mimetype.endswith("+json"):
        if mimetype not in _GENERIC:
            raise UnsupportedContent
