"""The answers of a webhook after failures between authentication and reply."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NoReturn

import pytest
from flask import Flask, abort, g, got_request_exception
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from flask_clustaar import ClustaarWebhook, HandlerGroup, events, replies, signals
from flask_clustaar.errors import (
    ConfigurationError,
    HandlerFailed,
    InvalidReply,
    NoHandler,
    SignatureInvalid,
)
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Card,
    ConversationSession,
    Notification,
    SendCardsAction,
    SendTextAction,
    StepReachedResponse,
)
from flask_clustaar.replay import MemoryReplayStore
from flask_clustaar.testing import ClustaarClient, Reply

TOPIC = events.CONVERSATION_STEP_REACHED
PAUSE = {"type": "pause_bot_action"}


class OrderError(Exception):
    """The base of a program's own errors."""


class OrderNotFound(OrderError):
    """One of them."""


def make(**settings: Any) -> tuple[Flask, ClustaarWebhook]:
    app = Flask(__name__)
    return app, ClustaarWebhook(app, private_key="a key", **settings)


def say(app: Flask, text: str = "hi", **values: Any) -> Reply:
    client = ClustaarClient(app, session=values)
    return client.at("a", actions=[PAUSE]).say(text)


def raising(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    return fail


def code_of(reply: Reply) -> str:
    assert reply.problem is not None
    assert reply.response.content_type == "application/problem+json"
    return str(reply.problem["code"])


# -- problems ------------------------------------------------------------------------


class OutOfTime(BaseException):
    """As ``gevent.Timeout``, which is not an ``Exception``."""


#: Exceptions that would end a server's thread, or the server.
ENDING = [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), OutOfTime()]


@pytest.mark.parametrize("error", ENDING, ids=repr)
def test_a_handler_that_would_end_the_server_is_a_failure(error: BaseException) -> None:
    """The client gets an answer after any exception of a handler."""
    app, webhook = make()
    webhook.on(TOPIC, raising(error))
    reply = say(app)
    assert code_of(reply) == "handler_failed"
    assert f"raised {type(error).__name__}" in reply.json["detail"]


@pytest.mark.parametrize("error", ENDING, ids=repr)
def test_a_filter_that_would_end_the_server_is_a_failure(error: BaseException) -> None:
    """As a handler that does."""
    app, webhook = make()
    webhook.on(TOPIC, lambda n: "x", filter=lambda n: bool(raising(error)(n)))
    assert code_of(say(app)) == "handler_failed"


@pytest.mark.parametrize("error", ENDING, ids=repr)
def test_an_error_handler_that_would_end_the_server_is_a_failure(
    error: BaseException,
) -> None:
    """As a handler that does."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))
    webhook.errorhandler(OrderNotFound)(raising(error))
    assert code_of(say(app)) == "handler_failed"


@pytest.mark.parametrize("error", ENDING, ids=repr)
def test_a_receiver_that_would_end_the_server_is_passed_over(
    error: BaseException,
) -> None:
    """As one that raises an exception: it is logged."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "Hello")
    receive: Any = raising(error)
    with signals.reply_sent.connected_to(receive):
        assert say(app).texts == ["Hello"]


@pytest.mark.parametrize("error", [OSError("the disk is full"), *ENDING], ids=repr)
@pytest.mark.parametrize("method", ["complete", "release"])
def test_an_answer_is_sent_although_the_store_fails(
    caplog: pytest.LogCaptureFixture, method: str, error: BaseException
) -> None:
    """After any exception of a custom store; it is logged."""
    store = MemoryReplayStore()
    setattr(store, method, raising(error))
    app, webhook = make(replay_store=store)
    webhook.on(TOPIC, lambda n: "Hello", filter=lambda n: method == "complete")
    reply = say(app)
    if method == "complete":
        assert reply.texts == ["Hello"]
    else:
        assert code_of(reply) == "no_handler"
    record = caplog.records[-1] if method == "release" else caplog.records[0]
    assert record.getMessage().startswith("The replay store failed: ")
    assert record.exc_info is not None


def test_an_interrupt_is_not_a_failure() -> None:
    """Somebody pressed Ctrl-C; the delivery may run again."""
    app, webhook = make()
    webhook.on(TOPIC, raising(KeyboardInterrupt()))
    client = ClustaarClient(app)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            client.say("hi")


