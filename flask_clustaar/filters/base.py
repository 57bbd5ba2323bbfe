"""The base class of filters, and their combinations."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from ..describe import Show, cut, kind_of, shorten, type_name
from .values import frozen

#: The type of ``filter=``: a filter, or a function of one notification.
FilterLike: TypeAlias = "Filter | Callable[[Any], Any]"


class Filter(ABC):
    """Base class of all filters.

    Usually a plain function is enough. Derive from this class for a filter with
    arguments, and pass them to ``super().__init__()``, which provides ``repr()`` and
    ``==``.
    """

    _arguments: tuple[Any, ...] = ()
    _keywords: Mapping[str, Any] = {}

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._arguments = arguments
        self._keywords = keywords

    @abstractmethod
    def __call__(self, target: Any, /) -> bool:
        """Return whether the notification matches.

        :param target: a notification, or the JSON object of one.
        """

    def explain(self, target: Any, *, values: bool = True) -> str:
        """Return a sentence that says whether the notification matches, and why.

        :param target: as for a call.
        :param values: True to show values, shortened. False, for logs, to show only the
            type of values that users wrote or that describe them; ids, names and types
            of actions are always shown.
        """
        return self._explained(target, values=values)[1]

    def _explained(self, target: Any, *, values: bool = True) -> tuple[bool, str]:
        """Return whether the notification matches, and the same as :meth:`explain`."""
        matched, reason = self._weigh(target, shorten if values else kind_of)
        verb = "matched" if matched else "did not match"
        return matched, f"{cut(repr(self), 200)} {verb}: {reason}"

    def match(self, target: Any, /) -> re.Match[str] | None:
        """Return the match of the filter's regular expression, if it has one."""
        return None

    def step_ids(self) -> frozenset[str] | None:
        """Return the ids of the steps that can match; None if any step can."""
        return None

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        """Return whether it matches, and the reason: ``data.channel is 'facebook'``."""
        matched = bool(self(target))
        return matched, f"{self!r} returned {shorten(matched)}"

    def _identity(self) -> Any:
        return self._arguments, self._keywords

    def __and__(self, other: FilterLike) -> Filter:
        return And(self, other)

    def __rand__(self, other: FilterLike) -> Filter:
        return And(other, self)

    def __or__(self, other: FilterLike) -> Filter:
        return Or(self, other)

    def __ror__(self, other: FilterLike) -> Filter:
        return Or(other, self)

    def __xor__(self, other: FilterLike) -> Filter:
        return Xor(self, other)

    def __rxor__(self, other: FilterLike) -> Filter:
        return Xor(other, self)

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError(
            "Filters have no truth value. "
            "Combine them with '&', '|' and '~', not with 'and', 'or' and 'not'."
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Filter) or type(self) is not type(other):
            return NotImplemented
        return bool(frozen(self._identity()) == frozen(other._identity()))

    def __hash__(self) -> int:
        return hash((type(self), frozen(self._identity())))

    def __repr__(self) -> str:
        arguments = [repr(argument) for argument in self._arguments]
        arguments += [f"{key}={value!r}" for key, value in self._keywords.items()]
        return f"{type(self).__name__}({', '.join(arguments)})"


def as_filter(value: FilterLike) -> Filter:
    """Convert a function to a filter; filters are returned unchanged.

    :param value: a filter, or a function of one notification.
    :raises TypeError: if it is neither.
    """
    return value if isinstance(value, Filter) else Custom(value)


#: The operators, lowest precedence first.
_PRECEDENCE: Final = "|^&"


