"""Filters select the notifications that a handler gets.

A filter is called with a notification or its JSON object, and returns whether it
matches. The filters of this module never raise, even for malformed documents. Combine
filters, and plain functions, with ``&``, ``|``, ``^`` and ``~``::

    StepID("507f191e810c19729de860ea") & ~TestConsole() & (lambda n: n.input is None)
"""

from .base import And, Custom, Filter, FilterLike, Not, Or, Xor, as_filter
from .ids import BotID, Channel, InputType, StepID, StepName
from .jmespath import JMESPath
from .paths import (
    JSONKeyEquals,
    JSONKeyExists,
    JSONKeyIn,
    SessionValue,
    TestConsole,
    UserAttribute,
)
from .text import TextEquals, TextMatches
from .user_data import UserDataContains, UserDataEquals, UserDataHas

__all__ = [
    "And",
    "BotID",
    "Channel",
    "Custom",
    "Filter",
    "FilterLike",
    "InputType",
    "JMESPath",
    "JSONKeyEquals",
    "JSONKeyExists",
    "JSONKeyIn",
    "Not",
    "Or",
    "SessionValue",
    "StepID",
    "StepName",
    "TestConsole",
    "TextEquals",
    "TextMatches",
    "UserAttribute",
    "UserDataContains",
    "UserDataEquals",
    "UserDataHas",
    "Xor",
    "as_filter",
]
