"""Traces and metrics with OpenTelemetry, exported into memory."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.contrib.opentelemetry import OpenTelemetry
from flask_clustaar.testing import ClustaarClient

STEP = events.CONVERSATION_STEP_REACHED
NAME = f"{__name__}.greet"


def greet(notification: Any) -> str:
    if notification.text == "fail":
        raise KeyError(notification.interlocutor.first_name)
    return "" if notification.text == "invalid" else "Hello"


class Bot:
    """A bot whose spans and metrics are kept in memory."""

    def __init__(
        self,
        deadline: float | None = None,
        background: Any = None,
        sampler: Sampler | None = None,
        **options: Any,
    ) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(sampler=sampler)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        self.app = Flask("bot")
        self.webhook = ClustaarWebhook(
            self.app, private_key="key", deadline=deadline, background=background
        )
        OpenTelemetry(
            self.webhook,
            tracer_provider=self.tracers,
            meter_provider=self.meters,
            **options,
        )
        self.webhook.on(STEP, greet)
        self.client = ClustaarClient(self.app)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans in the order in which they began."""
        return sorted(
            self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0
        )

    @property
    def metrics(self) -> dict[tuple[Any, ...], Any]:
        """The counts by name and labels; of histograms how often they were observed."""
        data = json.loads(self.reader.get_metrics_data().to_json())  # type: ignore[union-attr]
        return {
            (metric["name"], *point["attributes"].values()): point.get(
                "value", point.get("count")
            )
            for resource in data["resource_metrics"]
            for scope in resource["scope_metrics"]
            for metric in scope["metrics"]
            for point in metric["data"]["data_points"]
        }


@pytest.fixture(name="bot")
def _bot() -> Iterator[Bot]:
    bot = Bot()
    yield bot
    bot.tracers.shutdown()
    bot.meters.shutdown()


@contextmanager
def instrumented(bot: Bot) -> Iterator[None]:
    """Trace each request, as OpenTelemetry's own instrumentation of Flask does."""
    instrumentor: Any = FlaskInstrumentor()
    instrumentor.instrument_app(bot.app, tracer_provider=bot.tracers)
    yield
    instrumentor.uninstrument_app(bot.app)


def tree(spans: list[ReadableSpan], parent: int | None = None) -> list[Any]:
    """Return spans as a tree: their names, and below each one its children."""
    return [
        [span.name, *tree(spans, span.context.span_id)]
        for span in spans
        if (span.parent.span_id if span.parent else None) == parent
    ]


def test_a_handler_is_a_span(bot: Bot) -> None:
    """Its span says which handler ran, at which step, and where."""
    bot.client.say("hi")

    [span] = bot.spans
    assert (f"handle {NAME}", SpanKind.INTERNAL) == (span.name, span.kind)
    assert {
        "code.function.name": NAME,
        "clustaar.webhook": "clustaar",
        "clustaar.topic": STEP,
        "clustaar.step.id": bot.client.step.id,
        "clustaar.channel": "clustaar_web_chat",
    } == span.attributes
    assert StatusCode.UNSET is span.status.status_code


def test_a_trace_is_a_tree(bot: Bot) -> None:
    """Below the span of the request is the handler's, and below this the query's."""
    sql = SQLite3Instrumentor()

    @bot.webhook.on(STEP)
    def ask(notification: Any) -> str:
        with closing(sqlite3.connect(":memory:")) as connection:
            cursor = sql.instrument_connection(connection, bot.tracers).cursor()
            cursor.execute("SELECT 42")
            return str(cursor.fetchone()[0])

    with instrumented(bot):
        texts = bot.client.say("hi").texts

    assert ["Hello", "42"] == texts
    asked = f"handle {__name__}.test_a_trace_is_a_tree.<locals>.ask"
    handlers = [[f"handle {NAME}"], [asked, ["SELECT"]]]
    assert [["POST /clustaar", *handlers]] == tree(bot.spans)
    assert bot.client.step.id == (bot.spans[0].attributes or {})["clustaar.step.id"]


def test_a_failure_is_an_error(bot: Bot) -> None:
    """The span has the kind of the exception, but not what the exception says."""
    bot.client.say("fail")

    [span] = bot.spans
    assert StatusCode.ERROR is span.status.status_code
    assert "KeyError" == span.status.description
    assert "KeyError" == (span.attributes or {})["error.type"]
    assert () == span.events
    assert "John" not in span.to_json()


def test_exceptions_can_be_recorded() -> None:
    """The message and the traceback are there when they are asked for."""
    bot = Bot(record_exceptions=True)

    bot.client.say("fail")

    [event] = bot.spans[0].events
    assert "'John'" == (event.attributes or {})["exception.message"]


def test_metrics(bot: Bot) -> None:
    """The same is counted as for Prometheus."""
    for said in ("hi", "fail", "invalid"):
        bot.client.say(said)
    bot.client.say("hi")
    bot.client.resend()
    bot.app.test_client().post("/clustaar", json={})

    assert {
        ("clustaar.notifications", "clustaar", STEP): 4,
        ("clustaar.handler.duration", "clustaar", NAME): 4,
        ("clustaar.handler.failures", "clustaar", NAME, "KeyError"): 1,
        ("clustaar.handler.failures", "clustaar", NAME, "InvalidReply"): 1,
        ("clustaar.replies", "clustaar"): 2,
        ("clustaar.repeats", "clustaar"): 1,
        ("clustaar.rejections", "clustaar", "signature_missing"): 1,
    } == bot.metrics


