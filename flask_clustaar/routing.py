"""Routing finds the handlers of a notification, and never runs them.

Each topic has a blinker signal, and handlers are its receivers. One whose filter can
match some steps only is connected with their ids as senders, so ten thousand of them
cost what one costs.
"""

from __future__ import annotations

import functools
import inspect
import os.path
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeVar, overload

from blinker import ANY, Namespace, Signal

from .errors import ConfigurationError
from .filters import Filter, FilterLike, StepID, as_filter
from .filters.base import accepts_arguments
from .filters.shown import shorten

#: A handler's function takes the notification. What it may return is the matter of
#: :mod:`flask_clustaar.replies`.
F = TypeVar("F", bound=Callable[[Any], Any])


class Routable(Protocol):
    """What routing has to know of a notification."""

    @property
    def topic(self) -> str: ...

    @property
    def received(self) -> Any:
        """The JSON object that the notification was loaded from."""


@dataclass(frozen=True, eq=False, slots=True)
class Handler:
    """A function that was registered, and what it was registered for."""

    #: The place in the order of registration.
    index: int
    #: The event; None for the fallback of all events.
    topic: str | None
    #: The function, as it was written.
    function: Callable[[Any], Any]
    #: What a notification has to match: the filters of its groups, and its own.
    filter: Filter | None = None
    #: Whether it is there for what no other handler matches.
    is_fallback: bool = False
    #: The number of groups with a filter that it is in.
    depth: int = 0

    def __call__(self, notification: Any) -> Any:
        """Call the function."""
        return self.function(notification)

    def match(self, notification: Routable) -> re.Match[str] | None:
        """Return the match of the regular expression by which it got the notification,
        if its filter has one.
        """
        return None if self.filter is None else self.filter.match(notification)

    @property
    def name(self) -> str:
        """The function's name with its module, such as ``bot.greet``."""
        function = _function_of(self.function)
        module = getattr(function, "__module__", None) or "builtins"
        return f"{module}.{_name(function)}"

    @property
    def location(self) -> str:
        """Where the function is written, such as ``bot.py:12``."""
        code = getattr(_function_of(self.function), "__code__", None)
        if code is None:
            return "built in"
        return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"

    @property
    def decorator(self) -> str:
        """The line that registers such a handler."""
        if self.is_fallback:
            event = "" if self.topic is None else f"({self.topic!r})"
            return f"@webhook.fallback{event}"
        return _decorator(
            repr(self.topic), None if self.filter is None else repr(self.filter)
        )


class Explanation(NamedTuple):
    """Whether a handler matches a notification, and why."""

    handler: Handler
    #: For a fallback: whether it is the one for this notification.
    matched: bool
    #: The reason, for people.
    sentence: str

    def __str__(self) -> str:
        return f"{self.handler.name} ({self.handler.location}): {self.sentence}"


