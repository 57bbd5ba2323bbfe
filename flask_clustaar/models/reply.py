"""What goes back to the platform."""

from __future__ import annotations

import dataclasses

from ..wire import Model
from .actions import Action
from .notification import ConversationSession, Interlocutor


class StepReachedResponse(Model):
    """The reply to a step that was reached: its *actions* run instead of the step's.

    :param session: the whole session; None for the received one as handlers left it.
    :param interlocutor: None for the received one, if a handler changed it.
    """

    actions: list[Action] = dataclasses.field(default_factory=list)
    session: ConversationSession | None = None
    interlocutor: Interlocutor | None = None
