"""The signals about notifications."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, events, signals
from flask_clustaar.errors import InvalidReply
from flask_clustaar.routing import Handler
from flask_clustaar.testing import ClustaarClient

TOPIC = events.CONVERSATION_STEP_REACHED
KEY = "a key for the tests"


def make(**settings: Any) -> tuple[Flask, ClustaarWebhook]:
    app = Flask(__name__)
    return app, ClustaarWebhook(app, **{"private_key": KEY, **settings})


def hello(notification: Any) -> str:
    return "Hello"


def fail(notification: Any) -> NoReturn:
    raise KeyError("a secret")


class Told(list[tuple[str, dict[str, Any]]]):
    """The signals that were sent, with their arguments."""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self]

    def arguments(self, name: str) -> dict[str, Any]:
        """Return the arguments of the only signal with a name."""
        [arguments] = [arguments for each, arguments in self if each == name]
        return arguments


@pytest.fixture
def told() -> Iterator[Told]:
    told = Told()
    receivers = {}
    for name in [name for name, value in vars(signals).items() if name.islower()]:
        signal = getattr(signals, name)
        if not isinstance(signal, signals.IndependentSignal):
            continue

        def hear(sender: Any, name: str = name, **arguments: Any) -> None:
            assert isinstance(sender, Flask)
            told.append((name, arguments))

        receivers[name] = hear
        signal.connect(hear)
    yield told
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def test_a_reply(told: Told) -> None:
    """A notification is received, handlers are called, and a reply is sent."""
    app, webhook = make()
    webhook.on(TOPIC, hello)
    ClustaarClient(app).say("hi")
    assert told.names == ["notification_received", "handler_called", "reply_sent"]
    received = told.arguments("notification_received")
    assert received["webhook"] is webhook
    assert received["notification"].text == "hi"
    called = told.arguments("handler_called")
    assert isinstance(called["handler"], Handler)
    assert called["handler"].function is hello
    assert called["duration"] > 0
    sent = told.arguments("reply_sent")
    assert sent["reply"]["actions"][0]["text"] == "Hello"
    notifications = {id(each["notification"]) for _, each in told}
    assert len(notifications) == 1


def test_the_duration_includes_what_is_around(told: Told) -> None:
    """``handler_called`` is sent after the context managers around the handler."""
    app, webhook = make()
    webhook.on(TOPIC, hello)

    class Slow:
        def __init__(self, notification: Any, handler: Handler) -> None: ...

        def __enter__(self) -> None:
            time.sleep(0.02)

        def __exit__(self, *error: object) -> None: ...

    webhook.around(Slow)
    ClustaarClient(app).say("hi")
    assert told.arguments("handler_called")["duration"] >= 0.02


def test_a_failure(told: Told) -> None:
    """The handler was called, and failed."""
    app, webhook = make()
    webhook.on(TOPIC, fail)
    ClustaarClient(app).say("hi")
    assert told.names == ["notification_received", "handler_called", "handler_failed"]
    failed = told.arguments("handler_failed")
    assert failed["webhook"] is webhook
    assert failed["notification"].text == "hi"
    assert failed["handler"].function is fail
    assert isinstance(failed["exception"], KeyError)
    assert failed["code"] == "handler_failed"


def test_a_filter_that_fails(told: Told) -> None:
    """No handler is at fault then."""
    app, webhook = make()
    webhook.on(TOPIC, hello, filter=fail)
    ClustaarClient(app).say("hi")
    failed = told.arguments("handler_failed")
    assert failed["handler"] is None
    assert isinstance(failed["exception"], KeyError)


def test_an_invalid_reply(told: Told) -> None:
    """It is a failure of the handler that answered; of none if several did."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "")
    webhook.on(TOPIC, lambda notification: None)
    ClustaarClient(app).say("hi")
    failed = told.arguments("handler_failed")
    assert isinstance(failed["exception"], InvalidReply)
    assert failed["handler"] == webhook.handlers[0]
    assert failed["code"] == "invalid_reply"
    told.clear()
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "")
    webhook.on(TOPIC, hello)
    ClustaarClient(app).say("hi")
    assert told.arguments("handler_failed")["handler"] is None


def test_a_request_that_is_rejected(told: Told) -> None:
    """Authentication rejects the request before a notification is loaded."""
    app, webhook = make()
    app.test_client().post("/clustaar", json={})
    [(name, arguments)] = told
    assert name == "request_rejected"
    assert arguments == {
        "webhook": webhook,
        "code": "signature_missing",
        "status": 400,
        "notification": None,
    }


