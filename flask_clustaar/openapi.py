"""Generate an OpenAPI 3.1 document for the webhooks of an application.

It combines the JSON Schema of notifications and replies
(:mod:`flask_clustaar.json_schema`) with authentication and problems.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from . import events
from .errors import PROBLEMS
from .json_schema import ABOUT_REPLIES, ANYTHING_ELSE, DIALECT, Definitions
from .models import (
    Action,
    ConversationSession,
    Interlocutor,
    Notification,
    StepReachedResponse,
)
from .wire import JSON


class Webhook(NamedTuple):
    """A webhook in an OpenAPI document."""

    name: str
    #: The URL, or only the path.
    url: str
    #: Whether it requires a user name and a password.
    credentials: bool = True
    #: Whether it requires a signature.
    signature: bool = True


def openapi(
    webhooks: Iterable[Webhook | tuple[str, str]],
    *,
    title: str = "Clustaar webhooks",
    version: str = "1.0",
) -> JSON:
    """Return an OpenAPI 3.1 document.

    ``paths`` describes the responses of each webhook, and ``webhooks`` the requests of
    the platform.

    :param webhooks: :class:`Webhook` objects, or pairs of name and URL.
    :param title: the title of the document.
    :param version: the version of your application.
    """
    sent = Definitions("#/components/schemas/")
    received = Definitions("#/components/schemas/Received", received=True)
    notification, reply = received.of(Notification), _as_sent(sent, received)
    paths: JSON = {}
    for row in webhooks:
        webhook = row if isinstance(row, Webhook) else Webhook(*row)
        scheme, host, path, *_ = urlsplit(webhook.url)
        operation = _operation(webhook.name, notification, reply)
        operation["security"] = _security(webhook)
        item: JSON = {"post": operation}
        if host:
            item["servers"] = [{"url": f"{scheme}://{host}"}]
        paths[path or "/"] = item
    schemas = {f"Received{name}": schema for name, schema in received.found.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "jsonSchemaDialect": DIALECT,
        "paths": paths,
        "webhooks": {
            events.CONVERSATION_STEP_REACHED: {
                "post": _operation("conversation_step_reached", notification, reply)
            }
        },
        "components": {
            "schemas": schemas | sent.found | {"Problem": _PROBLEM},
            "responses": _problem_responses(),
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _as_sent(sent: Definitions, received: Definitions) -> JSON:
    """Return the schema of a sent reply, which can contain received values."""
    reference = sent.of(StepReachedResponse)
    reply = sent.found["StepReachedResponse"]
    reply["description"] = ABOUT_REPLIES
    properties = reply["properties"]
    properties["actions"]["items"] = {"anyOf": [sent.of(Action), ANYTHING_ELSE]}
    for key, model in (
        ("session", ConversationSession),
        ("interlocutor", Interlocutor),
    ):
        properties[key] = {
            "anyOf": [sent.of(model), received.of(model), {"type": "null"}]
        }
    return reference


def _operation(name: str, notification: JSON, reply: JSON) -> JSON:
    return {
        "operationId": name,
        "summary": "A step was reached. Reply with the actions to execute.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": notification}},
        },
        "responses": {
            "200": {
                "description": "The reply: what the bot does.",
                "content": {"application/json": {"schema": reply}},
            }
        }
        | {
            status: {"$ref": f"#/components/responses/Problem{status}"}
            for status in _by_status()
        }
        | {"default": {"$ref": "#/components/responses/Problem"}},
    }


def _security(webhook: Webhook) -> list[JSON]:
    asked = {"credentials": webhook.credentials, "signature": webhook.signature}
    needed: JSON = {name: [] for name, is_asked in asked.items() if is_asked}
    return [needed] if needed else []


_SECURITY_SCHEMES: Final[JSON] = {
    "credentials": {
        "type": "http",
        "scheme": "basic",
        "description": "The user name and password from the bot's webhook settings.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature",
        "description": (
            "'sha1=' and the HMAC-SHA1 in hexadecimal digits, with the bot's private "
            "key, of 'date=', the value of the header 'Date', a newline, and the body."
        ),
    },
}


def _by_status() -> dict[str, list[str]]:
    """Return the codes of problems, by status."""
    found: dict[str, list[str]] = {}
    for code, problem in PROBLEMS.items():
        found.setdefault(str(problem.code), []).append(code)
    return dict(sorted(found.items()))


def _problem_responses() -> JSON:
    responses = {
        f"Problem{status}": _problem_response(codes)
        for status, codes in _by_status().items()
    }
    other = {
        "description": "The status of an HTTP exception that a handler raised.",
        "content": _problem_content(),
    }
    return responses | {"Problem": other}


def _problem_response(codes: list[str]) -> JSON:
    problems = {code: PROBLEMS[code]() for code in codes}
    headers = {name for problem in problems.values() for name in problem.headers}
    response: JSON = {
        "description": ", ".join(problem.title for problem in problems.values()) + ".",
        "content": _problem_content(
            {
                code: {"summary": problem.title, "value": problem.problem()}
                for code, problem in problems.items()
            }
        ),
    }
    if headers:
        response["headers"] = {
            name: {"schema": {"type": "string"}} for name in sorted(headers)
        }
    return response


def _problem_content(examples: JSON | None = None) -> JSON:
    content: JSON = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if examples:
        content["examples"] = examples
    return {"application/problem+json": content}


_PROBLEM: Final[JSON] = {
    "type": "object",
    "description": "Why the request failed (RFC 9457).",
    "properties": {
        "title": {"type": "string", "description": "A short, stable description."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "An explanation of the problem."},
        "code": {
            "enum": sorted(PROBLEMS),
            "description": "The stable name of the problem.",
        },
        "errors": {
            "type": "array",
            "description": "The mistakes in the document, with their paths.",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["path", "message"],
            },
        },
    },
    "required": ["title", "status", "detail", "code"],
}
