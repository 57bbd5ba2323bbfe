"""Load notifications from the body of a request."""

from __future__ import annotations

import marshmallow

from .errors import InvalidNotification
from .models import Notification
from .schemas import schema_for
from .schemas.received import Received
from .schemas.violations import violations


def load_notification(body: bytes) -> Notification:
    """Load a notification (PROTOCOL 3).

    The body must be a JSON object with a topic. Its parts are parsed when they are
    first used. A part that is nested too deeply, or has a number out of range, raises
    :exc:`InvalidJSON` at that time.

    :param body: the body of the request.
    :raises InvalidJSON: if it is not UTF-8 JSON.
    :raises InvalidNotification: if it is not an object with a topic.
    """
    try:
        loaded = schema_for(Notification, received=True).load(Received(body))
    except marshmallow.ValidationError as error:
        raise InvalidNotification(violations=violations(error)) from error
    assert isinstance(loaded, Notification)
    return loaded
