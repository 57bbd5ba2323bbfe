"""The subjects of the benchmarks: applications, with deliveries that get 200."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from flask import Flask

from .payloads import Payload, Template

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
#: Returns the headers of a body, as keys of a WSGI environment.
Signer = Callable[[bytes], Mapping[str, str]]

Kind = Literal["bare", "floor", "ours", "part", "field"]


class Subject(NamedTuple):
    """Something to measure, independent of the notification."""

    name: str
    #: A description of what it does with a delivery.
    does: str
    kind: Kind
    build: Callable[[Payload], Contender]
    #: The distribution that it requires, if any.
    needs: str | None = None


class Contender(NamedTuple):
    """A subject with its deliveries."""

    app: App
    template: Template
    sign: Signer
    path: str = "/clustaar"

    def deliver(self, number: int) -> Environ:
        """Return the WSGI environment of a delivery that was never sent before.

        It is signed now, and valid for ten seconds.
        """
        body = self.template.body(number)
        return environ_of(body, self.sign(body), self.path)

    def serve(self, environs: Iterator[Environ]) -> list[str]:
        """Answer deliveries like a WSGI server; return the statuses.

        Each delivery is freed after its answer. Otherwise it would need new memory, as
        in no server.
        """
        statuses: list[str] = []

        def start_response(status: str, *_: Any) -> None:
            statuses.append(status)

        for environ in environs:
            answer = self.app(environ, start_response)
            b"".join(answer)
            if close := getattr(answer, "close", None):
                close()
        return statuses

    def deliver_many(self, numbers: Iterable[int]) -> Iterator[Environ]:
        """Create all deliveries now; yield and free them one by one."""
        made = deque(self.deliver(number) for number in numbers)
        return (made.popleft() for _ in range(len(made)))

    def answer(self, environ: Environ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Answer one delivery; return status, headers and body."""
        head: list[Any] = []
        body = b"".join(self.app(environ, lambda *given: head.extend(given)))
        return head[0], head[1], body


def environ_of(
    body: bytes, headers: Mapping[str, str], path: str = "/clustaar"
) -> Environ:
    """Return the WSGI environment of a request."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "bot.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "bot.example.com",
        "HTTP_ACCEPT": "*/*",
        "HTTP_ACCEPT_ENCODING": "gzip, deflate",
        "HTTP_CONNECTION": "keep-alive",
        "HTTP_USER_AGENT": "Clustaar",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **headers,
    }


def new_app() -> Flask:
    """Return an application with the same settings for all subjects."""
    return Flask("benchmarks", static_folder=None)
