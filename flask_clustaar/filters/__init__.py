"""Filters decide which notifications a handler gets.

A filter is called with a notification, or with the JSON object of one, and says whether
it matches. No document, however odd, makes a filter of this module raise. Filters
compose with ``&``, ``|``, ``^`` and ``~``, also with plain functions::

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
