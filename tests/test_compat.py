"""Programs that were written for ``clustaar.webhook``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from unittest.mock import Mock

import flask
import pytest
from flask import after_this_request
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from flask_clustaar import ConfigurationError, InsecureWebhookWarning
from flask_clustaar.compat import Request, Response, Webhook, events
from flask_clustaar.filters import (
    Channel,
    JSONKeyEquals,
    JSONKeyExists,
    StepID,
    UserDataContains,
    UserDataEquals,
    UserDataHas,
)
from flask_clustaar.models import (
    ConversationSession,
    PauseBotAction,
    SendTextAction,
    StepReachedResponse,
)
from flask_clustaar.security import basic_auth, sign

STEP = "507f1f77bcf86cd799439011"
EVENT = events.CONVERSATION_STEP_REACHED
KEY = "a private key"


def reached(step: str = STEP, user_data: str | None = None) -> bytes:
    """A notification as the platform sends it."""
    document = {
        "topic": "conversation.step_reached",
        "botID": "507f1f77bcf86cd799439012",
        "timestamp": 1514998709,
        "data": {
            "channel": "facebook",
            "interlocutor": {"id": "507f1f77bcf86cd799439013", "location": None},
            "session": {"values": {"name": "John"}},
            "step": {
                "id": step,
                "name": "A step",
                "userData": user_data,
                "actions": [{"type": "pause_bot_action"}],
            },
        },
    }
    return json.dumps(document).encode()


def post(
    app: Webhook,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    path: str = "/",
) -> TestResponse:
    body = reached() if body is None else body
    return app.test_client().post(
        path, data=body, content_type="application/json", headers=headers
    )


def signed(body: bytes, *, age: float = 0, key: str = KEY) -> dict[str, str]:
    date = formatdate(time.time() - age, usegmt=True)
    return {"Date": date, "X-Hub-Signature": sign(key, date, body)}


def hello(request: Any, response: Any, notification: Any) -> Any:
    return StepReachedResponse(actions=[SendTextAction("Hello")])


def other(request: Any, response: Any, notification: Any) -> Any:
    raise AssertionError("Another handler was to be called.")


def texts(answer: TestResponse) -> list[str]:
    return [action["text"] for action in answer.get_json()["actions"]]


@pytest.fixture
def app() -> Webhook:
    return insecure()


def insecure() -> Webhook:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureWebhookWarning)
        return Webhook()


# --- The application ----------------------------------------------------------------


def test_a_webhook_is_a_flask_application_that_answers_at_the_root(
    app: Webhook,
) -> None:
    """It answers POST at ``/``, and there is nothing else in it."""
    app.on(EVENT, hello)
    assert isinstance(app, flask.Flask)
    assert texts(post(app)) == ["Hello"]
    assert app.test_client().get("/").status_code == 405
    assert post(app, path="/clustaar").status_code == 404
    assert app.test_client().get("/static/x").status_code == 404


def test_the_environment_of_wsgi_is_enough(app: Webhook) -> None:
    """It is a WSGI callable, as in ``clustaar.webhook``."""
    app.on(EVENT, hello)
    builder = EnvironBuilder("/", method="POST", data=reached())
    builder.content_type = "application/json"
    body, status, _ = run_wsgi_app(app, builder.get_environ())
    assert status == "200 OK"
    assert json.loads(b"".join(body))["actions"]


def test_two_webhooks_do_not_know_of_each_other() -> None:
    """Handlers belong to one application."""
    one, two = insecure(), insecure()
    one.on(EVENT, hello)
    assert post(one).status_code == 200
    assert post(two).status_code == 404


def test_handlers_of_one_argument_can_be_registered_beside(app: Webhook) -> None:
    """A program moves on handler by handler."""
    app.on(EVENT, hello, filter=StepID("one"))
    app.webhook.on(EVENT, lambda notification: "Hi", filter=StepID("two"))
    assert texts(post(app, reached("one"))) == ["Hello"]
    assert texts(post(app, reached("two"))) == ["Hi"]


def test_no_handler_is_a_404(app: Webhook) -> None:
    """As it was: no route, not found."""
    app.on("conversation.step_left", other)
    app.on(EVENT, other, filter=StepID("another"))
    assert post(app).status_code == 404


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b'{"topic": NaN}'])
def test_a_body_that_is_not_a_notification_is_a_400(app: Webhook, body: bytes) -> None:
    """``clustaar.webhook`` answers most of these with 500."""
    app.on(EVENT, other)
    assert post(app, body).status_code == 400


def test_a_body_without_a_content_type_is_read(app: Webhook) -> None:
    """``clustaar.webhook`` ignores it, and its client sends none."""
    app.on(EVENT, hello)
    assert app.test_client().post("/", data=reached()).status_code == 200


# --- Authentication -----------------------------------------------------------------


def test_a_signed_request_is_let_in_once() -> None:
    """The same delivery again gets the same reply, and its handler does not run."""
    app = Webhook(private_key=KEY)
    handler = Mock(return_value=StepReachedResponse(actions=[SendTextAction("Hello")]))
    app.on(EVENT, handler)
    headers = signed(reached())
    first = post(app, headers=headers)
    second = post(app, headers=headers)
    assert first.status_code == second.status_code == 200
    assert first.data == second.data
    handler.assert_called_once()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (lambda: {}, "signature_missing"),
        (lambda: {"X-Hub-Signature": sign(KEY, None, reached())}, "date_missing"),
        (lambda: signed(reached(), key="another"), "signature_invalid"),
        (lambda: signed(reached(), age=12), "request_too_old"),
        (lambda: signed(reached(), age=-3600), "request_from_future"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_that_is_not_signed_now_is_refused(
    headers: Callable[[], dict[str, str]], code: str
) -> None:
    """The weaknesses of ``clustaar.webhook`` are fixed (PROTOCOL 2)."""
    app = Webhook(private_key=KEY)
    app.on(EVENT, other)
    assert post(app, headers=headers()).get_json()["code"] == code


def test_the_age_of_a_request_can_be_chosen() -> None:
    """*request_max_age* is in seconds, and None accepts any age."""
    patient, forgetful = (Webhook(private_key=KEY, request_max_age=m) for m in (99, 5))
    timeless = Webhook(None, None, KEY, None, None)
    for app in (patient, forgetful, timeless):
        app.on(EVENT, hello)
    assert post(patient, headers=signed(reached(), age=50)).status_code == 200
    assert post(forgetful, headers=signed(reached(), age=8)).status_code == 400
    assert post(timeless, headers=signed(reached(), age=10**8)).status_code == 200


def test_credentials_are_checked() -> None:
    """Without them it is a 401 that says which scheme to use, and with them a 200."""
    app = Webhook("admin", "pass:word")
    app.on(EVENT, hello)
    refused = post(app, headers={"Authorization": basic_auth("admin", "password")})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    accepted = post(app, headers={"Authorization": basic_auth("admin", "pass:word")})
    assert accepted.status_code == 200


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"auth_username": "admin"}, "AUTH_PASSWORD"),
        ({"auth_password": "secret"}, "AUTH_USERNAME"),
        ({"auth_username": "", "auth_password": ""}, "auth_username"),
        ({"private_key": ""}, "private_key"),
        ({"private_key": KEY, "request_max_age": 0}, "request_max_age"),
    ],
    ids=str,
)
def test_half_a_setting_fails_at_the_start(
    arguments: dict[str, Any], word: str
) -> None:
    """``clustaar.webhook`` silently disables the check."""
    with pytest.raises(ConfigurationError, match=word):
        Webhook(**arguments)


def test_no_secret_at_all_is_a_warning_at_the_line_of_the_program() -> None:
    """The warning points to where the program made the webhook."""
    with pytest.warns(InsecureWebhookWarning) as caught:
        Webhook()
    assert caught[0].filename == __file__


def test_middlewares_are_refused_with_what_to_use_instead() -> None:
    """Those of falcon cannot run here; none at all is fine."""
    with pytest.raises(ConfigurationError, match="before_request"):
        Webhook(private_key=KEY, middlewares=[object()])
    Webhook(private_key=KEY, middlewares=[])


# --- Routing ------------------------------------------------------------------------


def has_token(request: Any) -> bool:
    return "X-Token" in request.headers


def named(filters: Any) -> str:
    """Name a row without the addresses that are in the reprs of functions."""
    return re.sub(r" at 0x\w+", "", str(filters))


class HasParam:
    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, request: Any) -> bool:
        return self.name in request.params


@pytest.mark.parametrize("keyword", ["filter", "filters"])
@pytest.mark.parametrize(
    "filters",
    [
        StepID(STEP),
        [StepID(STEP), JSONKeyExists("data.channel")],
        (JSONKeyEquals("data.step.id", STEP), has_token),
        [has_token, HasParam("a")],
        has_token,
        [],
        None,
    ],
    ids=named,
)
def test_filters_are_one_or_several_that_all_match(
    app: Webhook, keyword: str, filters: Any
) -> None:
    """By either name; functions of the request among them."""
    app.on(EVENT, hello, **{keyword: filters})
    assert post(app, path="/?a=1", headers={"X-Token": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("filters", "more"),
    [
        (StepID("another"), None),
        ([StepID(STEP), Channel("clustaar_web_chat")], None),
        ([StepID(STEP), has_token], None),
        (has_token, None),
        (StepID(STEP), has_token),
    ],
    ids=named,
)
def test_one_filter_that_does_not_match_is_enough(
    app: Webhook, filters: Any, more: Any
) -> None:
    """*filters* and *filter* both have to match."""
    app.on(EVENT, other, filters=filters, filter=more)
    assert post(app).status_code == 404


def test_the_third_argument_is_filters(app: Webhook) -> None:
    """One filter or a list of them, without a keyword."""
    app.on(EVENT, other, StepID("another"))
    app.on(EVENT, hello, [StepID(STEP)])
    assert texts(post(app)) == ["Hello"]


def test_the_first_handler_that_matches_answers_alone(app: Webhook) -> None:
    """In order of registration; later filters are not called."""
    unasked = Mock()
    app.on(EVENT, other, filter=StepID("another"))
    app.on(EVENT, hello)
    app.on(EVENT, other, filter=unasked)
    app.on(EVENT, other)
    assert texts(post(app)) == ["Hello"]
    unasked.assert_not_called()


def test_a_filter_of_the_library_can_be_called_with_the_request(app: Webhook) -> None:
    """A filter may pass its request to other filters."""
    app.on(EVENT, other, filter=lambda request: StepID("another")(request))
    app.on(EVENT, hello, filter=lambda request: StepID(STEP)(request))
    assert texts(post(app)) == ["Hello"]


def test_filters_of_user_data_select_handlers(app: Webhook) -> None:
    """By a list of steps, a value, a word and a key of their userData."""
    said: list[str] = []

    def say(word: str) -> Any:
        def handler(request: Any, response: Any, event: Any) -> Any:
            said.append(word)
            return StepReachedResponse(actions=[])

        return handler

    app.on(EVENT, say("step"), filter=StepID(["a1"]))
    app.on(EVENT, say("value"), UserDataEquals("action", "subscribe"))
    app.on("conversation.step_reached", say("word"), UserDataContains("subscribe"))
    app.on(EVENT, say("key"), UserDataHas("action"))
    for body in (
        reached("a1"),
        reached(user_data='{"action": "subscribe"}'),
        reached(user_data="please subscribe"),
        reached(user_data='{"action": null}'),
    ):
        assert post(app, body).status_code == 200
    assert said == ["step", "value", "word", "key"]
    assert post(app, reached(user_data="nothing")).status_code == 404


def test_ten_handlers_with_filters_are_found_by_step(app: Webhook) -> None:
    """The index of steps also works with a list of filters."""
    for step in range(10):
        app.on(EVENT, other, filters=[StepID(f"step{step}"), has_token])
    ids = {h.filter.step_ids() for h in app.webhook.handlers if h.filter is not None}
    assert ids == {frozenset([f"step{step}"]) for step in range(10)}


def test_an_explanation_names_handlers_and_filters_as_they_were_written(
    app: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a 404 names them as in the program."""
    app.on(EVENT, hello, filters=[StepID(STEP), has_token])
    post(app)
    assert "test_compat.hello (test_compat.py:" in caplog.text
    assert "has_token returned false" in caplog.text


