"""Signals that tell what happens to a notification.

Each one is sent only if somebody listens, with the Flask application as its sender.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from blinker import NamedSignal

logger: logging.Logger = logging.getLogger("flask_clustaar")


class IndependentSignal(NamedSignal):
    """A signal whose receivers only watch.

    A receiver that raises an exception is logged, and the next one is called.
    """

    def send(
        self, sender: Any = None, /, **arguments: Any
    ) -> list[tuple[Callable[..., Any], Any]]:
        """Call all receivers, as :meth:`blinker.Signal.send` does."""
        results: list[tuple[Callable[..., Any], Any]] = []
        for receiver in () if self.is_muted else self.receivers_for(sender):
            try:
                results.append((receiver, receiver(sender, **arguments)))
            except Exception:
                logger.exception("A receiver of the signal '%s' failed.", self.name)
        return results


#: Sent when a request is authenticated and its notification is loaded, before any
#: handler runs. Arguments: *webhook* (:class:`~flask_clustaar.ClustaarWebhook`),
#: *notification* (:class:`~flask_clustaar.models.Notification`).
notification_received: NamedSignal = IndependentSignal("notification-received")

#: Sent when a request is rejected: by authentication, because its body is not a
#: notification, or because no handler matches (code ``no_handler``). Arguments:
#: *webhook*, *code* (the stable ``code`` of the problem body), *status* (the HTTP
#: status).
request_rejected: NamedSignal = IndependentSignal("request-rejected")

#: Sent after a handler returned or raised. Arguments: *webhook*, *notification*,
#: *handler* (:class:`~flask_clustaar.routing.Handler`), *duration* (seconds, float).
handler_called: NamedSignal = IndependentSignal("handler-called")

#: Sent when a handler raised, or when the reply that the handlers returned is invalid.
#: Arguments: *webhook*, *notification*, *handler* (None when several handlers made an
#: invalid reply, or when a filter raised), *exception*.
handler_failed: NamedSignal = IndependentSignal("handler-failed")

#: Sent when a reply is about to leave. Arguments: *webhook*, *notification*, *reply*
#: (the reply as a dict, as it goes on the wire).
reply_sent: NamedSignal = IndependentSignal("reply-sent")
