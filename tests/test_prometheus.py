"""Metrics for Prometheus."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from serving import (
    Server,
    exchange,
    gunicorn,
    notification,
    request,
    signed_headers,
    until,
)

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.contrib.prometheus import PrometheusMetrics
from flask_clustaar.errors import PROBLEMS, InvalidJob
from flask_clustaar.filters import TextEquals
from flask_clustaar.testing import ClustaarClient

STEP = events.CONVERSATION_STEP_REACHED
PAGE = Path(__file__).parent.parent / "docs/run/observing.rst"
Series = dict[tuple[str | None, ...], float]


def series(text: str) -> Series:
    """Return what a scrape has of ours, by its name and its labels from a to z."""
    return {
        (sample.name, *map(sample.labels.get, sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("clustaar_")
        and not sample.name.endswith(("_bucket", "_sum", "_created"))
    }


class Bot:
    """A bot with its own metrics."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask("bot")
        self.webhook = ClustaarWebhook(self.app, private_key="key", **settings)
        self.metrics = PrometheusMetrics(self.webhook, registry=CollectorRegistry())
        self.app.add_url_rule("/metrics", view_func=self.metrics.view)
        self.webhook.on(STEP, greet)
        self.client = ClustaarClient(self.app)

    def scrape(self) -> Series:
        return series(self.app.test_client().get("/metrics").text)


def greet(notification: Any) -> str:
    if notification.text == "fail":
        raise KeyError("John")
    return "" if notification.text == "invalid" else "Hello"


@pytest.fixture(name="bot")
def _bot(monkeypatch: pytest.MonkeyPatch) -> Bot:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return Bot()


def test_a_reply(bot: Bot) -> None:
    """A notification, the handler that ran, and the reply."""
    bot.client.say("hi")

    assert {
        ("clustaar_notifications_total", STEP, "clustaar"): 1,
        ("clustaar_handler_duration_seconds_count", NAME, "clustaar"): 1,
        ("clustaar_replies_total", "clustaar"): 1,
    } == bot.scrape()


#: The name of the handler.
NAME = f"{__name__}.greet"


@pytest.mark.parametrize(
    ("text", "exception"), [("fail", "KeyError"), ("invalid", "InvalidReply")]
)
def test_a_failure(bot: Bot, text: str, exception: str) -> None:
    """A handler that raises, and an invalid reply, are failures with their kind."""
    bot.client.say(text)

    counted = bot.scrape()
    failures = ("clustaar_handler_failures_total", exception, NAME, "clustaar")
    assert 1 == counted[failures]
    assert ("clustaar_replies_total", "clustaar") not in counted


def test_a_failure_of_no_single_handler(bot: Bot) -> None:
    """An invalid reply of several handlers has no handler's name."""
    bot.webhook.on(STEP, lambda notification: "Hello again")
    bot.client.say("invalid")

    failures = ("InvalidReply", "several", "clustaar")
    assert 1 == bot.scrape()["clustaar_handler_failures_total", *failures]


def test_a_handler_that_is_late() -> None:
    """It is counted with the reason, and its late reply is a reply."""
    bot = Bot(deadline=1e-9)
    bot.webhook.late(lambda notification: "One moment.")
    bot.client.say("hi")

    counted = bot.scrape()
    assert 1 == counted["clustaar_handlers_late_total", NAME, "timeout", "clustaar"]
    assert 1 == counted["clustaar_replies_total", "clustaar"]


def tell_crm(notification: Any) -> None:
    if notification.text == "fail":
        raise KeyError("John")


def test_jobs() -> None:
    """Jobs are counted when they are submitted, and when they are performed."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, task.later)
    for said in ("hi", "no"):
        bot.client.say(said)
    failing = json.loads(jobs[1])
    failing["notification"]["data"]["input"]["text"] = "fail"
    bot.webhook.perform(jobs[0])
    with pytest.raises(KeyError):
        bot.webhook.perform(json.dumps(failing))

    counted, name = bot.scrape(), f"{__name__}.tell_crm"
    assert 2 == counted["clustaar_jobs_submitted_total", name, "clustaar"]
    assert 2 == counted["clustaar_job_duration_seconds_count", name, "clustaar"]
    assert 1 == counted["clustaar_job_failures_total", "KeyError", name, "clustaar"]


def test_a_job_that_is_not_known() -> None:
    """A task that the program does not have creates no series."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, task.later)
    bot.client.say("hi")
    with pytest.raises(InvalidJob):
        bot.webhook.perform(json.dumps(json.loads(jobs[0]) | {"task": "invented"}))

    counted = bot.scrape()
    assert (
        1 == counted["clustaar_job_failures_total", "InvalidJob", "other", "clustaar"]
    )


