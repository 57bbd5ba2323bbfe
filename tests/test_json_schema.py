"""JSON Schema and OpenAPI, made from the models.

That valid and invalid documents get their verdict from it is seen in ``test_vectors``
and ``test_schemas``; here is what stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from both_ways import load
from hypothesis import given
from jsonschema import Draft202012Validator
from marshmallow.validate import Email, Equal, Length, Range, Regexp
from strategies import hostile_notifications, json_values, modest
from test_models import JSON_OF, ROWS

from flask_clustaar.errors import PROBLEMS
from flask_clustaar.json_schema import (
    Definitions,
    json_schema,
    notification_schema,
    reply_schema,
)
from flask_clustaar.models import (
    Action,
    Card,
    ContainCondition,
    Interlocutor,
    MatchRegexpCondition,
    Notification,
    QuickReply,
    SendChoicesListAction,
    Target,
    UnknownAction,
    WaitAction,
)
from flask_clustaar.openapi import Webhook, openapi
from flask_clustaar.wire import JSON, Model

DOCUMENT = openapi([("clustaar", "/clustaar")])


def definition(model: type[Model]) -> Any:
    return json_schema(model)["$defs"][model.__name__]


def walk(value: Any) -> Iterator[Any]:
    """Yield each object in a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from walk(item)


# -- JSON Schema ---------------------------------------------------------------------


@pytest.mark.parametrize(("model", "arguments", "document"), ROWS)
def test_each_model_has_a_schema(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """It is a schema that accepts the model's JSON, and no unknown keys."""
    schema = json_schema(model)

    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(document)
    assert not validator.is_valid(document | {"imageUrl_": 1})
    assert not validator.is_valid([])


@pytest.mark.parametrize(
    "schema", [reply_schema(), notification_schema(), json_schema(Action)]
)
def test_schemas_are_whole(schema: JSON) -> None:
    """They say which JSON Schema they are, and all they refer to is in them."""
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for part in walk(schema):
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in schema["$defs"]
    assert json.loads(json.dumps(schema)) == schema


def test_an_object() -> None:
    """Its keys, their limits, what is required, and nothing else."""
    assert definition(QuickReply) == {
        "description": "A button below a message.",
        "type": "object",
        "properties": {
            "type": {"const": "quick_reply"},
            "title": {"type": "string", "minLength": 1, "maxLength": 60},
            "action": {"$ref": "#/$defs/ButtonAction"},
        },
        "required": ["title", "action"],
        "additionalProperties": False,
    }
    assert definition(WaitAction)["properties"]["duration"] == {
        "type": "number",
        "minimum": 0.5,
        "maximum": 7,
    }
    assert definition(WaitAction)["required"] == ["type", "duration"]


def test_null() -> None:
    """Null is allowed where the models allow it."""
    properties = definition(Card)["properties"]
    assert properties["alt"] == {"type": ["string", "null"], "maxLength": 500}
    assert properties["buttons"] == {
        "type": ["array", "null"],
        "items": {"$ref": "#/$defs/Button"},
        "maxItems": 3,
    }
    location = definition(Interlocutor)["properties"]["location"]
    assert location == {"anyOf": [{"$ref": "#/$defs/Coordinates"}, {"type": "null"}]}
    custom = definition(Interlocutor)["properties"]["customAttributes"]
    assert custom["additionalProperties"] == {"type": "string"}
    assert custom["propertyNames"]["pattern"].startswith("^(?:")


def test_a_family() -> None:
    """One of its models, distinguished by type."""
    schema = json_schema(Target)
    assert schema["$ref"] == "#/$defs/Target"
    assert schema["$defs"]["Target"] == {
        "description": "Base class of targets: a step or a story.",
        "oneOf": [{"$ref": "#/$defs/StepTarget"}, {"$ref": "#/$defs/StoryTarget"}],
    }
    consts = [
        part["type"]["const"]
        for part in walk(schema)
        if "const" in str(part.get("type"))
    ]
    assert consts == ["step", "story"]


def test_regular_expressions() -> None:
    """A pattern is a string with a format, which validators may check."""
    pattern = definition(MatchRegexpCondition)["properties"]["pattern"]
    assert pattern == {"type": "string", "format": "regex"}
    assert definition(ContainCondition)["properties"]["values"] == {
        "type": "array",
        "items": {"type": "string"},
    }


def test_rules_about_a_whole_object() -> None:
    """They are next to its properties."""
    assert "if" in definition(SendChoicesListAction)["allOf"][0]


def test_the_reply_says_what_it_cannot_say() -> None:
    """A schema cannot express cleaning and received values."""
    schema = reply_schema()
    assert schema["title"] == "Reply"
    assert "sanitised" in schema["description"]
    assert "sent back unchanged" in schema["description"]


class Limited(Model, type="limited"):
    exact: Annotated[list[str], Length(equal=2)]
    least: Annotated[dict[str, Any], Length(min=1)]
    open: Annotated[float, Range(min=0, min_inclusive=False)]
    below: Annotated[int, Range(max=9, max_inclusive=False)]
    starts: Annotated[str, Regexp("a+")]
    mail: Annotated[str, Email(), Equal("a@e.co")]


def test_other_limits_of_marshmallow() -> None:
    """Limits that JSON Schema can express are included."""
    assert definition(Limited) == {
        "type": "object",
        "properties": {
            "type": {"const": "limited"},
            "exact": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 2,
                "maxItems": 2,
            },
            "least": {"type": "object", "minProperties": 1},
            "open": {"type": "number", "exclusiveMinimum": 0},
            "below": {"type": "integer", "exclusiveMaximum": 9},
            "starts": {"type": "string", "pattern": "^(?:a+)"},
            "mail": {"type": "string", **definition(Limited)["properties"]["mail"]},
        },
        "required": [
            *("type", "exact", "least", "open", "below", "starts", "mail"),
        ],
        "additionalProperties": False,
    }


