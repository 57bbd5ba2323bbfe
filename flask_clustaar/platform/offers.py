"""What a user can click on, as the webchat draws it (WEBCHAT.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..models import (
    Action,
    ButtonAction,
    Choice,
    CustomerSatisfactionAction,
    CustomerSatisfactionCallbackAction,
    CustomerSatisfactionChoice,
    GoToAction,
    LegacyReplyToMessageAction,
    SendCardsAction,
    SendChoicesListAction,
    SendQuickRepliesAction,
    SendSimpleCardsAction,
)
from ..transcript import literal

Kind = Literal["quick reply", "button", "choice"]

#: What the webchat does not draw on a card.
_UNDRAWN = (LegacyReplyToMessageAction, CustomerSatisfactionCallbackAction)


class Clickable(NamedTuple):
    """Something to click on."""

    #: The title, as the webchat shows it.
    title: str
    action: ButtonAction
    kind: Kind = "button"
    #: Which action of the reply it belongs to, from 0.
    place: int = 0


def clickables(actions: Sequence[Action]) -> list[Clickable]:
    """Return what can be clicked on, in its order."""
    return [
        Clickable(literal(title), leads, kind, place)
        for place, action in enumerate(actions)
        for kind, title, leads in _of(action)
    ]


def _of(action: Action) -> list[tuple[Kind, str, ButtonAction]]:
    match action:
        case SendQuickRepliesAction(buttons=replies):
            return [("quick reply", each.title, each.action) for each in replies]
        case SendCardsAction(cards=cards) | SendSimpleCardsAction(cards=cards):
            buttons = [button for card in cards for button in card.buttons or ()]
            return [
                ("button", button.title, button.action)
                for button in buttons
                if not isinstance(button.action, _UNDRAWN)
            ]
        case SendChoicesListAction(sections=sections):
            choices = [choice for section in sections for choice in section.choices]
            return [("choice", each.title, _chosen(action, each)) for each in choices]
        case CustomerSatisfactionAction(choices=kinds):
            return [("quick reply", kind.label, _satisfied(kind)) for kind in kinds]
    return []


def _chosen(action: SendChoicesListAction, choice: Choice) -> GoToAction:
    """Return where a choice leads.

    The webchat sends the session values of the choice, also if it has none: those of
    the list are lost.
    """
    return dataclasses.replace(action.action, session_values=choice.session_values)


def _satisfied(choice: CustomerSatisfactionChoice) -> ButtonAction:
    return CustomerSatisfactionCallbackAction(kind=choice.kind, target=choice.target)
