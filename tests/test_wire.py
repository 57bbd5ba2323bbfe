"""The base class of models, and its pitfalls."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import threading
from typing import Annotated, Any, ClassVar

import pytest
from both_ways import dump, dump_fast, load
from marshmallow import ValidationError
from marshmallow.validate import ContainsNoneOf, Email

from flask_clustaar.errors import InvalidJSON, InvalidReply
from flask_clustaar.json_schema import json_schema
from flask_clustaar.models import (
    Action,
    Button,
    ButtonAction,
    ConversationSession,
    GoToAction,
    Input,
    Interlocutor,
    MatchRegexpCondition,
    Notification,
    QuickReply,
    SendCardsAction,
    SendEmailAction,
    SendQuickRepliesAction,
    SendTextAction,
    Step,
    StepReachedResponse,
    StepTarget,
    StoreSessionValueAction,
    Target,
    UnknownAction,
    WaitAction,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.replies import answer_of, dumps
from flask_clustaar.schemas import schema_for, validate_model
from flask_clustaar.schemas.attributes import Shape, attributes_of, untyped
from flask_clustaar.schemas.limits import URL, Length, Limit, Range
from flask_clustaar.schemas.received import Received
from flask_clustaar.wire import (
    BLANK,
    NORMALISED,
    NOT_NULL,
    OPTIONAL,
    REQUIRED,
    SANITISED,
    STRIPPED,
    Key,
    Model,
    Text,
    copy_json,
    is_family,
    members_of,
)

ID = "507f1f77bcf86cd799439011"

Short = Annotated[Text, Length(1, 3)]


class Tagged(Model, type="tagged", family=True):
    """The base class of a family with its own type."""

    a: Short
    b: Short
    related: ClassVar[type[Model]] = StepTarget


class TaggedChild(Tagged, type="tagged_child"):
    """One more member."""

    c: Annotated[int | None, Range(1, 2)] = None


class Holder(Model):
    """Holds one of a family, and one that has no family."""

    member: Tagged
    plain: Annotated[StepTarget | None, Key("PLAIN")] = None
    mail: Annotated[str | None, Email()] = None


def errors_of(model: Model) -> dict[str, str]:
    """Return the violations of a sent model, by path; both ways agree."""
    wire, violations = validate_model(model)
    assert dump(model) == (wire, violations)
    return {violation.path: violation.message for violation in violations}


# -- traps ---------------------------------------------------------------------------


def test_what_leaves_is_validated() -> None:
    """marshmallow's dump does not validate, but sent models are validated."""
    schema_for(WaitAction).dump(WaitAction(duration=99))

    assert list(errors_of(WaitAction(duration=99))) == ["duration"]


def test_attributes_of_one_alias_do_not_share_a_field() -> None:
    """Two attributes of one annotation have each their own key."""
    document = {"type": "tagged", "a": "1", "b": "2"}
    assert dump(Tagged(a="1", b="2")) == (document, [])
    assert schema_for(Tagged).load(document) == Tagged(a="1", b="2")


@pytest.mark.parametrize("value", [5, None, [], {}, True])
def test_only_strings_are_cleaned(value: Any) -> None:
    """Cleaning comes before the check of the kind, and does not trip over others."""
    action = SendEmailAction(recipient=value, subject="s", content="c")
    assert list(errors_of(action)) == ["recipient"]


def test_a_member_that_is_defined_later() -> None:
    """A custom action can be sent and received, wherever actions are allowed."""
    validate_model(StepReachedResponse(actions=[WaitAction()]))  # All schemas are made.
    dump(StepReachedResponse(actions=[WaitAction()]))

    class DanceAction(Action, ButtonAction, type="dance_action"):
        steps: Annotated[int, Range(1, 9)]
        partner_id: Annotated[str | None, Length(max=3)] = None

    try:
        dance = DanceAction(steps=3, partner_id="abc")
        document = {"type": "dance_action", "steps": 3, "partnerID": "abc"}
        button = QuickReply(title="t", action=dance)
        replies = SendQuickRepliesAction(message="m", buttons=[button])
        returned: list[Any] = [dance, document, replies]
        reply = StepReachedResponse(actions=returned)
        wire, violations = validate_model(reply)

        assert (wire, violations) == dump(reply)
        assert violations == []
        assert wire["actions"][:2] == [document, document]
        assert wire["actions"][2]["buttons"][0]["action"] == document
        assert load(Step, {"actions": [document]}).actions == [dance]
        assert schema_for(Step, received=True).load({"actions": [document]}) == Step(
            actions=[dance]
        )
        assert errors_of(
            StepReachedResponse(actions=[DanceAction(steps=0)])
        ).keys() == {"actions.0.steps"}
    finally:
        for family in (Action, ButtonAction):
            del members_of(family)["dance_action"]


