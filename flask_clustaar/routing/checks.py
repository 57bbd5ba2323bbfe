"""Checks of arguments at registration; every error says how to fix it."""

from __future__ import annotations

import inspect
from typing import Any

from ..errors import NoHandler, RequestRejected
from ..filters import Filter
from ..filters.base import accepts_arguments
from .handlers import Handler, name_of


def check_event(event: Any, method: str) -> None:
    if not isinstance(event, str):
        raise TypeError(
            "The event must be a string. "
            f"Write '@webhook.{method}(\"conversation.step_reached\")'."
        )
    if not event:
        raise ValueError(
            f"The event passed to '{method}' is empty. Pass one of "
            "'flask_clustaar.events'; a fallback needs no event."
        )


def check_step_ids(ids: tuple[Any, ...]) -> None:
    if not ids or callable(ids[0]):
        raise TypeError(
            "'on_step' requires the id of a step. Write "
            "'@webhook.on_step(\"507f191e810c19729de860ea\")'."
        )


def check_handler(function: Any) -> None:
    if isinstance(function, Filter):
        raise TypeError(
            f"{function!r} is a filter, not a handler. Did you mean "
            f"'filter={function!r}'?"
        )
    if not callable(function):
        raise TypeError(
            "A handler must be a function with one argument, "
            f"'def greet(notification): ...', not a '{type(function).__name__}'."
        )
    if isinstance(function, Handler) or accepts_arguments(function, 1):
        return
    name = name_of(function)
    hint = f"Write it as 'def {name}(notification): ...'."
    if isinstance(function, type):
        hint = f"Did you mean '{name}()'?"
    elif accepts_arguments(function, 3):
        hint += (
            " For '(request, response, notification)', use "
            "'flask_clustaar.compat.Webhook'."
        )
    raise TypeError(
        f"The handler '{name}' must accept one argument, the notification. {hint}"
    )


def check_deadline(deadline: float | None) -> float | None:
    """Return a deadline that was given to a handler or a group."""
    if deadline is None:
        return None
    if isinstance(deadline, bool) or not isinstance(deadline, (int, float)):
        raise TypeError(
            "'deadline' is a number of seconds, not a "
            f"'{type(deadline).__name__}'. Write 'deadline=2'."
        )
    if not 0 < deadline < 10**12:
        raise ValueError(
            f"'deadline' must be a positive number of seconds, not {deadline!r:.40}."
        )
    return deadline


def takes_call(function: Any) -> bool:
    """Return whether a function for ``around`` has an argument ``call``.

    :raises TypeError: if it is not a context manager, or cannot be called with a
        notification and a handler.
    """
    try:
        signature = inspect.signature(function)
        takes_call = "call" in signature.parameters
        signature.bind(None, None, **{"call": None} if takes_call else {})
    except (TypeError, ValueError):
        shown = name_of(function) if callable(function) else repr(function)
        raise TypeError(
            f"'{shown}' cannot be called with a notification and a handler, as "
            "'around' requires. Write '@webhook.around', below it '@contextmanager', "
            "and 'def name(notification, handler): ...'."
        ) from None
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner):
        raise TypeError(
            f"'{name_of(function)}' is async. 'around' requires a plain context "
            "manager, also for async handlers."
        )
    if inspect.isgeneratorfunction(function):
        raise TypeError(
            f"'{name_of(function)}' is a generator function, not a context manager. "
            "Write '@contextmanager' between '@webhook.around' and the function."
        )
    return takes_call


def check_error(error: Any) -> None:
    if not isinstance(error, type) or not issubclass(error, BaseException):
        raise TypeError(
            "'errorhandler' requires an exception class. Write "
            "'@webhook.errorhandler(SomeError)'."
        )
    if issubclass(error, (RequestRejected, NoHandler)):
        raise TypeError(
            f"Handlers do not fail with '{error.__name__}'. Use '@webhook.fallback' "
            "for notifications that no handler matches, and '@app.errorhandler' for "
            "rejected requests."
        )


def check_error_handler(function: Any) -> None:
    if not callable(function):
        raise TypeError(
            "An error handler must be a function, 'def sorry(error): ...', "
            f"not a '{type(function).__name__}'."
        )
    if not any(accepts_arguments(function, count) for count in (1, 2)):
        raise TypeError(
            f"The error handler '{name_of(function)}' must accept one argument, the "
            "error. Write it as 'def sorry(error): ...' or "
            "'def sorry(error, notification): ...'."
        )
