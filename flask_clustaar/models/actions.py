"""What a bot does: every action of PROTOCOL 5."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated, Any

from marshmallow.validate import Length, OneOf, Range

from ..limits import DIGITS, NAME, NOT_ID, NOT_OURS, URL
from ..wire import (
    BLANK,
    JSON,
    NOT_NULL,
    OPTIONAL,
    REQUIRED,
    SANITISED,
    STRIPPED,
    Key,
    Model,
    Rule,
    Text,
    Unknown,
    Via,
)
from .buttons import (
    SATISFACTION_KINDS,
    Button,
    ButtonAction,
    GoToAction,
    OpenURLButton,
    QuickReply,
)
from .conditions import FlowConnection, Intent
from .targets import Target


class Action(Model, family=True):
    """Something a bot does."""


class UnknownAction(Unknown, Action, ButtonAction):
    """An action of the platform that cannot be typed, kept as it came."""


Action._unknown = UnknownAction
ButtonAction._unknown = UnknownAction


# -- what the interlocutor sees ------------------------------------------------------


class SendTextAction(Action, type="send_text_action"):
    """Say one of the *alternatives*, chosen at random.

    ``SendTextAction("Hello")`` says one text. Some clients read only *text*.
    """

    alternatives: Annotated[list[Annotated[Text, Length(1, 1000)]], Length(1, 10)] = (
        dataclasses.field(default_factory=list)
    )
    text: Annotated[Text | None, Length(1, 1000), NOT_NULL] = dataclasses.field(
        default=None, kw_only=False
    )

    def __post_init__(self) -> None:
        if self.text is not None and not self.alternatives:
            self.alternatives = [self.text]


class SendImageAction(Action, type="send_image_action"):
    """Show a picture; *alt* says what is on it."""

    image_url: Annotated[str, STRIPPED, SANITISED, Length(max=500), URL(http=True)]
    alt: Annotated[str | None, Length(max=500)] = None


class Card(Model, type="card"):
    """A card of a carousel.

    Without a picture or a link the webchat wants an empty string (PROTOCOL 4), and
    gets it.
    """

    title: Annotated[Text, Length(1, 80)]
    subtitle: Annotated[Text | None, Length(max=80)] = None
    image_url: Annotated[
        str | None, STRIPPED, Length(max=500), URL(http=True, blank=True), BLANK
    ] = None
    url: Annotated[
        str | None, STRIPPED, Length(max=500), URL(http=False, blank=True), BLANK
    ] = None
    alt: Annotated[str | None, Length(max=500)] = None
    buttons: Annotated[list[Button] | None, Length(max=3)] = None


class SendCardsAction(Action, type="send_cards_action"):
    """Show a carousel of cards."""

    cards: Annotated[list[Card], Length(1, 25)]


class SimpleCard(Model, type="simple_card"):
    """A card that iAdvize can show: its buttons open URLs."""

    title: Annotated[Text, Length(1, 80)]
    subtitle: Annotated[Text | None, Length(max=80)] = None
    image_url: Annotated[
        str | None, STRIPPED, Length(max=500), URL(http=True, blank=True), BLANK
    ] = None
    buttons: Annotated[list[OpenURLButton] | None, Length(1, 3)] = None


class SendSimpleCardsAction(Action, type="send_simple_cards_action"):
    """Show simple cards."""

    cards: Annotated[list[SimpleCard], Length(1, 25)]


class SendQuickRepliesAction(Action, type="send_quick_replies_action"):
    """Ask something, with buttons for the answers."""

    message: Annotated[Text, Length(1, 1000)]
    buttons: Annotated[list[QuickReply], Length(1, 11)]


class Choice(Model, type="choice"):
    """One of the choices of a list; its *session_values* replace the action's."""

    title: Annotated[Text, Length(1, 500)]
    image_url: Annotated[
        str | None,
        Key("imageUrl"),
        STRIPPED,
        SANITISED,
        Length(1, 500),
        URL(http=False),
    ] = None
    session_values: dict[str, Any] | None = None


class Section(Model, type="section"):
    """A group of choices."""

    choices: Annotated[list[Choice], Length(1, 100)]
    title: Annotated[Text | None, Length(max=500)] = None


def _untitled_sections(action: JSON) -> Iterator[tuple[str, str]]:
    sections = action["sections"]
    for index, section in enumerate(sections):
        if len(sections) > 1 and not section.get("title"):
            yield f"sections.{index}.title", "With several sections each needs a title."


