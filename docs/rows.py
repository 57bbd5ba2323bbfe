"""What the models say of themselves, in words: the rows of the tables of the book."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from flask_clustaar.schemas.attributes import Attribute, attributes_of
from flask_clustaar.schemas.kinds import KINDS
from flask_clustaar.wire import NORMALISED, SANITISED, STRIPPED, Model


class Row(NamedTuple):
    """An attribute of a model; without *attribute* a model that has none."""

    #: The ``type`` on the wire; empty for objects that have none.
    type: str
    class_name: str
    attribute: str
    #: The key on the wire.
    key: str
    #: Whether the key must be on the wire.
    required: bool
    #: Whether null may stand on the wire.
    null: bool
    #: What may stand there, in words.
    limits: str


def rows(model: type[Model]) -> list[Row]:
    """Return the rows of one model."""
    attributes = attributes_of(model)
    if not attributes:
        return [Row(model._tag, model.__name__, "", "", False, False, "")]
    return [
        Row(
            model._tag,
            model.__name__,
            attribute.name,
            attribute.key,
            attribute.required,
            attribute.nullable,
            "; ".join(_words(attribute)),
        )
        for attribute in attributes
    ]


# -- limits, in words ----------------------------------------------------------------


def _words(attribute: Attribute) -> Iterator[str]:
    shape = attribute.shape
    yield KINDS[shape.kind].describe(shape)
    marks = (shape.item or shape).marks
    cleaned = [word for mark, word in _CLEANED.items() if mark in marks]
    if cleaned:
        yield ", ".join(cleaned)
    if attribute.none == "blank":
        yield 'sent as ``""`` if it is None'


_CLEANED: Final = {
    SANITISED: "sanitised",
    NORMALISED: "normalised",
    STRIPPED: "stripped",
}
