"""``flask clustaar check``: mistakes in a bot or a reply."""

from __future__ import annotations

import functools
import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from operator import truth
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from cli_bots import ANSWER, ASK, KEY, PASSWORD, USERNAME, ok, run, sentence
from click.testing import Result
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_clustaar import ClustaarWebhook, HandlerGroup, Notification, events
from flask_clustaar.channels import CHANNELS, SUPPORT, ZENDESK, support
from flask_clustaar.cli.checks.handlers import covers
from flask_clustaar.errors import ReplayStoreError
from flask_clustaar.filters import (
    BotID,
    Channel,
    Filter,
    InputType,
    SessionValue,
    StepID,
    TextEquals,
)
from flask_clustaar.models import Action, ButtonAction
from flask_clustaar.replay import MemoryReplayStore
from flask_clustaar.testing import ClustaarClient, make_notification
from flask_clustaar.wire import members_of


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that other tests imported are not below the application's directory."""
    monkeypatch.chdir(tmp_path)


TOPIC = events.CONVERSATION_STEP_REACHED

#: With these settings no problems are found.
GOOD: dict[str, Any] = {
    "private_key": KEY,
    "auth_username": USERNAME,
    "auth_password": PASSWORD,
    "replay_store": MemoryReplayStore(100),
}


def handler(notification: Notification) -> None:
    """Is never run."""


def other(notification: Notification) -> None:
    """Is never run."""


def webhook_of(**settings: Any) -> tuple[Flask, ClustaarWebhook]:
    app = Flask("bot")
    return app, ClustaarWebhook(app, **GOOD | settings)


def found(app: Flask | Callable[[], Flask]) -> list[str]:
    """Return the findings for an application, as 'level: message'."""
    rows = json.loads(run(app, "check", "--json").output)
    return [f"{row['level']}: {row['message']}" for row in rows]


def found_in_settings(**settings: Any) -> list[str]:
    app, webhook = webhook_of(**settings)
    webhook.on(TOPIC, handler)
    return found(app)


# -- helpers -------------------------------------------------------------------------


