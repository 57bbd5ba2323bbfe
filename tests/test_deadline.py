"""Handlers with a deadline: the late reply, and the end of the handler."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from flask import Flask, current_app, g, request
from flask_sqlalchemy import SQLAlchemy
from serving import until
from sqlalchemy import text as sql

from flask_clustaar import ClustaarWebhook, HandlerGroup, events, signals
from flask_clustaar.deadline import InThread, Job, Threads
from flask_clustaar.errors import ConfigurationError, HandlerLate
from flask_clustaar.filters import StepID, TextMatches
from flask_clustaar.models import Notification
from flask_clustaar.testing import ClustaarClient, Reply

TOPIC = events.CONVERSATION_STEP_REACHED
PAUSE = {"type": "pause_bot_action"}

#: A deadline that a handler that waits for a test exceeds. On a busy machine, it may be
#: late before it begins.
SHORT = 0.15
#: The same, but it begins before.
FAIR = 0.8
#: One that no handler exceeds.
LONG = 60


class Bot:
    """A bot with handlers that wait for the test."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask(__name__)
        self.webhook = ClustaarWebhook(self.app, private_key="a key", **settings)
        self.client = ClustaarClient(self.app)
        self.threads = self.webhook.installation(self.app)._threads
        #: Set when the slow handler has begun. It waits for 'go'.
        self.begun = threading.Event()
        self.go = threading.Event()
        #: The arguments of ``handler_late``, one after the other.
        self.ended: queue.Queue[dict[str, Any]] = queue.Queue()
        signals.handler_late.connect(self._hear, sender=self.app)

    def _hear(self, app: Any, **arguments: Any) -> None:
        self.ended.put(arguments)

    def slow(self, notification: Notification) -> str:
        notification.session["from"] = "slow"
        self.begun.set()
        self.go.wait()
        notification.session["to"] = "slow"
        return "slow"

    def say(self, text: str = "hi") -> Reply:
        return ClustaarClient(self.app).at("a", actions=[PAUSE]).say(text)

    def end(self) -> dict[str, Any]:
        """Continue a handler, and return the arguments of its signal."""
        self.go.set()
        return self.ended.get(timeout=20)


Make = Callable[..., Bot]


@pytest.fixture(autouse=True, scope="module")
def _prepared() -> None:
    """Make the first request of the process, which prepares what all tests share."""
    bot = Bot()
    bot.webhook.on(TOPIC, lambda notification: "Ready.")
    assert texts(bot.say()) == ["Ready."]


@pytest.fixture(name="bots")
def _bots() -> Iterator[Make]:
    made: list[Bot] = []

    def make(**settings: Any) -> Bot:
        made.append(Bot(**{"deadline": SHORT, **settings}))
        return made[-1]

    yield make
    for bot in made:
        bot.go.set()
    # What they log at their end would be in the next test.
    until(lambda: not any(bot.threads.busy for bot in made))


@pytest.fixture(name="bot")
def _bot(bots: Make) -> Bot:
    """A bot with a late handler."""
    bot = bots(deadline=FAIR)
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(late)
    return bot


def late(notification: Notification) -> str:
    notification.session["late"] = True
    return "One moment."


def fail(notification: Notification) -> NoReturn:
    raise ZeroDivisionError


def texts(reply: Reply) -> list[str]:
    assert reply.status_code == 200, reply.json
    return [action["text"] for action in reply.json["actions"]]


def session(reply: Reply) -> Any:
    return reply.json["session"]["values"]


def code_of(reply: Reply) -> str:
    assert reply.problem is not None
    return str(reply.problem["code"])


# -- in time -------------------------------------------------------------------------


def test_without_a_deadline_nothing_changes() -> None:
    """Handlers run in the thread of the request."""
    bot = Bot()
    seen: list[threading.Thread] = []
    bot.webhook.on(TOPIC, lambda notification: seen.append(threading.current_thread()))
    bot.say()

    assert seen == [threading.current_thread()]


