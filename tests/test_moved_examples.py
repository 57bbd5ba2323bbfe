"""Migrated programs, on common servers."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_clustaar import InsecureWebhookWarning
from flask_clustaar.filters import JSONKeyEquals, JSONKeyExists, JSONKeyIn, StepID
from flask_clustaar.security import basic_auth, sign

EXAMPLES = Path(__file__).parents[1] / "examples"
MOVED = EXAMPLES / "moved"
SECRETS = {
    "CLUSTAAR_AUTH_USERNAME": "admin",
    "CLUSTAAR_AUTH_PASSWORD": "pass:word",
    "CLUSTAAR_PRIVATE_KEY": "a private key",
}
SERVERS = {
    "gunicorn": ["gunicorn", "--bind", "127.0.0.1:0", "{module}:app"],
    "flask": ["flask", "--app", "{module}", "run", "--port", "0"],
}


def load(name: str) -> dict[str, Any]:
    return runpy.run_path(str(MOVED / f"{name}.py"))


def reached(**data: Any) -> dict[str, Any]:
    """A notification as the platform sends it."""
    step = {"id": "507f1f77bcf86cd799439013", "name": "A step", "userData": None}
    return {
        "topic": "conversation.step_reached",
        "botID": data.pop("bot", "507f1f77bcf86cd799439011"),
        "timestamp": 1514998709,
        "data": {
            "channel": data.pop("channel", "clustaar_web_chat"),
            "input": {"type": "message", "text": "hello", "attachments": []},
            "interlocutor": {"id": "507f1f77bcf86cd799439012", "location": None},
            "session": {"values": {}},
            "step": {"actions": [], **step, **data},
        },
    }


# --- Examples of clustaar.webhook ---------------------------------------------------


@contextmanager
def served(server: str, module: str, home: Path) -> Iterator[str]:
    """Run an example on a server, and yield its URL."""
    command = [part.format(module=module) for part in SERVERS[server]]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=MOVED,
        env=os.environ | {"HOME": str(home)},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    too_long = threading.Timer(60, process.kill)
    too_long.start()
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield f"{found[0]}/"
                break
        else:
            pytest.fail(f"{server} did not start: {said}")
    finally:
        too_long.cancel()
        process.terminate()
        process.communicate()


def sent(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Let the example's client send a notification, and read what it prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["client.py", url])
        load("client")
    status, body = capsys.readouterr().out.split(" ", 1)
    return int(status), json.loads(body)


@pytest.mark.parametrize("server", SERVERS)
def test_the_example_runs_below_a_server(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``gunicorn webhook:app`` and ``flask --app webhook run``."""
    with served(server, "webhook", tmp_path) as url:
        answer = sent(url, capsys)
    assert answer == (200, {"actions": [], "session": {"values": {"name": "John"}}})


