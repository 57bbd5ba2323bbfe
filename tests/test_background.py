"""Tasks: background work, and when its jobs are submitted."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from flask import Flask, current_app, has_request_context
from serving import signed_headers, until

from flask_clustaar import ClustaarWebhook, events, signals
from flask_clustaar.background import POOL_JOBS, POOL_THREADS, Job, current_job
from flask_clustaar.errors import (
    BackgroundUnavailable,
    ConfigurationError,
    InvalidJob,
)
from flask_clustaar.models import Notification
from flask_clustaar.testing import ClustaarClient, Reply, make_notification

TOPIC = events.CONVERSATION_STEP_REACHED
PAUSE = {"type": "pause_bot_action"}

#: The calls of tasks.
done: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_done() -> None:
    done.clear()


def tell_crm(notification: Notification | None, *, score: int = 0) -> None:
    text = None if notification is None else notification.text
    done.append((text, score))


def look(notification: Notification | None) -> None:
    done.append(notification)


def context(notification: Notification | None) -> None:
    done.append((current_app.name, has_request_context(), current_job().key))


def again(notification: Notification | None) -> None:
    """Asks for another job."""
    bots[0].task(tell_crm).later(notification, score=4)


def fail(notification: Notification | None) -> NoReturn:
    raise KeyError("a secret")


async def wait(notification: Notification | None) -> None:
    await asyncio.sleep(0)
    done.append("waited")


def anything(notification: Notification | None, *, value: Any) -> None:
    done.append(value)


#: The bots of the test that runs.
bots: list[Bot] = []


class Bot:
    """A bot whose jobs are put into a list, until the test performs them."""

    def __init__(self, **settings: Any) -> None:
        bots.insert(0, self)
        self.jobs: list[str] = []
        self.app = Flask(__name__)
        self.webhook = ClustaarWebhook(
            self.app,
            **{"private_key": "a key", "background": self.jobs.append, **settings},
        )
        self.client = ClustaarClient(self.app)
        self._tasks: dict[Any, Any] = {}

    def task(self, function: Any) -> Any:
        if function not in self._tasks:
            self._tasks[function] = self.webhook.task(function)
        return self._tasks[function]

    def asks(self, function: Any = tell_crm, **arguments: Any) -> None:
        """Register a handler that asks for a job."""
        task = self.task(function)

        @self.webhook.on(TOPIC)
        def ask(notification: Notification) -> str:
            task.later(notification, **arguments)
            return "Thank you."

    def say(self, text: str = "hi") -> Reply:
        return self.client.at("a", actions=[PAUSE]).say(text)

    def perform(self) -> None:
        """Perform all jobs, as a worker does."""
        while self.jobs:
            self.webhook.perform(self.jobs.pop(0))

    @property
    def job(self) -> dict[str, Any]:
        """The only job."""
        [text] = self.jobs
        job: dict[str, Any] = json.loads(text)
        return job


@pytest.fixture(name="bot")
def _bot() -> Bot:
    return Bot()


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    bots.clear()


def code_of(reply: Reply) -> str:
    assert reply.problem is not None
    return str(reply.problem["code"])


# -- tasks ---------------------------------------------------------------------------


def test_a_task_is_done_in_the_background(bot: Bot) -> None:
    """The handler submits a job, and a worker calls the task."""
    bot.asks(score=3)
    reply = bot.say("hello")
    assert (reply.status_code, done) == (200, [])

    bot.perform()
    assert done == [("hello", 3)]


def test_a_task_can_be_called(bot: Bot) -> None:
    """Calling a task calls the function directly."""
    bot.task(tell_crm)(make_notification(text="hello"), score=2)

    assert done == [("hello", 2)]
    assert repr(bot.task(tell_crm)) == f"<Task '{__name__}.tell_crm'>"


def test_a_task_without_a_notification(bot: Bot) -> None:
    """The job then contains no personal data."""
    task = bot.task(tell_crm)
    bot.webhook.on(TOPIC, lambda notification: task.later(None, score=1))
    bot.say("hello")
    assert bot.job["notification"] is None
    assert bot.job["delivery"] is None

    bot.perform()
    assert done == [(None, 1)]


def test_the_notification_is_as_it_was(bot: Bot) -> None:
    """It has the changes of handlers until 'later', and no later ones."""
    task = bot.task(look)

    @bot.webhook.on(TOPIC)
    def ask(notification: Notification) -> None:
        notification.session["before"] = [1]
        notification.interlocutor.first_name = "Zoé"
        task.later(notification)
        notification.session["before"].append(2)
        notification.session["after"] = True

    bot.say()
    bot.perform()

    (seen,) = done
    assert seen.session == {"before": [1]}
    assert (seen.interlocutor.first_name, seen.step.id) == ("Zoé", "a")


def test_the_arguments_are_as_they_were(bot: Bot) -> None:
    """A list that the handler changes afterwards is not changed in the job."""
    task = bot.task(anything)

    @bot.webhook.on(TOPIC)
    def ask(notification: Notification) -> None:
        value = {"list": [1]}
        task.later(None, value=value)
        value["list"].append(2)

    bot.say()
    bot.perform()
    assert done == [{"list": [1]}]


def test_a_notification_arrives_whole(bot: Bot) -> None:
    """It is equal to the one that the handler had, with its delivery."""
    bot.asks(look)
    seen: list[Notification] = []
    bot.webhook.on(TOPIC, seen.append)
    bot.say("Grüße 🎉")
    bot.perform()

    assert done == seen
    assert done[0].delivery == seen[0].delivery is not None


def test_an_async_task(bot: Bot) -> None:
    """It is run as an async handler is."""
    bot.asks(wait)
    bot.say()
    bot.perform()
    assert done == ["waited"]


def test_the_context_of_a_task(bot: Bot) -> None:
    """An application context, and no request."""
    bot.asks(context)
    bot.say()
    key = bot.job["key"]
    bot.perform()
    assert done == [(__name__, False, key)]


def test_there_is_no_current_job() -> None:
    """Unless one is being performed."""
    with pytest.raises(RuntimeError, match="There is no current job"):
        current_job()


# -- invalid tasks -------------------------------------------------------------------


def local() -> Any:
    def inner(notification: Any) -> None: ...

    return inner


class Class:
    """With a method, which is found by its name."""

    def __call__(self, notification: Any) -> None: ...

    @staticmethod
    def method(notification: Any) -> None: ...


def generator(notification: Any) -> Iterator[int]:
    yield pytest.fail("The generator was run.")


def no_arguments() -> None: ...


def only_keywords(*, notification: Any) -> None: ...


def positional(notification: Any, score: int, /) -> None: ...


def any_number(*notifications: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda notification: None, "A worker could not import the task '<lambda>'"),
        (local(), r"could not import the task 'local\.<locals>\.inner'"),
        (Class(), "could not import the task 'Class.__call__'"),
        (Class, "could not import the task 'Class'"),
        (5, "could not import the task '5'"),
        (generator, "'generator' is a generator function, so calling it does nothing."),
        (no_arguments, "first argument of the task 'no_arguments' must be the noti"),
        (only_keywords, "first argument of the task 'only_keywords' must be the noti"),
        (any_number, "first argument of the task 'any_number' must be the noti"),
        (positional, "are passed by name, so 'score: 'int'' cannot be one."),
    ],
)
def test_what_cannot_be_a_task(bot: Bot, function: Any, message: str) -> None:
    """It is an error when the program starts: a worker has to find and call it."""
    with pytest.raises(TypeError, match=message):
        bot.webhook.task(function)


def test_a_method_may_be_a_task(bot: Bot) -> None:
    """A static one has a name by which it is found."""
    assert bot.webhook.task(Class.method).name == f"{__name__}.Class.method"


def test_two_tasks_of_one_name(bot: Bot) -> None:
    """Two tasks cannot have the same name."""
    bot.webhook.task(tell_crm)
    with pytest.raises(
        ConfigurationError, match=f"There is already a task '{__name__}.t"
    ):
        bot.webhook.task(tell_crm)


def test_a_task_that_comes_too_late(bot: Bot) -> None:
    """After the first request nothing is registered."""
    bot.say()
    with pytest.raises(ConfigurationError, match="Cannot register"):
        bot.webhook.task(tell_crm)


def endless() -> list[Any]:
    """Return a list that contains itself."""
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2026, 1, 1),
        {1, 2},
        float("nan"),
        b"bytes",
        (1, 2),
        {1: "a"},
        {"deep": [object()]},
        endless(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arguments_are_json(bot: Bot, value: Any) -> None:
    """Arguments that JSON would change raise a TypeError."""
    with pytest.raises(TypeError, match=f"The argument 'value' of '{__name__}.any"):
        bot.task(anything).later(None, value=value)
    assert bot.jobs == []


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "é\ud800", [1, {"a": [None]}]])
def test_json_arrives(bot: Bot, value: Any) -> None:
    """As it was sent."""
    with bot.app.app_context():
        bot.task(anything).later(None, value=value)
    bot.perform()
    assert done == [value]


def test_a_notification_that_is_not_json(bot: Bot) -> None:
    """It is a TypeError, because a handler may put any value into it."""
    notification = make_notification()
    notification.session["when"] = object()
    with pytest.raises(TypeError, match="The notification cannot be in a job"):
        bot.task(tell_crm).later(notification)


def test_arguments_that_the_task_does_not_have(bot: Bot) -> None:
    """They are an error in the handler."""
    task = bot.task(tell_crm)
    with pytest.raises(
        TypeError, match="cannot be called with these arguments: got an unexpected"
    ):
        task.later(None, scores=1)
    with pytest.raises(
        TypeError, match="cannot be called with these arguments: missing a required"
    ):
        bot.task(anything).later(None)
    with pytest.raises(TypeError, match="by name, as in 'tell_crm.later"):
        task.later(None, 3)
    with pytest.raises(
        TypeError, match="must be the notification or None, not a 'int'"
    ):
        task.later(3)


# -- when jobs are submitted ---------------------------------------------------------


def test_a_job_is_submitted_when_the_reply_is_valid(bot: Bot) -> None:
    """Before the reply is recorded and sent."""
    order: list[str] = []
    bot.asks()
    bot.webhook.on(TOPIC, lambda notification: order.append(f"{len(bot.jobs)} jobs"))

    def submitted(app: Any, **_: Any) -> None:
        order.append("submitted")

    def sent(app: Any, **_: Any) -> None:
        order.append("sent")

    with (
        signals.job_submitted.connected_to(submitted, bot.app),
        signals.reply_sent.connected_to(sent, bot.app),
    ):
        bot.say()
    assert order == ["0 jobs", "submitted", "sent"]


@pytest.mark.parametrize("returned", [5, "", {"actions": 3}])
def test_the_job_of_an_invalid_reply_is_dropped(bot: Bot, returned: Any) -> None:
    """The delivery may run again, and then submits the job again."""
    bot.asks()
    bot.webhook.on(TOPIC, lambda notification: returned)
    reply = bot.say()

    assert (reply.status_code, bot.jobs) == (500, [])


def test_the_job_of_a_delivery_that_fails_is_dropped(bot: Bot) -> None:
    """When it succeeds at last, its job is submitted once."""
    bot.asks()
    broken = [1]

    @bot.webhook.on(TOPIC)
    def once(notification: Notification) -> None:
        if broken:
            raise ZeroDivisionError

    assert bot.say().status_code == 500
    broken.clear()
    assert bot.client.resend().status_code == 200
    bot.client.resend()

    assert len(bot.jobs) == 1


def test_jobs_of_error_handlers(bot: Bot) -> None:
    """They are submitted in place of those of the handlers that failed."""
    bot.asks(score=1)
    task = bot.task(tell_crm)
    bot.webhook.on(TOPIC, lambda notification: 1 / 0)  # type: ignore[type-var]

    @bot.webhook.errorhandler(ZeroDivisionError)
    def sorry(error: ZeroDivisionError, notification: Notification) -> str:
        task.later(notification, score=2)
        return "Sorry."

    assert bot.say().status_code == 200
    bot.perform()
    assert done == [("hi", 2)]


def test_jobs_when_the_step_passes_through() -> None:
    """They are dropped, because the delivery may run again."""
    bot = Bot(on_error="passthrough")
    bot.asks()
    bot.webhook.on(TOPIC, lambda notification: 1 / 0)  # type: ignore[type-var]

    assert bot.say().json["actions"] == [PAUSE]
    assert bot.jobs == []


def test_a_job_outside_of_a_delivery(bot: Bot) -> None:
    """For example in a command: it is submitted at once."""
    with bot.app.app_context():
        bot.task(tell_crm).later(make_notification(text="hello"))
    bot.perform()

    assert done == [("hello", 0)]


def test_a_job_of_a_job(bot: Bot) -> None:
    """A task can call others; they are submitted at once."""
    bot.task(tell_crm)
    bot.asks(again)
    bot.say()
    bot.perform()

    assert done == [("hi", 4)]


def test_a_job_of_another_view(bot: Bot) -> None:
    """It is not mixed up with those of a delivery in the same thread."""
    bot.asks(score=1)
    task = bot.task(tell_crm)

    @bot.app.get("/other")
    def other() -> str:
        task.later(None, score=2)
        return "ok"

    bot.say()
    bot.app.test_client().get("/other")
    first, second = map(json.loads, bot.jobs)
    assert first["key"].split(":")[0] != second["key"].split(":")[0]


# -- failures of the engine ----------------------------------------------------------


class Refusing:
    """An engine that accepts only some jobs."""

    def __init__(self, *outcomes: BaseException | None) -> None:
        self.outcomes = [*outcomes]
        self.jobs: list[str] = []

    def __call__(self, job: str) -> None:
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.jobs.append(job)


@pytest.mark.parametrize("error", [ConnectionError("down"), SystemExit(1)])
def test_an_engine_that_refuses(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with its own code. Nothing is recorded, so the delivery may run again."""
    engine = Refusing(error)
    bot = Bot(background=engine)
    bot.asks()
    reply = bot.say()
    assert (reply.status_code, code_of(reply)) == (503, "background_unavailable")
    assert reply.response.headers["Retry-After"] == "1"
    assert f"did not accept a job of '{__name__}.tell_crm'." in caplog.text
    assert "Traceback" in caplog.text

    assert bot.client.resend().status_code == 200
    assert len(engine.jobs) == 1


