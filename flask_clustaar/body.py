"""The body of a request: its size, its type, its bytes."""

from __future__ import annotations

from typing import IO, Any

from werkzeug.wsgi import get_content_length

from .errors import BodyIncomplete, BodyTooLarge, UnsupportedContent

#: What a body may be besides JSON: nothing in particular. The predecessor's own client
#: sends no type at all.
_GENERIC = ("", "application/octet-stream", "text/plain")


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """Read the body of a WSGI request, and never more than *limit* bytes and one.

    :param environ: the WSGI environment.
    :param limit: how many bytes the body may have, announced or chunked.
    :raises BodyTooLarge: when it has more.
    :raises BodyIncomplete: when it ends before its announced length, or in a chunk.
    """
    length = get_content_length(environ)
    if length is not None and length > limit:
        raise BodyTooLarge
    if length is None and not environ.get("wsgi.input_terminated"):
        return b""  # Without a length, and nobody who knows where it ends.
    wanted = limit + 1 if length is None else length
    try:
        body = _read(environ["wsgi.input"], wanted)
    except Exception as error:  # Each server has its own for what breaks off.
        raise BodyIncomplete from error
    if len(body) > limit:
        raise BodyTooLarge
    if length is not None and len(body) < length:
        raise BodyIncomplete
    return body


def _read(stream: IO[bytes], wanted: int) -> bytes:
    """Read *wanted* bytes, or all there are; a stream may give less at a time."""
    body = stream.read(wanted)
    while len(body) < wanted:
        more = stream.read(wanted - len(body))
        if not more:
            break
        body += more
    return body


def check_content(environ: dict[str, Any]) -> None:
    """Check that the body is JSON by its headers, or may be, and not compressed.

    :raises UnsupportedContent: when it is something else.
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedContent("Send the body as it is, not compressed.")
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if mimetype != "application/json" and not mimetype.endswith("+json"):
        if mimetype not in _GENERIC:
            raise UnsupportedContent