class HandlerGroup:
    """Handlers that are written in one place and included in a webhook in another::

        orders = HandlerGroup(filter=Channel("facebook"))


        @orders.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Order"))
        def order(notification): ...


        webhook.include(orders)

    Groups can be included in groups, and one group in several webhooks.

    :param filter: what notifications have to match for any handler of the group.
    """

    def __init__(self, filter: FilterLike | None = None) -> None:
        #: What notifications have to match for any handler of the group.
        self.filter: Filter | None = None if filter is None else as_filter(filter)
        self._handlers: list[Handler] = []
        self._groups: list[HandlerGroup] = []
        self._frozen: str | None = None

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order of their registration, fallbacks among them."""
        return tuple(self._handlers)

    @overload
    def on(
        self, event: str, handler: None = None, *, filter: FilterLike | None = None
    ) -> Callable[[F], F]: ...

    @overload
    def on(self, event: str, handler: F, *, filter: FilterLike | None = None) -> F: ...

    def on(
        self, event: str, handler: Any = None, *, filter: FilterLike | None = None
    ) -> Any:
        """Register a handler for an event, as a decorator or with a call::

            @webhook.on(events.CONVERSATION_STEP_REACHED)
            def greet(notification): ...


            webhook.on(events.CONVERSATION_STEP_REACHED, greet)

        All handlers that match a notification get it, in the order in which they were
        registered. The function comes back unchanged.

        :param event: the topic of the notifications (:mod:`flask_clustaar.events`).
        :param handler: a function of one argument, the notification.
        :param filter: what a notification has to match, besides: one of
            :mod:`flask_clustaar.filters`, or a function of the notification.
        :raises TypeError: if one of them is not what it should be.
        :raises ConfigurationError: if it is too late to register handlers.
        """
        _check_event(event, "on")
        own = None if filter is None else as_filter(filter)

        def register(function: F) -> F:
            self._add(event, function, own)
            return function

        return register if handler is None else register(handler)

    @overload
    def fallback(self, event: F, /) -> F: ...

    @overload
    def fallback(self, event: str | None = None, /) -> Callable[[F], F]: ...

    @overload
    def fallback(self, event: str | None, handler: F, /) -> F: ...

    def fallback(self, event: Any = None, handler: Any = None, /) -> Any:
        """Register the handler for notifications that no other handler matches::

            @webhook.fallback
            def sorry(notification): ...


            @webhook.fallback(events.CONVERSATION_STEP_REACHED)
            def sorry(notification): ...

        The fallback of a group is for what matches the group's filter. One fallback
        runs: that of the innermost group, and the one for the event before the one for
        all events.

        :param event: the topic of the notifications; all, if left out.
        :param handler: a function of one argument, the notification.
        :raises TypeError: if one of them is not what it should be.
        :raises ConfigurationError: if there is one already, or if it is too late to
            register handlers.
        """
        if callable(event):
            event, handler = None, event
        if event is not None:
            _check_event(event, "fallback")

        def register(function: F) -> F:
            self._add(event, function, None, is_fallback=True)
            return function

        return register if handler is None else register(handler)

    def include(self, group: HandlerGroup) -> None:
        """Register all handlers of a group, in their order.

        Include a group after its last handler is written, that is, import its module
        first: it takes no more then.

        :param group: the group.
        :raises TypeError: if it is none.
        :raises ConfigurationError: if it is included already, or if it is too late to
            register handlers.
        """
        if not isinstance(group, HandlerGroup) or isinstance(group, Router):
            raise TypeError(
                f"'include' takes a 'HandlerGroup', not a '{type(group).__name__}'."
            )
        if group is self:
            raise ConfigurationError("A group cannot include itself.")
        if any(group is included for included in self._groups):
            raise ConfigurationError(
                "The group is included already. "
                "Its handlers would run twice for each notification."
            )
        for handler in group._handlers:
            self._add(
                handler.topic,
                handler.function,
                handler.filter,
                is_fallback=handler.is_fallback,
                depth=handler.depth,
            )
        self._groups.append(group)
        group.freeze("The group is included already. Include it after its last handler")

    def freeze(self, reason: str) -> None:
        """Refuse handlers from now on.

        :param reason: a sentence without its full stop.
        """
        self._frozen = reason

    def _add(
        self,
        topic: str | None,
        function: Callable[[Any], Any],
        filter: Filter | None,
        *,
        is_fallback: bool = False,
        depth: int = 0,
    ) -> None:
        _check_handler(function)
        if self._frozen:
            raise ConfigurationError(
                f"The handler '{_name(function)}' comes too late. {self._frozen}."
            )
        if self.filter is not None:
            filter = self.filter if filter is None else self.filter & filter
            depth += 1
        handler = Handler(
            len(self._handlers), topic, function, filter, is_fallback, depth
        )
        if is_fallback:
            self._check_only_fallback(handler)
        self._handlers.append(handler)
        self._added(handler)

    def _added(self, handler: Handler) -> None:
        """Do more with a handler that was registered."""

    def _check_only_fallback(self, fallback: Handler) -> None:
        for other in self._handlers:
            if (
                other.is_fallback
                and other.topic == fallback.topic
                and other.filter == fallback.filter
            ):
                raise ConfigurationError(
                    f"'{other.name}' is the fallback already, and "
                    f"'{fallback.name}' would never run. Remove one of them."
                )


class Router(HandlerGroup):
    """All handlers of a webhook, and how they are found."""

    def __init__(self) -> None:
        super().__init__()
        # Of its own: what two webhooks call the same is not the same signal.
        self._signals = Namespace()
        self._fallbacks: list[Handler] = []
        #: The handlers by topic and step id, as they were found.
        self._found: dict[tuple[str, str | None], list[Handler]] = {}
        self._step_ids: set[str] = set()

    def signal(self, topic: str) -> Signal:
        """Return the signal whose receivers are the handlers of a topic.

        Its senders are step ids. Nothing is ever sent on it: handlers are found as
        its receivers, and then run in the order of their registration.
        """
        return self._signals.signal(topic)

    def find(self, notification: Routable) -> list[Handler]:
        """Return the handlers that match, in the order of their registration."""
        return list(self.matching(notification))

    def matching(self, notification: Routable) -> Iterator[Handler]:
        """Yield the handlers that match, in the order of their registration.

        The filter of a handler is not asked before the handler is wanted.
        """
        for handler in self._candidates(notification):
            test = handler.filter
            # A handler with a StepID was found by it.
            if test is None or type(test) is StepID or test(notification):
                yield handler

    def fallback_for(self, notification: Routable) -> Handler | None:
        """Return the fallback for a notification that no other handler matches."""
        for handler in self._fallbacks:
            if handler.topic is not None and handler.topic != notification.topic:
                continue
            if handler.filter is None or handler.filter(notification):
                return handler
        return None

    def explain(
        self, notification: Routable, *, values: bool = True
    ) -> list[Explanation]:
        """Say of each handler, in the order of registration, whether it matches.

        The fallbacks come last, in the order in which they are tried. A filter that
        raises an exception is told as one that does not match.

        :param values: as for :meth:`flask_clustaar.filters.Filter.explain`: without,
            what people wrote is not shown.
        """
        explanations = []
        answered = False
        ordinary = (each for each in self._handlers if not each.is_fallback)
        for handler in [*ordinary, *self._fallbacks]:
            if handler.is_fallback and answered:
                matched, sentence = False, "fallback did not match: another handler did"
            else:
                matched, sentence = _judge(handler, notification, values)
            answered = answered or matched
            explanations.append(Explanation(handler, matched, sentence))
        return explanations

    def suggestion(self, notification: Routable) -> str:
        """Return the decorator of a handler that would get the notification."""
        step_id = _step_id(notification)
        return _decorator(
            shorten(notification.topic),
            f"StepID({shorten(step_id)})" if step_id else None,
        )

    def _candidates(self, notification: Routable) -> list[Handler]:
        # Not 'signal()', which makes one: anybody may send any topic.
        signal = self._signals.get(notification.topic)
        if signal is None:
            return []
        step_id = _step_id(notification)
        # Only what handlers were registered for is kept: anybody may send any step.
        key = notification.topic, step_id if step_id in self._step_ids else None
        handlers = self._found.get(key)
        if handlers is None:
            receivers = signal.receivers_for(ANY if key[1] is None else key[1])
            handlers = [each for each in receivers if isinstance(each, Handler)]
            handlers.sort(key=_INDEX)
            self._found[key] = handlers
        return handlers

    def _added(self, handler: Handler) -> None:
        if handler.topic is None or handler.is_fallback:
            self._fallbacks.append(handler)
            self._fallbacks.sort(key=lambda each: (-each.depth, each.topic is None))
            return
        self._found.clear()
        signal = self.signal(handler.topic)
        step_ids = None if handler.filter is None else handler.filter.step_ids()
        self._step_ids.update(step_ids or ())
        for sender in [ANY] if step_ids is None else step_ids:
            signal.connect(handler, sender, weak=False)


# --- Helpers ------------------------------------------------------------------------

_INDEX = attrgetter("index")


def _step_id(notification: Routable) -> str | None:
    try:
        step_id = notification.received["data"]["step"]["id"]
    except (KeyError, TypeError):
        return None
    return step_id if isinstance(step_id, str) else None


def _judge(handler: Handler, notification: Routable, values: bool) -> tuple[bool, str]:
    topic = shorten(notification.topic)
    if handler.topic is not None and handler.topic != notification.topic:
        return False, f"{handler.topic!r} did not match: topic is {topic}"
    if handler.filter is None:
        if handler.is_fallback:
            return True, "fallback matched: no other handler did"
        return True, f"{handler.topic!r} matched: topic is {topic}"
    try:
        return handler.filter.judge(notification, values=values)
    except Exception as error:
        return False, f"{handler.filter!r} failed: it raised {type(error).__name__}"


def _decorator(topic: str, filter: str | None) -> str:
    """Return the line, for expressions of a topic and a filter."""
    return f"@webhook.on({topic}{f', filter={filter}' if filter else ''})"


def _function_of(function: Any) -> Any:
    """Return what was written with ``def``, below all decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__


