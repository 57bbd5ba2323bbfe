"""The types that handlers can return, for type checkers."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .models import Action, StepReachedResponse


class LazyText(Protocol):
    """A text that is translated when it is used, as by ``lazy_gettext``."""

    def __html__(self) -> str: ...


#: A part of a reply: a text, an action, or the JSON of an action.
Part: TypeAlias = str | LazyText | Action | Mapping[str, Any]

#: The return type of handlers: None, a text, an action, a list of those, or a reply.
Answer: TypeAlias = None | Part | Sequence[Part] | StepReachedResponse

#: The return type of handlers, including async ones.
AnyAnswer: TypeAlias = Answer | Awaitable[Answer]
