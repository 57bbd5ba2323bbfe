"""Signals that tell what happens to a notification.

Each one is sent only if somebody listens, with the Flask application as its sender.
"""

from __future__ import annotations

from blinker import NamedSignal, Namespace

_signals = Namespace()

#: Sent when a request has passed the door and its notification is loaded, before any
#: handler runs. Arguments: *webhook* (:class:`~flask_clustaar.ClustaarWebhook`),
#: *notification* (:class:`~flask_clustaar.models.Notification`).
notification_received: NamedSignal = _signals.signal("notification-received")

#: Sent when a request is refused, at the door or because it is no notification.
#: Arguments: *webhook*, *code* (the stable ``code`` of the problem body),
#: *status* (the HTTP status).
request_rejected: NamedSignal = _signals.signal("request-rejected")

#: Sent after a handler returned or raised. Arguments: *webhook*, *notification*,
#: *handler* (:class:`~flask_clustaar.routing.Handler`), *duration* (seconds, float).
handler_called: NamedSignal = _signals.signal("handler-called")

#: Sent when a handler raised, or when the reply that the handlers returned is invalid.
#: Arguments: *webhook*, *notification*, *handler* (None when it is their reply, or
#: a filter, that is at fault), *exception*.
handler_failed: NamedSignal = _signals.signal("handler-failed")

#: Sent when a reply is about to leave. Arguments: *webhook*, *notification*, *reply*
#: (the reply as a dict, as it goes on the wire).
reply_sent: NamedSignal = _signals.signal("reply-sent")
