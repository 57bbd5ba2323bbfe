"""The fast path loads what marshmallow loads, and dumps what marshmallow dumps."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
import types
from decimal import Decimal
from typing import Any

import pytest
from both_ways import dump, dump_fast, load
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from strategies import (
    actions,
    documents,
    hostile_notifications,
    json_values,
    modest,
    reply_to,
)
from test_models import touch

from flask_clustaar.errors import InvalidReply
from flask_clustaar.models import (
    Action,
    Card,
    CloseIntercomConversationAction,
    ConnectionPredicate,
    ConversationSession,
    CreateZendeskTicketAction,
    FlowConnection,
    GoToAction,
    Input,
    Interlocutor,
    IsSetCondition,
    JumpToAction,
    MatchRegexpCondition,
    Message,
    Notification,
    PauseBotAction,
    SendCardsAction,
    SendImageAction,
    SendJSEventAction,
    SendTextAction,
    Step,
    StepReachedResponse,
    StepTarget,
    UnknownAction,
    WaitAction,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.replies import Answer, answer_of
from flask_clustaar.schemas import schema_for, validate_model, writing
from flask_clustaar.schemas.attributes import attributes_of
from flask_clustaar.schemas.received import Received, dump_json
from flask_clustaar.wire import Model, members_of

# -- in ------------------------------------------------------------------------------


@modest
@given(hostile_notifications())
def test_anything_is_loaded_alike(document: Any) -> None:
    """Both ways load equal objects from any notification with a topic."""
    quick = load(Notification, document)
    assert quick == schema_for(Notification, received=True).load(document)


@pytest.mark.parametrize(
    "action",
    [
        None,
        {"type": "ask_location_action", "message": "m", "action": {"type": "x"}},
        {"type": "ask_location_action", "message": "m", "action": None},
    ],
)
def test_unknown_actions_are_loaded_alike(action: Any) -> None:
    """An action that cannot be typed is unknown as a whole, in a list of others."""
    document = {"actions": [action, {"type": "pause_bot_action"}]}
    wanted = [UnknownAction(data=action), PauseBotAction()]
    assert load(Step, document).actions == wanted
    assert schema_for(Step, received=True).load(document) == Step(actions=wanted)


@pytest.mark.parametrize("family", [Action, Input])
@modest
@given(st.data())
def test_valid_documents_are_loaded_alike(family: type[Model], data: Any) -> None:
    """And valid documents as the models that they are."""
    document = data.draw(documents(family))
    model = members_of(family)[document["type"]]

    quick = load(model, document)

    assert type(quick) is model
    assert quick == schema_for(model, received=True).load(document)
    assert quick == schema_for(model).load(document)


@modest
@given(json_values)
def test_only_objects_are_loaded(value: Any) -> None:
    """Both ways reject anything else."""
    if isinstance(value, dict):
        value = [value]
    for model in (WaitAction, Notification, Interlocutor):
        for document in (value, Received(dump_json(value))):
            with pytest.raises(ValidationError):
                schema_for(model, received=True).load(document)


# -- out -----------------------------------------------------------------------------


@modest
@given(hostile_notifications())
def test_anything_is_returned_unchanged(document: Any) -> None:
    """Looked at, or not; echoed by nobody, by a handler, or with a text; and what came
    is left alone."""
    came = copy.deepcopy(document)
    body = json.dumps(document).encode()
    step = document.get("data")
    for key in ("step", "actions"):
        step = step.get(key) if isinstance(step, dict) else None
    actions = step if isinstance(step, list) else []

    assert reply_to(load_notification(body))["actions"] == actions
    notification = load(Notification, document)
    touch(notification)
    assert reply_to(notification)["actions"] == actions
    echoed = reply_to(notification, notification.step.actions, "Hello")
    assert echoed["actions"][:-1] == actions
    assert document == came


@modest
@given(hostile_notifications(), st.data())
def test_anything_can_be_changed(document: Any, data: Any) -> None:
    """For any input, a handler's change is sent, or rejected with an error."""
    notification = load(Notification, document)
    notification.session["x"] = 1
    part = data.draw(st.sampled_from([notification.interlocutor, notification.step]))
    row = data.draw(st.sampled_from(attributes_of(type(part))))
    setattr(part, row.name, data.draw(json_values))

    try:
        reply = reply_to(notification, notification.step.actions)
    except (InvalidReply, TypeError) as error:
        assert getattr(error, "violations", ()) or "not a valid reply" in str(error)
    else:
        assert reply["session"]["values"]["x"] == 1


