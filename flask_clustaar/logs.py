"""The logger of the package, and the fields of its records."""

from __future__ import annotations

import copy
import functools
import logging
import re
import traceback
from collections.abc import Iterator
from typing import Any, Final

from .describe import cut, named_steps, shorten
from .errors import InvalidReply, Violation
from .models import Notification
from .printable import printable, printable_traceback
from .schemas.attributes import Attribute, attributes_of
from .wire import Model

#: Logs requests, failures and explanations.
logger: logging.Logger = logging.getLogger("flask_clustaar")

#: The fields of each record, without the prefix ``clustaar_``.
FIELDS: Final = (
    "webhook",
    "topic",
    "step",
    "step_name",
    "bot",
    "handler",
    "code",
    "status",
    "delivery",
    "duration",
    "repeated",
)


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception, without line breaks in messages."""
    if isinstance(error, InvalidReply):  # This package wrote its lines.
        return "".join(traceback.format_exception(error))
    return printable_traceback(error)


def _with_printable_traceback(record: logging.LogRecord) -> bool:
    """Keep texts of users in exceptions from starting a new line in the log.

    Formatters use the record's text instead of the exception. Exceptions without line
    breaks are left to the formatter.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        shown = traceback_of(error)
        if shown != "".join(traceback.format_exception(error)):
            record.exc_text = shown.removesuffix("\n")
    return True


logger.addFilter(_with_printable_traceback)


def extra(notification: Notification | None = None, **facts: Any) -> dict[str, Any]:
    """Return the ``extra`` of a log record: all fields, None for what is unknown.

    :param notification: the notification that the record is about.
    :param facts: other known fields, without their prefix.
    """
    facts.update(_facts_of(notification))
    return {f"clustaar_{name}": _shown(facts.get(name)) for name in FIELDS}


def place(notification: Notification | None) -> str:
    """Return the place of a notification for a message, such as ``the step …``."""
    facts = dict(_facts_of(notification))
    if facts.get("step") is None:
        return shorten(facts.get("topic"))
    name = facts["step_name"]
    # For steps of flask_clustaar.steps, 'shorten' adds the name.
    is_named = isinstance(facts["step"], str) and facts["step"] in named_steps
    shown = "" if name is None or is_named else f" ({shorten(name)})"
    return f"the step {shorten(facts['step'])}{shown}"


def without_keys(error: BaseException) -> BaseException:
    """Return an error whose violations do not contain keys that users may have typed.

    The key of a session value can be a user's text, with line breaks.
    """
    if not isinstance(error, InvalidReply):
        return error
    shown = copy.copy(error)
    shown.violations = tuple(
        Violation(_without_keys(violation.path), violation.message)
        for violation in error.violations
    )
    shown.__cause__ = error.answered and without_keys(error.answered)
    return shown.with_traceback(None)


def _facts_of(notification: Notification | None) -> Iterator[tuple[str, Any]]:
    if notification is None:
        return
    yield "topic", notification.topic
    yield "step", notification.step.id
    yield "step_name", notification.step.name
    yield "bot", notification.bot_id


def _shown(value: Any) -> Any:
    """Return a value for a record; texts become one short line."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return printable(cut(str(value), 80))


_INDEX: Final = re.compile(r"[0-9]{1,4}")


def _without_keys(path: str) -> str:
    """Return a path up to the first segment that a user may have typed.

    A text with dots has several segments, so everything after the first is hidden.
    """
    segments = path.split(".")
    names, before = _names(), ""
    for position, segment in enumerate(segments):
        is_index = names.get(before) and _INDEX.fullmatch(segment)
        if segment not in names and not is_index:
            typed = ".".join(segments[position:])
            return ".".join([*segments[:position], shorten(cut(typed, 4))])
        before = segment
    return path


@functools.cache
def _names() -> dict[str, bool]:
    """Return the keys and attributes of all models, and whether they are lists."""
    models = [Model]
    for model in models:
        models += model.__subclasses__()
    rows = [row for model in models[1:] for row in attributes_of(model)]
    lists = {name for row in rows if row.shape.kind == "list" for name in _spelt(row)}
    return {name: name in lists for row in rows for name in _spelt(row)}


def _spelt(row: Attribute) -> tuple[str, str]:
    return row.key, row.name