@pytest.mark.parametrize(
    ("handler", "name"),
    [(lambda notification: None, "<lambda>"), ("hello", "str"), (None, "NoneType")],
    ids=["one argument", "text", "None"],
)
def test_a_handler_that_cannot_be_called_fails_at_the_start(
    app: Webhook, handler: Any, name: str
) -> None:
    """A handler takes the request, the response and the notification."""
    with pytest.raises(TypeError, match=f"'{name}'.*request, response, notification"):
        app.on(EVENT, handler)


@pytest.mark.parametrize("filters", ["a step", 5, StepID, [5], lambda: True], ids=named)
def test_an_invalid_filter_fails_at_the_start(app: Webhook, filters: Any) -> None:
    """And not when the first notification comes."""
    with pytest.raises(TypeError, match="filter"):
        app.on(EVENT, hello, filters=filters)


# --- The request --------------------------------------------------------------------


def test_a_handler_finds_in_the_request_what_it_used_to(app: Webhook) -> None:
    """The properties of ``clustaar.webhook``, and those of falcon's requests."""
    body = reached()
    found: dict[str, Any] = {}

    def handler(request: Any, response: Any, notification: Any) -> Any:
        found.update(
            body=request.body,
            again=request.body,
            json=request.json,
            media=request.media,
            header=request.get_header("x-token"),
            required=request.get_header("X-Token", required=True),
            no_header=request.get_header("X-Other"),
            default=request.get_header("X-Other", default="none"),
            headers="X-Token" in request.headers and request.headers["X-TOKEN"],
            method=request.method,
            path=request.path,
            params=request.params,
            param=request.get_param("a"),
            no_param=request.get_param("b", default="none"),
            content_type=request.content_type,
            remote_addr=request.remote_addr,
        )

    app.on(EVENT, handler)
    assert post(app, body, {"X-Token": "x"}, path="/?a=1").status_code == 200
    assert found == {
        "body": body,
        "again": body,
        "json": json.loads(body),
        "media": json.loads(body),
        "header": "x",
        "required": "x",
        "no_header": None,
        "default": "none",
        "headers": "x",
        "method": "POST",
        "path": "/",
        "params": {"a": "1"},
        "param": "1",
        "no_param": "none",
        "content_type": "application/json",
        "remote_addr": "127.0.0.1",
    }