@pytest.mark.parametrize("place", ["filter", "error handler", "receiver", "store"])
def test_an_interrupt_is_not_a_failure_anywhere(place: str) -> None:
    """Ctrl-C always ends the program."""
    interrupt: Any = raising(KeyboardInterrupt())
    store = MemoryReplayStore()
    if place == "store":
        store.complete = interrupt  # type: ignore[method-assign]
    app, webhook = make(replay_store=store)
    webhook.on(TOPIC, interrupt, filter=lambda n: n.text == "interrupt")
    webhook.on(TOPIC, raising(OrderNotFound()), filter=lambda n: n.text == "fail")
    webhook.on(TOPIC, lambda notification: "Hello")
    text = {"error handler": "fail"}.get(place, "hi")
    if place == "filter":
        webhook.on(TOPIC, lambda n: "x", filter=interrupt)
    webhook.errorhandler(OrderNotFound)(interrupt)
    client = ClustaarClient(app)
    with signals.reply_sent.connected_to(
        interrupt if place == "receiver" else lambda sender, **extra: None
    ):
        with pytest.raises(KeyboardInterrupt):
            client.say(text)


@pytest.mark.parametrize("function", ["merge", "dumps"])
@pytest.mark.parametrize("error", [ImportError("broken"), SystemExit(1)])
def test_a_failure_outside_of_handlers_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, function: str, error: BaseException
) -> None:
    """For example a broken package: a problem body, never an HTML page."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "Hello")
    failed: list[Any] = []

    def hear(sender: Any, exception: Any, **extra: Any) -> None:
        failed.append(exception)

    monkeypatch.setattr(replies, function, lambda *_, **__: raising(error)(None))
    with signals.handler_failed.connected_to(hear):
        assert code_of(say(app)) == "internal_error"
    assert failed == [error]


def test_a_failure_outside_of_handlers_may_pass_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CLUSTAAR_ON_ERROR applies to it."""
    app, webhook = make(on_error="passthrough")
    webhook.on(TOPIC, lambda notification: "Hello")
    working, calls = replies.merge, []

    def merge(*arguments: Any) -> StepReachedResponse:
        calls.append(1)
        if len(calls) == 1:
            raise ImportError("broken")
        return working(*arguments)

    monkeypatch.setattr(replies, "merge", merge)
    assert say(app).json["actions"] == [PAUSE]


def test_a_failure_that_cannot_pass_through_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the unchanged step cannot be written, the first failure is the answer."""
    app, webhook = make(on_error="passthrough")
    webhook.on(TOPIC, raising(KeyError()))
    monkeypatch.setattr(replies, "merge", lambda *_: raising(ImportError())(None))
    assert code_of(say(app)) == "handler_failed"


def test_in_debug_mode_a_failure_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """The platform cannot read Flask's debugger; the traceback is in the log, once."""
    app, webhook = make()
    app.debug = True
    webhook.on(TOPIC, raising(OrderNotFound()))
    assert code_of(say(app)) == "handler_failed"
    assert caplog.text.count("Traceback") == 1


def test_a_failure_may_come_up() -> None:
    """With PROPAGATE_EXCEPTIONS the exception is raised, as in a view."""
    app, webhook = make()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    webhook.on(TOPIC, raising(OrderNotFound()), filter=StepID("a"))
    webhook.on(TOPIC, lambda notification: abort(503))
    with pytest.raises(OrderNotFound):
        say(app)
    reply = ClustaarClient(app).at("b").say("hi")
    assert (reply.status_code, code_of(reply)) == (503, "handler_failed")


def test_flask_sends_its_signal_for_a_failure() -> None:
    """Error trackers listen to the signal of Flask."""
    app, webhook = make()
    error = OrderNotFound()
    webhook.on(TOPIC, raising(error))
    told: list[BaseException] = []

    def hear(sender: Any, exception: BaseException, **extra: Any) -> None:
        told.append(exception)

    with got_request_exception.connected_to(hear, app):
        say(app)
    assert told == [error]