@pytest.mark.parametrize("server", SERVERS)
def test_the_secured_example_runs_below_a_server(
    server: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It accepts only requests with the correct secrets."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with served(server, "secured", tmp_path) as url:
        status, body = sent(url, capsys)
        monkeypatch.setenv("CLUSTAAR_PRIVATE_KEY", "another")
        wrong_key = sent(url, capsys)
        for name in SECRETS:
            monkeypatch.delenv(name)
        nothing = sent(url, capsys)
    assert (status, body["actions"]) == (200, [{"type": "pause_bot_action"}])
    assert (wrong_key[0], wrong_key[1]["code"]) == (403, "signature_invalid")
    assert (nothing[0], nothing[1]["code"]) == (401, "credentials_missing")


def test_the_example_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """It is also a Flask application in tests."""
    with pytest.warns(InsecureWebhookWarning):
        app = load("webhook")["app"]
    answer = app.test_client().post("/", json=reached())
    assert answer.get_json() == {
        "actions": [],
        "session": {"values": {"name": "John"}},
    }
    assert capsys.readouterr().out == "conversation.step_reached\n"


def test_the_secured_example_echoes(monkeypatch: pytest.MonkeyPatch) -> None:
    """And it does not start without its secrets."""
    with pytest.raises(KeyError):
        load("secured")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    client = load("secured")["app"].test_client()
    body = json.dumps(reached(actions=[{"type": "new_action", "key": None}]))
    date = formatdate(usegmt=True)
    headers = {
        "Authorization": basic_auth("admin", "pass:word"),
        "Date": date,
        "X-Hub-Signature": sign("a private key", date, body.encode()),
    }
    answer = client.post("/", data=body, headers=headers)
    assert answer.get_json()["actions"] == [{"type": "new_action", "key": None}]
    assert client.post("/", data=body).status_code == 401


@pytest.fixture(scope="module")
def routing() -> FlaskClient:
    with pytest.warns(InsecureWebhookWarning):
        app: Flask = load("routing")["app"]
    return app.test_client()


@pytest.mark.parametrize(
    ("data", "handler"),
    [
        ({"id": "507f191e810c19729de860ea"}, "welcome"),
        ({"id": "507f191e810c19729de860eb"}, "order"),
        ({"id": "507f191e810c19729de860ec"}, "order"),
        ({"userData": '{"action": "subscribe"}'}, "subscribe"),
        ({"userData": '{"action": "else"}'}, "act"),
        ({"userData": "the newsletter"}, "news"),
        ({"userData": "{no JSON", "channel": "facebook"}, "facebook"),
        ({"userData": "42", "channel": "twilio"}, "chat"),
        ({"channel": "intercom", "id": "507f191e810c19729de860ea"}, "welcome"),
        ({}, None),
    ],
    ids=str,
)
def test_the_first_route_that_matches_answers(
    routing: FlaskClient, data: dict[str, Any], handler: str | None
) -> None:
    """By step, by userData, and by any key."""
    answer = routing.post("/", json=reached(**data))
    assert answer.headers.get("X-Handler") == handler
    assert answer.status_code == (200 if handler else 404)
    assert handler is None or answer.get_json()["actions"][0]["alternatives"] == [
        handler
    ]


def test_a_route_can_look_at_the_request(routing: FlaskClient) -> None:
    """A function of the request is a filter."""
    answer = routing.post("/", json=reached(), headers={"X-Trial": "1"})
    assert answer.headers["X-Handler"] == "trial"


@pytest.mark.parametrize(
    ("filter", "good", "bad"),
    [
        (JSONKeyEquals("user.id", 1), [{"user": {"id": 1}}], [{"user": {"id": 2}}]),
        (
            JSONKeyIn("user.id", [1, 2]),
            [{"user": {"id": 1}}, {"user": {"id": 2}}],
            [{"user": {"id": 3}}, {"user": None}],
        ),
        (
            JSONKeyExists("user.id"),
            [{"user": {"id": 1}}, {"user": {"id": None}}],
            [{"user": {}}, {"user": None}, {}],
        ),
        (
            StepID("507f191e810c19729de860ea"),
            [{"data": {"step": {"id": "507f191e810c19729de860ea"}}}],
            [{"data": {"step": {}}}],
        ),
    ],
    ids=repr,
)
def test_filters_can_be_called_with_plain_documents(
    filter: Any, good: list[Any], bad: list[Any]
) -> None:
    """As in the README of ``clustaar.webhook``."""
    assert all(map(filter, good))
    assert not any(map(filter, bad))


# --- A third party's ----------------------------------------------------------------

BAKERY, GARAGE = "507f1f77bcf86cd799439011", "507f1f77bcf86cd799439022"


@pytest.fixture
def responder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    folder = EXAMPLES / "responder"
    answers = tmp_path / "answers.json"
    answers.write_text((folder / "answers.json").read_text())
    monkeypatch.setenv("FLASK_ANSWERS", str(answers))
    app: Any
    with pytest.warns(InsecureWebhookWarning):
        app = runpy.run_path(str(folder / "responder.py"))["create_app"]()
    assert isinstance(app, Flask)
    return app


def say(*texts: str) -> dict[str, Any]:
    return {"type": "send_text_action", "alternatives": [*texts], "text": texts[0]}


def answer(app: Flask, actions: list[Any], bot: str = BAKERY) -> str:
    document = reached(bot=bot, actions=actions)
    reply = app.test_client().post("/clustaar", json=document).get_json()
    (action,) = reply["actions"]
    return str(action["text"])


@pytest.mark.parametrize(
    ("bot", "actions", "expected"),
    [
        (BAKERY, [say("start")], "Welcome to the bakery!"),
        (GARAGE, [say("start")], "Welcome to the garage!"),
        (
            BAKERY,
            [{"type": "pause_bot_action"}, say("hours")],
            "We bake from 5 to 13 h.",
        ),
        (GARAGE, [say("hours", "start"), say("start")], "We repair from 8 to 17 h."),
    ],
)
def test_the_responder_answers_by_bot_and_by_the_first_text(
    responder: Flask, bot: str, actions: list[Any], expected: str
) -> None:
    """Other actions, other texts and other alternatives do not matter."""
    assert answer(responder, actions, bot) == expected


@pytest.mark.parametrize(
    ("bot", "actions"),
    [
        (BAKERY, [say("never heard")]),
        ("507f1f77bcf86cd799439033", [say("start")]),
        (BAKERY, []),
        (BAKERY, [{"type": "pause_bot_action"}, {"type": "new_action"}]),
        (BAKERY, [{"type": "send_text_action", "alternatives": []}]),
    ],
    ids=["word", "bot", "no action", "no text", "no alternative"],
)
def test_the_responder_has_a_default_answer(
    responder: Flask, bot: str, actions: list[Any]
) -> None:
    """For an unknown word or bot, and for a step without a text."""
    responder.config["DEFAULT_ANSWER"] = "Pardon?"
    assert answer(responder, actions, bot) == "Pardon?"


def test_the_responder_learns(responder: Flask) -> None:
    """A new word, and another answer to an old one."""
    learn = responder.test_cli_runner().invoke
    assert learn(args=["learn", BAKERY, "bread", "Rye."]).exit_code == 0
    assert learn(args=["learn", BAKERY, "start", "Welcome back!"]).exit_code == 0
    assert answer(responder, [say("bread")]) == "Rye."
    assert answer(responder, [say("start")]) == "Welcome back!"
    assert answer(responder, [say("start")], GARAGE) == "Welcome to the garage!"