def test_keys_are_the_same_when_a_delivery_runs_again() -> None:
    """Jobs submitted before the failed one come twice, with the same key."""
    engine = Refusing(None, ConnectionError())
    bot = Bot(background=engine)
    bot.asks(score=1)
    bot.webhook.on(TOPIC, lambda n: bot.task(tell_crm).later(n, score=2))
    assert bot.say().status_code == 503
    assert bot.client.resend().status_code == 200

    first, same, other = (json.loads(job)["key"] for job in engine.jobs)
    assert first == same != other
    assert len({first, other}) == 2


def test_an_error_handler_for_an_engine_that_refuses() -> None:
    """It may answer the user, as for any failure."""
    bot = Bot(background=Refusing(ConnectionError()))
    bot.asks()
    bot.webhook.errorhandler(BackgroundUnavailable)(lambda error: "Try again later.")

    assert bot.say().json["actions"][0]["text"] == "Try again later."


def test_an_error_handler_whose_job_is_refused() -> None:
    """The answer is the problem."""
    bot = Bot(background=Refusing(ConnectionError()))
    task = bot.task(tell_crm)
    bot.webhook.on(TOPIC, lambda notification: 1 / 0)  # type: ignore[type-var]
    bot.webhook.errorhandler(ZeroDivisionError)(lambda error: task.later(None))

    assert code_of(bot.say()) == "background_unavailable"