@pytest.mark.parametrize("own", [None, LONG])
def test_a_handler_that_is_in_time_answers(bots: Make, own: float | None) -> None:
    """Its answer and its changes are in the reply, as without a deadline."""
    bot = bots(deadline=LONG)
    bot.webhook.late(late)

    @bot.webhook.on(TOPIC, deadline=own)
    def quick(notification: Notification) -> str:
        notification.session["quick"] = True
        return "Here it is."

    reply = bot.say()
    assert (texts(reply), session(reply)) == (["Here it is."], {"quick": True})


def test_a_handler_with_a_deadline_of_its_own() -> None:
    """The webhook needs none for that."""
    bot = Bot()
    bot.webhook.on(TOPIC, bot.slow, filter=StepID("a"), deadline=SHORT)
    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]
    bot.end()


def test_a_failure_in_time_is_a_failure(bots: Make) -> None:
    """An exception of the handler is reported as without a deadline."""
    bot = bots(deadline=LONG)
    bot.webhook.on(TOPIC, fail)
    bot.webhook.late(late)
    reply = bot.say()

    assert (reply.status_code, code_of(reply)) == (500, "handler_failed")
    assert "raised ZeroDivisionError" in reply.json["detail"]


def test_an_async_handler_in_time(bots: Make) -> None:
    """It answers like a plain function, also after its own timeout."""
    bot = bots(deadline=LONG)

    @bot.webhook.on(TOPIC)
    async def look(notification: Notification) -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(LONG)
        except TimeoutError:
            return "Not there."
        raise AssertionError

    assert texts(bot.say()) == ["Not there."]


def test_a_timeout_of_the_handler_is_its_failure(bots: Make) -> None:
    """It is not mistaken for the deadline."""
    bot = bots(deadline=LONG)

    @bot.webhook.on(TOPIC)
    async def look(notification: Notification) -> None:
        raise TimeoutError

    assert code_of(bot.say()) == "handler_failed"


# -- late ----------------------------------------------------------------------------


def test_the_late_handler_answers(bot: Bot) -> None:
    """At the deadline; the other one continues."""
    reply = bot.say()

    assert texts(reply) == ["One moment."]
    assert bot.ended.empty()


def test_the_changes_of_a_handler_that_is_late_are_dropped(bot: Bot) -> None:
    """The late handler gets a fresh notification, and its own changes count."""
    reply = bot.say()

    assert session(reply) == {"late": True}
    assert bot.end()["notification"].session == {"from": "slow", "to": "slow"}


def test_other_answers_are_dropped(bots: Make) -> None:
    """The reply is never half of one answer. Later handlers do not run."""
    bot = bots()

    @bot.webhook.on(TOPIC)
    def first(notification: Notification) -> str:
        notification.session["first"] = True
        return "First"

    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.on(TOPIC, lambda notification: pytest.fail("It is too late."))
    bot.webhook.late(late)
    reply = bot.say()

    assert (texts(reply), session(reply)) == (["One moment."], {"late": True})


def test_a_late_reply_is_recorded(bot: Bot) -> None:
    """The same delivery gets it again, also after the handler has ended."""
    first = bot.client.say("hi")
    again = bot.client.resend()
    bot.end()
    later = bot.client.resend()

    assert first.response.data == again.response.data == later.response.data
    assert later.response.headers["Idempotent-Replayed"] == "true"
    assert bot.ended.empty()


def test_a_late_reply_is_validated(bots: Make) -> None:
    """An invalid one is a failure of the late handler."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(lambda notification: "")
    reply = bot.say()

    assert code_of(reply) == "invalid_reply"


def test_a_late_handler_that_fails(bots: Make) -> None:
    """It is a failure as that of any other handler."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(fail)
    bot.webhook.errorhandler(ZeroDivisionError)(lambda error: "Sorry.")

    assert texts(bot.say()) == ["Sorry."]


def test_a_late_handler_may_return_none(bots: Make) -> None:
    """Then the step is returned unchanged."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(lambda notification: None)

    assert bot.say().json["actions"] == [PAUSE]


def test_a_late_handler_has_no_deadline(bots: Make) -> None:
    """It runs in the thread of the request, which has nothing else to answer."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    seen: list[threading.Thread] = []
    bot.webhook.late(lambda notification: seen.append(threading.current_thread()))
    bot.say()

    assert seen == [threading.current_thread()]


