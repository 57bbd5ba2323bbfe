"""Filters decide which notifications a handler gets.

A filter is called with a notification, or with the JSON object of one, and says whether
it matches. No document, however odd, makes a filter of this module raise. Filters
compose with ``&``, ``|``, ``^`` and ``~``, also with plain functions::

    StepID("507f191e810c19729de860ea") & ~TestConsole() & (lambda n: n.input is None)
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import reprlib
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, ClassVar, Final, TypeAlias

from .errors import ConfigurationError

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
        return self.judge(target, values=values)[1]

    def judge(self, target: Any, *, values: bool = True) -> tuple[bool, str]:
        """Return whether the notification matches, and the sentence of
        :meth:`explain`.
        """
        matched, reason = self._weigh(target, shorten if values else _kind)
        verb = "matched" if matched else "did not match"
        return matched, f"{_cut(repr(self), 200)} {verb}: {reason}"

    def match(self, target: Any, /) -> re.Match[str] | None:
        """Return the match of the regular expression by which the notification
        matches, if there is one.
        """
        return None

    def step_ids(self) -> frozenset[str] | None:
        """Return the ids of the only steps that can match; None if any step can."""
        return None

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
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
        return bool(_frozen(self._identity()) == _frozen(other._identity()))

    def __hash__(self) -> int:
        return hash((type(self), _frozen(self._identity())))

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


# --- Compositions -------------------------------------------------------------------


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

    def _weigh_until(
        self, decisive: bool, target: Any, show: _Show
    ) -> tuple[bool, str]:
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

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
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

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
        return self._weigh_until(True, target, show)


class Xor(_Composition):
    """Match if an odd number of the *filters* does: of two, exactly one.

    ``a ^ b`` is the usual way to write it.
    """

    _operator = "^"

    def __call__(self, target: Any, /) -> bool:
        return sum(bool(part(target)) for part in self._arguments) % 2 == 1

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
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

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
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


# --- Values at a path ---------------------------------------------------------------


class _Nothing:
    """What was looked for and is not there; its repr ends the sentence «... is»."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_ABSENT: Final = _Nothing("absent")
_NO_OBJECT: Final = _Nothing("no JSON object")
_ANY: Final = _Nothing("any value")


class _Look(Filter):
    """A filter on one thing that stands in the notification."""

    #: Where to look, as a dotted path.
    _path: str
    #: Whether it is something that people wrote, or that is known about them.
    _personal: ClassVar[bool] = True

    @abstractmethod
    def _accepts(self, found: Any) -> bool:
        """Return whether what was found, maybe nothing, is what it should be."""

    def _look(self, received: Any) -> tuple[str, Any]:
        """Return the path, and what stands there."""
        return self._path, _find(received, self._keys)

    @functools.cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(self._path.split("."))

    def __call__(self, target: Any, /) -> bool:
        return self._accepts(self._look(_received(target))[1])

    def _weigh(self, target: Any, show: _Show) -> tuple[bool, str]:
        path, found = self._look(_received(target))
        shown = show(found) if self._personal else shorten(found)
        return self._accepts(found), f"{path} is {shown}"


class _Value(_Look):
    """A filter on the value at a path: that it is there, or that it is this one."""

    #: What comes before the path that is passed.
    _prefix: ClassVar[str] = ""

    def __init__(self, path: str, value: Any = _ANY) -> None:
        path = _checked_path(self, path)
        self._path = self._prefix + path
        self._any = value is _ANY
        self._value = None if self._any else _json(self, value)
        super().__init__(*([path] if self._any else [path, self._value]))

    def _accepts(self, found: Any) -> bool:
        if isinstance(found, _Nothing):
            return False
        return self._any or _same(found, self._value)

    def step_ids(self) -> frozenset[str] | None:
        if self._path != _STEP_ID or not isinstance(self._value, str):
            return None
        return frozenset([self._value])


class JSONKeyEquals(_Value):
    """Match if the value at *path* equals *value*.

    Values are compared as JSON: 1 is 1.0, but it is not true, at any depth.

    :param path: keys joined by dots, with integers for positions in lists, such as
        ``data.step.actions.0.type``; ``actions[0]`` is read as ``actions.0``.
    :param value: a JSON value. None is null, and not an absent key.
    """

    def __init__(self, path: str, value: Any) -> None:
        super().__init__(path, value)