def test_a_tracker_that_fails_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The answer is the problem of the handler."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))

    def broken(sender: Any, **extra: Any) -> NoReturn:
        raise ZeroDivisionError

    with got_request_exception.connected_to(broken, app):
        assert code_of(say(app)) == "handler_failed"
    assert "A receiver of 'got_request_exception' failed." in caplog.text


# -- error handlers ------------------------------------------------------------------


def test_an_error_handler_answers() -> None:
    """Its return value is the reply."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound("number 5")))

    @webhook.errorhandler(OrderNotFound)
    def sorry(error: OrderNotFound) -> str:
        return f"I cannot find {error}."

    reply = say(app)
    assert reply.ok
    assert reply.texts == ["I cannot find number 5."]


def test_an_error_handler_may_take_the_notification() -> None:
    """As its second argument."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))

    @webhook.errorhandler(OrderNotFound)
    def sorry(error: OrderNotFound, notification: Notification) -> str:
        return notification.text

    assert say(app, "number 7").texts == ["number 7"]


def test_an_error_handler_may_be_async() -> None:
    """It is awaited."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))

    @webhook.errorhandler(OrderNotFound)
    async def sorry(error: OrderNotFound) -> str:
        return "Sorry"

    assert say(app).texts == ["Sorry"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OrderNotFound(), "not found"),
        (OrderError(), "order"),
        (KeyError(), "any"),
        (ServiceUnavailable(), "http"),
        (SystemExit(), "exit"),
    ],
    ids=repr,
)
def test_the_most_specific_class_wins(error: BaseException, text: str) -> None:
    """In any order of registration, as in Flask."""
    app, webhook = make()
    webhook.errorhandler(Exception)(lambda error: "any")
    webhook.errorhandler(OrderError)(lambda error: "order")
    webhook.errorhandler(HTTPException)(lambda error: "http")
    webhook.errorhandler(OrderNotFound)(lambda error: "not found")
    webhook.errorhandler(SystemExit)(lambda error: "exit")
    webhook.on(TOPIC, raising(error))
    assert say(app).texts == [text]


@pytest.mark.parametrize(
    ("kind", "error"), [(Exception, SystemExit()), (HTTPException, KeyError())]
)
def test_classes_are_those_of_the_exception(
    kind: type[Exception], error: BaseException
) -> None:
    """As for ``except``, although a failure becomes a problem, which has others."""
    app, webhook = make()
    webhook.errorhandler(kind)(lambda error: "handled")
    webhook.on(TOPIC, raising(error))
    assert code_of(say(app)) == "handler_failed"


def test_all_failures_of_handlers_have_a_class() -> None:
    """``HandlerFailed`` comes after the class of the exception."""
    app, webhook = make()
    webhook.errorhandler(HandlerFailed)(lambda error: type(error).__name__)
    webhook.on(TOPIC, raising(KeyError()))
    assert say(app).texts == ["KeyError"]


def test_groups_have_their_own() -> None:
    """The innermost group comes first, whichever class it is for."""
    app, webhook = make()
    inner, outer = HandlerGroup(filter=StepID("a")), HandlerGroup()
    inner.on(TOPIC, raising(OrderNotFound()))
    outer.include(inner)
    outer.on(TOPIC, raising(OrderNotFound()), filter=StepID("b"))
    webhook.include(outer)
    webhook.on(TOPIC, raising(OrderNotFound()), filter=StepID("c"))
    webhook.errorhandler(OrderNotFound)(lambda error: "webhook")
    client = ClustaarClient(app)
    assert client.at("a").say("hi").texts == ["webhook"]
    app, webhook = make()
    outer, inner = HandlerGroup(), HandlerGroup(filter=StepID("a"))
    inner.errorhandler(Exception)(lambda error: "inner")
    inner.on(TOPIC, raising(OrderNotFound()))
    outer.errorhandler(OrderNotFound)(lambda error: "outer")
    outer.include(inner)
    outer.on(TOPIC, raising(OrderNotFound()), filter=StepID("b"))
    webhook.include(outer)
    webhook.on(TOPIC, raising(OrderNotFound()), filter=StepID("c"))
    webhook.errorhandler(OrderNotFound)(lambda error: "webhook")
    client = ClustaarClient(app)
    assert [client.at(step).say("hi").texts for step in ("a", "b", "c")] == [
        ["inner"],
        ["outer"],
        ["webhook"],
    ]


def test_an_invalid_reply_can_be_answered() -> None:
    """``InvalidReply`` is its error."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: SendTextAction("x" * 1001))

    @webhook.errorhandler(InvalidReply)
    def sorry(error: InvalidReply) -> str:
        return error.violations[0].path

    assert say(app).texts == ["actions.0.alternatives.0"]