def test_an_interrupt_while_a_job_is_submitted() -> None:
    """Ctrl-C is not a failure of the engine."""
    bot = Bot(background=Refusing(KeyboardInterrupt()))
    bot.asks()
    with pytest.raises(KeyboardInterrupt):
        bot.say()


# -- handlers that are late ----------------------------------------------------------


@contextmanager
def late_bot() -> Iterator[
    tuple[Bot, Callable[[], Reply], threading.Event, Callable[[], Any]]
]:
    """Yield a bot whose handler asks for a job, is late, and asks for another one.

    On a busy machine a handler may be late before it begins; then it is called again.
    """
    bot, go = Bot(deadline=0.5), threading.Event()
    asked, ended = threading.Event(), queue.Queue[Any]()
    task = bot.task(tell_crm)

    def hear(app: Any, **arguments: Any) -> None:
        ended.put(arguments)

    @bot.webhook.on(TOPIC)
    def slow(notification: Notification) -> None:
        task.later(notification, score=1)
        asked.set()
        go.wait()
        task.later(notification, score=2)

    def say() -> Reply | None:
        response = bot.say()
        return response if asked.is_set() else None

    def end() -> Any:
        arguments = ended.get(timeout=20)
        return arguments if arguments["duration"] else None

    with signals.handler_late.connected_to(hear, bot.app):
        try:
            yield bot, lambda: until(say), go, lambda: until(end)["exception"]
        finally:
            go.set()


