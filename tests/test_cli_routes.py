"""``flask clustaar routes``: the handlers, and who gets a notification."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_bots import ANSWER, ASK, KEY, ok, run, sentence, small_bot, two_bots
from flask import Flask, request
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_clustaar import ClustaarWebhook, HandlerGroup, Notification, events
from flask_clustaar.filters import StepID, TextMatches
from flask_clustaar.testing import make_notification

TOPIC = events.CONVERSATION_STEP_REACHED


def webhook_of(**settings: str) -> tuple[Flask, ClustaarWebhook]:
    app = Flask("bot")
    return app, ClustaarWebhook(app, private_key=KEY, **settings)  # type: ignore[arg-type]


def handler(notification: Notification) -> None:
    """Is never run."""


def other(notification: Notification) -> None:
    """Is never run."""


def raising(notification: Notification) -> bool:
    raise ZeroDivisionError


def notification(tmp_path: Path, **arguments: str) -> Path:
    file = tmp_path / "notification.json"
    file.write_text(json.dumps(make_notification(**arguments).received))  # type: ignore[arg-type]
    return file


# -- the table -----------------------------------------------------------------------


def test_deadlines() -> None:
    """The table has the deadline of each handler, and what answers then."""
    app, webhook = webhook_of()
    group = HandlerGroup(deadline=2)
    group.on(TOPIC, handler)
    group.late(other)
    webhook.include(group)
    webhook.on(TOPIC, other, deadline=0.5, filter=StepID("a"))
    webhook.on(TOPIC, other, filter=StepID("b"))

    rows = ok(run(app, "routes")).splitlines()[2:]
    assert f"{TOPIC} (2 s, then {__name__}.other)" in rows[0]
    assert f"{TOPIC} (0.5 s)" in rows[1]
    assert f"{TOPIC} " in rows[2] and " s" not in rows[2].partition(TOPIC)[2]


def test_groups_that_answer_alone(tmp_path: Path) -> None:
    """The table marks their handlers, and the explanation says who stays silent."""
    app, webhook = webhook_of()
    group = HandlerGroup(alone=True)
    group.on(TOPIC, handler)
    webhook.include(group)
    webhook.on(TOPIC, other)

    assert f"{TOPIC} (alone)" in ok(run(app, "routes"))

    lines = ok(
        run(app, "routes", "--explain", str(notification(tmp_path)))
    ).splitlines()

    assert lines[1].startswith(f"+ {__name__}.handler")
    silent = f"did not match: the group of '{__name__}.handler' answers alone"
    assert lines[2].endswith(silent)


def test_table() -> None:
    """Handlers are listed in their order, with topic, filter, name and place."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler, filter=StepID("a") & TextMatches("x"))
    webhook.on("some.topic", other)
    webhook.fallback(TOPIC, other)
    webhook.fallback(handler)

    headline, header, *rows = ok(run(app, "routes")).splitlines()

    assert headline == "clustaar: POST /clustaar (calls all matching handlers)"
    assert header.split() == ["Handler", "Place", "Event", "Filter"]
    place = f"test_cli_routes.py:{handler.__code__.co_firstlineno}"
    assert rows[0].startswith(f"{__name__}.handler  {place}  {TOPIC}  ")
    assert rows[0].endswith("  StepID('a') & TextMatches('x')")
    assert "  some.topic  " in rows[1]
    assert f"  {TOPIC} (fallback)  -" in rows[2]
    assert "  any (fallback)  " in rows[3]
    assert len({row.index("test_cli_routes.py:") for row in rows}) == 1


