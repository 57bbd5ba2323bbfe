"""Received JSON: parsed when it is needed, and sent back as the same bytes."""

from __future__ import annotations

import codecs
import gc
import json
import math
from typing import Any, Final, NoReturn

import msgspec

from ..errors import InvalidJSON
from .violations import DEEPEST

_MISSING: Final[Any] = msgspec.UNSET


class Received(msgspec.Struct, eq=False, gc=False):
    """The JSON that a model was loaded from.

    It consists of unparsed bytes, of a JSON value, or it is a part of another object.
    Parts refer to the object that contains them; objects do not refer to their parts.
    """

    #: The bytes, which are valid JSON.
    raw: bytes | msgspec.Raw | None = None
    #: The nesting level in the notification.
    depth: int = 0
    #: The msgspec struct of an envelope, with raw bytes for unused parts.
    view: Any = None
    #: The object that contains this part.
    holder: Received | None = None
    #: The path from the holder to this part.
    keys: tuple[str | int, ...] = ()
    #: The JSON value, once it is known.
    value: Any = _MISSING

    @property
    def json(self) -> Any:
        """The JSON value, parsed once.

        :raises InvalidJSON: if it is nested too deeply, or has a number out of range.
        """
        if self.value is _MISSING:
            if self.holder is None:
                raw = b"null" if self.raw is None else bytes(self.raw)
                self.value = parse(raw, above=self.depth)
            else:
                value = self.holder.json
                for key in self.keys:
                    value = value[key]
                self.value = value
        return self.value

    @property
    def encoded(self) -> bytes:
        """The JSON as bytes, unchanged if bytes were received."""
        return dump_json(self.json) if self.raw is None else bytes(self.raw)

    def __reduce__(self) -> Any:
        # Without the view, because classes of structs are created at run time.
        if self.raw is None:
            return _of_json, (self.json,)
        return Received, (bytes(self.raw),)


def _of_json(value: Any) -> Received:
    return Received(value=value)


def parse(document: bytes, *, above: int = 0) -> Any:
    """Parse UTF-8 JSON.

    If msgspec rejects a document, the standard library decides. It accepts lone
    surrogates, and has better error messages.

    :param above: the nesting level of this document in a larger one.
    :raises InvalidJSON: if it is not UTF-8 JSON, is nested deeper than
        :data:`~flask_clustaar.schemas.violations.DEEPEST` levels, or has a number that
        is not finite or has thousands of digits.
    """
    try:
        try:
            value = msgspec.json.decode(document)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            value = _DECODER.decode(document.decode())
        if has_many_brackets(document, above) and _is_deep(value, DEEPEST - above):
            raise RecursionError
        return value
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"The body is not UTF-8 at byte {error.start}.") from error
    except RecursionError as error:
        raise InvalidJSON("The body is nested too deeply.") from error
    except ValueError as error:
        if document.startswith(codecs.BOM_UTF8):
            raise InvalidJSON(
                "The body begins with a byte order mark (BOM). Send UTF-8 without it."
            ) from error
        detail = f"The body is not valid JSON: {_reason(error)}."
        raise InvalidJSON(detail) from error


def has_many_brackets(document: bytes | msgspec.Raw, above: int) -> bool:
    """Return whether a document has enough brackets to be nested too deeply."""
    if len(memoryview(document)) <= 2 * (DEEPEST - above):
        return False
    # One pass over the bytes; counting "{" and "[" would be two.
    brackets = bytes(document).translate(None, _NO_BRACKETS)
    return len(brackets) > DEEPEST - above


_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"{[")


def dump_json(value: Any) -> bytes:
    """Encode a JSON value.

    :raises TypeError, ValueError, RecursionError: if it is not JSON serializable.
    """
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:  # It has lone surrogates.
        return _ASCII_ENCODER.encode(value).encode()


def _is_deep(document: Any, room: int) -> bool:
    """Return whether a document has more than *room* nesting levels.

    The garbage collector's references show the levels. A loop over all values takes ten
    times as long.
    """
    level = [document]
    for _ in range(room):
        level = gc.get_referents(*level)
        if not level:
            return False
    return any(isinstance(value, (dict, list)) for value in level)


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (line {error.lineno}, column {error.colno})"
    return "a number is not finite or has too many digits"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
# A value that contains itself raises a RecursionError.
_ENCODER: Final = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, check_circular=False, ensure_ascii=False
)
_ASCII_ENCODER: Final = json.JSONEncoder(
    separators=(",", ":"), allow_nan=False, check_circular=False
)
