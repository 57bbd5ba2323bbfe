"""A request and its reply: a row in the inspector, and a line of a recording."""

from __future__ import annotations

from typing import Literal, TypedDict

#: The value of ``v``: it is raised when the keys change their meaning.
VERSION = 1


class HandlerRun(TypedDict):
    """A handler, and whether it got the notification."""

    #: The name with its module, such as ``bot.greet``.
    name: str
    #: The place in the source, such as ``bot.py:12``.
    where: str
    #: The line that registers it.
    decorator: str
    matched: bool
    #: Why it matched or not. It may show values.
    sentence: str
    #: How long it ran, in milliseconds; None if it did not.
    ms: float | None
    #: What it returned, shortened; None if it did not run to its end.
    returned: str | None


class Timings(TypedDict):
    """How long each part took, in milliseconds; None for what did not happen."""

    authentication: float | None
    load: float | None
    handlers: float | None
    reply: float | None
    total: float


class Delivery(TypedDict):
    """One request to a webhook, what became of it, and why."""

    #: The version of this format: :data:`VERSION`.
    v: int
    #: Only in its store; 0 elsewhere.
    id: int
    #: The time of arrival, in seconds since the epoch.
    at: float
    #: The name of the webhook.
    webhook: str
    #: Where it came from: ``wire``, ``chat``, ``replay of 7`` or ``recording``.
    source: str
    #: The delivery's identity in hex; None without a private key.
    key: str | None
    #: Secrets are replaced by ``***``.
    headers: dict[str, list[str]]
    #: The body as text; None if it is not UTF-8, or too long.
    request: str | None
    #: How many bytes the body has.
    size: int
    sha256: str
    #: The HTTP status of the answer.
    status: int
    #: The body of the answer as text.
    reply: str | None
    #: The reply that was not sent because it is invalid.
    unsent: str | None
    #: Whether the replay store answered, so that no handler ran.
    repeated: bool
    #: The ``code`` of the problem; None for a reply.
    code: str | None
    #: What is wrong with the reply: dotted paths and sentences.
    violations: list[tuple[str, str]]
    #: The traceback of a failure.
    error: str | None
    #: The authentication checks: name, outcome and sentence. They may show values.
    checks: list[tuple[str, Literal["pass", "FAIL", "skip"], str]]
    handlers: list[HandlerRun]
    #: The name of the handler that was late; None if none was.
    late: str | None
    timings: Timings
    #: The name under which somebody keeps it.
    pinned: str | None
