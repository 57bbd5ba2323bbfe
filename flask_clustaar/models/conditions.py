"""Connections: where a conversation goes on, if its predicates match."""

from __future__ import annotations

import re
from typing import Annotated

from marshmallow.validate import Length

from ..limits import NAME, Compiles, ObjectID
from ..wire import REQUIRED, Key, Model, Via, pattern_of
from .targets import Target


class ValueGetter(Model, family=True):
    """What a condition looks at."""


class MessageGetter(ValueGetter, type="message"):
    """The text of the interlocutor's message."""


class SessionValueGetter(ValueGetter, type="session_value"):
    """A value of the session."""

    key: Annotated[str, Length(1, 100), NAME]


class UserAttributeGetter(ValueGetter, type="user_attribute"):
    """An attribute of the interlocutor."""

    key: Annotated[str, Length(1, 100), NAME]


class AttachmentValueGetter(ValueGetter, type="attachment_value"):
    """A document that the interlocutor sent."""

    key: Annotated[str, Length(1, 150), NAME]


class Condition(Model, family=True):
    """What must be true of a value."""


class IsSetCondition(Condition, type="is_set"):
    """The value is there."""


class IsNotSetCondition(Condition, type="is_not_set"):
    """The value is not there."""


class ContainCondition(Condition, type="contains"):
    """The value contains one of some strings, in any case."""

    values: list[str]


class EqualsCondition(Condition, type="equals"):
    """The value is a string, in the same case."""

    expected: str


class MatchRegexpCondition(Condition, type="match_regexp"):
    """A regular expression is found in the value.

    A compiled one is taken too, and kept as its pattern. What was received is not
    compiled: that can take long, and is for who wants it.
    """

    regexp: Annotated[re.Pattern[str] | str, Key("pattern"), Compiles()]

    def __post_init__(self) -> None:
        self.regexp = pattern_of(self.regexp)


class Intent(Model, type="intent"):
    """An intent of the bot."""

    id: ObjectID
    name: Annotated[str, REQUIRED] = ""


class MatchIntentCondition(Condition, type="match_intent"):
    """The value means an intent."""

    intent_id: Annotated[str, Via(Intent, "id"), Key("intent")]


class IsLessThanCondition(Condition, type="is_less_than"):
    """The value is a number below *maximum*."""

    maximum: float


class IsLessThanOrEqualCondition(Condition, type="is_less_than_or_equal"):
    """The value is a number not above *maximum*."""

    maximum: float


class IsGreaterThanCondition(Condition, type="is_greater_than"):
    """The value is a number above *minimum*."""

    minimum: float


class IsGreaterThanOrEqualCondition(Condition, type="is_greater_than_or_equal"):
    """The value is a number not below *minimum*."""

    minimum: float


class IsNumberCondition(Condition, type="is_number"):
    """The value is a number."""


class TeamCondition(Model, family=True):
    """What must be true of the team behind the bot."""


class IsOnlineCondition(TeamCondition, type="is_online"):
    """Somebody of the team is online."""


class IsOfflineCondition(TeamCondition, type="is_offline"):
    """Nobody of the team is online."""


class UserCondition(Model, family=True):
    """What must be true of the interlocutor."""


class IsLoggedCondition(UserCondition, type="is_logged"):
    """The interlocutor is logged in."""


class IsNotLoggedCondition(UserCondition, type="is_not_logged"):
    """The interlocutor is not logged in."""


class Predicate(Model, family=True):
    """One thing that must be true for a connection to be taken."""


class ConnectionPredicate(Predicate, type="connection_predicate"):
    """A condition on a value."""

    value_getter: ValueGetter
    condition: Condition


class ConnectionTeamPredicate(Predicate, type="connection_team_predicate"):
    """A condition on the team."""

    condition: TeamCondition


class ConnectionUserPredicate(Predicate, type="connection_user_predicate"):
    """A condition on the interlocutor."""

    condition: UserCondition


class FlowConnection(Model, type="flow_connection"):
    """A way to *target*, taken when all predicates match."""

    target: Target
    predicates: Annotated[list[Predicate], Length(1, 10)]
