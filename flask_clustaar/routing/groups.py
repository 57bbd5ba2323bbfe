"""Register handlers, on a webhook or in groups."""

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

#: A handler's function.
_H = TypeVar("_H", bound=Callable[[Notification], AnyAnswer])
#: An error handler's function.
_E = TypeVar("_E", bound=Callable[..., AnyAnswer])
#: A function registered with ``around``.
_A = TypeVar("_A", bound=Callable[..., AbstractContextManager[Any]])


class HandlerRegistry:
    """Registers handlers: the base class of webhooks and groups."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._included: list[HandlerGroup] = []
        self._arounds: list[Around] = []
        self._error_handlers: dict[type[BaseException], ErrorHandler] = {}
        self._late: Handler | None = None
        self._frozen: str | None = None

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in order of registration, including fallbacks."""
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
        """Register a handler for an event, as a decorator or by a call::

            @webhook.on(events.CONVERSATION_STEP_REACHED)
            def greet(notification): ...


            webhook.on(events.CONVERSATION_STEP_REACHED, greet)

        All matching handlers get a notification, in order of registration, unless
        ``CLUSTAAR_DISPATCH`` is ``first``. The function is returned unchanged.

        :param event: the topic of the notifications (:mod:`flask_clustaar.events`).
        :param handler: a function with one argument, the notification.
        :param filter: limits the notifications: one of :mod:`flask_clustaar.filters`,
            or a function of the notification. Default: all of the event.
        :param deadline: seconds after the arrival of the request at which the
            :meth:`late` handler replies instead. It can only be shorter than
            ``CLUSTAAR_DEADLINE``.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: after the first request.
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

        Short for ``on(events.CONVERSATION_STEP_REACHED, filter=StepID(...))``.

        :param ids: the ids of the steps.
        :param filter: another filter that notifications must match.
        :param deadline: as for :meth:`on`.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: after the first request.
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

        The fallback of a group is for notifications that match the group's filter. At
        most one fallback runs. Fallbacks of inner groups come first, and a fallback
        for the event comes before a fallback for all events.

        :param event: the topic of the notifications. Default: all.
        :param handler: a function with one argument, the notification.
        :param deadline: as for :meth:`on`.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if there is already one, or after the first request.
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
        """Register the handler that replies when another one is late, as a decorator::

            @webhook.late
            def still_looking(notification):
                return "I am still looking."

        It is called when the deadline has passed, with a fresh notification. Answers
        and changes of other handlers are dropped. Its return value is the reply, which
        is recorded like any other. The late handler of a group is for the handlers of
        that group; the innermost one runs. Late handlers have no deadline.

        :param function: a function with one argument, the notification.
        :raises TypeError: if it cannot be a handler.
        :raises ConfigurationError: if there is already one, or after the first request.
        """
        check_handler(function)
        self._check_open(function)
        if self._late is not None:
            raise ConfigurationError(
                f"'{self._late.name}' is already the late handler, so "
                f"'{name_of(function)}' would never run. Remove one of them."
            )
        self._late = Handler(None, function)
        return function

    def around(self, function: _A) -> _A:
        """Register a context manager that wraps every call of a handler::

            @webhook.around
            @contextmanager
            def transaction(notification, handler):
                with db.session.begin():
                    yield

        The first one registered is the outermost, and those of a group are inside
        those of the webhook. If the context manager raises an exception, the handler
        has failed. If it raises before the ``yield``, the handler does not run.

        :param function: returns a context manager. It is called with the notification
            and the :class:`.Handler`. If it has an argument ``call``, it also gets a
            :class:`.Call`, which has the handler's return value after the ``yield``.
        :raises TypeError: if it cannot be called like this.
        :raises ConfigurationError: after the first request.
        """
        with_call = takes_call(function)
        self._check_open(function)
        self._arounds.append(Around(function, with_call))
        return function

    def errorhandler(self, error: type[BaseException]) -> Callable[[_E], _E]:
        """Register a function that replies when a handler fails, as a decorator::

            @webhook.errorhandler(OrderNotFound)
            def not_found(error):
                return "I cannot find this order."

        As in Flask, the error handler for the most specific class runs. Those of a
        group come before those of the webhook. An invalid reply raises
        :exc:`.InvalidReply`. The return value is the whole reply. The handlers' changes
        of the session and the interlocutor are discarded. The delivery is not recorded,
        so a repeated request runs the handlers again.

        :param error: the exception class.
        :raises TypeError: if an argument has the wrong type.
        :raises ConfigurationError: if the class already has one, or after the first
            request.
        """
        check_error(error)

        def register(function: _E) -> _E:
            check_error_handler(function)
            self._check_open(function)
            if error in self._error_handlers:
                raise ConfigurationError(
                    f"There is already an error handler for '{error.__name__}'. "
                    "Remove one of them."
                )
            both = accepts_arguments(function, 2)
            self._error_handlers[error] = ErrorHandler(function, both)
            return function

        return register

    def include(self, group: HandlerGroup) -> None:
        """Register all handlers of a group, in order.

        Include a group after importing the module that defines its handlers. Handlers
        added later raise an exception.

        :param group: the group.
        :raises TypeError: if it is not a group.
        :raises ConfigurationError: if it is already included, or after the first
            request.
        """
        if not isinstance(group, HandlerGroup):
            raise TypeError(
                f"'include' requires a 'HandlerGroup', not a '{type(group).__name__}'."
            )
        if group is self:
            raise ConfigurationError("A group cannot include itself.")
        if any(group is included for included in self._included):
            raise ConfigurationError(
                "The group is already included, and its handlers would run twice. "
                "Remove one 'include'."
            )
        for handler in group._handlers:
            self._register(handler)
        self._included.append(group)
        group._freeze(
            "Its group is already included. Include the group after its last handler"
        )

    def _freeze(self, reason: str) -> None:
        """Reject handlers from now on.

        :param reason: the reason and the remedy for the error message, without the last
            full stop.
        """
        self._frozen = reason

    def _register(self, handler: Handler) -> Handler:
        """Add a handler, and return it as it is registered here."""
        self._check_open(handler.function)
        handler = replace(handler, _number=len(self._handlers))
        if handler.is_fallback:
            self._check_only_fallback(handler)
        self._handlers.append(handler)
        return handler

    def _check_open(self, function: Callable[..., Any]) -> None:
        if self._frozen:
            raise ConfigurationError(
                f"Cannot register '{name_of(function)}'. {self._frozen}."
            )

    def _check_only_fallback(self, fallback: Handler) -> None:
        for other in self._handlers:
            if (
                other.is_fallback
                and other.topic == fallback.topic
                and other.filter == fallback.filter
            ):
                raise ConfigurationError(
                    f"'{other.name}' is already the fallback, so "
                    f"'{fallback.name}' would never run. Remove one of them."
                )


class HandlerGroup(HandlerRegistry):
    """A group of handlers that is included in a webhook, like a blueprint in an app::

        orders = HandlerGroup(filter=Channel("facebook"))


        @orders.on(events.CONVERSATION_STEP_REACHED, filter=StepName("Order"))
        def order(notification): ...


        webhook.include(orders)

    Groups can be included in other groups, and in several webhooks.

    :param filter: a filter that notifications must match for any handler of the group.
    :param alone: True to stop after this group: if one of its handlers matches, no
        handler registered after the group runs, independently of
        ``CLUSTAAR_DISPATCH``. For maintenance, blocked users, or a log-in.
    :param deadline: the deadline of each handler of the group, as for ``on()``.
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
                "'HandlerGroup' takes no name; its first argument is a filter. Write "
                "'HandlerGroup()' or 'HandlerGroup(filter=StepID(...))'."
            )
        #: The filter that notifications must match for any handler of the group.
        self.filter: Filter | None = None if filter is None else as_filter(filter)
        #: Whether no later handler runs if a handler of the group matches.
        self.alone: bool = alone
        #: The deadline of each handler of the group, in seconds; None for none.
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
