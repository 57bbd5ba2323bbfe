"""What options take: pairs of a key and a value, dates."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from ..models import Interlocutor
from ..schemas.attributes import attributes_of
from ..wire import JSON


def session_values(_: click.Context, __: click.Parameter, pairs: Sequence[str]) -> JSON:
    """Read ``--session key=value``: a value is JSON or, if it is not that, text."""
    return {key: _json_or_text(value) for key, value in map(_split, pairs)}


def user_attributes(
    _: click.Context, __: click.Parameter, pairs: Sequence[str]
) -> JSON:
    """Read ``--user name=value``: a value is text where the attribute is, or ``null``;
    elsewhere it is JSON.
    """
    texts = {a.name for a in attributes_of(Interlocutor) if a.shape.kind == "string"}
    return {
        key: value if key in texts and value != "null" else _json_or_text(value)
        for key, value in map(_split, pairs)
    }


def date_option(_: click.Context, __: click.Parameter, text: str) -> str | int:
    """Read ``--date``: by how many seconds it is ahead, or the text of the header."""
    if re.fullmatch(r"[+-]?[0-9]{1,9}", text):
        return int(text)
    if not text.isascii() or not text.isprintable():
        raise click.BadParameter("A header has printable ASCII characters only.")
    return text


def _split(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"'{pair}' is not 'key=value'.")
    return key, value


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
