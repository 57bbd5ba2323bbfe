"""Senders that deliver, and deliver again until they are answered."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from serving import Server, exchange, notification, request, signed_headers

KEY: Final = "the key of secure"
#: What a sender that repeats may get: the delivery is handled elsewhere, or the store
#: is away; 0 if the connection broke.
AGAIN: Final = {0, 409, 502, 503}


@dataclass
class Sent:
    """What the senders observed."""

    replies: dict[str, bytes] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def delivery(name: str, pause: float = 0) -> bytes:
    """Return a delivery as the platform sends it."""
    body = json.dumps(notification(delivery=name, pause=pause)).encode()
    return request("/secure", signed_headers(body, key=KEY), body)


@contextmanager
def senders(server: Server, sent: Sent, *, threads: int = 8) -> Iterator[None]:
    """Run senders in the background; each retries a delivery until it is answered."""
    stop = threading.Event()

    def send_all() -> None:
        while not stop.is_set():
            name = uuid.uuid4().hex
            request = delivery(name, pause=random.choice([0, 0.01, 0.1]))
            reply = _send_until_answered(server, request, sent)
            if reply is None:
                sent.wrong.append(name)
                continue
            sent.replies[name] = reply
            if random.random() < 0.1 and _send_until_answered(
                server, request, sent
            ) not in (reply, None):
                sent.wrong.append(f"{name} has two replies")

    running = [threading.Thread(target=send_all) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in running:
            thread.join()


def _send_until_answered(server: Server, request: bytes, sent: Sent) -> bytes | None:
    deadline = time.monotonic() + 50
    while time.monotonic() < deadline:
        status, body = 0, b""
        with suppress(OSError, socket.timeout):
            answer = exchange(server, [request], seconds=20)
            status, body = answer.status, answer.body
            # A worker that dies during an answer sends only a part.
            if status == 200 and not body.endswith(b"}"):
                status = 0
        sent.statuses[status] += 1
        if status == 200:
            return body
        if status not in AGAIN:
            sent.wrong.append(f"{status} {body!r}")
            return None
        time.sleep(random.uniform(0.02, 0.2))
    return None