def test_models_of_one_name() -> None:
    """Each has its own definition."""

    theirs = type("Card", (Model,), {"__module__": "theirs"})
    annotations = {"ours": Card, "theirs": theirs}
    Wrapper = type("Wrapper", (Model,), {"__annotations__": annotations})
    schema = json_schema(Wrapper)
    properties = schema["$defs"]["Wrapper"]["properties"]
    assert properties == {
        "ours": {"$ref": "#/$defs/Card"},
        "theirs": {"$ref": "#/$defs/theirs.Card"},
    }
    assert schema["$defs"]["theirs.Card"]["properties"] == {}


def test_what_is_unknown() -> None:
    """Any value is allowed there."""
    assert Definitions().of(UnknownAction) == {
        "description": "Anything else; kept unchanged."
    }


def test_patterns_are_for_python_and_ecma() -> None:
    """Nothing in them is only Python's, and letters are not only ASCII."""
    found = [part.get("pattern") for part in walk(reply_schema())]
    patterns = {pattern for pattern in found if isinstance(pattern, str)}
    assert len(patterns) > 5
    for pattern in patterns:
        assert re.match(r"\^.*\$\(\?!\\n\)$", pattern)
        assert not re.search(r"\\[AZbB]|\(\?[^:=!]|[*+?]\+|\\w(?!ª)", pattern)


# -- notifications -------------------------------------------------------------------


@modest
@given(hostile_notifications())
def test_any_object_with_a_topic_is_a_notification(document: Any) -> None:
    """As for what loads it."""
    assert Draft202012Validator(notification_schema()).is_valid(document)


@modest
@given(json_values)
def test_nothing_else_is_a_notification(value: Any) -> None:
    """An object needs a topic, and a topic is a string."""
    validator = Draft202012Validator(notification_schema())
    assert not validator.is_valid(value)
    is_topic = isinstance(value, str)
    assert validator.is_valid({"topic": value}) == is_topic


