"""Log records about requests, and their fields."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, events, logs
from flask_clustaar.models import Notification, QuickReply, SendQuickRepliesAction
from flask_clustaar.testing import ClustaarClient

TOPIC = events.CONVERSATION_STEP_REACHED
STEP = "507f191e810c19729de860ea"

#: Texts of attackers or users in keys and names.
HOSTILE = "evil\r\nERROR forged \x1b[31m\u202e"


def make(**settings: Any) -> tuple[Flask, ClustaarWebhook]:
    app = Flask("bot")
    return app, ClustaarWebhook(app, **{"private_key": "a key", **settings})


class Collector(logging.Handler):
    """Keeps the records that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """The records of the package, from the level INFO on."""
    collector, level = Collector(), logs.logger.level
    logs.logger.addHandler(collector)
    logs.logger.setLevel(logging.INFO)
    yield collector.records
    logs.logger.removeHandler(collector)
    logs.logger.setLevel(level)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields of a record that are known."""
    found = {
        name.removeprefix("clustaar_"): value
        for name, value in vars(record).items()
        if name.startswith("clustaar_")
    }
    assert set(found) == set(logs.FIELDS)
    return {name: value for name, value in found.items() if value is not None}


def greet(notification: Notification) -> str:
    return "Hello"


def watch(notification: Notification) -> None: ...


def fail(notification: Notification) -> NoReturn:
    raise KeyError("out of order")


def test_a_reply_is_a_line(records: list[logging.LogRecord]) -> None:
    """At INFO: the status, the step, the time, and the handlers."""
    app, webhook = make()
    webhook.on(TOPIC, greet)
    webhook.on(TOPIC, watch)
    deliveries: list[Any] = []
    webhook.on(TOPIC, lambda notification: deliveries.append(notification.delivery))
    ClustaarClient(app).at(STEP, step_name="Start").say("hi")
    [record] = records
    assert record.levelno == logging.INFO
    start, _, end = record.getMessage().partition(" ms. ")
    assert start.startswith(f"Replied to the step '{STEP}' ('Start') in ")
    assert end.startswith(
        f"Handlers: {__name__}.greet, {__name__}.watch, {__name__}.test_"
    )
    found = fields(record)
    assert found.pop("duration") > 0
    assert found.pop("handler").startswith(
        f"{__name__}.greet, {__name__}.watch, {__name__[:5]}"
    )
    assert found == {
        "webhook": "clustaar",
        "topic": TOPIC,
        "step": STEP,
        "step_name": "Start",
        "bot": "507f1f77bcf86cd799439011",
        "delivery": deliveries[0],
        "status": 200,
        "repeated": False,
    }


def test_a_reply_that_is_repeated_is_a_line(records: list[logging.LogRecord]) -> None:
    """At INFO; no handler ran."""
    app, webhook = make()
    webhook.on(TOPIC, greet)
    client = ClustaarClient(app).at(STEP)
    client.say("hi")
    client.resend()
    record = records[-1]
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith(f"Repeated the reply to the step '{STEP}' (")
    assert record.getMessage().endswith("Handlers: none.")
    found = fields(record)
    assert (found["repeated"], found["step"]) == (True, STEP)
    assert "handler" not in found


def test_a_reply_of_an_error_handler_is_a_line(
    records: list[logging.LogRecord],
) -> None:
    """At INFO, because the error handler knows the failure."""
    app, webhook = make()
    webhook.on(TOPIC, fail)

    @webhook.errorhandler(KeyError)
    def sorry(error: KeyError) -> str:
        return "Sorry"

    ClustaarClient(app).say("hi")
    [record] = records
    assert record.levelno == logging.INFO
    assert "sorry' answered KeyError to the step" in record.getMessage()


def test_other_topics_have_no_step(records: list[logging.LogRecord]) -> None:
    """The line names the topic instead."""
    app, webhook = make(auth_username="a", auth_password="b", private_key=None)
    webhook.on("other", greet)
    app.test_client().post("/clustaar", json={"topic": "other"}, auth=("a", "b"))
    [record] = records
    assert record.getMessage().startswith("Replied to 'other' in")
    assert "step" not in fields(record)


def test_a_rejected_request_is_a_line(records: list[logging.LogRecord]) -> None:
    """At WARNING, with the code and the status."""
    app, _ = make()
    app.test_client().post("/clustaar", json={})
    [record] = records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "Rejected a request: signature_missing"
    found = fields(record)
    assert (found["code"], found["status"]) == ("signature_missing", 400)


def test_a_notification_without_a_handler_is_explained(
    records: list[logging.LogRecord],
) -> None:
    """At WARNING, in one record."""
    app, webhook = make()
    webhook.on("other", greet)
    ClustaarClient(app).at(STEP).say("hi")
    [record] = records
    assert record.levelno == logging.WARNING
    assert f"{__name__}.greet (test_logs.py:" in record.getMessage()
    found = fields(record)
    assert (found["code"], found["step"]) == ("no_handler", STEP)


@pytest.mark.parametrize("on_error", ["problem", "passthrough"])
def test_a_failure_is_a_line(records: list[logging.LogRecord], on_error: str) -> None:
    """At ERROR, once, with the traceback."""
    app, webhook = make(on_error=on_error)
    webhook.on(TOPIC, fail)
    ClustaarClient(app).at(STEP).say("hi")
    [record] = records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"The handler '{__name__}.fail' raised KeyError."
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)
    found = fields(record)
    assert (found["code"], found["status"]) == ("handler_failed", 500)
    assert (found["handler"], found["step"]) == (f"{__name__}.fail", STEP)


def test_an_invalid_reply_is_a_line(
    records: list[logging.LogRecord], caplog: pytest.LogCaptureFixture
) -> None:
    """At ERROR, with the mistake and its path."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "x" * 1001)
    ClustaarClient(app).say("hi")
    [record] = records
    assert record.levelno == logging.ERROR
    assert fields(record)["code"] == "invalid_reply"
    lines = caplog.text.splitlines()
    assert any(line.startswith("actions.0.alternatives.0: ") for line in lines)
    assert "Traceback" not in caplog.text