def test_a_late_handler_may_be_async(bots: Make) -> None:
    """As any other handler."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)

    @bot.webhook.late
    async def one_moment(notification: Notification) -> str:
        await asyncio.sleep(0)
        return "One moment."

    assert texts(bot.say()) == ["One moment."]


def test_without_a_late_handler_it_is_a_problem(bots: Make) -> None:
    """503 with its own code, and with the handler and the deadline."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    reply = bot.say()

    assert (reply.status_code, code_of(reply)) == (503, "handler_late")
    assert reply.json["detail"].endswith("slow' did not answer within 0.15 s.")


def test_without_a_late_handler_it_may_run_again(bots: Make) -> None:
    """Nothing is recorded, as after any problem; but not while the handler still runs:
    a delivery that is sent again does not run twice at a time."""
    bot = bots(deadline=FAIR)
    bot.webhook.on(TOPIC, bot.slow)
    assert bot.client.say("hi").status_code == 503
    for _ in range(2):
        assert code_of(bot.client.resend()) == "delivery_in_progress"
    bot.end()

    assert texts(bot.client.resend()) == ["slow"]


def test_without_a_late_handler_it_may_pass_through(bots: Make) -> None:
    """CLUSTAAR_ON_ERROR applies to it."""
    bot = bots(on_error="passthrough")
    bot.webhook.on(TOPIC, bot.slow)
    reply = bot.say()

    assert reply.json["actions"] == [PAUSE]
    assert not session(reply)


