"""``flask clustaar send``: a notification, signed as the platform signs it."""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from cli_bots import (
    ANSWER,
    ASK,
    FAIL,
    KEY,
    PASSWORD,
    USERNAME,
    in_terminal,
    ok,
    run,
    sentence,
    small_bot,
    two_bots,
)
from flask import Flask, jsonify, request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.models import GoToAction, QuickReply, SendQuickRepliesAction
from flask_clustaar.security import basic_auth
from flask_clustaar.testing import make_notification

TOPIC = events.CONVERSATION_STEP_REACHED
NOTIFICATION = json.dumps(make_notification(step=ASK, text="Hi").received)


def both(**settings: Any) -> Flask:
    """Make the small bot, with a user name and a password."""
    return small_bot(auth_username=USERNAME, auth_password=PASSWORD, **settings)


class Seen:
    """A bot that keeps the notifications and the requests that it gets."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask("seen")
        self.notifications: list[Notification] = []
        self.bodies: list[bytes] = []
        self.dates: list[str] = []
        self.headers: list[dict[str, str]] = []
        webhook = ClustaarWebhook(self.app, **{"private_key": KEY} | settings)
        webhook.on(TOPIC, self.keep)

    def keep(self, notification: Notification) -> str:
        self.notifications.append(notification)
        self.bodies.append(request.get_data())
        self.dates.append(request.headers["Date"])
        self.headers.append(dict(request.headers))
        return "Seen."


# -- what is sent --------------------------------------------------------------------


def test_notification() -> None:
    """Options set the content of the notification."""
    seen = Seen()
    ok(
        run(
            seen.app,
            *("send", "--step", ASK, "--text", "5 < 6", "--channel", "intercom"),
            *("--step-name", "Ask"),
            *("--session", "age=25", "--session", "city=Paris", "--session", "x=NaN"),
            *("--user", "first_name=Ada", "--user", "phone_number=612", "--user"),
            *("last_name=null", "--user", 'custom_attributes={"a": "b"}'),
            *("--user-data", "blue"),
        )
    )
    (notification,) = seen.notifications
    user = notification.interlocutor
    step = notification.step
    assert (step.id, step.name, step.user_data) == (ASK, "Ask", "blue")
    assert (notification.text, notification.channel) == ("5 < 6", "intercom")
    assert notification.session.values == {"age": 25, "city": "Paris", "x": "NaN"}
    assert (user.first_name, user.last_name, user.phone_number) == ("Ada", None, "612")
    assert user.custom_attributes == {"a": "b"}


def test_default_step() -> None:
    """Without a step it is one that the bot has a handler for, if there is such."""
    assert "Which colour, John?" in ok(run(small_bot(), "send"))
    assert "Seen." in ok(run(Seen().app, "send"))


def test_file_is_sent_as_it_is(tmp_path: Path) -> None:
    """A file is sent unchanged, except for white space at its end."""
    seen = Seen()
    file = tmp_path / "notification.json"
    file.write_text(f"\n {NOTIFICATION} \n")

    ok(run(seen.app, "send", "--file", file))
    ok(run(seen.app, "send", "--file", "-", input=NOTIFICATION))

    sent = [body.rstrip() for body in seen.bodies]
    assert sent == [file.read_bytes().rstrip(), NOTIFICATION.encode()]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda call: call,
        lambda call: [call],
        lambda call: {"webhookCalls": [{"error": "no request"}, call]},
        lambda call: {"bot_reply": {"debug": {"webhookCalls": [call]}}},
        lambda call: {"debug": {"webhookCalls": [{"request": {"body": "{}"}}, call]}},
    ],
    ids=["call", "list", "calls", "reply", "last of two"],
)
def test_file_of_debug_output(wrap: Callable[[Any], Any]) -> None:
    """The request in the platform's debug output is sent; of several the last one."""
    call = {"request": {"method": "POST", "url": "x", "body": NOTIFICATION}}
    seen = Seen()

    ok(run(seen.app, "send", "--file", "-", input=json.dumps(wrap(call))))

    assert [body.rstrip() for body in seen.bodies] == [NOTIFICATION.encode()]