@modest
@given(st.lists(actions, min_size=2, max_size=2))
def test_what_is_changed_in_what_came(pair: list[Any]) -> None:
    """Changing one attribute changes one key; the rest is unchanged."""
    ours, theirs = pair
    came = ours | {"new": {"a": [None]}}
    model: Any = members_of(Action)[ours["type"]]
    if theirs["type"] != ours["type"]:
        theirs = ours
    other = schema_for(model).load(theirs)
    changed = dump(other)[0]
    for row in attributes_of(model):
        action = load(model, copy.deepcopy(came))
        if getattr(action, row.name) == getattr(other, row.name):
            continue
        setattr(action, row.name, getattr(other, row.name))
        expected = {key: value for key, value in came.items() if key != row.key}
        expected |= {row.key: changed[row.key]} if row.key in changed else {}

        wire, found = dump(StepReachedResponse(actions=[action]))

        assert found == []
        assert wire == {"actions": [expected]}
        assert validate_model(StepReachedResponse(actions=[action])) == (wire, [])


@modest
@given(st.lists(actions, min_size=1, max_size=3))
def test_both_ways_write_the_same(found: list[Any]) -> None:
    """Models and dicts alike: key by key, in one order, byte by byte."""
    built = [schema_for(members_of(Action)[a["type"]]).load(a) for a in found]
    for each in (built, found):
        reply = StepReachedResponse(actions=each)
        assert dump(reply)[1] == []
        written = schema_for(StepReachedResponse).dumps(reply)
        assert json.loads(written) == validate_model(reply)[0]


