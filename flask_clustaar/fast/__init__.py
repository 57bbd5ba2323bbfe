"""The quick way in and out: the same as the schemas, at a fraction of the cost.

Marshmallow is the judge, and it takes its time: it looks up hooks, makes error stores
and walks every object several times. Nearly all documents are valid, so here each model
gets two functions, made once from the same rows as its schemas
(:class:`~flask_clustaar.wire.Attribute`). A *reader* loads what was received; an
*emitter* cleans, checks and writes what leaves as JSON, in one walk. Neither explains:
at the first thing that is not plainly right an emitter raises :class:`Detour`, and the
schemas say what is wrong, or that nothing is. Envelopes are not even read: :func:`load`
only keeps the JSON, and each of their attributes is loaded when a handler looks at it.
A property test holds that both ways accept the same documents, load equal objects and
write the same JSON.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from .. import schemas
from ..errors import Violation
from ..wire import JSON, RECEIVED, Model, same
from .emitters import Detour, emitter_of, encode
from .readers import Untyped, reader_of

__all__ = ["Detour", "Untyped", "dump", "dumps", "is_changed", "load"]

M = TypeVar("M", bound=Model)


def load(model: type[M], raw: Any) -> M:
    """Load a received JSON value.

    :raises Untyped: when *raw* is not of the model's shape; never for an envelope.
    """
    return cast(M, reader_of(model)(raw))


#: What an emitter raises where the schemas have to explain. The last four come of an
#: attribute that was deleted, or that is something JSON does not have.
_UNCLEAR = (Detour, KeyError, TypeError, ValueError, RecursionError)


def dumps(model: Model) -> tuple[str, list[Violation]]:
    """Return *model* as it leaves, as JSON, and what is wrong with that.

    :raises TypeError, ValueError, RecursionError: when JSON cannot say it.
    """
    try:
        return emitter_of(type(model))(model), []
    except _UNCLEAR:
        wire, violations = schemas.judge(model)
        return "" if violations else encode(wire), violations


def dump(model: Model) -> tuple[JSON, list[Violation]]:
    """Return *model* as who reads its JSON gets it, and what is wrong with that."""
    try:
        return json.loads(emitter_of(type(model))(model)), []
    except _UNCLEAR:
        return schemas.judge(model)


def is_changed(envelope: Model) -> bool:
    """Tell if an envelope is no longer what it was loaded as, or was built."""
    state, load = envelope.__dict__, type(envelope)._loaders
    if RECEIVED not in state:
        return not same(envelope, type(envelope)())
    raw = state[RECEIVED]
    for name, value in state.items():
        if name == RECEIVED:
            continue
        if name not in load or not same(value, load[name](raw)):
            return True
    return False