def test_a_repeat(bot: Bot) -> None:
    """The same delivery again is a repeat, and neither a notification nor a reply."""
    bot.client.say("hi")
    bot.client.resend()

    counted = bot.scrape()
    assert 1 == counted["clustaar_repeats_total", "clustaar"]
    assert 1 == counted["clustaar_replies_total", "clustaar"]
    assert 1 == counted["clustaar_notifications_total", STEP, "clustaar"]


def test_a_rejection(bot: Bot) -> None:
    """Requests that are rejected are counted by their code."""
    for _ in range(2):
        bot.app.test_client().post("/clustaar", json={})

    rejections = ("clustaar_rejections_total", "signature_missing", "clustaar")
    assert {rejections: 2} == bot.scrape()


def test_topics_of_clients(bot: Bot) -> None:
    """Topics that clients invent are one series."""
    for number in range(20):
        invented = notification() | {"topic": f"invented.{number}"}
        assert 404 == bot.client.send(invented).status_code

    assert {
        ("clustaar_notifications_total", "other", "clustaar"): 20,
        ("clustaar_rejections_total", "no_handler", "clustaar"): 20,
    } == bot.scrape()


def test_several_webhooks() -> None:
    """One object counts for several webhooks, each under its name."""
    bot, app = Bot(), Flask("another")
    sales = ClustaarWebhook(app, name="sales", private_key="key")
    sales.on(STEP, greet)
    bot.metrics.init_app(sales)
    bot.metrics.init_app(sales)

    bot.client.say("hi")
    ClustaarClient(app).say("hi")

    counted = bot.scrape()
    assert 1 == counted["clustaar_replies_total", "clustaar"]
    assert 1 == counted["clustaar_replies_total", "sales"]


def test_other_webhooks_are_not_counted(bot: Bot) -> None:
    """An object counts only its webhooks."""
    other = Bot()
    for client in (other.client, other.client):
        client.say("fail")
        client.say("hi")
        client.resend()
    other.app.test_client().post("/clustaar", json={})

    assert {} == bot.scrape()


def test_metrics_live_as_long_as_the_webhook() -> None:
    """Nothing needs to refer to the object."""
    app, registry = Flask("bot"), CollectorRegistry()
    webhook = ClustaarWebhook(app, private_key="key")
    webhook.on(STEP, greet)
    PrometheusMetrics(registry=registry).init_app(webhook)

    ClustaarClient(app).say("hi")

    replies = registry.get_sample_value(
        "clustaar_replies_total", {"webhook": "clustaar"}
    )
    assert 1 == replies


def test_labels_have_no_personal_data(bot: Bot) -> None:
    """No text, name, id or key is in a scrape."""
    bot.client.say("My secret is a pin")
    bot.client.say("fail")

    text = bot.app.test_client().get("/metrics").text
    for secret in ("My secret", "John", "Doe", bot.client.step.id or "", "key"):
        assert secret not in text.replace("KeyError", "")


