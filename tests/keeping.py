"""What an object keeps in memory."""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

#: These refer to code, and belong to nobody.
CODE = (type, ModuleType, FunctionType, BuiltinFunctionType)


def kept_by(value: object) -> int:
    """Return how many objects a value refers to, at any depth."""
    found: dict[int, Any] = {}
    pending = [value]
    while pending:
        each = pending.pop()
        if id(each) not in found and not isinstance(each, CODE):
            found[id(each)] = each
            pending += gc.get_referents(each)
    return len(found)
