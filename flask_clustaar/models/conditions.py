"""Connections of jumps, with their predicates and conditions."""

from __future__ import annotations

import re
from typing import Annotated, Any

from ..schemas.limits import NAME, Compiles, Length, ObjectID
from ..wire import REQUIRED, Key, Model, pattern_of
from .targets import Target


class ValueGetter(Model, family=True):
    """Base class of the values that conditions check."""


class MessageGetter(ValueGetter, type="message"):
    """The text of the user's message."""


class SessionValueGetter(ValueGetter, type="session_value"):
    """A session value."""

    key: Annotated[str, Length(1, 100), NAME]


class UserAttributeGetter(ValueGetter, type="user_attribute"):
    """A user attribute."""

    key: Annotated[str, Length(1, 100), NAME]


class AttachmentValueGetter(ValueGetter, type="attachment_value"):
    """A document that the user sent."""

    key: Annotated[str, Length(1, 150), NAME]


class Condition(Model, family=True):
    """A condition on a value."""


class IsSetCondition(Condition, type="is_set"):
    """The value is set."""


class IsNotSetCondition(Condition, type="is_not_set"):
    """The value is not set."""


class ContainCondition(Condition, type="contains"):
    """The value contains any of *values* (case-insensitive)."""

    values: list[str]


class EqualsCondition(Condition, type="equals"):
    """The value equals *expected* (case-sensitive)."""

    expected: str


class MatchRegexpCondition(Condition, type="match_regexp"):
    """The regular expression is found in the value.

    *regexp* is a pattern or a compiled one, of which only the pattern is kept. Received
    patterns are not compiled, because compiling an unknown pattern can take long.
    """

    regexp: Annotated[re.Pattern[str] | str, Key("pattern"), Compiles()]

    def __post_init__(self) -> None:
        self.regexp = pattern_of(self.regexp)


class Intent(Model, type="intent"):
    """An intent of the bot."""

    id: ObjectID
    name: Annotated[str, REQUIRED] = ""


class MatchIntentCondition(Condition, type="match_intent"):
    """The message matches an intent. Pass the *intent*, or its id as *intent_id*."""

    intent: Intent

    def __init__(
        self,
        *,
        intent: Intent | None = None,
        intent_id: str | None = None,
        _received: Any = None,
    ) -> None:
        self.__post_init__(_received)
        # Without it, the error names the key when the reply is sent.
        self.intent = intent if intent_id is None else Intent(id=intent_id)  # type: ignore[assignment]

    @property
    def intent_id(self) -> str:
        """The id of the intent."""
        return self.intent.id

    @intent_id.setter
    def intent_id(self, intent_id: str) -> None:
        self.intent = Intent(id=intent_id)


class IsLessThanCondition(Condition, type="is_less_than"):
    """The value is a number less than *maximum*."""

    maximum: float


class IsLessThanOrEqualCondition(Condition, type="is_less_than_or_equal"):
    """The value is a number less than or equal to *maximum*."""

    maximum: float


class IsGreaterThanCondition(Condition, type="is_greater_than"):
    """The value is a number greater than *minimum*."""

    minimum: float


class IsGreaterThanOrEqualCondition(Condition, type="is_greater_than_or_equal"):
    """The value is a number greater than or equal to *minimum*."""

    minimum: float


class IsNumberCondition(Condition, type="is_number"):
    """The value is a number."""


class TeamCondition(Model, family=True):
    """A condition on the team of human agents."""


class IsOnlineCondition(TeamCondition, type="is_online"):
    """An agent of the team is online."""


class IsOfflineCondition(TeamCondition, type="is_offline"):
    """No agent of the team is online."""


class UserCondition(Model, family=True):
    """A condition on the user."""


class IsLoggedCondition(UserCondition, type="is_logged"):
    """The user is logged in."""


class IsNotLoggedCondition(UserCondition, type="is_not_logged"):
    """The user is not logged in."""


class Predicate(Model, family=True):
    """One condition for taking a connection."""


class ConnectionPredicate(Predicate, type="connection_predicate"):
    """A condition on a value."""

    value_getter: ValueGetter
    condition: Condition


class ConnectionTeamPredicate(Predicate, type="connection_team_predicate"):
    """A condition on the team."""

    condition: TeamCondition


class ConnectionUserPredicate(Predicate, type="connection_user_predicate"):
    """A condition on the user."""

    condition: UserCondition


class FlowConnection(Model, type="flow_connection"):
    """A connection to *target*, taken when all *predicates* match."""

    target: Target
    predicates: Annotated[list[Predicate], Length(1, 10)]
