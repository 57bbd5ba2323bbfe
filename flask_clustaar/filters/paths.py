"""Filters on the value at a path in the notification."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from ..describe import Nothing, Show, shorten, type_name
from .base import Filter
from .values import (
    checked_path,
    equal,
    find,
    frozen,
    is_scalar,
    json_value,
    listed,
)

_ANY: Final = Nothing("any value")
_STEP_ID: Final = "data.step.id"


class Look(Filter):
    """A filter on one value of the notification."""

    #: The dotted path of the value.
    _path: str
    #: Whether the value is a user's text or personal data.
    _personal: ClassVar[bool] = True

    @abstractmethod
    def _accepts(self, found: Any) -> bool:
        """Return whether the value that was found, or ``ABSENT``, matches."""

    def _look(self, target: Any) -> tuple[str, Any]:
        """Return the path and its value."""
        return self._path, find(target, self._keys)

    @functools.cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(self._path.split("."))

    def __call__(self, target: Any, /) -> bool:
        return self._accepts(self._look(target)[1])

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        path, found = self._look(target)
        shown = show(found) if self._personal else shorten(found)
        return self._accepts(found), f"{path} is {shown}"


class Value(Look):
    """A filter on the value at a path: that it exists, or that it equals a value."""

    #: Prefix of the path that is passed.
    _prefix: ClassVar[str] = ""

    def __init__(self, path: str, value: Any = _ANY) -> None:
        path = checked_path(self, path)
        self._path = self._prefix + path
        self._any = value is _ANY
        self._value = None if self._any else json_value(self, value)
        super().__init__(*([path] if self._any else [path, self._value]))

    def _accepts(self, found: Any) -> bool:
        if isinstance(found, Nothing):
            return False
        return self._any or equal(found, self._value)

    def step_ids(self) -> frozenset[str] | None:
        if self._path != _STEP_ID or not isinstance(self._value, str):
            return None
        return frozenset([self._value])


class JSONKeyEquals(Value):
    """Match if the value at *path* equals *value*.

    Values are compared as JSON values, at any depth: ``1`` equals ``1.0``, but not
    ``true``.

    :param path: keys joined by dots, with integers for positions in lists, such as
        ``data.step.actions.0.type``. ``actions[0]`` means ``actions.0``.
    :param value: a JSON value. None matches null, but not a missing key.
    """

    def __init__(self, path: str, value: Any) -> None:
        super().__init__(path, value)


class JSONKeyExists(Value):
    """Match if there is a value at *path*, including null.

    :param path: as for :class:`JSONKeyEquals`.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)


class JSONKeyIn(Look):
    """Match if the value at *path* equals one of *values*.

    :param path: as for :class:`JSONKeyEquals`.
    :param values: JSON values, compared as by :class:`JSONKeyEquals`.
    """

    def __init__(self, path: str, values: Iterable[Any]) -> None:
        self._path = checked_path(self, path)
        self._values = [json_value(self, value) for value in listed(self, values)]
        self._scalars = {frozen(value) for value in self._values if is_scalar(value)}
        super().__init__(self._path, self._values)

    def _accepts(self, found: Any) -> bool:
        if is_scalar(found):
            return frozen(found) in self._scalars
        return any(equal(found, value) for value in self._values)

    def step_ids(self) -> frozenset[str] | None:
        if self._path != _STEP_ID or not all(isinstance(v, str) for v in self._values):
            return None
        return frozenset(self._values)

    def _identity(self) -> Any:
        return self._path, frozenset(map(frozen, self._values))


class SessionValue(Value):
    """Match if the session has a value at *key*, or if this value equals *value*.

    :param key: the key, or a path into the value as for :class:`JSONKeyEquals`.
    :param value: a JSON value. Default: any value, including null.
    """

    _prefix = "data.session.values."

    def __init__(self, key: str, value: Any = _ANY) -> None:
        super().__init__(key, value)


class UserAttribute(Value):
    """Match if the user has a custom attribute *key*, or if it equals *value*.

    :param key: the name of the attribute.
    :param value: a string, because all custom attributes are strings, including numbers
        (PROTOCOL 3). Default: any value.
    """

    _prefix = "data.interlocutor.customAttributes."

    def __init__(self, key: str, value: Any = _ANY) -> None:
        if value is not _ANY and not isinstance(value, str):
            raise TypeError(
                "UserAttribute: custom attributes are strings, including numbers. "
                f"Pass a string such as '25', not {type_name(value)}."
            )
        super().__init__(key, value)


class TestConsole(Look):
    """Match if the notification is from the platform's test console."""

    #: Tells pytest that this class is not a test case.
    __test__ = False

    _path = "data.interlocutor.usedToTest"

    def __init__(self) -> None:
        super().__init__()

    def _look(self, target: Any) -> tuple[str, Any]:
        return "usedToTest", super()._look(target)[1]

    def _accepts(self, found: Any) -> bool:
        return found is True