def test_nothing() -> None:
    """A correct bot passes, also with '--strict'."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler)
    assert ok(run(app, "check", "--strict")) == "No problems found.\n"


def test_findings_are_sorted() -> None:
    """The worst comes first, and the number of each kind last."""
    app, webhook = webhook_of(replay_store="memory", request_max_age=None)
    webhook.on(TOPIC, handler, filter=StepID("a") & StepID("b"))
    ClustaarWebhook(app, name="sales", **GOOD | {"replay_store": "off"})

    result = run(app, "check")

    lines = result.output.splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["error", "clustaar"],
        ["warning", "clustaar"],
        ["warning", "sales"],
        ["warning", "sales"],
        ["hint", "clustaar"],
    ]
    assert lines[-1] == "1 error, 3 warnings, 1 hint."
    assert result.exit_code == 1


def test_strict() -> None:
    """Warnings fail the check if it is strict; hints never do."""
    app, webhook = webhook_of(replay_store="memory")
    webhook.on(TOPIC, handler)
    ok(run(app, "check", "--strict"))
    app, webhook = webhook_of(replay_store="off")
    webhook.on(TOPIC, handler)
    ok(run(app, "check"))
    assert run(app, "check", "--strict").exit_code == 1


def test_json() -> None:
    """'--json' has the same for programs."""
    app, webhook = webhook_of(replay_store="memory")
    webhook.on(TOPIC, handler)
    (finding,) = json.loads(ok(run(app, "check", "--json")))
    assert finding["level"] == "hint"
    assert finding["where"] == "clustaar"
    assert finding["code"] == "memory_store"
    assert set(finding) == {"level", "code", "where", "message"}


# -- settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({"private_key": None}, "warning: Requests are not signed"),
        (
            {"auth_username": None, "auth_password": None},
            "hint: No password is required.",
        ),
        ({"private_key": "short"}, "warning: A private key has fewer than 12 char"),
        ({"auth_password": "short"}, "warning: A password has fewer than 12 charac"),
        ({"request_max_age": None}, "warning: 'CLUSTAAR_REQUEST_MAX_AGE' is None"),
        ({"request_max_age": 61}, "warning: 'CLUSTAAR_REQUEST_MAX_AGE' is 61 sec"),
        ({"clock_skew": 90}, "warning: 'CLUSTAAR_CLOCK_SKEW' is 90 seconds"),
        (
            {"signature_algorithms": "sha1, sha256"},
            "hint: 'CLUSTAAR_SIGNATURE_ALGORITHMS' lists more than one algorithm, so "
            "security is that of the weakest ('sha1').",
        ),
        ({"replay_store": None}, "warning: 'CLUSTAAR_REPLAY_STORE' is off"),
        ({"replay_store": "memory"}, "hint: The replay store is in memory"),
        (
            {"replay_on_store_error": "allow"},
            "warning: 'CLUSTAAR_REPLAY_ON_STORE_ERROR' is 'allow'",
        ),
    ],
)
def test_weak_setting(settings: dict[str, Any], finding: str) -> None:
    """A setting that weakens the webhook is found, and nothing else is."""
    (one,) = found_in_settings(**settings)
    assert one.startswith(finding)


@pytest.mark.parametrize(
    "settings",
    [
        {"request_max_age": 60, "clock_skew": 60},
        {"signature_algorithms": "sha256"},
        {"signature_algorithms": "sha256, sha256"},
        {"auth_username": "me"},
        {"replay_store": "off", "private_key": None},
    ],
)
def test_setting_that_weakens_nothing(settings: dict[str, Any]) -> None:
    """Values at the bound and settings without effect pass."""
    assert len(found_in_settings(**settings)) == ("private_key" in settings)


def test_open_webhook() -> None:
    """A webhook without authentication is an error."""

    def make() -> Flask:
        app = Flask("open")
        ClustaarWebhook(app).on(TOPIC, handler)
        return app

    (one,) = found(make)
    assert one.startswith("error: The webhook accepts unauthenticated requests.")


def test_misspelt_setting() -> None:
    """A setting that does not exist is found."""

    def make() -> Flask:
        app = Flask("misspelt")
        app.config["CLUSTAAR_REQUEST_MAXAGE"] = 5
        ClustaarWebhook(app, **GOOD).on(TOPIC, handler)
        return app

    (one,) = found(make)
    assert one.startswith("warning: Unknown setting 'CLUSTAAR_REQUEST_MAXAGE'")


def test_debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debug mode is found."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    (one,) = found_in_settings()
    assert one.startswith("warning: Debug mode is on")


def test_no_secret() -> None:
    """Secrets are never shown, not even weak ones."""

    def make() -> Flask:
        return webhook_of(private_key="s3cret ", auth_password="pa55 ")[0]

    output = run(make, "check").output
    assert "'private_key' begins or ends with white space" in output
    assert "s3cret" not in output
    assert "pa55" not in output


# -- the endpoint --------------------------------------------------------------------


#: From Werkzeug 3.2 on, a second rule for a URL is an error when it is added.
ONE_RULE = pytest.mark.skipif(
    tuple(map(int, version("werkzeug").split(".")[:2])) >= (3, 2),
    reason="Werkzeug refuses a second rule for one URL.",
)


@ONE_RULE
def test_hidden_endpoint() -> None:
    """An endpoint that another route takes is an error."""
    app = Flask("hidden")
    app.add_url_rule("/clustaar", "page", lambda: "", methods=["GET", "POST"])
    ClustaarWebhook(app, **GOOD).on(TOPIC, handler)
    assert found(app) == [
        "error: 'POST /clustaar' goes to 'page', and never reaches the webhook. Change "
        "'CLUSTAAR_URL_PREFIX', or the other route."
    ]


@ONE_RULE
def test_endpoint_of_two_webhooks() -> None:
    """Of two webhooks at one place the second one is hidden."""
    app, webhook = webhook_of(url_prefix="/bots")
    webhook.on(TOPIC, handler)
    ClustaarWebhook(app, name="b", **GOOD | {"url_prefix": "/bots"}).on(TOPIC, other)
    assert len(found(app)) == 2
    assert "goes to 'clustaar.receive'" in found(app)[0]


@ONE_RULE
def test_endpoint_that_redirects() -> None:
    """An endpoint behind a redirect is also hidden."""
    app = Flask("redirects")
    app.add_url_rule("/clustaar", "old", redirect_to="/new", methods=["POST"])
    ClustaarWebhook(app, **GOOD).on(TOPIC, handler)
    (one,) = found(app)
    assert one.startswith("error: 'POST /clustaar' is answered with ")


@pytest.mark.parametrize("prefix", ["/", "/a/b", "/<tenant>/bots"])
def test_endpoint_that_is_not_hidden(prefix: str) -> None:
    """Routes for other methods, and variables, hide nothing."""
    app = Flask("shown", static_url_path="")
    app.add_url_rule("/a/b", "page", lambda: "")
    ClustaarWebhook(app, **GOOD | {"url_prefix": prefix}).on(TOPIC, handler)
    assert found(app) == []


def test_endpoint_of_a_subdomain() -> None:
    """Subdomains are taken into account."""
    app = Flask("sub", subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.com"
    webhook = ClustaarWebhook(**GOOD)
    app.register_blueprint(webhook.blueprint, subdomain="bots")
    webhook.on(TOPIC, handler)
    assert found(app) == []


def test_endpoint_with_a_host() -> None:
    """With host matching, the webhook has a host."""
    app = Flask("host", host_matching=True, static_host="example.com")
    ClustaarWebhook(app, host="bots.example.com", **GOOD).on(TOPIC, handler)
    assert found(app) == []


# -- handlers ------------------------------------------------------------------------


def found_in_handlers(
    *filters: Filter | Callable[[Any], Any] | None, dispatch: str = "first"
) -> list[str]:
    """Return the findings for handlers with these filters."""
    app, webhook = webhook_of(dispatch=dispatch)
    for index, each in enumerate(filters):
        webhook.on(
            TOPIC, functools.partial(handler, *[]) if index else other, filter=each
        )
    return found(app)


A, B = StepID(ASK), StepID(ANSWER)


@pytest.mark.parametrize(
    "filters",
    [
        (None, None),
        (None, A),
        (A, A),
        (StepID([ASK, ANSWER]), A),
        (A | B, B),
        (A, A & Channel("facebook")),
        (A & Channel(["facebook", "intercom"]), A & Channel("facebook") & truth),
        (Channel("facebook"), Channel("facebook")),
        (truth, truth),
        (truth, A & truth),
        (Channel("facebook") | truth, truth),
        (Channel(["twilio", "iadvize"]), Channel("twilio") | Channel("iadvize")),
        (A, B, A | B),
        (~A, ~A),
    ],
)
def test_handler_that_never_runs(filters: tuple[Any, ...]) -> None:
    """Under 'first' a handler never runs if an earlier one gets all that it could."""
    (one,) = found_in_handlers(*filters)
    assert one.startswith(f"error: '{__name__}.handler' (test_cli_check.py:")
    assert f" never runs: '{__name__}.other' (test_cli_check.py:" in one or (
        len(filters) == 3
    )


@pytest.mark.parametrize(
    "filters",
    [
        (A, None),
        (A, B),
        (A & truth, A),
        (A & truth, B & truth),
        (Channel("facebook"), Channel(["facebook", "intercom"])),
        (Channel("facebook"), InputType("message")),
        (~A, A),
        (A, truth),
        (Channel("twilio"), Channel("twilio") | truth),
    ],
)
def test_handler_that_may_run(filters: tuple[Any, ...]) -> None:
    """A handler that can run is not complained about."""
    assert found_in_handlers(*filters) == []


def test_event_that_looks_misspelt() -> None:
    """An unknown name may be new, so it is only a warning."""
    app, webhook = webhook_of(dispatch="first")
    for event in (TOPIC, "conversation.step_reachd", "order.paid"):
        webhook.on(event, handler)
    webhook.fallback(other)
    assert found(app) == [
        f"warning: '{__name__}.handler' ({handler_place()}) is for the event "
        "'conversation.step_reachd'. Did you mean 'conversation.step_reached'?"
    ]


def test_step_that_looks_like_a_name() -> None:
    """No step will have that id."""
    assert found_in_handlers(StepID("Menu")) == [
        f"hint: '{__name__}.other' ({place(other)}) is for the step 'Menu', but "
        "a step id has 24 letters and digits. If this is a name, use 'StepName'."
    ]


def test_step_that_never_arrives() -> None:
    """For a handler with several steps, the steps of earlier handlers are named."""
    assert found_in_handlers(A, A | B) == [
        f"warning: '{__name__}.handler' ({handler_place()}) never runs for the "
        f"step '{ASK}': '{__name__}.other' ({place(other)}) is registered earlier "
        "and matches every time."
    ]


def place(function: Any) -> str:
    return f"test_cli_check.py:{function.__code__.co_firstlineno}"


def handler_place() -> str:
    return place(handler)


@pytest.mark.parametrize("dispatch", ["all", "first"])
def test_step_that_cannot_be(dispatch: str) -> None:
    """No step has two ids."""
    (one,) = found_in_handlers(A & B, dispatch=dispatch)
    assert one.endswith("never runs: no step has two ids.")


def test_other_topics() -> None:
    """Handlers of other topics do not come first."""
    app, webhook = webhook_of(dispatch="first")
    webhook.on(TOPIC, handler)
    webhook.on("other", other)
    assert found(app) == []


@pytest.mark.parametrize("filters", [(A, A), (None, A), (A, None), (A, A & truth)])
def test_function_that_runs_twice(filters: tuple[Any, ...]) -> None:
    """With 'all', a function that is registered twice runs twice."""
    app, webhook = webhook_of()
    for each in filters:
        webhook.on(TOPIC, handler, filter=each)
    assert found(app) == [
        f"warning: '{__name__}.handler' ({place(handler)}) is registered twice, so "
        "it runs twice."
    ]


def test_functions_that_run_once() -> None:
    """With 'all', two functions, or one for two steps, are correct."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler, filter=A)
    webhook.on(TOPIC, handler, filter=B)
    webhook.on(TOPIC, other)
    assert found(app) == []


