"""What a model is: one class says everything about one type of the wire.

The form::

    class QuickReply(Model, type="quick_reply"):
        title: Annotated[Text, Length(1, 60)]
        action: ButtonAction

The class keyword is the ``type`` on the wire, annotations give the shape, and
``Annotated`` gives the limits, as marshmallow's own validators, beside the markers
below. A model is a keyword-only dataclass, so that editors complete it and ``==``,
``repr`` and ``match`` work. :func:`attributes_of` reads the annotations into
:class:`Attribute` rows, when they are first needed; whatever else is known of a type
is derived from these rows: the marshmallow schemas in ``schemas``, the quick way in
``fast``, the JSON Schema in ``json_schema``.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
)

from marshmallow import validate

from .cleaning import cleaner
from .errors import InvalidJSON

M = TypeVar("M", bound="Model")
JSON = dict[str, Any]

MISSING: Final = dataclasses.MISSING
#: The name under which a loaded model keeps the JSON object it came as.
RECEIVED: Final = "_received"


# -- markers for Annotated -----------------------------------------------------------


class Key(NamedTuple):
    """The key on the wire, where it is not the attribute's name in camel case."""

    name: str


class Via(NamedTuple):
    """The wire carries an object of *model*; the attribute is its string *attribute*.

    The string remembers the object it was read from, so that what else the object says
    is not lost.
    """

    model: type[Model]
    attribute: str

    def part(self, whole: Model) -> Part:
        """Return what the attribute holds."""
        part = Part(getattr(whole, self.attribute))
        part.whole = whole
        return part

    def whole(self, part: Any) -> Model:
        """Return what the wire carries."""
        return getattr(part, "whole", None) or self.model(**{self.attribute: part})


class Part(str):
    """A string of an object, and the object (see :class:`Via`)."""

    whole: Model


class Mark(str):
    """A marker without arguments."""


#: The platform sanitises this text as HTML (PROTOCOL 5, S).
SANITISED: Final = Mark("SANITISED")
#: The platform normalises this text to NFKC (PROTOCOL 5, N).
NORMALISED: Final = Mark("NORMALISED")
#: The platform strips this text of white space at both ends (PROTOCOL 5, W).
STRIPPED: Final = Mark("STRIPPED")
#: The key must be on the wire although the attribute has a default.
REQUIRED: Final = Mark("REQUIRED")
#: The key may be absent on the wire although the attribute's default is not None.
OPTIONAL: Final = Mark("OPTIONAL")
#: None means that the key is absent; null is not allowed on the wire.
NOT_NULL: Final = Mark("NOT_NULL")
#: None leaves as the empty string (PROTOCOL 4: what the webchat draws).
BLANK: Final = Mark("BLANK")

#: A text that the platform sanitises and normalises.
Text = Annotated[str, SANITISED, NORMALISED]


# -- models --------------------------------------------------------------------------


class Rule(NamedTuple):
    """A rule about a whole object, beyond its single attributes.

    :param check: takes the object as it goes on the wire, gives ``(path, sentence)``.
    :param json_schema: the same in JSON Schema.
    """

    check: Callable[[JSON], Iterator[tuple[str, str]]]
    json_schema: JSON


@typing.dataclass_transform(
    kw_only_default=True, field_specifiers=(dataclasses.field, dataclasses.Field)
)
class Model:
    """The base of everything that travels.

    :param type: the ``type`` on the wire; that of the parent, if left out.
    :param type_required: False where the platform accepts the object without it.
    :param family: True for a base whose children are told apart by their ``type``.
    :param envelope: True for what wraps a notification: nothing in it can make a
        request fail, and each attribute is loaded when it is first looked at.
    :param rule: a rule about the whole object.
    """

    _tag: ClassVar[str] = ""
    _tag_required: ClassVar[bool] = True
    _envelope: ClassVar[bool] = False
    _rule: ClassVar[Rule | None] = None
    _members: ClassVar[dict[str, Any]]
    _unknown: ClassVar[Any] = None
    #: How the attributes of an envelope are loaded, each when it is first looked at.
    _loaders: ClassVar[dict[str, Callable[[Any], Any]]] = {}

    def __init_subclass__(
        cls,
        *,
        type: str | None = None,
        type_required: bool = True,
        family: bool = False,
        envelope: bool = False,
        rule: Rule | None = None,
    ) -> None:
        super().__init_subclass__()
        if family:
            cls._members = {}
        if type is not None:  # A child without a type is its parent on the wire.
            cls._tag, cls._tag_required, cls._rule = type, type_required, rule
            for base in cls.__mro__:
                vars(base).get("_members", {})[type] = cls
        # One '==' and one 'repr' for all models: to write out two for each takes long.
        dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
        if envelope or cls._envelope:
            cls._envelope = True
            for field in dataclasses.fields(cls):  # type: ignore[arg-type]
                inherited = any(field.name in vars(base) for base in cls.__mro__[1:])
                if field.name in vars(cls) or not inherited:
                    setattr(cls, field.name, _Lazy(field.name))

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = _names(self)
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in _names(self))
        return f"{type(self).__qualname__}({shown})"

    @property
    def type(self) -> str:
        """The ``type`` on the wire; empty where there is none."""
        return self._tag

    @property
    def received(self) -> Any:
        """The JSON object that this was loaded from; None for what was built.

        It is the platform's word: change the attributes, not this.
        """
        return self.__dict__.get(RECEIVED)