def test_an_invalid_reply_of_a_group_can_be_answered_there() -> None:
    """If all handlers that answered are in the group."""
    for other, expected in (("watch", "group"), ("answer", "webhook")):
        app, webhook = make()
        group = HandlerGroup()
        group.errorhandler(InvalidReply)(lambda error: "group")
        webhook.errorhandler(InvalidReply)(lambda error: "webhook")
        group.on(TOPIC, lambda notification: "")
        webhook.on(TOPIC, lambda n, other=other: None if other == "watch" else "x")
        webhook.include(group)
        assert say(app).texts == [expected]


def test_an_internal_error_can_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failure as any other."""
    app, webhook = make()
    webhook.on(TOPIC, lambda notification: "Hello")
    webhook.errorhandler(ImportError)(lambda error: ["sorry"])
    working = replies.merge

    def merge(answers: Any, notification: Any) -> StepReachedResponse:
        if answers[0].response.actions[0].alternatives == ["Hello"]:
            raise ImportError("broken")
        return working(answers, notification)

    monkeypatch.setattr(replies, "merge", merge)
    assert say(app).texts == ["sorry"]


def test_changes_of_the_notification_are_discarded() -> None:
    """The delivery may run again, and must find what it found."""
    app, webhook = make()

    @webhook.on(TOPIC)
    def spoil(notification: Notification) -> NoReturn:
        notification.session["spoilt"] = object()
        notification.interlocutor.first_name = "Jack"
        raise OrderNotFound

    @webhook.errorhandler(OrderNotFound)
    def sorry(error: OrderNotFound, notification: Notification) -> str:
        notification.session["sorry"] = True
        return f"Sorry, {notification.interlocutor.first_name}"

    reply = say(app, a=1)
    assert reply.texts == ["Sorry, John"]
    assert reply.session == {"a": 1, "sorry": True}


def test_the_delivery_runs_again() -> None:
    """It is not recorded."""
    app, webhook = make()
    calls: list[int] = []

    @webhook.on(TOPIC)
    def flaky(notification: Notification) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise OrderNotFound
        return "found"

    webhook.errorhandler(OrderNotFound)(lambda error: "sorry")
    client = ClustaarClient(app)
    assert client.say("hi").texts == ["sorry"]
    assert client.resend().texts == ["found"]


def test_none_leaves_the_step_unchanged() -> None:
    """If an error handler returns None, the bot continues."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))
    seen: list[Exception] = []
    webhook.errorhandler(OrderNotFound)(seen.append)
    assert say(app).json["actions"] == [PAUSE]
    assert len(seen) == 1


def test_the_context_of_the_request_is_there() -> None:
    """``flask.g`` is that of the handler."""
    app, webhook = make()

    @webhook.on(TOPIC)
    def fail(notification: Notification) -> NoReturn:
        g.order = 5
        raise OrderNotFound

    webhook.errorhandler(OrderNotFound)(lambda error: f"order {g.order}")
    assert say(app).texts == ["order 5"]


