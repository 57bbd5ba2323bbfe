"""Filters on the step's userData, which the bot designer enters."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from ..describe import Nothing
from .paths import Look, Value
from .text import folded
from .values import check_text, find

_USER_DATA: Final = ("data", "step", "userData")
_NO_OBJECT: Final = Nothing("not a JSON object")


class _UserDataValue(Value):
    """A filter on a value in the step's userData, if it is a JSON object."""

    _prefix = "data.step.userData."

    def _look(self, target: Any) -> tuple[str, Any]:
        data = find(target, _USER_DATA)
        parsed = _parsed(data) if isinstance(data, str) else data
        if not isinstance(parsed, Mapping):
            return "data.step.userData", _NO_OBJECT
        return self._path, find(parsed, self._keys[len(_USER_DATA) :])


class UserDataEquals(_UserDataValue):
    """Match if the step's userData is a JSON object whose *key* equals *value*.

    :param key: the key, or a path as for :class:`JSONKeyEquals`.
    :param value: a JSON value.
    """

    def __init__(self, key: str, value: Any) -> None:
        super().__init__(key, value)


class UserDataHas(_UserDataValue):
    """Match if the step's userData is a JSON object that has *key*, including null.

    :param key: the key, or a path as for :class:`JSONKeyEquals`.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)


class UserDataContains(Look):
    """Match if the step's userData contains *text*.

    :param text: the text to find.
    :param ignore_case: fold both texts as :class:`TextEquals` does.
    """

    _path = "data.step.userData"

    def __init__(self, text: str, *, ignore_case: bool = True) -> None:
        check_text(self, text)
        super().__init__(text, **({} if ignore_case else {"ignore_case": False}))
        self._fold = folded if ignore_case else str
        self._text = self._fold(text)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._text in self._fold(found)


def _parsed(text: str) -> Any:
    """Parse userData; short texts are parsed once for all filters."""
    return _parsed_once(text) if len(text) <= 10_000 else _parse(text)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_OBJECT


_parsed_once = functools.lru_cache(maxsize=8)(_parse)