def test_the_request_has_json_without_a_content_type(app: Webhook) -> None:
    """As it was."""
    app.on(EVENT, lambda request, response, n: request.json["data"]["step"]["actions"])
    answer = app.test_client().post("/", data=reached())
    assert answer.get_json()["actions"] == [{"type": "pause_bot_action"}]


def test_changing_the_json_of_the_request_changes_no_reply(app: Webhook) -> None:
    """It is a copy."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        request.json["data"]["session"]["values"]["name"] = "Jane"
        request.json["data"]["step"]["actions"].clear()
        return StepReachedResponse(actions=notification.event.step.actions)

    app.on(EVENT, handler)
    answer = post(app).get_json()
    assert answer["actions"] == [{"type": "pause_bot_action"}]
    assert answer["session"] == {"values": {"name": "John"}}


def test_what_a_handler_requires_and_is_not_there_is_a_400(app: Webhook) -> None:
    """As falcon answered."""
    app.on(EVENT, lambda request, response, n: request.get_header("X-Token", True))
    assert post(app).status_code == 400


def test_the_request_can_be_used_in_a_thread(app: Webhook) -> None:
    """It is the request object itself, not a context-local proxy."""
    found: list[Any] = []

    def handler(request: Any, response: Any, notification: Any) -> None:
        assert type(request) is Request
        thread = threading.Thread(target=lambda: found.append(request.json["topic"]))
        thread.start()
        thread.join()

    app.on(EVENT, handler)
    post(app)
    assert found == [EVENT]


# --- The response -------------------------------------------------------------------


@pytest.mark.parametrize("status", ["201 Created", 201, HTTPStatus.CREATED])
def test_a_handler_sets_the_status(app: Webhook, status: Any) -> None:
    """As a string, as falcon has it, or as a number."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        assert response.status == "200 OK"
        response.status = status
        return StepReachedResponse(actions=[SendTextAction("Hello")])

    app.on(EVENT, handler)
    answer = post(app)
    assert answer.status_code == 201
    assert texts(answer) == ["Hello"]


