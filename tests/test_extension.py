"""A notification on its way through an application."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Blueprint, Flask, abort, current_app, g, request, url_for
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from flask_clustaar import ClustaarWebhook, HandlerGroup, events
from flask_clustaar.errors import (
    AsyncHandlerWarning,
    ConfigurationError,
    InsecureWebhookWarning,
    ReplayStoreError,
    SignatureInvalid,
)
from flask_clustaar.filters import Channel, StepID, TextMatches
from flask_clustaar.models import (
    Button,
    Card,
    GoToAction,
    Notification,
    QuickReply,
    SendCardsAction,
    SendQuickRepliesAction,
    SendTextAction,
    ShareAction,
    StepReachedResponse,
    UnknownAction,
)
from flask_clustaar.replay import Claim
from flask_clustaar.security import basic_auth, sign

KEY = "private-key"
STEP = "5a8c317624acbe05b1a36feb"
SECURE: dict[str, Any] = {
    "CLUSTAAR_PRIVATE_KEY": KEY,
    "CLUSTAAR_AUTH_USERNAME": "user",
    "CLUSTAAR_AUTH_PASSWORD": "pass:word",
}
Handler = Callable[[Notification], Any]


def document(**data: Any) -> dict[str, Any]:
    """The documented notification (PROTOCOL 3)."""
    return {
        "topic": "conversation.step_reached",
        "botID": "507f1f77bcf86cd799439011",
        "timestamp": 1514998709,
        "type": "event",
        "data": {
            "channel": "facebook",
            "input": {"type": "message", "text": "hello", "attachments": []},
            "interlocutor": {
                "id": "507f1f77bcf86cd799439011",
                "userID": "xxyyzz",
                "location": {"lat": 77.41504, "long": -44.052074},
                "firstName": "John",
                "lastName": "Doe",
                "email": "john@example.com",
                "customAttributes": {"age": "25"},
                "phoneNumber": None,
            },
            "session": {"values": {"name": "John"}},
            "step": {
                "id": STEP,
                "name": "A step",
                "userData": None,
                "actions": [{"type": "pause_bot_action"}],
            },
        }
        | data,
    }


#: The sample of clustaar.webhook (PROTOCOL 3), with required values only.
SMALL: dict[str, Any] = {
    "botID": "4321",
    "timestamp": 1514998709,
    "topic": "conversation.step_reached",
    "data": {
        "type": "step_reached_event",
        "channel": "facebook",
        "interlocutor": {"id": "123", "location": {"lat": 1.0, "long": 2.4}},
        "session": {"values": {"name": "tintin"}},
        "step": {
            "actions": [{"type": "pause_bot_action"}],
            "id": STEP,
            "name": "A step",
            "userData": "{}",
        },
    },
}


def make_app(handler: Handler | None = None, **config: Any) -> Flask:
    app = Flask(__name__)
    app.config.update(SECURE | config)
    webhook = ClustaarWebhook(app)
    if handler is not None:
        webhook.on(events.CONVERSATION_STEP_REACHED, handler)
    return app


def webhook_of(app: Flask) -> ClustaarWebhook:
    webhook = app.extensions["clustaar"]["clustaar"]
    assert isinstance(webhook, ClustaarWebhook)
    return webhook


def post(
    where: Flask | FlaskClient,
    notification: Any = None,
    *,
    path: str = "/clustaar",
    key: str | None = KEY,
    date: str | None = None,
    headers: dict[str, str | None] | None = None,
    age: float = 0,
) -> TestResponse:
    """Send a notification as the platform does; a header given as None is left out."""
    client = where.test_client() if isinstance(where, Flask) else where
    body = notification
    if not isinstance(body, bytes):
        body = json.dumps(document() if body is None else body).encode()
    if date is None:
        date = formatdate(time.time() - age, usegmt=True)
    sent: dict[str, str | None] = {
        "Authorization": basic_auth("user", "pass:word"),
        "Content-Type": "application/json",
        "Date": date,
    }
    if key is not None:
        sent["X-Hub-Signature"] = sign(key, date, body)
    sent |= headers or {}
    given = {name: value for name, value in sent.items() if value is not None}
    return client.post(path, data=body, headers=given)


def actions_of(response: TestResponse) -> Any:
    assert response.status_code == 200, response.get_data(as_text=True)
    assert response.content_type == "application/json"
    return response.get_json()["actions"]


def code_of(response: TestResponse) -> str:
    assert response.content_type == "application/problem+json"
    problem = response.get_json()
    assert problem["status"] == response.status_code
    return str(problem["code"])


def hello(notification: Notification) -> str:
    return f"Hello {notification.interlocutor.first_name}"


# -- the whole way -------------------------------------------------------------------


@pytest.mark.parametrize(
    "notification",
    [
        document(),
        document(type="step_reached_event"),
        SMALL,
    ],
    ids=["documented", "with data.type", "clustaar.webhook"],
)
def test_a_notification_gets_the_actions_of_its_handler(notification: Any) -> None:
    """Each documented form of a notification reaches the handler."""
    app = make_app(lambda notification: SendTextAction("Hi"))
    assert actions_of(post(app, notification)) == [
        {"type": "send_text_action", "alternatives": ["Hi"], "text": "Hi"}
    ]


@pytest.mark.parametrize("path", ["/clustaar", "/clustaar/"])
def test_the_endpoint_answers_with_and_without_a_slash(path: str) -> None:
    """Neither form of the URL is redirected to the other."""
    assert post(make_app(hello), path=path).status_code == 200


def test_only_post_is_answered() -> None:
    """The platform only posts."""
    assert make_app(hello).test_client().get("/clustaar").status_code == 405


def test_the_whole_session_is_sent() -> None:
    """The reply contains a handler's session changes, and all other values."""

    def remember(notification: Notification) -> str:
        notification.session["colour"] = "red"
        return "Noted"

    reply = post(make_app(remember)).get_json()
    assert reply["session"] == {"values": {"name": "John", "colour": "red"}}


