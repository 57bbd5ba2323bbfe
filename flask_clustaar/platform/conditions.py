"""Evaluate the conditions of jumps (PROTOCOL 9).

The first connection whose predicates all match is taken; otherwise the default target.
The platform does not document that the first one wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..models import (
    Condition,
    ConnectionPredicate,
    ConnectionTeamPredicate,
    ConnectionUserPredicate,
    ContainCondition,
    EqualsCondition,
    FlowConnection,
    IsGreaterThanCondition,
    IsGreaterThanOrEqualCondition,
    IsLessThanCondition,
    IsLessThanOrEqualCondition,
    IsLoggedCondition,
    IsNotSetCondition,
    IsNumberCondition,
    IsOnlineCondition,
    IsSetCondition,
    JumpToAction,
    MatchIntentCondition,
    MatchRegexpCondition,
    MessageGetter,
    Predicate,
    SessionValueGetter,
    Target,
    UserAttributeGetter,
    ValueGetter,
)
from ..wire import JSON
from .errors import Unknowable


class Facts(NamedTuple):
    """The facts that conditions depend on."""

    #: The text of the user's last message; None before the first message.
    message: str | None = None
    session: Mapping[str, Any] = {}
    #: The user's custom attributes.
    attributes: Mapping[str, Any] = {}
    is_logged: bool = False
    #: Whether an agent is online; None if unknown.
    online: bool | None = None
    #: The id of the intent of each phrase; None for a phrase without one.
    intents: Mapping[str, str | None] = {}
    #: The URLs of documents that the user sent, by name; None for a missing document.
    attachments: Mapping[str, str | None] = {}


class Jump(NamedTuple):
    """The result of a jump."""

    #: The target; None if the jump leads nowhere.
    target: Target | None
    #: The connection that was taken; None for the default target.
    connection: FlowConnection | None = None


def decide(action: JumpToAction, facts: Facts) -> Jump:
    """Evaluate a jump.

    :raises Unknowable: if that depends on an unknown fact.
    """
    for connection in action.connections:
        if all(holds(predicate, facts) for predicate in connection.predicates):
            return Jump(connection.target, connection)
    return Jump(action.default_target)


def holds(predicate: Predicate, facts: Facts) -> bool:
    """Return whether a predicate matches.

    :raises Unknowable: if that depends on an unknown fact.
    """
    match predicate:
        case ConnectionTeamPredicate(condition=team):
            if facts.online is None:
                raise Unknowable(
                    "Whether an agent is online", "'online=True' or 'online=False'"
                )
            return facts.online is isinstance(team, IsOnlineCondition)
        case ConnectionUserPredicate(condition=user):
            return facts.is_logged is isinstance(user, IsLoggedCondition)
        case ConnectionPredicate(condition=condition, value_getter=getter):
            return _matches(condition, _text(_value(getter, facts)), facts)
    raise TypeError(f"'{type(predicate).__name__}' is not a predicate.")


def _value(getter: ValueGetter, facts: Facts) -> Any:
    match getter:
        case MessageGetter():
            return facts.message
        case SessionValueGetter(key=key):
            return facts.session.get(key)
        case UserAttributeGetter(key=key):
            return facts.attributes.get(key)
    key = getattr(getter, "key", "")
    if key not in facts.attachments:
        raise Unknowable(
            f"Whether the user sent the document '{key}'",
            f'\'attachments={{"{key}": "https://..."}}\', or None in place of the URL',
        )
    return facts.attachments[key]


def _text(value: Any) -> str | None:
    """Return a value as text; None if it is not set."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _matches(condition: Condition, value: str | None, facts: Facts) -> bool:
    match condition:
        case IsSetCondition():
            return value is not None
        case IsNotSetCondition():
            return value is None
    if value is None:
        return False
    match condition:
        case ContainCondition(values=values):
            return any(each.casefold() in value.casefold() for each in values)
        case EqualsCondition(expected=expected):
            return value == expected
        case MatchRegexpCondition(regexp=regexp):
            return re.search(regexp, value) is not None
        case MatchIntentCondition(intent_id=intent):
            return _intent_of(value, facts) == intent
    return _compares(condition, number_in(value))


def _intent_of(phrase: str, facts: Facts) -> str | None:
    folded = {text.strip().casefold(): id for text, id in facts.intents.items()}
    key = phrase.strip().casefold()
    if key not in folded:
        shown = json.dumps(phrase, ensure_ascii=False)
        raise Unknowable(
            f"Which intent {shown} has",
            f"'intents={{{shown}: \"<id>\"}}', or None in place of the id",
        )
    return folded[key]


def _compares(condition: Condition, number: float | None) -> bool:
    """Compare a number with a condition; None never matches."""
    if number is None:
        return False
    match condition:
        case IsLessThanCondition(maximum=maximum):
            return number < maximum
        case IsLessThanOrEqualCondition(maximum=maximum):
            return number <= maximum
        case IsGreaterThanCondition(minimum=minimum):
            return number > minimum
        case IsGreaterThanOrEqualCondition(minimum=minimum):
            return number >= minimum
    return isinstance(condition, IsNumberCondition)


def number_in(text: str) -> float | None:
    """Parse a number; return None if the text is not a number."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)


_NUMBER = re.compile(
    r"[+-]?(\d{1,300}\.?\d{0,300}|\.\d{1,300})([eE][+-]?\d{1,3})?", re.ASCII
)


def stored(action: JSON, before: Any) -> Any:
    """Return the new value after an action that stores a value.

    With ``add``, the value is added to the old one: as a number with ``isInt``, else
    appended as text. The platform does not document this.

    :param action: a ``store_session_value_action`` or a ``set_user_attribute_action``.
    :param before: the old value, or None.
    """
    value: Any = action["value"]
    if action.get("isInt"):
        number, there = number_in(value), number_in(_text(before) or "0")
        if number is not None and (there is not None or not action.get("add")):
            return number + (there or 0) if action.get("add") else number
    return (_text(before) or "") + value if action.get("add") else value
