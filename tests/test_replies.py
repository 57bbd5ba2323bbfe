"""The return values of handlers, and their merging into a reply."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from both_ways import load

from flask_clustaar.errors import InvalidReply
from flask_clustaar.models import (
    ConversationSession,
    CreateZendeskTicketAction,
    Interlocutor,
    Notification,
    PauseBotAction,
    SendTextAction,
    StepReachedResponse,
    StepTarget,
    ZendeskUser,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.replies import Answer, answer_of, dumps, merge

PERSON: dict[str, Any] = {
    "id": "1",
    "userID": "2",
    "location": None,
    "email": None,
    "firstName": "John",
    "lastName": None,
    "phoneNumber": None,
    "customAttributes": {"age": "25"},
}
STEP: list[Any] = [{"type": "pause_bot_action", "new": 1}, {"type": "hologram"}]
TEXT = {"type": "send_text_action", "alternatives": ["a"], "text": "a"}


def notification(**data: Any) -> Notification:
    event = {
        "interlocutor": PERSON,
        "session": {"values": {"name": "John"}},
        "step": {"id": "s", "actions": STEP},
    } | data
    return load(Notification, {"topic": "x", "data": event})


def reply_to(notification: Notification, *values: Any) -> Any:
    """Return the reply when handlers answer *values*."""
    found = [answer_of(value, f"h{n}") for n, value in enumerate(values)]
    answers = [answer for answer in found if answer is not None]
    return json.loads(dumps(merge(answers, notification), answers))


# -- what a handler may return -------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "actions"),
    [
        ("a", [TEXT]),
        (SendTextAction("a"), [TEXT]),
        (["a", PauseBotAction()], [TEXT, {"type": "pause_bot_action"}]),
        (("a",), [TEXT]),
        ([TEXT], [TEXT]),
        ([], []),
        (TEXT, [TEXT]),
        (StepReachedResponse(actions=[SendTextAction("a")]), [TEXT]),
        ({"actions": [TEXT]}, [TEXT]),
        ({"actions": (TEXT,)}, [TEXT]),
        ({"actions": ["text without its action"]}, None),
        (None, STEP),
    ],
)
def test_a_handler_may_return(value: Any, actions: Any) -> None:
    """Each form becomes the actions of the reply."""
    if actions is None:
        with pytest.raises(InvalidReply, match="actions.0: Not a valid object."):
            reply_to(notification(), value)
    else:
        assert reply_to(notification(), value)["actions"] == actions


@pytest.mark.parametrize(
    ("value", "described"),
    [
        (5, "an 'int'"),
        (b"text", "a 'bytes'"),
        ([None], "a 'list' with a 'NoneType' in it"),
        ({"a"}, "a 'set'"),
        (("text", 200), "a 'tuple' with an 'int' in it"),
        (StepTarget(step_id="x"), "a 'StepTarget'"),
        (SendTextAction, "the class 'SendTextAction'"),
        (Exception(), "an 'Exception'"),
        (type("X", (), {})(), "a 'X'"),
    ],
)
def test_anything_else_is_a_type_error_that_names_the_handler(
    value: Any, described: str
) -> None:
    """It names the type, and the allowed types."""
    with pytest.raises(TypeError) as caught:
        answer_of(value, "bot.greet")
    assert f"'bot.greet' returned {described}" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ({"session": None}, ["actions: Missing data for required field."]),
        ({"actions": None}, ["actions: Field may not be null."]),
        ({"actions": "x"}, ["actions: Not a valid list."]),
        (
            {"actions": [], "sesion": {}},
            ["sesion: Unknown field. Did you mean 'session'?"],
        ),
        (
            {"actions": [], "session": {}},
            ["session.values: Missing data for required field."],
        ),
        (
            {"actions": [], "session": 5},
            ["session: Not a valid object. Write a 'ConversationSession'."],
        ),
        (
            {"actions": [], "interlocutor": {"firstName": 5}},
            ["interlocutor.firstName: Not a valid string."],
        ),
        (
            {"actions": [], "interlocutor": 5},
            ["interlocutor: Not a valid object. Write an 'Interlocutor'."],
        ),
        ({"actions": [], "type": "x"}, ["type: Unknown field."]),
    ],
)
def test_a_dict_has_the_shape_of_a_reply(value: Any, lines: list[str]) -> None:
    """Mistakes are reported with path and handler."""
    with pytest.raises(InvalidReply, match="The reply of 'h0' is invalid") as caught:
        reply_to(notification(), value)
    assert list(map(str, caught.value.violations)) == lines


# -- actions -------------------------------------------------------------------------


def test_strings_in_a_response_are_texts() -> None:
    """As in a list of actions; and the response that a handler keeps is left alone."""
    response = StepReachedResponse(actions=["Hello", PauseBotAction()])
    assert reply_to(notification(), response, response)["actions"] == 2 * [
        {"type": "send_text_action", "alternatives": ["Hello"], "text": "Hello"},
        {"type": "pause_bot_action"},
    ]
    assert response.actions[0] == "Hello"


def test_actions_are_concatenated_in_order() -> None:
    """Models and dicts among each other."""
    reply = reply_to(notification(), "a", None, {"actions": [TEXT]}, PauseBotAction())
    assert reply["actions"] == [TEXT, TEXT, {"type": "pause_bot_action"}]


def test_received_actions_returned_as_dicts_are_untouched() -> None:
    """A dict of the notification is sent unchanged, known or not."""
    step: dict[str, Any] = {
        "id": "s",
        "actions": [{"type": "send_text_action", "text": "½" * 2000}],
    }
    came = notification(step=step)
    assert (
        reply_to(came, {"actions": [dict(step["actions"][0])]})["actions"]
        == (step["actions"])
    )


def test_received_actions_are_found_in_a_step_with_anything() -> None:
    """A step may hold anything."""
    came = notification(step={"id": "s", "actions": [None, 3, STEP[0]]})
    assert reply_to(came, [dict(STEP[0])])["actions"] == [STEP[0]]


@pytest.mark.parametrize("number", [3, 30])
def test_received_actions_are_found_whatever_the_order_of_their_keys(
    number: int,
) -> None:
    """It means nothing in JSON."""
    actions = [{"type": "hologram", "n": n, "a": 1} for n in range(number)]
    echo = [dict(reversed(action.items())) for action in actions]
    came = notification(step={"id": "s", "actions": actions})
    assert reply_to(came, echo)["actions"] == actions


def test_received_actions_are_found_among_very_many() -> None:
    """Nor does it take long."""
    actions = [{"type": "hologram", "n": n} for n in range(20_000)]
    came = notification(step={"id": "s", "actions": actions})
    echo = [dict(action) for action in actions]
    assert reply_to(came, {"actions": echo})["actions"] == actions
    with pytest.raises(InvalidReply, match="actions.0.type: Must be one of"):
        reply_to(came, {"actions": [{"type": "hologram", "n": {1}}]})


@pytest.mark.parametrize("number", [3, 30])
def test_values_that_are_not_json_were_not_received(number: int) -> None:
    """Its '==' is not used, and cannot raise."""
    actions = [{"type": "hologram", "n": [n]} for n in range(number)]
    came = notification(step={"id": "s", "actions": actions})
    odd = [Decimal("sNaN"), {1}, (number - 1,), Decimal(0), object()]
    for value in odd:
        echo = [*map(dict, actions), {"type": "hologram", "n": value}]
        with pytest.raises(InvalidReply, match=rf"actions.{number}.type: Must be one"):
            reply_to(came, echo)


def test_received_actions_may_be_returned() -> None:
    """The received dicts themselves are sent unchanged."""
    came = notification()
    assert came.step.received is not None
    actions = came.step.received["actions"]
    assert reply_to(came, {"actions": actions})["actions"] == STEP


@pytest.mark.parametrize("other", [None, 5, "x", []])
def test_received_actions_are_found_in_a_list_with_anything(other: Any) -> None:
    """The platform's list may have anything in it."""
    came = notification(step={"id": "s", "actions": [other, STEP[1]]})
    assert reply_to(came, {"actions": [dict(STEP[1])]})["actions"] == [STEP[1]]


