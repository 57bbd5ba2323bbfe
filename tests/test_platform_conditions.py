"""Where a jump leads, and what stored values become (PROTOCOL 9)."""

from __future__ import annotations

from typing import Any

import pytest

from flask_clustaar.models import (
    AttachmentValueGetter,
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
    IsNotLoggedCondition,
    IsNotSetCondition,
    IsNumberCondition,
    IsOfflineCondition,
    IsOnlineCondition,
    IsSetCondition,
    JumpToAction,
    MatchIntentCondition,
    MatchRegexpCondition,
    MessageGetter,
    Predicate,
    SessionValueGetter,
    StepTarget,
    UserAttributeGetter,
    ValueGetter,
)
from flask_clustaar.platform.conditions import Facts, decide, holds, number_in, stored
from flask_clustaar.platform.errors import Unknowable

A = "507f191e810c19729de860ea"
B = "507f191e810c19729de860eb"
C = "507f191e810c19729de860ec"


def matches(condition: Condition, value: Any) -> bool:
    """Return whether a condition matches a session value."""
    getter = SessionValueGetter(key="x")
    facts = Facts(session={} if value is ... else {"x": value})
    return holds(ConnectionPredicate(value_getter=getter, condition=condition), facts)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        (IsSetCondition(), ["a", 0, False, [], " "], [..., None, ""]),
        (IsNotSetCondition(), [..., None, ""], ["a", 0, False]),
        (
            ContainCondition(values=["Ab", "é"]),
            ["xaBx", "É", ["ab"]],
            ["x", "", ..., None, 5],
        ),
        (EqualsCondition(expected="Paris"), ["Paris"], ["paris", " Paris", ..., None]),
        (EqualsCondition(expected="25"), ["25", 25], [25.0, "25.0"]),
        (EqualsCondition(expected="true"), ["true", True], [1, "True"]),
        (MatchRegexpCondition(regexp=r"\d{2}"), ["a12b", 12], ["1", "", ...]),
        (MatchRegexpCondition(regexp="^a$"), ["a"], ["A", "ab"]),
        (IsLessThanCondition(maximum=5), [4, "4.9", "-1", 4.9], [5, "5", "a", ...]),
        (IsLessThanOrEqualCondition(maximum=5), [5, "5"], [5.1, "six", None]),
        (IsGreaterThanCondition(minimum=5), [6, "1e1"], [5, "5", "", ...]),
        (IsGreaterThanOrEqualCondition(minimum=5), [5, " 5 "], [4.9, "5 EUR"]),
        (IsNumberCondition(), [5, "5", "-1.5", ".5"], ["a", "1_0", "nan", "", ..., []]),
    ],
)
def test_condition(condition: Condition, yes: list[Any], no: list[Any]) -> None:
    """Values are compared as text, and as numbers where they read as one."""
    assert [value for value in yes if not matches(condition, value)] == []
    assert [value for value in no if matches(condition, value)] == []


FACTS = Facts(
    message="Hello",
    session={"city": "Hello"},
    attributes={"name": "Hello"},
    attachments={"id_card": "Hello", "bill": None},
)


@pytest.mark.parametrize(
    "getter",
    [
        MessageGetter(),
        SessionValueGetter(key="city"),
        UserAttributeGetter(key="name"),
        AttachmentValueGetter(key="id_card"),
    ],
)
def test_value_getter(getter: ValueGetter) -> None:
    """A condition depends on the last message, the session, the user or a document."""
    equals = EqualsCondition(expected="Hello")
    assert holds(ConnectionPredicate(value_getter=getter, condition=equals), FACTS)


def test_document_that_was_not_sent() -> None:
    """A document that was not sent is not set."""
    getter = AttachmentValueGetter(key="bill")
    predicate = ConnectionPredicate(value_getter=getter, condition=IsNotSetCondition())
    assert holds(predicate, FACTS)


@pytest.mark.parametrize("is_logged", [True, False])
def test_user_is_logged_in(is_logged: bool) -> None:
    """The user is logged in, or is not."""
    facts = Facts(is_logged=is_logged)
    assert holds(ConnectionUserPredicate(condition=IsLoggedCondition()), facts) is (
        is_logged
    )
    assert holds(ConnectionUserPredicate(condition=IsNotLoggedCondition()), facts) is (
        not is_logged
    )


