"""Recordings: what a webhook writes down of a day's traffic."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask
from serving import exchange, gunicorn, notification, request, signed_headers

from flask_clustaar import ClustaarWebhook, ConfigurationError, events
from flask_clustaar.errors import ClustaarError
from flask_clustaar.filters import StepID
from flask_clustaar.recording import recorder
from flask_clustaar.testing import ClustaarClient

KEY = "the private key of the bot"
GREET = "507f191e810c19729de860ea"
FAIL = "507f191e810c19729de860eb"
LONG = "507f191e810c19729de860ec"
WRONG = "507f191e810c19729de860ed"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    directory = tmp_path / "recordings"
    directory.mkdir(mode=0o700)
    return directory


def bot(directory: Path | None, name: str = "clustaar", **settings: Any) -> Flask:
    """Make an application with a bot that records."""
    app = Flask("bot")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    add_webhook(app, name, record=directory, **settings)
    return app


def add_webhook(app: Flask, name: str, **settings: Any) -> None:
    webhook = ClustaarWebhook(app, name=name, **{"private_key": KEY} | settings)

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(GREET))
    def greet(notification: Any) -> str:
        return f"Hello {notification.interlocutor.first_name}"

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(FAIL))
    def fail(notification: Any) -> str:
        raise KeyError("John")

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(LONG))
    def speak(notification: Any) -> list[str]:
        return ["x" * 900 for _ in range(90)]

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(WRONG))
    def wrong(notification: Any) -> str:
        return "x" * 1001


def rows(directory: Path) -> list[dict[str, Any]]:
    """Return the recorded rows."""
    files = sorted(directory.glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def talk(app: Flask, *steps: str, webhook: str | None = None) -> ClustaarClient:
    """Say hello at some steps."""
    client = ClustaarClient(app, webhook)
    for step in steps:
        client.at(step).say("hello")
    return client


# -- what is recorded ----------------------------------------------------------------


def test_off_by_default() -> None:
    """Without the setting nothing is recorded, and nothing is imported."""
    program = """
import sys
from flask import Flask
from flask_clustaar import ClustaarWebhook
ClustaarWebhook(Flask("bot"), private_key="x")
assert "flask_clustaar.recording" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_handler_that_is_late(directory: Path) -> None:
    """A line names it; the reply is that of the late handler."""
    app = bot(directory, deadline=1e-9)
    app.extensions["clustaar"]["clustaar"].late(lambda notification: "One moment.")
    talk(app, GREET)

    (row,) = rows(directory)
    assert row["late"].endswith("greet")
    assert "One moment." in json.dumps(row["reply"])
    assert ["<lambda>"] == [each["name"].split(".")[-1] for each in row["handlers"]]


def test_a_line_without_a_handler_that_is_late(directory: Path) -> None:
    """It says so."""
    talk(bot(directory), GREET)

    assert rows(directory)[0]["late"] is None


def test_request_and_reply(directory: Path) -> None:
    """A line has the request, the reply, who answered, and how long that took."""
    app = bot(directory)
    talk(app, GREET)

    (row,) = rows(directory)

    assert (1, "bot", "clustaar") == (row["v"], row["app"], row["webhook"])
    assert (200, None, False) == (row["status"], row["code"], row["repeated"])
    assert "pseudonyms" == row["redact"]
    sent, reply = row["request"], row["reply"]
    assert GREET == sent["data"]["step"]["id"]
    name = sent["data"]["interlocutor"]["firstName"]
    assert f"Hello {name}" == reply["actions"][0]["text"]
    assert {"Date", "Content-Type"} == row["headers"].keys()
    (handler,) = row["handlers"]
    assert handler["name"].endswith("greet")
    timings = row["timings"]
    parts = timings["load"] + timings["handlers"] + timings["reply"]
    assert parts == pytest.approx(timings["total"], abs=0.01)
    assert handler["ms"] <= timings["handlers"]
    assert 40 == len(row["key"])


