"""The msgspec structs of the models, derived from the same rows as the schemas.

For notifications, a model has a tolerant struct without limits. For replies, it has
strict structs: msgspec checks the limits that it can, and ``__post_init__`` the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias, Union

import msgspec

from ..wire import JSON, RECEIVED, Model, is_family, members_of
from .attributes import Attribute, Shape, attributes_of
from .kinds import KINDS, Unsure, msgspec_type

#: The bytes of null, the default of parts that remain bytes.
NULL: Final = msgspec.Raw(b"null")
#: Held while msgspec prepares types for their first use. If a thread uses a type that
#: another one is preparing, the process crashes.
PREPARING: Final = threading.RLock()
_Decoder: TypeAlias = "msgspec.json.Decoder[Any]"
#: Marks a missing value.
MISSING: Final[Any] = object()


class Structs:
    """The msgspec types of the models in one direction.

    :param source: ``received`` for notifications. For replies, ``models`` to convert
        from models, or ``dicts`` to convert from JSON.
    :param clean: True for structs that clean the texts that are sent.
    """

    def __init__(
        self, source: Literal["received", "models", "dicts"], *, clean: bool = False
    ) -> None:
        self._source = source
        self._clean = clean
        self._received = source == "received"
        self._structs: dict[type[Model], Any] = {}
        self._decoders: dict[tuple[type[Model], bool], _Decoder] = {}
        self._boxes: dict[Shape, type[Any]] = {}
        self._defined = 0
        #: The model of each struct.
        self.models: dict[type, type[Model]] = {}

    def decoder(self, model: type[Model], *, many: bool = False) -> _Decoder:
        """Return a decoder for objects of a model or family.

        :param many: True for a decoder of lists of such objects.
        :raises Unsure: if the model contains itself.
        """
        if self._defined != Model._defined:
            self._refresh()
        found = self._decoders.get((model, many))
        if found is None:
            with PREPARING:
                kind: Any = self.of(model)
                found = msgspec.json.Decoder(list[kind] if many else kind)
                self._decoders[model, many] = found
        return found

    def box(self, shape: Shape) -> type[Any]:
        """Return a struct with one attribute, ``value``, of a shape.

        msgspec caches the preparation of structs, but not of other types.

        :raises Unsure: if the model contains itself.
        """
        if self._defined != Model._defined:
            self._refresh()
        found = self._boxes.get(shape)
        if found is None:
            row = Attribute("value", "value", shape, True, False, None, "error")
            with PREPARING:
                found = self._define("Box", [row])
                with suppress(msgspec.ValidationError):
                    msgspec.convert({}, found)
                self._boxes[shape] = found
        return found

    def _refresh(self) -> None:
        """Forget all structs, because a family may have new members."""
        with PREPARING:
            self._structs.clear()
            self._decoders.clear()
            self._boxes.clear()
            self._defined = Model._defined

    def of(self, model: type[Model]) -> Any:
        """Return the struct of a model, or the union of a family's structs."""
        if self._received and model._envelope:
            return msgspec.Raw
        if not is_family(model):
            struct = self._struct(model)
            if self._source == "dicts" and model._tag_required and model._tag:
                return struct | _Never  # In a union, msgspec requires the tag.
            return struct
        structs = [self._struct(member) for member in members_of(model).values()]
        return Union[tuple(structs)]  # noqa: UP007 (their number is not known)

    def _struct(self, model: type[Model]) -> Any:
        found = self._structs.get(model, MISSING)
        if found is MISSING:
            self._structs[model] = None  # Marks that it is being created.
            rows = attributes_of(model)
            found = self._structs[model] = self._define(model.__name__, rows, model)
            self.models[found] = model
        if found is None:
            del self._structs[model]
            raise Unsure
        return found

    def _define(
        self, name: str, rows: Sequence[Attribute], model: type[Model] | None = None
    ) -> type[msgspec.Struct]:
        finish = None if self._received else _finisher(rows, model, self._clean)
        fields = [self._field(row) for row in rows]
        if self._source == "models" and model is not None:
            fields += _marks(model, rows)
        return msgspec.defstruct(
            name,
            fields,
            tag=model._tag or None if model else None,
            rename={row.name: row.key for row in rows},
            namespace={"__post_init__": finish} if finish else None,
            forbid_unknown_fields=not self._received,
            gc=False,  # They do not contain themselves.
            omit_defaults=not self._received,
            kw_only=True,
        )

    def _field(self, row: Attribute) -> Any:
        kind = msgspec_type(row.shape, self, received=self._received)
        if kind is msgspec.Raw:
            return row.name, kind, NULL
        absent = {
            "received": row.default is not None,
            "models": row.none != "error",
            "dicts": False,
        }
        if row.nullable or absent[self._source]:
            kind = kind | None
        if row.default is None or (row.required and not self._received):
            return row.name, kind
        # A default of None is omitted when it is encoded.
        value = row.default()
        default = None if value is None else msgspec.field(default_factory=row.default)
        return row.name, kind, default


