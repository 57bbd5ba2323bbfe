"""Collect data about a request while it is answered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from ..errors import HandlerLate
from ..extension import ClustaarWebhook
from ..models import Notification
from ..routing import Call, Handler
from ..wire import JSON

#: The maximum size of a stored body, in bytes.
MOST_BYTES: Final = 256 * 1024

#: WSGI key of the :class:`Origin` of a request that the inspector sent.
SOURCE: Final = "flask_clustaar.inspector.source"


@dataclass
class Origin:
    """The origin of a request that the inspector sent. It is recorded at once."""

    label: str
    #: The id of the recorded delivery; 0 before it is recorded.
    id: int = 0


class Body:
    """A stream that keeps a copy of the bytes that are read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._hash = hashlib.sha256()
        self.size: int = 0

    def read(self, *arguments: int) -> bytes:
        """Read as from the stream."""
        return self._keep(self._stream.read(*arguments))

    def readline(self, *arguments: int) -> bytes:
        """Read a line as from the stream."""
        return self._keep(self._stream.readline(*arguments))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _keep(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        self._hash.update(chunk)
        self._kept += chunk[: max(0, MOST_BYTES + 1 - len(self._kept))]
        return chunk

    @property
    def content(self) -> bytes | None:
        """The bytes that were read; None if there are too many to store."""
        return bytes(self._kept) if self.size <= MOST_BYTES else None

    @property
    def sha256(self) -> str:
        """The SHA-256 digest of all bytes that were read, in hexadecimal."""
        return self._hash.hexdigest()


@dataclass
class Run:
    """One call of a handler."""

    handler: Handler
    #: The duration, in seconds.
    duration: float = 0.0
    #: Contains the return value.
    call: Call = field(default_factory=Call)
    #: Whether the handler returned, and did not raise.
    has_returned: bool = False


@dataclass
class Trace:
    """What is known about a request while it is answered.

    Times are readings of a monotonic clock, in seconds.
    """

    environ: JSON
    body: Body
    at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.perf_counter)
    webhook: ClustaarWebhook | None = None
    notification: Notification | None = None
    loaded: float | None = None
    runs: list[Run] = field(default_factory=list)
    handled: float | None = None
    failure: BaseException | None = None
    repeated: bool = False
    #: The problem of the handler that was late, if one was.
    late: HandlerLate | None = None
    status: int = 500
    reply: bytes = b""
    ended: float = 0.0

    @property
    def source(self) -> str:
        """The origin of the request."""
        origin: Origin | None = self.environ.get(SOURCE)
        return "wire" if origin is None else origin.label
