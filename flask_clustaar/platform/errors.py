"""What stops a simulated conversation."""

from __future__ import annotations

from ..errors import ClustaarError


class ConversationError(ClustaarError, LookupError):
    """The conversation cannot go on; the message says what to do."""


class Unknowable(ConversationError):
    """Something has to be said, because only the platform can know it.

    :param what: what cannot be known, as the beginning of a sentence.
    :param argument: the keyword argument that says it.
    """

    def __init__(self, what: str, argument: str) -> None:
        super().__init__(f"{what} cannot be known here: say {argument}.")


class JumpLoop(ConversationError):
    """The bot jumps from step to step without an end.

    :param path: the steps, in the order in which they were reached.
    """

    def __init__(self, path: list[str]) -> None:
        walked = " -> ".join(path)
        super().__init__(
            f"Stopped after {len(path) - 1} jumps in a row: {walked}. "
            "'max_jumps' sets how many are followed."
        )
        self.path = path
