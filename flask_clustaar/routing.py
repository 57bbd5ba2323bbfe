"""Routing: which handlers get a notification.

Each topic is a signal, handlers are its receivers, and each notification is sent on the
signal of its topic as the sender. An index by step id makes ten thousand handlers cost
what one costs.
"""

from __future__ import annotations

import functools
import inspect
import os.path
import re
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import attrgetter, itemgetter
from threading import RLock
from typing import Any, NamedTuple, TypeVar, overload

from blinker import ANY, NamedSignal

from .answers import AnyAnswer
from .describe import named_steps, shorten
from .errors import ConfigurationError, NoHandler, RequestRejected
from .events import CONVERSATION_STEP_REACHED
from .filters import Filter, FilterLike, StepID, as_filter
from .filters.base import accepts_arguments
from .models import Notification
from .schemas.paths import step_id_of

#: The function of a handler.
_H = TypeVar("_H", bound=Callable[[Notification], AnyAnswer])
#: The function of an error handler.
_E = TypeVar("_E", bound=Callable[..., AnyAnswer])
#: What blinker connects.
_F = TypeVar("_F", bound=Callable[..., Any])
#: What is registered with ``around``.
_A = TypeVar("_A", bound=Callable[..., AbstractContextManager[Any]])


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
    #: The place in the order of registration.
    _number: int = -1
    #: The groups that it is in, from the outside in.
    _groups: tuple[HandlerGroup, ...] = field(default=(), repr=False, compare=False)

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
        return _alone(self) is not None

    @property
    def decorator(self) -> str:
        """The line that registers such a handler."""
        if self.is_fallback:
            event = "" if self.topic is None else f"({self.topic!r})"
            return f"@webhook.fallback{event}"
        return _decorator(
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


class Explanation(NamedTuple):
    """Whether a handler matches a notification, and why."""

    handler: Handler
    #: For a fallback: whether it is the one for this notification.
    matched: bool
    #: The reason, for people.
    sentence: str

    def __str__(self) -> str:
        return f"{self.handler.name} ({self.handler.location}): {self.sentence}"


# --- Signals ------------------------------------------------------------------------


class Topic(NamedSignal):
    """The signal of a topic. Each notification is sent on it as the sender.

    Its receivers are handlers, and run in the order in which they were registered. A
    function that is connected is a handler without a filter.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._index: _Index | None = None
        self._lock = RLock()

    def connect(self, receiver: _F, sender: Any = ANY, weak: bool = True) -> _F:
        """Make a function a handler without a filter.

        :param receiver: a function of one argument, the notification. What it returns
            is its answer.
        :param sender: not applicable, because each notification is its own sender.
        :param weak: whether the function is disconnected when nothing refers to it.
        :raises TypeError: for what cannot be a handler, or with a *sender*.
        """
        if sender is not ANY:
            raise TypeError(
                "The sender on the signal of a topic is the notification. Leave "
                "'sender' out, or register a handler with a filter: "
                f"'@webhook.on({self.name!r}, filter=...)'."
            )
        _check_handler(receiver)
        with self._lock:
            super().connect(receiver, weak=weak)
            self._index = None
        return receiver

    def disconnect(self, receiver: Callable[..., Any], sender: Any = ANY) -> None:
        """Disconnect a function, or a handler that was registered with ``on``."""
        with self._lock:
            super().disconnect(receiver, sender)
            self._index = None

    def receivers_for(self, sender: Any) -> Generator[Handler, None, None]:
        """Yield the handlers that match a notification, in their order.

        All filters are asked before the first handler runs.
        """
        yield from list(
            islice(self._matching(sender), getattr(sender, "_wanted", None))
        )

    def _matching(self, notification: Any) -> Iterator[Handler]:
        """Yield the handlers that match a notification, in their order.

        The filter of a handler is not asked before the handler is wanted.
        """
        if self.is_muted:
            return
        alone: HandlerGroup | None = None
        for handler in self._candidates(step_id_of(notification)):
            if alone is not None and alone not in handler._groups:
                return
            test = handler.filter
            # A handler with a StepID was found by it.
            if test is None or type(test) is StepID or test(notification):
                yield handler
                if handler._groups:
                    alone = _alone(handler) or alone

    def _all(self) -> list[Handler]:
        """Return all handlers, in their order."""
        with self._lock:
            receivers = list(self.receivers.values())
        return list(self._handlers(receivers))

    def _candidates(self, step_id: str | None) -> list[Handler]:
        """Return the handlers that are for a step, or for any, in their order."""
        if (index := self._index) is None:
            with self._lock:
                index = self._index = _Index(self.receivers.values())
        found = index.find(step_id)
        return list(self._handlers(found)) if index.has_functions else found

    def _handlers(self, receivers: Iterable[_Receiver]) -> Iterator[Handler]:
        """Yield receivers as handlers; a connected function follows the one before."""
        number = -1
        for receiver in receivers:
            if isinstance(receiver, Handler):
                number = receiver._number
                yield receiver
                continue
            weak = isinstance(receiver, weakref.ref)
            function: Callable[..., Any] | None = receiver() if weak else receiver
            if function is not None:
                yield Handler(self.name, function, _number=number)


#: What blinker keeps for a receiver.
_Receiver = Callable[..., Any] | weakref.ref[Callable[..., Any]]


class _Index:
    """The receivers of a topic by the steps that they are for.

    Only steps that handlers are registered for are kept: anybody can send any other.
    """

    def __init__(self, receivers: Iterable[_Receiver]) -> None:
        #: Whether functions are connected, so that not all receivers are handlers.
        self.has_functions = False
        self._by_step: dict[str | None, list[tuple[int, _Receiver]]] = {None: []}
        for entry in enumerate(receivers):
            own: Filter | None = None
            if isinstance(entry[1], Handler):
                own = entry[1].filter
            else:
                self.has_functions = True
            step_ids = None if own is None else own.step_ids()
            for step_id in [None] if step_ids is None else step_ids:
                self._by_step.setdefault(step_id, []).append(entry)
        self._found: dict[str | None, list[_Receiver]] = {}

    def find(self, step_id: str | None) -> list[Any]:
        """Return the receivers that are for a step, or for any, in their order."""
        if step_id not in self._by_step:
            step_id = None
        found = self._found.get(step_id)
        if found is None:
            keys = dict.fromkeys([None, step_id])
            entries = [entry for key in keys for entry in self._by_step[key]]
            found = [receiver for _, receiver in sorted(entries, key=itemgetter(0))]
            self._found[step_id] = found
        return found


# --- Registration -------------------------------------------------------------------


class HandlerRegistry:
    """Where handlers are registered: the base of a webhook and of a group."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._included: list[HandlerGroup] = []
        self._arounds: list[Around] = []
        self._error_handlers: dict[type[BaseException], ErrorHandler] = {}
        self._frozen: str | None = None

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order of their registration, including fallbacks."""
        return tuple(self._handlers)

    @overload
    def on(
        self, event: str, handler: None = None, *, filter: FilterLike | None = None
    ) -> Callable[[_H], _H]: ...

    @overload
    def on(
        self, event: str, handler: _H, *, filter: FilterLike | None = None
    ) -> _H: ...

    def on(
        self, event: str, handler: Any = None, *, filter: FilterLike | None = None
    ) -> Any:
        """Register a handler for an event, as a decorator or with a call::

            @webhook.on(events.CONVERSATION_STEP_REACHED)
            def greet(notification): ...


            webhook.on(events.CONVERSATION_STEP_REACHED, greet)

        All handlers that match a notification get it, in the order in which they were
        registered. The function is returned unchanged.

        :param event: the topic of the notifications (:mod:`flask_clustaar.events`).
        :param handler: a function of one argument, the notification.
        :param filter: what a notification has to match as well: one of
            :mod:`flask_clustaar.filters`, or a function of the notification.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if it is too late to register handlers.
        """
        _check_event(event, "on")
        own = None if filter is None else as_filter(filter)

        def register(function: _H) -> _H:
            _check_handler(function)
            self._register(Handler(event, function, own))
            return function

        return register if handler is None else register(handler)

    def on_step(
        self, *ids: str, filter: FilterLike | None = None
    ) -> Callable[[_H], _H]:
        """Register a handler for one or more steps, as a decorator::

            @webhook.on_step("507f191e810c19729de860ea")
            def greet(notification): ...

        It is short for ``on(events.CONVERSATION_STEP_REACHED, filter=StepID(...))``.

        :param ids: the ids of the steps.
        :param filter: what a notification has to match as well.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if it is too late to register handlers.
        """
        steps: Filter = StepID(*ids)
        both = steps if filter is None else steps & filter
        return self.on(CONVERSATION_STEP_REACHED, filter=both)

    @overload
    def fallback(self, event: _H, /) -> _H: ...

    @overload
    def fallback(self, event: str | None = None, /) -> Callable[[_H], _H]: ...

    @overload
    def fallback(self, event: str | None, handler: _H, /) -> _H: ...

    def fallback(self, event: Any = None, handler: Any = None, /) -> Any:
        """Register the handler for notifications that no other handler matches::

            @webhook.fallback
            def sorry(notification): ...


            @webhook.fallback(events.CONVERSATION_STEP_REACHED)
            def sorry(notification): ...

        The fallback of a group is for what matches the group's filter. One fallback
        runs: that of the innermost group, and the one for the event before the one for
        all events.

        :param event: the topic of the notifications. Default: all.
        :param handler: a function of one argument, the notification.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if there is one already, or if it is too late to
            register handlers.
        """
        if callable(event):
            event, handler = None, event
        if event is not None:
            _check_event(event, "fallback")

        def register(function: _H) -> _H:
            _check_handler(function)
            self._register(Handler(event, function, is_fallback=True))
            return function

        return register if handler is None else register(handler)

    def around(self, function: _A) -> _A:
        """Register a context manager that is entered around each handler::

            @webhook.around
            @contextmanager
            def transaction(notification, handler):
                with db.session.begin():
                    yield

        Those that are registered first are outside, and those of a group are inside
        those of the webhook. An exception that the context manager raises is a failure
        of the handler; if it raises before the ``yield``, the handler does not run.

        :param function: returns a context manager, and is called with the
            notification and the :class:`.Handler`. If it has an argument ``call``, it
            gets the :class:`.Call`, which has after the ``yield`` what the handler
            returned.
        :raises TypeError: if it cannot be called like this.
        :raises ConfigurationError: if it is too late to register anything.
        """
        takes_call = _takes_call(function)
        self._check_open(function)
        self._arounds.append(Around(function, takes_call))
        return function

    def errorhandler(self, error: type[BaseException]) -> Callable[[_E], _E]:
        """Register a function that answers when a handler fails, as a decorator::

            @webhook.errorhandler(OrderNotFound)
            def not_found(error):
                return "I cannot find this order."

        As in Flask, the handler for the most specific class runs, and those of a group
        come before those of the webhook. :exc:`.InvalidReply` is the error of a reply
        that is invalid. What the function returns is the whole reply. Changes of the
        session and of the interlocutor are discarded, because the delivery is not
        recorded: it runs again when it is sent again.

        :param error: the class of the exceptions.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if there is one for the class already, or if it is
            too late to register anything.
        """
        _check_error(error)

        def register(function: _E) -> _E:
            _check_error_handler(function)
            self._check_open(function)
            if error in self._error_handlers:
                raise ConfigurationError(
                    f"There is an error handler for '{error.__name__}' already. "
                    "Remove one of them."
                )
            both = accepts_arguments(function, 2)
            self._error_handlers[error] = ErrorHandler(function, both)
            return function

        return register

    def include(self, group: HandlerGroup) -> None:
        """Register all handlers of a group, in their order.

        Include a group after importing the module that defines its handlers: handlers
        that are added to it later are an error.

        :param group: the group.
        :raises TypeError: if it is not a group.
        :raises ConfigurationError: if it is included already, or if it is too late to
            register handlers.
        """
        if not isinstance(group, HandlerGroup):
            raise TypeError(
                f"'include' takes a 'HandlerGroup', not a '{type(group).__name__}'."
            )
        if group is self:
            raise ConfigurationError("A group cannot include itself.")
        if any(group is included for included in self._included):
            raise ConfigurationError(
                "The group is included already. "
                "Its handlers would run twice for each notification."
            )
        for handler in group._handlers:
            self._register(handler)
        self._included.append(group)
        group._freeze(
            "The group is included already. Include it after its last handler"
        )

    def _freeze(self, reason: str) -> None:
        """Refuse handlers from now on.

        :param reason: a sentence without its full stop.
        """
        self._frozen = reason

    def _register(self, handler: Handler) -> Handler:
        """Take a handler, and return it as it is registered here."""
        self._check_open(handler.function)
        handler = replace(handler, _number=len(self._handlers))
        if handler.is_fallback:
            self._check_only_fallback(handler)
        self._handlers.append(handler)
        return handler

    def _check_open(self, function: Callable[..., Any]) -> None:
        if self._frozen:
            raise ConfigurationError(
                f"The handler '{name_of(function)}' comes too late. {self._frozen}."
            )

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


class HandlerGroup(HandlerRegistry):
    """Handlers that are written in one place and included in a webhook in another::

        orders = HandlerGroup(filter=Channel("facebook"))


        @orders.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Order"))
        def order(notification): ...


        webhook.include(orders)

    Groups can be included in groups, and one group in several webhooks.

    :param filter: what notifications have to match for any handler of the group.
    :param alone: whether the group answers alone: if one of its handlers matches, no
        handler that is registered after the group runs, whatever ``CLUSTAAR_DISPATCH``
        says. For maintenance, blocked users, or a log-in that comes first.
    """

    def __init__(
        self, filter: FilterLike | None = None, *, alone: bool = False
    ) -> None:
        super().__init__()
        if isinstance(filter, str):
            raise TypeError(
                "A 'HandlerGroup' has no name: its first argument is a filter. Write "
                "'HandlerGroup()' or 'HandlerGroup(filter=StepID(...))'."
            )
        #: What notifications have to match for any handler of the group.
        self.filter: Filter | None = None if filter is None else as_filter(filter)
        #: Whether no handler after the group runs if one of its handlers matches.
        self.alone: bool = alone

    def _register(self, handler: Handler) -> Handler:
        filter = handler.filter
        if self.filter is not None:
            filter = self.filter if filter is None else self.filter & filter
        groups = (self, *handler._groups)
        return super()._register(replace(handler, filter=filter, _groups=groups))


class Router(HandlerRegistry):
    """All handlers of a webhook, and how they are found."""

    def __init__(self) -> None:
        super().__init__()
        self._topics: dict[str, Topic] = {}
        self._fallbacks: list[Handler] = []

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order of their registration, including fallbacks.

        Functions that are connected to the signal of a topic are among them.
        """
        found = [handler for handler in self._handlers if handler.is_fallback]
        for topic in self._topics.values():
            found += topic._all()
        return tuple(sorted(found, key=attrgetter("_number")))

    def signal(self, topic: str) -> Topic:
        """Return the blinker signal of a topic, whose receivers are its handlers.

        Each notification is sent on the signal of its topic, as the sender. Connect a
        function to make it a handler without a filter, for a while in a test::

            with webhook.signal(events.CONVERSATION_STEP_REACHED).connected_to(spy):
                client.say("hi")

        :param topic: the topic of the notifications (:mod:`flask_clustaar.events`).
        """
        return self._topics.setdefault(topic, Topic(topic))

    def find(self, notification: Any) -> list[Handler]:
        """Return the handlers that match, in the order of their registration."""
        topic = self._topics.get(notification.topic)
        return [] if topic is None else list(topic._matching(notification))

    def explain(self, notification: Any, *, values: bool = True) -> list[Explanation]:
        """Say of each handler, in the order of registration, whether it matches.

        The fallbacks come last, in the order in which they are tried. A filter that
        raises an exception does not match.

        :param values: as for :meth:`flask_clustaar.filters.Filter.explain`: without,
            what people wrote is not shown.
        """
        explanations = []
        answered = False
        alone: HandlerGroup | None = None
        answering = ""
        ordinary = (each for each in self.handlers if not each.is_fallback)
        for handler in [*ordinary, *self._fallbacks]:
            if handler.is_fallback and answered:
                matched, sentence = False, "fallback did not match: another handler did"
            elif (
                alone
                and handler.topic == notification.topic
                and (alone not in handler._groups)
            ):
                matched = False
                sentence = f"did not match: '{answering}' before it answers alone"
            elif self._is_muted(handler):
                sentence = f"{handler.topic!r} did not match: its signal is muted"
                matched = False
            else:
                matched, sentence = _explained(handler, notification, values)
            answered = answered or matched
            if matched and (group := _alone(handler)):
                alone, answering = group, handler.name
            explanations.append(Explanation(handler, matched, sentence))
        return explanations

    def _arounds_of(self, handler: Handler) -> list[Around]:
        """Return what is around a handler, from the outside in."""
        if not handler._groups:
            return self._arounds
        inner = [each for group in handler._groups for each in group._arounds]
        return [*self._arounds, *inner]

    def _error_handler_for(
        self, handlers: Sequence[Handler], *errors: BaseException
    ) -> ErrorHandler | None:
        """Return the error handler of the innermost group, for the closest class.

        :param handlers: those that may be at fault; it is a group that all are in.
        :param errors: what was raised, and what that became.
        """
        groups = handlers[0]._groups if handlers else ()
        common = [g for g in groups if all(g in each._groups for each in handlers)]
        for registry in (*reversed(common), self):
            for error in errors:
                for kind in type(error).__mro__:
                    if found := registry._error_handlers.get(kind):
                        return found
        return None

    def _send(self, notification: Any, **arguments: Any) -> list[tuple[Any, Any]]:
        """Send a notification on the signal of its topic.

        :returns: the handlers that matched, and what they returned.
        """
        # Not 'signal()', which makes one: anybody can send any topic.
        topic = self._topics.get(notification.topic)
        return [] if topic is None else topic.send(notification, **arguments)

    def _fallback_for(self, notification: Any) -> Handler | None:
        """Return the fallback for a notification that no other handler matches."""
        for handler in self._fallbacks:
            if handler.topic is not None and handler.topic != notification.topic:
                continue
            if handler.filter is None or handler.filter(notification):
                return handler
        return None

    def _suggestion(self, notification: Any) -> str:
        """Return the decorator of a handler that would get the notification."""
        step_id = step_id_of(notification)
        named = named_steps.get(step_id or "")
        shown = repr(named) if named else shorten(step_id)
        return _decorator(
            shorten(notification.topic), f"StepID({shown})" if step_id else None
        )

    def _is_muted(self, handler: Handler) -> bool:
        return (
            not handler.is_fallback
            and handler.topic is not None
            and self._topics[handler.topic].is_muted
        )

    def _register(self, handler: Handler) -> Handler:
        handler = super()._register(handler)
        if handler.topic is None or handler.is_fallback:
            self._fallbacks.append(handler)
            self._fallbacks.sort(key=_place_of_fallback)
        else:
            self.signal(handler.topic).connect(handler, weak=False)
        return handler


# --- Helpers ------------------------------------------------------------------------


def _alone(handler: Handler) -> HandlerGroup | None:
    """Return the innermost group of a handler that answers alone."""
    return next((group for group in reversed(handler._groups) if group.alone), None)


def _place_of_fallback(handler: Handler) -> tuple[int, bool]:
    """Return the place in which a fallback is tried: that of the innermost first."""
    filters = sum(group.filter is not None for group in handler._groups)
    return -filters, handler.topic is None


def _explained(handler: Handler, notification: Any, values: bool) -> tuple[bool, str]:
    topic = shorten(notification.topic)
    if handler.topic is not None and handler.topic != notification.topic:
        return False, f"{handler.topic!r} did not match: topic is {topic}"
    if handler.filter is None:
        if handler.is_fallback:
            return True, "fallback matched: no other handler did"
        return True, f"{handler.topic!r} matched: topic is {topic}"
    try:
        return handler.filter._explained(notification, values=values)
    except Exception as error:
        return False, f"{handler.filter!r} failed: it raised {type(error).__name__}"


def _decorator(topic: str, filter: str | None) -> str:
    """Return the line, for expressions of a topic and a filter."""
    return f"@webhook.on({topic}{f', filter={filter}' if filter else ''})"


def is_async(function: Any) -> bool:
    """Tell if a function is ``async def``, below all decorators."""
    return inspect.iscoroutinefunction(_function_of(function))


def _function_of(function: Any) -> Any:
    """Return what was written with ``def``, below all decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__qualname__") else type(function).__call__


def name_of(function: Any) -> str:
    """Return the name of a function as it was written, below all decorators."""
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
    if isinstance(function, Handler) or accepts_arguments(function, 1):
        return
    name = name_of(function)
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


def _takes_call(function: Any) -> bool:
    """Tell if a function that is to be around handlers has an argument ``call``.

    :raises TypeError: if it cannot be called with a notification and a handler.
    """
    try:
        signature = inspect.signature(function)
        takes_call = "call" in signature.parameters
        signature.bind(None, None, **{"call": None} if takes_call else {})
    except (TypeError, ValueError):
        shown = name_of(function) if callable(function) else repr(function)
        raise TypeError(
            "'around' takes a function of the notification and the handler, which "
            f"'{shown}' is not. Write '@webhook.around', below it '@contextmanager', "
            "and 'def name(notification, handler): ...'."
        ) from None
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(
            f"'{name_of(function)}' is async. What is around a handler is a plain "
            "context manager, also for handlers that are async."
        )
    if inspect.isgeneratorfunction(function):
        raise TypeError(
            f"'{name_of(function)}' is a generator function, not a context manager. "
            "Write '@contextmanager' between '@webhook.around' and the function."
        )
    return takes_call


def _check_error(error: Any) -> None:
    if not isinstance(error, type) or not issubclass(error, BaseException):
        raise TypeError(
            "'errorhandler' takes a class of exceptions. Write "
            "'@webhook.errorhandler(SomeError)'."
        )
    if issubclass(error, (RequestRejected, NoHandler)):
        raise TypeError(
            f"'{error.__name__}' is not a failure of a handler. Use "
            "'@webhook.fallback' for what no handler matches, and "
            "'@app.errorhandler' for requests that are rejected."
        )


def _check_error_handler(function: Any) -> None:
    if not callable(function):
        raise TypeError(
            "An error handler is a function of the error, 'def sorry(error): ...', "
            f"not a '{type(function).__name__}'."
        )
    if not any(accepts_arguments(function, count) for count in (1, 2)):
        raise TypeError(
            f"The error handler '{name_of(function)}' cannot be called with the error. "
            "Write it as 'def sorry(error): ...', or with the notification as "
            "'def sorry(error, notification): ...'."
        )
