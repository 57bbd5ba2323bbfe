"""Convert models to JSON and back, as the platform reads and writes them."""

from __future__ import annotations

import json
from typing import Any, TypeVar, cast

from ..schemas import schema_for, validate_model
from ..wire import JSON, Model, Unknown

M = TypeVar("M", bound=Model)


def to_json(value: Any) -> Any:
    """Return a model as JSON; other values are JSON already, and returned unchanged.

    :raises ValueError: if the platform would never send this model.
    """
    if not isinstance(value, Model):
        return value
    if isinstance(value, Unknown):
        return value.data
    wire, violations = validate_model(value)
    if violations:
        head = f"The platform would never send this {type(value).__name__}:"
        raise ValueError("\n".join([head, *map(str, violations)]))
    return wire


def dump(model: Model) -> JSON:
    """Return a model as JSON without validating it."""
    return cast(JSON, schema_for(type(model)).dump(model))


def from_json(model: type[M], raw: Any) -> M:
    """Load a model from JSON; anything but an object is loaded as an empty object."""
    return cast(
        M, schema_for(model, received=True).load(raw if isinstance(raw, dict) else {})
    )


def encode(document: Any) -> bytes:
    """Encode a JSON document as a request body.

    :raises TypeError: if a value is not JSON serializable.
    :raises ValueError: for NaN and infinite numbers.
    """
    return json.dumps(document, allow_nan=False).encode()