def test_fallback_that_never_runs() -> None:
    """A fallback never runs if a handler matches everything."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, handler)
    webhook.fallback(TOPIC, other)
    (one,) = found(app)
    assert one.startswith(f"error: The fallback '{__name__}.other'")
    assert f"never runs: '{__name__}.handler'" in one


def test_fallbacks_that_may_run() -> None:
    """A fallback for all events, or with filtered handlers, may run."""
    app, webhook = webhook_of()
    group = HandlerGroup(filter=Channel("facebook"))
    group.fallback(TOPIC, other)
    webhook.on(TOPIC, handler, filter=A)
    webhook.include(group)
    webhook.fallback(handler)
    assert found(app) == []


def test_no_handlers() -> None:
    """A bot without handlers is found."""
    app, _ = webhook_of()
    (one,) = found(app)
    assert one.startswith("warning: The webhook has no handlers")


# -- deadlines -----------------------------------------------------------------------


def found_of_deadlines(app: Flask) -> list[str]:
    """Return the findings, except about gevent, which may be installed."""
    return [each for each in found(app) if "gevent" not in each]


def test_deadline_without_a_late_handler() -> None:
    """The check names the handlers for which nothing answers."""
    app, webhook = webhook_of()
    group = HandlerGroup()
    group.on(TOPIC, handler, filter=StepID("c" * 24), deadline=2)
    group.late(other)
    webhook.include(group)
    webhook.on(TOPIC, handler, filter=StepID("a" * 24), deadline=2)
    webhook.on(TOPIC, other, filter=StepID("b" * 24))

    assert found_of_deadlines(app) == [
        f"warning: There is no late handler for '{__name__}.handler'. The answer is "
        "503 'handler_late' if it is late. Register one with '@webhook.late'."
    ]


def test_deadlines_of_many_handlers() -> None:
    """Three are named. With 'passthrough' the answer is another one."""
    app, webhook = webhook_of(deadline=2, on_error="passthrough")
    for letter in "abcde":
        webhook.on(TOPIC, handler, filter=StepID(letter * 24))
    (message,) = found_of_deadlines(app)

    assert message.count(f"{__name__}.handler") == 3
    assert "and 2 more. The step is returned unchanged if it is late." in message


def test_deadline_after_the_lease() -> None:
    """The same delivery could run twice at the same time."""
    app, webhook = webhook_of(deadline=60)
    webhook.on(TOPIC, handler)
    webhook.late(other)

    (message,) = found_of_deadlines(app)
    assert (
        "A handler may take 60 seconds, but the same delivery may be handled again"
        in (message)
    )
    assert "'CLUSTAAR_REPLAY_LEASE' to 90 or more." in message


@pytest.mark.parametrize("patched", [True, False])
def test_deadline_under_gevent(monkeypatch: pytest.MonkeyPatch, patched: bool) -> None:
    """A busy handler delays the late reply. Installed only, it is a hint."""
    monkey: Any = SimpleNamespace(is_module_patched=lambda name: patched)
    gevent: Any = SimpleNamespace(monkey=monkey, __spec__="a spec")
    monkeypatch.setitem(sys.modules, "gevent", gevent)
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)
    app, webhook = webhook_of(deadline=2)
    webhook.on(TOPIC, handler)
    webhook.late(other)

    (message,) = found(app)
    level, what = ("warning", "in use") if patched else ("hint", "installed")
    assert message.startswith(
        f"{level}: gevent is {what}. It cannot send the late reply"
    )


def test_many_handlers() -> None:
    """Thousands of handlers are checked quickly."""
    app, webhook = webhook_of(dispatch="first")
    for number in range(3_000):
        webhook.on(TOPIC, handler, filter=StepID(f"{number:024}"))
    assert found(app) == []


#: A few filters, of which many cover each other.
FILTERS = st.recursive(
    st.sampled_from(
        [
            *(StepID(each) for each in ("a", "b", ["a", "b"])),
            *(Channel(each) for each in ("x", ["x", "y"])),
            TextEquals("hi"),
            SessionValue("n", 1),
            BotID("a"),
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda both: both[0] & both[1]),
        st.tuples(inner, inner).map(lambda both: both[0] | both[1]),
        inner.map(lambda one: ~one),
    ),
    max_leaves=5,
)
NOTIFICATIONS = [
    make_notification(
        step=step, channel=channel, text=text, session={"n": n}, bot_id=bot
    )
    for step in "abc"
    for channel in "xyz"
    for text in ("hi", "ho")
    for n in (1, 2)
    for bot in "ab"
]


@settings(max_examples=150)
@given(wide=FILTERS, narrow=FILTERS)
def test_covers(wide: Filter, narrow: Filter) -> None:
    """A filter that covers another one matches everything the other matches."""
    if covers(wide, narrow):
        for notification in NOTIFICATIONS:
            assert wide(notification) or not narrow(notification)


# -- what only the source shows ------------------------------------------------------


def check_source(tmp_path: Path, source: str) -> list[str]:
    """Return the findings for a program."""
    file = tmp_path / "program.py"
    file.write_text(source)
    names: dict[str, Any] = {}
    exec(compile(source, str(file), "exec"), names)
    app, webhook = webhook_of()
    webhook.on(TOPIC, names["handle"], filter=A)
    return found(app)


HANDLE = """
from flask_clustaar import filters
from flask_clustaar.filters import StepID