class _Lazy:
    """An attribute of an envelope: loaded when it is first looked at.

    From then on it is in the instance, where Python looks before it asks this one.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, envelope: Model | None, model: Any = None) -> Any:
        if envelope is None or RECEIVED not in envelope.__dict__:
            owner = model or type(envelope)
            raise AttributeError(
                f"'{owner.__name__}' has no attribute '{self._name}'",
                name=self._name,
                obj=owner if envelope is None else envelope,
            )
        state, load = envelope.__dict__, type(envelope)._loaders[self._name]
        try:
            value = state[self._name] = load(state[RECEIVED])
        except RecursionError as error:
            raise InvalidJSON("The body is nested too deeply.") from error
        return value


def _names(model: Model) -> Iterator[str]:
    """Return the names of a model's attributes."""
    return iter(typing.cast(Any, model).__dataclass_fields__)


class Unknown(Model):
    """Something the platform sent that cannot be typed, kept as it came."""

    #: The JSON value as it came.
    data: Any

    @property
    def type(self) -> str:
        """The ``type`` it came with; empty if it has none."""
        tag = self.data.get("type") if isinstance(self.data, dict) else None
        return tag if isinstance(tag, str) else ""


# -- attributes ----------------------------------------------------------------------

Kind = Literal[
    "string", "regexp", "number", "integer", "boolean", "json", "strings", "any",
    "list", "model",
]  # fmt: skip


class Shape(NamedTuple):
    """The shape of a value: of an attribute, or of an item of a list."""

    kind: Kind
    limits: tuple[validate.Validator, ...] = ()
    marks: frozenset[Mark] = frozenset()
    #: The items of a list.
    item: Shape | None = None
    #: The model that stands here, or a family: then the ``type`` tells which member.
    model: type[Model] | None = None
    via: Via | None = None

    @property
    def max_length(self) -> int | None:
        """The most characters or items that the wire allows; None for no limit."""
        found = [
            limit.equal or limit.max
            for limit in self.limits
            if isinstance(limit, validate.Length)
        ]
        return found[0] if found else None

    @property
    def clean(self) -> Callable[[str], str] | None:
        """How a text is cleaned before it leaves; None for no cleaning."""
        wanted = {SANITISED, NORMALISED, STRIPPED} & self.marks
        if not wanted:
            return None
        return cleaner(
            sanitised=SANITISED in wanted,
            normalised=NORMALISED in wanted,
            stripped=STRIPPED in wanted,
            max_length=self.max_length,
        )

    @property
    def members(self) -> dict[str, type[Model]] | None:
        """The models that may stand here by their ``type``; None if there is but one.

        The dict is the family's own, so a member that is defined later is in it.
        """
        found: dict[str, type[Model]] | None = vars(self.model).get("_members")
        return found

    @property
    def unknown(self) -> type[Unknown] | None:
        """What stands for a member of a family that cannot be typed."""
        found: type[Unknown] | None = vars(self.model).get("_unknown")
        return found


class Attribute(NamedTuple):
    """One attribute of a model, and how it stands on the wire."""

    name: str
    key: str
    shape: Shape
    #: Whether the key must be on the wire.
    required: bool
    #: Whether null may stand on the wire.
    nullable: bool
    #: Makes the attribute's default; None where the program must give a value.
    default: Callable[[], Any] | None
    #: What becomes of None: "null", "omit", "blank", or "error".
    none: Literal["null", "omit", "blank", "error"]