class JSONKeyExists(_Value):
    """Match if there is a value at *path*, even if it is null.

    :param path: as for :class:`JSONKeyEquals`.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)


class JSONKeyIn(_Look):
    """Match if the value at *path* equals one of *values*.

    :param path: as for :class:`JSONKeyEquals`.
    :param values: JSON values, which are compared as :class:`JSONKeyEquals` does.
    """

    def __init__(self, path: str, values: Iterable[Any]) -> None:
        self._path = _checked_path(self, path)
        self._values = [_json(self, value) for value in _listed(self, values)]
        self._scalars = {_frozen(value) for value in self._values if _is_scalar(value)}
        super().__init__(self._path, self._values)

    def _accepts(self, found: Any) -> bool:
        if _is_scalar(found):
            return _frozen(found) in self._scalars
        return any(_same(found, value) for value in self._values)

    def step_ids(self) -> frozenset[str] | None:
        if self._path != _STEP_ID or not all(isinstance(v, str) for v in self._values):
            return None
        return frozenset(self._values)

    def _identity(self) -> Any:
        return self._path, frozenset(map(_frozen, self._values))


class SessionValue(_Value):
    """Match if the session has a value of that *key*, or if it is *value*.

    :param key: the key, or a path into the value as for :class:`JSONKeyEquals`.
    :param value: a JSON value. Left out, any will do, even null.
    """

    _prefix = "data.session.values."

    def __init__(self, key: str, value: Any = _ANY) -> None:
        super().__init__(key, value)


class UserAttribute(_Value):
    """Match if the interlocutor has a custom attribute *key*, or if it is *value*.

    :param key: the name of the attribute.
    :param value: a string, since all custom attributes are strings, even numbers
        (PROTOCOL 3). Left out, any will do.
    """

    _prefix = "data.interlocutor.customAttributes."

    def __init__(self, key: str, value: Any = _ANY) -> None:
        if value is not _ANY and not isinstance(value, str):
            raise TypeError(
                "UserAttribute: custom attributes are strings, even numbers. "
                f"Pass the value as '25', not as {_type_name(value)}."
            )
        super().__init__(key, value)


class TestConsole(_Look):
    """Match if the notification comes from the bot builder's own test console."""

    #: Not a test case, whatever pytest makes of the name.
    __test__ = False

    _path = "data.interlocutor.usedToTest"

    def __init__(self) -> None:
        super().__init__()

    def _look(self, received: Any) -> tuple[str, Any]:
        return "usedToTest", super()._look(received)[1]

    def _accepts(self, found: Any) -> bool:
        return found is True


# --- Names --------------------------------------------------------------------------


class _OneOf(_Look):
    """A filter on a string: that it is one of some."""

    _personal = False

    def __init__(self, name: str | Iterable[str], *more: str) -> None:
        names = [name, *more] if isinstance(name, str) or more else name
        if not isinstance(names, (list, tuple, Set)):
            raise TypeError(
                f"{type(self).__name__}: pass a string or a list of strings, "
                f"not {_type_name(names)}."
            )
        if not names:
            raise ValueError(f"{type(self).__name__}: the list is empty.")
        for each in names:
            _check_text(self, each)
        ordered = sorted(names) if isinstance(names, Set) else dict.fromkeys(names)
        shown = list(ordered)
        super().__init__(shown if len(shown) > 1 else shown[0])
        self._names = frozenset(map(self._on_the_wire, shown))

    def _on_the_wire(self, name: str) -> str:
        return name

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and found in self._names

    def _identity(self) -> Any:
        return self._names


class StepID(_OneOf):
    """Match if the step that was reached is one of these.

    Handlers with this filter are found by index, so their number does not matter.

    :param name: the id of the step, or a list, tuple or set of ids.
    :param more: more ids.
    """

    _path = "data.step.id"

    def step_ids(self) -> frozenset[str] | None:
        return self._names


class StepName(_OneOf):
    """Match if the step that was reached has one of these names.

    :param name: the name, or a list, tuple or set of names.
    :param more: more names.
    """

    _path = "data.step.name"