class SendChoicesListAction(
    Action,
    type="send_choices_list_action",
    rule=Rule(
        _untitled_sections,
        {
            "if": {"properties": {"sections": {"minItems": 2}}},
            "then": {
                "properties": {
                    "sections": {
                        "items": {
                            "required": ["title"],
                            "properties": {"title": {"type": "string", "minLength": 1}},
                        }
                    }
                }
            },
        },
    ),
):
    """Let the interlocutor choose from a list that is filtered as they type."""

    placeholder: Annotated[Text, Length(1, 45)]
    sections: Annotated[list[Section], Length(1, 50)]
    action: GoToAction
    message: Annotated[Text | None, Length(1, 500)] = None


class CustomerSatisfactionChoice(Model, type="customer_satisfaction_choice"):
    """An answer to the question if the interlocutor is satisfied."""

    kind: Annotated[str, OneOf(SATISFACTION_KINDS)]
    label: Annotated[Text, Length(0, 60)]
    target: Annotated[Target | None, REQUIRED] = None
    matching_intent_id: Annotated[
        str | None, Via(Intent, "id"), Key("matchingIntent"), REQUIRED
    ] = None


class CustomerSatisfactionAction(Action, type="customer_satisfaction_action"):
    """Ask if the interlocutor is satisfied."""

    message: Annotated[Text, Length(1, 1000)]
    choices: Annotated[list[CustomerSatisfactionChoice], Length(2, 3)]


class AskLocationAction(Action, type="ask_location_action"):
    """Ask where the interlocutor is."""

    message: Annotated[str, SANITISED, Length(1, 1000)]
    callback_action: Annotated[GoToAction, Key("action")]


#: What an asked document can be.
FILE_TYPES = (
    "application/pdf", "application/zip",
    "audio/", "audio/mpeg", "audio/ogg", "audio/wav",
    "image/", "image/gif", "image/jpeg", "image/png", "image/svg+xml", "image/webp",
    "video", "video/mp4", "video/mpeg", "video/ogg", "video/webm",
)  # fmt: skip


class AskedDocument(Model, type="asked_document"):
    """A document that the interlocutor is asked for."""

    message: Annotated[str, Length(0, 300)]
    name: Annotated[str, Length(1, 150)]
    authorized_file_types: list[Annotated[str, OneOf(FILE_TYPES)]]


class AskDocumentAction(Action, type="ask_document_action"):
    """Ask for documents."""

    message: Annotated[str, Length(0, 300)]
    documents: Annotated[list[AskedDocument], Length(1, 20)]


class GoogleCustomSearchAction(Action, type="google_custom_search_action"):
    """Show what Google finds."""

    query: Annotated[str, Length(1, 2048)]
    custom_engine_id: Annotated[str, STRIPPED, Length(1)]
    limit: Annotated[int, Range(1, 10)]


class WaitAction(Action, type="wait_action"):
    """Wait *duration* seconds."""

    duration: Annotated[float, Range(0.5, 7)] = 2


# -- where the conversation goes -----------------------------------------------------


class JumpToAction(Action, type="jump_to_action"):
    """Go on at the first connection that matches, or else at *default_target*.

    What stands after a jump that fires is never executed.
    """

    default_target: Annotated[Target | None, REQUIRED] = None
    connections: Annotated[list[FlowConnection], Length(0, 10)] = dataclasses.field(
        default_factory=list
    )


class PauseBotAction(Action, type="pause_bot_action"):
    """Make the bot silent, for a person to take over."""


class AITaskEngine(Model, type="ai_task_engine"):
    """The engine of a task."""

    name: str
    opts: dict[str, Any] = dataclasses.field(default_factory=dict)


class AITaskBehavior(Model, type="ai_task_behavior"):
    """Where the conversation goes for an outcome of the task."""

    name: str
    connections: Annotated[list[FlowConnection], Length(0, 10)] = dataclasses.field(
        default_factory=list
    )


class SendAITaskAction(Action, type="send_ai_task_action"):
    """Give a task to an engine."""

    engine: AITaskEngine
    behaviors: list[AITaskBehavior]
    default_target: Annotated[Target | None, REQUIRED] = None
    select_target: Target | None = None
    user_attributes: Annotated[bool, OPTIONAL] = False


# -- what is remembered --------------------------------------------------------------


class StoreSessionValueAction(Action, type="store_session_value_action"):
    """Store a value in the session.

    :param add: add to what is there.
    :param is_int: store a number.
    """

    key: Annotated[str, Length(1, 100), NAME]
    value: Annotated[Text, Length(1, 200)]
    add: bool | None = None
    is_int: bool | None = None