def test_received_actions_changed_as_dicts_are_validated() -> None:
    """A changed dict is validated."""
    with pytest.raises(InvalidReply, match="actions.0.new: Unknown field."):
        reply_to(notification(), {"actions": [STEP[0] | {"new": 2}]})


@pytest.mark.parametrize("actions", [None, 5, "x", {}])
def test_a_step_without_a_list_of_actions_is_returned_empty(actions: Any) -> None:
    """A reply requires a list."""
    came = notification(step={"id": "s", "actions": actions})
    assert reply_to(came)["actions"] == []


@pytest.mark.parametrize("step", [None, 5, []])
def test_a_step_that_is_not_an_object_is_returned_empty(step: Any) -> None:
    """Then it has no actions."""
    assert reply_to(notification(step=step))["actions"] == []


def test_an_attribute_that_a_reply_does_not_have_is_refused() -> None:
    """Misspelt keys would be dropped silently."""
    misspelt: Any = StepReachedResponse(actions=[SendTextAction("a")])
    misspelt.sesion = ConversationSession(values={"name": "Jane"})
    with pytest.raises(InvalidReply, match="The reply of 'h0' is") as caught:
        reply_to(notification(), misspelt)
    assert list(map(str, caught.value.violations)) == [
        "sesion: Unknown attribute. Did you mean 'session'?"
    ]


