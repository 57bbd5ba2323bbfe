"""Errors of simulated conversations."""

from __future__ import annotations

from ..errors import ClustaarError


class ConversationError(ClustaarError, LookupError):
    """The conversation cannot continue; the message says what to do."""


class Unknowable(ConversationError):
    """The conversation depends on a fact that only the platform knows.

    :param what: the fact, as the beginning of a sentence.
    :param argument: the keyword argument that provides it.
    """

    def __init__(self, what: str, argument: str) -> None:
        super().__init__(f"{what} is unknown here. Pass {argument}.")


class JumpLoop(ConversationError):
    """The bot keeps jumping between steps.

    :param path: the steps, in the order in which they were reached.
    """

    def __init__(self, path: list[str]) -> None:
        walked = " -> ".join(path)
        super().__init__(
            f"Stopped after {len(path) - 1} consecutive jumps: {walked}. "
            "'max_jumps' sets the limit."
        )
        self.path = path