def test_annotations_may_speak_of_types() -> None:
    """Models have an attribute 'type', which annotations of 'type[...]' do not mean."""
    assert [row.name for row in attributes_of(Tagged)] == ["a", "b"]
    assert Tagged.related is StepTarget


def test_attributes_are_read_once() -> None:
    """Annotations are read when they are first needed, and cached."""
    assert attributes_of(Tagged) is attributes_of(Tagged)
    assert schema_for(Tagged) is schema_for(Tagged)
    assert schema_for(Tagged) is not schema_for(Tagged, received=True)


def test_a_base_with_a_type_is_in_its_own_family() -> None:
    """Where the base class is allowed, its subclasses are allowed."""
    for member in (Tagged(a="1", b="2"), TaggedChild(a="1", b="2", c=1)):
        holder = Holder(member=member)
        wire, violations = dump(holder)
        assert violations == []
        assert wire["member"]["type"] == member.type
        assert load(Holder, wire) == holder
        assert schema_for(Holder).load(wire) == holder
        assert validate_model(holder) == (wire, [])


@pytest.mark.parametrize("tag", [None, 3, [1], {}, True, "", "other", "step"])
def test_odd_types_are_errors(tag: Any) -> None:
    """A missing, null, unhashable or unknown type is an error."""
    reply = StepReachedResponse()
    reply.actions = [{"type": tag}, {}]  # type: ignore[list-item]

    errors = errors_of(reply)

    assert errors.keys() == {"actions.0.type", "actions.1.type"}
    assert errors["actions.0.type"].startswith("Must be one of: 'ask_document_action'")
    assert errors_of(Holder(member=Tagged(a="1", b="2"), plain={"type": tag}))  # type: ignore[arg-type]


def test_a_type_may_be_left_out_of_a_quick_reply() -> None:
    """PROTOCOL 5: only for a quick reply; a wrong one is rejected."""
    action = {"type": "share_action"}
    document = {"title": "t", "action": action}
    schema = schema_for(QuickReply)
    assert schema.load(document) == schema.load({"type": "quick_reply"} | document)
    assert list(schema.validate({"type": "button"} | document)) == ["type"]
    assert list(schema_for(Button).validate(document)) == ["type"]


def test_one_class_in_two_families() -> None:
    """The action of a button is also the input of its click."""
    assert issubclass(GoToAction, ButtonAction) and issubclass(GoToAction, Input)
    assert members_of(Input)["go_to_action"] is members_of(ButtonAction)["go_to_action"]


def test_the_signature_shows_the_limits() -> None:
    """Editors and the documentation show each argument with its annotation."""
    parameters = inspect.signature(QuickReply).parameters
    assert list(parameters) == ["title", "action"]
    assert parameters["title"].annotation == "Annotated[Text, Length(1, 60)]"
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())


# -- constructors --------------------------------------------------------------------


class Point(Model):
    """A model whose objects only these tests create."""

    x: int
    y: int = 0


class Place(Point):
    """A model that adds an attribute."""

    name: Annotated[str | None, BLANK] = None


def test_a_subclass_may_be_the_first_to_be_created() -> None:
    """Each model has its own constructor, whichever is called first."""
    assert Place(x=1, name="a") == Place(x=1, y=0, name="a")
    assert list(inspect.signature(Place).parameters) == ["x", "y", "name"]
    assert list(inspect.signature(Point.__init__).parameters)[:3] == ["self", "x", "y"]
    with pytest.raises(TypeError, match=r"Point.__init__\(\) missing 1 .*'x'"):
        Point()  # type: ignore[call-arg]


