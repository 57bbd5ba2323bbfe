"""All actions (PROTOCOL 5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from ..schemas.limits import DIGITS, NAME, NOT_ID, NOT_OURS, URL, Length, Range
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
)
from .buttons import (
    Button,
    ButtonAction,
    GoToAction,
    OpenURLButton,
    QuickReply,
    SatisfactionKind,
)
from .conditions import FlowConnection, Intent
from .targets import StepTarget, StoryTarget, Target


class Action(Model, family=True):
    """Base class of actions, which the bot executes."""


class UnknownAction(Unknown, Action, ButtonAction):
    """An action of unknown type or shape; kept unchanged."""


Action._unknown = UnknownAction
ButtonAction._unknown = UnknownAction


# -- messages ------------------------------------------------------------------------


def _add_text(action: JSON) -> None:
    alternatives = action.get("alternatives")
    if not isinstance(alternatives, list) or not alternatives:
        return
    text = alternatives[0]
    if not isinstance(text, str) or action.get("text", text) != text:
        return
    if len(text) <= 1000:
        action["text"] = text
    else:  # The error is reported once.
        action.pop("text", None)


class SendTextAction(Action, type="send_text_action", complete=_add_text):
    """Send one of the *alternatives*, chosen at random by the platform.

    ``SendTextAction("Hello")`` sends one text. The webchat shows only *text*. Without
    it, the first alternative is sent as *text* (PROTOCOL 4).
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
    """Show an image; *alt* is its alternative text."""

    image_url: Annotated[str, STRIPPED, SANITISED, Length(max=500), URL(http=True)]
    alt: Annotated[str | None, Length(max=500)] = None


class Card(Model, type="card"):
    """A card of a carousel.

    A missing image or link is sent as an empty string, which the webchat requires
    (PROTOCOL 4). *url* can also be a ``mailto:``, ``tel:`` or ``sms:`` link, or begin
    with a ``{{...}}`` variable.
    """

    title: Annotated[Text, Length(1, 80)]
    subtitle: Annotated[Text | None, Length(max=80)] = None
    image_url: Annotated[
        str | None, STRIPPED, Length(max=500), URL(http=True, blank=True), BLANK
    ] = None
    url: Annotated[
        str | None,
        STRIPPED,
        Length(max=500),
        URL(http=False, blank=True, link=True),
        BLANK,
    ] = None
    alt: Annotated[str | None, Length(max=500)] = None
    buttons: Annotated[list[Button] | None, Length(max=3)] = None


class SendCardsAction(Action, type="send_cards_action"):
    """Show a carousel of cards."""

    cards: Annotated[list[Card], Length(1, 25)]


class SimpleCard(Model, type="simple_card"):
    """A card for iAdvize. Its buttons can only open URLs.

    A :class:`Button` with an :class:`OpenURLAction` is sent as an
    :class:`OpenURLButton`.
    """

    title: Annotated[Text, Length(1, 80)]
    subtitle: Annotated[Text | None, Length(max=80)] = None
    image_url: Annotated[
        str | None, STRIPPED, Length(max=500), URL(http=True, blank=True), BLANK
    ] = None
    buttons: Annotated[
        list[OpenURLButton] | list[Button] | list[OpenURLButton | Button] | None,
        Length(1, 3),
    ] = None


class SendSimpleCardsAction(Action, type="send_simple_cards_action"):
    """Show simple cards."""

    cards: Annotated[list[SimpleCard], Length(1, 25)]


class SendQuickRepliesAction(Action, type="send_quick_replies_action"):
    """Ask a question, with buttons for the answers."""

    message: Annotated[Text, Length(1, 1000)]
    buttons: Annotated[list[QuickReply], Length(1, 11)]

    @classmethod
    def ask(
        cls, message: str, answers: Mapping[str, str | ButtonAction]
    ) -> SendQuickRepliesAction:
        """Create a question with one button for each answer.

        :param message: the question.
        :param answers: the titles of the buttons, each with the id of the step that a
            click leads to, or a button action.
        """
        return cls(
            message=message,
            buttons=[
                QuickReply(
                    title=title,
                    action=GoToAction.step(to) if isinstance(to, str) else to,
                )
                for title, to in answers.items()
            ],
        )


