"""A bot that answers questions through another service: ``flask --app faq run``.

The user waits for the answer, so the bot waits at most two seconds for the service. If
the service is slow, down, or sends something unexpected, the bot still has an answer.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

from flask import Flask, current_app

from flask_clustaar import ClustaarWebhook, HandlerGroup, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    GoToAction,
    QuickReply,
    SendQuickRepliesAction,
    SendTextAction,
)
from flask_clustaar.truncation import truncate

#: The id of the step at which users ask.
QUESTION = "5a8c317624acbe05b1a37001"

group = HandlerGroup()


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Create the application."""
    app = Flask(__name__)
    app.config["FAQ_URL"] = "http://127.0.0.1:8001/search"
    app.config["FAQ_SECONDS"] = 2.0
    app.config.from_prefixed_env()
    app.config.from_mapping(config)

    webhook = ClustaarWebhook(app)
    webhook.include(group)
    return app


@group.on(events.CONVERSATION_STEP_REACHED, filter=StepID(QUESTION))
def answer(notification: Notification) -> Action:
    """Answer a question."""
    try:
        found = look_up(notification.text)
    except Unavailable as error:
        current_app.logger.warning("The FAQ service failed: %s", error)
        return _again("I cannot look that up right now. Please try again in a minute.")
    if found is None:
        return _again("I do not know that. Can you ask in other words?")
    return SendTextAction(truncate(found, SendTextAction, "alternatives"))


class Unavailable(Exception):
    """The service gave no answer."""


def look_up(question: str) -> str | None:
    """Ask the service; return None if it has no answer."""
    url = f"{current_app.config['FAQ_URL']}?{urllib.parse.urlencode({'q': question})}"
    seconds = current_app.config["FAQ_SECONDS"]
    try:
        # In a thread, because the timeout of a socket applies to each packet. A slow
        # stream of packets would block the bot indefinitely.
        document = _threads.submit(_fetch, url, seconds).result(timeout=seconds)
        found = document["answer"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise Unavailable(type(error).__name__) from error
    return found if isinstance(found, str) and found else None


_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="faq")


def _fetch(url: str, seconds: float) -> Any:
    with urllib.request.urlopen(url, timeout=seconds) as response:
        return json.loads(response.read(100_000))


def _again(message: str) -> Action:
    button = QuickReply(title="Ask again", action=GoToAction.step(QUESTION))
    return SendQuickRepliesAction(message=message, buttons=[button])
