"""Quick replies, buttons and choices that users can click on, as in the webchat."""

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

#: The webchat does not show a card's button with one of these actions.
_UNDRAWN = (LegacyReplyToMessageAction, CustomerSatisfactionCallbackAction)


class Clickable(NamedTuple):
    """A quick reply, a button or a choice."""

    #: The title, as shown by the webchat.
    title: str
    action: ButtonAction
    kind: Kind = "button"
    #: The index of its action in the reply.
    place: int = 0


def clickables(actions: Sequence[Action]) -> list[Clickable]:
    """Return the quick replies, buttons and choices of actions, in order."""
    return [
        Clickable(literal(title), leads, kind, place)
        for place, action in enumerate(actions)
        for kind, title, leads in _of(action)
    ]


class Group:
    """A row of quick replies, a carousel or a list, which accepts one click."""

    def __init__(self) -> None:
        #: The title that was clicked; None before.
        self.spent_by: str | None = None


class Offer(NamedTuple):
    """A quick reply, button or choice in a conversation."""

    clickable: Clickable
    #: The number of the turn in which it was shown.
    turn: int
    group: Group


class Offers:
    """All quick replies, buttons and choices of a conversation, and their clicks."""

    def __init__(self) -> None:
        self._all: list[Offer] = []
        self._turn = 0

    def next_turn(self) -> None:
        """Begin the next turn, after an act of the user."""
        self._turn += 1

    def add(self, clickables: Sequence[Clickable]) -> None:
        """Add a group, which accepts one click."""
        group = Group()
        self._all += [Offer(each, self._turn, group) for each in clickables]

    @property
    def current(self) -> list[Clickable]:
        """The quick replies, buttons and choices of the current turn."""
        return [
            offer.clickable
            for offer in self._all
            if offer.turn == self._turn and offer.group.spent_by is None
        ]

    def find(
        self, title: str, index: int | None, kinds: Container[Kind]
    ) -> tuple[Offer, int | None]:
        """Return the offer with this title, and its number if the title is not unique.

        The latest turn that has the title is used.

        :param index: its index, from 0, among those with the same title.
        :raises ConversationError: if none matches, or if several match without *index*.
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
                f"The last reply has '{title}' {len(latest)} times. Pass 'index', "
                f"from 0 to {len(latest) - 1}."
            )
        return latest[index], index + 1 if len(latest) > 1 else None

    def _missing(
        self, title: str, kinds: Container[Kind], found: Sequence[Offer]
    ) -> str:
        if found:
            spent = found[-1]
            return (
                f"'{title}' cannot be clicked on: '{spent.group.spent_by}' was, and "
                f"the webchat accepts one click {_PLACES[spent.clickable.kind]}."
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
    """Return the action of a choice.

    The webchat sends the session values of the choice, and drops those of the list,
    even if the choice has none.
    """
    return dataclasses.replace(action.action, session_values=choice.session_values)


def _satisfied(choice: CustomerSatisfactionChoice) -> ButtonAction:
    return CustomerSatisfactionCallbackAction(kind=choice.kind, target=choice.target)
