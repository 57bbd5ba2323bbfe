"""Documents of the wire, generated from the annotations of the models.

Used by the tests of the schemas, the fast path and the JSON Schema: documents
that are valid, documents with one thing changed, notifications with anything in them.
"""

from __future__ import annotations

import copy
import functools
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import ValidationError
from marshmallow.validate import Validator

from flask_clustaar.json_schema import json_schema
from flask_clustaar.models import Action, Notification, StepReachedResponse
from flask_clustaar.replies import answer_of, dumps, merge
from flask_clustaar.schemas.attributes import Shape, attributes_of
from flask_clustaar.schemas.limits import (
    DIGITS,
    NAME,
    NOT_ID,
    OBJECT_ID,
    URL,
    KeysMatch,
    Length,
    OneOf,
    Pattern,
    Range,
)
from flask_clustaar.wire import Model, is_family, members_of

Strategy = st.SearchStrategy[Any]

#: Documents are large, and few are drawn in each run: the rest of the suite has tables.
modest = settings(
    max_examples=60 if settings().derandomize else settings().max_examples,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)

# -- valid documents -----------------------------------------------------------------


def documents(model: type[Model]) -> Strategy:
    """Documents of *model*, or of a family's models, as they may be sent."""
    if model not in _documents:
        if is_family(model):
            members = st.sampled_from([*members_of(model).values()])
            _documents[model] = members.flatmap(documents)
        else:
            _documents[model] = _objects(model)
    return _documents[model]


_documents: dict[type[Model], Strategy] = {}


def _objects(model: type[Model]) -> Strategy:
    required: dict[str, Strategy] = {}
    optional: dict[str, Strategy] = {}
    tag, tag_required = tag_of(model)
    if tag:
        holder = required if tag_required else optional
        holder["type"] = st.just(tag)
    for row in attributes_of(model):
        values = _values(row.shape)
        holder = required if row.required else optional
        holder[row.key] = st.none() | values if row.nullable else values
    objects = st.fixed_dictionaries(required, optional=optional)
    rules = Draft202012Validator({"allOf": definition(model).get("allOf", [])})
    return objects.filter(rules.is_valid)


def definition(model: type[Model]) -> dict[str, Any]:
    """The JSON Schema of a single model."""
    if model not in _definitions:
        schema = json_schema(model)
        _definitions[model] = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    return _definitions[model]


_definitions: dict[type[Model], dict[str, Any]] = {}


def tag_of(model: type[Model]) -> tuple[str, bool]:
    """The ``type`` of a model, empty if it has none; and whether it is required."""
    tag: str = definition(model)["properties"].get("type", {}).get("const", "")
    return tag, "type" in definition(model)["required"]


def _values(shape: Shape) -> Strategy:
    if shape.kind == "model":
        assert shape.model is not None
        return documents(shape.model)
    if shape.kind == "list":
        assert shape.item is not None
        low, high = bounds(shape)
        size = {"min_size": low, "max_size": min(high, low + 2)}
        return st.lists(_values(shape.item), **size)
    if shape.kind == "string":
        return _strings(shape)
    if shape.kind in ("number", "integer"):
        return _numbers(shape)
    if any(isinstance(limit, KeysMatch) for limit in shape.limits):
        return st.dictionaries(_names, st.text(max_size=8), max_size=3)
    return _OTHERS[shape.kind]


_OTHERS: dict[str, Strategy] = {
    "regexp": st.sampled_from(["", "a+", "^[éè]|x$", r"(?i)\bhello\b"]),
    "boolean": st.booleans(),
    "json": st.dictionaries(st.text(max_size=8), json_values, max_size=3),
    "strings": st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
}


def _numbers(shape: Shape) -> Strategy:
    limit = next((x for x in shape.limits if isinstance(x, Range)), Range())
    whole = st.integers(None if limit.min is None else math.ceil(limit.min), limit.max)
    if shape.kind == "integer":
        return whole
    finite: dict[str, Any] = {"allow_nan": False, "allow_infinity": False}
    return whole | st.floats(limit.min, limit.max, **finite)


def _strings(shape: Shape) -> Strategy:
    low, high = bounds(shape)
    choices = next((x.choices for x in shape.limits if isinstance(x, OneOf)), None)
    if choices is not None:
        return st.sampled_from(list(choices))
    limits = [x for x in shape.limits if isinstance(x, Pattern)]
    clean: Callable[[str], str] = shape.clean or str

    def is_valid(text: str) -> bool:
        fits = low <= len(text) <= high
        return fits and all(accepts(limit, text) for limit in limits)

    raw = _matching(limits[0]) if limits else _texts
    sizes = [size for size in (low, high) if 0 < size < math.inf]
    exact = st.sampled_from(sizes or [1]).map(functools.partial(_of_size, limits))
    return (raw | exact).map(clean).filter(is_valid)


