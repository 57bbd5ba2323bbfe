"""Loads and dumps on the fast path and by marshmallow, which must agree."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

import pytest

from flask_clustaar.errors import Violation
from flask_clustaar.schemas import schema_for, validate_model, writing
from flask_clustaar.schemas.kinds import Unsure
from flask_clustaar.schemas.received import Received, dump_json
from flask_clustaar.schemas.schema import Invalid
from flask_clustaar.wire import Model

M = TypeVar("M", bound=Model)
#: The exceptions for values that are not JSON serializable.
UNWRITABLE = (TypeError, ValueError, RecursionError)


def load(model: type[M], document: Any) -> M:
    """Load a JSON value that arrived; its bytes are loaded as an equal object."""
    schema = schema_for(model, received=True)
    loaded = schema.load(document)
    assert schema.load(Received(dump_json(document))) == loaded
    return cast(M, loaded)


def dump(model: Model) -> tuple[Any, list[Violation]]:
    """Return the sent JSON, and its violations. ``dumps`` and marshmallow agree."""
    wire, found = validate_model(model)
    try:
        sent = schema_for(type(model)).dumps(model)
    except Invalid as error:
        assert error.violations == found
    except UNWRITABLE:
        with pytest.raises(UNWRITABLE):
            dump_json(wire)
    else:
        assert found == []
        assert json.loads(sent) == json.loads(dump_json(wire))
    return wire, found


def dump_fast(model: Model) -> Any:
    """Return what the fast path alone sends.

    :raises Unsure: if marshmallow has to decide.
    """
    return json.loads(writing.dumps(model, _ask_nobody))


def _ask_nobody(value: Any, shape: Any) -> bytes:
    raise Unsure
