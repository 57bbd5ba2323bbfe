"""The msgspec structs of the models, derived from the same rows as their schemas.

In each direction a model has a struct: the *received* one is tolerant, without limits;
the *sent* one has every limit that msgspec can check.
"""

from __future__ import annotations

from typing import Any, Final, Union, cast

import msgspec

from ..wire import Model, is_family, members_of
from .attributes import Attribute, attributes_of
from .kinds import Unsure, msgspec_type

#: The bytes of null, which are the default of parts that stay bytes.
NULL: Final = msgspec.Raw(b"null")
#: Marks a missing value.
MISSING: Final[Any] = object()


class Structs:
    """The msgspec types of the models in one direction.

    :param received: True for what arrives, False for what is sent.
    """

    def __init__(self, *, received: bool) -> None:
        self._received = received
        self._structs: dict[type[Model], Any] = {}
        self._decoders: dict[type[Model], Any] = {}
        self._list_decoders: dict[type[Model], Any] = {}
        self._defined = 0
        #: The model of each struct.
        self.models: dict[type, type[Model]] = {}

    def decoder(self, model: type[Model]) -> msgspec.json.Decoder[Any]:
        """Return what decodes an object of a model, or of a family.

        :raises Unsure: for a model that contains itself.
        """
        if self._defined != Model._defined:  # A family may have new members.
            self._structs.clear()
            self._decoders.clear()
            self._list_decoders.clear()
            self._defined = Model._defined
        found = self._decoders.get(model)
        if found is None:
            found = self._decoders[model] = msgspec.json.Decoder(self.of(model))
        return cast("msgspec.json.Decoder[Any]", found)

    def list_decoder(self, model: type[Model]) -> msgspec.json.Decoder[Any]:
        """Return what decodes a list of such objects.

        :raises Unsure: for a model that contains itself.
        """
        self.decoder(model)
        found = self._list_decoders.get(model)
        if found is None:
            found = msgspec.json.Decoder(list[self.of(model)])  # type: ignore[misc]
            self._list_decoders[model] = found
        return found

    def of(self, model: type[Model]) -> Any:
        """Return the struct of a model, or the union of a family's structs."""
        if self._received and model._envelope:
            return msgspec.Raw
        if not is_family(model):
            return self._struct(model)
        structs = [self._struct(member) for member in members_of(model).values()]
        return Union[tuple(structs)]  # noqa: UP007 (their number is not known)

    def _struct(self, model: type[Model]) -> Any:
        found = self._structs.get(model, MISSING)
        if found is MISSING:
            self._structs[model] = None  # while it is made
            rows = attributes_of(model)
            found = self._structs[model] = msgspec.defstruct(
                model.__name__,
                [self._field(row) for row in rows],
                tag=model._tag or None,
                rename={row.name: row.key for row in rows},
                forbid_unknown_fields=not self._received,
                kw_only=True,
            )
            self.models[found] = model
        if found is None:
            del self._structs[model]
            raise Unsure
        return found

    def _field(self, row: Attribute) -> Any:
        kind = msgspec_type(row.shape, self, received=self._received)
        if kind is msgspec.Raw:
            return row.name, kind, NULL
        if row.nullable or (self._received and row.default is not None):
            kind = kind | None
        if self._received:
            return (row.name, kind, *_default(row))
        return (row.name, kind) if row.required else (row.name, kind, None)


def _default(row: Attribute) -> tuple[Any, ...]:
    return () if row.default is None else (msgspec.field(default_factory=row.default),)
