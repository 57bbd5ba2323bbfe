"""From the bytes of a body to a notification."""

from __future__ import annotations

import marshmallow

from .errors import InvalidNotification
from .models import Notification
from .schemas import schema_for
from .schemas.received import Received
from .schemas.violations import violations


def load_notification(body: bytes) -> Notification:
    """Load what the platform sent (PROTOCOL 3).

    Only the outermost object can make this fail: it must be a JSON object with a topic.
    Its parts are parsed when they are first used. What is nested too deeply, or has a
    number out of range, raises :exc:`InvalidJSON` there.

    :param body: the body of the request.
    :raises InvalidJSON: when it is not JSON in UTF-8.
    :raises InvalidNotification: when it is JSON, but not an object with a topic.
    """
    try:
        loaded = schema_for(Notification, received=True).load(Received(body))
    except marshmallow.ValidationError as error:
        raise InvalidNotification(violations=violations(error)) from error
    assert isinstance(loaded, Notification)
    return loaded