class BotID(_OneOf):
    """Match if the notification is about one of these bots.

    :param name: the id of the bot, or a list, tuple or set of ids.
    :param more: more ids.
    """

    _path = "botID"


class Channel(_OneOf):
    """Match if the conversation takes place on one of these channels.

    :param name: the channel, such as ``facebook``, or a list, tuple or set of them.
    :param more: more channels.
    """

    _path = "data.channel"


class InputType(_OneOf):
    """Match if an input of one of these types led to the step.

    :param name: ``message``, ``click``, ``custom_event``, ``url_loaded`` or ``reply``;
        or any type by its name on the wire, such as ``go_to_action`` (PROTOCOL 3); or
        a list, tuple or set of them.
    :param more: more types.
    """

    _path = "data.input.type"

    def _on_the_wire(self, name: str) -> str:
        return _INPUT_TYPES.get(name, name)


# --- The user's text ----------------------------------------------------------------


class _Text(_Look):
    """A filter on the text that the user wrote, or sent with a «reply» button."""

    def _look(self, received: Any) -> tuple[str, Any]:
        kind = _find(received, ("data", "input", "type"))
        if kind == "legacy_reply_to_message_action":
            return "data.input.message", _find(received, ("data", "input", "message"))
        if kind == "message":
            return "data.input.text", _find(received, ("data", "input", "text"))
        return "data.input.text", _ABSENT


class TextEquals(_Text):
    """Match if the user's text is *text*.

    :param text: the whole text, white space included.
    :param ignore_case: whether ``Hello`` is ``hello``, and an accented letter is the
        same however it was typed.
    """

    def __init__(self, text: str, *, ignore_case: bool = True) -> None:
        _check_text(self, text, may_be_empty=True)
        super().__init__(text, **({} if ignore_case else {"ignore_case": False}))
        self._fold = _folded if ignore_case else str
        self._text = self._fold(text)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._fold(found) == self._text


class TextMatches(_Text):
    """Match if *pattern* is found in the user's text.

    Anybody may send any text: beware of patterns that take for ever on some, such as
    ``(a+)+$``.

    :param pattern: a regular expression, compiled or not. Begin it with ``^`` and end
        it with ``$`` if it has to match the whole text.
    :param flags: flags of :mod:`re` for a pattern that is not compiled.
    """

    def __init__(self, pattern: str | re.Pattern[str], flags: int = 0) -> None:
        self._pattern = _compiled(pattern, flags)
        if not isinstance(pattern, str):
            flags = pattern.flags & ~re.UNICODE
        shown = [re.RegexFlag(flags)] if flags else []
        super().__init__(self._pattern.pattern, *shown)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._pattern.search(found) is not None

    def match(self, target: Any, /) -> re.Match[str] | None:
        _, found = self._look(_received(target))
        return self._pattern.search(found) if isinstance(found, str) else None

    def _identity(self) -> Any:
        return self._pattern.pattern, self._pattern.flags


# --- The step's userData ------------------------------------------------------------


class _UserDataValue(_Value):
    """A filter on a value in the step's userData, if that is a JSON object."""

    _prefix = "data.step.userData."

    def _look(self, received: Any) -> tuple[str, Any]:
        data = _find(received, _USER_DATA)
        parsed = _parsed(data) if isinstance(data, str) else data
        if not isinstance(parsed, Mapping):
            return "data.step.userData", _NO_OBJECT
        return self._path, _find(parsed, self._keys[len(_USER_DATA) :])


class UserDataEquals(_UserDataValue):
    """Match if the step's userData is a JSON object in which *key* is *value*.

    :param key: the key, or a path as for :class:`JSONKeyEquals`.
    :param value: a JSON value.
    """

    def __init__(self, key: str, value: Any) -> None:
        super().__init__(key, value)


