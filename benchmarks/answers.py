"""Compare the answers to fixed requests before and after a change.

All inputs are fixed, including the date, so two runs of the same code write the same
bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask_clustaar import Notification
from flask_clustaar.models import SendTextAction, StepReachedResponse
from flask_clustaar.security import basic_auth, sign

from .ours import build, offer, read_all, say, watch
from .payloads import PAYLOADS, STEP_ID, TOPIC, Payload, of_size, reply
from .subjects import Contender, Environ, environ_of
from .views import PASSWORD, PRIVATE_KEY, USERNAME

_DATE = "Thu, 13 Sep 2018 11:48:23 GMT"

#: The answers, by name of the request: status line, headers, body.
Answers = dict[str, list[Any]]


def collect() -> Answers:
    """Return the answers to all requests."""
    return {name: _answered(*request) for name, request in _requests()}


def write(answers: Answers, path: Path) -> None:
    """Write answers to a file."""
    path.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")


def differences(answers: Answers, path: Path) -> list[str]:
    """Return a line for each answer that differs from the file."""
    before: Answers = json.loads(path.read_text())
    lines = []
    for name in before | answers:
        old, new = before.get(name), answers.get(name)
        if old != new:
            lines.append(f"{name}:\n  before: {old}\n  after:  {new}")
    return lines


# -- more handlers -------------------------------------------------------------------


def _change(notification: Notification) -> str:
    notification.session["size"] = "L"
    notification.interlocutor.first_name = "Ana"
    return "<b>1 < 2</b> & <script>x</script> ½"


def _lay(notification: Notification) -> StepReachedResponse:
    return StepReachedResponse(
        actions=[*notification.step.actions[:2], SendTextAction("après")],
        session=notification.session,
    )


def _break_rules(notification: Notification) -> list[Any]:
    return [SendTextAction(""), {"type": "wait_action", "duration": 99}, {"type": "x"}]


def _raise(notification: Notification) -> None:
    raise LookupError("nothing of this may be in the answer")


_HANDLERS: dict[str, Callable[[Notification], Any]] = {
    "models": offer,
    "dicts": lambda notification: reply(PAYLOADS["typical"]),
    "text": say,
    "nothing": watch,
    "all read": read_all,
    "changes": _change,
    "merged": _lay,
    "invalid": _break_rules,
    "raises": _raise,
}


# -- requests ------------------------------------------------------------------------

_Request = tuple[Contender, Environ]


def _requests() -> Iterator[tuple[str, _Request]]:
    for payload in [*PAYLOADS.values(), of_size(10_000)]:
        for name, handler in _HANDLERS.items():
            bot = _bot(payload, handler)
            yield f"{payload.name}, {name}", (bot, _signed(bot.template.body(1)))
    bot = _bot(PAYLOADS["typical"], offer)
    for name, body in _BODIES.items():
        yield f"body: {name}", (bot, _signed(body))
    body = bot.template.body(2)
    for name, changes in _CHANGES.items():
        yield f"door: {name}", (bot, _signed(body) | changes)
    for header in ("HTTP_AUTHORIZATION", "HTTP_X_HUB_SIGNATURE", "HTTP_DATE"):
        environ = _signed(body)
        del environ[header]
        yield f"door: no {header}", (bot, environ)
    yield "door: signed without a date", (bot, _signed(body, "yesterday"))
    yield "door: too old", (build(PAYLOADS["typical"], offer), _signed(body))


def _bot(payload: Payload, handler: Callable[[Notification], Any]) -> Contender:
    return build(payload, handler, request_max_age=None)


_BODIES = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "not UTF-8": b'{"topic": "\xff"}',
    "not JSON": b'{"topic"',
    "byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"topic": NaN}',
    "infinite": b'{"topic": 1e999}',
    "long number": b'{"topic": ' + b"1" * 5000 + b"}",
    "nested": b"[" * 100_000,
    "topic is a number": b'{"topic": 1}',
    "topic of nobody": b'{"topic": "other"}',
    "no data": json.dumps({"topic": TOPIC}).encode(),
    "odd data": json.dumps(
        {"topic": TOPIC, "data": {"step": {"id": STEP_ID, "actions": 5}, "session": 5}}
    ).encode(),
    "unknown actions": json.dumps(
        {
            "topic": TOPIC,
            "data": {
                "input": {"type": "new", "a": [1, None]},
                "interlocutor": {"firstName": 5, "new": {"b": 1.50}},
                "session": {"values": {"big": 10**400, "small": 1e-9}, "new": 1},
                "step": {"id": STEP_ID, "actions": [{"type": "new"}, 5, None]},
            },
        }
    ).encode(),
}

_CHANGES: dict[str, Environ] = {
    "nothing": {},
    "other credentials": {"HTTP_AUTHORIZATION": "Basic Ym90OmVycm9y"},
    "bearer": {"HTTP_AUTHORIZATION": "Bearer x"},
    "other signature": {"HTTP_X_HUB_SIGNATURE": "sha1=" + "0" * 40},
    "malformed signature": {"HTTP_X_HUB_SIGNATURE": "sha1"},
    "other algorithm": {"HTTP_X_HUB_SIGNATURE": "md5=00"},
    "other date": {"HTTP_DATE": "yesterday"},
    "other type": {"CONTENT_TYPE": "text/html"},
    "compressed": {"HTTP_CONTENT_ENCODING": "gzip"},
    "too large": {"CONTENT_LENGTH": "99999999"},
    "cut off": {"CONTENT_LENGTH": "5000"},
    "GET": {"REQUEST_METHOD": "GET"},
}


def _signed(body: bytes, date: str = _DATE) -> Environ:
    return environ_of(
        body,
        {
            "HTTP_AUTHORIZATION": basic_auth(USERNAME, PASSWORD),
            "HTTP_DATE": date,
            "HTTP_X_HUB_SIGNATURE": sign(PRIVATE_KEY, date, body),
        },
    )


def _answered(bot: Contender, environ: Environ) -> list[Any]:
    status, headers, body = bot.answer(environ)
    return [status, [_header(*header) for header in headers], body.decode()]


def _header(name: str, value: str) -> list[str]:
    """Return a header; the order of methods, which Flask does not fix, is sorted."""
    if name == "Allow":
        value = ", ".join(sorted(value.split(", ")))
    return [name, value]