def test_jobs_of_a_handler_that_is_late() -> None:
    """They are submitted with the late reply; later ones at once."""
    with late_bot() as (bot, say, go, end):
        bot.webhook.late(lambda notification: "One moment.")
        assert say().status_code == 200
        bot.perform()
        assert done == [("hi", 1)]

        go.set()
        assert end() is None
        bot.perform()
        assert done == [("hi", 1), ("hi", 2)]


def test_jobs_of_a_handler_that_is_late_and_may_run_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a late handler they are dropped, and later ones are logged."""
    with late_bot() as (bot, say, go, end):
        assert code_of(say()) == "handler_late"
        go.set()
        assert end() is None

    assert bot.jobs == []
    assert f"A job of '{__name__}.tell_crm' was dropped, because" in caplog.text


# -- the job -------------------------------------------------------------------------


def test_a_job_is_text(bot: Bot) -> None:
    """It is JSON in ASCII, which every engine accepts."""
    bot.asks(score=3)
    bot.say("Grüße")
    (text,) = bot.jobs

    assert text.isascii()
    assert bot.job | {"notification": None} == {
        "v": 1,
        "webhook": "clustaar",
        "task": f"{__name__}.tell_crm",
        "key": f"{bot.job['delivery']}:{__name__}.tell_crm:0",
        "notification": None,
        "delivery": bot.job["delivery"],
        "arguments": {"score": 3},
        "trace": {},
    }
    assert "Gr" not in repr(Job.loads(text))


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("", "This is not a job"),
        ("[]", "This is not a job"),
        ("{}", "This is not a job"),
        ('{"v": 1}', "This is not a job"),
        ('{"v": 2}', "has version 2, but this program reads 1"),
        ('{"v": "x"}', "has version 'x'"),
    ],
)
def test_what_is_not_a_job(bot: Bot, job: str, message: str) -> None:
    """It is an error of the worker, which engines show and keep."""
    with pytest.raises(InvalidJob, match=message):
        bot.webhook.perform(job)


def changed(bot: Bot, **changes: Any) -> str:
    """Return a job as an older version of the program made it."""
    bot.asks(score=3)
    bot.say()
    return json.dumps(bot.job | changes)


def test_a_job_of_a_task_that_is_gone(bot: Bot) -> None:
    """The error says what to do, and which tasks there are."""
    with pytest.raises(
        InvalidJob,
        match=f"has no task 'bot.tell'.*The tasks are: '{__name__}.tell_crm'.",
    ):
        bot.webhook.perform(changed(bot, task="bot.tell"))


def test_a_job_with_arguments_of_another_version(bot: Bot) -> None:
    """The error says what to do."""
    with pytest.raises(InvalidJob, match="Give new arguments a default value"):
        bot.webhook.perform(changed(bot, arguments={"points": 3}))
    assert done == []


def test_a_job_of_a_webhook_that_is_gone(bot: Bot) -> None:
    """The error names it."""
    with pytest.raises(InvalidJob, match="has no webhook 'sales'"):
        bot.webhook.perform(changed(bot, webhook="sales"))


def test_a_job_of_another_webhook_of_the_application(bot: Bot) -> None:
    """One worker performs the jobs of all."""
    sales = ClustaarWebhook(
        bot.app, name="sales", private_key="b", background=bot.jobs.append
    )
    task = sales.task(tell_crm)
    bot.webhook.on(TOPIC, lambda notification: task.later(notification))
    bot.say("hello")
    bot.perform()

    assert done == [("hello", 0)]


def test_a_task_that_fails(bot: Bot) -> None:
    """The engine gets the exception."""
    bot.asks(fail)
    bot.say()
    told: list[Any] = []

    def hear(app: Any, **arguments: Any) -> None:
        told.append(arguments)

    with (
        signals.job_performed.connected_to(hear, bot.app),
        pytest.raises(KeyError),
    ):
        bot.perform()
    (arguments,) = told
    assert arguments["webhook"] is bot.webhook
    assert arguments["job"].task == f"{__name__}.fail"
    assert arguments["duration"] > 0
    assert isinstance(arguments["exception"], KeyError)


def test_the_trace_of_a_job(bot: Bot) -> None:
    """The headers of the request's trace go with the job, and with jobs of the job."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    bot.task(tell_crm)
    bot.asks(again)
    body = json.dumps(make_notification().received).encode()
    headers = dict(signed_headers(body, key="a key")) | {"traceparent": parent}
    bot.app.test_client().post("/clustaar/", data=body, headers=headers)
    assert bot.job["trace"] == {"traceparent": parent}

    bot.webhook.perform(bot.jobs.pop())
    assert bot.job["trace"] == {"traceparent": parent}