def test_a_store_that_fails_is_a_line(records: list[logging.LogRecord]) -> None:
    """With the fields of the request."""

    class Broken:
        def claim(self, delivery: str, *, lease: float) -> NoReturn:
            raise logs_error

        def complete(self, claim: Any, reply: bytes, *, lifetime: float) -> None: ...

        def release(self, claim: Any) -> None: ...

    from flask_clustaar.errors import ReplayStoreError

    logs_error = ReplayStoreError("The database is down.")
    app, webhook = make(replay_store=Broken())
    ClustaarClient(app).say("hi")
    failed, rejected = records
    assert failed.levelno == logging.ERROR
    assert fields(failed)["delivery"] == fields(rejected)["delivery"]


def test_late_settings_are_a_line(records: list[logging.LogRecord]) -> None:
    """With the webhook's name."""
    app, _ = make()
    app.config["CLUSTAAR_PRIVATE_KEY"] = "new"
    app.test_client().post("/clustaar")
    assert fields(records[0]) == {"webhook": "clustaar"}


# -- what users write ----------------------------------------------------------------


def test_a_step_cannot_forge_a_line(records: list[logging.LogRecord]) -> None:
    """Names and ids are on one line, without control characters."""
    app, webhook = make()
    webhook.on(TOPIC, greet)
    ClustaarClient(app).at(HOSTILE, step_name=HOSTILE).say("hi")
    [record] = records
    for text in (record.getMessage(), fields(record)["step"]):
        assert not set(text) & set("\r\n\x1b\u202e")


