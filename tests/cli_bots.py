"""Bots for the tests of the command line, and how a command is run on them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

import flask_clustaar
from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.cli import clustaar
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    GoToAction,
    QuickReply,
    SendQuickRepliesAction,
)

KEY = "the private key of the bot"
USERNAME, PASSWORD = "platform", "the password of the bot"

ASK = "507f191e810c19729de860ea"
ANSWER = "507f191e810c19729de860eb"
FAIL = "507f191e810c19729de860ec"


def small_bot(**settings: Any) -> Flask:
    """Make an application whose bot asks for a colour, and says which it was."""
    app = Flask("small_bot")
    webhook = ClustaarWebhook(app, **{"private_key": KEY} | settings)

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(ASK))
    def ask(notification: Notification) -> Action:
        name = notification.interlocutor.first_name
        return SendQuickRepliesAction(
            message=f"Which colour, {name}?",
            buttons=[
                QuickReply(
                    title=title,
                    action=GoToAction.step(ANSWER, session_values={"colour": title}),
                )
                for title in ("Red", "Blue")
            ],
        )

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(ANSWER))
    def answer(notification: Notification) -> str:
        return f"{notification.session.get('colour')} it is."

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(FAIL))
    def fail(notification: Notification) -> str:
        raise ValueError("no colour")

    return app


def two_bots() -> Flask:
    """Make an application with two bots."""
    app = Flask("two_bots")
    sales = ClustaarWebhook(app, name="sales", private_key=KEY)
    support = ClustaarWebhook(
        app,
        name="support",
        private_key="another private key",
        auth_username=USERNAME,
        auth_password=PASSWORD,
    )
    sales.on(events.CONVERSATION_STEP_REACHED, lambda notification: "Sales.")
    support.on(events.CONVERSATION_STEP_REACHED, lambda notification: "Support.")
    return app


def run(
    app: Flask | Callable[[], Flask] | None,
    *arguments: str | Path,
    input: str | bytes | None = None,
) -> Result:
    """Run ``flask clustaar`` with an application, or with what makes it."""
    info = ScriptInfo()
    if app is not None:
        made = app
        info = ScriptInfo(
            create_app=(lambda: made) if isinstance(made, Flask) else made
        )
    return CliRunner().invoke(
        clustaar, [str(argument) for argument in arguments], input=input, obj=info
    )


def ok(result: Result) -> str:
    """Return what a command printed; it must have succeeded."""
    assert result.exit_code == 0, result.output
    return result.output


def sentence(result: Result, status: int = 1) -> str:
    """Return the error that a command ended with, which must be a sentence."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    error = re.split("^Error: ", result.output.strip(), flags=re.M)[-1]
    assert error.endswith(".")
    return error


def in_terminal(
    monkeypatch: pytest.MonkeyPatch, app: Flask, *arguments: str, typed: str = ""
) -> str:
    """Run ``flask clustaar`` with a terminal for all streams; return what it shows."""
    master, slave = pty.openpty()
    os.write(master, typed.encode())
    info = ScriptInfo(create_app=lambda: app)
    with (
        monkeypatch.context() as patch,
        ThreadPoolExecutor(1) as executor,
        open(slave, closefd=True) as stdin,
        open(os.dup(slave), "w") as stdout,
        open(os.dup(slave), "w") as stderr,
    ):
        shown = executor.submit(_all_of, master)
        for name, stream in ("stdin", stdin), ("stdout", stdout), ("stderr", stderr):
            patch.setattr(sys, name, stream)
        clustaar.main([*arguments], obj=info, standalone_mode=False)
    os.close(master)
    return shown.result()


def _all_of(terminal: int) -> str:
    shown = b""
    with suppress(OSError):  # Linux raises this for a closed terminal.
        while chunk := os.read(terminal, 4096):  # pragma: no branch
            shown += chunk
    return shown.decode()


def flask(
    directory: Path, *arguments: str, input: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``flask`` in a directory, as with an installed package."""
    installed = directory / ".installed"
    metadata = installed / "Flask_Clustaar-0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Name: Flask-Clustaar\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(
        "[flask.commands]\nclustaar = flask_clustaar.cli:clustaar\n"
    )
    package = Path(flask_clustaar.__file__).parent.parent
    path = os.pathsep.join([str(package), str(installed), *sys.path])
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": path, "FLASK_SKIP_DOTENV": "1"},
        input=input,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
