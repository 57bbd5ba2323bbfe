"""Handlers: registered functions, with their events, filters and groups."""

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
    """The attributes of a group that its handlers use."""

    filter: Filter | None
    alone: bool
    _arounds: list[Around]
    _error_handlers: dict[type[BaseException], ErrorHandler]
    _late: Handler | None


@dataclass(frozen=True)
class Handler:
    """A registered function, with its event and filter."""

    #: The event; None for a fallback of all events.
    topic: str | None
    #: The function, unchanged.
    function: Callable[[Any], Any]
    #: The filter that notifications must match: those of the groups and its own.
    filter: Filter | None = field(default=None, hash=False)
    #: Whether it runs only for notifications that no other handler matches.
    is_fallback: bool = False
    #: The deadline, in seconds: the shortest of its groups' and its own; None for none.
    deadline: float | None = None
    #: The position in the order of registration.
    _number: int = -1
    #: The groups that contain it, outermost first.
    _groups: tuple[Group, ...] = field(default=(), repr=False, compare=False)

    def __call__(
        self, notification: Any, *, call: Callable[[Handler, Any], Any] | None = None
    ) -> Any:
        """Call the function with a notification.

        :param call: called instead of the function, with the handler and the
            notification. A webhook passes it when it sends a notification.
        """
        if call is None:
            return self.function(notification)
        return call(self, notification)

    def match(self, notification: Any) -> re.Match[str] | None:
        """Return the match of the filter's regular expression; None if it has none."""
        return None if self.filter is None else self.filter.match(notification)

    @functools.cached_property
    def name(self) -> str:
        """The name of the function with its module, such as ``bot.greet``."""
        function = _function_of(self.function)
        module = getattr(function, "__module__", None) or "builtins"
        return f"{module}.{name_of(function)}"

    @property
    def location(self) -> str:
        """The file and line of the function, such as ``bot.py:12``."""
        code = getattr(_function_of(self.function), "__code__", None)
        if code is None:
            return "built in"
        return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"

    @property
    def alone(self) -> bool:
        """Whether it is in a group with ``alone=True``."""
        return self._alone is not None

    @property
    def _alone(self) -> Group | None:
        """The innermost group of the handler with ``alone=True``."""
        return next((group for group in reversed(self._groups) if group.alone), None)

    @property
    def decorator(self) -> str:
        """A decorator that registers such a handler, as source code."""
        if self.is_fallback:
            event = "" if self.topic is None else f"({self.topic!r})"
            return f"@webhook.fallback{event}"
        return decorator_line(
            repr(self.topic), None if self.filter is None else repr(self.filter)
        )


@dataclass
class Call:
    """One call of a handler, for functions registered with ``around``."""

    #: The return value of the handler; None before it returned.
    returned: Any = None


class Around(NamedTuple):
    """A function registered with ``around``."""

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
    """A function that replies when a handler fails."""

    function: Callable[..., Any]
    #: Whether the function takes the notification as its second argument.
    takes_notification: bool

    def __call__(self, error: BaseException, notification: Any) -> Any:
        """Call the function."""
        if self.takes_notification:
            return self.function(error, notification)
        return self.function(error)


def decorator_line(topic: str, filter: str | None) -> str:
    """Return a decorator as source code, from those of its topic and filter."""
    return f"@webhook.on({topic}{f', filter={filter}' if filter else ''})"


def is_async(function: Any) -> bool:
    """Return whether a function is ``async def``, under all decorators."""
    return inspect.iscoroutinefunction(_function_of(function))


def name_of(function: Any) -> str:
    """Return the name of a function, under all decorators."""
    return str(_function_of(function).__qualname__)


def _function_of(function: Any) -> Any:
    """Return the function under all decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__