@pytest.mark.parametrize(
    ("model", "document", "is_typed"),
    [
        (Action, JSON_OF[WaitAction], True),
        (Action, {"type": "wait_action", "duration": 99, "new": 1}, True),
        (Action, {"type": "wait_action"}, True),
        (Action, {"type": "wait_action", "duration": None}, True),
        (Action, {"type": "wait_action", "duration": "2"}, False),
        (Action, {"type": "send_image_action"}, False),
        (Action, {"type": "new"}, False),
        (Action, {}, False),
        (Card, {"title": "t" * 999, "type": 5, "buttons": None}, True),
        (Card, {"title": None}, False),
    ],
)
def test_what_is_known_is_described(
    model: type[Model], document: Any, is_typed: bool
) -> None:
    """In addition to "anything", it has the known shape."""
    definitions = Definitions(received=True)
    reference = definitions.of(model)
    family = definitions.found[model.__name__].get("anyOf")
    known = family[0] if family else reference
    schema = {**known, "$defs": definitions.found}
    assert Draft202012Validator(schema).is_valid(document) == is_typed
    loaded = load(Notification, {"topic": "t"})
    assert loaded.topic == "t"


# -- OpenAPI -------------------------------------------------------------------------


def test_openapi_has_the_webhooks() -> None:
    """Each at its path, with its authentication, and the platform's requests."""
    document = openapi(
        [
            ("clustaar", "/clustaar"),
            Webhook("sales", "https://example.com/sales", signature=False),
            Webhook("open", "https://example.com", False, False),
        ],
        title="Shop",
        version="2.0",
    )

    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "Shop", "version": "2.0"}
    paths = document["paths"]
    assert list(paths) == ["/clustaar", "/sales", "/"]
    assert "servers" not in paths["/clustaar"]
    assert paths["/sales"]["servers"] == [{"url": "https://example.com"}]
    assert [path["post"]["operationId"] for path in paths.values()] == [
        *("clustaar", "sales", "open"),
    ]
    assert [path["post"]["security"] for path in paths.values()] == [
        [{"credentials": [], "signature": []}],
        [{"credentials": []}],
        [],
    ]
    assert list(document["webhooks"]) == ["conversation.step_reached"]


def test_openapi_is_whole() -> None:
    """All that it refers to is in it, and its schemas are JSON Schema 2020-12."""
    for part in walk(DOCUMENT):
        if "$ref" in part:
            found: Any = DOCUMENT
            for key in part["$ref"].removeprefix("#/").split("/"):
                found = found[key]
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = DOCUMENT["components"]["schemas"]
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in names)
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_openapi_has_each_problem() -> None:
    """By status, with an example that equals the answer."""
    responses = DOCUMENT["components"]["responses"]
    told = set()
    for response in responses.values():
        content = response["content"]["application/problem+json"]
        for code, example in content.get("examples", {}).items():
            assert example["value"] == PROBLEMS[code]().problem()
            Draft202012Validator(DOCUMENT["components"]["schemas"]["Problem"]).validate(
                example["value"]
            )
            told.add(code)
    assert told == set(PROBLEMS)
    assert list(responses["Problem401"]["headers"]) == ["WWW-Authenticate"]
    assert list(responses["Problem503"]["headers"]) == ["Retry-After"]
    answers = DOCUMENT["paths"]["/clustaar"]["post"]["responses"]
    assert {"200", "400", "401", "403", "404", "413", "415", "500", "default"} <= set(
        answers
    )


@pytest.mark.parametrize(
    ("reply", "is_valid"),
    [
        ({"actions": []}, True),
        ({"actions": [{"type": "new"}]}, True),
        ({"actions": [], "session": {"values": 5, "new": 1}}, True),
        ({"actions": [], "session": None}, True),
        ({"actions": [], "interlocutor": {"id": 5}}, True),
        ({"actions": 5}, False),
        ({"actions": [], "other": 1}, False),
        ({"actions": [], "session": 5}, False),
        ({}, False),
    ],
)
def test_openapi_lets_through_what_came(reply: Any, is_valid: bool) -> None:
    """Received values can be sent back, so the schema of replies is less strict."""
    schema = {
        "$ref": "#/components/schemas/StepReachedResponse",
        "components": DOCUMENT["components"],
    }
    assert Draft202012Validator(schema).is_valid(reply) == is_valid