def test_files_of_all_processes(
    bot: Bot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a directory for all processes the view reads the files in it, only."""
    bot.client.say("hi")

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    assert {} == bot.scrape()


# -- what is made of them ------------------------------------------------------------

EXAMPLES = Path(__file__).parent.parent / "examples/observing"


def queries() -> list[str]:
    """Return the queries of the dashboard and the alerts."""
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    alerts = (EXAMPLES / "alerts.yaml").read_text()
    rules = re.findall(r"expr: >-\n((?: {10}.*\n)+)", alerts)
    assert len(rules) == alerts.count("- alert: ")
    return rules + [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ]


def test_dashboard_and_alerts_use_series_that_exist() -> None:
    """Each query is of series, labels and codes that a bot has."""
    jobs: list[str] = []
    bot = Bot(background=jobs.append)
    task = bot.webhook.task(tell_crm)
    bot.webhook.on(STEP, task.later)
    late = TextEquals("late")
    bot.webhook.on(STEP, lambda notification: None, filter=late, deadline=1e-9)
    for said in ("fail", "late", "hi"):
        bot.client.say(said)
    bot.client.resend()
    with pytest.raises(KeyError):
        bot.webhook.perform(jobs[0].replace('"hi"', '"fail"'))
    bot.app.test_client().post("/clustaar", json={})
    text = bot.app.test_client().get("/metrics").text
    series = set(re.findall(r"^(clustaar_\w+)[{]", text, re.M))
    labels = {*re.findall(r'[{,](\w+)="', text)}

    for query in queries():
        assert set(re.findall(r"clustaar_\w+", query)) <= series
        for grouped in re.findall(r"by \(([^)]+)\)", query):
            assert set(re.split(r",\s*", grouped)) <= labels
        for matched in re.findall(r"[{,](\w+)=", query):
            assert matched in labels
        assert set(re.findall(r'code="(\w+)"', query)) <= set(PROBLEMS)
        assert query.count("(") == query.count(")")


# -- several processes ---------------------------------------------------------------

KEY = "the key of measured"


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Three workers, with the configuration of the page."""
    directory = tmp_path_factory.mktemp("measured")
    _, _, block = PAGE.read_text().partition(":caption: gunicorn.conf.py\n")
    lines = re.match(r"(?:   .*\n|\n)+", block)
    assert lines
    config = directory / "gunicorn.conf.py"
    config.write_text("".join(line[3:] or "\n" for line in lines[0].splitlines(True)))
    (directory / "metrics").mkdir()
    (directory / "metrics/counter_1.db").write_bytes(b"left behind")
    with gunicorn(
        directory,
        module="measured",
        options=["--config", str(config)],
        workers=3,
        threads=2,
        clustaar_private_key=KEY,
        # A busy machine may need long for all requests.
        clustaar_request_max_age=600,
        clustaar_replay_store=f"sqlite:///{directory}/replay.db",
    ) as server:
        yield server


def scrape(server: Server) -> Series:
    answer = exchange(server, [request("/metrics", [], b"", method="GET")])
    assert 200 == answer.status, server.log
    return series(answer.body.decode())


def test_several_processes_add_up(server: Server) -> None:
    """Of 500 requests to three workers, each is counted once, by any worker."""
    bodies = [
        *(_body(text, number) for text in ("hi",) for number in range(340)),
        *(_body("fail", number) for number in range(30)),
        *(_body("invalid", number) for number in range(20)),
    ]
    good = [(body, signed_headers(body, key=KEY)) for body in bodies]
    repeated = good[:40]
    forged = [(body, signed_headers(body, key="another")) for body in bodies[:50]]
    unknown = [
        (body, signed_headers(body, key=KEY))
        for body in (_body("hi", n, topic=f"invented.{n}") for n in range(20))
    ]
    first = good + forged + unknown
    random.Random(1).shuffle(first)

    with ThreadPoolExecutor(6) as pool:
        statuses = Counter(pool.map(lambda each: _post(server, *each), first))
        statuses += Counter(pool.map(lambda each: _post(server, *each), repeated))

    assert 500 == sum(statuses.values())
    assert {200: 380, 403: 50, 404: 20, 500: 50} == statuses
    handler = "measured.answer"
    expected = {
        ("clustaar_notifications_total", STEP, "clustaar"): 390,
        ("clustaar_notifications_total", "other", "clustaar"): 20,
        ("clustaar_handler_duration_seconds_count", handler, "clustaar"): 390,
        ("clustaar_replies_total", "clustaar"): 340,
        ("clustaar_repeats_total", "clustaar"): 40,
        ("clustaar_rejections_total", "signature_invalid", "clustaar"): 50,
        ("clustaar_rejections_total", "no_handler", "clustaar"): 20,
        ("clustaar_handler_failures_total", "LookupError", handler, "clustaar"): 30,
        ("clustaar_handler_failures_total", "InvalidReply", handler, "clustaar"): 20,
    }
    assert [expected] * 9 == [scrape(server) for _ in range(9)]


def _body(text: str, number: int, **envelope: Any) -> bytes:
    document = notification(number=f"{text} {number}") | envelope
    document["data"]["input"]["text"] = text
    return json.dumps(document).encode()


def _post(server: Server, body: bytes, headers: list[tuple[str, str]]) -> int:
    """Send a request until it is answered: a busy server hangs up on some."""
    pieces = [request("/clustaar", headers, body)]
    return until(lambda: exchange(server, pieces).status)