class SetUserAttributeAction(Action, type="set_user_attribute_action"):
    """Set an attribute of the interlocutor.

    :param add: add to what is there.
    :param is_int: store a number.
    """

    key: Annotated[str, Length(1, 100), NOT_ID]
    value: Annotated[Text, Length(1, 2000)]
    add: bool | None = None
    is_int: bool | None = None


# -- what happens elsewhere ----------------------------------------------------------


class SendEmailAction(Action, type="send_email_action"):
    """Send an e-mail."""

    recipient: Annotated[Text, STRIPPED, Length(max=150)]
    subject: Annotated[Text, Length(max=150)]
    content: Annotated[Text, Length(max=1500)]
    from_email: Annotated[
        str | None, STRIPPED, SANITISED, Length(max=150), NOT_OURS
    ] = None
    from_name: Annotated[Text | None, STRIPPED, Length(max=50)] = None
    reply_to_email: Annotated[str | None, STRIPPED, SANITISED, Length(max=150)] = None
    reply_to_name: Annotated[Text | None, STRIPPED, Length(max=50)] = None
    user_attachments: bool | None = None


class SendJSEventAction(Action, type="send_js_event_action"):
    """Send an event to the page that the webchat is on."""

    event: Annotated[str, STRIPPED, Length(1, 200)]
    payload: dict[str, Any] | None = None


class ZendeskUser(Model):
    """The person a ticket is for."""

    email: Annotated[str | None, STRIPPED, SANITISED, Length(max=100), NOT_NULL] = None
    name: Annotated[Text | None, STRIPPED, Length(max=100), NOT_NULL] = None
    phone_number: Annotated[str | None, NOT_NULL] = None


class CreateZendeskTicketAction(Action, type="create_zendesk_ticket_action"):
    """Create a ticket in Zendesk."""

    user: ZendeskUser
    description: Annotated[Text, Length(1, 1500)]
    subject: Annotated[Text | None, Length(max=100), NOT_NULL] = None
    ticket_type: Annotated[
        str | None, OneOf(["question", "incident", "problem", "task", ""]), NOT_NULL
    ] = None
    ticket_priority: Annotated[
        str | None, OneOf(["urgent", "high", "normal", "low", ""]), NOT_NULL
    ] = None
    tags: Annotated[
        list[Annotated[str, Length(max=80)]] | None, Length(max=10), NOT_NULL
    ] = None
    group_id: Annotated[str | None, Length(max=24), DIGITS, NOT_NULL] = None
    assignee_id: Annotated[str | None, STRIPPED, Length(max=24), DIGITS, NOT_NULL] = (
        None
    )


class CreateUserRequestAction(Action, type="create_user_request_action"):
    """Ask a person to look at the conversation."""

    message: Annotated[Text, STRIPPED, Length(1, 1000)]
    assignee_id: Annotated[str | None, STRIPPED] = None
    group_id: Annotated[str | None, STRIPPED] = None


class WebhookRequestField(Model, type="webhook_request_field"):
    """A field of a request to a webhook."""

    key: Annotated[str, Length(1, 100), NAME]
    value: Annotated[str, Length(1, 2048)]


class SendWebhookRequestAction(Action, type="send_webhook_request_action"):
    """Send a request to another webhook."""

    url: Annotated[str, STRIPPED, Length(1, 500)]
    service: Annotated[str, OneOf(["custom", "zapier"])]
    description: Annotated[str, Length(0, 500)]
    fields: Annotated[list[WebhookRequestField], Length(max=100)]


class AssignIntercomConversationAction(
    Action, type="assign_intercom_conversation_action"
):
    """Assign the conversation to somebody in Intercom."""

    assignee_id: Annotated[str | None, STRIPPED, Length(max=100), DIGITS] = None


class CloseIntercomConversationAction(
    Action, type="close_intercom_conversation_action"
):
    """Close the conversation in Intercom."""


class IAdvizeDistributionRule(Model):
    """Who the conversation goes to in iAdvize."""

    id: str
    label: str


class TransferIAdvizeConversationAction(
    Action, type="transfer_iadvize_conversation_action"
):
    """Hand the conversation over in iAdvize."""

    distribution_rule: Annotated[IAdvizeDistributionRule, Key("distribution_rule")]
    failed_transfer_message: Annotated[
        str | None, Key("failed_transfer_message"), NOT_NULL
    ] = None


class CloseIAdvizeConversationAction(Action, type="close_iadvize_conversation_action"):
    """Close the conversation in iAdvize."""
