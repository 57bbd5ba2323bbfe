"""Session values as a dataclass, with dates, enumerations, lists and defaults.

::

    @dataclass
    class Claim:
        step: int = 1
        happened: date | None = None
        photos: list[str] = field(default_factory=list)


    @webhook.on_step(PHOTO)
    def add_photo(notification):
        with state(notification, Claim) as claim:
            claim.photos.append(notification.text)
        return f"{len(claim.photos)} photos so far."

marshmallow converts the values; each is stored under the name of its attribute. Only
changed values are written. Session values that are not attributes of the dataclass are
kept, also in nested dataclasses.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import logging
import types
import typing
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

import marshmallow as ma
from marshmallow import fields, validate

from .models import Notification

T = TypeVar("T")

_logger = logging.getLogger("flask_clustaar")


@contextmanager
def state(notification: Notification, kind: type[T]) -> Iterator[T]:
    """Load the session values into a dataclass object, and store its changes.

    Values that cannot be loaded, such as those of an older version of the program, are
    replaced by the default, and one log line lists them. If the ``with`` block raises
    an exception, nothing is stored.

    :param notification: the notification with the session.
    :param kind: the dataclass. Each attribute requires a default.
    :raises TypeError: if *kind* is not such a dataclass, or if an attribute has a type
        that cannot be stored as JSON.
    :raises ValueError: if a value to store does not have the type of its attribute.
    """
    rows = _rows_of(kind)
    values = notification.session.values
    found, unread = _read(rows, values)
    if unread:
        _logger.warning(
            "Session values that '%s' cannot load were replaced by defaults: %s.",
            kind.__qualname__,
            ", ".join(unread),
        )
    current = kind(**found)
    before = {name: rows[name].field.serialize(name, current) for name in found}
    yield current
    for name, value in dict(_written(rows, current)).items():
        if name in before:
            changed = value != before[name]
        else:
            changed = name in values or value != _written_default(rows[name])
        if changed:
            values[name] = value


class _Row(typing.NamedTuple):
    """An attribute of a dataclass."""

    field: fields.Field[Any]
    default: Callable[[], Any]


_known: Final[dict[type, dict[str, _Row]]] = {}


def _rows_of(kind: type) -> dict[str, _Row]:
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise TypeError(f"'state' needs a dataclass (the class itself), not {kind!r}.")
    rows = _known.get(kind)
    if rows is None:
        hints = typing.get_type_hints(kind)
        rows = _known[kind] = {
            each.name: _Row(
                _field(hints[each.name], f"{kind.__qualname__}.{each.name}"),
                _default(each, kind),
            )
            for each in dataclasses.fields(kind)
            if each.init
        }
    return rows


def _default(field: dataclasses.Field[Any], kind: type) -> Callable[[], Any]:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is dataclasses.MISSING:
        raise TypeError(
            f"'{kind.__qualname__}.{field.name}' requires a default, because the "
            "session may not have this value."
        )
    return lambda: field.default


def _read(rows: dict[str, _Row], values: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the values that can be loaded, and the names of the others."""
    found, unread = {}, []
    for name, row in rows.items():
        if name in values:
            try:
                found[name] = row.field.deserialize(values[name])
            except (ma.ValidationError, TypeError):
                unread.append(f"'{name}'")
    return found, unread


def _written(rows: dict[str, _Row], current: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and values to store.

    :raises ValueError: if a value could not be loaded again.
    """
    for name, row in rows.items():
        value = getattr(current, name)
        try:
            written = row.field.serialize(name, current)
            row.field.deserialize(written)
        except (ma.ValidationError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"'{type(current).__qualname__}.{name}' cannot be stored: it is a "
                f"'{type(value).__name__}'."
            ) from error
        yield name, written


def _written_default(row: _Row) -> Any:
    holder = types.SimpleNamespace(value=row.default())
    return row.field.serialize("value", holder)


# -- fields for types ----------------------------------------------------------------


class _OfType(fields.Field[Any]):
    """A field that rejects values of another type, instead of converting them."""

    kinds: tuple[type, ...]

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is not None and not isinstance(value, self.kinds):
            raise TypeError(f"'{type(value).__name__}' is the wrong type.")
        return super()._serialize(value, *args, **kwargs)


class _String(_OfType, fields.String):
    kinds = (str,)


class _Integer(_OfType, fields.Integer):
    kinds = (int,)


class _Float(_OfType, fields.Float):
    kinds = (int, float)


class _Boolean(_OfType, fields.Boolean):
    kinds = (bool,)


class _Decimal(_OfType, fields.Decimal):
    kinds = (int, decimal.Decimal)


_FIELDS: Final[dict[Any, Callable[..., fields.Field[Any]]]] = {
    str: _String,
    int: lambda **about: _Integer(strict=True, **about),
    float: _Float,
    bool: lambda **about: _Boolean(truthy={True}, falsy={False}, **about),
    decimal.Decimal: lambda **about: _Decimal(as_string=True, **about),
    datetime.date: fields.Date,
    datetime.datetime: fields.DateTime,
    datetime.time: fields.Time,
    datetime.timedelta: lambda **about: fields.TimeDelta(precision="seconds", **about),
    uuid.UUID: fields.UUID,
    Any: lambda **about: fields.Raw(allow_none=True),
    dict: fields.Dict,
    list: lambda **about: fields.List(fields.Raw(allow_none=True), **about),
}


def _field(hint: Any, where: str, *, none: bool = False) -> fields.Field[Any]:
    """Return the marshmallow field for a type.

    :param where: the attribute, for messages.
    :param none: whether None is allowed.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        members = [each for each in arguments if each is not types.NoneType]
        if len(members) == 1:
            return _field(members[0], where, none=True)
    if origin is Literal:
        return fields.Raw(validate=validate.OneOf(arguments), allow_none=none)
    if origin is list:
        return fields.List(_field(arguments[0], where), allow_none=none)
    if origin is dict and arguments[0] is str:
        values = _field(arguments[1], where)
        return fields.Dict(keys=fields.String(), values=values, allow_none=none)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return fields.Enum(hint, by_value=True, allow_none=none)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _Nested(hint, allow_none=none)
    make = _FIELDS.get(hint)
    if make is None:
        raise TypeError(f"'{where}' has a type that a session cannot store: {hint!r}.")
    return make(allow_none=none)


#: The attribute of a nested object that keeps the values its class does not have.
_UNKNOWN: Final = "_unknown_session_values"


class _Nested(fields.Field[Any]):
    """An object of another dataclass."""

    def __init__(self, kind: type, **about: Any) -> None:
        super().__init__(**about)
        self._kind = kind

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        unknown = getattr(value, _UNKNOWN, {})
        return unknown | dict(_written(_rows_of(self._kind), value))

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ma.ValidationError("Not a valid object.")
        rows = _rows_of(self._kind)
        found, unread = _read(rows, value)
        if unread:
            raise ma.ValidationError(f"Cannot read {', '.join(unread)}.")
        nested = self._kind(**found)
        unknown = {name: value[name] for name in value if name not in rows}
        if unknown and hasattr(nested, "__dict__"):
            nested.__dict__[_UNKNOWN] = unknown
        return nested