def test_an_error_handler_may_answer(bots: Make) -> None:
    """Without a late handler, it is a failure with its own exception."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.errorhandler(HandlerLate)(lambda error: f"Late: {error.reason}")

    assert texts(bot.say()) == ["Late: timeout"]


# -- how long ------------------------------------------------------------------------


def test_a_deadline_can_only_shorten(bots: Make) -> None:
    """That of a handler does not extend that of the webhook."""
    bot = bots()
    bot.webhook.on(TOPIC, bot.slow, deadline=LONG)
    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]


def test_the_deadline_of_a_group(bots: Make) -> None:
    """It is for all handlers of the group and of the groups in it, no others."""
    bot = bots(deadline=LONG)
    outer, inner = HandlerGroup(deadline=SHORT), HandlerGroup(deadline=LONG)
    inner.on(TOPIC, bot.slow, filter=StepID("a"))
    outer.include(inner)
    bot.webhook.include(outer)
    bot.webhook.on(TOPIC, lambda n: "b", filter=StepID("b"))
    bot.webhook.late(late)

    assert [each.deadline for each in bot.webhook.handlers] == [SHORT, None]
    assert texts(bot.say()) == ["One moment."]


def test_the_budget_is_for_all_handlers(bots: Make) -> None:
    """It begins with the request: what one handler took, the next one lacks."""
    bot = bots(deadline=2 * FAIR)
    bot.webhook.on(TOPIC, lambda notification: time.sleep(FAIR))
    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(late)
    began = time.perf_counter()

    assert texts(bot.say()) == ["One moment."]
    assert 2 * FAIR <= time.perf_counter() - began
    assert bot.end()["handler"].function == bot.slow


def test_a_handler_without_any_time_does_not_run(bots: Make) -> None:
    """Such as after a handler without a deadline that took too long."""
    bot = bots(deadline=None)
    bot.webhook.on(TOPIC, lambda notification: time.sleep(2 * SHORT))
    bot.webhook.on(TOPIC, lambda n: pytest.fail("It is too late."), deadline=SHORT)
    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]
    told = bot.ended.get_nowait()
    assert (told["reason"], told["duration"]) == ("timeout", 0.0)


@pytest.mark.parametrize("step", ["a", "b"])
def test_a_fallback_with_a_deadline(bots: Make, step: str) -> None:
    """The deadline of the webhook, or its own."""
    bot = bots(deadline=SHORT if step == "a" else None)
    bot.webhook.fallback(None, bot.slow, deadline=None if step == "a" else SHORT)
    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]


def test_a_step_with_a_deadline() -> None:
    """``on_step`` takes it as ``on`` does."""
    bot = Bot()
    bot.webhook.on_step("a", deadline=SHORT)(bot.slow)
    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]
    bot.end()


def test_a_function_on_the_signal_of_a_topic(bot: Bot) -> None:
    """The deadline of the webhook is for all handlers."""
    with bot.webhook.signal(TOPIC).connected_to(lambda notification: bot.go.wait()):
        assert texts(bot.say("hi")) == ["One moment."]


# -- which late handler --------------------------------------------------------------


def test_the_late_handler_of_the_innermost_group(bots: Make) -> None:
    """A group may have its own; that of the webhook is for all others."""
    bot = bots()
    outer, inner = HandlerGroup(filter=TextMatches("in|out")), HandlerGroup()
    inner.on(TOPIC, bot.slow, filter=TextMatches("in"))
    inner.late(lambda notification: "Inner")
    outer.include(inner)
    outer.on(TOPIC, bot.slow, filter=TextMatches("out"))
    outer.late(lambda notification: "Outer")
    bot.webhook.include(outer)
    bot.webhook.on(TOPIC, bot.slow, filter=TextMatches("else"))
    bot.webhook.late(late)

    assert [*map(texts, map(bot.say, ["in", "out", "else"]))] == [
        ["Inner"],
        ["Outer"],
        ["One moment."],
    ]


def test_there_is_one_late_handler(bot: Bot) -> None:
    """A second one would never run."""
    with pytest.raises(ConfigurationError, match="is already the late handler"):
        bot.webhook.late(lambda notification: "No")


def test_a_late_handler_takes_a_notification(bots: Make) -> None:
    """As any other handler."""
    with pytest.raises(TypeError, match="must accept one argument"):
        bots().webhook.late(lambda: "No")  # type: ignore[type-var]


def test_a_late_handler_that_comes_too_late(bot: Bot) -> None:
    """After the first request nothing is registered."""
    bot.say()
    with pytest.raises(ConfigurationError, match="Cannot register"):
        bot.webhook.late(late)


@pytest.mark.parametrize(
    ("deadline", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("2", TypeError),
        (True, TypeError),
    ],
)
def test_a_deadline_that_is_wrong(deadline: Any, error: type[Exception]) -> None:
    """It is an error when the program starts."""
    webhook = Bot().webhook
    for register in (
        lambda: webhook.on(TOPIC, late, deadline=deadline),
        lambda: webhook.on_step("a", deadline=deadline),
        lambda: webhook.fallback(deadline=deadline),
        lambda: HandlerGroup(deadline=deadline),
    ):
        with pytest.raises(error, match="'deadline'"):
            register()
    assert not webhook.handlers


def test_a_setting_that_is_wrong() -> None:
    """So it is as a setting."""
    for name, value in {"deadline": 0, "deadline_threads": 0}.items():
        with pytest.raises(ConfigurationError, match=f"'{name}' must be a positive"):
            Bot(**{name: value})


# -- the end of the handler ----------------------------------------------------------


def test_the_signal_has_the_duration(bot: Bot) -> None:
    """It is sent when the handler has ended, in its thread."""
    bot.say()
    bot.begun.wait()
    time.sleep(3 * SHORT)
    told = bot.end()

    assert told["webhook"] is bot.webhook
    assert told["handler"].function == bot.slow
    assert told["duration"] >= 3 * SHORT
    assert (told["reason"], told["exception"]) == ("timeout", None)


def test_the_log_has_both(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    """A warning at once, and a line at the end."""
    caplog.set_level(logging.INFO, "flask_clustaar")
    bot.say()
    bot.end()

    first, replied, last = caplog.records
    assert first.levelno == logging.WARNING
    assert "slow' did not answer within 0.8 s. Handlers occupy 1 of 16" in caplog.text
    names = f"{__name__}.Bot.slow, {__name__}.late."
    assert names in replied.getMessage()
    assert last.levelno == logging.INFO
    assert "slow', which was late, ended after 0." in last.getMessage()


def test_a_handler_that_fails_late(
    bots: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is in the log and in the signal, and changes nothing else."""
    bot = bots(deadline=FAIR)

    @bot.webhook.on(TOPIC)
    def fail_late(notification: Notification) -> None:
        bot.go.wait()
        raise KeyError("a secret")

    bot.webhook.late(late)
    assert texts(bot.say()) == ["One moment."]

    assert isinstance(bot.end()["exception"], KeyError)
    assert "fail_late', which was late, failed after" in caplog.text
    assert "Traceback" in caplog.text