@pytest.mark.parametrize("content", ["5", '[{"request": 5}]', '{"webhookCalls": [0]}'])
def test_file_without_a_request(content: str) -> None:
    """JSON without a request in it is sent unchanged, and rejected."""
    result = run(small_bot(), "send", "--file", "-", input=content)
    assert result.exit_code == 1
    assert "bot  400 invalid_notification: " in result.output


def test_each_call_is_a_delivery_of_its_own() -> None:
    """Sent twice within a second, a notification runs twice."""
    seen = Seen()
    for _ in range(4):
        ok(run(seen.app, "send"))
        ok(run(seen.app, "send", "--file", "-", input=NOTIFICATION))
    assert len(seen.notifications) == 8


def test_channel_is_that_of_chat() -> None:
    """The default channel is the webchat, as in 'chat', and '--help' shows it."""
    seen = Seen()
    ok(run(seen.app, "send"))
    assert seen.notifications[0].channel == "clustaar_web_chat"
    assert "[default: clustaar_web_chat]" in ok(run(None, "send", "--help"))
    assert "[default: clustaar_web_chat]" in ok(run(None, "chat", "--help"))


def test_bot_and_headers() -> None:
    """'--bot-id' sets the bot; '--header' adds, replaces and removes headers."""
    seen = Seen(auth_username=USERNAME, auth_password=PASSWORD)
    ok(run(seen.app, "send", "--bot-id", "a" * 24, "--header", "X-Tenant: one"))
    assert seen.notifications[0].bot_id == "a" * 24
    assert seen.headers[0]["X-Tenant"] == "one"
    result = run(seen.app, "send", "--header", "Authorization:")
    assert "401 credentials_missing" in result.output


def test_no_date() -> None:
    """'--date none' removes the date."""
    assert "400 date_missing" in run(both(), "send", "--date", "none").output


@pytest.mark.parametrize("option", ["--step", "--text", "--user-data", "--channel"])
def test_file_is_whole(option: str) -> None:
    """'--file' cannot be combined with options for its content."""
    error = sentence(run(small_bot(), "send", "--file", "-", option, "x"), 2)
    assert error.startswith("'--file' contains the whole notification.")


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--session", "age", "'age' is not 'key=value'."),
        ("--session", "=1", "'=1' is not 'key=value'."),
        ("--user", "firstName=Ada", "Did you mean 'first_name=Ada'?"),
        ("--user", "is_logged=5", "isLogged: Not a valid boolean."),
        ("--session", f"a={'[' * 400}{']' * 400}", "The body is nested too deeply."),
        (
            "--date",
            "tomorrow\n",
            "A header can contain only printable ASCII characters.",
        ),
        (
            "--date",
            "demain à midi",
            "A header can contain only printable ASCII characters.",
        ),
        ("--url", "example.com", "is not a URL such as"),
        ("--url", "ftp://example.com", "is not a URL such as"),
        ("--url", "http://example.com:port", "is not a URL such as"),
        ("--url", "http://a:b@example.com", "The URL contains a user name."),
        ("--repeat", "0", "0 is not in the range x>=1."),
    ],
)
def test_rubbish_in_options(option: str, value: str, error: str) -> None:
    """A value that an option does not take is an error of usage."""
    result = run(small_bot(), "send", option, value)
    assert result.exit_code == 2
    assert error in result.output


# -- authentication ------------------------------------------------------------------


def test_requests_are_authenticated() -> None:
    """It is signed and authenticated with the settings of the application."""
    assert "Which colour, John?" in ok(run(both(), "send"))
    assert "Support." in ok(run(two_bots(), "send", "--webhook", "support"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--bad-signature"], "signature_invalid"),
        (["--key", "not the key"], "signature_invalid"),
        (["--username", "somebody"], "credentials_invalid"),
        (["--password", "guess"], "credentials_invalid"),
        (["--date", "-20"], "request_too_old"),
        (["--date", "+60"], "request_from_future"),
        (["--date", "Thu, 13 Sep 2018 11:48:23 GMT"], "request_too_old"),
        (["--date", "yesterday"], "date_malformed"),
    ],
)
def test_refused(arguments: list[str], code: str) -> None:
    """Intentional mistakes are rejected for their reason."""
    result = run(both(), "send", *arguments)
    assert result.exit_code == 1
    assert re.search(rf"^bot  40[013] {code}: ", result.output, re.M)