def test_a_handler_sets_headers(app: Webhook) -> None:
    """With falcon's methods, or as in Flask."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        response.set_header("X-One", "two")
        response.set_header("X-One", "one")
        response.append_header("X-Many", 1)
        response.append_header("X-Many", 2)
        response.set_header("X-None", "x")
        response.delete_header("X-None")
        response.delete_header("X-Never")
        response.headers["X-Flask"] = response.get_header("x-one")
        response.set_cookie("a", "b")
        response.content_type = "application/json; charset=utf-8"
        assert response.get_header("X-None", "none") == "none"
        return StepReachedResponse(actions=[])

    app.on(EVENT, handler)
    answer = post(app)
    assert answer.headers["X-One"] == answer.headers["X-Flask"] == "one"
    assert answer.headers.getlist("X-Many") == ["1", "2"]
    assert "X-None" not in answer.headers
    assert answer.headers["Set-Cookie"] == "a=b; Path=/"
    assert answer.headers.getlist("Content-Type") == ["application/json; charset=utf-8"]
    assert answer.headers.getlist("Content-Length") == [str(len(answer.data))]


def test_what_flask_does_to_the_response_stays(app: Webhook) -> None:
    """``after_this_request`` in a handler works as ever."""

    def handler(request: Any, response: Any, notification: Any) -> None:
        @after_this_request
        def mark(answer: flask.Response) -> flask.Response:
            answer.headers["X-Mark"] = "x"
            return answer

        response.set_header("X-One", "one")

    app.on(EVENT, handler)
    answer = post(app)
    assert answer.headers["X-Mark"] == "x"
    assert answer.headers["X-One"] == "one"


def test_a_handler_sets_nothing(app: Webhook) -> None:
    """The answer is as that of any webhook."""
    app.on(EVENT, hello)
    answer = post(app)
    assert answer.status == "200 OK"
    assert answer.headers.getlist("Content-Type") == ["application/json"]


def test_a_body_that_a_handler_sets_is_replaced_by_what_it_returns(
    app: Webhook,
) -> None:
    """As it was."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        response.json = {"actions": []}
        assert response.json == response.media == {"actions": []}
        assert response.body == '{"actions":[]}'
        response.body = "anything"
        return StepReachedResponse(actions=[SendTextAction("Hello")])

    app.on(EVENT, handler)
    assert texts(post(app)) == ["Hello"]