def handle(notification): ...

"""


@pytest.mark.parametrize(
    "source",
    [
        "StepID('a', 'b', 'a')",
        "StepID(['a', 'b', 'a'])",
        "filters.StepID(('a', 'a'))",
        "[StepID({'a', 'b', 'a'})]",
    ],
)
def test_step_that_is_listed_twice(source: str, tmp_path: Path) -> None:
    """A step id that occurs twice in a filter is found, with its place."""
    assert check_source(tmp_path, HANDLE + source) == [
        "warning: A 'StepID' lists 'a' twice (program.py:7)."
    ]


@pytest.mark.parametrize(
    "source",
    [
        "StepID('a', 'b')",
        "StepID('a'), StepID('a')",
        "print('a', 'a', end='')",
        "N = 1",
    ],
)
def test_steps_that_are_listed_once(source: str, tmp_path: Path) -> None:
    """The same step in two filters is correct."""
    assert (
        check_source(tmp_path, f"{HANDLE}{source}\n(lambda *_: 0)(StepID, 1, 1)") == []
    )


def test_no_source(tmp_path: Path) -> None:
    """Handlers without a source are passed over."""
    app, webhook = webhook_of()
    names: dict[str, Any] = {}
    exec(compile("def handle(_): ...", str(tmp_path / "gone.py"), "exec"), names)
    webhook.on(TOPIC, names["handle"], filter=A)
    webhook.on(TOPIC, functools.partial(handler), filter=B)
    webhook.on(TOPIC, str)
    assert found(app) == []


# -- a reply -------------------------------------------------------------------------


def check_reply(reply: Any, *arguments: str) -> Result:
    text = reply if isinstance(reply, str) else json.dumps(reply)
    return run(None, "check", "-", *arguments, input=text)


def lines(reply: Any, *arguments: str) -> list[str]:
    return check_reply(reply, *arguments).output.splitlines()[:-1]


def text(length: int = 1) -> dict[str, Any]:
    said = "x" * length
    return {"type": "send_text_action", "alternatives": [said], "text": said}


def quick_replies(*titles: str) -> dict[str, Any]:
    action = {"type": "go_to_action", "target": {"type": "step", "id": ASK}}
    buttons = [{"title": title, "action": action} for title in titles]
    return {"type": "send_quick_replies_action", "message": "?", "buttons": buttons}


def jump(target: Any) -> dict[str, Any]:
    return {"type": "jump_to_action", "defaultTarget": target, "connections": []}


STEP = {"type": "step", "id": ASK}


@pytest.mark.parametrize(
    "reply",
    [
        {"actions": []},
        {
            "actions": [text(), quick_replies("Red", "Blue"), jump(STEP)],
            "session": None,
        },
        [text()],
        text(),
        "\ufeff[]",
    ],
)
def test_good_reply(reply: Any) -> None:
    """A reply passes, and so does what else a handler can return."""
    assert ok(check_reply(reply, "--strict")) == "No problems found.\n"


def test_violations() -> None:
    """A value that the platform rejects is an error with its path."""
    reply = {"actions": [text(1001), {"type": "wait_action", "duration": 9}], "x": 1}
    assert [line.split(": ")[:2] for line in lines(reply)] == [
        ["error", "actions.0.alternatives.0"],
        ["error", "actions.0.text"],
        ["error", "actions.1.duration"],
        ["error", "x"],
        ["hint", "actions.0.text"],
        ["hint", "actions.0.alternatives.0"],
    ]
    assert check_reply(reply).exit_code == 1
    assert lines({}) == [
        "error: actions: Missing data for required field. [invalid_reply]"
    ]
    untitled = quick_replies("Red") | {"buttons": [{"title": 5}, 6]}
    assert lines([untitled, {"type": []}], "--channel", "facebook") != []


@pytest.mark.parametrize(
    ("actions", "dead"),
    [
        ([jump(STEP), text(), jump(STEP)], [1, 2]),
        ([text(), jump(STEP), text()], [2]),
        ([jump(None), text()], []),
        ([text(), jump(STEP)], []),
    ],
)
def test_after_a_jump(actions: list[Any], dead: list[int]) -> None:
    """Actions after an unconditional jump are never executed."""
    found = [line for line in lines(actions) if "never executed" in line]
    assert [line.split(": ")[1] for line in found] == [f"actions.{i}" for i in dead]


def test_same_titles() -> None:
    """Quick replies with the same title cannot be distinguished."""
    assert lines([quick_replies("Red", "Blue", "Red")]) == [
        "warning: actions.0.buttons.2.title: buttons.0 has the same title, and the "
        "webchat cannot tell the two apart. Use different titles. [same_title]"
    ]


LONG = {
    "type": "send_cards_action",
    "cards": [{"type": "card", "title": "x"} for _ in range(11)],
}


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (text(501), "actions.0.text"),
        (quick_replies("x" * 21), "actions.0.buttons.0.title"),
        (quick_replies("x") | {"message": "x" * 501}, "actions.0.message"),
        (LONG, "actions.0.cards"),
    ],
)
def test_too_long_for_messenger(action: dict[str, Any], path: str) -> None:
    """Lower limits of Messenger are reported."""
    assert lines([action])[0].startswith(f"hint: {path}: Messenger accepts ")
    assert "Messenger" in "".join(lines([action], "--channel", "messenger"))
    assert "Messenger" not in "".join(lines([action], "--channel", "webchat"))


def test_just_fits_messenger() -> None:
    """Values within Messenger's limits are not reported."""
    cards = LONG | {"cards": LONG["cards"][:10]}
    assert lines([text(500), quick_replies("x" * 20), cards]) == []


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        ("webchat", None),
        ("facebook", None),
        (
            "Intercom",
            "warning: actions.0: 'send_cards_action' has no effect on Intercom: it",
        ),
        (
            "google assistant",
            "warning: actions.0: 'send_cards_action' has no effect on Goog",
        ),
    ],
)
def test_channel(channel: str, line: str | None) -> None:
    """With '--channel', actions that the channel does not show are reported."""
    told = lines([LONG | {"cards": LONG["cards"][:1]}], "--channel", channel)
    assert told == [] if line is None else told[0].startswith(line)


