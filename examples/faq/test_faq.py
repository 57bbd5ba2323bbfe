"""The FAQ bot, with a real service that answers, is slow, or is down."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from faq import QUESTION, create_app
from flask_clustaar.testing import ClustaarClient

SORRY = "I cannot look that up right now. Please try again in a minute."

ANSWERS = {
    "When do you open?": "At nine.",
    "Tell me everything": "word " * 1000,
}


class Service(ThreadingHTTPServer):
    """A service whose answers *respond* sends."""

    daemon_threads = True
    #: Set at the end, to stop waiting threads.
    over: threading.Event
    respond: Callable[[Responder], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/search"


class Responder(BaseHTTPRequestHandler):
    server: Service  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.server.respond(self)

    def log_message(self, format: str, *args: Any) -> None:
        """Do not log."""


def answer(responder: Responder) -> None:
    (question,) = parse_qs(urlsplit(responder.path).query)["q"]
    send(responder, json.dumps({"answer": ANSWERS.get(question)}))


def send(responder: Responder, text: str) -> None:
    responder.send_response(200)
    responder.send_header("Content-Length", str(len(text)))
    responder.end_headers()
    responder.wfile.write(text.encode())


def fail(responder: Responder) -> None:
    responder.send_error(503)


def be_slow(responder: Responder) -> None:
    responder.server.over.wait()


def trickle(responder: Responder) -> None:
    """Send single bytes slowly, so that no packet exceeds the timeout."""
    responder.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
    while not responder.server.over.wait(0.01):
        responder.wfile.write(b"x")


def close(responder: Responder) -> None:
    responder.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Service(("127.0.0.1", 0), Responder) as server:
        server.over = threading.Event()
        server.respond = answer
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def ask(url: str, question: str = "When do you open?", seconds: float = 5) -> Any:
    app = create_app(
        {
            "FAQ_URL": url,
            "FAQ_SECONDS": seconds,
            "CLUSTAAR_PRIVATE_KEY": "test-key",
        }
    )
    return ClustaarClient(app).at(QUESTION).say(question)


def test_answer(service: Service) -> None:
    """The bot sends the answer of the service."""
    assert ["At nine."] == ask(service.url).texts


def test_long_answer(service: Service) -> None:
    """An answer that is too long for the platform is truncated."""
    (text,) = ask(service.url, "Tell me everything").texts

    assert len(text) <= 1000
    assert text.endswith("word…")


def test_unknown_answer(service: Service) -> None:
    """If the service has no answer, the user can ask again."""
    reply = ask(service.url, "Why?")

    assert "I do not know that. Can you ask in other words?" in reply.texts[0]
    assert QUESTION == reply.actions[0].buttons[0].action.target.step_id


@pytest.mark.parametrize("respond", [be_slow, trickle])
def test_slow_service(
    service: Service,
    respond: Callable[[Responder], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The bot never waits longer than its timeout."""
    service.respond = respond

    with caplog.at_level(logging.WARNING):
        reply = ask(service.url, seconds=0.1)

    assert SORRY in reply.texts[0]
    assert "The FAQ service failed: TimeoutError" in caplog.text


@pytest.mark.parametrize("respond", [fail, close])
def test_broken_service(service: Service, respond: Callable[[Responder], None]) -> None:
    """The bot has an answer when the service breaks down."""
    service.respond = respond

    assert SORRY in ask(service.url).texts[0]


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", "{}"])
def test_odd_service(service: Service, text: str) -> None:
    """The bot has an answer when the service sends something unexpected."""
    service.respond = lambda responder: send(responder, text)

    assert SORRY in ask(service.url).texts[0]


def test_service_that_is_not_there(service: Service) -> None:
    """The bot has an answer when the service is down."""
    service.shutdown()
    service.server_close()

    assert SORRY in ask(service.url).texts[0]
