"""``flask clustaar send``: a notification, signed as the platform signs it."""

from __future__ import annotations

import itertools
import json
import logging
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.cli.delivery import Answer
from flask_clustaar.cli.show import show
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
        webhook = ClustaarWebhook(self.app, **{"private_key": KEY} | settings)
        webhook.on(TOPIC, self.keep)

    def keep(self, notification: Notification) -> str:
        self.notifications.append(notification)
        self.bodies.append(request.get_data())
        self.dates.append(request.headers["Date"])
        return "Seen."


# -- what is sent --------------------------------------------------------------------


def test_notification() -> None:
    """Options say what is in the notification."""
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
    """A file goes byte by byte, also from standard input."""
    seen = Seen()
    file = tmp_path / "notification.json"
    file.write_text(f"\n {NOTIFICATION} \n")

    ok(run(seen.app, "send", "--file", file))
    ok(run(seen.app, "send", "--file", "-", input=NOTIFICATION))

    assert seen.bodies == [file.read_bytes(), NOTIFICATION.encode()]


@pytest.mark.parametrize("option", ["--step", "--text", "--user-data", "--channel"])
def test_file_is_whole(option: str) -> None:
    """What a file has cannot be said beside it."""
    error = sentence(run(small_bot(), "send", "--file", "-", option, "x"), 2)
    assert error.startswith("'--file' is a whole notification.")


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--session", "age", "'age' is not 'key=value'."),
        ("--session", "=1", "'=1' is not 'key=value'."),
        ("--user", "firstName=Ada", "Did you mean 'first_name=Ada'?"),
        ("--date", "tomorrow\n", "A header has printable ASCII characters only."),
        ("--date", "demain à midi", "A header has printable ASCII characters only."),
        ("--url", "example.com", "It is not a URL such as"),
        ("--url", "ftp://example.com", "It is not a URL such as"),
        ("--url", "http://example.com:port", "It is not a URL such as"),
        ("--url", "http://a:b@example.com", "It has a user name."),
        ("--repeat", "0", "0 is not in the range x>=1."),
    ],
)
def test_rubbish_in_options(option: str, value: str, error: str) -> None:
    """A value that an option does not take is an error of usage."""
    result = run(small_bot(), "send", option, value)
    assert result.exit_code == 2
    assert error in result.output


# -- the door ------------------------------------------------------------------------


def test_through_the_door() -> None:
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
    """What is wrong on purpose is refused for it."""
    result = run(both(), "send", *arguments)
    assert result.exit_code == 1
    assert re.search(rf"^bot  40[013] {code}: ", result.output, re.M)


def test_right_on_purpose() -> None:
    """The settings' own values can be said, too."""
    ok(
        run(
            both(),
            *("send", "--key", KEY, "--username", USERNAME, "--password", PASSWORD),
        )
    )


def test_without_settings() -> None:
    """An open webhook gets what is said, and needs nothing."""
    seen = Seen(
        private_key=None, replay_store=None, auth_username="a", auth_password="b"
    )
    result = run(seen.app, "send", "--username", "a")
    assert "Seen." in ok(result)


def test_bad_signature_of_no_key() -> None:
    """A wrong signature is sent even where none is asked for."""
    ok(run(both(private_key=None), "send", "--bad-signature"))


def test_rubbish_reaches_the_door() -> None:
    """What is no notification is sent, and refused."""
    result = run(small_bot(), "send", "--file", "-", input="{")
    assert result.exit_code == 1
    assert "you  · something that is not a notification" in result.output
    assert "400 invalid_json: " in result.output


@settings(max_examples=30)
@given(rubbish=st.binary())
def test_no_rubbish_is_a_traceback(rubbish: bytes) -> None:
    """Whatever is sent, there is an answer."""
    result = run(small_bot(), "send", "--file", "-", input=rubbish)
    assert result.exception is None or isinstance(result.exception, SystemExit)


# -- what comes back -----------------------------------------------------------------