def test_right_on_purpose() -> None:
    """Options with the values of the settings are accepted."""
    ok(
        run(
            both(),
            *("send", "--key", KEY, "--username", USERNAME, "--password", PASSWORD),
        )
    )


def test_without_settings() -> None:
    """A webhook without authentication accepts any options."""
    seen = Seen(
        private_key=None, replay_store=None, auth_username="a", auth_password="b"
    )
    result = run(seen.app, "send", "--username", "a")
    assert "Seen." in ok(result)


def test_bad_signature_of_no_key() -> None:
    """A wrong signature is sent even where none is asked for."""
    ok(run(both(private_key=None), "send", "--bad-signature"))


def test_rubbish_is_sent_and_rejected() -> None:
    """A file that is not a notification is sent, and rejected."""
    result = run(small_bot(), "send", "--file", "-", input="{")
    assert result.exit_code == 1
    assert "you  · not a notification" in result.output
    assert "400 invalid_json: " in result.output


@settings(max_examples=30)
@given(rubbish=st.binary())
def test_no_rubbish_is_a_traceback(rubbish: bytes) -> None:
    """Whatever is sent, there is an answer."""
    result = run(small_bot(), "send", "--file", "-", input=rubbish)
    assert result.exception is None or isinstance(result.exception, SystemExit)


# -- the reply -----------------------------------------------------------------------


def test_conversation() -> None:
    """A reply is shown as a conversation."""
    app = small_bot()
    place = app.extensions["clustaar"]["clustaar"].handlers[0].location
    result = run(app, "send", "--text", "Hi", "--user", "first_name=Ada")
    assert ok(result).splitlines() == [
        f"at {ASK}",
        "you  Hi",
        "bot  Which colour, Ada?",
        "     [Red] [Blue]",
        f"     · handled by cli_bots.small_bot.<locals>.ask ({place})",
    ]


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal it has colours."""
    assert "\033[32mWhich colour, John?\033[0m" in in_terminal(
        monkeypatch, small_bot(), "send"
    )


def test_changes() -> None:
    """Changes of the session and the user are shown."""
    app = Flask("changes")
    webhook = ClustaarWebhook(app, private_key=KEY)

    @webhook.on(TOPIC)
    def change(notification: Notification) -> str:
        notification.session["näme"] = "Zoë"
        notification.interlocutor.email = None
        return "Changed."

    lines = ok(run(app, "send", "--step", ASK, "--session", "a=1")).splitlines()

    assert lines[3:] == [
        'session näme = "Zoë"',
        "user email = null",
    ]


def test_json() -> None:
    """'--json' prints the body of the answer unchanged, and nothing else."""
    result = run(small_bot(), "send", "--step", ANSWER, "--json")
    text = {"type": "send_text_action", "alternatives": ["None it is."]}
    assert json.loads(result.stdout_bytes) == {
        "actions": [text | {"text": "None it is."}],
        "session": {"values": {}},
    }


def test_json_in_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal it is indented, and its letters are readable."""
    shown = in_terminal(
        monkeypatch, small_bot(), "send", "--json", "--user", "first_name=Zoë"
    )
    assert '    "message": "Which colour, Zoë?",\r\n' in shown


def test_handler_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A handler's exception is shown once, with one traceback, also in debug mode."""
    app = small_bot()
    app.debug = True

    result = run(lambda: app, "send", "--step", FAIL)

    assert result.exit_code == 1
    assert "bot  500 handler_failed: " in result.output
    assert isinstance(result.exception, SystemExit)
    assert result.output.count("Traceback (most recent call last)") == 1
    assert result.output.count("handler_failed") == 1
    assert not caplog.records


