"""The inspector's own Flask application: its page, and the JSON API behind it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, cast, get_args

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from ..channels import CHANNELS, REASONS, SUPPORT, support
from ..recording.delivery import Delivery
from ..wire import JSON
from .conversation import converse
from .copies import COPIES, COPY_NAMES
from .documents import differences, lines_of, parse, user_after, values_after
from .editing import Kind, check, complete
from .program import Program
from .sending import HOW, Sender
from .store import Store, matches

#: How often to send a comment in a stream, in seconds, to notice closed pages.
HEARTBEAT = 10.0


def create_inspector(program: Program, store: Store) -> Flask:
    """Return the application behind the page.

    :param program: the inspected bot.
    :param store: the recorded deliveries.
    """
    app = Flask("flask_clustaar.inspector", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["inspector"] = program, store
    app.register_blueprint(_pages)
    app.register_error_handler(HTTPException, _problem)
    # An id that is too large for the store.
    app.register_error_handler(OverflowError, lambda _: _problem(NotFound()))
    return app


_pages = Blueprint("inspector", __name__, static_folder="static")


def _program() -> Program:
    return cast(Program, current_app.extensions["inspector"][0])


def _store() -> Store:
    return cast(Store, current_app.extensions["inspector"][1])


def _problem(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500


# -- the page ------------------------------------------------------------------------


@_pages.get("/")
def index() -> Response:
    """Return the page."""
    return _pages.send_static_file("index.html")


@_pages.get("/api/app")
def about() -> JSON:
    """Return what the page needs to know about the bot."""
    program = _program()
    return {
        **program.state(),
        "webhooks": [
            {
                "name": name,
                "handlers": [
                    {
                        "name": handler.name,
                        "where": handler.location,
                        "decorator": handler.decorator,
                    }
                    for handler in webhook.handlers
                ],
                "settings": repr(webhook.installation(program.app).settings),
            }
            for name, webhook in program.webhooks.items()
        ],
        "how": HOW,
        "channels": {id: _capital(name) for id, name in CHANNELS.items()},
        "support": SUPPORT,
        "reasons": {" ".join(about): reason for about, reason in REASONS.items()},
        "copies": COPY_NAMES,
    }


def _capital(name: str) -> str:
    name = name.removeprefix("the ")
    return name[0].upper() + name[1:]


# -- the list ------------------------------------------------------------------------


@_pages.get("/api/stream")
def stream() -> Response:
    """Return the changes of the list as server-sent events, until the page closes."""
    after = request.headers.get("Last-Event-ID") or request.args.get("after", "0")
    store, program = _store(), _program()
    return Response(
        _events(store, program, int(after) if after.isdecimal() else 0),
        content_type="text/event-stream",
    )


def _events(store: Store, program: Program, after: int) -> Iterator[str]:
    # Sent at once, because the headers are sent with the first event. After a reload,
    # the browser connects again in this many milliseconds.
    yield "retry: 200\n\n"
    yield f"event: app\ndata: {json.dumps(program.state())}\n\n"
    told: JSON = {}
    while True:
        version, rows = store.version, store.rows()
        for row in reversed(rows):
            if row["id"] > after:
                after = row["id"]
                yield f"id: {after}\nevent: delivery\ndata: {json.dumps(row)}\n\n"
        # Requests that any page pinned, renamed or removed.
        now = {"ids": [row["id"] for row in rows], "pins": _pins(rows)}
        if now != told:
            told = now
            yield f"event: kept\ndata: {json.dumps(now)}\n\n"
        if not store.wait(version, HEARTBEAT):
            yield ": still here\n\n"


def _pins(rows: list[Any]) -> JSON:
    return {str(row["id"]): row["pinned"] for row in rows if row["pinned"] is not None}


@_pages.get("/api/deliveries")
def deliveries() -> Response:
    """Return the rows of the list, newest first."""
    after, limit = (request.args.get(key, 0, int) for key in ("after", "limit"))
    rows = _store().rows(after)
    wanted = [row for row in rows if matches(row, request.args)]
    return jsonify(wanted[: limit or None])


@_pages.delete("/api/deliveries")
def clear() -> JSON:
    """Remove all deliveries that are not pinned."""
    _store().clear()
    return {}


@_pages.get("/api/export")
def export() -> Response:
    """Return all deliveries as a recording: one line of JSON each."""
    name = time.strftime("clustaar-%Y-%m-%d-%H%M%S.jsonl")
    lines = "".join(f"{json.dumps(each)}\n" for each in _store().deliveries())
    return Response(
        lines,
        content_type="application/x-ndjson",
        headers={"Content-Disposition": f"attachment; filename={name}"},
    )


# -- one delivery --------------------------------------------------------------------


def _find(id: int) -> Delivery:
    delivery = _store().get(id)
    if delivery is None:
        raise NotFound(
            f"There is no request {id}. It may have been replaced by newer ones."
        )
    return delivery


@_pages.get("/api/deliveries/<int:id>")
def one(id: int) -> Response:
    """Return a delivery with all details, and its JSON line by line."""
    found = _find(id)
    sent, reply = parse(found["request"]), parse(found["reply"])
    answer = reply if found["status"] == 200 else None
    shown = found["unsent"] or found["reply"]
    return jsonify(
        found
        | {
            "requestLines": lines_of(found["request"]),
            "replyLines": lines_of(shown, found["violations"]),
            "sessionChanges": list(differences(*values_after(sent, answer))),
            "userChanges": list(differences(*user_after(sent, answer))),
            "lost": {
                channel: list(_lost(parse(shown), channel)) for channel in CHANNELS
            },
            "suggestion": _program().suggestion(found),
        }
    )


def _lost(node: Any, channel: str, path: str = "") -> Iterator[tuple[str, ...]]:
    """Yield path, type, support and reason of what a channel does not show."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node or ())
    if isinstance(node, dict):
        kind = node.get("type")
        shown = support(kind, channel)
        if shown != "y":
            unknown = "is not documented there"
            reason = REASONS.get((str(kind), channel), "is not shown there")
            yield path, str(kind), shown, unknown if shown == "?" else reason
    for key, value in pairs:
        if isinstance(value, (dict, list)) and key != "session":
            where = f"{path}.{key}" if path else str(key)
            yield from _lost(value, channel, where)


