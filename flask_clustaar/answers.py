"""What a handler may return, for type checkers."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from .models import Action, StepReachedResponse


class LazyText(Protocol):
    """A text that is translated when it is used, as by ``lazy_gettext``."""

    def __html__(self) -> str: ...


#: One thing that the bot says or does: a text, an action, or an action as it goes on
#: the wire.
Part: TypeAlias = str | LazyText | Action | Mapping[str, Any]

#: What a handler may return: None, a text, an action, a list of those, or a reply.
Answer: TypeAlias = None | Part | Sequence[Part] | StepReachedResponse

#: What a handler may return if it is async, or if what it returns has to be awaited.
AnyAnswer: TypeAlias = Answer | Awaitable[Answer]
