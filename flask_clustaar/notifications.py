"""From the bytes of a body to a notification."""

from __future__ import annotations

import codecs
import gc
import json
import math
from typing import Any, Final, NoReturn

import marshmallow

from . import fast
from .errors import InvalidJSON, InvalidNotification, Violation
from .models import Notification
from .schemas import schema_for, violations


def load_notification(body: bytes) -> Notification:
    """Load what the platform sent (PROTOCOL 3).

    Nothing but the envelope can make this fail: it must be a JSON object with a topic.

    :param body: the body of the request.
    :raises InvalidJSON: when it is not JSON in UTF-8, is nested beyond reason, or has
        a number that is none (NaN, Infinity) or has thousands of digits.
    :raises InvalidNotification: when it is JSON, but not an object with a topic.
    """
    document = _parse(body)
    if type(document) is dict and type(document.get("topic")) is str:
        return fast.load(Notification, document)
    if not isinstance(document, dict):
        wrong = [Violation("", "Not a valid object.")]
        raise InvalidNotification(violations=wrong)
    try:
        schema_for(Notification, received=True).load(document)
    except marshmallow.ValidationError as error:
        raise InvalidNotification(violations=violations(error)) from error
    raise InvalidNotification  # pragma: no cover (the schema refuses all that is left)


#: How many objects and arrays may stand in one another.
DEEPEST: Final = 100


def _parse(body: bytes) -> Any:
    try:
        document = _DECODER.decode(body.decode())
        if _is_deep(document):
            raise RecursionError
        return document
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"The body is not UTF-8 at byte {error.start}.") from error
    except RecursionError as error:
        raise InvalidJSON("The body is nested too deeply.") from error
    except ValueError as error:
        if body.startswith(codecs.BOM_UTF8):
            raise InvalidJSON(
                "The body begins with a byte order mark (BOM). Send UTF-8 without it."
            ) from error
        detail = f"The body is not valid JSON: {_reason(error)}."
        raise InvalidJSON(detail) from error


def _is_deep(document: Any) -> bool:
    """Tell if a document is nested deeper than any program should have to follow.

    The garbage collector knows what contains what, and tells it level by level: a loop
    over all values takes ten times as long.
    """
    level = [document]
    for _ in range(DEEPEST):
        level = gc.get_referents(*level)
        if not level:
            return False
    return any(isinstance(value, (dict, list)) for value in level)


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return "a number is not finite or has too many digits"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
