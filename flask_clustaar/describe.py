"""Format values for messages."""

from __future__ import annotations

import reprlib
import sys
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

#: A function that shows a value, or only its type.
Show: TypeAlias = Callable[[object], str]


class Nothing:
    """A missing value; its repr completes the sentence ``… is``."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


#: The named steps of ``flask_clustaar.steps``, by id.
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
    """Shortens values."""

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
        # Python does not format integers with more than 4,300 digits.
        return repr(x) if abs(x) < 10**60 else "a huge number"


_SHORT: Final = _Short()


def shorten(value: object) -> str:
    """Return a value for a message: shortened, and in JSON's notation."""
    return cut(_SHORT.repr(value), 80)


def kind_of(value: object) -> str:
    """Return the type of a value that users wrote, which may be logged."""
    if value is None or isinstance(value, (bool, Nothing)):
        return shorten(value)
    return _KINDS.get(type(value), "a value")


def type_name(value: object) -> str:
    """Return the type of an argument for a message, such as ``a list``."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def cut(text: str, length: int) -> str:
    """Shorten a text to *length* characters, with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def warn_at_the_program(message: str, category: type[Warning]) -> None:
    """Issue a warning at the innermost stack frame outside this package."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
