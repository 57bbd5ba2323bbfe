"""The marshmallow schemas of the models, derived from their annotations.

Read the modules in this order: ``attributes`` (annotations as rows), ``limits`` and
``kinds`` (one class for each), ``received`` (received JSON), ``structs``, ``reading``
and ``writing`` (the fast path, with msgspec), and ``schema`` (marshmallow).
"""

from .schema import schema_for as schema_for
from .schema import validate_model as validate_model
from .violations import violations as violations