def attributes_of(model: type[Model]) -> tuple[Attribute, ...]:
    """Return what the annotations of *model* say, in their order."""
    found = _attributes.get(model)
    if found is None:
        hints = typing.get_type_hints(model, include_extras=True)
        fields = dataclasses.fields(model)  # type: ignore[arg-type]
        found = tuple(_attribute(field, hints[field.name]) for field in fields)
        _attributes[model] = found
    return found


_attributes: dict[type[Model], tuple[Attribute, ...]] = {}


def _attribute(field: dataclasses.Field[Any], hint: Any) -> Attribute:
    shape, nullable, metadata = _read(hint)
    default: Callable[[], Any] | None = None
    if field.default_factory is not MISSING:
        default = field.default_factory
    elif field.default is not MISSING:
        value = field.default
        default = lambda: value  # noqa: E731
    marks = {mark for mark in metadata if isinstance(mark, Mark)}
    absent = default is not None and default() is None
    required = REQUIRED in marks or (not absent and OPTIONAL not in marks)
    nullable = nullable and NOT_NULL not in marks
    none: Literal["null", "omit", "blank", "error"] = "error"
    if BLANK in marks:
        none = "blank"
    elif not required:
        none = "omit"
    elif nullable:
        none = "null"
    key = next((m.name for m in metadata if isinstance(m, Key)), _camel(field.name))
    return Attribute(field.name, key, shape, required, nullable, default, none)


def _camel(name: str) -> str:
    """Return *name* as the platform spells it: ``image_url`` is ``imageURL``."""
    first, *rest = name.split("_")
    upper = {"id": "ID", "url": "URL"}
    return first + "".join(upper.get(word, word.capitalize()) for word in rest)


_KINDS: dict[Any, Kind] = {
    str: "string",
    float: "number",
    int: "integer",
    bool: "boolean",
    Any: "any",
    dict[str, Any]: "json",
    dict[str, str]: "strings",
}


def _read(hint: Any) -> tuple[Shape, bool, tuple[Any, ...]]:
    """Return the shape that an annotation says, if null is allowed, and the markers."""
    metadata: tuple[Any, ...] = ()
    if typing.get_origin(hint) is Annotated:
        hint, *extra = get_args(hint)
        metadata = tuple(extra)
    members = [hint]
    if typing.get_origin(hint) in (Union, types.UnionType):
        members = [m for m in get_args(hint) if m is not types.NoneType]
    nullable = types.NoneType in get_args(hint)
    via = next((m for m in metadata if isinstance(m, Via)), None)
    if via is not None:
        shape = Shape("model", model=via.model, via=via)
    elif re.Pattern[str] in members:
        shape = Shape("regexp")
    elif typing.get_origin(members[0]) is Annotated:
        shape, _, inner = _read(members[0])
        return _with(shape, metadata), nullable, inner + metadata
    elif typing.get_origin(members[0]) is list:
        shape = Shape("list", item=_read(get_args(members[0])[0])[0])
    elif members[0] in _KINDS:
        shape = Shape(_KINDS[members[0]])
    else:
        shape = Shape("model", model=members[0])
    return _with(shape, metadata), nullable, metadata


def _with(shape: Shape, metadata: tuple[Any, ...]) -> Shape:
    limits = tuple(m for m in metadata if isinstance(m, validate.Validator))
    marks = frozenset(m for m in metadata if isinstance(m, Mark))
    return shape._replace(limits=shape.limits + limits, marks=shape.marks | marks)


def untyped(attribute: Attribute, value: Any) -> Any:
    """Return what a handler sees of an envelope's *value* that cannot be typed.

    A scalar stays raw. Where an object or a list should be, the default stands.
    """
    if attribute.shape.kind not in ("json", "strings", "list", "model"):
        return value
    if attribute.nullable:
        return value
    return attribute.default() if attribute.default else None


def copy_json(value: Any) -> Any:
    """Return a copy of a JSON *value* that shares nothing with it."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copy_json(item) for item in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Tell if two values are the same on the wire, where 1 is neither true nor 1.0."""
    if one is other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, Model):
        names = [attribute.name for attribute in attributes_of(type(one))]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def compiles(pattern: str) -> bool:
    """Tell if a pattern is a regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def pattern_of(regexp: Any) -> Any:
    """Return the pattern of a compiled regular expression, if it says everything.

    Flags do not travel, but for those that are written into the pattern: an expression
    with others comes back as it is, and so does what is not compiled.
    """
    if not isinstance(regexp, re.Pattern):
        return regexp
    same_flags = re.compile(regexp.pattern).flags == regexp.flags
    return regexp.pattern if same_flags else regexp
