"""Convert a recorded request to text that can be pasted: a shell command, or a test."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pprint import pformat
from typing import Any, Final

from werkzeug.wrappers import Response

from ..errors import ProblemError
from ..notifications import load_notification
from ..platform.conversation import Conversation
from ..recording.delivery import Delivery
from ..wire import JSON
from .documents import parse, value_at, values_after
from .sending import Sender


def curl(delivery: Delivery, sender: Sender) -> str:
    """Return a curl command that sends the request, signed now.

    The command works until its date is too old. It does not contain the password; curl
    asks for it.
    """
    signed = sender.deliver(_body(delivery).encode())
    arguments = ["curl", "--silent", "--show-error"]
    for name, value in signed.headers.items():
        if name == "Authorization":
            username = sender.signer.settings.pairs[0].username.reveal()
            arguments += ["--user", username.decode(errors="replace")]
        else:
            arguments += ["--header", f"{name}: {value}"]
    data = signed.body.decode()
    return shlex.join([*arguments, "--data-binary", data, sender.url])


def send(delivery: Delivery, sender: Sender) -> str:
    """Return a ``flask clustaar send`` command that sends the request the same way."""
    command = "flask clustaar send --file -"
    if len(sender_webhooks(sender)) > 1:
        command += f" --webhook {shlex.quote(delivery['webhook'])}"
    wrong = {"request_too_old": " --date -60", "request_from_future": " --date 60"}
    command += wrong.get(delivery["code"] or "", "")
    if delivery["code"] == "signature_invalid":
        command += " --bad-signature"
    return f"{command} <<'END'\n{_indented(delivery)}\nEND"


def sender_webhooks(sender: Sender) -> Mapping[str, Any]:
    """Return the webhooks of the sender's application."""
    found: Mapping[str, Any] = sender.app.extensions["clustaar"]
    return found


def as_pytest(delivery: Delivery, sender: Sender) -> str:
    """Return a test function that sends the request and expects the same reply."""
    document = parse(delivery["request"])
    act = _act(document)
    if act is None:
        body = pformat(document, width=84, sort_dicts=False)
        act = f"reply = clustaar_client.send({body})"
    rows = [act, *_expectations(delivery)]
    code = "\n".join(rows).replace("\n", "\n    ")
    return f"def test_{_name(document)}(clustaar_client):\n    {code}\n"


def story(delivery: Delivery, sender: Sender) -> str:
    """Return a story with the same act of the user and the same reply.

    :raises ValueError: if the request is not a notification.
    """
    try:
        sent = load_notification(_body(delivery).encode())
    except ProblemError as error:
        raise ValueError(
            "The request is not a notification, so it cannot be a story."
        ) from error
    response = Response(
        delivery["reply"], delivery["status"], content_type="application/json"
    )
    conversation = Conversation(lambda body: response)
    conversation._send(sent, lambda: response)
    return f"{conversation}\n"


def as_json(delivery: Delivery, sender: Sender) -> str:
    """Return the request's body, indented."""
    return _indented(delivery)


#: The formats in which a request can be copied.
COPIES: Final[dict[str, Callable[[Delivery, Sender], str]]] = {
    "curl": curl,
    "send": send,
    "pytest": as_pytest,
    "story": story,
    "json": as_json,
}


#: The names of the formats on the page.
COPY_NAMES: Final = {
    "curl": "curl",
    "send": "flask clustaar send",
    "pytest": "pytest",
    "story": "story",
    "json": "JSON",
}


def _body(delivery: Delivery) -> str:
    """Return the body without the white space that made the request unique.

    :raises ValueError: if it was not stored.
    """
    if delivery["request"] is None:
        raise ValueError("The body was not stored: it is too long, or not UTF-8.")
    return delivery["request"].rstrip()


def _indented(delivery: Delivery) -> str:
    document = parse(_body(delivery))
    if document is None:
        return _body(delivery)
    return json.dumps(document, indent=2, ensure_ascii=False)


def _act(document: Any) -> str | None:
    """Return the act of the user as calls of the test client; None if it has none.

    The client plays the user John Doe, whose session is empty at the beginning.
    """
    input = value_at(document, "data", "input")
    step = value_at(document, "data", "step")
    if not isinstance(step, dict) or not isinstance(step.get("id"), str):
        return None
    if not _is_default_user(value_at(document, "data", "interlocutor")):
        return None
    session = value_at(document, "data", "session", "values") or {}
    lines = [f"clustaar_client.session = {session!r}"] if session else []
    place = {
        "step_name": step.get("name"),
        "actions": step.get("actions") or None,
        "user_data": step.get("userData"),
    }
    told = "".join(f", {key}={value!r}" for key, value in place.items() if value)
    lines.append(f"clustaar_client.at({step['id']!r}{told})")
    channel = value_at(document, "data", "channel")
    lines.append(f"clustaar_client.channel = {channel!r}")
    match input:
        case {"type": "message", "text": str(text), **more} if not any(more.values()):
            lines.append(f"reply = clustaar_client.say({text!r})")
        case {"type": "custom_event", "name": str(name)}:
            lines.append(f"reply = clustaar_client.emit({name!r})")
        case {"type": "url_loaded_event", "url": str(url)}:
            lines.append(f"reply = clustaar_client.open_url({url!r})")
        case _:
            return None
    return "\n".join(lines)


def _is_default_user(user: Any) -> bool:
    wanted = {"firstName": "John", "lastName": "Doe", "email": "john@example.com"}
    given = user if isinstance(user, dict) else {}
    return {key: given.get(key) for key in wanted} == wanted and not given.get(
        "customAttributes"
    )


def _expectations(delivery: Delivery) -> list[str]:
    reply: JSON | None = parse(delivery["reply"])
    if delivery["status"] != 200 or not isinstance(reply, dict):
        return [
            f"assert reply.status_code == {delivery['status']}",
            f"assert reply.json['code'] == {delivery['code']!r}",
        ]
    # Compare JSON and not texts, so that the whole reply is compared.
    actions = pformat(reply.get("actions"), width=84, sort_dicts=False)
    lines = [f"assert reply.json['actions'] == {actions}"]
    _, session = values_after(parse(delivery["request"]), reply)
    return [*lines, f"assert reply.session == {session!r}"]


def _name(document: Any) -> str:
    words = str(value_at(document, "data", "step", "name") or "request").lower()
    kept = "".join(each if each.isalnum() and each.isascii() else "_" for each in words)
    return kept.strip("_") or "request"