def test_a_changed_interlocutor_is_sent() -> None:
    """A changed interlocutor is in the reply, whole."""

    def rename(notification: Notification) -> str:
        notification.interlocutor.first_name = "Jane"
        return "Renamed"

    reply = post(make_app(rename)).get_json()
    came = document()["data"]["interlocutor"]
    assert reply["interlocutor"] == came | {"firstName": "Jane"}


def test_an_unchanged_interlocutor_is_not_sent() -> None:
    """Reading an attribute does not change it."""
    assert "interlocutor" not in post(make_app(hello)).get_json()


def test_a_step_that_no_handler_answers_is_returned_unchanged() -> None:
    """If every handler returns None, the reply has the step's own actions."""
    odd = [{"type": "send_hologram_action", "x": [1, {"y": None}]}, 3, None]
    step = document()["data"]["step"] | {"actions": odd}
    app = make_app(lambda notification: None)
    assert actions_of(post(app, document(step=step))) == odd


def test_an_unknown_action_is_returned_unchanged() -> None:
    """Unknown and malformed values are kept raw, for handlers and the reply."""
    odd = [{"type": "send_hologram_action", "x": [1]}]
    step = document()["data"]["step"] | {"actions": odd}
    seen: list[Any] = []

    def echo(notification: Notification) -> Any:
        seen.extend(notification.step.actions)
        return notification.step.actions

    assert actions_of(post(make_app(echo), document(step=step))) == odd
    assert isinstance(seen[0], UnknownAction) and seen[0].data == odd[0]


def test_handlers_run_in_a_request() -> None:
    """Flask's context is there, as in any view."""

    def look(notification: Notification) -> str:
        g.seen = True
        return f"{request.method} {current_app.name} {g.seen}"

    assert actions_of(post(make_app(look)))[0]["text"] == f"POST {__name__} True"


def test_async_handlers_answer_beside_others() -> None:
    """``async def`` works as in Flask, with its context."""
    app = make_app()
    webhook = webhook_of(app)

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    async def first(notification: Notification) -> str:
        return request.path

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    async def second(notification: Notification) -> str:
        return current_app.name

    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    texts = [action["text"] for action in actions_of(post(app))]
    assert texts == ["/clustaar", __name__, "Hello John"]


def test_text_matches_hands_its_groups_to_the_handler() -> None:
    """The match is that of the handler's own filter."""
    app = make_app()
    webhook = webhook_of(app)
    topic = events.CONVERSATION_STEP_REACHED

    @webhook.on(topic, filter=TextMatches("h(.)l"))
    def with_match(notification: Notification) -> str:
        assert notification.match is not None
        return notification.match[1]

    @webhook.on(topic)
    def without(notification: Notification) -> str:
        return str(notification.match)

    assert [a["text"] for a in actions_of(post(app))] == ["e", "None"]


# -- fan-out -------------------------------------------------------------------------


def fan_out_app(**config: Any) -> Flask:
    app = make_app(**config)
    webhook = webhook_of(app)
    topic = events.CONVERSATION_STEP_REACHED
    webhook.on(topic, lambda n: "one", filter=StepID(STEP))
    webhook.on(topic, lambda n: None)
    webhook.on(topic, lambda n: "two")
    webhook.on(topic, lambda n: "never", filter=Channel("intercom"))
    return app


def test_every_matching_handler_answers_in_order() -> None:
    """Answers become one reply, in the order of registration."""
    texts = [action["text"] for action in actions_of(post(fan_out_app()))]
    assert texts == ["one", "two"]


def test_dispatch_first_stops_at_the_first_match() -> None:
    """With CLUSTAAR_DISPATCH = "first" one handler runs, as in ``clustaar.webhook``."""
    texts = [
        action["text"]
        for action in actions_of(post(fan_out_app(CLUSTAAR_DISPATCH="first")))
    ]
    assert texts == ["one"]


def test_dispatch_first_asks_no_filter_after_the_first_match() -> None:
    """The filters of handlers that cannot run are not asked."""
    app = make_app(hello, CLUSTAAR_DISPATCH="first")
    asked: list[Notification] = []
    webhook_of(app).on("conversation.step_reached", hello, filter=asked.append)
    assert post(app).status_code == 200
    assert asked == []


def test_an_explanation_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A log line for fifty handlers is long enough."""
    app = make_app()
    for number in range(57):
        webhook_of(app).on(f"topic.{number}", hello)
    assert code_of(post(app)) == "no_handler"
    assert "And 7 more." in caplog.text
    assert "'topic.49'" in caplog.text
    assert "'topic.50'" not in caplog.text


def test_the_fallback_answers_what_no_handler_matches() -> None:
    """A fallback runs only then."""
    app = make_app()
    webhook = webhook_of(app)
    webhook.on(events.CONVERSATION_STEP_REACHED, hello, filter=StepID("f" * 24))

    @webhook.fallback
    def sorry(notification: Notification) -> str:
        return "Sorry"

    assert actions_of(post(app))[0]["text"] == "Sorry"


def test_a_fallback_is_for_its_event() -> None:
    """The fallback of another event does not run."""
    app = make_app()
    webhook = webhook_of(app)
    webhook.fallback("another.event", lambda notification: "other")
    assert code_of(post(app)) == "no_handler"
    webhook_of(other := make_app()).fallback("another.event", hello)
    webhook_of(other).fallback(lambda notification: "Sorry")
    assert actions_of(post(other))[0]["text"] == "Sorry"


def test_a_group_answers_where_its_filter_matches() -> None:
    """Handlers of a module can be included with a filter."""
    app = make_app()
    group = HandlerGroup(filter=Channel("facebook"))
    group.on(events.CONVERSATION_STEP_REACHED, hello, filter=StepID(STEP))
    group.fallback(lambda notification: "fallback of the group")
    webhook_of(app).include(group)
    client = app.test_client()
    assert actions_of(post(client))[0]["text"] == "Hello John"
    other = document()["data"]["step"] | {"id": "f" * 24}
    reply = actions_of(post(client, document(step=other)))
    assert reply[0]["text"] == "fallback of the group"
    assert code_of(post(client, document(channel="intercom"))) == "no_handler"


def test_a_handler_registered_after_the_first_request_is_an_error() -> None:
    """As in Flask: half of the requests would not see it."""
    app = make_app(hello)
    post(app)
    with pytest.raises(ConfigurationError, match="Cannot register"):
        webhook_of(app).on(events.CONVERSATION_STEP_REACHED, hello)


# -- no handler ----------------------------------------------------------------------


def test_an_unhandled_notification_is_explained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The 404 names topic and step; the log has the reason for each handler."""
    app = make_app()
    webhook_of(app).on("conversation.step_reached", hello, filter=StepID("f" * 24))
    response = post(app)
    assert code_of(response) == "no_handler"
    assert response.status_code == 404
    detail = response.get_json()["detail"]
    assert "'conversation.step_reached'" in detail and STEP in detail
    assert "explanation" not in response.get_json()
    assert "hello (test_extension.py:" in caplog.text
    assert "StepID('ffffffffffffffffffffffff') did not match" in caplog.text
    assert f"@webhook.on_step('{STEP}')" in caplog.text