@_pages.delete("/api/deliveries/<int:id>")
def remove(id: int) -> JSON:
    """Remove a delivery."""
    if not _store().delete(id):
        _find(id)
    return {}


@_pages.patch("/api/deliveries/<int:id>")
def pin(id: int) -> JSON:
    """Pin a delivery with a name; null unpins it."""
    name = _body().get("pinned")
    if name is not None and not isinstance(name, str):
        raise BadRequest("'pinned' must be a name or null.")
    if not _store().pin(id, name):
        _find(id)
    return {"pinned": name}


@_pages.get("/api/deliveries/<int:id>/copy/<kind>")
def copy(id: int, kind: str) -> Response:
    """Return a delivery as text that can be pasted."""
    found = _find(id)
    if kind not in COPIES:
        raise NotFound(f"Unknown copy '{kind}'. Choose one of: {', '.join(COPIES)}.")
    try:
        text = COPIES[kind](found, _sender(found["webhook"]))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return Response(text, content_type="text/plain; charset=utf-8")


@_pages.get("/api/deliveries/<int:id>/diff/<int:other>")
def diff(id: int, other: int) -> Response:
    """Return the differences between the replies of two deliveries."""
    before, after = _find(id), _find(other)
    one, two = (
        {"status": each["status"], "reply": parse(each["reply"])}
        for each in (before, after)
    )
    return jsonify(list(differences(one, two)))


# -- sending -------------------------------------------------------------------------


@_pages.post("/api/send")
def send() -> Response:
    """Send a notification from its text."""
    body = _body()
    text = body.get("body")
    if not isinstance(text, str):
        raise BadRequest("'body' must be a string: the JSON of a notification.")
    return _sent(_sender(body.get("webhook")), text.encode(), "chat", body)


@_pages.post("/api/deliveries/<int:id>/replay")
def replay(id: int) -> Response:
    """Send a delivery again, with the same or another body."""
    found, body = _find(id), _body()
    text = body.get("body", found["request"])
    if not isinstance(text, str):
        raise BadRequest("The body was not stored: it is too long, or not UTF-8.")
    sender = _sender(found["webhook"])
    return _sent(sender, text.encode(), f"replay of {id}", body)


def _sent(sender: Sender, content: bytes, source: str, options: JSON) -> Response:
    how, times = options.get("how", "fresh"), options.get("times", 1)
    if not isinstance(how, str) or how not in HOW:
        raise BadRequest(f"'how' must be one of {', '.join(HOW)}.")
    if type(times) is not int or not 1 <= times <= 100:
        raise BadRequest("'times' must be a number from 1 to 100.")
    together = bool(options.get("together", False))
    ids = sender.send(content, source, how=how, times=times, together=together)
    rows = [_find(id) for id in ids]
    ran = sum(bool(row["handlers"]) and not row["repeated"] for row in rows)
    repeated = sum(row["repeated"] for row in rows)
    return jsonify(ids=ids, ran=ran, repeated=repeated)


def _sender(name: Any) -> Sender:
    try:
        return _program().sender(name)
    except (LookupError, TypeError) as error:
        raise BadRequest(str(error)) from error


def _body() -> JSON:
    try:
        body = request.get_json()
        json.dumps(body, ensure_ascii=False).encode()
    except (RecursionError, UnicodeError) as error:
        raise BadRequest(
            "The body must be text in UTF-8, and not be nested deeply."
        ) from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


@_pages.post("/api/chat")
def chat() -> Response:
    """Perform an act of the user in the chat, and return what to draw."""
    body = _body()
    try:
        sender = _sender(body.get("webhook"))
        return jsonify(converse(sender, _store(), _program().bot, body))
    except (LookupError, TypeError, ValueError) as error:
        raise BadRequest(f"The state of the chat is invalid: {error!r}.") from error


# -- the editor ----------------------------------------------------------------------


@_pages.post("/api/check")
def check_text() -> Response:
    """Return the mistakes in a text that is being typed, and its completions."""
    body = _body()
    text, kind, caret = body.get("text"), body.get("kind"), body.get("caret", 0)
    if not isinstance(text, str) or type(caret) is not int:
        raise BadRequest("'text' must be a string, and 'caret' an integer.")
    if kind not in get_args(Kind):
        raise BadRequest(f"'kind' must be one of {', '.join(get_args(Kind))}.")
    as_what = cast(Kind, kind)
    typed, options = complete(text, caret, as_what)
    return jsonify(mistakes=check(text, as_what), typed=typed, options=options[:40])