def test_long_names_are_shortened(records: list[logging.LogRecord]) -> None:
    """A line has an end."""
    app, webhook = make()
    webhook.on(TOPIC, greet)
    ClustaarClient(app).at("a" * 10_000, step_name="b" * 10_000).say("hi")
    assert len(records[0].getMessage()) < 400
    assert len(fields(records[0])["step"]) == 80


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: {"actions": [], "session": {"values": {text: object()}}},
        lambda text: {"actions": [], text: 1},
        lambda text: {"type": "send_text_action", "alternatives": ["x"], text: 1},
        lambda text: {"actions": [], "interlocutor": {text: 1}},
        lambda text: {
            "actions": [],
            "interlocutor": {"id": "a", "customAttributes": {text: 1}},
        },
        lambda text: SendQuickRepliesAction(
            message="x",
            buttons=[
                QuickReply(
                    title="x",
                    action={  # type: ignore[arg-type]
                        "type": "go_to_action",
                        "target": {"type": "step", "id": STEP},
                        "sessionValues": {text: {1}},
                    },
                )
            ],
        ),
        lambda text: [
            {"type": "send_js_event_action", "event": "x", "payload": {text: {1}}}
        ],
    ],
)
@pytest.mark.parametrize(
    "text", [HOSTILE, "my name is Jane", "0612345678", "12.03.1987", "a.b@c.de"]
)
def test_keys_that_users_typed_are_not_logged(
    caplog: pytest.LogCaptureFixture, wrong: Any, text: str
) -> None:
    """A key may be a text of the user: the log has its beginning on one line, and the
    problem body has the path.
    """
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: wrong(text))
    reply = ClustaarClient(app).say("hi")
    assert reply.problem is not None
    assert reply.problem["code"] == "invalid_reply"
    assert any(text in each["path"] for each in reply.problem["errors"])
    assert text not in caplog.text
    assert "\x1b" not in caplog.text
    assert not any(line.startswith("ERROR forged") for line in caplog.text.split("\n"))


def test_a_text_in_an_exception_cannot_forge_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A handler may raise what a user wrote: the log has it on one line."""
    app, webhook = make()

    @webhook.on(TOPIC)
    def order(notification: Notification) -> NoReturn:
        raise ValueError(f"no product {notification.text}")

    ClustaarClient(app).say(HOSTILE)
    assert "ValueError: no product evil\\r\\nERROR forged" in caplog.text
    assert not set(caplog.text) & {"\x1b", "\r", "\u202e"}
    assert not any(line.startswith("ERROR forged") for line in caplog.text.split("\n"))


class OwnFormatter(logging.Formatter):
    """A formatter with its own format of tracebacks."""

    def formatException(self, ei: Any) -> str:
        return f"only a {ei[0].__name__}"


def test_an_ordinary_exception_is_left_to_the_formatter() -> None:
    """A custom formatter formats tracebacks in its own way."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(OwnFormatter())
    logs.logger.addHandler(handler)
    app, webhook = make()
    webhook.on(TOPIC, fail)
    ClustaarClient(app).say("hi")
    logs.logger.removeHandler(handler)
    assert stream.getvalue().endswith("raised KeyError.\nonly a KeyError\n")


def test_names_of_the_protocol_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A path into a reply stays whole."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: {"actions": [], "session": {"values": 5}})
    ClustaarClient(app).say("hi")
    assert "session.values: " in caplog.text


def test_nothing_of_a_user_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No text, no name, no session value, no secret, at any level."""
    caplog.set_level(logging.DEBUG)
    app, webhook = make(private_key="the-secret-key")
    webhook.on(TOPIC, greet)
    webhook.on(TOPIC, fail, filter=lambda n: n.text == "fail Jane")
    webhook.on(TOPIC, lambda n: "x" * 1001, filter=lambda n: n.text == "long Jane")
    client = ClustaarClient(app, session={"pet": "Rex"}, user={"first_name": "Jane"})
    for text in ("hi Jane", "fail Jane", "long Jane"):
        client.say(text)
        client.resend()
    app.test_client().post("/clustaar", data=b"Jane", headers={"X-Hub-Signature": "x"})
    ours = [each for each in caplog.records if each.name == "flask_clustaar"]
    assert len(ours) == 7
    written = "".join(f"{logging.Formatter().format(r)} {vars(r)}" for r in ours)
    for secret in ("Jane", "Rex", "the-secret-key"):
        assert secret not in written.replace("fail Jane", "").replace("long Jane", "")