class UserDataHas(_UserDataValue):
    """Match if the step's userData is a JSON object that has a *key*, even a null one.

    :param key: the key, or a path as for :class:`JSONKeyEquals`.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)


class UserDataContains(_Look):
    """Match if *text* stands somewhere in the step's userData, as it was filled in.

    :param text: a part of the userData.
    :param ignore_case: whether ``Subscribe`` is ``subscribe``.
    """

    _path = "data.step.userData"

    def __init__(self, text: str, *, ignore_case: bool = True) -> None:
        _check_text(self, text)
        super().__init__(text, **({} if ignore_case else {"ignore_case": False}))
        self._fold = _folded if ignore_case else str
        self._text = self._fold(text)

    def _accepts(self, found: Any) -> bool:
        return isinstance(found, str) and self._text in self._fold(found)


# --- JMESPath -----------------------------------------------------------------------


class JMESPath(_Look):
    """Match if a JMESPath *expression* gives something true, as JMESPath has it:
    anything but false, null, ``""``, ``[]`` and ``{}``.

    It needs the extra ``jmespath``: ``pip install Flask-Clustaar[jmespath]``.

    :param expression: such as ``data.step.actions[?type=='wait_action']``. Where the
        notification has values of a type that a function in it refuses, it does not
        match.
    """

    def __init__(self, expression: str) -> None:
        _check_text(self, expression)
        super().__init__(expression)
        self._search = _jmespath_search(expression)
        self._path = expression

    def _look(self, received: Any) -> tuple[str, Any]:
        try:
            return self._path, self._search(received)
        except Exception as error:
            return self._path, _Nothing(f"an error ({type(error).__name__})")

    def _accepts(self, found: Any) -> bool:
        # Not by ==, for which 0 is false.
        if found is None or found is False or isinstance(found, _Nothing):
            return False
        return not isinstance(found, (str, list, dict)) or len(found) > 0


# --- Helpers ------------------------------------------------------------------------

_Show: TypeAlias = Callable[[object], str]

#: The operators, from the one that binds least.
_PRECEDENCE: Final = "|^&"

_STEP_ID: Final = "data.step.id"
_USER_DATA: Final = ("data", "step", "userData")

_INPUT_TYPES: Final = {
    "click": "go_to_action",
    "url_loaded": "url_loaded_event",
    "reply": "legacy_reply_to_message_action",
}

_KINDS: Final[Mapping[type, str]] = {
    str: "a string",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
}

_KEY: Final = re.compile(r"[^.\[\]]+")
_POSITION: Final = re.compile(r"-?[0-9]{1,9}")
_POSITION_IN_BRACKETS: Final = re.compile(r"\[(-?[0-9]+)\]")


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


def _check_function(function: Any) -> None:
    if isinstance(function, str):
        raise TypeError(
            f"{shorten(function)} is no filter. "
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
            f"and '|', not {_type_name(function)}."
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


def _received(target: Any) -> Any:
    return target if type(target) is dict else getattr(target, "received", target)


def _checked_path(owner: Filter, path: Any) -> str:
    _check_text(owner, path)
    checked = _POSITION_IN_BRACKETS.sub(r".\1", path)
    if not all(map(_KEY.fullmatch, checked.split("."))):
        raise ValueError(
            f"{type(owner).__name__}: {shorten(path)} is no path. Write keys joined "
            "by dots, such as 'data.step.actions.0.type', or use 'JMESPath(...)'."
        )
    return checked


def _find(node: Any, keys: Iterable[str]) -> Any:
    """Return what stands at the path, or _ABSENT."""
    for key in keys:
        if isinstance(node, (dict, Mapping)):
            node = node.get(key, _ABSENT)
        elif isinstance(node, (list, tuple)) and _POSITION.fullmatch(key):
            position = int(key)
            inside = -len(node) <= position < len(node)
            node = node[position] if inside else _ABSENT
        else:
            return _ABSENT
    return node


def _same(found: Any, expected: Any) -> bool:
    """Return whether two JSON values are equal.

    It goes only as deep as *expected*: what was found may be of any depth.
    """
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(expected, dict):
        return (
            isinstance(found, Mapping)
            and found.keys() == expected.keys()
            and all(_same(found[key], value) for key, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(found, (list, tuple))
            and len(found) == len(expected)
            and all(map(_same, found, expected))
        )
    return bool(found == expected)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _frozen(value: Any) -> Any:
    """Return what can be hashed, and is equal for equal JSON values only."""
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, Mapping):
        return dict, frozenset((key, _frozen(value[key])) for key in value)
    if isinstance(value, (list, tuple)):
        return list, tuple(map(_frozen, value))
    return value


def _json(owner: Filter, value: Any) -> Any:
    """Return a copy of what somebody passed as a JSON value."""
    if _is_scalar(value):
        return value
    if isinstance(value, (list, tuple)):
        return [_json(owner, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _json(owner, item) for key, item in value.items()}
    raise TypeError(
        f"{type(owner).__name__}: {_type_name(value)} is no JSON value, and equals "
        "none. Pass a string, a number, a boolean, None, a list or a dict of those."
    )


def _listed(owner: Filter, values: Any) -> list[Any]:
    name = type(owner).__name__
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name}: pass a list of values, not {_type_name(values)}.")
    listed = sorted(values, key=repr) if isinstance(values, Set) else list(values)
    if not listed:
        raise ValueError(f"{name}: the list of values is empty.")
    return listed


def _check_text(owner: Filter, text: Any, *, may_be_empty: bool = False) -> None:
    name = type(owner).__name__
    if not isinstance(text, str):
        raise TypeError(f"{name}: pass a string, not {_type_name(text)}.")
    if not text and not may_be_empty:
        raise ValueError(f"{name}: the string is empty.")


def _compiled(pattern: Any, flags: int) -> re.Pattern[str]:
    if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
        if flags:
            raise ValueError(
                "TextMatches: the pattern is compiled already. Pass 'flags' to "
                "'re.compile', or pass the pattern as a string."
            )
        return pattern
    if not isinstance(pattern, str):
        raise TypeError(
            "TextMatches: pass a string or a compiled pattern of strings, "
            f"not {_type_name(pattern)}."
        )
    try:
        return re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"TextMatches: {shorten(pattern)} is no regular expression: {error}."
        ) from error


def _folded(text: str) -> str:
    folded = text.casefold()
    # The time that normalising takes may grow with the square of the length.
    return unicodedata.normalize("NFC", folded) if len(text) <= 10_000 else folded


def _parsed(text: str) -> Any:
    """Parse userData: once for all the filters that look at it, unless it is so long
    that it should not be kept.
    """
    return _parsed_once(text) if len(text) <= 10_000 else _parse(text)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_OBJECT


_parsed_once = functools.lru_cache(maxsize=8)(_parse)


def _jmespath_search(expression: str) -> Callable[[Any], Any]:
    try:
        jmespath = importlib.import_module("jmespath")
    except ImportError as error:
        raise ConfigurationError(
            "The filter 'JMESPath' needs the package 'jmespath'. "
            "Install it with 'pip install Flask-Clustaar[jmespath]'."
        ) from error
    try:
        compiled = jmespath.compile(expression)
        _check_calls(compiled.parsed, jmespath.functions.Functions.FUNCTION_TABLE)
    except (ValueError, RecursionError) as error:
        # What follows the first line draws an arrow.
        message = str(error).partition("\n")[0].rstrip(".:")
        raise ValueError(
            f"JMESPath: {shorten(expression)} is no JMESPath expression: {message}."
        ) from error
    search: Callable[[Any], Any] = compiled.search
    return search


def _check_calls(node: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
    """Check the functions in a parsed expression, which jmespath does when it runs."""
    for child in node["children"]:
        _check_calls(child, functions)
    if node["type"] != "function_expression":
        return
    name, count = node["value"], len(node["children"])
    if name not in functions:
        raise ValueError(f"there is no function '{name}'")
    signature = functions[name]["signature"]
    variadic = signature[-1].get("variadic", False)
    if count < len(signature) or (count > len(signature) and not variadic):
        raise ValueError(f"'{name}' takes {len(signature)} arguments, not {count}")


class _Short(reprlib.Repr):
    """How values are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxother = 60

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
    return _cut(_SHORT.repr(value), 80)


def _kind(value: object) -> str:
    """Return what may stand in a log of a value that people wrote."""
    if value is None or isinstance(value, (bool, _Nothing)):
        return shorten(value)
    return _KINDS.get(type(value), "a value")


def _type_name(value: object) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
