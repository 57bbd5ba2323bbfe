"""What can be registered: the errors when the program starts, with their remedies."""

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
            "An event is a string. "
            f"Write '@webhook.{method}(\"conversation.step_reached\")'."
        )
    if not event:
        raise ValueError(
            f"'{method}' was given an empty event. "
            "Pass one of 'flask_clustaar.events', or leave it out for a fallback."
        )


def check_step_ids(ids: tuple[Any, ...]) -> None:
    if not ids or callable(ids[0]):
        raise TypeError(
            "'on_step' needs the id of a step. Write "
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


def check_error(error: Any) -> None:
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


def check_error_handler(function: Any) -> None:
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