# -- which application ---------------------------------------------------------------


def test_a_worker_of_several_applications(bot: Bot) -> None:
    """The worker has to select one."""
    bot.asks()
    bot.say("hello")
    other = Flask("other")
    bot.webhook.init_app(other)
    with pytest.raises(RuntimeError, match="is in 2 applications"):
        bot.perform()

    bot.jobs.clear()
    bot.say("hello")
    with bot.app.app_context():
        bot.perform()
    assert done == [("hello", 0)]


def test_a_worker_without_an_application() -> None:
    """The error says what to import."""
    with pytest.raises(RuntimeError, match="Import the module that makes the appli"):
        ClustaarWebhook().perform("")


def test_an_engine_that_is_wrong() -> None:
    """It is an error when the program starts."""
    with pytest.raises(ConfigurationError, match="must be a function of one string"):
        Bot(background="redis://")


# -- in the process ------------------------------------------------------------------


@pytest.fixture(name="pooled")
def _pooled() -> Bot:
    """A bot whose jobs are performed in the process, as by default."""
    return Bot(background=None)


def test_by_default_jobs_are_performed_in_the_process(pooled: Bot) -> None:
    """In a thread, after the reply."""
    performed: queue.Queue[Any] = queue.Queue()

    def hear(app: Any, **arguments: Any) -> None:
        performed.put(threading.current_thread())

    pooled.asks(score=3)
    with signals.job_performed.connected_to(hear, pooled.app):
        pooled.say("hello")
        thread = performed.get(timeout=20)

    assert thread.name.startswith("flask-clustaar-background")
    assert done == [("hello", 3)]