class _Never(msgspec.Struct, tag="\0"):
    """The second member of a union with only one model."""


def _marks(model: type[Model], rows: Sequence[Attribute]) -> list[Any]:
    """Mark a model for msgspec, which accepts every object with the right attributes.

    The marks are two additional attributes, which msgspec does not encode. An object
    has them if it is of the model, was not received, has as many attributes as the
    model, and contains no sets instead of lists.

    :return: the fields of a struct that takes only marked objects.
    """
    count, unset = len(rows), msgspec.UNSET
    # Models cannot be in a set.
    lists = [r.name for r in rows if r.shape.item and r.shape.item.kind != "model"]

    def mark(self: Model) -> msgspec.UnsetType | None:
        return unset if len(self.__dict__) == count else None

    def mark_without_sets(self: Model) -> msgspec.UnsetType | None:
        for name in lists:
            if isinstance(getattr(self, name), (set, frozenset)):
                return None
        return mark(self)

    name = f"_is_{model.__name__}_{id(model)}"
    setattr(model, name, property(mark_without_sets if lists else mark))
    return [(name, msgspec.UnsetType), (RECEIVED, None, None)]


def _finisher(
    rows: Sequence[Attribute], model: type[Model] | None, clean: bool
) -> Callable[[Any], None] | None:
    """Return the ``__post_init__`` of a struct for replies; None if it needs none.

    It checks the limits that msgspec cannot check, completes the object, and may clean
    its texts.
    """
    steps = [
        (row.name, finish, row.none == "blank")
        for row in rows
        if (finish := KINDS[row.shape.kind].finish(row.shape, clean=clean))
        or row.none == "blank"
    ]
    rule, complete = (model._rule, model._complete) if model else (None, None)
    # What a model can be completed with.
    absent = [row.name for row in rows if complete and row.none == "omit"]

    def finish_values(struct: Any) -> None:
        for name, finish_value, is_blank in steps:
            value = getattr(struct, name)
            if value is None:
                if is_blank:
                    setattr(struct, name, "")
            elif finish_value is not None:
                finished = finish_value(value)
                if finished is not value:
                    setattr(struct, name, finished)

    if not (rule or complete):
        return finish_values if steps else None

    def post_init(struct: Any) -> None:
        finish_values(struct)
        for name in absent:
            if getattr(struct, name) is None:
                _complete(struct, rows, complete)
                break
        if rule and any(rule.check(msgspec.to_builtins(struct))):
            raise Unsure

    return post_init


def _complete(
    struct: Any, rows: Sequence[Attribute], complete: Callable[[JSON], None] | None
) -> None:
    assert complete is not None
    wire = msgspec.to_builtins(struct)
    complete(wire)
    for row in rows:
        setattr(struct, row.name, wire.get(row.key))