def test_channel_of_which_nothing_is_known() -> None:
    """Undocumented support is a hint."""
    action = {"type": "send_image_action", "imageURL": "https://example.com/x.png"}
    assert lines([action], "--channel", "twilio") == [
        "hint: actions.0: Support for 'send_image_action' on Twilio is not documented. "
        "[channel_undocumented]"
    ]


def test_button_that_does_nothing() -> None:
    """Buttons are also checked."""
    action = quick_replies("Share")
    action["buttons"][0]["action"] = {"type": "share_action"}
    assert lines([action], "--channel", "clustaar-web-chat") == [
        "warning: actions.0.buttons.0.action: 'share_action' has no effect on the "
        "webchat: the button is shown, but has no effect. [not_on_channel]"
    ]


def test_table_of_channels() -> None:
    """The table has a mark for each channel but Zendesk, of actions that there are."""
    assert list(CHANNELS).index(ZENDESK) == len(CHANNELS) - 1
    assert {len(row) for row in SUPPORT.values()} == {len(CHANNELS) - 1}
    assert support("send_cards_action", ZENDESK) == "y"
    assert set("".join(SUPPORT.values())) == set("y-?")
    assert set(SUPPORT) <= {*members_of(Action), *members_of(ButtonAction)}


def test_options_of_replies() -> None:
    """A channel has to be known, and is a reply's."""
    error = sentence(run(None, "check", "-", "--channel", "fax", input="[]"), 2)
    assert "'fax' is not one of 'clustaar_web_chat', 'facebook'," in error
    error = sentence(run(None, "check", "--channel", "facebook"), 2)
    assert error == "'--channel' needs the FILE of a reply."


