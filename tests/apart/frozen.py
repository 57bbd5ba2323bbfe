"""A bot that PyInstaller has frozen: ``make frozen``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server, exchange, notification, request, signed_headers, until

import flask_clustaar

KEY = "the key of the frozen bot"

BOT = f"""
import sys
from flask import Flask
from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import JMESPath

app = Flask("bot")
webhook = ClustaarWebhook(
    app,
    private_key={KEY!r},
    auth_username="platform",
    auth_password="wonder:land",
    replay_store="sqlite:///" + sys.argv[1],
)

@webhook.on(events.CONVERSATION_STEP_REACHED, filter=JMESPath("data.input.text"))
def greet(notification):
    return "Hello <b>" + notification.interlocutor.first_name + "</b><i>"

app.run(port=0)
"""


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The frozen bot, running, far from the package and from its Python."""
    directory = tmp_path_factory.mktemp("frozen")
    (directory / "bot.py").write_text(BOT)
    command = [sys.executable, "-m", "PyInstaller", "--log-level=ERROR", "bot.py"]
    # An editable package is not found without it.
    command += ["--paths", str(Path(flask_clustaar.__file__).parent.parent)]
    subprocess.run(command, cwd=directory, check=True)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [directory / "dist/bot/bot", directory / "replay.db"],
            cwd=directory / "dist",
            env={},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, directory)
    try:
        server.address = "127.0.0.1", until(server.port)
        yield server
    finally:
        process.kill()
        process.wait()


def test_a_text_is_sanitised(server: Server) -> None:
    """The sanitiser is there, although it loads its modules by name."""
    body = json.dumps(notification()).encode()
    sent = request("/clustaar", signed_headers(body, key=KEY), body)

    answer = exchange(server, [sent])

    assert 200 == answer.status, server.log
    [action] = answer.json["actions"]
    assert ["Hello <b>John</b><i></i>"] == action["alternatives"]
    assert answer.body == exchange(server, [sent]).body


def test_the_tools_are_left_out(server: Server) -> None:
    """Tools for developers are not part of the frozen bot."""
    names = {path.name for path in (server.directory / "dist").rglob("*")}
    archive = (server.directory / "build/bot/PYZ-00.toc").read_text()

    assert "bot" in names
    assert "'flask_clustaar.extension'" in archive
    for tool in ("testing", "pytest_plugin", "inspector", "replaying"):
        assert f"'flask_clustaar.{tool}'" not in archive
