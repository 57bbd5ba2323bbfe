"""How values are shown in sentences."""

from __future__ import annotations

import reprlib
import sys
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

#: Shows a value, or only tells its kind.
Show: TypeAlias = Callable[[object], str]


class Nothing:
    """What was looked for and is not there; its repr ends the sentence «... is»."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


#: The steps that have a name in ``flask_clustaar.steps``, by their ids.
named_steps: Final[weakref.WeakValueDictionary[str, Any]] = (
    weakref.WeakValueDictionary()
)

_KINDS: Final[Mapping[type, str]] = {
    str: "a string",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}


class _Short(reprlib.Repr):
    """How values are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxother = 60

    def repr_str(self, x: str, level: int) -> str:
        step = named_steps.get(x)
        return super().repr_str(str(x), level) + (f" ({step.name})" if step else "")

    def repr_bool(self, x: bool, level: int) -> str:
        return "true" if x else "false"

    def repr_NoneType(self, x: None, level: int) -> str:
        return "null"

    def repr_int(self, x: int, level: int) -> str:
        # Python does not write out an integer of more than 4,300 digits.
        return repr(x) if abs(x) < 10**60 else "a huge number"


_SHORT: Final = _Short()


def shorten(value: object) -> str:
    """Return a value for a sentence: its beginning and end, in JSON's words."""
    return cut(_SHORT.repr(value), 80)


def kind_of(value: object) -> str:
    """Return what may stand in a log of a value that people wrote."""
    if value is None or isinstance(value, (bool, Nothing)):
        return shorten(value)
    return _KINDS.get(type(value), "a value")


def type_name(value: object) -> str:
    """Return what somebody passed, for a sentence: «a list»."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def cut(text: str, length: int) -> str:
    """Return the beginning of a text of more than *length* characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def warn_at_the_program(message: str, category: type[Warning]) -> None:
    """Warn at the innermost line of the program, outside of this package."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
