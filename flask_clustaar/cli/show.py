"""A notification and its answer, as a conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from ..errors import ProblemError
from ..models import Step
from ..notifications import load_notification
from ..printable import printable
from ..transcript import (
    Line,
    info,
    render_changes,
    render_input,
    render_place,
    render_problem,
    render_reply,
)
from ..wire import JSON
from .delivery import Answer
from .lines import say


def show(body: bytes, answer: Answer) -> None:
    """Print what was sent, and what came back."""
    document = _json(answer.body)
    lines = answer_lines(answer.status, document)
    try:
        sent = load_notification(body)
    except ProblemError:
        say([Line("· something that is not a notification", "user", "you")])
        say(lines)
        return
    say([place(sent.step)])
    say(render_input(sent.input))
    say(lines)
    if answer.status == 200:
        say(_changes(document, sent.event.received))


def place(step: Step) -> Line:
    """Return the line that says where the conversation is."""
    named = step.name if step.name not in (None, "A step") else None
    return render_place(f"{step.id} ({named})" if named else f"{step.id}")


def answer_lines(status: int, document: Any) -> Iterator[Line]:
    """Yield what a person sees of an answer."""
    if status == 200 and isinstance(document, dict):
        yield from render_reply(document)
        return
    problem: JSON = {"status": status, "detail": _phrase(status)}
    problem |= document if isinstance(document, dict) else {}
    yield from render_problem(problem)
    explanation = problem.get("explanation")
    for each in explanation if isinstance(explanation, list) else ():
        yield info(printable(str(each)))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _changes(reply: Any, sent: Any) -> Iterator[Line]:
    """Yield what a reply changes in the session and in the user."""
    if _object(reply, "session"):
        before, after = (_object(each, "session", "values") for each in (sent, reply))
        yield from render_changes("session", before, after)
    before = _object(sent, "interlocutor")
    after = {**before, **_object(reply, "interlocutor")}
    yield from render_changes("user", before, after)


def _object(document: Any, *keys: str) -> JSON:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


def _phrase(status: int) -> str:
    if status == 200:
        return "The answer is not a reply."
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "The answer is not one of HTTP."
