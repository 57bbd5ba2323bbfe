"""The body of a request: its end, size and type."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from flask import Flask
from werkzeug.serving import DechunkedInput

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.body import check_content, read_body
from flask_clustaar.errors import (
    BodyIncomplete,
    BodyTooLarge,
    LengthRequired,
    UnsupportedContent,
)

CHUNKED = {"HTTP_TRANSFER_ENCODING": "chunked"}
DECODED = {"wsgi.input_terminated": True}


def read(body: bytes, **environ: Any) -> bytes:
    return read_body({"wsgi.input": io.BytesIO(body), **environ}, 100)


# Where it ends


def test_length_is_announced() -> None:
    """The body ends where Content-Length says."""
    assert b"{}" == read(b"{}more", CONTENT_LENGTH="2")


def test_chunks_are_decoded() -> None:
    """A server that decodes chunks knows the end; the length is ignored."""
    assert b"{ }" == read(b"{ }", **CHUNKED, **DECODED)
    assert b"{ }" == read(b"{ }", **CHUNKED, **DECODED, CONTENT_LENGTH="1")


def chunks(body: bytes) -> dict[str, Any]:
    """Return the environment of a chunked request to Werkzeug's server."""
    return {"wsgi.input": DechunkedInput(io.BytesIO(body)), **CHUNKED, **DECODED}


def test_chunks_of_werkzeug() -> None:
    """Its development server decodes chunks."""
    assert b"{ }" == read_body(chunks(b"2\r\n{ \r\n1\r\n}\r\n0\r\n\r\n"), 100)


@pytest.mark.parametrize("size", [b"3", b"ff", b"ffffff", b"f" * 40])
def test_connection_ends_within_a_chunk(size: bytes) -> None:
    """A partial chunk is not a body, whatever its announced size."""
    with pytest.raises(BodyIncomplete):
        read_body(chunks(size + b"\r\n{}"), 2**20)


def test_length_of_decoded_chunks() -> None:
    """nginx decodes chunks, and passes the length to the server."""
    assert b"{}" == read(b"{}", **CHUNKED, CONTENT_LENGTH="2")


def test_no_body() -> None:
    """In HTTP/1 a request with neither header has no body."""
    assert b"" == read(b"more", SERVER_PROTOCOL="HTTP/1.1")
    assert b"" == read(b"more", CONTENT_LENGTH="")


@pytest.mark.parametrize(
    "environ",
    [
        CHUNKED,
        {"SERVER_PROTOCOL": "HTTP/2"},
        {**CHUNKED, "CONTENT_LENGTH": "two"},
        {**CHUNKED, "CONTENT_LENGTH": "-2"},
    ],
)
def test_end_is_not_announced(environ: dict[str, str]) -> None:
    """A body is not taken as empty because the server does not say where it ends."""
    with pytest.raises(LengthRequired, match="'wsgi.input_terminated'"):
        read(b"{}", **environ)


def test_ends_too_early() -> None:
    """A body shorter than its announced length is incomplete."""
    with pytest.raises(BodyIncomplete):
        read(b"{", CONTENT_LENGTH="2")


@pytest.mark.parametrize("environ", [{"CONTENT_LENGTH": "101"}, {**CHUNKED, **DECODED}])
def test_too_large(environ: dict[str, Any]) -> None:
    """The limit applies to announced lengths and to chunks."""
    with pytest.raises(BodyTooLarge):
        read(b"x" * 101, **environ)


@pytest.mark.parametrize(
    ("size", "environ", "left"),
    [
        (200, {"CONTENT_LENGTH": "200"}, 0),
        (201, {"CONTENT_LENGTH": "201"}, 201),
        (200, {**CHUNKED, **DECODED}, 0),
        (1000, {**CHUNKED, **DECODED}, 799),
    ],
)
def test_rest_of_a_large_body(size: int, environ: dict[str, Any], left: int) -> None:
    """A body up to twice the limit is read to its end, so that a proxy in between
    passes on the answer; no more than that is read."""
    stream = io.BytesIO(b"x" * size)
    with pytest.raises(BodyTooLarge):
        read_body({"wsgi.input": stream, **environ}, 100)
    assert left == size - stream.tell()


def test_rest_of_a_large_body_breaks_off() -> None:
    """A truncated body that is too large is reported as too large."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError

    with pytest.raises(BodyTooLarge):
        read_body({"wsgi.input": Broken(), "CONTENT_LENGTH": "101"}, 100)


# What it may be


@pytest.mark.parametrize(
    "type", ["application/json", "Application/LD+JSON; charset=utf-8", "", "text/plain"]
)
def test_content_types(type: str) -> None:
    """JSON and generic types are accepted."""
    check_content({"CONTENT_TYPE": type})


@pytest.mark.parametrize(
    "environ", [{"CONTENT_TYPE": "text/html"}, {"HTTP_CONTENT_ENCODING": "gzip"}]
)
def test_other_content(environ: dict[str, str]) -> None:
    """Other types are rejected, and compressed bodies."""
    with pytest.raises(UnsupportedContent):
        check_content(environ)


# With a server that does not decode chunks


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(name="port")
def _port() -> Iterator[int]:
    """A bot on the WSGI server of the standard library."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="a key", request_max_age=None)
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda notification: "Hello")
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_chunks_on_a_server_that_does_not_decode_them(port: int) -> None:
    """The problem names the cause and the remedy, and not the private key."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.putrequest("POST", "/clustaar")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    response = connection.getresponse()
    problem = json.loads(response.read())
    connection.close()

    assert (411, "length_required") == (response.status, problem["code"])
    assert "Send 'Content-Length'" in problem["detail"]
