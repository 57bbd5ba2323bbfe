"""Describe an answered request: as a delivery to store, and as a row of the list."""

from __future__ import annotations

import hashlib
import json
import reprlib
import traceback
from typing import Any, Final, cast

from flask import Flask

from .. import replies
from ..errors import InvalidReply, ProblemError
from ..extension import ClustaarWebhook
from ..notifications import load_notification
from ..printable import printable
from ..recording.delivery import VERSION, Delivery, HandlerRun, Timings
from ..routing import Explanation
from ..schemas import validate_model
from ..settings import Settings
from ..transcript import render_input
from ..verification import ReceivedRequest, Verdict, verify
from ..wire import JSON
from .documents import parse, value_at
from .store import Row
from .trace import Run, Trace

#: The maximum number of handlers that did not match in a description.
MOST_HANDLERS: Final = 50

_UNPREFIXED: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")
_SECRETS: Final = ("authorization", "cookie", "proxy-authorization")


def describe(app: Flask, trace: Trace) -> tuple[Delivery, Row]:
    """Return the delivery to store, and its row in the list."""
    webhook, body = trace.webhook, trace.body
    assert webhook is not None, "Only the requests of webhooks are described."
    settings = webhook.installation(app).settings
    content = body.content
    request = ReceivedRequest(
        trace.environ.get("PATH_INFO"), _headers(trace.environ), content or b""
    )
    problem = _problem(trace)
    checks = verify(request, settings, trace.at)
    delivery = Delivery(
        v=VERSION,
        id=0,
        at=trace.at,
        webhook=webhook.name,
        source=trace.source,
        key=_identity(request, checks, settings),
        headers={
            name: ["***"] if name in _SECRETS else values
            for name, values in request.headers.items()
        },
        request=_text(content),
        size=max(body.size, int(trace.environ.get("CONTENT_LENGTH") or 0)),
        sha256=body.sha256,
        status=trace.status,
        reply=_text(trace.reply),
        unsent=_unsent(trace),
        repeated=trace.repeated,
        code=problem.get("code"),
        violations=_violations(trace, problem),
        error=_traceback(trace),
        checks=[(each.check, each.outcome, each.sentence) for each in checks],
        handlers=_handlers(app, webhook, trace),
        late=None if trace.late is None else trace.late.handler.name,
        timings=_timings(trace),
        pinned=None,
    )
    _set_replay_outcome(delivery, trace)
    return delivery, row_of(delivery)


def read_delivery(line: bytes) -> Delivery:
    """Return the delivery in a line of a recording; missing keys get defaults.

    :raises ValueError: if the line is not a delivery.
    """
    read = json.loads(line)
    if not isinstance(read, dict) or not isinstance(read.get("status"), int):
        raise ValueError("it is not an object with a 'status'")
    request = read.get("request")
    if not isinstance(request, str | None):
        raise ValueError("its 'request' is not text")
    content = (request or "").encode()
    empty: Delivery = {
        "v": VERSION,
        "id": 0,
        "at": 0.0,
        "webhook": "clustaar",
        "source": "recording",
        "key": None,
        "headers": {},
        "request": request,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "status": read["status"],
        "reply": None,
        "unsent": None,
        "repeated": False,
        "code": None,
        "violations": [],
        "error": None,
        "checks": [],
        "handlers": [],
        "late": None,
        "timings": _NO_TIMINGS,
        "pinned": None,
    }
    known = {key: value for key, value in read.items() if key in empty}
    timings = {**_NO_TIMINGS, **(read.get("timings") or {})}
    known["handlers"] = [_NO_RUN | each for each in read.get("handlers") or ()]
    found = {**empty, **known, "source": "recording", "timings": timings}
    return cast(Delivery, found)


_NO_RUN: Final[JSON] = {
    "name": "",
    "where": "",
    "decorator": "",
    "matched": True,
    "sentence": "",
    "ms": None,
    "returned": None,
}
_NO_TIMINGS: Final[Timings] = {
    "authentication": None,
    "load": None,
    "handlers": None,
    "reply": None,
    "total": 0.0,
}


def row_of(delivery: Delivery) -> Row:
    """Return the row of a delivery in the list."""
    data = value_at(parse(delivery["request"]), "data")
    step = value_at(data, "step")
    return Row(
        id=delivery["id"],
        at=delivery["at"],
        webhook=delivery["webhook"],
        source=delivery["source"],
        status=delivery["status"],
        code=delivery["code"],
        step=_words(value_at(step, "name")) or _words(value_at(step, "id")) or None,
        step_id=_words(value_at(step, "id")) or None,
        title=_title(value_at(data, "input")),
        handlers=[each["name"] for each in delivery["handlers"] if each["ms"]],
        ms=delivery["timings"]["total"],
        repeated=delivery["repeated"],
        pinned=delivery["pinned"],
    )


def _title(input: Any) -> str:
    """Describe the act of the user in a few words."""
    if not isinstance(input, dict):
        return ""
    if input.get("type") == "go_to_action":
        values = input.get("sessionValues") or ""
        return f"click {json.dumps(values) if values else ''}"[:80].strip()
    return " ".join(line.text for line in render_input(input))[:80]


def _words(value: Any) -> str:
    return printable(value)[:80] if isinstance(value, str) else ""


