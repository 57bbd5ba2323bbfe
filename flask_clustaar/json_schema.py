"""JSON Schema and OpenAPI of what travels, made from the models.

:func:`json_schema` and :func:`reply_schema` describe what leaves, as strictly as
the schemas judge it; :func:`notification_schema` describes what comes in, of which
nearly anything is taken. All are JSON Schema 2020-12. :func:`openapi` puts both into
an OpenAPI 3.1 document, with the door and its problems.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from marshmallow import validate

from . import events
from .errors import PROBLEMS
from .limits import Compiles, Pattern
from .models import (
    Action,
    ConversationSession,
    Interlocutor,
    Notification,
    StepReachedResponse,
)
from .wire import JSON, Attribute, Model, Shape, Unknown, attributes_of


def json_schema(model: type[Model]) -> JSON:
    """Return the JSON Schema of *model* as it leaves.

    :param model: a model, or the base of a family, such as
        :class:`~flask_clustaar.models.Action`.
    """
    return _standalone(Definitions(), model)


def reply_schema() -> JSON:
    """Return the JSON Schema of a reply that a program builds."""
    return _standalone(Definitions(), StepReachedResponse) | {
        "title": "Reply",
        "description": _ABOUT_REPLIES,
    }


def notification_schema() -> JSON:
    """Return the JSON Schema of the notifications that are accepted.

    An object with a topic is enough. All else is described, and may be otherwise.
    """
    return _standalone(Definitions(received=True), Notification) | {
        "title": "Notification",
        "description": _ABOUT_NOTIFICATIONS,
    }


class Webhook(NamedTuple):
    """A webhook in an OpenAPI document."""

    name: str
    #: Where it is: a URL, or only its path.
    url: str
    #: Whether it asks for a user name and a password.
    credentials: bool = True
    #: Whether it asks for a signature.
    signature: bool = True


def openapi(
    webhooks: Iterable[Webhook | tuple[str, str]],
    *,
    title: str = "Clustaar webhooks",
    version: str = "1.0",
) -> JSON:
    """Return an OpenAPI 3.1 document.

    What each webhook answers is under ``paths``, what the platform sends is under
    ``webhooks``.

    :param webhooks: :class:`Webhook` rows; ``(name, url)`` will do.
    :param title: the title of the document.
    :param version: the version of the program that answers.
    """
    sent = Definitions("#/components/schemas/")
    came = Definitions("#/components/schemas/Received", received=True)
    notification, reply = came.of(Notification), _as_sent(sent, came)
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
    schemas = {f"Received{name}": schema for name, schema in came.found.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "jsonSchemaDialect": _DIALECT,
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


# -- models --------------------------------------------------------------------------

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_ABOUT_REPLIES: Final = (
    "A reply as it leaves. Its texts are cleaned before they are counted: sanitised, "
    "normalised to NFKC, stripped of white space. A schema cannot say that, so judge "
    "what leaves, not what a handler returns. Neither can it say that what came in "
    "the notification may go back as it came, even where this schema would refuse it."
)
_ABOUT_NOTIFICATIONS: Final = (
    "What is accepted: an object with a topic. All else is described as it is known; "
    "what is otherwise is kept as it came, and unknown keys are kept too."
)
#: What stands beside the shape that is known, where a received value may have another.
_AS_IT_CAME: Final[JSON] = {"description": "Anything else, kept as it came."}


class Definitions:
    """The definitions of models, collected while they are referred to.

    :param refs: what a reference to a definition begins with.
    :param received: describe what comes in, not what leaves.
    """

    def __init__(self, refs: str = "#/$defs/", *, received: bool = False) -> None:
        self.found: dict[str, JSON] = {}
        self._refs = refs
        self._received = received
        self._names: dict[type[Model], str] = {}

    def of(self, model: type[Model]) -> JSON:
        """Return a reference to the definition of a model, or of a family."""
        if issubclass(model, Unknown):
            return dict(_AS_IT_CAME)
        name = self._names.get(model)
        if name is None:
            name = model.__name__
            if name in self.found:  # another model, of another module
                name = f"{model.__module__}.{name}"
            self._names[model] = name
            self.found[name] = {}  # keeps the place, as definitions may be recursive
            family = "_members" in vars(model)
            self.found[name] = self._family(model) if family else self._object(model)
        return {"$ref": self._refs + name}

    def _family(self, model: type[Model]) -> JSON:
        members: dict[str, type[Model]] = vars(model)["_members"]
        known = [self._member(tag, member) for tag, member in members.items()]
        schema = _about(model) | {"oneOf": known}
        if self._received and model._unknown is not None:
            return {"anyOf": [schema, _AS_IT_CAME]}
        return schema

    def _member(self, tag: str, member: type[Model]) -> JSON:
        if not self._received:
            return self.of(member)
        told_by = {"properties": {"type": {"const": tag}}, "required": ["type"]}
        return self.of(member) | told_by

    def _object(self, model: type[Model]) -> JSON:
        rows = attributes_of(model)
        properties = {row.key: self._value(row, model) for row in rows}
        required = [row.key for row in rows if self._is_required(row)]
        schema = _about(model) | {"type": "object"}
        if self._received:
            return schema | {"properties": properties, "required": required}
        if model._tag:
            properties = {"type": {"const": model._tag}} | properties
            required = ["type"] * model._tag_required + required
        schema |= {
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        if model._rule:
            schema["allOf"] = [model._rule.json_schema]
        return schema

    def _is_required(self, row: Attribute) -> bool:
        return row.default is None if self._received else row.required

    def _value(self, row: Attribute, model: type[Model]) -> JSON:
        schema = self._shape(row.shape)
        may_be_absent = self._received and row.default is not None
        if may_be_absent and model._envelope:
            return {"anyOf": [schema, _AS_IT_CAME]}
        return _or_null(schema) if row.nullable or may_be_absent else schema

    def _shape(self, shape: Shape) -> JSON:
        if shape.kind == "model":
            assert shape.model is not None
            return self.of(shape.model)
        schema: JSON = dict(_KINDS[shape.kind])
        if shape.item is not None:
            schema["items"] = self._shape(shape.item)
        if shape.kind == "strings" and self._received:
            del schema["additionalProperties"]
        if not self._received:
            for limit in shape.limits:
                schema |= _limit(limit, shape)
        return schema


def _standalone(definitions: Definitions, model: type[Model]) -> JSON:
    reference = definitions.of(model)
    return {"$schema": _DIALECT, **reference, "$defs": definitions.found}


def _about(model: type[Model]) -> JSON:
    """Return the first sentence of a docstring, as a description."""
    text = inspect.cleandoc(model.__doc__ or "")
    if text.startswith(f"{model.__name__}("):  # what a dataclass writes for itself
        return {}
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return {"description": paragraph.rstrip(":")} if paragraph else {}


def _or_null(schema: JSON) -> JSON:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [schema["type"], "null"]} | enum


_KINDS: Final[dict[str, JSON]] = {
    "string": {"type": "string"},
    "regexp": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "json": {"type": "object"},
    "strings": {"type": "object", "additionalProperties": {"type": "string"}},
    "any": {},
    "list": {"type": "array"},
}


def _limit(limit: validate.Validator, shape: Shape) -> JSON:
    """Return a limit in JSON Schema; nothing for one that cannot be said there."""
    for kind, write in _LIMITS.items():
        if isinstance(limit, kind):
            return write(limit, shape)
    return {}


def _length(limit: validate.Length, shape: Shape) -> JSON:
    what = {"string": "Length", "list": "Items"}.get(shape.kind, "Properties")
    low = limit.min if limit.equal is None else limit.equal
    high = limit.max if limit.equal is None else limit.equal
    bounds = {f"min{what}": low, f"max{what}": high}
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _range(limit: validate.Range, shape: Shape) -> JSON:
    low = "minimum" if limit.min_inclusive else "exclusiveMinimum"
    high = "maximum" if limit.max_inclusive else "exclusiveMaximum"
    bounds = {low: limit.min, high: limit.max}
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _one_of(limit: validate.OneOf, shape: Shape) -> JSON:
    return {"enum": list(limit.choices)}


def _pattern(limit: validate.Regexp, shape: Shape) -> JSON:
    pattern = limit.regex.pattern
    assert isinstance(pattern, str)
    if not isinstance(limit, Pattern):
        pattern = f"^(?:{pattern})"  # marshmallow matches at the beginning
    return {"pattern": pattern.replace(r"\w", _WORD)}


def _compiles(limit: Compiles, shape: Shape) -> JSON:
    return {"format": "regex"}


_LIMITS: Final[dict[type[validate.Validator], Callable[[Any, Shape], JSON]]] = {
    validate.Length: _length,
    validate.Range: _range,
    validate.OneOf: _one_of,
    validate.Regexp: _pattern,
    Compiles: _compiles,
}

#: ``\w`` for readers whose ``\w`` is only ASCII, as JavaScript's: the letters and
#: digits that most people write are spelled out. For Python nothing changes.
_WORD: Final = (
    r"[\w"
    "ªµºÀ-ÖØ-öø-ˁ"  # Latin
    "ΆΈ-ΊΌΎ-ΡΣ-ϵ"  # Greek
    "Ѐ-ҁҊ-ԯ"  # Cyrillic
    "Ա-Ֆՠ-ֈ"  # Armenian
    "א-ת"  # Hebrew
    "ؠ-ي٠-٩ٱ-ۓ"  # Arabic
    "ऄ-ह०-९"  # Devanagari
    "ก-ะ๐-๙"  # Thai
    "ა-ჺ"  # Georgian
    "Ḁ-ἕ"  # more of Latin and Greek
    "ぁ-ゖァ-ヺ㐀-䶿一-鿿가-힣"  # Japanese, Chinese, Korean
    "]"
)


# -- OpenAPI -------------------------------------------------------------------------


def _as_sent(sent: Definitions, came: Definitions) -> JSON:
    """Return the reply as it is on the wire: what came may go back as it came."""
    reference = sent.of(StepReachedResponse)
    reply = sent.found["StepReachedResponse"]
    reply["description"] = _ABOUT_REPLIES
    properties = reply["properties"]
    properties["actions"]["items"] = {"anyOf": [sent.of(Action), _AS_IT_CAME]}
    for key, model in (
        ("session", ConversationSession),
        ("interlocutor", Interlocutor),
    ):
        properties[key] = {"anyOf": [sent.of(model), came.of(model), {"type": "null"}]}
    return reference


def _operation(name: str, notification: JSON, reply: JSON) -> JSON:
    return {
        "operationId": name,
        "summary": "A step was reached: answer with the actions to run.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": notification}},
        },
        "responses": {
            "200": {
                "description": "What the bot does.",
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
        "description": "The user name and the password of the bot's webhook settings.",
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
    """Return the codes of the problems by their status."""
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
        "description": "What a handler aborted with.",
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
    "description": "Why a request was not answered (RFC 9457).",
    "properties": {
        "title": {"type": "string", "description": "What happened; it never changes."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {
            "enum": sorted(PROBLEMS),
            "description": "What happened, for programs.",
        },
        "errors": {
            "type": "array",
            "description": "What is wrong with the document, and where.",
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
