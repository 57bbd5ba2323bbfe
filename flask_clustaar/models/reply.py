"""Replies to notifications."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..wire import Model
from .actions import Action
from .notification import ConversationSession, Interlocutor


class StepReachedResponse(Model):
    """The reply to a reached step. Its *actions* replace those of the step.

    :param actions: the actions of the bot. A string is short for a
        :class:`~flask_clustaar.models.SendTextAction`.
    :param session: the whole session. Default: the received session, with the changes
        of handlers.
    :param interlocutor: the user. Default: the received one, if a handler changed it.
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
        if _received is not None:
            self.__post_init__(_received)
        # Keep values of the wrong type; the error names them when the reply is sent.
        self.actions = list(actions) if isinstance(actions, tuple) else actions  # type: ignore[assignment]
        self.session = session
        self.interlocutor = interlocutor
