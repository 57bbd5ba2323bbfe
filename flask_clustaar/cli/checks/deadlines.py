"""Check the deadlines of handlers, and the late handlers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from flask import Flask

from ...deadline import shortest
from ...extension import ClustaarWebhook
from ...routing import Handler
from ...settings import Settings
from ..findings import Finding, rule

NO_LATE_HANDLER = rule(
    "no_late_handler", "warning", "There is no handler for late answers."
)
DEADLINE_GEVENT = rule(
    "deadline_gevent", "warning", "gevent cannot interrupt a busy handler."
)
DEADLINE_LEASE = rule(
    "deadline_lease", "warning", "A lease is shorter than a deadline."
)

#: The maximum number of handlers in a message.
_MOST = 3


def check_deadlines(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    """Find deadlines that have no effect or an unintended one."""
    settings = webhook.installation(app).settings
    timed = {
        handler: deadline
        for handler in webhook.handlers
        if (deadline := shortest(settings.deadline, handler.deadline)) is not None
    }
    if not timed:
        return
    unanswered = [each for each in timed if webhook._late_handler_for(each) is None]
    if unanswered:
        instead = (
            "The step is returned unchanged"
            if settings.on_error == "passthrough"
            else "The answer is 503 'handler_late'"
        )
        yield NO_LATE_HANDLER(
            f"There is no late handler for {_names(unanswered)}. {instead} if it is "
            "late. Register one with '@webhook.late'."
        )
    yield from _check_gevent()
    yield from _check_lease(settings, max(timed.values()))


def _names(handlers: list[Handler]) -> str:
    shown = ", ".join(f"'{handler.name}'" for handler in handlers[:_MOST])
    more = len(handlers) - _MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _check_gevent() -> Iterator[Finding]:
    monkey: Any = sys.modules.get("gevent.monkey")
    patched = monkey is not None and monkey.is_module_patched("threading")
    if patched or find_spec("gevent"):
        what = "is in use" if patched else "is installed"
        yield DEADLINE_GEVENT(
            f"gevent {what}. It cannot send the late reply while a handler computes, "
            "because all requests share a thread. Use deadlines only for handlers "
            "that wait for the network, or use gunicorn's 'gthread' workers.",
            level="warning" if patched else "hint",
        )


def _check_lease(settings: Settings, deadline: float) -> Iterator[Finding]:
    if settings.keys and settings.replay_lease <= deadline:
        yield DEADLINE_LEASE(
            f"A handler may take {deadline:g} seconds, but the same delivery may be "
            f"handled again after {settings.replay_lease:g}. Set "
            f"'CLUSTAAR_REPLAY_LEASE' to {deadline + 30:g} or more."
        )