def test_the_handlers_at_fault_are_named() -> None:
    """By whose actions are wrong; all of them, if it is something else."""
    with pytest.raises(InvalidReply) as caught:
        reply_to(notification(), "a", [SendTextAction("x" * 1001)], "b")
    assert "The reply of 'h1' is invalid" in str(caught.value)
    bad = StepReachedResponse(session=ConversationSession(values={"x": {1}}))
    with pytest.raises(InvalidReply, match="The reply of 'h0', 'h1' is invalid"):
        reply_to(notification(), "a", bad)


def test_actions_that_are_not_a_list_are_at_fault() -> None:
    """They count as one action among those of other handlers."""
    bad = StepReachedResponse(actions=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidReply, match="The reply of 'h0', 'h1' is") as caught:
        reply_to(notification(), "a", bad)
    assert list(map(str, caught.value.violations)) == ["actions.1: Not a valid object."]


def test_what_cannot_be_written_is_reported_with_its_reason() -> None:
    """At its path, with all handlers, because the owner is unknown."""
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    came = notification()
    came.session["loop"] = loop
    with pytest.raises(InvalidReply, match="The reply of 'h0', 'h1' is") as caught:
        reply_to(came, "a", "b")
    (violation,) = caught.value.violations
    assert violation.path == "session.values.loop.loop"
    assert violation.message == "Not a JSON value: it contains itself."


def test_an_invalid_reply_is_a_tree_too() -> None:
    """As marshmallow nests its messages."""
    with pytest.raises(InvalidReply) as caught:
        reply_to(notification(), SendTextAction(alternatives=["", "x" * 1001]))
    alternatives = caught.value.tree["actions"]["0"]["alternatives"]
    assert set(alternatives) == {"0", "1"}


def test_keys_that_would_be_lost_are_refused() -> None:
    """Merging would drop them, so all are reported with their handlers."""
    dicts: dict[str, Any] = {
        "session": {"values": {}, "new": 1},
        "interlocutor": {"firstName": "Jane", "nam": "x"},
    }
    with pytest.raises(InvalidReply, match="The reply of 'h1' is invalid") as caught:
        reply_to(notification(), "a", StepReachedResponse(**dicts), "b")
    assert list(map(str, caught.value.violations)) == [
        "session.new: Unknown field.",
        "interlocutor.nam: Unknown field.",
    ]