def test_a_notification_that_no_handler_matches(told: Told) -> None:
    """It is rejected, with the notification."""
    app, webhook = make()
    ClustaarClient(app).say("hi")
    rejected = told.arguments("request_rejected")
    assert (rejected["code"], rejected["status"]) == ("no_handler", 404)
    assert rejected["notification"].text == "hi"


def test_a_reply_that_is_repeated(told: Told) -> None:
    """A repeated delivery gets the recorded reply, and no handler runs."""
    app, webhook = make()
    deliveries: list[str | None] = []
    webhook.on(TOPIC, lambda notification: deliveries.append(notification.delivery))
    client = ClustaarClient(app)
    client.say("hi")
    told.clear()
    client.resend()
    assert told == [("reply_repeated", {"webhook": webhook, "delivery": deliveries[0]})]


def test_receivers_are_independent(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that raises is logged, and the one behind it is called."""
    app, webhook = make()
    webhook.on(TOPIC, hello)
    seen: list[str] = []

    def broken(sender: Any, **extra: Any) -> NoReturn:
        raise ZeroDivisionError

    def working(sender: Any, **extra: Any) -> None:
        seen.append("called")

    for receivers in ([broken, working], [working, broken]):
        for receiver in receivers:
            signals.handler_called.connect(receiver)
        assert ClustaarClient(app).say("hi").ok
        for receiver in receivers:
            signals.handler_called.disconnect(receiver)
    assert seen == ["called", "called"]
    logged = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert [each.getMessage() for each in logged] == [
        "A receiver of the signal 'handler-called' failed."
    ] * 2
    assert {vars(each)["clustaar_webhook"] for each in logged} == {"clustaar"}


def test_async_receivers_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody would await them."""
    app, webhook = make()
    webhook.on(TOPIC, hello)

    async def later(sender: Any, **extra: Any) -> None: ...

    with signals.handler_called.connected_to(later):
        assert ClustaarClient(app).say("hi").ok
    assert "TypeError: Receivers of signals cannot be async." in caplog.text


def test_signals_can_be_muted(told: Told) -> None:
    """As any signal of blinker."""
    app, webhook = make()
    webhook.on(TOPIC, hello)
    with signals.handler_called.muted():
        ClustaarClient(app).say("hi")
    assert told.names == ["notification_received", "reply_sent"]


# -- the identity of a delivery -------------------------------------------------------


def test_a_delivery_has_an_identity() -> None:
    """It is hexadecimal, and the same when the platform sends the request again."""
    app, webhook = make(replay_store=None)
    seen: list[str | None] = []
    webhook.on(TOPIC, lambda notification: seen.append(notification.delivery))
    client = ClustaarClient(app)
    client.say("hi")
    client.resend()
    client.say("hi")
    assert seen[0] is not None
    assert bytes.fromhex(seen[0])
    assert seen[0] == seen[1] != seen[2]


def test_without_a_key_a_delivery_has_no_identity() -> None:
    """Nobody signs it."""
    app, webhook = make(private_key=None, auth_username="a", auth_password="b")
    seen: list[str | None] = []
    webhook.on(TOPIC, lambda notification: seen.append(notification.delivery))
    ClustaarClient(app).say("hi")
    assert seen == [None]


def test_a_repeated_reply_is_marked() -> None:
    """A header shows that no handler ran."""
    app, webhook = make()
    webhook.on(TOPIC, hello)
    client = ClustaarClient(app)
    assert "Idempotent-Replayed" not in client.say("hi").response.headers
    again = client.resend()
    assert again.response.headers["Idempotent-Replayed"] == "true"
    assert again.texts == ["Hello"]


def test_a_reply_with_any_number_reaches_receivers(told: Told) -> None:
    """A number that Python rejects is sent back unchanged, even with receivers."""
    app = Flask(__name__)
    webhook = ClustaarWebhook(app, auth_username="a", auth_password="b")
    webhook.on("x", lambda notification: None)
    digits = b"9" * 5000
    answer = app.test_client().post(
        "/clustaar",
        data=b'{"topic": "x", "data": {"step": {"actions": [' + digits + b"]}}}",
        content_type="application/json",
        auth=("a", "b"),
    )
    assert digits in answer.data
    assert told.arguments("reply_sent")["reply"]["actions"] == [float("inf")]