def test_failures(directory: Path) -> None:
    """A failure is recorded with its code, and the kind of the exception."""
    talk(bot(directory), FAIL, WRONG, "5" * 24)

    failed, wrong, unhandled = rows(directory)

    assert (500, "handler_failed", "KeyError") == (
        failed["status"],
        failed["code"],
        failed["error"],
    )
    assert (500, "invalid_reply") == (wrong["status"], wrong["code"])
    assert (404, "no_handler", []) == (
        unhandled["status"],
        unhandled["code"],
        unhandled["handlers"],
    )


def test_step_that_goes_back_after_a_failure(directory: Path) -> None:
    """A failure that the bot's user does not see is recorded as one."""
    talk(bot(directory, on_error="passthrough"), FAIL)

    (row,) = rows(directory)

    assert (200, "handler_failed") == (row["status"], row["code"])


def test_rejected_requests(directory: Path) -> None:
    """For unauthenticated requests, only code, size and time are recorded."""
    client = ClustaarClient(bot(directory, max_content_length=1000))
    client.send(b"John!", headers={"X-Hub-Signature": "sha1=" + "0" * 40})
    client.send(b"x" * 1001)
    client.send(b"[]")

    forged, large, odd = rows(directory)

    assert {"v", "at", "app", "webhook", "status", "code", "size", "timings"} == set(
        forged
    )
    assert (403, "signature_invalid", 5) == (
        forged["status"],
        forged["code"],
        forged["size"],
    )
    assert (413, "body_too_large", 1001) == (
        large["status"],
        large["code"],
        large["size"],
    )
    assert "invalid_notification" == odd["code"]


def test_requests_without_a_length(directory: Path) -> None:
    """The size of an unreadable body is unknown."""
    app = bot(directory)
    app.test_client().post("/clustaar", headers={"Content-Length": "many"})

    assert 0 == rows(directory)[0]["size"]


def test_repeated_requests(directory: Path) -> None:
    """Repeated replies are recorded without bodies."""
    talk(bot(directory), GREET).resend()

    first, again = rows(directory)

    assert first["key"] == again["key"]
    assert (False, True) == (first["repeated"], again["repeated"])
    assert "request" not in again


def test_without_a_key(directory: Path) -> None:
    """Without a private key deliveries have no identity."""
    talk(bot(directory, private_key=None, auth_username="a", auth_password="b"), GREET)

    assert rows(directory)[0]["key"] is None


def sent_to(app: Flask) -> list[bytes]:
    """Return a list that gets the body of each request."""
    bodies: list[bytes] = []
    app.before_request(lambda: bodies.append(flask.request.data))
    return bodies


def test_long_bodies(directory: Path) -> None:
    """Of a long body only the size and the SHA-256 are recorded."""
    app = bot(directory)
    sent = sent_to(app)
    talk(app, LONG).send(notification(text="y" * 70_000))

    reply, request = rows(directory)

    assert (None, len(sent[-1])) == (request["request"], request["size"])
    assert hashlib.sha256(sent[-1]).hexdigest() == request["sha256"]
    assert reply["request"] is not None
    assert (None, 64) == (reply["reply"], len(reply["reply_sha256"]))
    assert reply["reply_size"] > 65_536


def test_replies_that_are_not_json(directory: Path) -> None:
    """An application may answer a problem with a page."""
    from flask_clustaar.errors import NoHandler

    app = bot(directory)
    app.register_error_handler(NoHandler, lambda error: ("<p>Sorry</p>", 404))
    talk(app, "5" * 24)

    (row,) = rows(directory)

    assert (404, "no_handler", None) == (row["status"], row["code"], row["reply"])


# -- settings ------------------------------------------------------------------------