@pytest.mark.parametrize("online", [True, False])
def test_agent_is_online(online: bool) -> None:
    """An agent is online, or none is."""
    facts = Facts(online=online)
    assert holds(ConnectionTeamPredicate(condition=IsOnlineCondition()), facts) is (
        online
    )
    assert holds(ConnectionTeamPredicate(condition=IsOfflineCondition()), facts) is (
        not online
    )


def intent(id: str) -> Predicate:
    condition = MatchIntentCondition(intent_id=id)
    return ConnectionPredicate(value_getter=MessageGetter(), condition=condition)


def test_intent_of_a_phrase() -> None:
    """A phrase has the intent that was given for it, in any case."""
    intents = {"hello ": A, "bye": None}
    assert holds(intent(A), Facts(message="HELLO", intents=intents))
    assert not holds(intent(B), Facts(message="hello", intents=intents))
    assert not holds(intent(A), Facts(message="Bye", intents=intents))
    assert not holds(intent(A), Facts(intents=intents))


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        (
            ConnectionTeamPredicate(condition=IsOnlineCondition()),
            "Whether an agent is online is unknown here. Pass 'online=True' or "
            "'online=False'.",
        ),
        (
            intent(A),
            'Which intent "Hello" has is unknown here. Pass '
            '\'intents={"Hello": "<id>"}\', or None in place of the id.',
        ),
        (
            ConnectionPredicate(
                value_getter=AttachmentValueGetter(key="id_card"),
                condition=IsSetCondition(),
            ),
            "Whether the user sent the document 'id_card' is unknown here. Pass "
            '\'attachments={"id_card": "https://..."}\', or None in place of the URL.',
        ),
    ],
)
def test_what_cannot_be_known_is_asked_for(predicate: Predicate, message: str) -> None:
    """The error names the argument to pass."""
    with pytest.raises(Unknowable) as caught:
        holds(predicate, Facts(message="Hello"))
    assert str(caught.value) == message


def test_unknown_predicate_is_an_error() -> None:
    """A predicate of unknown type raises an exception."""
    with pytest.raises(TypeError, match="'Predicate' is not a predicate"):
        holds(Predicate(), Facts())


def connection(step: str, *wanted: str) -> FlowConnection:
    """Return a connection for a session value 'x' that contains all of *wanted*."""
    return FlowConnection(
        target=StepTarget(step_id=step),
        predicates=[
            ConnectionPredicate(
                value_getter=SessionValueGetter(key="x"),
                condition=ContainCondition(values=[each]),
            )
            for each in wanted
        ],
    )


@pytest.mark.parametrize(
    ("value", "step"),
    [("a", C), ("ab", A), ("b", B), ("abc", A), ("c", C), ("", C)],
)
def test_first_connection_whose_predicates_all_match(value: str, step: str) -> None:
    """The first connection that matches as a whole wins, else the default target."""
    default = StepTarget(step_id=C)
    connections = [connection(A, "a", "b"), connection(B, "b")]
    action = JumpToAction(default_target=default, connections=connections)

    target, taken = decide(action, Facts(session={"x": value}))

    assert target == StepTarget(step_id=step)
    assert (taken is None) is (step == C)


def test_jump_to_nowhere() -> None:
    """Without a default target, there is no jump if nothing matches."""
    assert decide(JumpToAction(), Facts()).target is None


@pytest.mark.parametrize(
    ("keys", "before", "after"),
    [
        ({}, None, "5"),
        ({}, 3, "5"),
        ({"isInt": True}, None, 5),
        ({"isInt": True}, "a", 5),
        ({"add": True}, None, "5"),
        ({"add": True}, "a", "a5"),
        ({"add": True}, 3, "35"),
        ({"add": True, "isInt": True}, None, 5),
        ({"add": True, "isInt": True}, 3, 8),
        ({"add": True, "isInt": True}, "3.5", 8.5),
        ({"add": True, "isInt": True}, "a", "a5"),
        ({"add": None, "isInt": None}, 3, "5"),
    ],
)
def test_stored_value(keys: dict[str, Any], before: Any, after: Any) -> None:
    """A value replaces the old one; 'add' sums numbers or appends text."""
    found = stored({"key": "x", "value": "5", **keys}, before)
    assert (found, type(found)) == (after, type(after))


def test_stored_text_is_not_a_number() -> None:
    """A text that is not a number remains text."""
    assert stored({"key": "x", "value": "five", "isInt": True}, None) == "five"


def test_numbers_have_limits() -> None:
    """A text of thousands of digits is not a number."""
    assert number_in("1" * 5000) is None
    assert number_in("+7") == 7