def test_the_json_of_the_response_is_the_reply_of_who_returns_nothing(
    app: Webhook,
) -> None:
    """It is validated like any reply."""

    def handler(request: Any, response: Any, notification: Any) -> None:
        response.json = {"actions": [{"type": "send_text_action", "text": "Hello"}]}

    app.on(EVENT, handler)
    assert post(app).get_json()["errors"][0]["path"] == "actions.0.alternatives"


def test_a_problem_has_not_the_status_of_the_handler(app: Webhook) -> None:
    """An invalid reply has no status 201."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        response.status = "201 Created"
        return StepReachedResponse(actions=[SendTextAction("")])

    app.on(EVENT, handler)
    answer = post(app)
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"


def test_a_handler_that_fails_is_a_problem(
    app: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """Its name is that of the function."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        response.status = 202
        raise KeyError("what a person wrote")

    app.on(EVENT, handler)
    answer = post(app)
    assert answer.status_code == 500
    assert answer.get_json()["code"] == "handler_failed"
    assert "<locals>.handler' raised KeyError" in answer.get_json()["detail"]


def test_a_response_of_its_own_for_each_request(app: Webhook) -> None:
    """The values of one request do not occur in the next one."""
    given: list[Response] = []
    app.on(EVENT, lambda request, response, notification: given.append(response))
    post(app)
    post(app)
    assert given[0] is not given[1]


