"""``flask clustaar routes``: list handlers, and explain which get a notification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from flask import Flask

from ..address import rules_of
from ..deadline import shortest
from ..extension import ClustaarWebhook
from ..models import Notification
from ..routing import Handler
from ..wire import JSON
from .application import load_app, selected
from .files import read, read_notification
from .options import FILE, json_option, webhook_option
from .terminal import echo, echo_json, echo_table


@click.command("routes")
@webhook_option
@click.option(
    "--explain",
    metavar="FILE",
    type=FILE,
    help="Show which handlers would run for the notification in FILE ('-' is standard "
    "input), and why the others would not.",
)
@json_option
def command(webhook: str | None, explain: str | None, as_json: bool) -> None:
    """List the handlers, in the order in which they are matched.

    \b
      flask clustaar routes
      flask clustaar routes --explain notification.json

    With --explain the exit status is 0 if a handler would run, and 1 if none would.
    """
    app = load_app()
    webhooks = selected(app, webhook)
    content = b"" if explain is None else read(explain)
    notification = read_notification(content, explain) if explain else None
    rows = []
    for each in webhooks.values():
        # Filters may use flask.request.
        with app.test_request_context(method="POST", data=content):
            rows.append(_describe(app, each, notification))
    if as_json:
        echo_json(rows)
    for index, row in enumerate(rows if not as_json else ()):
        if index:
            echo()
        _print(row, explained=notification is not None)
    if notification is not None and not any(
        handler["runs"] for row in rows for handler in row["handlers"]
    ):
        click.get_current_context().exit(1)


# -- data ----------------------------------------------------------------------------


def _describe(
    app: Flask, webhook: ClustaarWebhook, notification: Notification | None
) -> JSON:
    """Return a webhook and its handlers as JSON."""
    urls = dict.fromkeys(_url(app, rule) for rule in rules_of(app, webhook))
    row: JSON = {
        "webhook": webhook.name,
        "urls": list(urls),
        "dispatch": webhook.installation(app).settings.dispatch,
        "handlers": [_handler(each, webhook, app) for each in webhook.handlers],
    }
    if notification is None:
        return row
    failure = None
    try:
        found = running(app, webhook, notification)
    except Exception as error:
        found, failure = [], type(error).__name__
    explained = {e.handler: e for e in webhook.explain(notification)}
    for handler, told in zip(webhook.handlers, row["handlers"], strict=True):
        explanation = explained[handler]
        told["matches"], told["reason"] = explanation.matched, explanation.sentence
        told["runs"] = handler in found
    row["failure"] = failure
    if not found and failure is None:
        row["suggestion"] = webhook._suggestion(notification)
    return row


def _url(app: Flask, rule: Any) -> str:
    """Return the URL of a rule; with the host if the application matches hosts."""
    path = rule.rule.rstrip("/") or "/"
    root = (app.config.get("APPLICATION_ROOT") or "/").rstrip("/")
    host = rule.host if app.url_map.host_matching else None
    if not host and rule.subdomain:
        host = f"{rule.subdomain}.{app.config.get('SERVER_NAME') or 'localhost'}"
    return f"{host or ''}{root}{path}"


def _handler(handler: Handler, webhook: ClustaarWebhook, app: Flask) -> JSON:
    settings = webhook.installation(app).settings
    deadline = shortest(settings.deadline, handler.deadline)
    late = None if deadline is None else webhook._late_handler_for(handler)
    return {
        "event": handler.topic,
        "filter": None if handler.filter is None else repr(handler.filter),
        "fallback": handler.is_fallback,
        "alone": handler.alone,
        "deadline": deadline,
        "late": None if late is None else late.name,
        "name": handler.name,
        "place": handler.location,
    }


def running(
    app: Flask, webhook: ClustaarWebhook, notification: Notification
) -> list[Handler]:
    """Return the handlers that would run for a notification, in order."""
    found = webhook.find(notification)
    if not found:
        fallback = webhook._fallback_for(notification)
        return [] if fallback is None else [fallback]
    dispatch = webhook.installation(app).settings.dispatch
    return found[:1] if dispatch == "first" else found


# -- output --------------------------------------------------------------------------


def _print(row: JSON, *, explained: bool) -> None:
    to = "all matching handlers"
    if row["dispatch"] == "first":
        to = "the first matching handler"
    urls = ", ".join(row["urls"])
    echo(f"{row['webhook']}: POST {urls} (calls {to})", looks={"bold": True})
    if explained:
        _print_explanation(row)
    elif row["handlers"]:
        _print_table(row["handlers"])
    else:
        echo("No handlers: every notification is answered with 404.")


def _print_table(handlers: Sequence[JSON]) -> None:
    # The filter is last, because it may be long.
    rows = [(h["name"], h["place"], _event(h), h["filter"] or "-") for h in handlers]
    if echo_table([("Handler", "Place", "Event", "Filter"), *rows]):
        return
    for name, place, event, filter in rows:
        echo(f"{name} ({place})")
        echo(event, label="    ")
        if filter != "-":
            echo(filter, label="    ")


def _event(handler: JSON) -> str:
    event = handler["event"] or "any"
    notes = [note for note in ("fallback", "alone") if handler[note]]
    if handler["deadline"] is not None:
        late = f", then {handler['late']}" if handler["late"] else ""
        notes.append(f"{handler['deadline']:g} s{late}")
    return f"{event} ({', '.join(notes)})" if notes else event


def _print_explanation(row: JSON) -> None:
    first = next((each for each in row["handlers"] if each["runs"]), None)
    for each in row["handlers"]:
        text = f"{each['name']} ({each['place']}): {each['reason']}"
        if each["runs"]:
            green = {"fg": "green"}
            echo(text, label="+ ", looks=green, label_looks=green)
        elif each["matches"] and first:
            echo(f"{text}, but '{first['name']}' runs first", label="- ")
        else:
            echo(text, label="- ")
    if row["failure"]:
        echo(f"No handler would run: a filter raised {row['failure']}.")
    elif first is None:
        echo(row["suggestion"], label="To handle it: ")