@pytest.mark.parametrize("reply", ["5", "null", "[1]", "true"])
def test_no_reply(reply: str) -> None:
    """JSON that is not a reply is an error."""
    assert sentence(check_reply(reply)).startswith("The file is not a reply. ")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("{", "Standard input is not JSON: "),
        ("[" * 100_000, "The document is nested too deeply."),
        ('[{"a":' * 450 + "0" + "}]" * 450, ""),
        ("NaN", "Standard input is not JSON: 'NaN' is not a JSON number."),
        ("1" * 5_000, "Standard input is not JSON: "),
    ],
)
def test_no_json(reply: str, error: str) -> None:
    """Invalid or too deeply nested JSON is an error."""
    result = check_reply(reply)
    assert isinstance(result.exception, SystemExit)
    assert error in result.output


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["type", "actions", "buttons", "cards", "title"]), inner
    ),
)  # fmt: skip


@settings(max_examples=50)
@given(reply=JSON, channel=st.sampled_from([[], ["--channel", "intercom"]]))
def test_any_json(reply: Any, channel: list[str]) -> None:
    """No JSON makes it a traceback."""
    result = check_reply(json.dumps(reply), *channel)
    assert result.exception is None or isinstance(result.exception, SystemExit)


@settings(max_examples=30)
@given(rubbish=st.binary())
def test_rubbish(rubbish: bytes) -> None:
    """No bytes make it a traceback."""
    result = run(None, "check", "-", input=rubbish)
    assert result.exception is None or isinstance(result.exception, SystemExit)


# -- two handlers that answer --------------------------------------------------------


def speaks(notification: Notification) -> str:
    return "One."


def speaks_too(notification: Notification) -> str:
    return "Two."


def returns_nothing(notification: Notification) -> None:
    return None


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [
        ((speaks, A), (speaks_too, A), True),
        ((speaks, A), (speaks_too, A & truth), True),
        ((speaks, A), (speaks_too, StepID([ASK, ANSWER])), True),
        ((speaks, A), (speaks_too, B), False),
        ((speaks, A & Channel("facebook")), (speaks_too, A & truth), False),
        ((speaks, A), (handler, A), False),
        ((speaks, A), (returns_nothing, A), False),
        ((speaks, A), (str, A), True),
    ],
)
def test_two_handlers_that_both_answer(
    one: tuple[Any, Any], two: tuple[Any, Any], both: bool
) -> None:
    """Under 'all' two handlers for one step both speak, if both return something."""
    for dispatch in ("all", "first"):
        app, webhook = webhook_of(dispatch=dispatch)
        for function, condition in (one, two):
            webhook.on(TOPIC, function, filter=condition)
        told = [each for each in found(app) if "both answer for the step" in each]
        assert bool(told) == (both and dispatch == "all")


def test_both_answers_are_sent() -> None:
    """With 'all', the bot sends the answers of all handlers that return one."""
    app, webhook = webhook_of()
    for function in (speaks, returns_nothing, speaks_too):
        webhook.on(TOPIC, function, filter=A)
    assert ClustaarClient(app).at(ASK).say("hi").texts == ["One.", "Two."]


