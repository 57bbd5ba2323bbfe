"""Routing: which handlers get a notification.

Each topic is a signal, handlers are its receivers, and each notification is sent on the
signal of its topic as the sender. An index by step id makes ten thousand handlers cost
what one costs.
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