def test_share(directory: Path) -> None:
    """A share of the users is recorded: each with all that was said, or not at all."""
    app = bot(directory, record_share=0.5)
    for number in range(40):
        client = ClustaarClient(app, user={"id": f"{number:024x}"})
        client.at(GREET).say("hello")
        client.at(GREET).say("again")

    users = [row["request"]["data"]["interlocutor"]["id"] for row in rows(directory)]

    assert 8 < len(set(users)) < 32
    assert 2 * len(set(users)) == len(users)


def test_share_of_requests_without_a_user(directory: Path) -> None:
    """A request that does not say who the user is counts for itself."""
    app = bot(directory, record_share=0.5)
    client = ClustaarClient(app)
    for number in range(40):
        document = notification(number=number)
        del document["data"]["interlocutor"]
        client.send(document)
    client.send({"topic": events.CONVERSATION_STEP_REACHED})

    assert 5 < len(rows(directory)) < 36


def test_nobody_is_recorded(directory: Path) -> None:
    """A share of 0 records only rejections."""
    client = talk(bot(directory, record_share=0), GREET)
    client.send(b"[]")

    assert ["invalid_notification"] == [row["code"] for row in rows(directory)]


def test_none_records_all(directory: Path) -> None:
    """Without redaction the bytes are recorded as they were received."""
    app = bot(directory, record_redact="none")
    sent = sent_to(app)
    talk(app, GREET)

    (file,) = directory.glob("*.jsonl")
    assert b'"request":' + sent[0] + b"," in file.read_bytes()


def test_bodies_with_line_breaks(directory: Path) -> None:
    """A line is one line for any format of the platform's JSON."""
    app = bot(directory, record_redact="none")
    client = ClustaarClient(app)
    document = notification()
    document["data"]["step"]["id"] = GREET
    body = json.dumps(document, indent=2).replace("\n", "\r\n")
    assert client.send(body.encode()).status_code == 200

    (row,) = rows(directory)

    assert json.loads(body) == row["request"]


def test_replies_that_are_broken_json(directory: Path) -> None:
    """Answers of the application cannot break a line."""
    app = bot(directory)

    @app.errorhandler(ClustaarError)
    def cut(error: Any) -> Any:
        return flask.Response('{"code', status=500, content_type="application/json")

    talk(app, FAIL)

    (row,) = rows(directory)
    assert ("handler_failed", None) == (row["code"], row["reply"])


def test_texts(directory: Path) -> None:
    """With 'texts' free texts are not recorded."""
    talk(bot(directory, record_redact="texts"), GREET)

    (row,) = rows(directory)

    assert "xxxxx" == row["request"]["data"]["input"]["text"]
    assert "xxxxx xxxx" == row["reply"]["actions"][0]["text"]


def test_function(directory: Path) -> None:
    """A function can redact, and drop requests."""

    def redact(request: Any, reply: Any) -> Any:
        if request["data"]["step"]["id"] == FAIL:
            return None
        return {"step": request["data"]["step"]["id"]}, {"actions": []}

    talk(bot(directory, record_redact=redact), GREET, FAIL)

    (row,) = rows(directory)

    assert {"step": GREET} == row["request"]
    assert {"actions": []} == row["reply"]
    assert "function" == row["redact"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"record": 7}, "'record' must be the path of a directory, not 7."),
        ({"record": ""}, "'record' must be the path of a directory, not ''."),
        ({"record_share": 2}, "'record_share' must be a number from 0 to 1, not 2."),
        ({"record_days": 0}, "'record_days' must be a positive integer"),
        ({"record_redact": "no"}, "A function is also allowed."),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    """An invalid setting is an error at start-up."""
    with pytest.raises(ConfigurationError) as raised:
        ClustaarWebhook(Flask("bot"), private_key=KEY, **settings)

    assert message in str(raised.value)


def test_directory_must_exist(tmp_path: Path) -> None:
    """A missing directory is not created, because its name may be misspelt."""
    with pytest.raises(ConfigurationError, match=r"mkdir -m 700 .*nowhere"):
        bot(tmp_path / "nowhere")