def test_handlers_that_both_answer_for_many_steps() -> None:
    """Two functions are reported once, with the number of their steps."""
    app, webhook = webhook_of()
    webhook.on(TOPIC, speaks, filter=StepID([ASK, ANSWER]))
    webhook.on(TOPIC, speaks_too, filter=StepID([ASK, ANSWER]))
    assert found(app) == [
        f"warning: '{__name__}.speaks' ({place(speaks)}) and "
        f"'{__name__}.speaks_too' ({place(speaks_too)}) both answer for the step "
        f"'{ASK}' and 1 more, so the bot sends both answers. To run only the first "
        "handler, set 'CLUSTAAR_DISPATCH' to 'first'."
    ]


# -- names that do not exist ---------------------------------------------------------


@pytest.mark.parametrize(
    ("filter", "finding"),
    [
        (
            lambda: InputType("mesage"),
            "warning: {} is for the input type 'mesage', which does "
            "not exist. Did you mean 'message'?",
        ),
        (
            lambda: ~InputType("x"),
            "warning: {} is for the input type 'x', which does not exist.",
        ),
        (
            lambda: Channel("webchat"),
            "warning: {} is for the unknown channel 'webchat'. "
            "Did you mean 'clustaar_web_chat'?",
        ),
        (
            lambda: Channel("Facebook") | A,
            "warning: {} is for the unknown channel 'Facebook'. "
            "Did you mean 'facebook'?",
        ),
        (
            lambda: Channel("fax"),
            "hint: {} is for the unknown channel 'fax'.",
        ),
        (lambda: InputType("click", "message"), None),
        (lambda: Channel("twilio", ZENDESK), None),
    ],
)
@pytest.mark.filterwarnings("ignore:(Channel|InputType). ")
def test_name_that_does_not_exist(
    filter: Callable[[], Filter], finding: str | None
) -> None:
    """Unknown input types and channels are reported, with a similar known name."""
    name = f"'{__name__}.other' ({place(other)})"
    expected = [] if finding is None else [finding.format(name)]
    assert found_in_handlers(filter()) == expected


# -- the replay store ----------------------------------------------------------------


@pytest.mark.parametrize("on_error", ["refuse", "allow"])
def test_store_that_does_not_work(on_error: str) -> None:
    """A store that does not answer is an error, with the reason."""
    told = found_in_settings(
        replay_store="redis://127.0.0.1:1/", replay_on_store_error=on_error
    )
    (one,) = [each for each in told if each.startswith("error: ")]
    assert one.startswith("error: The replay store in Redis at '127.0.0.1:1' failed: ")
    assert "Connection refused" in one
    assert ("Until it works, requests are answered with 503." in one) == (
        on_error == "refuse"
    )


def test_store_that_says_why_it_fails() -> None:
    """The message of the store is shown, with its reason once."""

    class Locked(MemoryReplayStore):
        def claim(self, *args: Any, **kwargs: Any) -> NoReturn:
            reason = OSError("Permission denied.")
            raise ReplayStoreError(f"'a.db' failed: {reason} It is bob's.") from reason

    told = found_in_settings(replay_store=Locked())
    assert told[0] == (
        "error: 'a.db' failed: Permission denied. It is bob's. Until it works, "
        "requests are answered with 503."
    )


def test_path_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is shown resolved."""
    monkeypatch.chdir(tmp_path)
    (one,) = found_in_settings(replay_store="sqlite:///replay.db")
    assert one.startswith(
        "hint: The path of the replay store is relative to the working directory: "
    )
    assert f"'{tmp_path / 'replay.db'}'." in one
    assert found_in_settings(replay_store=f"sqlite:///{tmp_path / 'b.db'}") == []


# -- the environment -----------------------------------------------------------------


def test_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that was not read is reported, with the correct name."""
    monkeypatch.setenv("CLUSTAAR_PRIVATE_KEY", KEY)

    def make() -> Flask:
        app = Flask("open")
        ClustaarWebhook(app).on(TOPIC, handler)
        return app

    told = "\n".join(found(make))
    assert "FLASK_CLUSTAAR_PRIVATE_KEY" in told
    assert "from_prefixed_env" in told


def test_warnings_of_other_packages() -> None:
    """They are shown, and do not count, also with '--strict'."""

    def make() -> Flask:
        warnings.warn("Use memory storage only in development.", UserWarning, 2)
        app, webhook = webhook_of()
        webhook.on(TOPIC, handler)
        return app

    result = run(make, "check", "--strict")
    assert result.stdout == "No problems found.\n"
    assert result.stderr == "Warning: Use memory storage only in development.\n"


# -- codes ---------------------------------------------------------------------------


def test_codes_can_be_switched_off() -> None:
    """'--ignore' removes findings by code."""
    app, webhook = webhook_of(replay_store="memory", private_key="short")
    webhook.on(TOPIC, handler)
    options = ("--ignore", "short_secret,memory_store", "--ignore", "no_password")
    assert ok(run(app, "check", "--strict", *options)) == "No problems found.\n"