def test_handler_called_is_sent_at_the_end(bot: Bot) -> None:
    """With how long it ran, as for any handler."""
    called: queue.Queue[Any] = queue.Queue()

    def hear(app: Any, *, handler: Any, **_: Any) -> None:
        called.put(handler.function)

    with signals.handler_called.connected_to(hear, bot.app):
        bot.say()
        assert called.get_nowait() == late
        bot.end()
        assert called.get_nowait() == bot.slow


def test_an_async_handler_is_cancelled(bots: Make) -> None:
    """It may clean up. Its time is over when it is."""
    bot = bots(deadline=FAIR)
    cancelled = threading.Event()

    @bot.webhook.on(TOPIC)
    async def look(notification: Notification) -> str:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]
    told = bot.ended.get(timeout=20)
    assert cancelled.is_set()
    assert (told["reason"], told["exception"]) == ("timeout", None)


def test_an_async_handler_that_blocks_is_abandoned(bots: Make) -> None:
    """It cannot be cancelled, but the user gets the late reply."""
    bot = bots()

    @bot.webhook.on(TOPIC)
    async def look(notification: Notification) -> str:
        bot.go.wait()
        return "slow"

    bot.webhook.late(late)

    assert texts(bot.say()) == ["One moment."]
    assert bot.end()["exception"] is None


# -- its context ---------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


def test_the_context_of_a_handler_that_is_late(bots: Make) -> None:
    """The request, context variables and its own application context."""
    bot = bots(deadline=FAIR)
    seen: list[Any] = []

    @bot.app.before_request
    def before() -> None:
        variable.set("a trace")
        g.user = "John"

    @bot.webhook.on(TOPIC)
    def slow(notification: Notification) -> None:
        bot.go.wait()
        seen.extend([variable.get(), request.path, current_app.name, "user" in g])

    bot.webhook.late(late)
    bot.say()
    bot.end()

    assert seen == ["a trace", "/clustaar", __name__, False]


def test_teardown_comes_when_the_handler_has_ended(bots: Make) -> None:
    """That of the request does not wait for it."""
    bot = bots(deadline=FAIR)
    torn: list[str] = []

    @bot.app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        torn.append(g.pop("whose", "request"))

    @bot.webhook.on(TOPIC)
    def slow(notification: Notification) -> None:
        g.whose = "handler"
        bot.go.wait()

    bot.webhook.late(late)
    bot.say()
    assert torn == ["request"]

    bot.end()
    assert torn == ["request", "handler"]


def test_what_is_around_a_handler_is_in_its_thread(bots: Make) -> None:
    """A transaction ends with the handler. The late handler has its own."""
    bot = bots(deadline=FAIR)
    events: list[str] = []

    @bot.webhook.around
    @contextmanager
    def around(notification: Notification, handler: Any) -> Iterator[None]:
        events.append(f"<{handler.function.__name__}")
        yield
        events.append(f"{handler.function.__name__}>")

    bot.webhook.on(TOPIC, bot.slow)
    bot.webhook.late(late)
    bot.say()
    assert events == ["<slow", "<late", "late>"]

    bot.end()
    assert events[-1] == "slow>"


def test_sessions_of_sqlalchemy_are_closed(bots: Make, tmp_path: Path) -> None:
    """After a hundred late handlers, all connections are returned."""
    bot = bots(deadline_threads=140)
    bot.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/bot.db"
    bot.app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 100}
    db = SQLAlchemy(bot.app)
    asked: list[int] = []
    replies: list[Reply] = []

    @bot.webhook.on(TOPIC)
    def slow(notification: Notification) -> None:
        db.session.execute(sql("SELECT 1"))
        asked.append(1)
        bot.go.wait()

    def settled() -> bool:
        return len(asked) + bot.ended.qsize() == len(replies)

    bot.webhook.late(late)
    with ThreadPoolExecutor(25) as users:
        # On a busy machine some are late before they begin, and do not run.
        while len(asked) < 100:
            replies += users.map(bot.say, ["hi"] * (100 - len(asked)))
            until(settled)
    assert [*map(texts, replies)] == [["One moment."]] * len(replies)
    with bot.app.app_context():
        pool: Any = db.engine.pool
    assert pool.checkedout() == 100

    bot.go.set()
    for _ in replies:
        bot.ended.get(timeout=20)
    assert pool.checkedout() == 0
    pool.dispose()


