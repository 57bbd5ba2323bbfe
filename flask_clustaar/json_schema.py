"""Generate JSON Schema for notifications and replies from the models.

:func:`json_schema` and :func:`reply_schema` describe what you send, as strictly as it
is validated. :func:`notification_schema` describes what the platform sends; nearly
every document is accepted. All are JSON Schema 2020-12.
"""

from __future__ import annotations

import inspect
from typing import Final

from .models import Notification, StepReachedResponse
from .schemas.attributes import Attribute, attributes_of
from .schemas.kinds import KINDS
from .wire import JSON, Model, Unknown, is_family, members_of


def json_schema(model: type[Model]) -> JSON:
    """Return the JSON Schema of a model, as you send it.

    :param model: a model, or the base class of a family, such as
        :class:`~flask_clustaar.models.Action`.
    """
    return _standalone(Definitions(), model)


def reply_schema() -> JSON:
    """Return the JSON Schema of a reply, as you send it."""
    return _standalone(Definitions(), StepReachedResponse) | {
        "title": "Reply",
        "description": ABOUT_REPLIES,
    }


def notification_schema() -> JSON:
    """Return the JSON Schema of notifications.

    Any object with a topic is accepted; the rest is only described.
    """
    return _standalone(Definitions(received=True), Notification) | {
        "title": "Notification",
        "description": _ABOUT_NOTIFICATIONS,
    }


DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

ABOUT_REPLIES: Final = (
    "A reply as it is sent. Texts are sanitised, normalised to NFKC and stripped of "
    "white space before their length is checked. A schema cannot express that, so "
    "validate the sent reply, not the return value of a handler. Values from the "
    "notification can be sent back unchanged, even if this schema rejects them."
)
_ABOUT_NOTIFICATIONS: Final = (
    "Any object with a topic is accepted. The schema describes the known keys; other "
    "keys and values are kept unchanged."
)
#: The alternative for received values that do not have the known shape.
ANYTHING_ELSE: Final[JSON] = {"description": "Anything else; kept unchanged."}


class Definitions:
    """Collects the definitions of models that are referred to.

    :param refs: the prefix of references to definitions.
    :param received: True to describe what the platform sends.
    """

    def __init__(self, refs: str = "#/$defs/", *, received: bool = False) -> None:
        self.found: dict[str, JSON] = {}
        self._refs = refs
        self.received = received
        self._names: dict[type[Model], str] = {}

    def of(self, model: type[Model]) -> JSON:
        """Return a reference to the definition of a model, or of a family."""
        if issubclass(model, Unknown):
            return dict(ANYTHING_ELSE)
        name = self._names.get(model)
        if name is None:
            name = model.__name__
            if name in self.found:  # A model of another module has the same name.
                name = f"{model.__module__}.{name}"
            self._names[model] = name
            self.found[
                name
            ] = {}  # A placeholder, because definitions may be recursive.
            make = self._family if is_family(model) else self._object
            self.found[name] = make(model)
        return {"$ref": self._refs + name}

    def _family(self, model: type[Model]) -> JSON:
        members = members_of(model).items()
        known = [self._member(tag, member) for tag, member in members]
        schema = _about(model) | {"oneOf": known}
        if self.received and model._unknown is not None:
            return {"anyOf": [schema, ANYTHING_ELSE]}
        return schema

    def _member(self, tag: str, member: type[Model]) -> JSON:
        if not self.received:
            return self.of(member)
        told_by = {"properties": {"type": {"const": tag}}, "required": ["type"]}
        return self.of(member) | told_by

    def _object(self, model: type[Model]) -> JSON:
        rows = attributes_of(model)
        properties = {row.key: self._value(row, model) for row in rows}
        required = [row.key for row in rows if self._is_required(row)]
        schema = _about(model) | {"type": "object"}
        if self.received:
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
        return row.default is None if self.received else row.required

    def _value(self, row: Attribute, model: type[Model]) -> JSON:
        schema = KINDS[row.shape.kind].json_schema(row.shape, self)
        may_be_absent = self.received and row.default is not None
        if may_be_absent and model._envelope:
            return {"anyOf": [schema, ANYTHING_ELSE]}
        return _or_null(schema) if row.nullable or may_be_absent else schema


def _standalone(definitions: Definitions, model: type[Model]) -> JSON:
    reference = definitions.of(model)
    return {"$schema": DIALECT, **reference, "$defs": definitions.found}


def _about(model: type[Model]) -> JSON:
    """Return the first sentence of a model's docstring."""
    text = inspect.cleandoc(model.__doc__ or "")
    if text.startswith(f"{model.__name__}("):  # Generated by dataclass.
        return {}
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return {"description": paragraph.rstrip(":")} if paragraph else {}


def _or_null(schema: JSON) -> JSON:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return schema | {"type": [schema["type"], "null"]} | enum