# -- the request ---------------------------------------------------------------------


def _headers(environ: JSON) -> dict[str, list[str]]:
    names = {key: key[5:] for key in environ if key.startswith("HTTP_")}
    names |= {
        key: key for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)
    }
    return {
        name.replace("_", "-").lower(): [str(environ[key])]
        for key, name in names.items()
    }


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _identity(
    request: ReceivedRequest, checks: list[Verdict], settings: Settings
) -> str | None:
    outcomes = {each.check: each.outcome for each in checks}
    if outcomes["signature"] != "pass":
        return None
    return request.header("X-Hub-Signature")[0].partition("=")[2].lower()


def _set_replay_outcome(delivery: Delivery, trace: Trace) -> None:
    """Replace the verdict of the replay check: only the trace shows the outcome."""
    accepted = trace.repeated or trace.loaded is not None
    name, outcome, sentence = delivery["checks"][-1]
    if delivery["code"] in ("delivery_in_progress", "replay_store_unavailable"):
        outcome, sentence = "FAIL", str(_problem(trace).get("detail"))
    elif trace.repeated:
        outcome, sentence = "pass", "answered from the replay store; no handler ran"
    elif accepted and delivery["key"] and "not checked" in sentence:
        outcome, sentence = "pass", "a new delivery"
    elif "not checked" in sentence:
        sentence = "not reached"
    delivery["checks"][-1] = (name, outcome, sentence)


# -- the answer ----------------------------------------------------------------------


def _problem(trace: Trace) -> JSON:
    """Return the problem body of the answer; empty for a reply."""
    if trace.status < 400:
        return {}
    problem = parse(_text(trace.reply))
    return problem if isinstance(problem, dict) else {}


def _violations(trace: Trace, problem: JSON) -> list[tuple[str, str]]:
    if isinstance(trace.failure, ProblemError):
        return [(path, message) for path, message in trace.failure.violations]
    errors = problem.get("errors") or []
    return [(each["path"], each["message"]) for each in errors]


def _unsent(trace: Trace) -> str | None:
    """Return the invalid reply as the handlers built it."""
    if not isinstance(trace.failure, InvalidReply) or trace.notification is None:
        return None
    returned = [run.call.returned for run in trace.runs]
    try:
        answers = [replies.answer_of(each, "handler") for each in returned]
        merged = replies.merge([each for each in answers if each], trace.notification)
        return json.dumps(validate_model(merged)[0])
    except InvalidReply:
        # The handler returned JSON with a value that a reply cannot contain.
        return json.dumps(returned[-1], default=repr)


def _traceback(trace: Trace) -> str | None:
    failure = trace.failure
    if failure is None or isinstance(failure, InvalidReply):
        return None
    return "".join(traceback.format_exception(failure))


# -- the handlers --------------------------------------------------------------------


def _handlers(app: Flask, webhook: ClustaarWebhook, trace: Trace) -> list[HandlerRun]:
    """Return all handlers that ran or matched, and some of those that did not."""
    notification = trace.notification
    if notification is None:
        return []
    # A handler may have changed it.
    if trace.body.content is not None:
        notification = load_notification(trace.body.content)
    with app.request_context(dict(trace.environ)):
        explanations = webhook.explain(notification)
    runs = {run.handler: run for run in trace.runs}
    if trace.late is not None and trace.late.handler in runs:
        explanations = [
            each._replace(sentence=f"{each.sentence}. {trace.late.description}")
            if each.handler == trace.late.handler
            else each
            for each in explanations
        ]
    rows: list[HandlerRun] = []
    hidden = 0
    for explanation in explanations:
        run = runs.get(explanation.handler)
        if run or explanation.matched or len(rows) < MOST_HANDLERS:
            rows.append(_handler(explanation, run))
        else:
            hidden += 1
    known = {explanation.handler for explanation in explanations}
    for run in trace.runs:
        if run.handler not in known and trace.late is not None:
            # It is the late handler, which is not one of those that match.
            sentence = f"answered in place of {trace.late.handler.name!r}"
            rows.append(_handler(Explanation(run.handler, True, sentence), run))
    if hidden:
        more = f"{hidden} more did not match."
        rows.append({**_handler(explanations[-1], None), "name": "…", "sentence": more})
    return rows


def _handler(explanation: Explanation, run: Run | None) -> HandlerRun:
    handler = explanation.handler
    returned = None
    if run and (run.has_returned or run.call.returned is not None):
        returned = _shown.repr(run.call.returned)
    return HandlerRun(
        name=handler.name,
        where=handler.location,
        decorator=handler.decorator,
        matched=explanation.matched,
        sentence=explanation.sentence,
        ms=None if run is None else _ms(run.duration),
        returned=returned,
    )


_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 300


# -- the time ------------------------------------------------------------------------


def _timings(trace: Trace) -> Timings:
    spent = sum(run.duration for run in trace.runs)
    loaded = trace.loaded or trace.ended
    return Timings(
        authentication=_ms(loaded - trace.began),
        load=None,
        handlers=_ms(spent) if trace.runs else None,
        reply=_ms(trace.ended - trace.handled) if trace.handled else None,
        total=_ms(trace.ended - trace.began),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
