"""Registration of handlers: on a webhook, and in groups."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar, overload

from ..answers import AnyAnswer
from ..deadline import shortest
from ..errors import ConfigurationError
from ..events import CONVERSATION_STEP_REACHED
from ..filters import Filter, FilterLike, StepID, as_filter
from ..filters.base import accepts_arguments
from ..models import Notification
from .checks import (
    check_deadline,
    check_error,
    check_error_handler,
    check_event,
    check_handler,
    check_step_ids,
    takes_call,
)
from .handlers import Around, ErrorHandler, Handler, name_of

#: The function of a handler.
_H = TypeVar("_H", bound=Callable[[Notification], AnyAnswer])
#: The function of an error handler.
_E = TypeVar("_E", bound=Callable[..., AnyAnswer])
#: What is registered with ``around``.
_A = TypeVar("_A", bound=Callable[..., AbstractContextManager[Any]])


class HandlerRegistry:
    """Where handlers are registered: the base of a webhook and of a group."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._included: list[HandlerGroup] = []
        self._arounds: list[Around] = []
        self._error_handlers: dict[type[BaseException], ErrorHandler] = {}
        self._late: Handler | None = None
        self._frozen: str | None = None

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in the order of their registration, including fallbacks."""
        return tuple(self._handlers)

    @overload
    def on(
        self,
        event: str,
        handler: None = None,
        *,
        filter: FilterLike | None = None,
        deadline: float | None = None,
    ) -> Callable[[_H], _H]: ...

    @overload
    def on(
        self,
        event: str,
        handler: _H,
        *,
        filter: FilterLike | None = None,
        deadline: float | None = None,
    ) -> _H: ...

    def on(
        self,
        event: str,
        handler: Any = None,
        *,
        filter: FilterLike | None = None,
        deadline: float | None = None,
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
        :param deadline: after how many seconds, from the arrival of the request, the
            handler is :meth:`late`. It can only shorten ``CLUSTAAR_DEADLINE``.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if it is too late to register handlers.
        """
        check_event(event, "on")
        own = None if filter is None else as_filter(filter)
        check_deadline(deadline)

        def register(function: _H) -> _H:
            check_handler(function)
            self._register(Handler(event, function, own, deadline=deadline))
            return function

        return register if handler is None else register(handler)

    def on_step(
        self,
        *ids: str,
        filter: FilterLike | None = None,
        deadline: float | None = None,
    ) -> Callable[[_H], _H]:
        """Register a handler for one or more steps, as a decorator::

            @webhook.on_step("507f191e810c19729de860ea")
            def greet(notification): ...

        It is short for ``on(events.CONVERSATION_STEP_REACHED, filter=StepID(...))``.

        :param ids: the ids of the steps.
        :param filter: what a notification has to match as well.
        :param deadline: as for :meth:`on`.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if it is too late to register handlers.
        """
        check_step_ids(ids)
        steps: Filter = StepID(*ids)
        both = steps if filter is None else steps & filter
        return self.on(CONVERSATION_STEP_REACHED, filter=both, deadline=deadline)

    @overload
    def fallback(self, event: _H, /) -> _H: ...

    @overload
    def fallback(
        self, event: str | None = None, /, *, deadline: float | None = None
    ) -> Callable[[_H], _H]: ...

    @overload
    def fallback(
        self, event: str | None, handler: _H, /, *, deadline: float | None = None
    ) -> _H: ...

    def fallback(
        self,
        event: Any = None,
        handler: Any = None,
        /,
        *,
        deadline: float | None = None,
    ) -> Any:
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
        :param deadline: as for :meth:`on`.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if there is one already, or if it is too late to
            register handlers.
        """
        if callable(event):
            event, handler = None, event
        check_deadline(deadline)
        if event is not None:
            check_event(event, "fallback")

        def register(function: _H) -> _H:
            check_handler(function)
            self._register(
                Handler(event, function, is_fallback=True, deadline=deadline)
            )
            return function

        return register if handler is None else register(handler)

    def late(self, function: _H) -> _H:
        """Register the handler that answers when another one is late, as a decorator::

            @webhook.late
            def still_looking(notification):
                return "I am still looking."

        It is called as soon as the deadline is over, with a fresh notification: what
        other handlers answered or changed is dropped. What it returns is the reply,
        which is recorded as any other. The late handler of the innermost group is for
        the handlers of that group. It has no deadline itself.

        :param function: a function of one argument, the notification.
        :raises TypeError: if it is not.
        :raises ConfigurationError: if there is one already, or if it is too late to
            register handlers.
        """
        check_handler(function)
        self._check_open(function)
        if self._late is not None:
            raise ConfigurationError(
                f"'{self._late.name}' is the late handler already, and "
                f"'{name_of(function)}' would never run. Remove one of them."
            )
        self._late = Handler(None, function)
        return function

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
        with_call = takes_call(function)
        self._check_open(function)
        self._arounds.append(Around(function, with_call))
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
        check_error(error)

        def register(function: _E) -> _E:
            check_error_handler(function)
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
    :param deadline: the deadline of each handler of the group, as for :meth:`on`.
    """

    def __init__(
        self,
        filter: FilterLike | None = None,
        *,
        alone: bool = False,
        deadline: float | None = None,
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
        #: After how many seconds each handler of the group is late.
        self.deadline: float | None = check_deadline(deadline)

    def _register(self, handler: Handler) -> Handler:
        filter = handler.filter
        if self.filter is not None:
            filter = self.filter if filter is None else self.filter & filter
        groups = (self, *handler._groups)
        deadline = shortest(self.deadline, handler.deadline)
        return super()._register(
            replace(handler, filter=filter, deadline=deadline, _groups=groups)
        )
