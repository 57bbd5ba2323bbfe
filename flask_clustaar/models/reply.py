"""The reply to the platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..wire import Model
from .actions import Action
from .notification import ConversationSession, Interlocutor


class StepReachedResponse(Model):
    """The reply to a step that was reached: its *actions* replace those of the step.

    :param actions: what the bot does. A string stands for a
        :class:`~flask_clustaar.models.SendTextAction`.
    :param session: the whole session; None for the received one, with the changes that
        handlers made.
    :param interlocutor: None for the received one, if a handler changed it.
    """

    actions: list[Action] = dataclasses.field(default_factory=list)
    session: ConversationSession | None = None
    interlocutor: Interlocutor | None = None

    def __init__(
        self,
        *,
        actions: Sequence[Action | str] = (),
        session: ConversationSession | None = None,
        interlocutor: Interlocutor | None = None,
        _received: Any = None,
    ) -> None:
        self.__post_init__(_received)
        # A value of another type is kept: the error names it when the reply is sent.
        self.actions = list(actions) if isinstance(actions, tuple) else actions  # type: ignore[assignment]
        self.session = session
        self.interlocutor = interlocutor