def test_keys_that_came_are_not_refused() -> None:
    """They are the platform's own, and a dict may be a copy of a received one."""
    session, person = {"values": {"a": 1}, "new": 1}, PERSON | {"new": 2}
    came = notification(session=session, interlocutor=person)
    answer = {"actions": [], "session": dict(session), "interlocutor": dict(person)}
    reply = reply_to(came, answer, "a")
    assert reply["session"]["values"] == {"a": 1}
    assert reply["interlocutor"] == person


# -- the session ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "values"),
    [
        ([], {"name": "John"}),
        (["a"], {"name": "John"}),
        ([{"b": 2}], {"b": 2}),
        ([{"b": 2}, {"c": 3}], {"b": 2, "c": 3}),
        ([{"b": 2}, {"b": 3}], {"b": 3}),
        ([{"b": 2}, "a"], {"name": "John", "b": 2}),
        (["a", {"name": "Jane"}], {"name": "Jane"}),
        ([{"name": "Jane"}, "a"], {"name": "Jane"}),
    ],
)
def test_sessions_are_merged(answers: Any, values: Any) -> None:
    """A session of all answers' own replaces the received one; else it lies over it."""
    responses = [
        StepReachedResponse(session=ConversationSession(values=a))
        if isinstance(a, dict)
        else a
        for a in answers
    ]
    assert reply_to(notification(), *responses)["session"] == {"values": values}


def test_a_session_that_cannot_be_merged_is_rejected() -> None:
    """It is validated unchanged."""
    given = {"actions": [], "session": {"values": 5}}
    with pytest.raises(InvalidReply, match="session.values: Not a valid object."):
        reply_to(notification(), "a", given)


def test_a_session_and_null() -> None:
    """Null says nothing about the session."""
    given = {"actions": [], "session": {"values": {"b": 2}}}
    reply = reply_to(notification(), given, {"actions": [], "session": None})
    assert reply["session"] == {"values": {"name": "John", "b": 2}}


@pytest.mark.parametrize(
    ("session", "sent"),
    [
        (None, None),
        (5, None),
        ({}, {}),
        ({"values": None}, {"values": None}),
        ({"values": {}, "new": 1}, {"values": {}, "new": 1}),
    ],
)
def test_a_received_session_is_returned_unchanged(session: Any, sent: Any) -> None:
    """In any form; an invalid session is omitted."""
    assert reply_to(notification(session=session), "a").get("session") == sent


def test_the_received_session_may_be_returned() -> None:
    """Then it is sent with all received keys."""
    came = notification(session={"values": {"a": 1}, "new": 1})
    reply = reply_to(came, StepReachedResponse(session=came.session))
    assert reply["session"] == {"values": {"a": 1}, "new": 1}


def test_a_session_that_came_as_null_can_be_begun() -> None:
    """A handler sets a value, and the reply has a session."""
    came = notification(session=None)
    came.session["name"] = "Jane"
    assert reply_to(came)["session"] == {"values": {"name": "Jane"}}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (float("nan"), "session.values.x: Not a valid number: JSON has no NaN"),
        (b"x", "session.values.x: Not a JSON value: bytes."),
        ({"deep": [{1}]}, "session.values.x.deep.0: Not a JSON value: set."),
        (object(), "session.values.x: Not a JSON value: object."),
        ({1: 2}, "session.values.x.1: Not a valid key"),
        ([10**4400], "session.values.x.0: Not a valid number: it has too many digits."),
    ],
)
def test_session_values_are_json(value: Any, line: str) -> None:
    """Anything else is an error at its path (PROTOCOL 4)."""
    came = notification()
    came.session["x"] = value
    with pytest.raises(InvalidReply) as caught:
        reply_to(came, "a")
    assert line in str(caught.value)


# -- the interlocutor ----------------------------------------------------------------