@pytest.mark.parametrize(
    "action",
    [
        WaitAction(duration=10**5000),
        {"type": "wait_action", "duration": 10**5000},
        WaitAction(duration=Decimal("sNaN")),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_written_is_explained(action: Any) -> None:
    """With its path, together with other mistakes."""
    reply = StepReachedResponse(actions=[action, SendTextAction("")])
    paths = {violation.path for violation in dump(reply)[1]}
    assert {"actions.0.duration", "actions.1.text"} <= paths


def test_marshmallow_is_not_asked_about_valid_replies() -> None:
    """Neither new nor received values need it; only invalid values do."""
    text, pause = SendTextAction("Hello"), {"type": "pause_bot_action"}
    body = b'{"actions": [{"type": "new"}, {"type": "pause_bot_action"}]}'
    arrived: Any = schema_for(Step, received=True).load(Received(body))
    session: Any = schema_for(ConversationSession, received=True).load(
        Received(b'{"values": {"a": 1}}')
    )
    session["a"] = 2
    actions: list[Any] = [text, pause, *arrived.actions]
    reply = StepReachedResponse(actions=actions, session=session)

    assert dump_fast(reply) == validate_model(reply)[0]
    wrong: list[Any] = [
        SendTextAction(""), {"type": "x"}, 5, WaitAction(duration="2"),  # type: ignore[arg-type]
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(writing.UNCLEAR):
            dump_fast(StepReachedResponse(actions=[each]))


PAUSE: Any = PauseBotAction()


def stray_card() -> Any:
    card: Any = Card(title="a")
    card.image = "https://e.co"
    return card


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (SendTextAction(alternatives={"a"}), "alternatives"),  # type: ignore[arg-type]
        ({"type": "send_text_action", "alternatives": {"a"}}, "alternatives"),
        ({"type": "send_text_action", "alternatives": ["a"], "text": None}, "text"),
        ({"type": "send_cards_action", "cards": [{"title": "a"}]}, "cards.0.type"),
        (SendCardsAction(cards=[stray_card()]), "cards.0.image"),
        (SendCardsAction(cards=["a"]), "cards.0"),  # type: ignore[list-item]
        (SendCardsAction(cards=[types.SimpleNamespace(title="a")]), "cards.0"),  # type: ignore[list-item]
        (WaitAction(duration=math.nan), "duration"),
        (SendJSEventAction(event="a", payload={"a": math.nan}), "payload.a"),
        (SendJSEventAction(event="a", payload={1: 2}), "payload.1"),  # type: ignore[dict-item]
        (UnknownAction(data={"type": "pause_bot_action", "a": 1}), "a"),
        (CreateZendeskTicketAction(user=PAUSE, description="a"), "user.type"),
    ],
)
def test_what_msgspec_alone_would_send(action: Any, path: str) -> None:
    """msgspec is less strict than the platform in places; there, nothing is sent."""
    _, found = dump(StepReachedResponse(actions=[action]))
    assert [violation.path for violation in found] == [f"actions.0.{path}"]


def test_a_model_of_another_family() -> None:
    """Its type may be a known one; additional keys are kept."""
    text: Any = Message(text="yes")
    predicate = ConnectionPredicate(condition=IsSetCondition(), value_getter=text)
    connection = FlowConnection(
        target=StepTarget(step_id="a" * 24), predicates=[predicate]
    )
    jump = JumpToAction(connections=[connection])
    paths = {found.path for found in dump(StepReachedResponse(actions=[jump]))[1]}
    getter = "actions.0.connections.0.predicates.0.valueGetter"
    assert paths == {f"{getter}.attachments", f"{getter}.text"}


def test_attributes_that_were_deleted() -> None:
    """They are missing, not a crash."""
    image = SendImageAction(image_url="https://e.co")
    del image.image_url
    _, found = dump(StepReachedResponse(actions=[image]))
    assert [violation.path for violation in found] == ["actions.0.imageURL"]


def test_attributes_that_are_set_on_an_envelope() -> None:
    """A missing one is rejected, as for every model."""
    session: Any = load(ConversationSession, {"values": {}})
    session.valeus = {}
    _, found = dump(StepReachedResponse(session=session))
    assert [violation.path for violation in found] == ["session.valeus"]


def test_a_pattern_that_is_not_a_string() -> None:
    """It cannot be typed."""
    with pytest.raises(ValidationError):
        load(MatchRegexpCondition, {"type": "match_regexp", "pattern": 5})


def test_a_member_of_a_family_that_has_no_unknown() -> None:
    """The containing object is also unknown."""
    with pytest.raises(ValidationError):
        load(GoToAction, {"type": "go_to_action", "target": {"type": "x"}})


def test_an_unknown_value_that_was_changed() -> None:
    """Unknown values are accepted only if they are unchanged."""
    (came,) = load(Step, {"actions": [{"type": "new"}]}).actions
    built = UnknownAction(data={"type": "new"})
    for unknown in (built, came):
        assert isinstance(unknown, UnknownAction)
        unknown.data = {"type": "newer"}
        _, found = dump(StepReachedResponse(actions=[unknown]))
        assert [violation.path for violation in found] == ["actions.0.type"]


def test_subclasses_of_a_model() -> None:
    """A subclass that only adds methods is sent like its model."""

    class Greeting(SendTextAction):
        def shout(self) -> str:
            return self.alternatives[0].upper()

    assert Greeting("hi").shout() == "HI"
    reply = StepReachedResponse(actions=[Greeting("hi")])
    text = {"type": "send_text_action", "alternatives": ["hi"], "text": "hi"}
    assert validate_model(reply) == ({"actions": [text]}, [])
    assert dump(reply) == ({"actions": [text]}, [])


def test_actions_of_other_classes_in_a_family() -> None:
    """Emitters are found by class, once, and members are not mixed up."""
    reply = StepReachedResponse(
        actions=[PauseBotAction(), CloseIntercomConversationAction(), PauseBotAction()]
    )
    assert [action["type"] for action in dump(reply)[0]["actions"]] == [
        "pause_bot_action",
        "close_intercom_conversation_action",
        "pause_bot_action",
    ]


def test_answers_are_reported_apart() -> None:
    """An answer is of one handler."""
    assert answer_of(None, "bot") is None
    assert answer_of("a", "bot") == Answer(
        "bot", StepReachedResponse(actions=[SendTextAction("a")])
    )


FIRST_REQUESTS = """
import json, sys, threading
from flask import Flask
from flask_clustaar import ClustaarWebhook, events, models
from flask_clustaar.testing import make_notification

sys.setswitchinterval(1e-6)
app = Flask("bot")
webhook = ClustaarWebhook(app)

@webhook.on(events.CONVERSATION_STEP_REACHED)
def answer(notification):
    button = models.Button(title="Go", action=models.GoToAction.step("a" * 24))
    card = models.Card(title="T", buttons=[button])
    return ["5 < 6", models.SendCardsAction(cards=[card])]

def send():
    start.wait()
    response = app.test_client().post("/clustaar", json=received)
    statuses.append(response.status_code)

received, statuses, start = make_notification().received, [], threading.Barrier(8)
threads = [threading.Thread(target=send) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert statuses == [200] * 8, statuses
"""


def test_first_requests_in_many_threads() -> None:
    """Types are complete before a second thread uses them: msgspec would crash."""
    for _ in range(3):
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FIRST_REQUESTS], check=True
        )
