"""The file of steps that a conversation in the terminal walks between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import click

from ..testing import ClustaarClient
from ..wire import JSON
from .files import name_of, read_json

#: What a step in the file may have. Its story is the one that begins with it.
_KEYS: Final = {
    "id": str,
    "name": str,
    "actions": list,
    "user_data": str,
    "userData": str,
    "story": str,
}


def read_steps(path: str) -> list[JSON]:
    """Return the steps in a file: ``[{"id": ..., "name": ..., "actions": [...]}]``.

    :raises click.ClickException: if it has something else.
    """
    document = read_json(path)
    if not isinstance(document, list) or not document:
        raise click.ClickException(
            f"{name_of(path)} has no list of steps, such as "
            '[{"id": "507f191e810c19729de860ea", "name": "Welcome", "actions": []}].'
        )
    for number, row in enumerate(document, 1):
        wrong = _wrong(row)
        if wrong:
            raise click.ClickException(f"Step {number} in '{path}' {wrong}")
    return document


def place_steps(client: ClustaarClient, steps: Iterable[JSON]) -> None:
    """Let a conversation walk between steps."""
    for step in steps:
        client.at(
            step["id"],
            name=step.get("name"),
            actions=step.get("actions") or (),
            user_data=step.get("user_data", step.get("userData")),
        )
        if step.get("story"):
            client.stories[step["story"]] = step["id"]


def _wrong(row: Any) -> str:
    """Return what is wrong with a step, as the rest of a sentence."""
    if not isinstance(row, dict) or not row.get("id"):
        return "has no 'id'."
    for key, value in row.items():
        if key not in _KEYS:
            return f"has '{key}', which is none of {', '.join(map(repr, _KEYS))}."
        if value is not None and not isinstance(value, _KEYS[key]):
            kind = "a list" if _KEYS[key] is list else "text"
            return f"has something else than {kind} as '{key}'."
    if not all(isinstance(action, dict) for action in row.get("actions") or ()):
        return "has something else than objects in 'actions'."
    return ""