# -- the threads ---------------------------------------------------------------------


def test_a_handler_that_finds_all_threads_busy(
    bots: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It is late at once, and does not run; signal and log give the reason."""
    bot = bots(deadline=None, deadline_threads=1)
    ran: list[str] = []

    @bot.webhook.on(TOPIC, filter=TextMatches("slow"), deadline=FAIR)
    def slow(notification: Notification) -> None:
        bot.go.wait()

    @bot.webhook.on(TOPIC, filter=TextMatches("other"), deadline=LONG)
    def other(notification: Notification) -> str:
        ran.append("other")
        return "Here it is."

    bot.webhook.late(late)
    bot.say("slow")
    assert texts(bot.say("other")) == ["One moment."]
    told = bot.ended.get_nowait()
    assert (told["reason"], told["duration"]) == ("busy", 0.0)
    assert told["handler"].function is other and not ran
    assert "other' did not run: no thread was free for it." in caplog.text
    assert "Handlers occupy 1 of 1 threads." in caplog.text

    bot.end()
    until(lambda: texts(bot.say("other")) == ["Here it is."])


@pytest.mark.parametrize("deadline", [None, LONG])
def test_twenty_at_once_on_four_threads(bots: Make, deadline: float | None) -> None:
    """Every user gets the late reply. Another step is as fast as ever: the last thread
    is kept for it.
    """
    bot = bots(deadline=deadline, deadline_threads=4)
    bot.webhook.on(TOPIC, bot.slow, filter=TextMatches("slow"), deadline=FAIR)
    bot.webhook.on(TOPIC, lambda n: "Fast", filter=TextMatches("fast"))
    bot.webhook.late(late)
    with ThreadPoolExecutor(20) as users:
        replies = [*users.map(bot.say, ["slow"] * 20)]

    assert [*map(texts, replies)] == [["One moment."]] * 20
    assert texts(bot.say("fast")) == ["Fast"]
    bot.go.set()
    told = [bot.ended.get(timeout=20) for _ in range(20)]
    # On a busy machine some are late before they begin, and do not run.
    assert 1 <= len([each for each in told if each["duration"]]) <= 3
    assert {each["reason"] for each in told} <= {"busy", "timeout"}


def test_one_thread_serves_one_request_after_the_other(bots: Make) -> None:
    """Threads are made when all others are busy, and no earlier."""
    bot = bots(deadline=LONG, deadline_threads=3)
    used: set[threading.Thread] = set()
    bot.webhook.on(TOPIC, lambda notification: used.add(threading.current_thread()))
    for _ in range(20):
        bot.say()

    assert len(used) == 1


def test_threads_are_made_once() -> None:
    """Also if the first requests arrive at the same time: the bound is for all."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as users:
            for _ in range(200):
                take = Threads(1).take
                taken = [*users.map(take, range(4))]
                assert sum(thread is not None for thread in taken) == 1
    finally:
        sys.setswitchinterval(interval)


def test_a_system_without_another_thread(bots: Make) -> None:
    """It is late at once, as if all threads were busy."""
    bot = bots(deadline=LONG)
    bot.webhook.on(TOPIC, lambda notification: "Here it is.")
    bot.webhook.late(late)
    threading.stack_size(sys.maxsize // 4096 * 4096)
    try:
        assert texts(bot.say()) == ["One moment."]
    finally:
        threading.stack_size(0)
    assert bot.ended.get_nowait()["reason"] == "busy"
    assert texts(bot.say()) == ["Here it is."]


def test_a_failure_after_a_late_handler(
    bots: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as that of a log handler: the thread ends, and makes room for another."""
    bot = bots(deadline=None, deadline_threads=1)
    bot.webhook.on(TOPIC, bot.slow, filter=TextMatches("slow"), deadline=FAIR)
    bot.webhook.on(TOPIC, lambda n: "Fast", filter=TextMatches("fast"), deadline=LONG)
    bot.webhook.late(late)
    failures: queue.Queue[threading.ExceptHookArgs] = queue.Queue()
    monkeypatch.setattr(threading, "excepthook", failures.put)

    def log_badly(record: logging.LogRecord) -> bool:
        if "which was late" in record.getMessage():
            raise OSError("The disk is full.")
        return True

    caplog.set_level(logging.INFO, "flask_clustaar")
    logger = logging.getLogger("flask_clustaar")
    logger.addFilter(log_badly)
    try:
        assert texts(bot.say("slow")) == ["One moment."]
        assert texts(bot.say("fast")) == ["One moment."]
        bot.go.set()
        assert failures.get(timeout=20).exc_type is OSError
    finally:
        logger.removeFilter(log_badly)
    assert texts(bot.say("fast")) == ["Fast"]


class Delayed:
    """A thread that says a moment after the end of a job that it has ended."""

    def take(self, owner: object) -> Delayed:
        return self

    def prepare(self, job: Job) -> Callable[[], None]:
        def run() -> None:
            done = job()
            threading.Timer(2 * SHORT, done).start()

        return run


def test_a_function_that_ends_at_its_deadline() -> None:
    """Either it is in time or it is late, and never both."""
    late: list[float] = []
    call = InThread(lambda: "in time", lambda took, error: late.append(took), None)
    threads: Any = Delayed()

    assert call.result(threads, time.perf_counter() + SHORT) == "in time"
    assert late == []


def run_program(program: str) -> list[str]:
    """Run a program in a process of its own, and return the words that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


#: A handler is late when nothing else refers to its application any more.
ENDING = """
import gc, threading, time
from flask import Flask
from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.testing import ClustaarClient

go, threads = threading.Event(), []

def serve():
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="a key", deadline=0.1)

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def slow(notification):
        threads.append(threading.current_thread())
        if notification.text == "wait":
            go.wait()

    @webhook.late
    def late(notification):
        return "late"

    client = ClustaarClient(app)
    while len({*threads}) < 2:  # On a busy machine, a thread may begin too late.
        client.say("wait")

serve()
print(sum(thread.is_alive() for thread in {*threads}))
go.set()
while any(thread.is_alive() for thread in threads):
    gc.collect()
    time.sleep(0.01)
print("ended")
"""


def test_threads_end_with_the_application() -> None:
    """The thread of a late handler ends as well, when the handler has ended."""
    assert run_program(ENDING) == ["2", "ended"]


#: A program that counts its threads when it has ended.
PROGRAM = """
import atexit, os, threading, time
from flask import Flask
from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import TextEquals
from flask_clustaar.testing import ClustaarClient

app = Flask("bot")
webhook = ClustaarWebhook(app, private_key="a key")
begun = []

@webhook.on(events.CONVERSATION_STEP_REACHED, filter=TextEquals("now"), deadline=60)
def now(notification):
    return "now"

@webhook.on(events.CONVERSATION_STEP_REACHED, filter=TextEquals("slow"), deadline=0.05)
def slow(notification):
    begun.append(True)
    time.sleep(0.5)
    print("done", flush=True)

@webhook.late
def late(notification):
    return "late"

def say(text):
    return ClustaarClient(app).say(text).json["actions"][0]["text"]

@atexit.register
def end():
    names = [thread.name for thread in threading.enumerate()]
    print(names.count("flask-clustaar-deadline"))

print(say("now"), flush=True)
"""

#: A handler is late, in a process that was forked after the first request.
FORKING = f"""{PROGRAM}
if child := os.fork():
    os.waitpid(child, 0)
print(say("now"), flush=True)
while not begun:  # On a busy machine, it may be late before it begins.
    answer = say("slow")
print(answer, flush=True)
"""


def test_threads_end_before_the_interpreter() -> None:
    """Idle ones as well: a thread that still runs then can crash the process."""
    assert run_program(PROGRAM) == ["now", "0"]


def test_threads_of_a_program() -> None:
    """Each process makes its own, and waits at its end for what they do."""
    assert run_program(FORKING) == ["now", *["now", "late", "done", "0"] * 2]