def test_conversation() -> None:
    """A reply is shown as a conversation."""
    result = run(small_bot(), "send", "--text", "Hi", "--user", "first_name=Ada")
    assert ok(result).splitlines() == [
        f"at {ASK}",
        "you  Hi",
        "bot  Which colour, Ada?",
        "     [Red] [Blue]",
    ]


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal it has colours."""
    assert "\033[32mWhich colour, John?\033[0m" in in_terminal(
        monkeypatch, small_bot(), "send"
    )


def test_changes() -> None:
    """What the reply changes in the session and in the user is shown."""
    app = Flask("changes")
    webhook = ClustaarWebhook(app, private_key=KEY)

    @webhook.on(TOPIC)
    def change(notification: Notification) -> str:
        notification.session["näme"] = "Zoë"
        notification.interlocutor.email = None
        return "Changed."

    lines = ok(run(app, "send", "--session", "a=1")).splitlines()

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
    """In a terminal a line ends after it."""
    assert in_terminal(monkeypatch, small_bot(), "send", "--json").endswith("}\r\n")


def test_handler_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A handler's exception is a problem, and in the log, also in debug mode."""
    app = small_bot()
    app.debug = True

    result = run(lambda: app, "send", "--step", FAIL)

    assert result.exit_code == 1
    assert "bot  500 handler_failed: " in result.output
    assert isinstance(result.exception, SystemExit)
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_explanation_in_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """In debug mode it is told why no handler matched."""
    monkeypatch.setenv("FLASK_DEBUG", "1")
    result = run(small_bot(), "send", "--step", "5a8c317624acbe05b1a36feb")
    assert "bot  404 no_handler: " in result.output
    assert "· This would handle it: " in result.output


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (Answer(200, b"OK"), "bot  200: The answer is not a reply."),
        (Answer(200, b"[]"), "bot  200: The answer is not a reply."),
        (Answer(502, b"<html>"), "bot  502: Bad Gateway"),
        (Answer(799, b"["), "bot  799: The answer is not one of HTTP."),
        (Answer(500, b'{"explanation": 5}'), "bot  500: Internal Server Error"),
        (Answer(200, b'{"session": 1}'), "     · says nothing"),
    ],
)
def test_answers_of_somebody_else(
    answer: Answer, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind a URL there may be anything."""
    show(NOTIFICATION.encode(), answer)
    assert capsys.readouterr().out.splitlines()[2:] == [line]


# -- many ----------------------------------------------------------------------------


def test_repetition() -> None:
    """Each repetition is a delivery of its own, and a summary is printed."""
    seen = Seen()
    count, latency = ok(run(seen.app, "send", "--repeat", "50")).splitlines()
    assert count == "50 x 200"
    assert re.fullmatch(r"median \d+\.\d\d ms, 99th percentile \d+\.\d\d ms", latency)
    assert len(set(seen.bodies)) == 50
    assert len({json.dumps(json.loads(body)) for body in seen.bodies}) == 1


def test_repetition_of_one_delivery() -> None:
    """'--same' sends one delivery again and again, which runs once."""
    seen = Seen()
    assert "5 x 200" in ok(run(seen.app, "send", "--repeat", "5", "--same"))
    assert len(seen.notifications) == 1


def test_repetition_that_runs_more_than_once() -> None:
    """Replies that differ tell of it, as without a store that all workers share."""
    app, numbers = Flask("numbers"), itertools.count()
    webhook = ClustaarWebhook(app, private_key=KEY, replay_store="off")
    webhook.on(TOPIC, lambda _: str(next(numbers)))

    result = run(app, "send", "--repeat", "3", "--same")

    assert result.exit_code == 1
    assert "3 x 200" in result.output
    assert "3 different replies: the delivery ran more than once." in result.output
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
    """Without an answer that is a sentence, and each message is logged again."""
    url = f"http://127.0.0.1:{unused_port()}/"
    error = sentence(run(both(), "send", "--url", url, "--repeat", "2"))
    assert error.endswith("does not answer: Connection refused.")
    assert not logging.getLogger("flask_clustaar").filters


@pytest.mark.parametrize("option", ["--json", "--curl"])
def test_repetition_has_no_body(option: str) -> None:
    """Several answers are not printed as one."""
    error = sentence(run(small_bot(), "send", "--repeat", "2", option), 2)
    assert error == "'--repeat' goes with neither '--json' nor '--curl'."


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


def test_repetition_of_what_is_no_problem_of_ours(server: str) -> None:
    """An answer without a code is counted by its status."""
    result = run(both(), "send", "--url", f"{server}/nothing", "--repeat", "2")
    assert result.output.splitlines()[0] == "2 x 404"
    assert result.exit_code == 1


def test_url_with_a_query(server: str) -> None:
    """The query of a URL is sent, too."""
    result = run(both(), "send", "--url", f"{server}/echo?a=b", "--json")
    assert json.loads(ok(result)) == "a=b"


def test_url_without_an_application(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL needs no application, if all is said."""
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
    """A server that is not there is a sentence."""
    server = f"http://127.0.0.1:{unused_port()}"
    for url in (server, f"{server}/", f"{server}/clustaar"):
        error = sentence(run(both(), "send", "--url", url))
        assert error == f"'{server}/clustaar' does not answer: Connection refused."


def test_url_that_http_cannot_send() -> None:
    """A path that HTTP cannot carry is a sentence."""
    error = sentence(run(both(), "send", "--url", "https://127.0.0.1:9/a b"))
    assert error.startswith("'https://127.0.0.1:9/a b' does not answer: ")


def test_path_with_variables() -> None:
    """A webhook whose path has variables is found by its URL."""
    app = Flask("tenants")
    ClustaarWebhook(app, private_key=KEY, url_prefix="/<tenant>/clustaar")
    error = sentence(run(app, "send"))
    assert error.startswith("The path of the webhook 'clustaar' has variables.")


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
def test_curl_has_no_secret(server: str) -> None:
    """Neither password nor key is in the line; what has the password is removed."""
    line = ok(run(both(), "send", "--url", server, "--curl"))
    (secret,) = re.findall(r"--config (\S+)", line)

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
    """A body that cannot stand in a line has to be in a file; no secret is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = run(both(), "send", "--curl", "--file", "-", input=body)
    assert sentence(result).startswith("The notification does not fit into a line")
    assert not list(tmp_path.iterdir())
