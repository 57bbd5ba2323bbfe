"""The vectors: documents with their verdicts, tested in all ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from both_ways import dump
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from strategies import NotBuilt, built

from flask_clustaar import ClustaarWebhook, InsecureWebhookWarning, events
from flask_clustaar.errors import Violation
from flask_clustaar.json_schema import notification_schema, reply_schema
from flask_clustaar.models import (
    Action,
    Notification,
    SendTextAction,
    StepReachedResponse,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.schemas import schema_for, validate_model
from flask_clustaar.schemas.attributes import Shape

# Other tests run these lines as well.
pytestmark = pytest.mark.unmeasured


def lines_of(name: str) -> list[Any]:
    with (Path(__file__).parent / "vectors" / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


REPLIES = lines_of("replies.jsonl")
NOTIFICATIONS = lines_of("notifications.jsonl")


def type_of(vector: Any) -> str:
    """Return the type that a vector of the replies is about."""
    return str(vector["name"].partition(":")[0])


#: Parametrizes a test with the vectors of each type. Each vector as a test of its own
#: would take five times as long.
each_type = pytest.mark.parametrize(
    "vectors",
    [
        pytest.param([*rows], id=name)
        for name, rows in groupby(sorted(REPLIES, key=type_of), type_of)
    ],
)
STEP = {
    "topic": events.CONVERSATION_STEP_REACHED,
    "data": {"step": {"id": "a" * 24, "actions": []}},
}


def validator(schema: Any) -> Any:
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(schema, format_checker=checker)


REPLY = validator(reply_schema())
NOTIFICATION = validator(notification_schema())


class Bot:
    """An application whose handler returns a given value."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.notification: Notification | None = None
        app = Flask(__name__)
        with pytest.warns(InsecureWebhookWarning):
            webhook = ClustaarWebhook(app)
        webhook.on(events.CONVERSATION_STEP_REACHED, self.handle)
        self.client: FlaskClient = app.test_client()

    def handle(self, notification: Notification) -> Any:
        self.notification = notification
        return self.answer

    def post(self, document: Any) -> Any:
        return self.client.post("/clustaar", json=document)


@pytest.fixture(name="bot", scope="module")
def _bot() -> Iterator[Bot]:
    yield Bot()


# -- replies -------------------------------------------------------------------------


@each_type
def test_replies_get_their_verdicts(vectors: list[Any]) -> None:
    """marshmallow, the fast path and the JSON Schema, with an independent validator,
    agree with the vector; and the first two on what is wrong, and on the JSON."""
    for vector in vectors:
        reply = StepReachedResponse(actions=[vector["action"]])

        wire, violations = validate_model(reply)

        assert_verdict(vector, violations)
        assert dump(reply) == (wire, violations), vector["name"]
        is_valid = REPLY.is_valid({"actions": [vector["action"]]})
        assert is_valid == vector["valid"], vector["name"]


@each_type
def test_replies_get_their_verdicts_at_an_endpoint(
    vectors: list[Any], bot: Bot
) -> None:
    """A valid return value is sent; otherwise the answer lists the mistakes."""
    for vector in vectors:
        bot.answer = {"actions": [vector["action"]]}

        response = bot.post(STEP)

        assert_answer(vector, response)


@each_type
def test_built_replies_get_their_verdicts_at_an_endpoint(
    vectors: list[Any], bot: Bot
) -> None:
    """The same, built from models, where a program can build it."""
    for vector in vectors:
        try:
            bot.answer = built(vector["action"], Shape("model", model=Action))
        except NotBuilt:
            continue

        response = bot.post(STEP)

        assert_answer(vector, response)


def test_most_vectors_can_be_built() -> None:
    """Only a small part is omitted above."""
    left_out = 0
    for vector in REPLIES:
        try:
            built(vector["action"], Shape("model", model=Action))
        except NotBuilt:
            left_out += 1
            assert not vector["valid"]
    assert left_out < len(REPLIES) / 3


@pytest.mark.parametrize("way", [dump])
def test_texts_leave_sanitised(way: Any) -> None:
    """Each text of the vectors is cleaned as expected, in models and dicts."""
    for vector in lines_of("sanitised.jsonl"):
        choices = {"type": "send_text_action", "alternatives": [vector["in"]]}
        built: list[Any] = [SendTextAction(alternatives=[vector["in"]]), choices]
        wire, violations = way(StepReachedResponse(actions=built))
        assert violations == []
        for action in wire["actions"]:
            assert action["alternatives"] == [vector["out"]]


def assert_answer(vector: Any, response: Any) -> None:
    if vector["valid"]:
        assert response.status_code == 200, vector["name"]
        (action,) = response.json["actions"]
        assert action["type"] == vector["action"]["type"]
        return
    assert response.status_code == 500, vector["name"]
    assert response.json["code"] == "invalid_reply"
    errors = response.json["errors"]
    assert_verdict(vector, [Violation(e["path"], e["message"]) for e in errors])


def assert_verdict(vector: Any, violations: list[Violation]) -> None:
    assert (not violations) == vector["valid"], (vector["name"], violations)
    found = [violation.path.split(".") for violation in violations]
    for error in vector.get("errors", []):
        wanted = ["actions", "0", *error.split(".")]
        is_found = any(_is_near(path, wanted) for path in found)
        assert is_found, (vector["name"], error, violations)


def _is_near(path: list[str], wanted: list[str]) -> bool:
    """Return whether one is a parent of the other."""
    shorter = min(len(path), len(wanted))
    return path[:shorter] == wanted[:shorter]


# -- notifications -------------------------------------------------------------------


@pytest.mark.parametrize("vector", NOTIFICATIONS, ids=lambda row: row["name"])
def test_a_notification_arrives(vector: Any, bot: Bot) -> None:
    """A handler gets each fact, and the step's actions are sent back unchanged."""
    document = vector["notification"]
    bot.answer, bot.notification = None, None

    response = bot.post(document)

    assert response.status_code == 200
    assert response.json["actions"] == (document["data"]["step"].get("actions") or [])
    assert_facts(vector, bot.notification)


@pytest.mark.parametrize("vector", NOTIFICATIONS, ids=lambda row: row["name"])
def test_a_notification_is_loaded_alike(vector: Any) -> None:
    """marshmallow, the fast path and the JSON Schema give the same verdict."""
    document = vector["notification"]

    notification = load_notification(json.dumps(document).encode())

    assert_facts(vector, notification)
    assert_facts(vector, schema_for(Notification, received=True).load(document))
    assert NOTIFICATION.is_valid(document)


def assert_facts(vector: Any, notification: Any) -> None:
    for path, fact in vector["facts"].items():
        value = notification
        for name in path.split("."):
            value = _follow(value, name)
        assert value == fact, path


def _follow(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return value[int(name)]
    return value[name] if isinstance(value, dict) else getattr(value, name)