def test_explanation_in_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """In debug mode, the output says why no handler matched."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    result = run(small_bot(), "send", "--step", "5a8c317624acbe05b1a36feb")
    assert "bot  404 no_handler: " in result.output
    assert "· This would handle it: " in result.output


@pytest.fixture
def somebody() -> Iterator[Callable[[int, str], str]]:
    """Return what starts a server that always answers the same, and its URL."""
    servers = []

    def start(status: int, body: str) -> str:
        answer = Response(body, status, mimetype="application/json")
        server = make_server("127.0.0.1", 0, answer)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.port}/clustaar"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (200, "OK", "bot  200: The response is not a valid reply: "),
        (200, "[]", "bot  200: The response is not a valid reply: "),
        (200, "{}", "bot  200: The response is not a valid reply."),
        (502, "<html>", "bot  502: Bad Gateway"),
        (799, "[", "bot  799: The server did not return a valid HTTP status."),
        (500, '{"explanation": 5}', "bot  500: Internal Server Error"),
    ],
)
def test_answer_that_is_not_a_reply(
    somebody: Callable[[int, str], str], status: int, body: str, line: str
) -> None:
    """A 200 from any server that is not a valid reply is a failure."""
    result = run(small_bot(), "send", "--step", ASK, "--url", somebody(status, body))
    assert result.output.splitlines()[2].startswith(line)
    assert result.exit_code == 1


def test_answer_that_is_not_json_as_json(
    somebody: Callable[[int, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that is not JSON is escaped, on a terminal and in a pipe."""
    url = somebody(200, "a\x1bb\nc")
    shown = in_terminal(monkeypatch, small_bot(), "send", "--json", "--url", url)
    assert shown == "a\\u001bb\r\nc\r\n"
    assert run(small_bot(), "send", "--json", "--url", url).stdout == "a\\u001bb\nc"


def test_handler_is_named_if_the_step_was_not() -> None:
    """Without '--step' the handler that answers is named, also a fallback."""
    app = Flask("fallback")
    ClustaarWebhook(app, private_key=KEY).fallback(lambda notification: "Sorry.")
    assert re.search(r"handled by \S+ \(\S+, fallback\)", ok(run(app, "send")))
    assert "handled by" not in ok(run(app, "send", "--step", ASK))


def test_handler_is_named_if_it_says_nothing() -> None:
    """A reply without actions says which handler it is from."""
    app = Flask("silent")
    ClustaarWebhook(app, private_key=KEY).on(TOPIC, lambda notification: [])
    assert "handled by" in ok(run(app, "send", "--step", ASK))