def test_code_that_does_not_exist() -> None:
    """A misspelt code is an error of usage."""
    result = run(None, "check", "--ignore", "no_pasword")
    assert result.exit_code == 2
    assert "no rule 'no_pasword'. Did you mean 'no_password'?" in result.output
    error = sentence(run(None, "check", "--ignore", "x"), 2)
    assert error.endswith("There is no rule 'x'. '--rules' lists the rules.")


def test_rules() -> None:
    """'--rules' lists all codes, with their level and meaning."""
    lines = ok(run(None, "check", "--rules")).splitlines()
    rows = json.loads(ok(run(None, "check", "--rules", "--json")))
    assert lines[0].split() == ["Code", "Level", "Meaning"]
    assert [line.split()[0] for line in lines[1:]] == [row["code"] for row in rows]
    assert {row["level"] for row in rows} == {"error", "warning", "hint"}
    assert [row["code"] for row in rows] == sorted(row["code"] for row in rows)


# -- what the webchat draws ----------------------------------------------------------


CARD = {"type": "card", "title": "T", "imageURL": "", "url": ""}


def card(**more: Any) -> dict[str, Any]:
    return {"type": "send_cards_action", "cards": [CARD | more]}


def choices(**more: Any) -> dict[str, Any]:
    one = {"type": "choice", "title": "One"}
    section = {"type": "section", "title": None, "choices": [one]}
    action = {"type": "go_to_action", "target": STEP}
    return {
        "type": "send_choices_list_action",
        "message": "Which?",
        "placeholder": "City",
        "sections": [section | more.pop("section", {})],
        "action": action,
    } | more


def button(title: str, kind: str = "go_to_action") -> dict[str, Any]:
    action: dict[str, Any] = {"type": kind, "target": STEP}
    if kind == "legacy_reply_to_message_action":
        action = {"type": kind, "message": "Hi"}
    if kind == "customer_satisfaction_callback_action":
        action["kind"] = "positive"
    return {"type": "button", "title": title, "action": action}


SATISFIED = {
    "type": "customer_satisfaction_action",
    "message": "<b>Good?</b>",
    "choices": [
        {"kind": kind, "label": label, "target": None, "matchingIntent": None,
         "type": "customer_satisfaction_choice"}
        for kind, label in (("positive", "<i>Yes</i>"), ("negative", "No"))
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (card(title="<b>Red</b>"), "actions.0.cards.0.title"),
        (card(subtitle="a &lt; b"), "actions.0.cards.0.subtitle"),
        (card(buttons=[button("<i>x</i>")]), "actions.0.cards.0.buttons.0.title"),
        (quick_replies("<b>Red</b>"), "actions.0.buttons.0.title"),
        (choices(message="<b>Which?</b>"), "actions.0.message"),
        (choices(placeholder="&amp;"), "actions.0.placeholder"),
        (choices(section={"title": "<b>F</b>"}), "actions.0.sections.0.title"),
        (SATISFIED, "actions.0.choices.0.label"),
    ],
)
def test_markup_where_the_webchat_draws_text(action: Any, path: str) -> None:
    """HTML in a field that the webchat shows as plain text is a warning."""
    (one,) = [line for line in lines([action]) if "[markup]" in line]
    assert one.startswith(f"warning: {path}: The webchat shows this field as plain te")
    assert "[markup]" not in "".join(lines([action], "--channel", "facebook"))


def test_markup_where_the_webchat_draws_html() -> None:
    """HTML in texts and in the messages of quick replies is drawn."""
    html = {
        "type": "send_text_action",
        "alternatives": ["<b>x</b>"],
        "text": "<b>x</b>",
    }
    assert lines([html, quick_replies("Red") | {"message": "<b>Which?</b>"}]) == []


@pytest.mark.parametrize(
    "kind", ["legacy_reply_to_message_action", "customer_satisfaction_callback_action"]
)
def test_button_of_a_card_that_is_not_drawn(kind: str) -> None:
    """The webchat does not show some buttons of cards."""
    told = lines([card(buttons=[button("Go", kind), button("Other")])])
    assert told == [
        "warning: actions.0.cards.0.buttons.0: The webchat does not show a card's "
        f"button with a '{kind}'. Use a quick reply. [not_drawn]"
    ]


@pytest.mark.parametrize("message", [None, ""])
def test_list_without_a_message(message: str | None) -> None:
    """The webchat shows an empty bubble for a list without a message."""
    told = lines([choices(message=message)])
    assert (
        "warning: actions.0: The list has no message, so the webchat shows an empty "
        "bubble. Add a 'message'. [no_message]"
    ) in told


def test_same_titles_elsewhere() -> None:
    """The same is true for buttons of a card and choices of a list."""
    one = {"type": "choice", "title": "One"}
    told = lines(
        [
            card(buttons=[button("Go"), button("Go")]),
            choices(section={"choices": [one, one]}),
        ]
    )
    assert [line.split(": ")[1] for line in told] == [
        "actions.0.cards.0.buttons.1.title",
        "actions.1.sections.0.choices.1.title",
    ]