def test_an_interlocutor_changed_by_two_handlers() -> None:
    """Both changes are sent."""
    came = notification()
    came.interlocutor.first_name = "Jane"
    came.interlocutor.custom_attributes["age"] = "26"
    sent = reply_to(came, "a", "b")["interlocutor"]
    assert sent == PERSON | {"firstName": "Jane", "customAttributes": {"age": "26"}}


def test_interlocutors_are_merged_with_the_received_one() -> None:
    """Missing values are kept; custom attributes are merged."""
    first = Interlocutor(first_name="Jane", custom_attributes={"colour": "red"})
    second = {"actions": [], "interlocutor": {"lastName": "Doe"}}
    sent = reply_to(notification(), StepReachedResponse(interlocutor=first), second)
    assert sent["interlocutor"] == PERSON | {
        "firstName": "Jane",
        "lastName": "Doe",
        "customAttributes": {"age": "25", "colour": "red"},
    }


def test_the_received_interlocutor_may_be_returned() -> None:
    """Then it is sent, changed or not."""
    came = notification()
    sent = reply_to(came, StepReachedResponse(interlocutor=came.interlocutor))
    assert sent["interlocutor"] == PERSON


def test_the_received_interlocutor_may_be_returned_beside_another() -> None:
    """The other one is merged on top, in any order."""
    came = notification()
    same = StepReachedResponse(interlocutor=came.interlocutor)
    other = StepReachedResponse(interlocutor=Interlocutor(first_name="Jane"))
    for answers in ((same, other), (other, same)):
        sent = reply_to(came, *answers)["interlocutor"]
        assert sent == PERSON | {"firstName": "Jane"}


def test_a_partial_interlocutor_is_completed_when_it_is_sent() -> None:
    """The platform requires all keys; missing ones are null if allowed."""
    came = notification(interlocutor={"id": "1", "userID": "2", "new": 5})
    came.interlocutor.first_name = "Jane"
    sent = reply_to(came, "a")["interlocutor"]
    assert sent == PERSON | {"firstName": "Jane", "customAttributes": {}, "new": 5}


def test_custom_attributes_are_strings() -> None:
    """Numbers too (PROTOCOL 3)."""
    came = notification()
    came.interlocutor.custom_attributes["age"] = 26  # type: ignore[assignment]
    line = "interlocutor.customAttributes.age: Not a valid string."
    with pytest.raises(InvalidReply, match=line):
        reply_to(came, "a")


def test_an_interlocutor_that_did_not_come_is_not_sent() -> None:
    """Nobody changed it."""
    came = notification(interlocutor=None)
    assert came.interlocutor.first_name is None
    assert "interlocutor" not in reply_to(came, "a")


def test_an_interlocutor_that_did_not_come_can_be_answered() -> None:
    """If a handler knows all of it."""
    came = notification(interlocutor=None)
    sent = reply_to(came, {"actions": [], "interlocutor": PERSON})
    assert sent["interlocutor"] == PERSON


