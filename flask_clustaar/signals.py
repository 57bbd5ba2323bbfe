"""Signals about requests, notifications, handlers and replies.

The sender is the Flask application. A signal without receivers is not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any

from blinker import NamedSignal

from . import logs


class IndependentSignal(NamedSignal):
    """A signal whose receivers cannot affect the request.

    If a receiver raises an exception, it is logged, and the next receiver is called.
    """

    def send(
        self, sender: Any = None, /, *, webhook: Any = None, **arguments: Any
    ) -> list[tuple[Callable[..., Any], Any]]:
        """Call all receivers; return each with its result, as blinker's ``send``."""
        results: list[tuple[Callable[..., Any], Any]] = []
        for receiver in () if self.is_muted else self.receivers_for(sender):
            try:
                returned = receiver(sender, webhook=webhook, **arguments)
                if iscoroutine(returned):
                    returned.close()
                    raise TypeError("Receivers of signals cannot be async.")
                results.append((receiver, returned))
            except KeyboardInterrupt:
                raise
            except BaseException:
                logs.logger.exception(
                    "A receiver of the signal '%s' failed.",
                    self.name,
                    extra=logs.extra(webhook=getattr(webhook, "name", None)),
                )
        return results


#: Sent when a request is authenticated and its notification is loaded, before any
#: handler runs. Arguments: *webhook* (:class:`~flask_clustaar.ClustaarWebhook`),
#: *notification* (:class:`~flask_clustaar.models.Notification`).
notification_received: NamedSignal = IndependentSignal("notification-received")

#: Sent after a handler returned or raised. Arguments: *webhook*, *notification*,
#: *handler* (:class:`~flask_clustaar.routing.Handler`), *duration* (float, in seconds,
#: including the ``around`` functions of the handler).
handler_called: NamedSignal = IndependentSignal("handler-called")

#: Sent when a handler, a filter or the webhook itself raised an exception, and when the
#: reply of the handlers is invalid; also if an error handler replies. Arguments:
#: *webhook*, *notification* (None if it could not be loaded), *handler* (None if no
#: single handler is responsible), *exception*, *code* (the stable ``code`` of the
#: problem body).
handler_failed: NamedSignal = IndependentSignal("handler-failed")

#: Sent when a late handler has ended, in the thread of the handler; or at once if it
#: did not run. Its answer is dropped. Arguments: *webhook*, *notification* (that of the
#: handler), *handler*, *duration* (float, in seconds; 0.0 if it did not run), *reason*
#: (``"timeout"``, or ``"busy"`` if no thread was free), *exception* (raised after
#: the deadline, or None).
handler_late: NamedSignal = IndependentSignal("handler-late")

#: Sent before a reply is sent. Arguments: *webhook*, *notification*, *reply* (the JSON
#: of the reply, as a dict).
reply_sent: NamedSignal = IndependentSignal("reply-sent")

#: Sent when a repeated delivery gets the recorded reply; no handler runs. Arguments:
#: *webhook*, *delivery* (its identity, as ``notification.delivery``).
reply_repeated: NamedSignal = IndependentSignal("reply-repeated")

#: Sent when the engine for background work accepted a job. Arguments: *webhook*,
#: *job* (:class:`~flask_clustaar.background.Job`).
job_submitted: NamedSignal = IndependentSignal("job-submitted")

#: Sent in a worker after a task returned or raised. Arguments: *webhook*, *job*,
#: *duration* (float, in seconds), *exception* (None if it returned).
job_performed: NamedSignal = IndependentSignal("job-performed")

#: Sent when a request is rejected: by authentication, because its body is not a
#: notification, or because no handler matches (code ``no_handler``). Arguments:
#: *webhook*, *code* (the stable ``code`` of the problem body), *status* (the HTTP
#: status), *notification* (None if it was not loaded).
request_rejected: NamedSignal = IndependentSignal("request-rejected")