class Choice(Model, type="choice"):
    """A choice of a list. Its *session_values* replace those of the action."""

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
            yield (
                f"sections.{index}.title",
                "With several sections, each requires a title.",
            )


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
    """Show a search field whose list of choices narrows as the user types."""

    placeholder: Annotated[Text, Length(1, 45)]
    sections: Annotated[list[Section], Length(1, 50)]
    action: GoToAction
    message: Annotated[Text | None, Length(1, 500)] = None


class CustomerSatisfactionChoice(Model, type="customer_satisfaction_choice"):
    """An answer to a :class:`CustomerSatisfactionAction`.

    Pass the intent as *matching_intent*, or its id as *matching_intent_id*.
    """

    kind: SatisfactionKind
    label: Annotated[Text, Length(0, 60)]
    target: Annotated[Target | None, REQUIRED] = None
    matching_intent: Annotated[Intent | None, REQUIRED] = None

    def __init__(
        self,
        *,
        kind: SatisfactionKind,
        label: str,
        target: Target | None = None,
        matching_intent: Intent | None = None,
        matching_intent_id: str | None = None,
        _received: Any = None,
    ) -> None:
        self.__post_init__(_received)
        self.kind = kind
        self.label = label
        self.target = target
        self.matching_intent = matching_intent
        if matching_intent_id is not None:
            self.matching_intent_id = matching_intent_id

    @property
    def matching_intent_id(self) -> str | None:
        """The id of the intent; None without an intent."""
        return self.matching_intent.id if self.matching_intent else None

    @matching_intent_id.setter
    def matching_intent_id(self, intent_id: str | None) -> None:
        self.matching_intent = None if intent_id is None else Intent(id=intent_id)


class CustomerSatisfactionAction(Action, type="customer_satisfaction_action"):
    """Ask how satisfied the user is."""

    message: Annotated[Text, Length(1, 1000)]
    choices: Annotated[list[CustomerSatisfactionChoice], Length(2, 3)]


class AskLocationAction(Action, type="ask_location_action"):
    """Ask for the user's location."""

    message: Annotated[str, SANITISED, Length(1, 1000)]
    callback_action: Annotated[GoToAction, Key("action")]


#: The type of a requested document (PROTOCOL 5). Type checkers accept any string,
#: because programs may compute it; other values are rejected when the reply is sent.
FileType: TypeAlias = Literal[
    "application/pdf", "application/zip",
    "audio/", "audio/mpeg", "audio/ogg", "audio/wav",
    "image/", "image/gif", "image/jpeg", "image/png", "image/svg+xml", "image/webp",
    "video", "video/mp4", "video/mpeg", "video/ogg", "video/webm",
] | str  # fmt: skip


class AskedDocument(Model, type="asked_document"):
    """A document to request from the user."""

    message: Annotated[str, Length(0, 300)]
    name: Annotated[str, Length(1, 150)]
    authorized_file_types: list[FileType]


class AskDocumentAction(Action, type="ask_document_action"):
    """Ask the user for documents."""

    message: Annotated[str, Length(0, 300)]
    documents: Annotated[list[AskedDocument], Length(1, 20)]


class GoogleCustomSearchAction(Action, type="google_custom_search_action"):
    """Show the results of a Google search."""

    query: Annotated[str, Length(1, 2048)]
    custom_engine_id: Annotated[str, STRIPPED, Length(1)]
    limit: Annotated[int, Range(1, 10)]


class WaitAction(Action, type="wait_action"):
    """Wait for *duration* seconds, and show that the bot is typing."""

    duration: Annotated[float, Range(0.5, 7)] = 2


# -- flow ----------------------------------------------------------------------------


class JumpToAction(Action, type="jump_to_action"):
    """Jump to the first connection that matches, otherwise to *default_target*.

    After a jump that is taken, the platform ignores all further actions.
    """

    default_target: Annotated[Target | None, REQUIRED] = None
    connections: Annotated[list[FlowConnection], Length(0, 10)] = dataclasses.field(
        default_factory=list
    )

    @classmethod
    def step(cls, step_id: str) -> JumpToAction:
        """Create a jump to the step *step_id*."""
        return cls(default_target=StepTarget(step_id=step_id))

    @classmethod
    def story(cls, story_id: str) -> JumpToAction:
        """Create a jump to the story *story_id*."""
        return cls(default_target=StoryTarget(story_id=story_id))


class PauseBotAction(Action, type="pause_bot_action"):
    """Pause the bot, so that a human agent can take over."""