def test_in_debug_mode_the_answer_explains_too() -> None:
    """In debug mode, developers see it in the platform's console."""
    app = make_app()
    app.debug = True
    webhook_of(app).on("conversation.step_reached", hello, filter=StepID("f" * 24))
    explanation = post(app).get_json()["explanation"]
    assert "did not match: data.step.id is" in explanation[0]
    assert explanation[-1] == f"This would handle it: @webhook.on_step('{STEP}')"


@pytest.mark.parametrize("step", [None, {}, {"id": None}, {"id": 0}, {"id": ["a"]}])
def test_the_suggestion_names_no_step_without_an_id(step: Any) -> None:
    """A topic that cannot be registered is not suggested."""
    app = make_app()
    app.debug = True
    explanation = post(app, document(step=step)).get_json()["explanation"]
    assert explanation[-1].endswith(" @webhook.on('conversation.step_reached')")


def test_the_suggestion_is_not_longer_than_a_line() -> None:
    """An id of any length is shortened."""
    app = make_app()
    app.debug = True
    reply = post(app, document(step={"id": "a" * 1000}))
    assert len(reply.get_json()["explanation"][-1]) < 200


# -- authentication ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"key": "wrong"}, 403, "signature_invalid"),
        ({"key": None}, 400, "signature_missing"),
        ({"headers": {"X-Hub-Signature": "sha1=12"}}, 400, "signature_malformed"),
        (
            {"headers": {"X-Hub-Signature": "sha256=" + "0" * 64}},
            400,
            "signature_algorithm_refused",
        ),
        ({"headers": {"Date": None}}, 400, "date_missing"),
        ({"date": "yesterday"}, 400, "date_malformed"),
        ({"age": 11.9}, 400, "request_too_old"),
        ({"age": -11}, 400, "request_from_future"),
        ({"headers": {"Authorization": None}}, 401, "credentials_missing"),
        (
            {"headers": {"Authorization": basic_auth("user", "wrong")}},
            401,
            "credentials_invalid",
        ),
        (
            {"headers": {"Authorization": basic_auth("üser", "pass:word")}},
            401,
            "credentials_invalid",
        ),
        ({"headers": {"Content-Type": "text/html"}}, 415, "unsupported_content"),
        (
            {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            415,
            "unsupported_content",
        ),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_content"),
        ({"notification": b"x" * 1_048_577}, 413, "body_too_large"),
        ({"notification": b""}, 400, "invalid_json"),
        ({"notification": b"null"}, 400, "invalid_notification"),
        ({"notification": b"[]"}, 400, "invalid_notification"),
        ({"notification": b"{}"}, 400, "invalid_notification"),
        ({"notification": b'{"topic": 5}'}, 400, "invalid_notification"),
        ({"notification": b'{"topic": "x", "n": NaN}'}, 400, "invalid_json"),
        ({"notification": b'{"topic": "x", "n": 1e999}'}, 400, "invalid_json"),
        (
            {"notification": b'{"topic": "x", "n": ' + b"9" * 5000 + b"}"},
            400,
            "invalid_json",
        ),
        ({"notification": b"[" * 100_000}, 400, "invalid_json"),
        ({"notification": b'{"topic": "\xff"}'}, 400, "invalid_json"),
    ],
)
def test_requests_are_rejected(
    arguments: Any, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each rejection has its status and code, and one log line; no handler runs."""

    def never(notification: Notification) -> None:
        raise AssertionError("A handler ran.")

    app = make_app(never)
    caplog.set_level(logging.INFO)
    response = post(app, **arguments)
    assert (response.status_code, code_of(response)) == (status, code)
    assert [record.name for record in caplog.records] == ["flask_clustaar"]
    assert code in caplog.text
    for secret in (KEY, "pass:word", "sha1="):
        assert secret not in caplog.text + response.get_data(as_text=True).replace(
            "'sha1='", ""
        )


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "text/plain",
     "application/octet-stream", "application/vnd.clustaar+json"],
)  # fmt: skip
def test_json_is_accepted_by_its_type_or_without_one(content_type: str | None) -> None:
    """The client of ``clustaar.webhook`` sends no Content-Type."""
    response = post(make_app(hello), headers={"Content-Type": content_type})
    assert response.status_code == 200


def test_a_refusal_for_the_clock_logs_the_skew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log shows which clock is wrong."""
    post(make_app(hello), age=60)
    assert "request_too_old (the sender's clock: -6" in caplog.text


def test_credentials_missing_asks_for_them() -> None:
    """A 401 has the challenge that HTTP requires."""
    response = post(make_app(hello), headers={"Authorization": None})
    assert response.headers["WWW-Authenticate"].startswith("Basic ")


def test_without_key_and_credentials_init_app_warns() -> None:
    """A webhook without authentication always causes a warning."""
    with pytest.warns(InsecureWebhookWarning, match="CLUSTAAR_PRIVATE_KEY"):
        ClustaarWebhook(Flask(__name__))


def test_insecure_warning_names_an_unread_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key in the environment that Flask does not read is named with the remedy."""
    monkeypatch.setenv("CLUSTAAR_PRIVATE_KEY", KEY)
    with pytest.warns(InsecureWebhookWarning, match="'FLASK_CLUSTAAR_PRIVATE_KEY'"):
        ClustaarWebhook(Flask(__name__))


@pytest.mark.parametrize("other", [__name__, Blueprint("bot", __name__)])
def test_an_argument_that_is_not_an_application_is_an_error(other: Any) -> None:
    """A common mistake is to pass a name, as to Flask."""
    with pytest.raises(TypeError, match=f"not a '{type(other).__name__}'"):
        ClustaarWebhook(other)


def test_a_wrong_setting_fails_in_init_app() -> None:
    """Half a setting is an error when the program starts."""
    app = Flask(__name__)
    app.config["CLUSTAAR_AUTH_USERNAME"] = "user"
    with pytest.raises(ConfigurationError, match="CLUSTAAR_AUTH_PASSWORD"):
        ClustaarWebhook().init_app(app)


def test_an_argument_that_is_not_a_setting_fails_at_once() -> None:
    """A misspelt keyword argument raises an exception."""
    with pytest.raises(TypeError, match="private_key"):
        ClustaarWebhook(privte_key="x")  # type: ignore[call-arg]


def test_an_application_may_restyle_a_problem() -> None:
    """An error handler for a class of ours gets the error."""
    app = make_app(hello)

    @app.errorhandler(SignatureInvalid)
    def restyle(error: SignatureInvalid) -> tuple[str, int]:
        return "my own", 418

    assert post(app, key="wrong").get_data(as_text=True) == "my own"
    assert code_of(post(app, age=60)) == "request_too_old"


def test_error_pages_for_people_are_not_for_the_platform() -> None:
    """Handlers for a status or for all exceptions do not apply."""
    app = make_app(hello)
    app.register_error_handler(403, lambda error: ("<h1>no</h1>", 403))
    app.register_error_handler(Exception, lambda error: ("<h1>oops</h1>", 500))
    assert code_of(post(app, key="wrong")) == "signature_invalid"


# -- a delivery runs once ------------------------------------------------------------


def counting_app(**config: Any) -> tuple[Flask, list[str]]:
    calls: list[str] = []

    def count(notification: Notification) -> str:
        calls.append("call")
        return f"call {len(calls)}"

    return make_app(count, **config), calls


def test_the_same_delivery_gets_the_first_reply() -> None:
    """Handlers do not run again, and the bytes are the same."""
    app, calls = counting_app()
    date = formatdate(usegmt=True)
    first, second = post(app, date=date), post(app, date=date)
    assert first.get_data() == second.get_data()
    assert calls == ["call"]


def test_a_respelt_signature_is_the_same_delivery() -> None:
    """The identity is the digest, not the header's text."""
    app, calls = counting_app()
    date = formatdate(usegmt=True)
    body = json.dumps(document()).encode()
    signature = sign(KEY, date, body)
    respelt = "sha1=" + signature.removeprefix("sha1=").upper()
    post(app, body, date=date)
    post(app, body, date=date, headers={"X-Hub-Signature": respelt})
    assert calls == ["call"]


def test_a_delivery_that_failed_runs_again() -> None:
    """A failure is not recorded."""
    attempts: list[int] = []

    def flaky(notification: Notification) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError
        return "now"

    app, date = make_app(flaky), formatdate(usegmt=True)
    assert post(app, date=date).status_code == 500
    assert actions_of(post(app, date=date))[0]["text"] == "now"


def test_a_delivery_that_is_running_is_rejected() -> None:
    """While the first still runs, the second gets 409 with Retry-After."""
    started, go_on = threading.Event(), threading.Event()

    def slow(notification: Notification) -> str:
        started.set()
        assert go_on.wait(10)
        return "done"

    app, date = make_app(slow), formatdate(usegmt=True)
    first: list[TestResponse] = []
    thread = threading.Thread(target=lambda: first.append(post(app, date=date)))
    thread.start()
    assert started.wait(10)
    second = post(app, date=date)
    go_on.set()
    thread.join()
    assert (second.status_code, code_of(second)) == (409, "delivery_in_progress")
    assert int(second.headers["Retry-After"]) >= 1
    assert actions_of(first[0])[0]["text"] == "done"


class BrokenStore:
    """A replay store whose database is down."""

    fail_on: tuple[str, ...] = ("claim", "complete", "release")

    def claim(self, delivery: str, *, lease: float) -> Claim:
        self._fail("claim")
        return Claim(delivery, "token", "mine", None)

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        self._fail("complete")

    def release(self, claim: Claim) -> None:
        self._fail("release")

    def _fail(self, what: str) -> None:
        if what in self.fail_on:
            raise ReplayStoreError("The database is down.")


def test_a_store_that_fails_refuses_deliveries() -> None:
    """Running once is not certain, so it does not run: 503 with Retry-After."""
    app = make_app(hello, CLUSTAAR_REPLAY_STORE=BrokenStore())
    response = post(app)
    assert (response.status_code, code_of(response)) == (
        503,
        "replay_store_unavailable",
    )
    assert "Retry-After" in response.headers


def test_a_store_that_fails_may_be_allowed(caplog: pytest.LogCaptureFixture) -> None:
    """With "allow", the delivery runs, and the failure is logged."""
    app = make_app(
        hello,
        CLUSTAAR_REPLAY_STORE=BrokenStore(),
        CLUSTAAR_REPLAY_ON_STORE_ERROR="allow",
    )
    assert post(app).status_code == 200
    assert "The replay store failed" in caplog.text


def test_a_store_that_fails_after_the_handlers_ran_does_not_cost_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The user still gets the answer."""
    store = BrokenStore()
    store.fail_on = ("complete", "release")
    app = make_app(hello, CLUSTAAR_REPLAY_STORE=store)
    assert post(app).status_code == 200
    assert post(app, {"topic": "unknown"}).status_code == 404
    assert caplog.text.count("The replay store failed") == 2


def test_without_a_store_a_delivery_may_run_twice() -> None:
    """CLUSTAAR_REPLAY_STORE = None switches it off."""
    app, calls = counting_app(CLUSTAAR_REPLAY_STORE=None)
    date = formatdate(usegmt=True)
    post(app, date=date), post(app, date=date)
    assert len(calls) == 2


# -- what fails ----------------------------------------------------------------------


def failing(notification: Notification) -> str:
    raise KeyError("secret of a customer")


def test_a_failing_handler_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """500 with a code; the traceback is in the log, and only there."""
    response = post(make_app(failing))
    assert (response.status_code, code_of(response)) == (500, "handler_failed")
    assert "test_extension.failing' raised KeyError" in response.get_json()["detail"]
    assert "secret of a customer" not in response.get_data(as_text=True)
    assert "Traceback" in caplog.text


def test_aborting_in_a_handler_sets_the_status() -> None:
    """``abort`` works as in a view, in the shape of a problem."""

    def unavailable(notification: Notification) -> None:
        abort(503)

    response = post(make_app(unavailable))
    assert (response.status_code, code_of(response)) == (503, "handler_failed")


def test_a_filter_that_raises_is_a_failure() -> None:
    """A function of the user's as a filter may fail like a handler."""
    app = make_app()
    webhook_of(app).on(events.CONVERSATION_STEP_REACHED, hello, filter=failing)
    assert code_of(post(app)) == "handler_failed"


def test_an_invalid_return_value_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    """An invalid return value is reported with the handler's name."""
    assert code_of(post(make_app(lambda notification: 5))) == "handler_failed"
    assert (
        "returned an 'int', which is not a valid reply. Return None, a" in caplog.text
    )


@pytest.mark.parametrize(
    ("part", "hint"),
    [
        (Card(title="t"), r"'SendCardsAction\(cards=\[...\]\)'"),
        (QuickReply(title="t", action=ShareAction()), "a 'SendQuickRepliesAction'"),
        (Button(title="t", action=ShareAction()), "the 'buttons' of a 'Card'"),
        (GoToAction.step("507f191e810c19729de860ea"), "return a 'JumpToAction'"),
    ],
)
def test_a_part_of_an_action_is_an_error_that_says_where_it_belongs(
    part: Any, hint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A part of an action, such as a card, is easily mistaken for an action."""
    for answer in (part, ["Hello", part]):
        caplog.clear()
        app = make_app(functools.partial(lambda answer, _: answer, answer))
        assert code_of(post(app)) == "handler_failed"
        assert re.search(hint, caplog.text)


def test_an_invalid_reply_is_not_sent() -> None:
    """Its errors name the path and the sentence, and the handler is named."""

    def too_long(notification: Notification) -> Any:
        reply = QuickReply(title="x" * 61, action=GoToAction.step(STEP))
        return SendQuickRepliesAction(message="?", buttons=[reply])

    response = post(make_app(too_long))
    assert (response.status_code, code_of(response)) == (500, "invalid_reply")
    [error] = response.get_json()["errors"]
    assert error["path"] == "actions.0.buttons.0.title"
    assert "60" in error["message"]
    assert "too_long" in response.get_json()["detail"]


def test_a_reply_that_json_cannot_say_is_invalid() -> None:
    """A session that contains itself has no end."""

    def endless(notification: Notification) -> str:
        notification.session["me"] = notification.session.values
        return "x"

    assert code_of(post(make_app(endless))) == "invalid_reply"


@pytest.mark.parametrize("handler", [failing, lambda notification: {"actions": 5}])
def test_passthrough_lets_the_bot_go_on(handler: Handler) -> None:
    """CLUSTAAR_ON_ERROR = "passthrough" replies with the step unchanged."""

    def spoil(notification: Notification) -> Any:
        notification.session["name"] = object()
        return handler(notification)

    app = make_app(spoil, CLUSTAAR_ON_ERROR="passthrough")
    reply = post(app).get_json()
    assert reply == {
        "actions": [{"type": "pause_bot_action"}],
        "session": {"values": {"name": "John"}},
    }


def test_passthrough_is_not_a_success() -> None:
    """The delivery may run again."""
    calls: list[int] = []

    def flaky(notification: Notification) -> str:
        calls.append(1)
        raise ValueError

    app = make_app(flaky, CLUSTAAR_ON_ERROR="passthrough")
    date = formatdate(usegmt=True)
    post(app, date=date), post(app, date=date)
    assert len(calls) == 2


@pytest.mark.parametrize("depth", [100, 300, 500, 700, 900])
def test_a_notification_that_is_nested_too_deeply_is_rejected(depth: int) -> None:
    """It is the client's error when a handler reads it, and never a 5xx."""
    nested = "[" * depth + "]" * depth
    body = json.dumps(document()).replace('"name": "John"', f'"name": {nested}')
    response = post(make_app(lambda n: str(n.session.values)), body.encode())
    assert (response.status_code, code_of(response)) == (400, "invalid_json")
    assert post(make_app(hello), body.encode()).status_code == 200


# -- the signal of a topic -----------------------------------------------------------


class Spy:
    """A function of a notification that keeps what it was called with."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.seen: list[Notification] = []

    def __call__(self, notification: Notification) -> Any:
        self.seen.append(notification)
        return self.answer


@pytest.mark.parametrize("dispatch", ["all", "first"])
def test_each_notification_is_sent_on_the_signal_of_its_topic(dispatch: str) -> None:
    """A connected function is called once, with the notification."""
    app = make_app(CLUSTAAR_DISPATCH=dispatch)
    spy = Spy("from the spy")
    signal = webhook_of(app).signal(events.CONVERSATION_STEP_REACHED)
    with signal.connected_to(spy):
        assert actions_of(post(app))[0]["text"] == "from the spy"
    [notification] = spy.seen
    assert notification.text == "hello"
    assert code_of(post(app, document(channel="web"))) == "no_handler"
    assert len(spy.seen) == 1


def test_connected_functions_take_part_in_their_place() -> None:
    """Their return values are answers, in order of registration."""
    app = make_app(lambda n: "first")
    spy = Spy("second")
    webhook = webhook_of(app)
    webhook.signal(events.CONVERSATION_STEP_REACHED).connect(spy)
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda n: "third")
    texts = [action["text"] for action in actions_of(post(app))]
    assert texts == ["first", "second", "third"]


def test_a_muted_signal_reaches_no_handler(caplog: pytest.LogCaptureFixture) -> None:
    """No handler matches then; the log says why."""
    app = make_app(hello)
    with webhook_of(app).signal(events.CONVERSATION_STEP_REACHED).muted():
        assert code_of(post(app)) == "no_handler"
        assert "did not match: its signal is muted" in caplog.text
    assert actions_of(post(app))[0]["text"] == "Hello John"


def test_a_muted_signal_leaves_the_fallback() -> None:
    """It runs for what no handler matches."""
    app = make_app(hello)
    webhook_of(app).fallback(lambda n: "fallback")
    with webhook_of(app).signal(events.CONVERSATION_STEP_REACHED).muted():
        assert actions_of(post(app))[0]["text"] == "fallback"


def test_a_connected_function_that_fails_is_named() -> None:
    """Like any other handler."""
    app = make_app()
    signal = webhook_of(app).signal(events.CONVERSATION_STEP_REACHED)
    with signal.connected_to(failing):
        detail = post(app).get_json()["detail"]
    assert "test_extension.failing' raised KeyError" in detail


# -- applications --------------------------------------------------------------------


def test_one_webhook_in_two_applications() -> None:
    """Handlers are the webhook's, secrets and URL the application's."""
    webhook = ClustaarWebhook()
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    one, two = Flask("one"), Flask("two")
    one.config.update(SECURE)
    two.config.update(SECURE, CLUSTAAR_PRIVATE_KEY="other", CLUSTAAR_URL_PREFIX="/bot")
    webhook.init_app(one)
    webhook.init_app(two)
    assert post(one).status_code == 200
    assert post(two, path="/bot", key="other").status_code == 200
    assert post(two, path="/bot").status_code == 403


def test_two_webhooks_in_one_application() -> None:
    """Each has its URL, its secrets and its handlers."""
    app = Flask(__name__)
    app.config.update(
        SECURE,
        CLUSTAAR_SALES_PRIVATE_KEY="sales",
        CLUSTAAR_SUPPORT_PRIVATE_KEY="support",
    )
    sales = ClustaarWebhook(app, name="sales")
    support = ClustaarWebhook(app, name="support", url_prefix="/help")
    sales.on(events.CONVERSATION_STEP_REACHED, lambda n: "sales")
    support.on(events.CONVERSATION_STEP_REACHED, lambda n: "support")
    with app.test_request_context():
        assert url_for("sales.receive") == "/sales"
        assert url_for("support.receive") == "/help"
    assert actions_of(post(app, path="/sales", key="sales"))[0]["text"] == "sales"
    assert actions_of(post(app, path="/help", key="support"))[0]["text"] == "support"
    assert post(app, path="/sales", key="support").status_code == 403


def test_the_same_delivery_to_another_bot_is_its_own() -> None:
    """Two webhooks with the same key each run it."""
    app = Flask(__name__)
    app.config.update(SECURE)
    calls: list[str] = []
    for name in ("sales", "support"):
        webhook = ClustaarWebhook(app, name=name)
        webhook.on(
            events.CONVERSATION_STEP_REACHED, lambda n, name=name: calls.append(name)
        )
    date = formatdate(usegmt=True)
    post(app, path="/sales", date=date), post(app, path="/support", date=date)
    assert calls == ["sales", "support"]


def test_a_second_webhook_of_the_same_name_is_refused() -> None:
    """It would hide the first."""
    app = make_app()
    with pytest.raises(ConfigurationError, match="already has a webhook"):
        ClustaarWebhook(app)


def test_a_webhook_needs_a_name_that_can_be_one() -> None:
    """It is part of the settings' names."""
    with pytest.raises(ConfigurationError, match="is not a valid name"):
        ClustaarWebhook(name="two words")


def test_a_webhook_that_is_not_in_the_application_says_so() -> None:
    """Forgetting 'init_app' is the usual reason."""
    with pytest.raises(RuntimeError, match="Did you forget to call 'init_app'"):
        ClustaarWebhook().installation(Flask(__name__))


def test_an_application_that_reads_forms_first() -> None:
    """Another ``before_request`` may have touched the body already."""
    app = make_app(hello)

    @app.before_request
    def touch() -> None:
        assert request.form.get("x") is None
        assert isinstance(request.data, bytes)

    assert post(app).status_code == 200


def test_the_limit_of_the_body_is_the_webhook_s_own() -> None:
    """Neither a lower nor a higher limit of the application changes it."""
    app = make_app(hello, MAX_CONTENT_LENGTH=10)

    @app.before_request
    def touch() -> None:
        assert isinstance(request.data, bytes)

    assert post(app).status_code == 200
    small = make_app(hello, CLUSTAAR_MAX_CONTENT_LENGTH=10)
    assert code_of(post(small)) == "body_too_large"


class Chunks(io.BytesIO):
    """A body in chunks of a byte, as from a slow client."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size > 0
        return super().read(1)


class BrokenChunks(io.BytesIO):
    """A body whose sender went away in a chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise ConnectionResetError


def post_chunked(app: Flask, stream: io.BytesIO) -> TestResponse:
    """Send a body without Content-Length, to a server that finds its end."""
    date = formatdate(usegmt=True)
    return app.test_client().post(
        "/clustaar",
        input_stream=stream,
        headers={
            "Authorization": basic_auth("user", "pass:word"),
            "Date": date,
            "Transfer-Encoding": "chunked",
            "X-Hub-Signature": sign(KEY, date, stream.getvalue()),
        },
        environ_overrides={"wsgi.input_terminated": True},
    )


def test_a_chunked_body_is_read_to_its_end() -> None:
    """Even if the stream returns few bytes at a time."""
    body = json.dumps(document()).encode()
    assert actions_of(post_chunked(make_app(hello), Chunks(body)))


def test_a_chunked_body_is_limited_while_it_is_read() -> None:
    """Without Content-Length the stream itself is cut off."""
    app = make_app(hello, CLUSTAAR_MAX_CONTENT_LENGTH=10)
    stream = Chunks(json.dumps(document()).encode())
    assert code_of(post_chunked(app, stream)) == "body_too_large"
    assert stream.tell() <= 21


def test_a_chunked_body_that_breaks_off_is_refused() -> None:
    """Whatever the server raises then."""
    response = post_chunked(make_app(hello), BrokenChunks())
    assert code_of(response) == "body_incomplete"


def test_a_body_that_breaks_off_is_refused() -> None:
    """The connection ended before the announced length."""
    response = (
        make_app(hello)
        .test_client()
        .post(
            "/clustaar",
            input_stream=io.BytesIO(b"{}"),
            headers={"Authorization": basic_auth("user", "pass:word")},
            environ_overrides={"CONTENT_LENGTH": "100"},
        )
    )
    assert code_of(response) == "body_incomplete"


@pytest.mark.parametrize("first", ["csrf", "webhook"])
def test_csrf_protection_leaves_the_webhook_alone(first: str) -> None:
    """The blueprint exempts itself, whichever extension comes first."""
    app = Flask(__name__)
    app.config.update(SECURE, SECRET_KEY="x")
    if first == "csrf":
        CSRFProtect(app)
    webhook = ClustaarWebhook(app)
    if first == "webhook":
        CSRFProtect(app)
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    app.post("/form")(lambda: "unsafe")
    assert post(app).status_code == 200
    assert app.test_client().post("/form").status_code == 400


def test_behind_a_proxy_with_a_prefix() -> None:
    """ProxyFix changes the URL, but not the signed content."""
    app = make_app(hello)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
    assert post(app, headers={"X-Forwarded-Prefix": "/api"}).status_code == 200


def test_below_another_blueprint() -> None:
    """The webhook's blueprint can be nested."""
    app = Flask(__name__)
    app.config.update(SECURE)
    webhook = ClustaarWebhook()
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    api = Blueprint("api", __name__, url_prefix="/api")
    api.register_blueprint(webhook.blueprint)
    app.register_blueprint(api)
    assert post(app, path="/api/clustaar").status_code == 200
    with app.test_request_context():
        assert url_for("api.clustaar.receive") == "/api/clustaar"


def test_at_the_root() -> None:
    """The webhook can be all there is; its URL is one rule there."""
    app = Flask(__name__)
    app.config.update(SECURE)
    webhook = ClustaarWebhook(app, url_prefix="/")
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    assert post(app, path="/").status_code == 200
    rules = [rule for rule in app.url_map.iter_rules() if "static" not in rule.endpoint]
    assert [rule.rule for rule in rules] == ["/"]


def test_at_a_host() -> None:
    """An application that matches hosts has the webhook at one of them."""
    app = Flask(__name__, host_matching=True, static_host="example.com")
    app.config.update(SECURE, CLUSTAAR_HOST="bot.example.com")
    webhook = ClustaarWebhook(app)
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    assert post(app, headers={"Host": "bot.example.com"}).status_code == 200
    assert post(app, headers={"Host": "example.com"}).status_code == 404


@pytest.mark.parametrize(
    ("options", "config", "message"),
    [
        ({"host_matching": True, "static_host": "a.b"}, {}, "Set 'CLUSTAAR_HOST'"),
        ({}, {"CLUSTAAR_HOST": "a.b"}, r"host_matching=True, static_host=...\)"),
    ],
)
def test_a_host_belongs_to_an_application_that_matches_hosts(
    options: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    """Else no request would reach the webhook, or the host would mean nothing."""
    app = Flask(__name__, **options)
    app.config.update(SECURE | config)
    with pytest.raises(ConfigurationError, match=message):
        ClustaarWebhook(app)


def test_a_browser_gets_a_page_in_debug_mode() -> None:
    """The platform sends POST. A browser, which sends GET, gets a short page."""
    app = Flask(__name__)
    app.debug = True
    app.config.update(SECURE)
    api = Blueprint("api", __name__, url_prefix="/api")
    webhook = ClustaarWebhook(url_prefix="/bot")
    api.register_blueprint(webhook.blueprint)
    app.register_blueprint(api)
    app.add_url_rule("/form", "form", lambda: "sent", methods=["POST"])
    client = app.test_client()
    page = client.get("/api/bot")
    assert (page.status_code, page.mimetype) == (200, "text/plain")
    assert "This is the webhook 'clustaar' of a Clustaar bot." in page.text
    assert "flask clustaar chat" in page.text
    assert client.get("/form").status_code == 405
    assert client.get("/absent").status_code == 404
    assert client.put("/api/bot").status_code == 405


def test_a_page_of_the_application_is_not_hidden() -> None:
    """GET at the webhook's URL can be another view, also in debug mode."""
    app = Flask(__name__)
    app.debug = True
    app.config.update(SECURE)
    app.get("/")(lambda: "home")
    webhook = ClustaarWebhook(app, url_prefix="/")
    webhook.on(events.CONVERSATION_STEP_REACHED, hello)
    assert app.test_client().get("/").text == "home"
    assert post(app, path="/").status_code == 200


def test_a_browser_gets_405_without_debug_mode() -> None:
    """405, as for each view without GET."""
    assert make_app(hello).test_client().get("/clustaar").status_code == 405


def test_with_a_slash_at_its_end() -> None:
    """Below the root, the URL is the same with a slash."""
    for path in ("/clustaar", "/clustaar/"):
        assert post(make_app(hello), path=path).status_code == 200


def test_the_signed_date_may_stand_in_another_header() -> None:
    """Behind a proxy that rewrites Date."""
    app = make_app(hello, CLUSTAAR_DATE_HEADER="X-Original-Date")
    date = formatdate(usegmt=True)
    headers: dict[str, str | None] = {"Date": "rewritten", "X-Original-Date": date}
    assert post(app, date=date, headers=headers).status_code == 200


def test_the_whole_reply_may_be_given_as_models_or_as_a_dict() -> None:
    """A StepReachedResponse and a dict in the wire's shape are the same."""
    card = {"type": "card", "title": "Red", "buttons": []}
    action = {"type": "send_cards_action", "cards": [card]}
    model = SendCardsAction(cards=[Card(title="Red", buttons=[])])

    def sent(reply: Any) -> Any:
        return post(make_app(lambda notification: reply)).get_json()

    answer = sent(StepReachedResponse(actions=[model]))
    assert answer == sent({"actions": [action]})
    assert answer["actions"][0]["cards"] == [card | {"imageURL": "", "url": ""}]


def test_importing_the_same_module_twice_is_harmless() -> None:
    """Two instances of one program do not meet."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = make_app(hello), make_app(lambda n: "other")
    assert actions_of(post(one))[0]["text"] == "Hello John"
    assert actions_of(post(two))[0]["text"] == "other"


@pytest.mark.parametrize("late", [False, True])
def test_warnings_point_at_the_program(late: bool) -> None:
    """Where the webhook is made, or 'init_app' called: there the remedy belongs."""
    app = Flask(__name__)
    app.config["CLUSTAAR_PRIVAT_KEY"] = "x"
    with pytest.warns() as caught:
        if late:
            ClustaarWebhook().init_app(app)
        else:
            ClustaarWebhook(app)
    assert {warning.filename for warning in caught} == {__file__}
    assert len(caught) == 2


def test_late_changes_of_settings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """They were read when the webhook was added; the log says they do not count."""
    app = make_app(hello)
    app.config["CLUSTAAR_PRIVATE_KEY"] = "new"
    client = app.test_client()
    post(client), post(client)
    assert caplog.text.count("were changed after the webhook 'clustaar'") == 1


@pytest.mark.parametrize("kind", ["plain decorator", "lambda", "object", "partial"])
def test_what_has_to_be_awaited_is_awaited(kind: str) -> None:
    """However the handler hides that it is async."""

    async def later(notification: Notification, text: str = "later") -> str:
        return text

    class Later:
        async def __call__(self, notification: Notification) -> str:
            return "later"

    def decorated(notification: Notification) -> Any:
        return later(notification)

    handlers: dict[str, Any] = {
        "plain decorator": decorated,
        "lambda": lambda notification: later(notification),
        "object": Later(),
        "partial": functools.partial(later, text="later"),
    }
    assert actions_of(post(make_app(handlers[kind])))[0]["text"] == "later"


def test_async_handlers_need_a_thread_without_a_loop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Under gevent other requests may run one; the log says what to do."""

    async def later(notification: Notification) -> None: ...

    class Later:
        def __await__(self) -> Iterator[None]:
            raise AssertionError("Nothing awaits it without a loop.")

    for handler in (later, lambda notification: Later()):
        app = make_app(handler)

        async def request(app: Flask = app) -> str:
            return code_of(post(app))

        assert asyncio.run(request()) == "handler_failed"
    assert caplog.text.count("Under gevent, all requests share a thread") == 2


@pytest.mark.parametrize("patched", [False, True])
def test_async_handlers_under_gevent_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, patched: bool
) -> None:
    """Once, where the first is registered."""
    monkey = SimpleNamespace(is_module_patched=lambda name: patched)
    monkeypatch.setitem(sys.modules, "gevent.monkey", cast(Any, monkey))

    async def later(notification: Notification) -> None: ...

    webhook = ClustaarWebhook()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        webhook.on("x", later)
        webhook.on("x", later)
    assert [each.category for each in caught] == [AsyncHandlerWarning] * patched


def test_async_handlers_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it they are an error when the program starts."""
    monkeypatch.setattr("flask_clustaar.extension.find_spec", lambda name: None)

    async def later(notification: Notification) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Flask-Clustaar\[async\]"):
        make_app(later)


# -- readiness -----------------------------------------------------------------------


class Hanging:
    """A store that does not answer until the test continues."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def claim(self, delivery: str, *, lease: float) -> Claim:
        self.free.wait(20)
        raise ReplayStoreError("away")

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        raise AssertionError

    def release(self, claim: Claim) -> None:
        raise AssertionError


def is_ready(store: Any, on_error: str = "refuse", timeout: float = 1) -> bool:
    app = Flask(__name__)
    settings: Any = {"replay_store": store, "replay_on_store_error": on_error}
    webhook = ClustaarWebhook(app, private_key=KEY, **settings)
    return webhook.installation(app).is_ready(timeout)


def test_ready() -> None:
    """A webhook is ready if its store works, or if it has no store."""
    assert is_ready("memory")
    assert is_ready("off")


def test_not_ready() -> None:
    """A webhook is not ready while its store fails, or takes too long."""
    store = Hanging()
    assert not is_ready(store, timeout=0.01)
    store.free.set()
    assert not is_ready(store)


def test_ready_without_the_store() -> None:
    """A webhook that answers without its store is ready."""
    assert is_ready(Hanging(), "allow")
