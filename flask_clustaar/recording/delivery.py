"""The data of a request and its reply, for the inspector and recordings."""

from __future__ import annotations

from typing import Literal, TypedDict

#: The value of ``v``. It increases when the meaning of a key changes.
VERSION = 1


class HandlerRun(TypedDict):
    """A handler, and whether it ran."""

    #: The name with its module, such as ``bot.greet``.
    name: str
    #: The place in the source, such as ``bot.py:12``.
    where: str
    #: Its decorator, as source code.
    decorator: str
    matched: bool
    #: Why it matched or did not; may contain values.
    sentence: str
    #: Its duration, in milliseconds; None if it did not run.
    ms: float | None
    #: The return value, shortened; None if it did not return.
    returned: str | None


class Timings(TypedDict):
    """The duration of each part, in milliseconds; None if it did not happen."""

    authentication: float | None
    load: float | None
    handlers: float | None
    reply: float | None
    total: float


class Delivery(TypedDict):
    """A request to a webhook, and how it was answered."""

    #: The version of this format: :data:`VERSION`.
    v: int
    #: The id in the inspector's store; 0 elsewhere.
    id: int
    #: The time of arrival, in seconds since the epoch.
    at: float
    #: The name of the webhook.
    webhook: str
    #: The origin: ``wire``, ``chat``, ``replay of 7`` or ``recording``.
    source: str
    #: The delivery's identity, in hexadecimal; None without a private key.
    key: str | None
    #: The headers, with ``***`` for secrets.
    headers: dict[str, list[str]]
    #: The body as text; None if it is not UTF-8, or too long.
    request: str | None
    #: The size of the body, in bytes.
    size: int
    sha256: str
    #: The HTTP status of the answer.
    status: int
    #: The body of the answer, as text.
    reply: str | None
    #: The reply that was not sent because it is invalid.
    unsent: str | None
    #: Whether the reply is from the replay store, and no handler ran.
    repeated: bool
    #: The ``code`` of the problem; None for a reply.
    code: str | None
    #: The mistakes in the reply: dotted paths and sentences.
    violations: list[tuple[str, str]]
    #: The traceback of a failure.
    error: str | None
    #: The authentication checks: name, outcome and sentence, which may contain values.
    checks: list[tuple[str, Literal["pass", "FAIL", "skip"], str]]
    handlers: list[HandlerRun]
    #: The name of the handler that was late; None if none was.
    late: str | None
    timings: Timings
    #: The name with which it is pinned; None if it is not pinned.
    pinned: str | None
