"""The reference of what travels, made from the models, for the documentation.

``python docs/reference.py > docs/reference/models_table.rst`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Final, NamedTuple

from flask_clustaar.models import (
    actions,
    buttons,
    conditions,
    inputs,
    notification,
    reply,
    targets,
)
from flask_clustaar.schemas.attributes import Attribute, attributes_of
from flask_clustaar.schemas.kinds import KINDS
from flask_clustaar.wire import NORMALISED, SANITISED, STRIPPED, Model, Unknown


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


#: The modules of models, each with its title, as a reader meets them.
FAMILIES: Final[dict[ModuleType, str]] = {
    actions: "Actions",
    buttons: "Buttons and their actions",
    targets: "Targets",
    conditions: "Connections",
    inputs: "Inputs",
    notification: "Notification",
    reply: "Reply",
}


def table_rst() -> str:
    """Return the tables of all models, as reStructuredText: one for each family."""
    lines = [".. Made by 'python docs/reference.py'; do not edit.", ""]
    for family, title in FAMILIES.items():
        lines += [title, "-" * len(title), "", *_table(models_of(family)), ""]
    return "\n".join(lines)


def models_of(family: ModuleType) -> list[type[Model]]:
    """Return the models of a module: all but bases of families and raw values."""
    return [
        model
        for name, model in vars(family).items()
        if isinstance(model, type)
        and issubclass(model, Model)
        and not issubclass(model, Unknown)
        and (model.__module__, model.__name__) == (family.__name__, name)
        and (model._tag or attributes_of(model))
    ]


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


# -- tables --------------------------------------------------------------------------

_HEADER: Final = ("Class and type", "Attribute", "Key", "Required", "Null", "Value")


def _table(members: Iterable[type[Model]]) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 23 17 15 10 6 29"
    yield ""
    yield from _cells(_HEADER)
    for model in members:
        about = f"{_literal(model.__name__)} {_literal(model._tag)}"
        for row in rows(model):
            yield from _cells(
                (
                    about,
                    _literal(row.attribute),
                    _literal(row.key),
                    "yes" if row.required else "",
                    "yes" if row.null else "",
                    row.limits,
                )
            )
            about = ""


def _literal(text: str) -> str:
    return f"``{text}``" if text else ""


def _cells(cells: Iterable[str]) -> Iterator[str]:
    for index, cell in enumerate(cells):
        yield f"   {' ' if index else '*'} - {cell}".rstrip()


if __name__ == "__main__":  # pragma: no cover (a process of its own)
    print(table_rst(), end="")