def test_an_interlocutor_that_did_not_come_cannot_be_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The platform would require its id. This is logged, and the bot continues."""
    came = notification(interlocutor=None)
    came.interlocutor.first_name = "Jane"
    assert "interlocutor" not in reply_to(came, "a")
    own = StepReachedResponse(interlocutor=came.interlocutor)
    assert "interlocutor" not in reply_to(came, own)
    assert (
        caplog.text.count(
            "Changes to the interlocutor were dropped: the notification had none."
        )
        == 2
    )


def test_a_dict_that_differs_from_the_received_one_is_validated() -> None:
    """True is not 1 on the wire."""
    step = {"id": "s", "actions": [{"type": "wait_action", "duration": 1}]}
    almost = {"type": "wait_action", "duration": True}
    with pytest.raises(InvalidReply, match="actions.0.duration: Not a valid number."):
        reply_to(notification(step=step), [almost])


@pytest.mark.parametrize(
    ("name", "meant"), [("firstName", "first_name"), ("fist_name", "first_name")]
)
def test_a_misspelt_attribute_of_the_interlocutor_is_reported(
    name: str, meant: str
) -> None:
    """Values that a handler sets are never dropped silently."""
    came = notification()
    setattr(came.interlocutor, name, "Jane")
    line = f"interlocutor.{name}: Unknown attribute. Did you mean '{meant}'?"
    with pytest.raises(InvalidReply) as caught:
        reply_to(came, "a")
    assert list(map(str, caught.value.violations)) == [line]


def test_a_changed_place_is_a_change() -> None:
    """Also deeper in the interlocutor."""
    came = notification(interlocutor=PERSON | {"location": {"lat": 1.5, "long": 2}})
    assert came.interlocutor.location is not None
    came.interlocutor.location.lat = 3.5
    sent = reply_to(came, "a")["interlocutor"]
    assert sent["location"] == {"lat": 3.5, "long": 2}


def test_a_text_that_is_too_long_is_reported_once() -> None:
    """Although it is sent in two places. The message says how long it is."""
    for answer in (
        "x" * 1200,
        SendTextAction("x" * 1200),
        SendTextAction(alternatives=["x" * 1200]),
    ):
        with pytest.raises(InvalidReply) as caught:
            reply_to(notification(), answer)
        assert [str(each) for each in caught.value.violations] == [
            "actions.0.alternatives.0: Length must be between 1 and 1000, but is 1200."
        ]


def test_choices_are_shown_as_they_are_written() -> None:
    """Also the empty one."""
    user = ZendeskUser(email="jane@example.com")
    ticket = CreateZendeskTicketAction(user=user, description="d")
    ticket.ticket_priority = "hihg"  # type: ignore[assignment]
    with pytest.raises(InvalidReply) as caught:
        reply_to(notification(), ticket)
    (violation,) = caught.value.violations
    assert violation.path == "actions.0.ticketPriority"
    assert violation.message == (
        "Must be one of: 'urgent', 'high', 'normal', 'low', ''."
    )


def test_answers_know_their_handler() -> None:
    """For messages."""
    answer = answer_of("a", "bot.greet")
    assert isinstance(answer, Answer) and answer.handler == "bot.greet"


# -- a session that is too large -----------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_a_session_that_is_nested_too_deeply_is_refused() -> None:
    """The next notification, which brings it back, would be rejected."""
    came = notification()
    came.session["history"] = nested(96)
    assert reply_to(came, "a")["session"]["values"]["history"]
    came.session["history"] = nested(97)
    with pytest.raises(InvalidReply) as caught:
        reply_to(came, "a")
    assert [violation.path for violation in caught.value.violations] == [
        "session.values.history"
    ]


def test_a_value_that_contains_itself_is_an_error_at_its_path() -> None:
    """And nothing else is reported."""
    loop: list[Any] = []
    loop.append(loop)
    came = notification()
    came.session["a"] = {"b": loop}
    with pytest.raises(InvalidReply) as caught:
        reply_to(came, "x")
    assert [str(each) for each in caught.value.violations] == [
        "session.values.a.b.0: Not a JSON value: it contains itself."
    ]


def test_a_session_that_is_wrong_while_no_handler_answers() -> None:
    """It alone is reported: the step's actions are not checked."""
    body = json.dumps(
        {
            "topic": "t",
            "data": {
                "session": {"values": {}},
                "step": {"actions": [{"type": "new"}, {"type": "wait_action"}]},
            },
        }
    )
    came = load_notification(body.encode())
    came.session["a"] = float("nan")
    with pytest.raises(InvalidReply) as caught:
        dumps(merge([], came), [])
    assert [violation.path for violation in caught.value.violations] == [
        "session.values.a"
    ]
    assert caught.value.description == (
        "The reply of the webhook is invalid, and was not sent."
    )


def test_a_dict_is_new_where_no_actions_arrived() -> None:
    """Also if another value is in their place."""
    came = notification(step={"id": "s", "actions": {"a": 1}})
    pause = {"type": "pause_bot_action"}
    assert reply_to(came, pause)["actions"] == [pause]