#: Pieces that cleaning changes, or must not change.
_texts = st.text(min_size=1, max_size=20) | st.lists(
    st.sampled_from(
        [
            "a",
            " ",
            "é",
            "e\u0301",
            "½",
            "ﷺ",
            "😀",
            "👩\u200d👧",
            "\n",
            "&",
            "&amp;",
            "<",
        ]
        + [
            "<b>",
            "</b>",
            "<u>",
            "＜",
            "5 < 6",
            "<a href='https://e.co'>",
            "</a>",
            "-->",
        ]
        + ["{{@user.FirstName}}", '{{@session.City || "there"}}', "}}", "\u200b", "日"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
_word = st.sampled_from("aZé_9日١")
_names = st.lists(_word, min_size=1, max_size=9).map("".join)
_urls = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTPS"]),
    st.sampled_from(["e.co", "é.example:80", "{{@session.Host}}", "[::1]", "u@e.co"]),
    st.sampled_from(["", "/", "/a?b=c#d", "/{{@session.Path}}", "#<>"]),
)
_wild_urls = _urls | st.sampled_from(["whatsapp://send?text=a b", "a+b.c-d://x"])


def _matching(limit: Pattern) -> Strategy:
    if isinstance(limit, URL):
        urls = (
            _urls
            if accepts(limit, "http://a") != accepts(limit, "x://a")
            else _wild_urls
        )
        return urls | st.just("") if accepts(limit, "") else urls
    found = {
        OBJECT_ID: st.text("aZ09", min_size=24, max_size=24),
        NAME: st.lists(_word, min_size=1, max_size=9).map("".join),
        NOT_ID: st.lists(_word, min_size=1, max_size=9).map("".join) | st.just("id_"),
        DIGITS: st.text("0123456789", max_size=9),
    }
    return found.get(limit, _texts)


def _of_size(limits: list[Pattern], size: int) -> str:
    """Return a text of just this size."""
    return text_of_size(limits[0] if limits else None, size)


def text_of_size(limit: Pattern | None, size: int) -> str:
    """Return a text of *size* characters that a pattern accepts."""
    if isinstance(limit, URL):
        return "https://e.co/".ljust(size, "a")[:size]
    return "1" * size


def accepts(limit: Validator, value: Any) -> bool:
    """Return whether a validator accepts a value."""
    try:
        limit(value)
    except ValidationError:
        return False
    return True


def bounds(shape: Shape) -> tuple[int, Any]:
    """Return the least and the greatest length."""
    limit = next((x for x in shape.limits if isinstance(x, Length)), Length())
    low, high = limit.min, limit.max
    return low or 0, math.inf if high is None else high


replies = documents(StepReachedResponse)
actions = documents(Action)

# -- one thing changed ---------------------------------------------------------------

#: What may stand where something else should. Not 3.0: for JSON Schema it is whole.
_ANYTHING: list[Any] = [
    None, True, False, 0, 1, 5, -1, 7.5, 10**30, "", "x", " ", "\n", "id", "3", "true",
    "javascript://e.co", "/relative", "mailto:a@e.co", "http://", "a\n", "²", "<u>",
    "a@clustaar.com", "(", "k" * 21, "k" * 61, "k" * 501, "k" * 2049, [], [None], ["x"],
    {}, {"type": None}, {"type": ["step"]}, {"type": "step", "id": "a" * 24},
    {"type": "pause_bot_action"}, {"type": "intent", "id": "a" * 24, "name": ""},
]  # fmt: skip
_TYPES = ["step", "story", "go_to_action", "card", "wait_action", "is_set", "", "X"]


@st.composite
def mutated(draw: st.DrawFn, valid: Strategy) -> Any:
    """A valid document in which one thing was changed."""
    document = copy.deepcopy(draw(valid))
    parent, key = _drawn_place(draw, document)
    value = parent[key]

    def put(new: Any) -> None:
        parent[key] = new

    def one_of(values: list[Any]) -> Any:
        return copy.deepcopy(draw(st.sampled_from(values)))

    changes: list[Callable[[], Any]] = [
        lambda: put(one_of(_ANYTHING)),
        lambda: put(one_of(_ANYTHING)),
        lambda: parent.pop(key),
    ]
    if isinstance(value, dict):
        changes += [
            lambda: value.update(imageUrl_=None),
            lambda: value.update(type=one_of(_TYPES)),
        ]
    if isinstance(value, list):
        changes += [
            lambda: put(value * one_of([2, 4, 11, 26])),
            lambda: value.clear(),
            lambda: value.append(one_of(_ANYTHING)),
        ]
    if isinstance(value, str):
        changes += [
            lambda: put(value + "k" * one_of([1, 20, 2049])),
            lambda: put(value + one_of(["\n", " ", ".", "-", "é"])),
        ]
    draw(st.sampled_from(changes))()
    return document


def _drawn_place(draw: st.DrawFn, document: Any) -> tuple[Any, Any]:
    """Draw a place in a document: ``(object or list, key)``."""
    places = list(_places(document))[1:]
    parent, key = places[draw(st.integers(0, len(places) - 1))]
    return parent, key


def _places(value: Any, parent: Any = None, key: Any = None) -> Iterator[Any]:
    """Yield each place, first the document's own."""
    yield parent, key
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for inner, item in items:
        yield from _places(item, value, inner)


@st.composite
def hostile_notifications(draw: st.DrawFn) -> Any:
    """A notification with a topic, and with any JSON anywhere else."""
    document = copy.deepcopy(draw(documents(Notification)))
    for _ in range(draw(st.integers(0, 3))):
        parent, key = _drawn_place(draw, document)
        if key != "topic":
            value = draw(st.sampled_from(_ANYTHING) | json_values)
            parent[key] = copy.deepcopy(value)
    return document


# -- other forms of a document -------------------------------------------------------


def cleaned(document: Any, model: type[Model]) -> Any:
    """Return *document* with its texts cleaned, valid or not."""
    return _cleaned(document, Shape("model", model=model))


def _cleaned(value: Any, shape: Shape) -> Any:
    if isinstance(value, str) and shape.clean:
        return shape.clean(value)
    if isinstance(value, list) and shape.item:
        return [_cleaned(item, shape.item) for item in value]
    model = model_of(value, shape)
    if model is None:
        return value
    shapes = {row.key: row.shape for row in attributes_of(model)}
    return {
        key: _cleaned(item, shapes[key]) if key in shapes else item
        for key, item in value.items()
    }


def model_of(value: Any, shape: Shape) -> type[Model] | None:
    """Return the model of an object; None if it has no model."""
    if shape.kind != "model" or not isinstance(value, dict):
        return None
    if shape.members is None:
        return shape.model
    tag = value.get("type")
    return shape.members.get(tag) if isinstance(tag, str) else None


class NotBuilt(Exception):
    """No program can build this: its constructor would not take it, or completes it."""


def built(document: Any, shape: Shape) -> Any:
    """Build *document* from models, valid or not.

    :raises NotBuilt: when it cannot be built, or not as it is.
    """
    if isinstance(document, list) and shape.item:
        return [built(item, shape.item) for item in document]
    model = model_of(document, shape)
    if model is None:
        if shape.kind == "model" and isinstance(document, dict):
            raise NotBuilt
        return document
    given = dict(document)
    tag, tag_required = tag_of(model)
    if given.pop("type", "") != tag and (tag_required or "type" in document):
        raise NotBuilt
    arguments = {}
    for row in attributes_of(model):
        if row.key not in given:
            if row.required:
                raise NotBuilt
            continue
        value = given.pop(row.key)
        if value is None and not row.nullable and row.default is not None:
            raise NotBuilt  # None means there that the key is absent
        arguments[row.name] = built(value, row.shape)
    if given:
        raise NotBuilt
    instance = model(**arguments)
    if any(getattr(instance, name) != value for name, value in arguments.items()):
        raise NotBuilt
    return instance


# -- replies of handlers -------------------------------------------------------------


def reply_to(notification: Notification, *values: Any) -> Any:
    """Return the reply when handlers return *values*, as JSON would carry it."""
    found = [answer_of(value, "bot") for value in values]
    answers = [answer for answer in found if answer is not None]
    return json.loads(dumps(merge(answers, notification), answers))


def returned(document: Any) -> StepReachedResponse:
    """Return the object for a dict that a handler returned."""
    response = StepReachedResponse()
    for name, value in document.items():
        setattr(response, name, value)
    return response