class _Composition(Filter):
    """A combination of filters; nested ones of the same class are flattened."""

    _operator: ClassVar[str]

    def __init__(self, *filters: FilterLike) -> None:
        if not filters:
            raise ValueError(f"{type(self).__name__}: pass at least one filter.")
        parts: list[Filter] = []
        for part in map(as_filter, filters):
            parts += part._arguments if type(part) is type(self) else [part]
        super().__init__(*parts)

    def match(self, target: Any, /) -> re.Match[str] | None:
        for part in self._arguments:
            if found := part.match(target):
                return found if self(target) else None
        return None

    def step_ids(self) -> frozenset[str] | None:
        parts = [part.step_ids() for part in self._arguments]
        return None if None in parts else frozenset().union(*parts)

    def _weigh_until(self, decisive: bool, target: Any, show: Show) -> tuple[bool, str]:
        """Evaluate the parts until one decides the result, and return its reason."""
        reasons = []
        for part in self._arguments:
            matched, reason = part._weigh(target, show)
            if matched is decisive:
                return matched, reason
            reasons.append(reason)
        return not decisive, " and ".join(reasons)

    def __repr__(self) -> str:
        return f" {self._operator} ".join(
            f"({part!r})" if self._encloses(part) else repr(part)
            for part in self._arguments
        )

    def _encloses(self, part: Filter) -> bool:
        if not isinstance(part, _Composition):
            return False
        return _PRECEDENCE.index(part._operator) < _PRECEDENCE.index(self._operator)


class And(_Composition):
    """Match if all of the *filters* match; evaluated left to right, short-circuiting.

    ``a & b`` is the usual notation.
    """

    _operator = "&"

    def __call__(self, target: Any, /) -> bool:
        for part in self._arguments:
            if not part(target):
                return False
        return True

    def step_ids(self) -> frozenset[str] | None:
        parts = [part.step_ids() for part in self._arguments]
        known = [ids for ids in parts if ids is not None]
        return frozenset.intersection(*known) if known else None

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        return self._weigh_until(False, target, show)


class Or(_Composition):
    """Match if any of the *filters* matches; evaluated left to right, short-circuiting.

    ``a | b`` is the usual notation.
    """

    _operator = "|"

    def __call__(self, target: Any, /) -> bool:
        for part in self._arguments:
            if part(target):
                return True
        return False

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        return self._weigh_until(True, target, show)


class Xor(_Composition):
    """Match if an odd number of the *filters* match; of two, exactly one.

    ``a ^ b`` is the usual notation.
    """

    _operator = "^"

    def __call__(self, target: Any, /) -> bool:
        return sum(bool(part(target)) for part in self._arguments) % 2 == 1

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        weighed = [part._weigh(target, show) for part in self._arguments]
        matched = sum(part for part, _ in weighed) % 2 == 1
        return matched, " and ".join(reason for _, reason in weighed)


class Not(Filter):
    """Match if the *filter* does not match. ``~a`` is the usual notation."""

    def __init__(self, filter: FilterLike) -> None:
        self._filter = as_filter(filter)
        super().__init__(self._filter)

    def __call__(self, target: Any, /) -> bool:
        return not self._filter(target)

    def __invert__(self) -> Filter:
        return self._filter

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        matched, reason = self._filter._weigh(target, show)
        return not matched, reason

    def __repr__(self) -> str:
        if isinstance(self._filter, _Composition):
            return f"~({self._filter!r})"
        return f"~{self._filter!r}"


class Custom(Filter):
    """A plain function as a filter; created by ``filter=`` and the operators.

    :param function: takes one notification, and returns a true or false value.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        _check_function(function)
        super().__init__(function)
        self._function = function

    def __call__(self, target: Any, /) -> bool:
        return bool(self._function(target))

    def __repr__(self) -> str:
        return getattr(self._function, "__qualname__", None) or repr(self._function)


def _check_function(function: Any) -> None:
    if isinstance(function, str):
        raise TypeError(
            f"{shorten(function)} is not a filter. "
            f"Did you mean 'StepID({shorten(function)})'?"
        )
    if isinstance(function, type):
        name = function.__name__
        raise TypeError(
            f"'{name}' is a class, not a filter. Did you mean '{name}(...)'?"
        )
    if not callable(function):
        raise TypeError(
            "A filter must be a filter object or a function of one notification, "
            f"not {type_name(function)}."
        )
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    # A coroutine would always be true.
    if any(map(inspect.iscoroutinefunction, (function, function.__call__))):
        raise TypeError(
            f"The filter '{name}' is async. Make it a plain function, and await in the "
            "handler instead."
        )
    if not accepts_arguments(function, 1):
        raise TypeError(
            f"The filter '{name}' must accept one argument, the notification."
        )


def accepts_arguments(function: Callable[..., Any], count: int) -> bool:
    """Return whether *function* can be called with *count* positional arguments.

    Decorators are not unwrapped, because they may pass other arguments to the function.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some built-in functions have no signature.
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