def test_directory_must_be_private(directory: Path) -> None:
    """A directory that other users can open is rejected."""
    directory.chmod(0o750)

    with pytest.raises(ConfigurationError, match="chmod 700"):
        bot(directory)


def test_directory_must_not_be_served(directory: Path) -> None:
    """A directory whose files Flask serves is rejected."""
    app = Flask("bot", static_folder=directory.parent)
    with pytest.raises(ConfigurationError, match="static files"):
        ClustaarWebhook(app, private_key=KEY, record=directory)

    app = Flask("bot", static_folder=None)
    app.register_blueprint(Blueprint("b", __name__, static_folder=str(directory)))
    with pytest.raises(ConfigurationError, match="static files"):
        ClustaarWebhook(app, private_key=KEY, record=directory)


# -- failures ------------------------------------------------------------------------


@pytest.fixture(name="broken")
def _broken(directory: Path) -> Iterator[Flask]:
    """Yield a bot that cannot record: a directory is where its file should be."""
    app = bot(directory)
    directory.rmdir()
    yield app


def test_request_succeeds_if_it_cannot_be_recorded(
    broken: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """A recording that cannot be written is logged, and the request succeeds."""
    with caplog.at_level(logging.ERROR):
        reply = talk(broken, GREET).reply

    assert reply is not None and reply.ok
    (record,) = caplog.records
    assert "The webhook 'clustaar' cannot record: FileNotFoundError" in record.message


def test_failures_are_logged_once_a_minute(
    broken: Flask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for an hour is logged sixty times."""
    with caplog.at_level(logging.ERROR):
        talk(broken, GREET, GREET, GREET)
        assert 1 == len(caplog.records)
        later = {"monotonic": lambda: time.monotonic() + 60}
        monkeypatch.setattr(recorder, "time", SimpleNamespace(**vars(time) | later))
        talk(broken, GREET)

    assert 2 == len(caplog.records)


def test_failure_of_a_redaction(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that cannot be redacted is not recorded, and not in the log."""

    def redact(request: Any, reply: Any) -> Any:
        raise ValueError(request["data"]["interlocutor"]["firstName"])

    with caplog.at_level(logging.ERROR):
        talk(bot(directory, record_redact=redact), GREET)

    assert [] == rows(directory)
    assert "ValueError. Requests are answered" in caplog.text
    assert "John" not in caplog.text


# -- several -------------------------------------------------------------------------


def test_two_webhooks(directory: Path) -> None:
    """Two webhooks of an application can record into one directory."""
    app = bot(directory, "sales")
    add_webhook(app, "support", record=directory)
    talk(app, GREET, webhook="sales")
    talk(app, FAIL, webhook="support")
    ClustaarClient(app, "support").send(b"[]")

    assert [("sales", 1), ("support", 1), ("support", 0)] == [
        (row["webhook"], len(row.get("handlers", ()))) for row in rows(directory)
    ]


def test_only_one_of_two_webhooks(directory: Path) -> None:
    """A webhook that does not record is not in the lines of another one."""
    app = bot(None, "sales")
    add_webhook(app, "support", record=directory)
    talk(app, GREET, FAIL, webhook="sales")
    ClustaarClient(app, "sales").send(b"[]")
    talk(app, GREET, webhook="support")

    (row,) = rows(directory)
    assert "support" == row["webhook"]


def test_processes(tmp_path: Path, directory: Path) -> None:
    """Under gunicorn each delivery is one whole line, and users keep their names."""
    with gunicorn(tmp_path, workers=3, clustaar_record=str(directory)) as server:
        for number in range(30):
            body = json.dumps(notification(number=number)).encode()
            headers = signed_headers(body, key="the key of secure")
            sent = request("/secure", headers, body)
            assert 200 == exchange(server, [sent]).status

    recorded = rows(directory)
    users = {row["request"]["data"]["interlocutor"]["id"] for row in recorded}
    assert 30 == len(recorded)
    assert 1 == len(users)
    assert "John" not in json.dumps(recorded)
