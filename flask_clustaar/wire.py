"""The base class of models. One class describes one type of the protocol.

Models are defined like this::

    class QuickReply(Model, type="quick_reply"):
        title: Annotated[Text, Length(1, 60)]
        action: ButtonAction

The class keyword is the ``type`` on the wire. Annotations define the shape, and
``Annotated`` adds limits (:mod:`flask_clustaar.schemas.limits`) and the markers below.
Models are keyword-only dataclasses, with completion in editors, ``==``, ``repr`` and
``match``. The package ``schemas`` derives everything else from the annotations.

Models are not structs of msgspec, although those are created faster: a struct cannot
have its own ``__init__``, its copies and pickles lose what it was received as, and
``dataclasses.replace`` does not accept it. Instead, msgspec reads the attributes of the
models that are sent.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, TypeVar

from .errors import InvalidJSON

M = TypeVar("M", bound="Model")
JSON = dict[str, Any]

#: The attribute of a loaded model with its received JSON
#: (:class:`~flask_clustaar.schemas.received.Received`).
RECEIVED: Final = "_received"


# -- markers for Annotated -----------------------------------------------------------


class Key(NamedTuple):
    """The key on the wire, if it differs from the attribute's name in camel case."""

    name: str


class Mark(str):
    """A marker without arguments."""


#: The platform sanitises this text as HTML (PROTOCOL 5, S).
SANITISED: Final = Mark("SANITISED")
#: The platform normalises this text to NFKC (PROTOCOL 5, N).
NORMALISED: Final = Mark("NORMALISED")
#: The platform strips this text of white space at both ends (PROTOCOL 5, W).
STRIPPED: Final = Mark("STRIPPED")
#: The key is required on the wire, although the attribute has a default.
REQUIRED: Final = Mark("REQUIRED")
#: The key is optional on the wire, although the attribute's default is not None.
OPTIONAL: Final = Mark("OPTIONAL")
#: None omits the key; null is not allowed on the wire.
NOT_NULL: Final = Mark("NOT_NULL")
#: None is sent as the empty string (PROTOCOL 4, for the webchat).
BLANK: Final = Mark("BLANK")

#: A text that the platform sanitises and normalises.
Text = Annotated[str, SANITISED, NORMALISED]


# -- models --------------------------------------------------------------------------


class Rule(NamedTuple):
    """A rule about a whole object, not about a single attribute.

    :param check: takes the sent object, and yields pairs of path and sentence.
    :param json_schema: the same rule in JSON Schema.
    """

    check: Callable[[JSON], Iterator[tuple[str, str]]]
    json_schema: JSON


@typing.dataclass_transform(
    kw_only_default=True, field_specifiers=(dataclasses.field, dataclasses.Field)
)
class Model:
    """Base class of all models.

    :param type: the ``type`` on the wire. Default: that of the parent class.
    :param type_required: False if the platform accepts objects without a ``type``.
    :param family: True for a base class whose subclasses differ in ``type``.
    :param envelope: True for the outer parts of a notification: invalid values in them
        never reject the request.
    :param whole: True for an envelope that can be sent back. Its received bytes are
        kept.
    :param rule: a rule about the whole object.
    :param complete: takes the sent object, and adds missing keys.
    :param alias: a model that programs can use instead of this one; its attributes are
        sent as those of this model.
    """

    _tag: ClassVar[str] = ""
    _tag_required: ClassVar[bool] = True
    _envelope: ClassVar[bool] = False
    _whole: ClassVar[bool] = False
    _rule: ClassVar[Rule | None] = None
    _complete: ClassVar[Callable[[JSON], None] | None] = None
    _alias: ClassVar[Any] = None
    _members: ClassVar[dict[str, Any]]
    _unknown: ClassVar[Any] = None
    #: The number of defined types, on which data derived from families depends.
    _defined: ClassVar[int] = 0

    if not TYPE_CHECKING:
        #: The received JSON, which 'dataclasses.replace' passes on.
        _received: dataclasses.InitVar[Any] = None

    def __init_subclass__(
        cls,
        *,
        type: str | None = None,
        type_required: bool = True,
        family: bool = False,
        envelope: bool = False,
        whole: bool = False,
        rule: Rule | None = None,
        complete: Callable[[JSON], None] | None = None,
        alias: Any = None,
    ) -> None:
        super().__init_subclass__()
        if family:
            cls._members = {}
        if type is not None:  # Without a type, it is its parent class on the wire.
            cls._tag, cls._tag_required, cls._rule = type, type_required, rule
            cls._complete = staticmethod(complete) if complete else None
            cls._alias = alias
            for base in cls.__mro__:
                vars(base).get("_members", {})[type] = cls
            Model._defined += 1
        complete_init = vars(cls).get("__post_init__")
        if complete_init is not None:
            setattr(cls, "__post_init__", _completed(complete_init))  # noqa: B010
        # Generating methods takes long: models share '==' and 'repr', and a constructor
        # is generated when it is first used.
        if "__init__" not in vars(cls):
            setattr(cls, "__init__", _Constructor(cls))  # noqa: B010
        dataclasses.dataclass(kw_only=True, init=False, eq=False, repr=False)(cls)
        cls._envelope = cls._envelope or envelope
        cls._whole = cls._whole or whole
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            inherited = any(field.name in vars(base) for base in cls.__mro__[1:])
            if field.name in vars(cls) or not inherited:
                setattr(cls, field.name, Lazy(field.name))

    def __post_init__(self, received: Any = None) -> None:
        if received is not None:
            self.__dict__[RECEIVED] = received

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        names = names_of(self.__class__)
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        names = [name for name in names_of(self.__class__) if hasattr(self, name)]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    if TYPE_CHECKING:

        @property
        def type(self) -> str: ...

    else:  # msgspec asks each model that is sent.
        type = property(
            attrgetter("_tag"),
            doc="The ``type`` on the wire; empty where the object has none.",
        )

    @property
    def received(self) -> Any:
        """The received JSON value; None if the program created the object.

        Do not change this value. Change the attributes instead.
        """
        received = self.__dict__.get(RECEIVED)
        return None if received is None else received.json