class AITaskEngine(Model, type="ai_task_engine"):
    """The engine of an AI task."""

    name: str
    opts: dict[str, Any] = dataclasses.field(default_factory=dict)


class AITaskBehavior(Model, type="ai_task_behavior"):
    """The target for one outcome of an AI task."""

    name: str
    connections: Annotated[list[FlowConnection], Length(0, 10)] = dataclasses.field(
        default_factory=list
    )


class SendAITaskAction(Action, type="send_ai_task_action"):
    """Give a task to an AI engine."""

    engine: AITaskEngine
    behaviors: list[AITaskBehavior]
    default_target: Annotated[Target | None, REQUIRED] = None
    select_target: Target | None = None
    user_attributes: Annotated[bool, OPTIONAL] = False


# -- stored values -------------------------------------------------------------------


class StoreSessionValueAction(Action, type="store_session_value_action"):
    """Store a value in the session.

    :param add: True to add to the stored value instead of replacing it.
    :param is_int: True to store a number.
    """

    key: Annotated[str, Length(1, 100), NAME]
    value: Annotated[Text, Length(1, 200)]
    add: bool | None = None
    is_int: bool | None = None


class SetUserAttributeAction(Action, type="set_user_attribute_action"):
    """Set a user attribute.

    :param add: True to add to the stored value instead of replacing it.
    :param is_int: True to store a number.
    """

    key: Annotated[str, Length(1, 100), NOT_ID]
    value: Annotated[Text, Length(1, 2000)]
    add: bool | None = None
    is_int: bool | None = None


# -- other systems -------------------------------------------------------------------


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
    """Send an event to the page that shows the webchat."""

    event: Annotated[str, STRIPPED, Length(1, 200)]
    payload: dict[str, Any] | None = None


class ZendeskUser(Model):
    """The requester of a ticket."""

    email: Annotated[str | None, STRIPPED, SANITISED, Length(max=100), NOT_NULL] = None
    name: Annotated[Text | None, STRIPPED, Length(max=100), NOT_NULL] = None
    phone_number: Annotated[str | None, NOT_NULL] = None


class CreateZendeskTicketAction(Action, type="create_zendesk_ticket_action"):
    """Create a ticket in Zendesk."""

    user: ZendeskUser
    description: Annotated[Text, Length(1, 1500)]
    subject: Annotated[Text | None, Length(max=100), NOT_NULL] = None
    ticket_type: Annotated[
        Literal["question", "incident", "problem", "task", ""] | None, NOT_NULL
    ] = None
    ticket_priority: Annotated[
        Literal["urgent", "high", "normal", "low", ""] | None, NOT_NULL
    ] = None
    tags: Annotated[
        list[Annotated[str, Length(max=80)]] | None, Length(max=10), NOT_NULL
    ] = None
    group_id: Annotated[str | None, Length(max=24), DIGITS, NOT_NULL] = None
    assignee_id: Annotated[str | None, STRIPPED, Length(max=24), DIGITS, NOT_NULL] = (
        None
    )


class CreateUserRequestAction(Action, type="create_user_request_action"):
    """Ask a human agent to look at the conversation."""

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
    service: Literal["custom", "zapier"]
    description: Annotated[str, Length(0, 500)]
    fields: Annotated[list[WebhookRequestField], Length(max=100)]


class AssignIntercomConversationAction(
    Action, type="assign_intercom_conversation_action"
):
    """Assign the conversation to an agent in Intercom."""

    assignee_id: Annotated[str | None, STRIPPED, Length(max=100), DIGITS] = None


class CloseIntercomConversationAction(
    Action, type="close_intercom_conversation_action"
):
    """Close the conversation in Intercom."""


class IAdvizeDistributionRule(Model):
    """The rule by which iAdvize chooses an agent."""

    id: str
    label: str


class TransferIAdvizeConversationAction(
    Action, type="transfer_iadvize_conversation_action"
):
    """Transfer the conversation to an agent in iAdvize."""

    distribution_rule: Annotated[IAdvizeDistributionRule, Key("distribution_rule")]
    failed_transfer_message: Annotated[
        str | None, Key("failed_transfer_message"), NOT_NULL
    ] = None


class CloseIAdvizeConversationAction(Action, type="close_iadvize_conversation_action"):
    """Close the conversation in iAdvize."""