# --- Handlers -----------------------------------------------------------------------


def test_a_handler_changes_what_came_and_returns_it(app: Webhook) -> None:
    """The spelling ``notification.event.step.actions`` and the session's values."""

    def handler(request: Any, response: Any, notification: Any) -> Any:
        actions = notification.event.step.actions
        assert actions == [PauseBotAction()]
        actions.insert(0, SendTextAction(alternatives=["Good bye"]))
        values = notification.event.session.values
        values["left"] = True
        return StepReachedResponse(
            actions=actions, session=ConversationSession(values=values)
        )

    app.on(EVENT, handler)
    answer = post(app).get_json()
    assert [action["type"] for action in answer["actions"]] == [
        "send_text_action",
        "pause_bot_action",
    ]
    assert answer["session"] == {"values": {"name": "John", "left": True}}


def test_a_handler_that_returns_nothing_leaves_the_step_unchanged(app: Webhook) -> None:
    """``clustaar.webhook`` fails with a 500."""
    app.on(EVENT, lambda request, response, notification: None)
    assert post(app).get_json()["actions"] == [{"type": "pause_bot_action"}]


def test_methods_objects_and_mocks_are_handlers(app: Webhook) -> None:
    """Whatever can be called with three arguments."""

    class Bot:
        def method(self, request: Any, response: Any, notification: Any) -> Any:
            return "method"

        def __call__(self, request: Any, response: Any, notification: Any) -> Any:
            return "object"

    app.on(EVENT, Bot().method, filter=StepID("method"))
    app.on(EVENT, Bot(), filter=StepID("object"))
    app.on(EVENT, Mock(return_value="mock"), filter=StepID("mock"))
    for step in ("method", "object", "mock"):
        assert texts(post(app, reached(step))) == [step]


def test_an_async_handler_is_awaited(app: Webhook) -> None:
    """With the extra ``async``, and with Flask's context in it."""

    async def handler(request: Any, response: Any, notification: Any) -> Any:
        response.set_header("X-Path", flask.request.path)
        return "Hello"

    app.on(EVENT, handler)
    answer = post(app)
    assert texts(answer) == ["Hello"]
    assert answer.headers["X-Path"] == "/"


def test_the_module_imports_neither_falcon_nor_clustaar() -> None:
    """Neither falcon nor clustaar have to be installed."""
    code = (
        "import sys, flask_clustaar.compat as compat; compat.Webhook(private_key='k');"
        "sys.exit(any(name in sys.modules for name in ('falcon', 'clustaar')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# -- settings that clustaar.webhook does not have ------------------------------------


@pytest.mark.parametrize("prefix", ["CLUSTAAR_", "FLASK_CLUSTAAR_"])
def test_settings_come_from_the_environment(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a store that several workers share; arguments win."""
    monkeypatch.setenv(f"{prefix}PRIVATE_KEY", KEY)
    monkeypatch.setenv(f"{prefix}ON_ERROR", "passthrough")
    monkeypatch.setenv(f"{prefix}REQUEST_MAX_AGE", "20")
    app = Webhook()
    settings = app.webhook.installation(app).settings
    assert settings.keys and settings.on_error == "passthrough"
    assert settings.request_max_age == 20

    other = Webhook(request_max_age=None, on_error="problem")
    settings = other.webhook.installation(other).settings
    assert (settings.request_max_age, settings.on_error) == (None, "problem")


def test_every_setting_is_a_keyword_argument() -> None:
    """As for the extension; unknown ones are errors."""
    app = Webhook(private_key=KEY, dispatch="all", replay_store=None)
    assert app.webhook.installation(app).settings.dispatch == "all"
    with pytest.raises(TypeError, match="Did you mean 'replay_store'"):
        Webhook(private_key=KEY, replay_stor=None)