class Lazy:
    """An attribute of a received model, loaded when it is first used.

    It is then stored in the instance, where Python looks first.
    """

    #: Takes a model and an attribute's name, and returns a function that loads the
    #: attribute from the received JSON. Set by the package ``schemas``.
    loader: ClassVar[Callable[[type[Model], str], Callable[[Any], Any]]]

    def __init__(self, name: str) -> None:
        self._name = name
        self._loaders: dict[type[Model], Callable[[Any], Any]] = {}

    def __get__(self, instance: Model | None, model: Any = None) -> Any:
        state = instance.__dict__ if instance is not None else {}
        received = state.get(RECEIVED)
        if received is None:
            owner = model or type(instance)
            raise AttributeError(
                f"'{owner.__name__}' has no attribute '{self._name}'",
                name=self._name,
                obj=owner if instance is None else instance,
            )
        load = self._loaders.get(model)
        if load is None:
            load = self._loaders[model] = Lazy.loader(model, self._name)
        try:
            value = state[self._name] = load(received)
        except RecursionError as error:
            raise InvalidJSON("The body is nested too deeply.") from error
        return value


class _Constructor:
    """A model's constructor, which generates the real one when it is first used."""

    def __init__(self, model: type[Model]) -> None:
        self._model = model

    def __get__(self, instance: Model | None, owner: type[Model]) -> Any:
        model: Any = self._model
        fields = [(each.name, each.type, each) for each in dataclasses.fields(model)]
        received = (RECEIVED, dataclasses.InitVar[Any], None)
        twin: Any = dataclasses.make_dataclass(
            model.__name__,
            [*fields, received],
            namespace={"__post_init__": model.__post_init__},
            kw_only=True,
            eq=False,
            repr=False,
        )
        twin.__init__.__qualname__ = f"{model.__qualname__}.__init__"
        model.__init__ = twin.__init__
        return model.__init__.__get__(instance, owner)


class _Signature:
    """The signature of a model's constructor, without internal parameters."""

    def __get__(self, instance: Model | None, model: type[Model]) -> inspect.Signature:
        signature = inspect.signature(model.__init__)
        _, *parameters = signature.parameters.values()
        shown = [each for each in parameters if each.name != RECEIVED]
        return signature.replace(parameters=shown)


def _completed(complete: Callable[[Any], None]) -> Callable[[Any, Any], None]:
    """Return the '__post_init__' of a model that defines one."""

    def post_init(model: Model, received: Any = None) -> None:
        Model.__post_init__(model, received)
        complete(model)

    return post_init


dataclasses.dataclass(kw_only=True, eq=False, repr=False)(Model)
setattr(Model, "__signature__", _Signature())  # noqa: B010 (it is not typed as one)


def names_of(model: type[Model]) -> tuple[str, ...]:
    """Return the names of a model's attributes."""
    names = _names.get(model)
    if names is None:
        fields = dataclasses.fields(model)  # type: ignore[arg-type]
        names = _names[model] = tuple(field.name for field in fields)
    return names


_names: dict[type[Model], tuple[str, ...]] = {}


def is_family(model: type[Model]) -> bool:
    """Return whether *model* is the base class of a family."""
    return "_members" in vars(model)


def members_of(family: type[Model]) -> dict[str, type[Model]]:
    """Return the models of a family, by ``type``.

    The dict is not a copy, so it also gets models that are defined later.
    """
    return family._members


class Unknown(Model):
    """A received object of unknown type; kept unchanged."""

    #: The received JSON value.
    data: Any

    @property
    def type(self) -> str:
        """The received ``type``; empty if it has none."""
        tag = self.data.get("type") if isinstance(self.data, dict) else None
        return tag if isinstance(tag, str) else ""


# -- values --------------------------------------------------------------------------


def copy_json(value: Any) -> Any:
    """Return a deep copy of a JSON *value*."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [copy_json(item) for item in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal on the wire; 1 is neither true nor 1.0."""
    if one is other:
        return True
    if isinstance(one, str) and isinstance(other, str):
        return one == other
    if one.__class__ is not other.__class__:
        return False
    if isinstance(one, Model):
        if _is_untouched(one) and _is_untouched(other) and _view(one) is _view(other):
            return True
        names = names_of(one.__class__)
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _is_untouched(model: Model) -> bool:
    return len(model.__dict__) == 1 and _view(model) is not None


def _view(model: Model) -> Any:
    received = model.__dict__.get(RECEIVED)
    return None if received is None else received.view or None


def compiles(pattern: str) -> bool:
    """Return whether a pattern is a valid regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def pattern_of(regexp: Any) -> Any:
    """Return the pattern of a compiled regular expression.

    Only inline flags can be sent. Returns *regexp* unchanged if it has other flags or
    is not compiled.
    """
    if not isinstance(regexp, re.Pattern):
        return regexp
    same_flags = re.compile(regexp.pattern).flags == regexp.flags
    return regexp.pattern if same_flags else regexp
