"""The schemas: what they accept and reject, and their messages."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import marshmallow as ma
import pytest
from both_ways import dump, load
from hypothesis import example, given, settings
from jsonschema import Draft202012Validator
from strategies import (
    NotBuilt,
    actions,
    built,
    cleaned,
    documents,
    modest,
    mutated,
    replies,
    returned,
)

from flask_clustaar.errors import InvalidReply, Violation
from flask_clustaar.json_schema import json_schema, reply_schema
from flask_clustaar.models import (
    Action,
    Card,
    Choice,
    ConnectionPredicate,
    ConversationSession,
    FlowConnection,
    GoToAction,
    Interlocutor,
    IsLessThanCondition,
    JumpToAction,
    MessageGetter,
    Notification,
    PauseBotAction,
    QuickReply,
    Section,
    SendCardsAction,
    SendChoicesListAction,
    SendImageAction,
    SendQuickRepliesAction,
    SendTextAction,
    ShareAction,
    Step,
    StepReachedResponse,
    StepTarget,
    WaitAction,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.replies import answer_of, dumps
from flask_clustaar.schemas import schema_for, validate_model, violations
from flask_clustaar.schemas.attributes import Shape
from flask_clustaar.schemas.paths import find
from flask_clustaar.schemas.received import Received
from flask_clustaar.schemas.violations import json_violations

ACTION = Shape("model", model=Action)
REPLY = Shape("model", model=StepReachedResponse)


def validator(schema: Any) -> Any:
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, format_checker=checker)


REPLY_SCHEMA = validator(reply_schema())


# -- marshmallow, the fast path and the JSON Schema agree ----------------------------


@modest
@given(replies)
def test_valid_documents(document: Any) -> None:
    """A valid document is accepted by all, and both ways dump it alike."""
    wire, found = validate_model(returned(document))

    assert found == []
    assert dump(returned(document)) == (wire, [])
    assert list(REPLY_SCHEMA.iter_errors(document)) == []
    assert list(REPLY_SCHEMA.iter_errors(wire)) == []


@settings(modest, max_examples=2 * modest.max_examples)
@given(mutated(replies))
def test_documents_with_one_thing_changed(document: Any) -> None:
    """All schemas reject the same documents."""
    if "actions" not in document:
        document = {"actions": 5}
    wire, found = validate_model(returned(document))

    assert dump(returned(document)) == (wire, found)
    as_it_leaves = cleaned(document, StepReachedResponse)
    assert REPLY_SCHEMA.is_valid(as_it_leaves) == (not found), found


@modest
@given(mutated(replies))
@example({"actions": [], "new": 1})  # No constructor takes it.
@example(  # It is completed when it is built.
    {"actions": [{"type": "send_text_action", "alternatives": [], "text": "a"}]}
)
def test_models_with_one_thing_changed(document: Any) -> None:
    """The same for models; the fast path never accepts invalid ones."""
    try:
        reply = built(document, REPLY)
    except NotBuilt:
        return
    wire, found = validate_model(reply)

    assert dump(reply) == (wire, found)
    assert REPLY_SCHEMA.is_valid(wire) == (not found), found


@modest
@given(actions)
def test_what_is_loaded_is_dumped_as_it_was(document: Any) -> None:
    """Load, then dump, is the identity: for what came always, and strictly loaded for
    what leaves."""
    schema = schema_for(StepReachedResponse)
    came = schema_for(StepReachedResponse, received=True).load({"actions": [document]})
    assert validate_model(came) == ({"actions": [document]}, [])
    assert dump(came) == ({"actions": [document]}, [])

    wire, found = validate_model(StepReachedResponse(actions=[document]))
    assert found == []
    assert schema.dump(schema.load(wire)) == wire
    assert validate_model(built(wire["actions"][0], ACTION)) == (wire["actions"][0], [])


@modest
@given(documents(Interlocutor), documents(ConversationSession))
def test_envelopes_that_leave(interlocutor: Any, session: Any) -> None:
    """Interlocutors and sessions are validated like everything else."""
    for model, document in (
        (Interlocutor, interlocutor),
        (ConversationSession, session),
    ):
        reply = built(document, Shape("model", model=model))
        wire, found = validate_model(reply)
        assert found == []
        assert dump(reply) == (wire, [])
        assert validator(json_schema(model)).is_valid(wire)


def test_a_session_value_may_be_named_as_an_attribute() -> None:
    """A session is a mapping, and its items are not its attributes."""
    session = ConversationSession(values={"values": 5})
    assert validate_model(session) == ({"values": {"values": 5}}, [])
    assert dump(session) == ({"values": {"values": 5}}, [])


# -- what is said --------------------------------------------------------------------


def errors_of(*items: Any) -> dict[str, str]:
    """Return the violations of a reply with these actions, by path."""
    reply = StepReachedResponse(actions=list(items))
    wire, found = validate_model(reply)
    assert dump(reply) == (wire, found)
    return {violation.path: violation.message for violation in found}


def test_every_violation_is_reported_at_its_path() -> None:
    """All of them at once, in models and in dicts."""
    buttons = [QuickReply(title="t" * 61, action=ShareAction()) for _ in range(12)]
    assert errors_of(
        PauseBotAction(),
        SendQuickRepliesAction(message="", buttons=buttons[:2]),
        {"type": "send_cards_action", "cards": [{"type": "card", "title": 5}]},
        SendTextAction(alternatives=["ok", "", "x" * 1001], text=""),
    ) == {
        "actions.1.message": "Length must be between 1 and 1000, but is 0.",
        "actions.1.buttons.0.title": "Length must be between 1 and 60, but is 61.",
        "actions.1.buttons.1.title": "Length must be between 1 and 60, but is 61.",
        "actions.2.cards.0.title": "Not a valid string.",
        "actions.3.alternatives.1": "Length must be between 1 and 1000, but is 0.",
        "actions.3.alternatives.2": "Length must be between 1 and 1000, but is 1001.",
        "actions.3.text": "Length must be between 1 and 1000, but is 0.",
    }


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("imageUrl", "Unknown field. Did you mean 'imageURL'?"),
        ("subTitle", "Unknown field. Did you mean 'subtitle'?"),
        ("xyz", "Unknown field."),
    ],
)
def test_a_misspelt_key(key: str, message: str) -> None:
    """The platform drops it silently; here it is an error with a suggestion."""
    card = {"type": "card", "title": "t", key: "u"}
    errors = errors_of({"type": "send_cards_action", "cards": [card]})
    assert errors == {f"actions.0.cards.0.{key}": message}


def test_a_misspelt_attribute() -> None:
    """The same for an attribute that a program sets."""
    card: Any = Card(title="t")
    card.image_ur = "u"
    errors = errors_of(SendCardsAction(cards=[card]))
    assert list(errors) == ["actions.0.cards.0.image_ur"]


def test_a_wrong_type_is_reported_with_the_right_ones() -> None:
    """Of a family and of a single model."""
    target = {"type": "stp", "id": "a" * 24}
    go = {"type": "go_to_action", "target": target}
    ask = {"type": "ask_location_action", "message": "m", "action": go}
    assert errors_of(ask, ask | {"action": {"type": "share_action"}}) == {
        "actions.0.action.target.type": "Must be one of: 'step', 'story'.",
        "actions.1.action.type": "Must be 'go_to_action'.",
        "actions.1.action.target": "Missing data for required field.",
    }


def test_several_sections_need_titles() -> None:
    """Each of several; one alone needs none (PROTOCOL 5)."""
    untitled = Section(choices=[Choice(title="c")])
    titled = Section(title="t", choices=[Choice(title="c")])
    empty = Section(title="", choices=[Choice(title="c")])

    def choices(*sections: Section) -> SendChoicesListAction:
        return SendChoicesListAction(
            placeholder="p", sections=list(sections), action=GoToAction.step("a" * 24)
        )

    needs = "With several sections, each requires a title."
    assert errors_of(choices(untitled)) == errors_of(choices(titled, titled)) == {}
    as_dict = validate_model(choices(titled, untitled, empty))[0]
    assert list(errors_of(as_dict)) == [
        *("actions.0.sections.1.title", "actions.0.sections.2.title"),
    ]
    assert errors_of(choices(titled, untitled, empty)) == {
        "actions.0.sections.1.title": needs,
        "actions.0.sections.2.title": needs,
    }


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        (math.nan, "", "Not a valid number: JSON has no NaN and no Infinity."),
        ([1, -math.inf], ".1", "Not a valid number: JSON has no NaN and no Infinity."),
        ({"b": {"c": b""}}, ".b.c", "Not a JSON value: bytes."),
        ([{1, 2}], ".0", "Not a JSON value: set."),
        (object(), "", "Not a JSON value: object."),
        ({1: 2}, ".1", "Not a valid key: int must be a string."),
        pytest.param(
            10**5000, "", "Not a valid number: it has too many digits.", id="digits"
        ),
        ((1, {"x": {3}}), ".1.x", "Not a JSON value: set."),
    ],
)
def test_session_values_that_are_not_json(value: Any, path: str, message: str) -> None:
    """They are an error at their path (PROTOCOL 4)."""
    session = ConversationSession(values={"a": value})
    wire, found = validate_model(StepReachedResponse(session=session))
    assert found == [Violation(f"session.values.a{path}", message)]
    reply = StepReachedResponse(session=session)
    assert dump(reply)[1] == found


@pytest.mark.parametrize(
    "value",
    [
        1,
        pytest.param(10**4000, id="digits"),
        -1,
        0.1 + 0.2,
        "a",
        None,
        True,
        [1, {"a": []}],
        (1, 2),
    ],
)
def test_session_values_that_are_json(value: Any) -> None:
    """They are sent with all their digits; a tuple is a list."""
    session = ConversationSession(values={"a": value})
    wire, found = dump(StepReachedResponse(session=session))
    assert found == []
    left = wire["session"]["values"]["a"]
    assert repr(left) == repr(value)
    assert json.loads(json.dumps(left)) == (
        list(value) if isinstance(value, tuple) else value
    )


def test_a_lone_json_value_has_no_path() -> None:
    """Its violations are at the root."""
    assert list(json_violations(b"")) == [("", "Not a JSON value: bytes.")]
    assert list(json_violations([b""])) == [("0", "Not a JSON value: bytes.")]
    assert list(json_violations({"a": b""})) == [("a", "Not a JSON value: bytes.")]


def test_strings_of_an_interlocutor() -> None:
    """Custom attributes are strings, numbers too (PROTOCOL 3)."""
    interlocutor = Interlocutor(
        id="1",
        remote_id="2",
        custom_attributes={"age": 25, "a": "b", 1: "x"},  # type: ignore[dict-item]
    )
    _, found = validate_model(StepReachedResponse(interlocutor=interlocutor))
    assert found == [
        Violation("interlocutor.customAttributes.age", "Not a valid string."),
        Violation(
            "interlocutor.customAttributes.1",
            "Not a valid key: it must be a string.",
        ),
    ]


def test_violations_are_flat_and_a_tree() -> None:
    """The same errors in both forms."""
    error = ma.ValidationError({"a": {0: ["x"], "_schema": ["y"]}, "_schema": ["z"]})
    found = violations(error)

    assert [str(violation) for violation in found] == ["a.0: x", "a: y", "z"]
    assert InvalidReply(violations=found).tree == {
        "a": {"0": ["x"], "_schema": ["y"]},
        "_schema": ["z"],
    }


def test_a_list_is_not_a_tuple_but_may_be_one() -> None:
    """A tuple is accepted as a list; a string or a mapping is not."""
    text = SendTextAction(alternatives=("a", "b"))  # type: ignore[arg-type]
    assert errors_of(text) == {}
    assert validate_model(text)[0]["alternatives"] == ["a", "b"]
    for wrong in ("ab", {"a": 1}, {"a"}):
        text.alternatives = wrong  # type: ignore[assignment]
        assert errors_of(text) == {"actions.0.alternatives": "Not a valid list."}


@pytest.mark.parametrize("url", ["http://e.co\u2100b", "http://[1]/"])
def test_urls_are_split_as_python_splits_them(url: str) -> None:
    """A URL that urllib rejects is invalid (PROTOCOL 5), beyond the pattern."""
    image = SendImageAction(image_url=url)
    assert list(errors_of(image)) == ["actions.0.imageURL"]


def test_additions_to_received_values_are_validated() -> None:
    """Only received values are accepted, not new ones next to them."""
    button = {"title": "t" * 99, "action": {"type": "share_action"}}
    came = {"type": "send_quick_replies_action", "message": "", "buttons": [button]}
    (action,) = load(Step, {"actions": [came]}).actions
    assert isinstance(action, SendQuickRepliesAction)
    action.buttons.append(QuickReply(title="", action=ShareAction()))
    assert list(errors_of(action)) == ["actions.0.buttons.1.title"]
    action.buttons.pop()
    assert errors_of(action) == {}


@pytest.mark.parametrize("body", [{}, {"topic": None}, {"topic": 5}, {"topic": []}])
def test_a_notification_without_a_topic(body: Any) -> None:
    """It is the one thing that the tolerant schema wants."""
    errors = schema_for(Notification, received=True).validate(body)
    assert list(errors) == ["topic"]


# -- marshmallow's own options -------------------------------------------------------


def test_options_do_what_marshmallow_does() -> None:
    """'only', 'many' and 'partial', in both directions."""
    schema: Any = type(schema_for(Card))
    cards = [Card(title="a", subtitle="b"), Card(title="c")]
    assert schema(only=("title",)).dump(cards[0]) == {"title": "a"}
    assert schema_for(Card).dump(cards, many=True)[1]["imageURL"] == ""
    assert json.loads(schema(only=("title",)).dumps(cards[0])) == {"title": "a"}
    assert schema_for(Card).dumps(cards, many=True) == json.dumps(
        schema_for(Card).dump(cards, many=True)
    )
    texts: Any = type(schema_for(SendTextAction))
    text = SendTextAction(alternatives=["a"])
    assert texts(only=("alternatives",)).dump(text) == {"alternatives": ["a"]}

    received: Any = schema_for(Step, received=True)
    document = {"id": "1", "actions": [{"type": "pause_bot_action"}]}
    assert received.load([document], many=True) == [received.load(document)]
    only: Any = type(received)(only=("id",))
    assert only.load(document) == Step(id="1")
    assert only.dump(Step(id="1", name="n")) == {"id": "1"}
    assert type(received)(only=("actions",)).load({"actions": 5}) == Step()
    assert type(received)(only=("actions",)).load({"actions": None}) == Step()


@pytest.mark.parametrize("received", [False, True])
def test_partial(received: bool) -> None:
    """With 'partial', required values may be missing, also in a model."""
    schema: Any = schema_for(Choice, received=received)
    [choice] = schema.load([{"type": "choice"}], many=True, partial=True)
    assert isinstance(choice, Choice) and "Choice(" in repr(choice)
    document = {"type": "choice", "title": "a"}
    assert schema.load(document, partial=("title",)) == Choice(title="a")
    assert type(schema)(exclude=("title",), partial=True).load({"type": "choice"})


def test_unknown() -> None:
    """With 'unknown', keys are rejected, dropped, or set on the model."""
    schema: Any = schema_for(Choice)
    document = {"type": "choice", "title": "a", "colour": "red"}
    assert list(schema.validate(document)) == ["colour"]
    assert schema.load(document, unknown=ma.EXCLUDE) == Choice(title="a")
    assert schema.load(document, unknown=ma.INCLUDE).colour == "red"
    received = schema_for(Choice, received=True)
    assert received.load(document) == Choice(title="a")
    with pytest.raises(ma.ValidationError, match="colour"):
        received.load(document, unknown=ma.RAISE)


def test_bytes_that_are_not_of_a_model_are_refused() -> None:
    """By marshmallow, which reports the mistakes."""
    schema = schema_for(Card, received=True)
    with pytest.raises(ma.ValidationError, match="Missing data"):
        schema.load(Received(b"{}"))
    assert schema.load(Received(b'{"title": "a"}')) == Card(title="a")


@pytest.mark.parametrize(
    ("cards", "hint"),
    [
        (Card, "Write 'Card()'."),
        ("a card", "Write a 'Card'."),
    ],
)
def test_a_value_in_place_of_a_model_is_explained(cards: Any, hint: str) -> None:
    """With the class that belongs there."""
    (message,) = errors_of(SendCardsAction(cards=[cards])).values()
    assert message.endswith(hint)


def test_a_number_that_python_does_not_write() -> None:
    """It is rejected, although the platform has no limit."""
    condition = IsLessThanCondition(maximum=10**5000)
    with pytest.raises(ValueError, match="digits"):
        schema_for(IsLessThanCondition).dumps(condition)
    dump(condition)
    jump = JumpToAction(
        connections=[
            FlowConnection(
                target=StepTarget(step_id="a" * 24),
                predicates=[
                    ConnectionPredicate(
                        value_getter=MessageGetter(), condition=condition
                    )
                ],
            )
        ]
    )
    answer = answer_of(jump, "bot")
    assert answer is not None
    with pytest.raises(InvalidReply, match="Cannot be written as JSON: ValueError"):
        dumps(answer.response, [answer])


def test_lone_surrogates_are_written_escaped() -> None:
    """UTF-8 does not have them."""
    reply = StepReachedResponse(actions=[SendTextAction("a\ud800")])
    sent = schema_for(StepReachedResponse).dumps(reply)
    assert "\\ud800" in sent and sent.isascii()


def test_what_was_loaded_is_pickled_with_what_it_was_loaded_from() -> None:
    """From bytes, and from values."""
    document = {"type": "wait_action", "duration": 9, "new": [1]}
    schema = schema_for(WaitAction, received=True)
    for source in (document, Received(json.dumps(document).encode())):
        action: Any = pickle.loads(pickle.dumps(schema.load(source)))
        assert (action.duration, action.received) == (9, document)
        assert json.loads(schema_for(WaitAction).dumps(action)) == document


def test_values_are_found_at_paths() -> None:
    """In a view, in what it does not know, and behind a value that has no keys."""
    body = b'{"topic": "t", "botID": null, "data": {"new": 1, "channel": "c"}}'
    notification = load_notification(body)
    for path, value in {
        "topic": "t",
        "botID": None,
        "data": {"new": 1, "channel": "c"},
        "data.new": 1,
        "data.channel": "c",
        "data.channel.x": "absent",
        "data.step.id": "absent",
        "new": "absent",
    }.items():
        assert find(notification, path.split("."), "absent") == value
