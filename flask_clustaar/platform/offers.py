"""What a user can click on, as the webchat draws it (WEBCHAT.md)."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import Final, Literal, NamedTuple

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
from .errors import ConversationError

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


class Group:
    """What takes one click: a row of quick replies, a carousel or a list."""

    def __init__(self) -> None:
        #: The title that was clicked on.
        self.spent_by: str | None = None


class Offer(NamedTuple):
    """Something to click on in a conversation."""

    clickable: Clickable
    #: The number of the turn that showed it.
    turn: int
    group: Group


class Offers:
    """What was shown to click on in a conversation, and what of it was clicked."""

    def __init__(self) -> None:
        self._all: list[Offer] = []
        self._turn = 0

    def next_turn(self) -> None:
        """Begin with what follows the next thing that the user does."""
        self._turn += 1

    def add(self, clickables: Sequence[Clickable]) -> None:
        """Show what takes one click together."""
        group = Group()
        self._all += [Offer(each, self._turn, group) for each in clickables]

    @property
    def current(self) -> list[Clickable]:
        """What can be clicked on that was shown in this turn."""
        return [
            offer.clickable
            for offer in self._all
            if offer.turn == self._turn and offer.group.spent_by is None
        ]

    def find(
        self, title: str, index: int | None, kinds: Container[Kind]
    ) -> tuple[Offer, int | None]:
        """Return what is clicked on, and its number if several have the title.

        Of several turns the latest counts.

        :param index: which one, from 0, if several have the title.
        :raises ConversationError: if nothing matches, or if several things do.
        """
        __tracebackhide__ = True
        found = [
            offer
            for offer in self._all
            if offer.clickable.title == title and offer.clickable.kind in kinds
        ]
        usable = [offer for offer in found if offer.group.spent_by is None]
        if not usable:
            raise ConversationError(self._missing(title, kinds, found))
        latest = [offer for offer in usable if offer.turn == usable[-1].turn]
        if len(latest) == 1 and index is None:
            return latest[0], None
        if index is None or index not in range(len(latest)):
            raise ConversationError(
                f"The last reply has '{title}' {len(latest)} times. Say which one: "
                f"'index' is from 0 to {len(latest) - 1}."
            )
        return latest[index], index + 1 if len(latest) > 1 else None

    def _missing(
        self, title: str, kinds: Container[Kind], found: Sequence[Offer]
    ) -> str:
        if found:
            spent = found[-1]
            return (
                f"'{title}' cannot be clicked on: '{spent.group.spent_by}' was, and "
                f"the webchat takes one click {_PLACES[spent.clickable.kind]}."
            )
        offered = [each for each in self.current if each.kind in kinds]
        titles = ", ".join(f"'{each.title}'" for each in offered)
        return (
            f"The last reply has no '{title}' to click on. It has "
            f"{titles or 'nothing to click on'}."
        )


_PLACES: Final[Mapping[Kind, str]] = {
    "quick reply": "in a row of quick replies",
    "button": "in a carousel",
    "choice": "in a list",
}


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