def test_long_filter_is_last() -> None:
    """A filter of many steps is whole, and makes no other row longer."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, other)
    webhook.on(TOPIC, handler, filter=StepID([f"{n:024}" for n in range(100)]))

    *_, short, long = ok(run(app, "routes")).splitlines()

    assert long.endswith(f"'{99:024}'])")
    assert len(short) < 100


def test_no_handlers() -> None:
    """A webhook without handlers says what that leads to."""
    app, _ = webhook_of(dispatch="first", url_prefix="/")
    assert ok(run(app, "routes")).splitlines() == [
        "clustaar: POST / (calls the first matching handler)",
        "No handlers: every notification is answered with 404.",
    ]


@pytest.mark.parametrize("server_name", [None, "example.com"])
def test_webhook_on_a_subdomain(server_name: str | None) -> None:
    """The URL of a webhook on a subdomain has its host."""
    app = Flask("sub", subdomain_matching=True)
    app.config["SERVER_NAME"] = server_name
    webhook = ClustaarWebhook(private_key=KEY)
    app.register_blueprint(webhook.blueprint, subdomain="bots")
    host = f"bots.{server_name or 'localhost'}"
    assert f"clustaar: POST {host}/clustaar " in ok(run(app, "routes"))


def test_several_webhooks_are_groups() -> None:
    """Each webhook has its own list, and '--webhook' shows one of them."""
    sales, support = ok(run(two_bots(), "routes")).split("\n\n")
    assert sales.startswith("sales: POST /sales ")
    assert support.startswith("support: POST /support ")
    assert ok(run(two_bots(), "routes", "--webhook", "support")) == support


# -- the explanation -----------------------------------------------------------------


def test_explanation(tmp_path: Path) -> None:
    """For each handler, the output says whether it would run, and why."""
    result = run(small_bot(), "routes", "--explain", notification(tmp_path, step=ASK))

    lines = ok(result).splitlines()[1:]
    assert [line[0] for line in lines] == ["+", "-", "-"]
    assert f"StepID('{ASK}') matched: data.step.id is '{ASK}'" in lines[0]
    assert f"StepID('{ANSWER}') did not match: data.step.id is '{ASK}'" in lines[1]


def test_explanation_under_first(tmp_path: Path) -> None:
    """With 'first', one handler runs, and the other matching ones are marked."""
    app, webhook = webhook_of(dispatch="first")
    webhook.on(TOPIC, handler)
    webhook.on(TOPIC, other)

    result = run(app, "routes", "--explain", notification(tmp_path))

    first, second = ok(result).splitlines()[1:]
    assert first.startswith("+ ")
    assert second.startswith("- ")
    assert second.endswith(f", but '{__name__}.handler' runs first")


def test_explanation_of_a_fallback(tmp_path: Path) -> None:
    """The fallback gets unmatched notifications."""
    app, webhook = webhook_of()
    webhook.on("other", handler)
    webhook.fallback(other)

    lines = ok(run(app, "routes", "--explain", notification(tmp_path))).splitlines()

    assert [line[0] for line in lines[1:]] == ["-", "+"]
    assert "fallback matched: no other handler did" in lines[2]


def test_nobody_would_get_it(tmp_path: Path) -> None:
    """An unmatched notification is a failure, and a decorator is suggested."""
    file = notification(tmp_path, step="5a8c317624acbe05b1a36feb")

    result = run(small_bot(), "routes", "--explain", file)

    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        "To handle it: @webhook.on_step('5a8c317624acbe05b1a36feb')"
    )


def test_somebody_in_one_of_two_bots(tmp_path: Path) -> None:
    """It is successful if one of several webhooks handles it."""
    app = two_bots()
    ClustaarWebhook(app, name="empty", private_key=KEY)

    result = run(app, "routes", "--explain", notification(tmp_path))

    assert ok(result).count("+ ") == 2


def test_filter_that_fails(tmp_path: Path) -> None:
    """If a filter raises, no handler would run, and the output says so."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler)
    webhook.on(TOPIC, other, filter=raising)

    result = run(app, "routes", "--explain", notification(tmp_path))

    assert result.exit_code == 1
    _, first, second, end = result.output.splitlines()
    assert first.startswith("- ")
    assert "raising failed: it raised ZeroDivisionError" in second
    assert end == "No handler would run: a filter raised ZeroDivisionError."


def test_filter_that_uses_the_request(tmp_path: Path) -> None:
    """A filter may use 'flask.request'."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler, filter=lambda _: request.method == "POST")

    assert "+ " in ok(run(app, "routes", "--explain", notification(tmp_path)))


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("{", "Standard input is not a notification. The body is not valid JSON: "),
        ("[]", "Standard input is not a notification. "),
        ("{}", "Standard input is not a notification. "),
    ],
)
def test_no_notification(content: str, error: str) -> None:
    """A file that is not a notification is an error."""
    result = run(small_bot(), "routes", "--explain", "-", input=content)
    assert sentence(result).startswith(error)


@settings(max_examples=50)
@given(rubbish=st.binary())
def test_rubbish(rubbish: bytes) -> None:
    """No bytes make it a traceback."""
    result = run(small_bot(), "routes", "--explain", "-", input=rubbish)
    assert isinstance(result.exception, SystemExit)
