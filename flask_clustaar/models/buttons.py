"""What a click does, and the buttons to click on."""

from __future__ import annotations

from typing import Annotated, Any

from marshmallow.validate import Length, OneOf

from ..limits import NAME, URL
from ..wire import REQUIRED, SANITISED, STRIPPED, Model, Text
from .inputs import Input
from .targets import StepTarget, StoryTarget, Target


class ButtonAction(Model, family=True):
    """What happens when the interlocutor clicks on a button."""


class GoToAction(ButtonAction, Input, type="go_to_action"):
    """Go to a step or a story; as an input: the interlocutor clicked.

    *session_values* are stored in the session on the way.
    """

    target: Target
    session_values: dict[str, Any] | None = None

    @classmethod
    def step(
        cls, step_id: str, *, session_values: dict[str, Any] | None = None
    ) -> GoToAction:
        """Return the action that goes to the step *step_id*."""
        return cls(target=StepTarget(step_id=step_id), session_values=session_values)

    @classmethod
    def story(
        cls, story_id: str, *, session_values: dict[str, Any] | None = None
    ) -> GoToAction:
        """Return the action that goes to the story *story_id*."""
        return cls(target=StoryTarget(story_id=story_id), session_values=session_values)


class OpenURLAction(ButtonAction, type="open_url_action"):
    """Open a URL in a new tab."""

    url: Annotated[str, STRIPPED, SANITISED, Length(1, 500), URL(http=False)]


class ShareAction(ButtonAction, type="share_action"):
    """Share the card (Messenger only)."""


class DocumentAttachment(Model):
    """A document that a reply carries."""

    name: Annotated[str, Length(1, 150), NAME]
    url: str


class LegacyReplyToMessageAction(
    ButtonAction, Input, type="legacy_reply_to_message_action"
):
    """Say *message* for the interlocutor; as an input: they clicked to say it."""

    message: Annotated[str, SANITISED, Length(1, 1000)]
    attachments: list[DocumentAttachment] | None = None


#: What an interlocutor can be.
SATISFACTION_KINDS = ("positive", "neutral", "negative")


class CustomerSatisfactionCallbackAction(
    ButtonAction, type="customer_satisfaction_callback_action"
):
    """Tell how satisfied the interlocutor is, and go on at *target*."""

    kind: Annotated[str, OneOf(SATISFACTION_KINDS)]
    target: Annotated[Target | None, REQUIRED] = None


class QuickReply(Model, type="quick_reply", type_required=False):
    """A button below a message."""

    title: Annotated[Text, Length(1, 60)]
    action: ButtonAction


class Button(Model, type="button"):
    """A button of a card."""

    title: Annotated[Text, Length(1, 20)]
    action: ButtonAction


class OpenURLButton(Model, type="open_url_button"):
    """A button of a simple card."""

    title: Annotated[Text, Length(1, 20)]
    action: OpenURLAction