def test_threads_may_create_the_first_object_together() -> None:
    """A constructor that several threads call for the first time works in each."""

    class Fresh(Point):
        z: int = 0

    start, made = threading.Barrier(8), list[Fresh]()

    def create(number: int) -> None:
        start.wait()
        made.append(Fresh(x=number, z=number))

    threads = [threading.Thread(target=create, args=(each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(each.x, each.z) for each in made} == {(each, each) for each in range(8)}


def test_a_blank_without_limits() -> None:
    """None is sent as the empty string, and other values as they are."""
    assert dump(Place(x=1))[0]["name"] == ""
    assert dump(Place(x=1, name="a"))[0]["name"] == "a"


# -- models --------------------------------------------------------------------------


def test_only_the_text_of_a_text_action_needs_no_name() -> None:
    """Arguments have names, so that attributes can be added in any order later."""
    assert SendTextAction("a").text == "a"
    with pytest.raises(TypeError):
        StepTarget(ID)  # type: ignore[call-arg]


def test_match_statements() -> None:
    """Models work with 'match'."""
    match GoToAction.step(ID):
        case GoToAction(target=StepTarget(step_id=found)):
            assert found == ID
        case _:
            raise AssertionError


def test_keys_are_in_camel_case() -> None:
    """With ID and URL in capitals; Key sets other spellings."""

    class Spelling(Model):
        image_url: str
        custom_engine_id: str
        from_email: str
        is_int: bool
        odd_one: Annotated[str, Key("ODD")]

    keys = [row.key for row in attributes_of(Spelling)]
    assert keys == ["imageURL", "customEngineID", "fromEmail", "isInt", "ODD"]


def test_what_annotations_say() -> None:
    """For an attribute: its shape, default, and whether its key is optional."""

    class Letters(Model):
        needed: str
        nullable: str | None
        optional: int | None = None
        zero: Annotated[int, OPTIONAL] = 0
        one: int = 1
        required: Annotated[bool | None, REQUIRED] = None
        never_null: Annotated[Any, REQUIRED, NOT_NULL] = None
        absent: Annotated[float | None, NOT_NULL] = None
        required_not_null: Annotated[str | None, REQUIRED, NOT_NULL] = None
        blank: Annotated[str | None, BLANK] = None
        listed: list[Short] = dataclasses.field(default_factory=list)

    rows = attributes_of(Letters)

    assert rows is attributes_of(Letters)
    assert [
        (
            row.name,
            row.shape.kind,
            row.required,
            row.nullable,
            row.none,
            row.default and row.default(),
        )
        for row in rows
    ] == [
        ("needed", "string", True, False, "error", None),
        ("nullable", "string", True, True, "null", None),
        ("optional", "integer", False, True, "omit", None),
        ("zero", "integer", False, False, "omit", 0),
        ("one", "integer", True, False, "error", 1),
        ("required", "boolean", True, True, "null", None),
        ("never_null", "any", True, False, "error", None),
        ("absent", "number", False, False, "omit", None),
        ("required_not_null", "string", True, False, "error", None),
        ("blank", "string", False, True, "blank", None),
        ("listed", "list", True, False, "error", []),
    ]
    assert [row.name for row in rows if row.default is None] == ["needed", "nullable"]


def test_what_annotations_say_of_shapes() -> None:
    """A regular expression, an object, its values, and all markers."""

    class Shapes(Model):
        regexp: re.Pattern[str] | str
        target: StepTarget | None
        text: Annotated[Short, STRIPPED, Length(max=2)]
        maybe: Annotated[Short | None, STRIPPED] = None
        several: Annotated[list[Short], Length(max=9)]

    rows = attributes_of(Shapes)
    regexp, target, text, maybe, several = (row.shape for row in rows)

    assert regexp == Shape("regexp")
    assert target == Shape("model", model=StepTarget)
    assert text.marks == {SANITISED, NORMALISED, STRIPPED}
    assert [(limit.min, limit.max) for limit in text.limits] == [(1, 3), (None, 2)]  # type: ignore[attr-defined]
    assert (maybe.kind, maybe.marks, maybe.max_length) == ("string", text.marks, 3)
    assert (several.kind, several.max_length) == ("list", 9)
    assert several.item is not None
    assert (several.item.kind, several.item.max_length) == ("string", 3)


def test_a_custom_family() -> None:
    """A base knows its members; arguments have names."""

    class Figure(Model, family=True):
        pass

    class Circle(Figure, type="circle"):
        radius: int

    class Square(Figure, type="square", type_required=False):
        side: int

    members: dict[str, type[Figure]] = {"circle": Circle, "square": Square}
    assert members_of(Figure) == members
    assert (Circle(radius=1).type, Square(side=1).type) == ("circle", "square")
    assert json_schema(Circle)["$defs"]["Circle"]["required"] == ["type", "radius"]
    assert json_schema(Square)["$defs"]["Square"]["required"] == ["side"]
    assert is_family(Figure) and not is_family(Circle)
    with pytest.raises(TypeError):
        Circle(1)  # type: ignore[call-arg]


def test_models_share_what_they_can() -> None:
    """To write out an '==' and a 'repr' for each takes long when a bot starts."""

    class Letter(Model):
        a: str

    assert Letter.__eq__ is Model.__eq__
    assert Letter.__repr__ is Model.__repr__


def test_attributes_are_not_in_the_class() -> None:
    """They may have to be loaded, in custom models and their subclasses."""

    class Envelope(Model, envelope=True):
        needed: str
        a: str = "x"

    class Child(Envelope):
        b: str = "y"

    class Letter(Model):
        a: str = "x"

    for owner in (Envelope, Child, Letter):
        assert not hasattr(owner, "a")
    assert Letter().a == "x"
    invalid: Any = {"needed": "z", "b": 5}
    assert schema_for(Child, received=True).load(invalid).b == 5
    child = Child(needed="z")
    assert (child.needed, child.a, child.b) == ("z", "x", "y")


def test_the_type_of_what_is_unknown() -> None:
    """It is always a string."""
    assert UnknownAction(data={"type": "new"}).type == "new"
    shapeless: list[Any] = [None, 3, [], {}, {"type": None}, {"type": [1]}]
    for data in shapeless:
        assert UnknownAction(data=data).type == ""
    assert ConversationSession().type == ""


def test_attributes_that_are_not_there() -> None:
    """Each is an AttributeError, also for lazy attributes."""
    found: list[Any] = [Notification(topic="t"), load(Notification, {"topic": "t"})]
    for model in [*found, WaitAction()]:
        with pytest.raises(AttributeError, match="'imageUrl_'"):
            model.imageUrl_  # noqa: B018
    with pytest.raises(AttributeError, match="'topic'"):
        Notification.__new__(Notification).topic  # noqa: B018


def test_envelopes_are_loaded_when_they_are_looked_at() -> None:
    """And then once."""
    document = {"topic": "t", "data": {"step": {"actions": [{}]}}}
    notification = load_notification(json.dumps(document).encode())
    assert notification.step.actions is notification.step.actions
    assert load(Notification, {"topic": "t"}) != load(Notification, {"topic": "u"})


def test_received_values_are_not_shared_with_what_was_received() -> None:
    """Changing a value does not change the received JSON."""
    came: Any = {"values": {"a": [1, {"b": 2}]}}
    session = load(ConversationSession, came)
    session["a"][1]["b"] = 3
    assert came == {"values": {"a": [1, {"b": 2}]}} == session.received


def test_copies_of_json() -> None:
    """Nothing is shared with the copy."""
    value = {"a": [1, {"b": ()}], "c": "d"}
    assert copy_json(value) == {"a": [1, {"b": []}], "c": "d"}
    assert copy_json(value)["a"] is not value["a"]


def test_untyped_values() -> None:
    """Instead of an invalid object or list, there is a default; a scalar is kept."""
    rows = {row.name: row for row in attributes_of(Step)}
    assert untyped(rows["actions"], 5) == []
    assert untyped(rows["name"], 5) == 5
    holder = {row.name: row for row in attributes_of(Holder)}
    assert untyped(holder["plain"], 5) == 5
    assert untyped(holder["member"], 5) is None


def test_shapes() -> None:
    """The row of an attribute, from which everything is derived."""
    title = attributes_of(QuickReply)[0].shape
    cards = attributes_of(SendCardsAction)[0].shape
    target = attributes_of(GoToAction)[0].shape

    assert title.max_length == 60 and title.clean is not None
    assert title.clean("½") == "1⁄2"
    assert cards.max_length == 25 and cards.clean is None
    assert cards.item is not None and cards.item.members is None
    assert target.members is members_of(Target)
    assert Shape("string").max_length is None
    assert Shape("string", (Length(equal=4),)).max_length == 4


class Tags(Model):
    """A list with a limit that only marshmallow knows."""

    tags: Annotated[list[int], ContainsNoneOf([0])]


def test_limits_of_marshmallow_on_lists() -> None:
    """A list may have any validator of marshmallow, whatever its items are."""
    assert dump(Tags(tags=[1, 2])) == ({"tags": [1, 2]}, [])
    assert list(errors_of(Tags(tags=[1, 0]))) == ["tags"]


def test_limits_of_marshmallow() -> None:
    """A user's model may have any validator of marshmallow."""
    member = Tagged(a="1", b="2")
    assert errors_of(Holder(member=member, mail="a@e.co")) == {}
    assert list(errors_of(Holder(member=member, mail="a"))) == ["mail"]


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(?P<", "*"])
def test_invalid_patterns(pattern: str) -> None:
    """An invalid regular expression can be received, but not sent."""
    document = {"type": "match_regexp", "pattern": pattern}
    received = load(MatchRegexpCondition, document)
    assert received.regexp == pattern
    assert schema_for(MatchRegexpCondition, received=True).load(document) == received
    assert dump(received) == (document, [])

    assert errors_of(MatchRegexpCondition(regexp=pattern)) == {
        "pattern": "Not a valid regular expression."
    }


@pytest.mark.parametrize("regexp", ["a+", re.compile("a+")])
def test_patterns(regexp: Any) -> None:
    """It can be passed compiled or as a string."""
    wire, violations = dump(MatchRegexpCondition(regexp=regexp))
    assert (wire["pattern"], violations) == ("a+", [])
    assert load(MatchRegexpCondition, wire).regexp == "a+"


# -- depth ---------------------------------------------------------------------------


def test_what_a_program_adds_to_an_envelope() -> None:
    """Its attributes are loaded like ours; what it puts over one of ours stays."""

    class Polite:
        first_name = "Madam"

    class Customer(Interlocutor):
        age: int | None = None
        shoe: str
        email: str | None = "nobody@example.com"

    class Guest(Polite, Interlocutor):  # type: ignore[misc]
        pass

    document = {"age": 3, "shoe": "42", "firstName": "Ana"}
    came = load(Customer, document)
    assert (came.age, came.email, came.first_name) == (3, "nobody@example.com", "Ana")
    assert came.shoe == "42"
    assert load(Customer, document | {"email": "a@e.co"}).email == "a@e.co"
    built = Customer(shoe="42")
    assert built.age is None
    assert load(Guest, {"firstName": "Ana"}).first_name == "Madam"
    del built.age
    for where in (Customer, built):
        with pytest.raises(
            AttributeError, match="'Customer' has no attribute 'age'"
        ) as caught:
            where.age  # noqa: B018
        assert caught.value.name == "age"
        assert caught.value.obj is where


def test_what_is_nested_too_deeply() -> None:
    """It is a rejection when it is read, and not a crash."""
    body = b'{"topic": "t", "data": {"session": {"values": {"a": %s}}}}'
    deep = b"[" * 98 + b"]" * 98
    session = load_notification(body % deep).session
    with pytest.raises(InvalidJSON, match="too deep"):
        session.values  # noqa: B018
    assert load_notification(body % deep[2:-2]).session.values


def test_parts_that_are_nested_too_deeply() -> None:
    """The same for a part that is loaded alone. Many lists side by side are fine."""
    schema = schema_for(WaitAction, received=True)
    wide = b'{"type": "wait_action", "new": [' + b"[]," * 200 + b"[]]}"
    deep = b'{"type": "wait_action", "new": ' + b"[" * 200 + b"]" * 200 + b"}"

    assert len(schema.load(Received(wide)).received["new"]) == 201
    with pytest.raises(InvalidJSON, match="too deep"):
        schema.load(Received(deep))


def test_actions_that_are_nested_too_deeply() -> None:
    """The same for one action of a step, among actions that are not."""
    step = (
        b'{"id": "a", "actions": [{"type": "wait_action", "new": %s}, {"type": "x"}]}'
    )
    known = step.replace(b', {"type": "x"}', b"")
    body = b'{"topic": "t", "data": {"step": %s}}'
    for one in (step, known):
        wide = load_notification(body % (one % (b"[" + b"[]," * 200 + b"[]]"))).step
        assert wide.actions[0].received["type"] == "wait_action"
        deep = load_notification(body % (one % (b"[" * 150 + b"]" * 150))).step
        with pytest.raises(InvalidJSON, match="too deep"):
            deep.actions  # noqa: B018


def test_json_values_that_are_nested_beyond_recursion() -> None:
    """The same for what a program loads itself."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    schema = schema_for(ConversationSession, received=True)
    session: Any = schema.load({"values": {"a": deep}})
    with pytest.raises(InvalidJSON, match="too deep"):
        session.values  # noqa: B018


class Tree(Model, type="tree"):
    """A model that contains itself; the platform has none."""

    name: Short
    children: list[Tree] = dataclasses.field(default_factory=list)


def test_a_model_that_contains_itself() -> None:
    """It has no struct, so marshmallow reads and writes it."""
    tree = Tree(name="a", children=[Tree(name="b"), Tree(name="c")])
    leaf = {"type": "tree", "children": []}
    document = {"type": "tree", "name": "a"} | {
        "children": [leaf | {"name": "b"}, leaf | {"name": "c"}]
    }
    assert dump(tree) == (document, [])
    assert load(Tree, document) == tree
    tree.children[1].name = "long"
    assert list(errors_of(tree)) == ["children.1.name"]


class Polite(Limit):
    """A limit of a program's own, which JSON Schema cannot say."""

    error = "Must be polite."

    def __call__(self, value: str) -> str:
        if "please" not in value:
            raise ValidationError(self.error)
        return value


class Demand(Model, type="demand"):
    """Has limits that msgspec cannot check."""

    text: Annotated[str, Polite(), Email()]
    page: Annotated[str | None, STRIPPED, URL(http=True)] = None
    few: Annotated[dict[str, str] | None, Length(max=1)] = None
    anything: Any = None


def test_limits_that_msgspec_cannot_check() -> None:
    """The fast path calls them, and marshmallow reports the mistakes."""
    good = Demand(
        text="please@e.co", page=" https://e.co ", few={"a": "b"}, anything=[1]
    )
    wire, violations = dump(good)
    assert (wire["page"], wire["few"], violations) == ("https://e.co", {"a": "b"}, [])
    assert dump_fast(good) == wire

    for wrong, key in (
        (Demand(text="a@e.co"), "text"),
        (Demand(text="please"), "text"),
        (Demand(text="please@e.co", page="e.co"), "page"),
        (Demand(text="please@e.co", few={"a": "", "b": ""}), "few"),
    ):
        assert list(errors_of(wrong)) == [key]
    text = json_schema(Demand)["$defs"]["Demand"]["properties"]["text"]
    assert text == {"type": "string"}


def test_a_cycle_in_what_leaves() -> None:
    """A value that contains itself is an error at its path."""
    loop: list[Any] = []
    loop.append(loop)
    action = GoToAction.step(ID, session_values={"a": loop})
    button = QuickReply(title="t", action=action)
    answer = answer_of(SendQuickRepliesAction(message="m", buttons=[button]), "bot")
    assert answer is not None
    with pytest.raises(InvalidReply, match="sessionValues.a.0: .* contains itself"):
        dumps(answer.response, [answer])


def test_a_changed_attribute_of_a_received_model_is_validated() -> None:
    """Only what did not change is excused from the limits."""
    document = {"type": "store_session_value_action", "key": "k k", "value": "v" * 201}
    came = load_notification(
        json.dumps({"topic": "t", "data": {"step": {"actions": [document]}}}).encode()
    )
    (action,) = came.step.actions
    assert isinstance(action, StoreSessionValueAction)
    action.add = True
    assert errors_of(StepReachedResponse(actions=[action])) == {}
    assert dump(action) == (document | {"add": True}, [])
    action.key = "l l"
    assert list(errors_of(action)) == ["key"]