def exit_early(notification: Notification | None) -> NoReturn:
    raise SystemExit("early")


@pytest.mark.parametrize(
    ("task", "error"), [(fail, KeyError), (exit_early, SystemExit)]
)
def test_a_task_that_fails_in_the_process(
    pooled: Bot, task: Any, error: type[BaseException]
) -> None:
    """The log has its traceback."""
    performed: queue.Queue[Any] = queue.Queue()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            performed.put(record)

    handler = Heard(logging.ERROR)
    pooled.asks(task)
    logger = logging.getLogger("flask_clustaar")
    logger.addHandler(handler)
    try:
        pooled.say()
        record = performed.get(timeout=20)
    finally:
        logger.removeHandler(handler)

    assert record.getMessage() == f"A job of '{__name__}.{task.__name__}' failed."
    assert record.exc_info[0] is error


#: Jobs wait for it.
go = threading.Event()


def hold(notification: Notification | None) -> None:
    done.append(threading.current_thread().name)
    go.wait()


def test_the_pool_is_bounded(pooled: Bot) -> None:
    """Some jobs run at once, many wait, and the next one is rejected."""
    go.clear()
    task = pooled.task(hold)
    performed, taken = threading.Semaphore(0), 0

    def hear(app: Any, **arguments: Any) -> None:
        performed.release()

    try:
        with (
            signals.job_performed.connected_to(hear, pooled.app),
            pooled.app.app_context(),
        ):
            with pytest.raises(BackgroundUnavailable) as caught:
                while True:
                    task.later(None)
                    taken += 1
            assert "jobs are already waiting in this process" in str(
                caught.value.__cause__
            )
            go.set()
            for _ in range(taken):
                assert performed.acquire(timeout=20)
    finally:
        go.set()
    assert POOL_JOBS <= taken <= POOL_JOBS + POOL_THREADS
    assert len(set(done)) <= POOL_THREADS


#: Jobs are performed at the end of the program, in a process that was forked later.
PROGRAM = """
import os, time
from flask import Flask
from flask_clustaar import ClustaarWebhook

app = Flask("bot")
webhook = ClustaarWebhook(app, private_key="a key")

@webhook.task
def slow(notification, *, name):
    time.sleep(0.01)
    os.write(1, f"{name} ".encode())

def ask(name):
    slow.later(None, name=name)

if child := os.fork():
    os.waitpid(child, 0)
for number in range(10):
    ask(f"{number}")
"""


def test_the_pool_of_a_program() -> None:
    """Each process has its own threads, and performs what waits at its end."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60
    )

    assert run.returncode == 0, run.stderr
    assert sorted(run.stdout.split()) == sorted(f"{n}" for n in [*range(10)] * 2)


def test_no_engine_is_imported() -> None:
    """Unused features are not created."""
    program = """
import sys
from flask import Flask
from flask_clustaar import ClustaarWebhook
ClustaarWebhook(Flask("bot"), private_key="x")
engines = {"celery", "rq", "dramatiq", "huey", "taskiq", "procrastinate", "apscheduler"}
assert not engines & sys.modules.keys()
assert "concurrent.futures.thread" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