def _name(function: Any) -> str:
    return str(_function_of(function).__qualname__)


def _check_event(event: Any, method: str) -> None:
    if not isinstance(event, str):
        raise TypeError(
            "An event is a string. "
            f"Write '@webhook.{method}(\"conversation.step_reached\")'."
        )
    if not event:
        raise ValueError(
            f"'{method}' was given an empty event. "
            "Pass one of 'flask_clustaar.events', or leave it out for a fallback."
        )


def _check_handler(function: Any) -> None:
    if isinstance(function, Filter):
        raise TypeError(
            f"{function!r} is a filter, not a handler. Did you mean "
            f"'filter={function!r}'?"
        )
    if not callable(function):
        raise TypeError(
            "A handler is a function of one argument, 'def greet(notification): ...', "
            f"not a '{type(function).__name__}'."
        )
    if accepts_arguments(function, 1):
        return
    name = _name(function)
    hint = f"Write it as 'def {name}(notification): ...'."
    if isinstance(function, type):
        hint = f"Did you mean '{name}()'?"
    elif accepts_arguments(function, 3):
        hint += (
            " For '(request, response, notification)' use "
            "'flask_clustaar.compat.Webhook'."
        )
    raise TypeError(
        f"The handler '{name}' cannot be called with one argument, the notification. "
        f"{hint}"
    )
