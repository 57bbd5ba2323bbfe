"""Handlers: functions that were registered, and what is known of them."""

from __future__ import annotations

import functools
import inspect
import os.path
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..filters import Filter


class Group(Protocol):
    """What a handler has to know of a group that it is in."""

    filter: Filter | None
    alone: bool
    _arounds: list[Around]
    _error_handlers: dict[type[BaseException], ErrorHandler]
    _late: Handler | None


@dataclass(frozen=True)
class Handler:
    """A function that was registered, and what it was registered for."""

    #: The event; None for the fallback of all events.
    topic: str | None
    #: The function, as it was written.
    function: Callable[[Any], Any]
    #: What a notification has to match: the filters of the groups and its own.
    filter: Filter | None = field(default=None, hash=False)
    #: Whether it runs for notifications that no other handler matches.
    is_fallback: bool = False
    #: After how many seconds it is late: the shortest of its groups and its own.
    deadline: float | None = None
    #: The place in the order of registration.
    _number: int = -1
    #: The groups that it is in, from the outside in.
    _groups: tuple[Group, ...] = field(default=(), repr=False, compare=False)

    def __call__(
        self, notification: Any, *, call: Callable[[Handler, Any], Any] | None = None
    ) -> Any:
        """Call the function with a notification.

        :param call: is called instead of the function, with the handler and the
            notification. A webhook passes it along when it sends a notification.
        """
        if call is None:
            return self.function(notification)
        return call(self, notification)

    def match(self, notification: Any) -> re.Match[str] | None:
        """Return the match of the filter's regular expression, if it has one."""
        return None if self.filter is None else self.filter.match(notification)

    @functools.cached_property
    def name(self) -> str:
        """The function's name with its module, such as ``bot.greet``."""
        function = _function_of(self.function)
        module = getattr(function, "__module__", None) or "builtins"
        return f"{module}.{name_of(function)}"

    @property
    def location(self) -> str:
        """Where the function is written, such as ``bot.py:12``."""
        code = getattr(_function_of(self.function), "__code__", None)
        if code is None:
            return "built in"
        return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"

    @property
    def alone(self) -> bool:
        """Whether it is in a group that answers alone."""
        return self._alone is not None

    @property
    def _alone(self) -> Group | None:
        """The innermost group of the handler that answers alone."""
        return next((group for group in reversed(self._groups) if group.alone), None)

    @property
    def decorator(self) -> str:
        """The line that registers such a handler."""
        if self.is_fallback:
            event = "" if self.topic is None else f"({self.topic!r})"
            return f"@webhook.fallback{event}"
        return decorator_line(
            repr(self.topic), None if self.filter is None else repr(self.filter)
        )


@dataclass
class Call:
    """One call of a handler, for what is registered with ``around``."""

    #: What the handler returned; None before it returned.
    returned: Any = None


class Around(NamedTuple):
    """What makes a context manager around each handler."""

    function: Callable[..., AbstractContextManager[Any]]
    #: Whether the function has an argument ``call``.
    takes_call: bool

    def __call__(
        self, notification: Any, handler: Handler, call: Call
    ) -> AbstractContextManager[Any]:
        """Return the context manager for a call of a handler."""
        if self.takes_call:
            return self.function(notification, handler, call=call)
        return self.function(notification, handler)


class ErrorHandler(NamedTuple):
    """A function that answers when a handler fails."""

    function: Callable[..., Any]
    #: Whether the function takes the notification as its second argument.
    takes_notification: bool

    def __call__(self, error: BaseException, notification: Any) -> Any:
        """Call the function."""
        if self.takes_notification:
            return self.function(error, notification)
        return self.function(error)


def decorator_line(topic: str, filter: str | None) -> str:
    """Return the line, for expressions of a topic and a filter."""
    return f"@webhook.on({topic}{f', filter={filter}' if filter else ''})"


def is_async(function: Any) -> bool:
    """Tell if a function is ``async def``, below all decorators."""
    return inspect.iscoroutinefunction(_function_of(function))


def name_of(function: Any) -> str:
    """Return the name of a function as it was written, below all decorators."""
    return str(_function_of(function).__qualname__)


def _function_of(function: Any) -> Any:
    """Return what was written with ``def``, below all decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__
