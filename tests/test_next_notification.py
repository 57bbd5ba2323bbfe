"""Replies after which the next notification of the same user would be too large."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.models import ConversationSession, StepReachedResponse
from flask_clustaar.platform.signer import Signer
from flask_clustaar.testing import ClustaarClient, make_notification

LIMIT = 20_000

#: How platforms write JSON.
WRITERS: dict[str, Callable[[Any], str]] = {
    "escaped": json.dumps,
    "compact": lambda value: json.dumps(
        value, ensure_ascii=False, separators=(",", ":")
    ),
}


class Platform:
    """Sends notifications as the platform does, with what the last reply stored.

    :param write: how it writes JSON.
    :param name: the first name of the user.
    """

    def __init__(self, write: Callable[[Any], str], name: str = "Zoë") -> None:
        self.app = Flask("bot")
        self.webhook = ClustaarWebhook(
            self.app, private_key="a key", max_content_length=LIMIT
        )
        self.webhook.on(events.CONVERSATION_STEP_REACHED, self._answer)
        #: The handler of the next notification.
        self.handle: Callable[[Notification], Any] = lambda notification: None
        self._write = write
        self._document: Any = make_notification(user={"first_name": name}).received
        self._count = 0

    def send(self) -> Any:
        """Send a notification, store what the reply says, and return the reply."""
        self._count += 1
        document = self._document | {"timestamp": self._count}
        signer = Signer(self.webhook.installation(self.app).settings)
        delivery = signer.deliver(self._write(document).encode())
        answer = self.app.test_client().post(
            "/clustaar", data=delivery.body, headers=delivery.headers
        )
        reply = answer.json or {}
        if answer.status_code == 200:
            for name in ("session", "interlocutor"):
                stored = reply.get(name) or document["data"][name]
                self._document["data"][name] = stored
        return answer

    def _answer(self, notification: Notification) -> Any:
        return self.handle(notification)


def in_a_text(size: int, letter: str, notification: Notification) -> None:
    notification.session["history"] = letter * size


def in_a_list(size: int, letter: str, notification: Notification) -> None:
    notification.session["history"] = [letter] * (size // 3)


def in_keys(size: int, letter: str, notification: Notification) -> None:
    for number in range(size // 20):
        notification.session[f"{letter}{number}"] = 1


def in_attributes(size: int, letter: str, notification: Notification) -> None:
    for number in range(size // 20):
        notification.interlocutor.custom_attributes[f"a{number}"] = letter


@pytest.mark.parametrize("letter", ["a", "é", "😀", '"'], ids=ascii)
@pytest.mark.parametrize("fill", [in_a_text, in_a_list, in_keys, in_attributes])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_was_sent_can_come_back(
    write: Callable[[Any], str], fill: Any, letter: str
) -> None:
    """However the platform writes it, the next notification is not too large."""
    sent, size, returned = 200, 1000, 0
    while sent == 200:
        platform = Platform(write)
        platform.handle = lambda n, size=size: fill(size, letter, n)  # type: ignore[misc]
        if (sent := platform.send().status_code) == 200:
            platform.handle = lambda notification: None
            assert platform.send().status_code == 200
            returned += 1
        size += 9000
    assert (sent, returned > 0) == (500, True)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_what_came_back_can_be_sent_again(write: Callable[[Any], str]) -> None:
    """A large session that is unchanged is never rejected."""
    platform = Platform(write)
    size = 2 * LIMIT
    platform.handle = lambda n: in_a_text(size, "é", n)
    while platform.send().status_code != 200:
        size -= 500
    platform.handle = lambda notification: None
    for _ in range(3):
        assert platform.send().status_code == 200


def test_what_came_in_two_ways_can_be_sent_again() -> None:
    """Also if the platform writes a part of it shorter than the rest."""
    app = Flask("bot")
    webhook = ClustaarWebhook(
        app, auth_username="a", auth_password="b", max_content_length=LIMIT
    )
    webhook.on("x", lambda n: "Hello")
    values = b'{"a": [' + b",".join([b"[]"] * 5000) + b"]}"
    answer = app.test_client().post(
        "/clustaar",
        data=b'{"topic": "x", "data": {"session": {"values": ' + values + b"}}}",
        content_type="application/json",
        auth=("a", "b"),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("values", ["x" * 5000, ["x" * 5000], 5])
def test_a_session_of_another_kind_goes_back_unchanged(values: Any) -> None:
    """Only existing names of the notification are measured."""
    app = Flask("bot")
    webhook = ClustaarWebhook(
        app, auth_username="a", auth_password="b", max_content_length=LIMIT
    )
    webhook.on("x", lambda n: None)
    document = {"topic": "x", "data": {"session": {"values": values}}}
    answer = app.test_client().post("/clustaar", json=document, auth=("a", "b"))
    assert answer.get_json()["session"] == {"values": values}


def test_what_cannot_be_measured_is_left_to_the_next_notification() -> None:
    """Such as a number out of range, where no handler looks."""
    app = Flask("bot")
    webhook = ClustaarWebhook(
        app, auth_username="a", auth_password="b", max_content_length=LIMIT
    )
    webhook.on("x", lambda n: n.session.update(seen=True))
    answer = app.test_client().post(
        "/clustaar",
        data=b'{"topic": "x", "data": {"step": {"actions": [' + b"9" * 5000 + b"]}}}",
        content_type="application/json",
        auth=("a", "b"),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("fill", "path"),
    [
        (in_a_text, "session.values.history"),
        (in_a_list, "session.values.history"),
        (in_keys, "session.values.é"),
        (in_attributes, "interlocutor.customAttributes.a"),
    ],
)
def test_what_cannot_come_back_is_an_error_at_its_path(fill: Any, path: str) -> None:
    """The path is that of the largest value; the sentence has both sizes."""
    platform = Platform(json.dumps)
    platform.handle = lambda n: fill(45_000, "é", n)
    problem = platform.send().json
    assert problem["code"] == "invalid_reply"
    (error,) = problem["errors"]
    assert error["path"].startswith(path)
    assert "the next notification would have" in error["message"]
    assert f"'CLUSTAAR_MAX_CONTENT_LENGTH' is {LIMIT}." in error["message"]


def test_a_large_session_is_a_warning_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From half of the limit on."""
    now = [1e9]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    platform = Platform(json.dumps)
    platform.handle = lambda n: in_a_text(LIMIT // 3, "a", n)
    platform.send()
    assert "With its session" not in caplog.text
    platform.handle = lambda n: in_a_text(LIMIT // 2, "a", n)
    for _ in range(3):
        assert platform.send().status_code == 200
    assert caplog.text.count("With its session") == 1
    now[0] += 61
    platform.send()
    assert caplog.text.count("With its session") == 2


def test_a_reply_without_session_values_is_never_too_large() -> None:
    """Its actions are not part of the next notification."""
    platform = Platform(json.dumps)
    for session in (None, ConversationSession()):
        platform.handle = lambda notification, session=session: StepReachedResponse(  # type: ignore[misc]
            actions=["x" * 1000] * 30, session=session
        )
        assert platform.send().status_code == 200


def test_the_step_does_not_come_back() -> None:
    """The size of a step's actions is available for the session."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="a key", max_content_length=LIMIT)
    session = ConversationSession(values={"history": "x" * (LIMIT // 2)})
    webhook.on(
        events.CONVERSATION_STEP_REACHED,
        lambda n: StepReachedResponse(actions=[], session=session),
    )
    actions = [{"type": "send_text_action", "text": "x" * 900}] * 20
    client = ClustaarClient(app).at("507f191e810c19729de860ea", actions=actions)
    assert client.say("hi").ok


def test_an_interlocutor_of_another_kind_is_not_counted() -> None:
    """An invalid user in the notification is ignored here."""
    app = Flask("bot")
    webhook = ClustaarWebhook(
        app, auth_username="a", auth_password="b", max_content_length=2000
    )
    webhook.on(
        "x",
        lambda n: StepReachedResponse(
            actions=[], session=ConversationSession(values={"a": "x" * 1000})
        ),
    )
    for document in ({"topic": "x"}, {"topic": "x", "data": []}):
        answer = app.test_client().post("/clustaar", json=document, auth=("a", "b"))
        assert answer.status_code == 200
