"""Routing: find the handlers for a notification.

Each topic is a blinker signal, and handlers are its receivers. A notification is sent
on the signal of its topic, as the sender. An index by step id keeps the routing time
independent of the number of handlers.
"""

from .groups import HandlerGroup, HandlerRegistry
from .handlers import Around, Call, ErrorHandler, Handler, is_async, name_of
from .router import Explanation, Router
from .topics import Topic

__all__ = [
    "Around",
    "Call",
    "ErrorHandler",
    "Explanation",
    "Handler",
    "HandlerGroup",
    "HandlerRegistry",
    "Router",
    "Topic",
    "is_async",
    "name_of",
]
