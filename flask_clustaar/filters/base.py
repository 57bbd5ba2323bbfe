"""What a filter is, and how filters compose."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from ..describe import Show, cut, kind_of, shorten, type_name
from .values import frozen

#: What ``filter=`` takes: a filter, or any function of one notification.
FilterLike: TypeAlias = "Filter | Callable[[Any], Any]"


class Filter(ABC):
    """The base of all filters.

    Most filters of one's own are plain functions. Derive from this class for one that
    takes arguments, and pass them to ``super().__init__()``: they are what ``repr()``
    shows and ``==`` compares.
    """

    _arguments: tuple[Any, ...] = ()
    _keywords: Mapping[str, Any] = {}

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self._arguments = arguments
        self._keywords = keywords

    @abstractmethod
    def __call__(self, target: Any, /) -> bool:
        """Return whether the notification matches.

        :param target: a notification (what has the JSON object it was loaded from as
            ``received``), or such a JSON object itself.
        """

    def explain(self, target: Any, *, values: bool = True) -> str:
        """Say in a sentence whether the notification matches, and why.

        :param target: as for a call.
        :param values: whether the sentence shows, shortened, what was found. Without,
            it shows ids, names and types, but tells only the kind of what people wrote
            and of what is known about them; for logs.
        """
        return self._explained(target, values=values)[1]

    def _explained(self, target: Any, *, values: bool = True) -> tuple[bool, str]:
        """Return whether the notification matches, and the sentence of
        :meth:`explain`.
        """
        matched, reason = self._weigh(target, shorten if values else kind_of)
        verb = "matched" if matched else "did not match"
        return matched, f"{cut(repr(self), 200)} {verb}: {reason}"

    def match(self, target: Any, /) -> re.Match[str] | None:
        """Return the match of the regular expression by which the notification
        matches, if there is one.
        """
        return None

    def step_ids(self) -> frozenset[str] | None:
        """Return the ids of the only steps that can match; None if any step can."""
        return None

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        """Return whether it matches, and the reason: «data.channel is 'facebook'»."""
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
            "A filter is neither true nor false before it is called. "
            "Combine filters with '&', '|' and '~', not with 'and', 'or' and 'not'."
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
    """Return a filter for what somebody passed as one.

    :param value: a filter, or a function of one notification.
    :raises TypeError: if it is neither.
    """
    return value if isinstance(value, Filter) else Custom(value)


#: The operators, from the one that binds least.
_PRECEDENCE: Final = "|^&"


class _Composition(Filter):
    """Several filters as one; one of the same kind among them is taken apart."""

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
        """Weigh the parts up to one whose outcome decides; it is the reason then."""
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
    """Match if all of the *filters* do; asked from left to right, as far as needed.

    ``a & b`` is the usual way to write it.
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
    """Match if one of the *filters* does; asked from left to right, as far as needed.

    ``a | b`` is the usual way to write it.
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
    """Match if an odd number of the *filters* does: of two, exactly one.

    ``a ^ b`` is the usual way to write it.
    """

    _operator = "^"

    def __call__(self, target: Any, /) -> bool:
        return sum(bool(part(target)) for part in self._arguments) % 2 == 1

    def _weigh(self, target: Any, show: Show) -> tuple[bool, str]:
        weighed = [part._weigh(target, show) for part in self._arguments]
        matched = sum(part for part, _ in weighed) % 2 == 1
        return matched, " and ".join(reason for _, reason in weighed)


class Not(Filter):
    """Match if the *filter* does not. ``~a`` is the usual way to write it."""

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
    """A plain function as a filter. ``filter=`` and the operators make it.

    :param function: takes one notification and returns something true or false.
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
            "A filter is a function of one notification, or several joined with '&' "
            f"and '|', not {type_name(function)}."
        )
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    # A coroutine is always true.
    if any(map(inspect.iscoroutinefunction, (function, function.__call__))):
        raise TypeError(
            f"The filter '{name}' is async. Make it a plain function, "
            "and leave what has to be awaited to the handler."
        )
    if not accepts_arguments(function, 1):
        raise TypeError(f"The filter '{name}' must take one argument, a notification.")


def accepts_arguments(function: Callable[..., Any], count: int) -> bool:
    """Return whether *function* can be called with *count* positional arguments.

    What counts is what will be called: a decorator that passes more arguments on is
    free to do so.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        # Some built-in functions do not tell.
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