def test_reply_of_the_replay_store() -> None:
    """If a reverse proxy sends the request twice, the reply is a repeated one."""
    app = small_bot()
    webhook = app.wsgi_app

    def retry(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        run_wsgi_app(webhook, environ | {"wsgi.input": io.BytesIO(body)})
        return webhook(environ | {"wsgi.input": io.BytesIO(body)}, start_response)

    app.wsgi_app = retry  # type: ignore[method-assign]
    assert ok(run(app, "send")).splitlines()[2:] == [
        "bot  Which colour, John?",
        "     [Red] [Blue]",
        "     · repeated: the replay store had the reply, so no handler ran",
    ]


def test_handler_behind_a_url(
    somebody: Callable[[int, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an application the handler is not known, and not named."""
    monkeypatch.chdir(tmp_path)
    result = run(None, "send", "--url", somebody(200, '{"actions": []}'))
    assert "handled by" not in ok(result)


def test_handler_that_is_not_known() -> None:
    """A filter that fails only when it is asked again is not a failure."""
    app, asked = Flask("odd"), itertools.count()
    webhook = ClustaarWebhook(app, private_key=KEY)
    webhook.on(
        TOPIC, lambda notification: "Hi.", filter=lambda _: 1 / (1 - next(asked))
    )
    assert "handled by" not in ok(run(app, "send"))


def test_no_handler_is_explained_once() -> None:
    """The explanation follows the answer, which is printed only once."""
    result = run(small_bot(), "send", "--step", "5a8c317624acbe05b1a36feb")
    assert result.output.count("No handler matches") == 1
    assert "did not match: data.step.id is" in result.output


def test_log_that_is_not_about_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    """Other warnings in the log are printed, and its other records are not."""
    app = Flask("logs")
    webhook = ClustaarWebhook(app, private_key=KEY)

    @webhook.on(TOPIC)
    def log(notification: Notification) -> str:
        logging.getLogger("flask_clustaar").warning("about\x1b something else")
        logging.getLogger("flask_clustaar").info("not so important")
        return "Hi."

    caplog.set_level(logging.INFO, "flask_clustaar")
    output = ok(run(app, "send"))
    assert "about\\u001b something else" in output
    assert "not so important" not in output


def test_what_users_do_not_see_as_intended() -> None:
    """HTML where the webchat shows plain text is a warning."""
    app = Flask("markup")
    webhook = ClustaarWebhook(app, private_key=KEY)
    button = QuickReply(title="<b>Red</b>", action=GoToAction.step(ASK))
    reply = SendQuickRepliesAction(message="?", buttons=[button])
    webhook.on(TOPIC, lambda notification: reply)
    result = run(app, "send")
    assert "Warning: actions.0.buttons.0.title: The webchat shows" in ok(result)


@pytest.mark.parametrize(
    "config",
    [
        {"TRUSTED_HOSTS": ["bot.example.com"]},
        {"TRUSTED_HOSTS": [".example.com"]},
        {"SERVER_NAME": "bot.example.com"},
        {"APPLICATION_ROOT": "/bots", "PREFERRED_URL_SCHEME": "https"},
    ],
)
def test_host_that_the_application_accepts(config: dict[str, Any]) -> None:
    """Requests are sent to a host that the application accepts."""
    app = Flask("hosts")
    app.config.update(config)
    ClustaarWebhook(app, private_key=KEY).on(TOPIC, lambda notification: request.url)
    root = config.get("APPLICATION_ROOT", "")
    assert f"{root}/clustaar" in ok(run(app, "send"))
    assert f"http://127.0.0.1:5000{root}/clustaar" in ok(run(app, "send", "--curl"))


# -- many ----------------------------------------------------------------------------


def test_repetition() -> None:
    """Each repetition is a separate delivery, and a summary is printed."""
    seen = Seen()
    count, latency = ok(run(seen.app, "send", "--repeat", "50")).splitlines()
    assert count == "50 x 200"
    assert re.fullmatch(r"median \d+\.\d\d ms, 99th percentile \d+\.\d\d ms", latency)
    assert len(set(seen.bodies)) == 50
    assert len({json.dumps(json.loads(body)) for body in seen.bodies}) == 1


def test_repetition_in_parallel() -> None:
    """'--parallel' requests are sent at the same time."""
    app, barrier = Flask("parallel"), threading.Barrier(4)
    webhook = ClustaarWebhook(app, private_key=KEY)

    @webhook.on(TOPIC)
    def wait(notification: Notification) -> str:
        barrier.wait(20)
        return "Hi."

    result = run(app, "send", "--repeat", "8", "--parallel", "4")
    assert "8 x 200" in ok(result)


def test_repetition_as_json() -> None:
    """'--json' has the same figures."""
    result = run(small_bot(), "send", "--repeat", "3", "--same", "--json")
    figures = json.loads(ok(result))
    assert set(figures.pop("milliseconds")) == {"median", "p99"}
    assert figures == {
        "wanted": 3,
        "answered": 3,
        "interrupted": False,
        "answers": {"200": 3},
        "different_replies": 1,
        "recorded_replies": 2,
    }


def test_repetition_that_is_interrupted() -> None:
    """Ctrl-C ends a repetition with a summary so far."""
    app = Flask("interrupted")
    webhook = ClustaarWebhook(app, private_key=KEY)
    numbers = itertools.count(1)

    @webhook.on(TOPIC)
    def interrupt(notification: Notification) -> str:
        if next(numbers) == 3:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return "Hi."

    result = run(app, "send", "--repeat", "100000")

    assert result.exit_code == 1
    first, count, latency = result.output.splitlines()
    assert re.fullmatch(r"Interrupted after \d+ of 100000\.", first)
    assert re.fullmatch(r"\d+ x 200", count)
    assert latency.startswith("median ")


def test_repetition_that_is_interrupted_at_once() -> None:
    """Ctrl-C before the first answer prints only that it was interrupted."""
    interrupted = threading.Event()

    def interrupt(*_: object) -> NoReturn:
        interrupted.set()
        raise KeyboardInterrupt

    def hang_up() -> None:
        with listener.accept()[0]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            interrupted.wait(20)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            ThreadPoolExecutor(1) as executor,
        ):
            executor.submit(hang_up)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/clustaar"
            result = run(small_bot(), "send", "--url", url, "--repeat", "2")
    finally:
        signal.signal(signal.SIGINT, before)

    assert result.exit_code == 1
    assert result.output == "Interrupted after 0 of 2.\n"


def test_repetition_of_one_delivery() -> None:
    """'--same' sends one delivery again and again, which runs once."""
    seen = Seen()
    shown = ok(run(seen.app, "send", "--repeat", "5", "--same"))
    assert "5 x 200" in shown
    assert "Handlers ran for 1; 4 got the recorded reply." in shown
    assert len(seen.notifications) == 1


def test_repetition_that_runs_more_than_once() -> None:
    """Different replies to one delivery are reported."""
    app, numbers = Flask("numbers"), itertools.count()
    webhook = ClustaarWebhook(app, private_key=KEY, replay_store="off")
    webhook.on(TOPIC, lambda _: str(next(numbers)))

    result = run(app, "send", "--repeat", "3", "--same")

    assert result.exit_code == 1
    assert "3 x 200" in result.output
    assert (
        "One delivery got 3 different replies, so it ran several times."
        in result.output
    )
    assert ok(run(app, "send", "--repeat", "3")).startswith("3 x 200")


def test_repetition_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """All answers are counted, and a message is logged once."""
    result = run(small_bot(replay_capacity=3), "send", "--repeat", "5")

    assert result.exit_code == 1
    assert result.output.splitlines()[:2] == [
        "3 x 200",
        "2 x 503 replay_store_unavailable",
    ]
    assert len({record.getMessage() for record in caplog.records}) == len(
        caplog.records
    )


def test_log_goes_on_afterwards(caplog: pytest.LogCaptureFixture) -> None:
    """After a rehearsal each message is logged again."""
    run(small_bot(), "send", "--repeat", "2")
    for _ in range(2):
        logging.getLogger("flask_clustaar").warning("again")
    assert [record.getMessage() for record in caplog.records] == ["again", "again"]


def test_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal there is a progress bar."""
    shown = in_terminal(monkeypatch, small_bot(), "send", "--repeat", "3")
    assert "100%" in shown
    assert "3 x 200" in shown


def test_repetition_that_ends_early() -> None:
    """A missing answer is an error, and the log filter is removed."""
    url = f"http://127.0.0.1:{unused_port()}/"
    before = [*logging.getLogger("flask_clustaar").filters]
    error = sentence(run(both(), "send", "--url", url, "--repeat", "2"))
    assert error.endswith(": Connection refused.")
    assert logging.getLogger("flask_clustaar").filters == before


def test_repetition_is_not_a_curl_command() -> None:
    """Several requests are not one curl command."""
    error = sentence(run(small_bot(), "send", "--repeat", "2", "--curl"), 2)
    assert error == "'--repeat' and '--curl' cannot be combined. Remove one."


# -- over HTTP -----------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server with the small bot."""
    app = both()
    app.add_url_rule(
        "/echo",
        view_func=lambda: jsonify(request.query_string.decode()),
        methods=["POST"],
    )
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_url(server: str) -> None:
    """It is sent to a URL, with the settings of the application."""
    result = run(both(), "send", "--url", f"{server}/clustaar")
    assert "Which colour, John?" in ok(result)


def test_url_of_a_server(server: str) -> None:
    """A URL without a path is the server's."""
    assert "Which colour" in ok(run(both(), "send", "--url", server))
    assert "10 x 200" in ok(run(both(), "send", "--url", server, "--repeat", "10"))


def test_repetition_of_an_answer_without_a_code(server: str) -> None:
    """An answer without a code is counted by its status."""
    result = run(both(), "send", "--url", f"{server}/nothing", "--repeat", "2")
    assert result.output.splitlines()[0] == "2 x 404"
    assert result.exit_code == 1


def test_url_with_a_query(server: str) -> None:
    """The query of a URL is also sent."""
    result = run(both(), "send", "--url", f"{server}/echo?a=b", "--json")
    assert json.loads(result.output) == "a=b"
    assert result.exit_code == 1


def test_url_without_an_application(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL requires no application if options have all values."""
    monkeypatch.chdir(tmp_path)
    result = run(
        None,
        *("send", "--url", server, "--step", ASK),
        *("--key", KEY, "--username", USERNAME, "--password", PASSWORD),
    )
    assert "Which colour" in ok(result)


def test_neither_url_nor_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a URL it takes an application."""
    monkeypatch.chdir(tmp_path)
    assert "Could not locate a Flask app" in sentence(run(None, "send"), 2)


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_url_that_does_not_answer() -> None:
    """An unreachable server is an error."""
    server = f"http://127.0.0.1:{unused_port()}"
    for url in (server, f"{server}/", f"{server}/clustaar"):
        error = sentence(run(both(), "send", "--url", url))
        assert error == f"No answer from '{server}/clustaar': Connection refused."


def test_url_that_http_cannot_send() -> None:
    """A path that is invalid in HTTP is an error."""
    error = sentence(run(both(), "send", "--url", "https://127.0.0.1:9/a b"))
    assert error.startswith("No answer from 'https://127.0.0.1:9/a b': ")


def test_path_with_variables() -> None:
    """A webhook whose path has variables is found by its URL."""
    app = Flask("tenants")
    ClustaarWebhook(app, private_key=KEY, url_prefix="/<tenant>/clustaar")
    error = sentence(run(app, "send"))
    assert error.startswith("The URL of the webhook 'clustaar' has variables: ")


# -- curl ----------------------------------------------------------------------------


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def pasted(line: str) -> str:
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, check=True
    ).stdout


@needs_curl
def test_curl(server: str, tmp_path: Path) -> None:
    """The line, pasted into a shell, gets the same answer."""
    file = tmp_path / "it's $HOME.json"
    file.write_text(NOTIFICATION.replace("Hi", "Hi'\\\"`$(x)"))
    for arguments in ([], ["--file", str(file)], ["--text", 'it\'s\n"$HOME" \\ é']):
        sent = ["send", "--url", server, *arguments]
        assert pasted(ok(run(both(), *sent, "--curl"))) == ok(
            run(both(), *sent, "--json")
        )


@needs_curl
def test_curl_can_be_appended_to(server: str) -> None:
    """More options can be written behind the command."""
    line = ok(run(both(), "send", "--url", server, "--curl")).rstrip("\n")
    assert pasted(f"{line} --output /dev/null --write-out '%{{http_code}}'") == "200"


@needs_curl
def test_curl_has_no_secret(server: str) -> None:
    """The command contains neither password nor key, and deletes the password file."""
    line = ok(run(both(), "send", "--url", server, "--curl"))
    (secret,) = re.findall(r"cat (\S+);", line)

    encoded = basic_auth(USERNAME, PASSWORD).removeprefix("Basic ")
    assert not [each for each in (KEY, PASSWORD, encoded) if each in line]
    assert encoded in Path(secret).read_text()
    assert Path(secret).stat().st_mode & 0o777 == 0o600
    pasted(line)
    assert not Path(secret).exists()


def test_curl_for_the_server_of_flask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL the line is for 'flask run'."""
    assert ok(run(small_bot(), "send", "--curl")).endswith(
        " http://127.0.0.1:5000/clustaar\n"
    )
    monkeypatch.setenv("FLASK_RUN_PORT", "8000")
    assert "http://127.0.0.1:8000/clustaar" in ok(run(small_bot(), "send", "--curl"))


@pytest.mark.parametrize("body", [b"\xff", b"a\0b", b"@file", b"x" * 100_001])
def test_curl_cannot(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that cannot be in a command must be in a file; no secret is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = run(both(), "send", "--curl", "--file", "-", input=body)
    assert sentence(result).startswith(
        "The notification cannot be part of a shell command"
    )
    assert not list(tmp_path.iterdir())