def test_signals_report_a_failure_that_is_answered() -> None:
    """The handler failed, and a reply is sent."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound()))
    webhook.errorhandler(OrderNotFound)(lambda error: "sorry")
    told: list[str] = []

    def failed(sender: Any, exception: Any, **extra: Any) -> None:
        told.append(type(exception).__name__)

    def sent(sender: Any, reply: Any, **extra: Any) -> None:
        told.append(reply["actions"][0]["text"])

    def raised(sender: Any, **extra: Any) -> None:
        pytest.fail("Flask sent the signal.")

    with signals.handler_failed.connected_to(failed):
        with signals.reply_sent.connected_to(sent):
            with got_request_exception.connected_to(raised, app):
                say(app)
    assert told == ["OrderNotFound", "sorry"]


def too_long(error: Exception) -> SendCardsAction:
    return SendCardsAction(cards=[Card(title="x" * 81)])


@pytest.mark.parametrize(
    ("error_handler", "code", "detail"),
    [
        (raising(KeyError()), "handler_failed", "fail' raised KeyError"),
        (lambda error: 5, "handler_failed", "<lambda>' raised TypeError"),
        (too_long, "invalid_reply", "too_long"),
    ],
)
def test_an_error_handler_that_fails(
    caplog: pytest.LogCaptureFixture, error_handler: Any, code: str, detail: str
) -> None:
    """Its own failure is the answer then, and the log has both."""
    app, webhook = make()
    webhook.on(TOPIC, raising(OrderNotFound("the first")))
    webhook.errorhandler(OrderNotFound)(error_handler)
    reply = say(app)
    assert (reply.status_code, code_of(reply)) == (500, code)
    assert detail in reply.json["detail"]
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert vars(record)["clustaar_code"] == code
    formatter = logging.Formatter()
    assert "OrderNotFound: the first\n" in formatter.format(record)


def test_an_error_handler_cannot_send_a_session_that_cannot_come_back() -> None:
    """Its reply has the limits of any other."""
    app, webhook = make(max_content_length=4000)
    webhook.on(TOPIC, raising(OrderNotFound()))
    session = ConversationSession(values={"history": "x" * 4000})
    webhook.errorhandler(OrderNotFound)(
        lambda error: StepReachedResponse(actions=[], session=session)
    )
    assert code_of(say(app)) == "invalid_reply"


def test_an_error_handler_that_fails_may_pass_through() -> None:
    """CLUSTAAR_ON_ERROR applies to it."""
    app, webhook = make(on_error="passthrough")
    webhook.on(TOPIC, raising(OrderNotFound()))
    webhook.errorhandler(OrderNotFound)(raising(KeyError()))
    assert say(app).json["actions"] == [PAUSE]


def test_an_error_handler_comes_before_passthrough() -> None:
    """It is more specific."""
    app, webhook = make(on_error="passthrough")
    webhook.on(TOPIC, raising(OrderNotFound()), filter=StepID("a"))
    webhook.on(TOPIC, raising(KeyError()), filter=StepID("b"))
    webhook.errorhandler(OrderNotFound)(lambda error: "sorry")
    assert say(app).texts == ["sorry"]
    client = ClustaarClient(app).at("b", actions=[PAUSE])
    assert client.say("hi").json["actions"] == [PAUSE]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError(), r"'@webhook.errorhandler\(SomeError\)'"),
        (500, r"'@webhook.errorhandler\(SomeError\)'"),
        (int, "an exception class"),
        (NoHandler, "Use '@webhook.fallback'"),
        (SignatureInvalid, "'@app.errorhandler' for rejected requests"),
    ],
)
def test_what_has_no_error_handler(error: Any, message: str) -> None:
    """It is an error when the program starts, which says what to write."""
    with pytest.raises(TypeError, match=message):
        make()[1].errorhandler(error)


def none() -> NoReturn:
    raise AssertionError("This is never called.")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (none, r"'none' must accept one.*'def sorry\(error\): ...'"),
        ("sorry", "not a 'str'"),
    ],
)
def test_what_cannot_be_an_error_handler(function: Any, message: str) -> None:
    """It is an error when the program starts, which says what to write."""
    with pytest.raises(TypeError, match=message):
        make()[1].errorhandler(KeyError)(function)


def test_a_class_has_one_error_handler() -> None:
    """The second would never run."""
    webhook = make()[1]
    webhook.errorhandler(KeyError)(lambda error: None)
    with pytest.raises(
        ConfigurationError, match="already an error handler for 'KeyError'"
    ):
        webhook.errorhandler(KeyError)(lambda error: None)


def test_an_error_handler_can_be_too_late() -> None:
    """After the first request."""
    app, webhook = make()
    say(app)
    with pytest.raises(ConfigurationError, match="Cannot register '.*too_long'"):
        webhook.errorhandler(KeyError)(too_long)
