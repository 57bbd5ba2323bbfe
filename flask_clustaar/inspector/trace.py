"""What is seen of a request while it is answered."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from ..extension import ClustaarWebhook
from ..models import Notification
from ..routing import Call, Handler
from ..wire import JSON

#: The longest body that is stored.
MOST_BYTES: Final = 256 * 1024

#: The :class:`Origin` of a request, if it did not come over the wire.
SOURCE: Final = "flask_clustaar.inspector.source"


@dataclass
class Origin:
    """Where a request came from that the inspector sent. It is recorded at once."""

    label: str
    #: The id that it was given; 0 until then.
    id: int = 0


class Body:
    """A stream that remembers what is read of it."""

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
        """What was read; None if it is too long to be stored."""
        return bytes(self._kept) if self.size <= MOST_BYTES else None

    @property
    def sha256(self) -> str:
        """The digest of all that was read, in hex."""
        return self._hash.hexdigest()


@dataclass
class Run:
    """A handler that was called."""

    handler: Handler
    #: In seconds.
    duration: float = 0.0
    #: What it returned is in it.
    call: Call = field(default_factory=Call)
    #: Whether it came to its end.
    has_returned: bool = False


@dataclass
class Trace:
    """What is seen of a request while it is answered. Moments are of a clock in
    seconds that has no meaning of its own.
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
    status: int = 500
    reply: bytes = b""
    ended: float = 0.0

    @property
    def source(self) -> str:
        """Where it came from."""
        origin: Origin | None = self.environ.get(SOURCE)
        return "wire" if origin is None else origin.label
