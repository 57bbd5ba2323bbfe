"""The marshmallow schemas of what travels, derived from the models' annotations.

Read in this order: ``attributes`` (annotations become rows), ``limits`` and ``kinds``
(one class for each), ``received`` (what arrived, unparsed), ``structs``,
``reading`` and ``writing`` (msgspec), and ``schema`` (marshmallow).
"""

from .schema import schema_for as schema_for
from .schema import validate_model as validate_model
from .violations import violations as violations
