"""Buttons, and their actions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from ..schemas.limits import NAME, URL, Length
from ..wire import REQUIRED, SANITISED, STRIPPED, Model, Text
from .inputs import Input
from .targets import StepTarget, StoryTarget, Target


class ButtonAction(Model, family=True):
    """Base class of the actions of buttons."""


class GoToAction(ButtonAction, Input, type="go_to_action"):
    """Go to a step or a story. As an input: the user clicked such a button.

    A click stores *session_values* in the session.
    """

    target: Target
    session_values: dict[str, Any] | None = None

    @classmethod
    def step(
        cls, step_id: str, *, session_values: dict[str, Any] | None = None
    ) -> GoToAction:
        """Create an action that goes to the step *step_id*."""
        return cls(target=StepTarget(step_id=step_id), session_values=session_values)

    @classmethod
    def story(
        cls, story_id: str, *, session_values: dict[str, Any] | None = None
    ) -> GoToAction:
        """Create an action that goes to the story *story_id*."""
        return cls(target=StoryTarget(story_id=story_id), session_values=session_values)


class OpenURLAction(ButtonAction, type="open_url_action"):
    """Open a URL in a new tab."""

    url: Annotated[str, STRIPPED, SANITISED, Length(1, 500), URL(http=False)]


class ShareAction(ButtonAction, type="share_action"):
    """Share the card (Messenger only)."""


class DocumentAttachment(Model):
    """A document that is sent with a message."""

    name: Annotated[str, Length(1, 150), NAME]
    url: str


class LegacyReplyToMessageAction(
    ButtonAction, Input, type="legacy_reply_to_message_action"
):
    """Send *message* as the user. As an input: the user clicked such a button."""

    message: Annotated[str, SANITISED, Length(1, 1000)]
    attachments: list[DocumentAttachment] | None = None


#: The levels of satisfaction.
SatisfactionKind: TypeAlias = Literal["positive", "neutral", "negative"]


class CustomerSatisfactionCallbackAction(
    ButtonAction, type="customer_satisfaction_callback_action"
):
    """Report how satisfied the user is, and continue at *target*."""

    kind: SatisfactionKind
    target: Annotated[Target | None, REQUIRED] = None


class QuickReply(Model, type="quick_reply", type_required=False):
    """A button below a message."""

    title: Annotated[Text, Length(1, 60)]
    action: ButtonAction


class Button(Model, type="button"):
    """A button of a card."""

    title: Annotated[Text, Length(1, 20)]
    action: ButtonAction


class OpenURLButton(Model, type="open_url_button", alias=Button):
    """A button of a simple card."""

    title: Annotated[Text, Length(1, 20)]
    action: OpenURLAction