def test_a_handler_that_is_late() -> None:
    """It is counted with the reason."""
    bot = Bot(deadline=1e-9)
    bot.client.say("hi")

    assert bot.metrics["clustaar.handler.late", "clustaar", NAME, "timeout"] == 1
    bot.tracers.shutdown()
    bot.meters.shutdown()


def test_the_span_of_a_handler_with_a_deadline() -> None:
    """The handler runs in a thread, and its span is where it would be without."""
    bot = Bot(deadline=60)
    with instrumented(bot):
        bot.client.say("hi")

    assert [[bot.spans[0].name, [f"handle {NAME}"]]] == tree(bot.spans)
    bot.tracers.shutdown()
    bot.meters.shutdown()


def tell_crm(notification: Any) -> None:
    if notification is None:
        raise KeyError("John")


def test_a_job_is_in_the_trace_of_its_handler() -> None:
    """It has a span below that of the handler, and it is counted."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, task.later)
    bot.client.say("hi")
    bot.webhook.perform(jobs[0])

    name = f"{__name__}.tell_crm"
    (handler,) = [span for span in bot.spans if span.name == "handle later"] or [
        span for span in bot.spans if span.name.endswith("Task.later")
    ]
    (job,) = [span for span in bot.spans if span.name == f"perform {name}"]
    assert job.parent is not None
    assert job.parent.span_id == handler.context.span_id
    assert job.context.trace_id == handler.context.trace_id
    assert bot.metrics["clustaar.jobs.submitted", "clustaar", name] == 1
    assert bot.metrics["clustaar.job.duration", "clustaar", name] == 1
    bot.tracers.shutdown()
    bot.meters.shutdown()


def test_a_job_that_fails_is_an_error() -> None:
    """Of its span, and it is counted with the kind of the exception."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, lambda notification: task.later(None))
    bot.client.say("hi")
    with pytest.raises(KeyError):
        bot.webhook.perform(jobs[0])

    (span,) = [span for span in bot.spans if span.name.startswith("perform ")]
    assert span.status.status_code is StatusCode.ERROR
    failures = ("clustaar.job.failures", "clustaar", f"{__name__}.tell_crm", "KeyError")
    assert bot.metrics[failures] == 1
    bot.tracers.shutdown()
    bot.meters.shutdown()


def test_a_job_without_an_sdk() -> None:
    """No trace goes with it."""
    jobs: list[str] = []
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="key", background=jobs.append)
    OpenTelemetry(webhook)
    task = webhook.task(tell_crm)
    webhook.on(STEP, task.later)
    ClustaarClient(app).say("hi")
    webhook.perform(jobs[0])

    assert json.loads(jobs[0])["trace"] == {}


def test_a_trace_that_is_not_sampled() -> None:
    """Its handlers and jobs have no spans, and are counted."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append, sampler=ALWAYS_OFF)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, task.later)
    bot.client.say("hi")
    bot.webhook.perform(jobs[0])

    assert bot.spans == []
    assert bot.metrics["clustaar.handler.duration", "clustaar", NAME] == 1
    job = ("clustaar.job.duration", "clustaar", f"{__name__}.tell_crm")
    assert bot.metrics[job] == 1
    bot.tracers.shutdown()
    bot.meters.shutdown()


def test_nothing_is_recorded_without_an_sdk() -> None:
    """With the API alone a bot answers as before."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="key")
    OpenTelemetry(webhook)
    webhook.on(STEP, greet)
    client = ClustaarClient(app)

    assert ["Hello"] == client.say("hi").texts
    assert 500 == client.say("fail").status_code


def test_an_sdk_that_is_configured_late() -> None:
    """An SDK can be configured before the first request, as in a worker."""
    program = """
from flask import Flask
from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.contrib.opentelemetry import OpenTelemetry
from flask_clustaar.testing import ClustaarClient
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

app = Flask("bot")
webhook = ClustaarWebhook(app, private_key="key")
OpenTelemetry(webhook)
webhook.on(events.CONVERSATION_STEP_REACHED, lambda notification: "Hello")

exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))

client = ClustaarClient(app)
assert ["Hello"] == client.say("hi").texts
assert ["Hello"] == client.say("hi").texts
assert 2 == len(exporter.get_finished_spans())
names = reader.get_metrics_data().to_json()
for name in ("clustaar.notifications", "clustaar.replies", "clustaar.handler.duration"):
    assert name in names
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_no_personal_data(bot: Bot) -> None:
    """No name, text or key of a session is in spans and metrics."""
    bot.client.session = {"pin_of_the_user": "pin-4711-pin"}
    with instrumented(bot):
        for said in ("My secret", "fail", "invalid"):
            bot.client.say(said)

    exported = [span.to_json() for span in bot.spans]
    exported.append(bot.reader.get_metrics_data().to_json())  # type: ignore[union-attr]
    for secret in ("My secret", "John", "Doe", "pin-4711-pin", "pin_of_the_user"):
        assert [] == [text for text in exported if secret in text]
