"""Every type of the wire: constructed, dumped, loaded and compared; tolerant when it
comes in, lossless when it goes back, strict and clean when it leaves."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest
from both_ways import dump, dump_fast, load
from marshmallow.validate import Length, Range
from strategies import accepts, text_of_size

from flask_clustaar import models
from flask_clustaar.errors import InvalidReply
from flask_clustaar.models import (
    AITaskBehavior,
    AITaskEngine,
    AskDocumentAction,
    AskedDocument,
    AskLocationAction,
    AssignIntercomConversationAction,
    AttachmentValueGetter,
    Audio,
    Button,
    Card,
    Choice,
    CloseIAdvizeConversationAction,
    CloseIntercomConversationAction,
    ConnectionPredicate,
    ConnectionTeamPredicate,
    ConnectionUserPredicate,
    ContainCondition,
    ConversationSession,
    Coordinates,
    CreateUserRequestAction,
    CreateZendeskTicketAction,
    CustomerSatisfactionAction,
    CustomerSatisfactionCallbackAction,
    CustomerSatisfactionChoice,
    CustomEvent,
    DocumentAttachment,
    EqualsCondition,
    File,
    FlowConnection,
    GoogleCustomSearchAction,
    GoToAction,
    IAdvizeDistributionRule,
    Image,
    Intent,
    Interlocutor,
    IsGreaterThanCondition,
    IsGreaterThanOrEqualCondition,
    IsLessThanCondition,
    IsLessThanOrEqualCondition,
    IsLoggedCondition,
    IsNotLoggedCondition,
    IsNotSetCondition,
    IsNumberCondition,
    IsOfflineCondition,
    IsOnlineCondition,
    IsSetCondition,
    JumpToAction,
    LegacyReplyToMessageAction,
    MatchIntentCondition,
    MatchRegexpCondition,
    Message,
    MessageGetter,
    Notification,
    OpenURLAction,
    OpenURLButton,
    PauseBotAction,
    QuickReply,
    Section,
    SendAITaskAction,
    SendCardsAction,
    SendChoicesListAction,
    SendEmailAction,
    SendImageAction,
    SendJSEventAction,
    SendQuickRepliesAction,
    SendSimpleCardsAction,
    SendTextAction,
    SendWebhookRequestAction,
    SessionValueGetter,
    SetUserAttributeAction,
    ShareAction,
    SimpleCard,
    Step,
    StepReached,
    StepReachedResponse,
    StepTarget,
    StoreSessionValueAction,
    StoryTarget,
    TransferIAdvizeConversationAction,
    UnknownAction,
    UnknownAttachment,
    UnknownInput,
    URLLoadedEvent,
    UserAttributeGetter,
    Video,
    WaitAction,
    WebhookRequestField,
    ZendeskUser,
)
from flask_clustaar.notifications import load_notification
from flask_clustaar.replies import answer_of, dumps, merge
from flask_clustaar.schemas import schema_for, validate_model
from flask_clustaar.schemas.attributes import Attribute, Shape, attributes_of
from flask_clustaar.schemas.limits import Pattern
from flask_clustaar.wire import (
    NORMALISED,
    SANITISED,
    STRIPPED,
    Model,
    Unknown,
    is_family,
    members_of,
)

ID = "507f1f77bcf86cd799439011"
STEP = StepTarget(step_id=ID)
STEP_JSON = {"type": "step", "id": ID}
GO = GoToAction(target=STEP)
GO_JSON = {"type": "go_to_action", "target": STEP_JSON}
CONNECTION = FlowConnection(
    target=STEP,
    predicates=[
        ConnectionPredicate(condition=IsSetCondition(), value_getter=MessageGetter())
    ],
)
CONNECTION_JSON: dict[str, Any] = {
    "type": "flow_connection",
    "target": STEP_JSON,
    "predicates": [
        {
            "type": "connection_predicate",
            "condition": {"type": "is_set"},
            "valueGetter": {"type": "message"},
        }
    ],
}
INTERLOCUTOR_JSON = {
    "id": "1",
    "userID": "2",
    "externalID": "3",
    "location": {"lat": 77.4, "long": -44},
    "email": "jane@example.com",
    "firstName": "Jane",
    "lastName": "Doe",
    "phoneNumber": "+331",
    "customAttributes": {"age": "25"},
    "isLogged": True,
    "usedToTest": False,
}
INTERLOCUTOR = Interlocutor(
    id="1",
    remote_id="2",
    external_id="3",
    location=Coordinates(lat=77.4, long=-44),
    email="jane@example.com",
    first_name="Jane",
    last_name="Doe",
    phone_number="+331",
    custom_attributes={"age": "25"},
    is_logged=True,
    used_to_test=False,
)

#: One row for each type: a class, what its constructor is given, and the JSON.
TYPES: list[tuple[type[Model], dict[str, Any], dict[str, Any]]] = [
    # Targets
    (StepTarget, {"step_id": ID, "name": "s"}, {**STEP_JSON, "name": "s"}),
    (StoryTarget, {"story_id": ID}, {"type": "story", "id": ID}),
    # Buttons, and what they do
    (
        GoToAction,
        {"target": STEP, "session_values": {"a": [1, None]}},
        {**GO_JSON, "sessionValues": {"a": [1, None]}},
    ),
    (
        OpenURLAction,
        {"url": "https://e.co"},
        {"type": "open_url_action", "url": "https://e.co"},
    ),
    (ShareAction, {}, {"type": "share_action"}),
    (
        LegacyReplyToMessageAction,
        {"message": "m", "attachments": [DocumentAttachment(name="n", url="u")]},
        {
            "type": "legacy_reply_to_message_action",
            "message": "m",
            "attachments": [{"name": "n", "url": "u"}],
        },
    ),
    (DocumentAttachment, {"name": "n", "url": "u"}, {"name": "n", "url": "u"}),
    (
        CustomerSatisfactionCallbackAction,
        {"kind": "positive"},
        {
            "type": "customer_satisfaction_callback_action",
            "kind": "positive",
            "target": None,
        },
    ),
    (
        QuickReply,
        {"title": "t", "action": GO},
        {"type": "quick_reply", "title": "t", "action": GO_JSON},
    ),
    (
        Button,
        {"title": "t", "action": GO},
        {"type": "button", "title": "t", "action": GO_JSON},
    ),
    (
        OpenURLButton,
        {"title": "t", "action": OpenURLAction(url="x://y")},
        {
            "type": "open_url_button",
            "title": "t",
            "action": {"type": "open_url_action", "url": "x://y"},
        },
    ),
    # Visible actions
    (
        SendTextAction,
        {"alternatives": ["a", "b"], "text": "a"},
        {"type": "send_text_action", "alternatives": ["a", "b"], "text": "a"},
    ),
    (
        SendImageAction,
        {"image_url": "http://e.co/i", "alt": "a"},
        {"type": "send_image_action", "imageURL": "http://e.co/i", "alt": "a"},
    ),
    (
        Card,
        {
            "title": "t",
            "subtitle": "s",
            "image_url": "http://e.co/i",
            "url": "http://e.co",
            "alt": "a",
            "buttons": [Button(title="b", action=GO)],
        },
        {
            "type": "card",
            "title": "t",
            "subtitle": "s",
            "imageURL": "http://e.co/i",
            "url": "http://e.co",
            "alt": "a",
            "buttons": [{"type": "button", "title": "b", "action": GO_JSON}],
        },
    ),
    (
        SendCardsAction,
        {"cards": [Card(title="t", image_url="", url="")]},
        {
            "type": "send_cards_action",
            "cards": [{"type": "card", "title": "t", "imageURL": "", "url": ""}],
        },
    ),
    (
        SimpleCard,
        {
            "title": "t",
            "subtitle": "s",
            "image_url": "http://e.co/i",
            "buttons": [OpenURLButton(title="b", action=OpenURLAction(url="x://y"))],
        },
        {
            "type": "simple_card",
            "title": "t",
            "subtitle": "s",
            "imageURL": "http://e.co/i",
            "buttons": [
                {
                    "type": "open_url_button",
                    "title": "b",
                    "action": {"type": "open_url_action", "url": "x://y"},
                }
            ],
        },
    ),
    (
        SendSimpleCardsAction,
        {"cards": [SimpleCard(title="t", image_url="")]},
        {
            "type": "send_simple_cards_action",
            "cards": [{"type": "simple_card", "title": "t", "imageURL": ""}],
        },
    ),
    (
        SendQuickRepliesAction,
        {"message": "m", "buttons": [QuickReply(title="t", action=ShareAction())]},
        {
            "type": "send_quick_replies_action",
            "message": "m",
            "buttons": [
                {
                    "type": "quick_reply",
                    "title": "t",
                    "action": {"type": "share_action"},
                }
            ],
        },
    ),
    (
        Choice,
        {"title": "t", "image_url": "x://y", "session_values": {"a": 1}},
        {
            "type": "choice",
            "title": "t",
            "imageUrl": "x://y",
            "sessionValues": {"a": 1},
        },
    ),
    (
        Section,
        {"title": "t", "choices": [Choice(title="c")]},
        {
            "type": "section",
            "title": "t",
            "choices": [{"type": "choice", "title": "c"}],
        },
    ),
    (
        SendChoicesListAction,
        {
            "message": "m",
            "placeholder": "p",
            "sections": [Section(title="t", choices=[Choice(title="c")])],
            "action": GO,
        },
        {
            "type": "send_choices_list_action",
            "message": "m",
            "placeholder": "p",
            "sections": [
                {
                    "type": "section",
                    "title": "t",
                    "choices": [{"type": "choice", "title": "c"}],
                }
            ],
            "action": GO_JSON,
        },
    ),
    (
        CustomerSatisfactionChoice,
        {
            "kind": "neutral",
            "label": "l",
            "target": STEP,
            "matching_intent": Intent(id=ID),
        },
        {
            "type": "customer_satisfaction_choice",
            "kind": "neutral",
            "label": "l",
            "target": STEP_JSON,
            "matchingIntent": {"type": "intent", "id": ID, "name": ""},
        },
    ),
    (
        CustomerSatisfactionAction,
        {
            "message": "m",
            "choices": [
                CustomerSatisfactionChoice(kind="positive", label=""),
                CustomerSatisfactionChoice(kind="negative", label="l"),
            ],
        },
        {
            "type": "customer_satisfaction_action",
            "message": "m",
            "choices": [
                {
                    "type": "customer_satisfaction_choice",
                    "kind": kind,
                    "label": label,
                    "target": None,
                    "matchingIntent": None,
                }
                for kind, label in (("positive", ""), ("negative", "l"))
            ],
        },
    ),
    (
        AskLocationAction,
        {"message": "m", "callback_action": GO},
        {"type": "ask_location_action", "message": "m", "action": GO_JSON},
    ),
    (
        AskedDocument,
        {"message": "", "name": "n", "authorized_file_types": ["image/png"]},
        {
            "type": "asked_document",
            "message": "",
            "name": "n",
            "authorizedFileTypes": ["image/png"],
        },
    ),
    (
        AskDocumentAction,
        {
            "message": "m",
            "documents": [
                AskedDocument(message="m", name="n", authorized_file_types=[])
            ],
        },
        {
            "type": "ask_document_action",
            "message": "m",
            "documents": [
                {
                    "type": "asked_document",
                    "message": "m",
                    "name": "n",
                    "authorizedFileTypes": [],
                }
            ],
        },
    ),
    (
        GoogleCustomSearchAction,
        {"query": "q", "custom_engine_id": "e", "limit": 3},
        {
            "type": "google_custom_search_action",
            "query": "q",
            "customEngineID": "e",
            "limit": 3,
        },
    ),
    (WaitAction, {"duration": 0.5}, {"type": "wait_action", "duration": 0.5}),
    # Where the conversation goes
    (
        JumpToAction,
        {"default_target": STEP, "connections": [CONNECTION]},
        {
            "type": "jump_to_action",
            "defaultTarget": STEP_JSON,
            "connections": [CONNECTION_JSON],
        },
    ),
    (PauseBotAction, {}, {"type": "pause_bot_action"}),
    (
        AITaskEngine,
        {"name": "n", "opts": {"t": 0.5}},
        {"type": "ai_task_engine", "name": "n", "opts": {"t": 0.5}},
    ),
    (
        AITaskBehavior,
        {"name": "n", "connections": [CONNECTION]},
        {"type": "ai_task_behavior", "name": "n", "connections": [CONNECTION_JSON]},
    ),
    (
        SendAITaskAction,
        {
            "engine": AITaskEngine(name="n"),
            "behaviors": [AITaskBehavior(name="b")],
            "select_target": STEP,
            "user_attributes": True,
        },
        {
            "type": "send_ai_task_action",
            "engine": {"type": "ai_task_engine", "name": "n", "opts": {}},
            "behaviors": [{"type": "ai_task_behavior", "name": "b", "connections": []}],
            "defaultTarget": None,
            "selectTarget": STEP_JSON,
            "userAttributes": True,
        },
    ),
    # Stored values
    (
        StoreSessionValueAction,
        {"key": "k", "value": "v", "add": True, "is_int": False},
        {
            "type": "store_session_value_action",
            "key": "k",
            "value": "v",
            "add": True,
            "isInt": False,
        },
    ),
    (
        SetUserAttributeAction,
        {"key": "k", "value": "v", "add": False, "is_int": True},
        {
            "type": "set_user_attribute_action",
            "key": "k",
            "value": "v",
            "add": False,
            "isInt": True,
        },
    ),
    # Other systems
    (
        SendEmailAction,
        {
            "recipient": "r@e.co",
            "subject": "s",
            "content": "c",
            "from_email": "f@e.co",
            "from_name": "f",
            "reply_to_email": "t@e.co",
            "reply_to_name": "t",
            "user_attachments": True,
        },
        {
            "type": "send_email_action",
            "recipient": "r@e.co",
            "subject": "s",
            "content": "c",
            "fromEmail": "f@e.co",
            "fromName": "f",
            "replyToEmail": "t@e.co",
            "replyToName": "t",
            "userAttachments": True,
        },
    ),
    (
        SendJSEventAction,
        {"event": "e", "payload": {"a": 1}},
        {"type": "send_js_event_action", "event": "e", "payload": {"a": 1}},
    ),
    (
        ZendeskUser,
        {"email": "e@e.co", "name": "n", "phone_number": "1"},
        {"email": "e@e.co", "name": "n", "phoneNumber": "1"},
    ),
    (
        CreateZendeskTicketAction,
        {
            "user": ZendeskUser(),
            "description": "d",
            "subject": "s",
            "ticket_type": "question",
            "ticket_priority": "urgent",
            "tags": ["t"],
            "group_id": "1",
            "assignee_id": "2",
        },
        {
            "type": "create_zendesk_ticket_action",
            "user": {},
            "description": "d",
            "subject": "s",
            "ticketType": "question",
            "ticketPriority": "urgent",
            "tags": ["t"],
            "groupID": "1",
            "assigneeID": "2",
        },
    ),
    (
        CreateUserRequestAction,
        {"message": "m", "assignee_id": "a", "group_id": "g"},
        {
            "type": "create_user_request_action",
            "message": "m",
            "assigneeID": "a",
            "groupID": "g",
        },
    ),
    (
        WebhookRequestField,
        {"key": "k", "value": "v"},
        {"type": "webhook_request_field", "key": "k", "value": "v"},
    ),
    (
        SendWebhookRequestAction,
        {
            "url": "/u",
            "service": "zapier",
            "description": "",
            "fields": [WebhookRequestField(key="k", value="v")],
        },
        {
            "type": "send_webhook_request_action",
            "url": "/u",
            "service": "zapier",
            "description": "",
            "fields": [{"type": "webhook_request_field", "key": "k", "value": "v"}],
        },
    ),
    (
        AssignIntercomConversationAction,
        {"assignee_id": "1"},
        {"type": "assign_intercom_conversation_action", "assigneeID": "1"},
    ),
    (
        CloseIntercomConversationAction,
        {},
        {"type": "close_intercom_conversation_action"},
    ),
    (IAdvizeDistributionRule, {"id": "1", "label": "l"}, {"id": "1", "label": "l"}),
    (
        TransferIAdvizeConversationAction,
        {
            "distribution_rule": IAdvizeDistributionRule(id="1", label="l"),
            "failed_transfer_message": "f",
        },
        {
            "type": "transfer_iadvize_conversation_action",
            "distribution_rule": {"id": "1", "label": "l"},
            "failed_transfer_message": "f",
        },
    ),
    (
        CloseIAdvizeConversationAction,
        {},
        {"type": "close_iadvize_conversation_action"},
    ),
    # Connections
    (
        FlowConnection,
        {"target": STEP, "predicates": CONNECTION.predicates},
        CONNECTION_JSON,
    ),
    (
        ConnectionPredicate,
        {"condition": IsSetCondition(), "value_getter": MessageGetter()},
        {
            "type": "connection_predicate",
            "condition": {"type": "is_set"},
            "valueGetter": {"type": "message"},
        },
    ),
    (
        ConnectionTeamPredicate,
        {"condition": IsOnlineCondition()},
        {"type": "connection_team_predicate", "condition": {"type": "is_online"}},
    ),
    (
        ConnectionUserPredicate,
        {"condition": IsLoggedCondition()},
        {"type": "connection_user_predicate", "condition": {"type": "is_logged"}},
    ),
    (MessageGetter, {}, {"type": "message"}),
    (SessionValueGetter, {"key": "k"}, {"type": "session_value", "key": "k"}),
    (UserAttributeGetter, {"key": "k"}, {"type": "user_attribute", "key": "k"}),
    (AttachmentValueGetter, {"key": "k"}, {"type": "attachment_value", "key": "k"}),
    (IsSetCondition, {}, {"type": "is_set"}),
    (IsNotSetCondition, {}, {"type": "is_not_set"}),
    (ContainCondition, {"values": ["a"]}, {"type": "contains", "values": ["a"]}),
    (EqualsCondition, {"expected": "a"}, {"type": "equals", "expected": "a"}),
    (
        MatchRegexpCondition,
        {"regexp": re.compile("a+")},
        {"type": "match_regexp", "pattern": "a+"},
    ),
    (
        MatchIntentCondition,
        {"intent": Intent(id=ID)},
        {"type": "match_intent", "intent": {"type": "intent", "id": ID, "name": ""}},
    ),
    (Intent, {"id": ID, "name": "n"}, {"type": "intent", "id": ID, "name": "n"}),
    (IsLessThanCondition, {"maximum": 1.5}, {"type": "is_less_than", "maximum": 1.5}),
    (
        IsLessThanOrEqualCondition,
        {"maximum": -1},
        {"type": "is_less_than_or_equal", "maximum": -1},
    ),
    (IsGreaterThanCondition, {"minimum": 0}, {"type": "is_greater_than", "minimum": 0}),
    (
        IsGreaterThanOrEqualCondition,
        {"minimum": 1},
        {"type": "is_greater_than_or_equal", "minimum": 1},
    ),
    (IsNumberCondition, {}, {"type": "is_number"}),
    (IsOnlineCondition, {}, {"type": "is_online"}),
    (IsOfflineCondition, {}, {"type": "is_offline"}),
    (IsLoggedCondition, {}, {"type": "is_logged"}),
    (IsNotLoggedCondition, {}, {"type": "is_not_logged"}),
    # Inputs
    (
        Message,
        {"text": "5 < 6", "attachments": [File(url="u")]},
        {
            "type": "message",
            "text": "5 < 6",
            "attachments": [{"type": "file", "url": "u"}],
        },
    ),
    (File, {"url": "u"}, {"type": "file", "url": "u"}),
    (Audio, {"url": "u"}, {"type": "audio", "url": "u"}),
    (Video, {"url": "u"}, {"type": "video", "url": "u"}),
    (Image, {"url": "u"}, {"type": "image", "url": "u"}),
    (CustomEvent, {"name": "n"}, {"type": "custom_event", "name": "n"}),
    (URLLoadedEvent, {"url": "u"}, {"type": "url_loaded_event", "url": "u"}),
    # The notification and the reply
    (Coordinates, {"lat": 77.4, "long": -44}, {"lat": 77.4, "long": -44}),
    (
        Interlocutor,
        {
            row.name: getattr(INTERLOCUTOR, row.name)
            for row in attributes_of(Interlocutor)
        },
        INTERLOCUTOR_JSON,
    ),
    (ConversationSession, {"values": {"a": 1}}, {"values": {"a": 1}}),
    (
        Step,
        {"id": ID, "name": "n", "user_data": "{}", "actions": [PauseBotAction()]},
        {
            "id": ID,
            "name": "n",
            "userData": "{}",
            "actions": [{"type": "pause_bot_action"}],
        },
    ),
    (
        StepReached,
        {
            "channel": "c",
            "input": CustomEvent(name="n"),
            "interlocutor": INTERLOCUTOR,
            "session": ConversationSession(values={"a": 1}),
            "step": Step(id=ID),
        },
        {
            "type": "step_reached_event",
            "channel": "c",
            "input": {"type": "custom_event", "name": "n"},
            "interlocutor": INTERLOCUTOR_JSON,
            "session": {"values": {"a": 1}},
            "step": {"id": ID, "actions": []},
        },
    ),
    (
        Notification,
        {
            "topic": "t",
            "bot_id": ID,
            "timestamp": 1.5,
            "event": StepReached(interlocutor=INTERLOCUTOR),
        },
        {
            "type": "notification_event",
            "topic": "t",
            "botID": ID,
            "timestamp": 1.5,
            "data": {
                "type": "step_reached_event",
                "interlocutor": INTERLOCUTOR_JSON,
                "session": {"values": {}},
                "step": {"actions": []},
            },
        },
    ),
    (
        StepReachedResponse,
        {
            "actions": [PauseBotAction()],
            "session": ConversationSession(values={"a": 1}),
            "interlocutor": INTERLOCUTOR,
        },
        {
            "actions": [{"type": "pause_bot_action"}],
            "session": {"values": {"a": 1}},
            "interlocutor": INTERLOCUTOR_JSON,
        },
    ),
]
ROWS = [pytest.param(*row, id=row[0].__name__) for row in TYPES]
JSON_OF = {model: document for model, _, document in TYPES}

each_type = pytest.mark.parametrize(("model", "arguments", "document"), ROWS)


def everything_public() -> Iterator[type[Model]]:
    """Yield the models of the package, except base classes and unknown ones."""
    for name in vars(models):
        model = getattr(models, name)
        if not (isinstance(model, type) and issubclass(model, Model)):
            continue
        is_base = is_family(model) and model not in members_of(model).values()
        if not is_base and not issubclass(model, Unknown):
            yield model


def test_the_table_names_every_model() -> None:
    """A new type requires a row above."""
    assert set(everything_public()) <= set(JSON_OF)


# -- constructed, dumped, loaded and compared ----------------------------------------


@each_type
def test_dump(model: type[Model], arguments: Any, document: Any) -> None:
    """A model is dumped as its JSON in all ways."""
    built = model(**arguments)

    assert dump(built) == (document, [])
    assert validate_model(built) == (document, [])


@each_type
def test_dump_does_not_need_marshmallow(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """A valid model takes the fast path."""
    assert dump_fast(model(**arguments)) == document


@each_type
def test_load(model: type[Model], arguments: Any, document: Any) -> None:
    """Its JSON loads as the model in all ways, strictly or not."""
    built = model(**arguments)

    assert load(model, document) == built
    assert schema_for(model, received=True).load(document) == built
    assert schema_for(model).load(document) == built


@each_type
def test_compare(model: type[Model], arguments: Any, document: Any) -> None:
    """Models are equal by their attributes, and copies are equal."""
    built = model(**arguments)

    assert built == model(**arguments)
    assert copy.deepcopy(built) == built
    assert dataclasses.replace(built) == built  # type: ignore[type-var]
    assert pickle.loads(pickle.dumps(built)) == built
    assert built != object()
    for name in arguments:
        assert dataclasses.replace(built, **{name: object()}) != built  # type: ignore[type-var]


@each_type
def test_repr(model: type[Model], arguments: Any, document: Any) -> None:
    """The repr is what one would type."""
    built = model(**arguments)

    names = vars(models) | {"re": re} | {m.__name__: m for m in JSON_OF}
    assert eval(repr(built), names) == built


@each_type
def test_received(model: type[Model], arguments: Any, document: Any) -> None:
    """A loaded model has its received JSON; a new one has none."""
    assert load(model, document).received is document
    assert model(**arguments).received is None
    assert model(**arguments).type == document.get("type", "")


@each_type
def test_constructor(model: type[Model], arguments: Any, document: Any) -> None:
    """A misspelt argument is a TypeError, and so is one without its name."""
    with pytest.raises(TypeError, match="imageUrl_"):
        model(**arguments | {"imageUrl_": 1})
    with pytest.raises(TypeError, match="positional"):
        model(*range(9))


# -- limits --------------------------------------------------------------------------


@dataclasses.dataclass
class Bound:
    """A limit of an attribute, at its bound or one past it."""

    model: type[Model]
    row: Attribute
    value: Any
    is_valid: bool
    #: The path of the violation.
    path: str

    def __str__(self) -> str:
        kind = "valid" if self.is_valid else "invalid"
        return f"{self.model.__name__}.{self.row.name}-{kind}-{str(self.value)[:9]}"


def limits() -> Iterator[Bound]:
    for model, document in JSON_OF.items():
        for row in attributes_of(model):
            example = document.get(row.key)
            for value, is_valid in values_near(row.shape, example):
                yield Bound(model, row, value, is_valid, row.key)
            if row.shape.item:
                item = example[0] if example else None
                for value, is_valid in values_near(row.shape.item, item):
                    yield Bound(model, row, [value], is_valid, f"{row.key}.0")


def values_near(shape: Shape, example: Any) -> Iterator[tuple[Any, bool]]:
    pattern = next((x for x in shape.limits if isinstance(x, Pattern)), None)

    def of_size(size: int) -> Any:
        if shape.kind == "list":
            return (example * size)[:size]
        return text_of_size(pattern, size)

    for limit in shape.limits:
        if isinstance(limit, Length):
            if limit.min:
                yield of_size(limit.min - 1), False
                if pattern is None or accepts(pattern, of_size(limit.min)):
                    yield of_size(limit.min), True
            if limit.max:
                yield of_size(limit.max), True
                yield of_size(limit.max + 1), False
        if isinstance(limit, Range):
            yield limit.min, True
            yield limit.max, True
            yield limit.min - 1, False
            yield limit.max + 1, False


LIMITS = list(limits())


@pytest.mark.parametrize("bound", LIMITS, ids=str)
def test_limit(bound: Bound) -> None:
    """A limit's bound is accepted; the next value is rejected, at its path."""
    document = JSON_OF[bound.model] | {bound.row.key: bound.value}
    built = schema_for(bound.model).load(JSON_OF[bound.model])
    setattr(built, bound.row.name, bound.value)

    wire, violations = dump(built)

    assert wire == document
    assert {v.path for v in violations} == (
        {bound.path} if not bound.is_valid else set()
    )
    assert validate_model(built) == (wire, violations)


def test_limits_are_found() -> None:
    """The tests above cover every limit of PROTOCOL 5."""
    assert len([bound for bound in LIMITS if not bound.is_valid]) > 100


@each_type
def test_required(model: type[Model], arguments: Any, document: Any) -> None:
    """A dict requires all required keys, and null is accepted only where allowed."""
    schema = schema_for(model)
    for row in attributes_of(model):
        absent = {key: value for key, value in document.items() if key != row.key}
        assert bool(schema.validate(absent)) == row.required
        assert bool(schema.validate(document | {row.key: None})) != row.nullable


@each_type
def test_unknown_keys_of_dicts(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """An unknown key is rejected, because the platform would drop it silently."""
    errors = schema_for(model).validate(document | {"imageUrl_": 1})

    assert list(errors) == ["imageUrl_"]
    assert errors["imageUrl_"][0].startswith("Unknown field.")


@each_type
def test_unknown_attributes(model: type[Model], arguments: Any, document: Any) -> None:
    """So is an attribute that a program sets on a model and that it does not have."""
    built: Any = model(**arguments)
    built.imageUrl_ = 1

    _, violations = dump(built)

    assert [violation.path for violation in violations] == ["imageUrl_"]


#: Values of other types for each kind (DESIGN 2: no coercion).
COERCIONS: dict[str, list[Any]] = {
    "string": [1, True, 1.5, [], {}, b"a", ["a"]],
    "regexp": [1, True, [], b"a", "(", "a{99999999999}"],
    "number": ["3", True, [], {}, float("nan"), float("inf")],
    "integer": ["3", True, 3.0, 3.5, [], {}],
    "boolean": ["true", "yes", 1, 0, "", [], {}],
    "json": ["{}", 1, [], [["a", 1]], {1: 2}, {"a": {1}}, {"a": float("nan")}],
    "strings": ["{}", 1, [], {"a": 1}, {"a": None}, {1: "a"}],
    "list": ["ab", 1, {}, {"a": 1}, {1}],
    "model": ["step", 1, [], [["type", "step"]], {}, {"type": []}, {"type": "x"}],
}


def may_be_empty(shape: Shape) -> bool:
    """Return whether an object without keys is allowed here."""
    if shape.model is None or shape.members is not None:
        return False
    return not schema_for(shape.model).validate({})


@each_type
def test_coercion(model: type[Model], arguments: Any, document: Any) -> None:
    """Values are not coerced when they are sent; errors have the attribute's path."""
    for row in attributes_of(model):
        for value in COERCIONS[row.shape.kind]:
            if value == {} and may_be_empty(row.shape):
                continue
            built = model(**arguments)
            setattr(built, row.name, value)
            for way in (dump,):
                paths = [violation.path for violation in way(built)[1]]
                assert paths, (row.name, value)
                assert {path.split(".")[0] for path in paths} == {row.key}


# -- cleaning ------------------------------------------------------------------------

S, N, W = SANITISED, NORMALISED, STRIPPED
#: PROTOCOL 5, typed off: which texts are sanitised (S), normalised (N), stripped (W).
MARKS: dict[type[Model], dict[str, set[Any]]] = {
    Interlocutor: {
        "email": {S},
        "first_name": {S, N},
        "last_name": {S, N},
        "phone_number": {S, N},
    },
    OpenURLAction: {"url": {W, S}},
    LegacyReplyToMessageAction: {"message": {S}},
    SendTextAction: {"alternatives": {S, N}, "text": {S, N}},
    SendImageAction: {"image_url": {W, S}},
    Card: {"title": {S, N}, "subtitle": {S, N}, "image_url": {W}, "url": {W}},
    Button: {"title": {S, N}},
    SimpleCard: {"title": {S, N}, "subtitle": {S, N}, "image_url": {W}},
    OpenURLButton: {"title": {S, N}},
    SendQuickRepliesAction: {"message": {S, N}},
    QuickReply: {"title": {S, N}},
    SendChoicesListAction: {"message": {S, N}, "placeholder": {S, N}},
    Section: {"title": {S, N}},
    Choice: {"title": {S, N}, "image_url": {W, S}},
    SendEmailAction: {
        "recipient": {W, S, N},
        "subject": {S, N},
        "content": {S, N},
        "from_email": {W, S},
        "from_name": {W, S, N},
        "reply_to_email": {W, S},
        "reply_to_name": {W, S, N},
    },
    SendJSEventAction: {"event": {W}},
    StoreSessionValueAction: {"value": {S, N}},
    SetUserAttributeAction: {"value": {S, N}},
    AskLocationAction: {"message": {S}},
    GoogleCustomSearchAction: {"custom_engine_id": {W}},
    CustomerSatisfactionAction: {"message": {S, N}},
    CustomerSatisfactionChoice: {"label": {S, N}},
    ZendeskUser: {"email": {W, S}, "name": {W, S, N}},
    CreateZendeskTicketAction: {
        "description": {S, N},
        "subject": {S, N},
        "assignee_id": {W},
    },
    CreateUserRequestAction: {
        "message": {W, S, N},
        "assignee_id": {W},
        "group_id": {W},
    },
    SendWebhookRequestAction: {"url": {W}},
    AssignIntercomConversationAction: {"assignee_id": {W}},
}


@each_type
def test_marks(model: type[Model], arguments: Any, document: Any) -> None:
    """Each text is cleaned as PROTOCOL 5 says, and no other."""
    found = {
        row.name: set((row.shape.item or row.shape).marks & {S, N, W})
        for row in attributes_of(model)
    }
    assert {name: marks for name, marks in found.items() if marks} == MARKS.get(
        model, {}
    )


@each_type
def test_clean_out(model: type[Model], arguments: Any, document: Any) -> None:
    """A text that is marked leaves clean, from a model and from a dict; others do not
    change, and none does when it comes in."""
    dirty = " ＜u> ½ "
    for row in attributes_of(model):
        shape = row.shape.item or row.shape
        if shape.kind != "string":
            continue
        value = [dirty] if row.shape.item else dirty
        built = schema_for(model).load(document)
        setattr(built, row.name, value)
        marks = MARKS.get(model, {}).get(row.name, set())
        clean = {
            frozenset(): dirty,
            frozenset({S}): dirty,
            frozenset({W}): "＜u> ½",
            frozenset({W, S}): "＜u> ½",
            frozenset({S, N}): " &lt;u&gt; 1⁄2 ",
            frozenset({W, S, N}): "&lt;u&gt; 1⁄2",
        }[frozenset(marks)]

        for way in (dump,):
            wire, _ = way(built)
            assert wire[row.key] == ([clean] if row.shape.item else clean), row.name
        assert getattr(load(model, document | {row.key: value}), row.name) == value


# -- tolerant in ---------------------------------------------------------------------


def arrived(*actions: Any, **data: Any) -> Notification:
    """Return the notification of a step that has these actions."""
    document = {"topic": "t", "data": {"step": {"actions": actions}} | data}
    return load_notification(json.dumps(document).encode())


def sent(notification: Notification, answer: Any) -> Any:
    """Return the reply when a handler returns *answer*."""
    answered = answer_of(answer, "bot")
    answers = [] if answered is None else [answered]
    return json.loads(dumps(merge(answers, notification), answers))


@pytest.mark.parametrize(
    "action",
    [
        pytest.param({"type": "send_hologram_action", "x": [1]}, id="unknown type"),
        pytest.param({"type": "send_cards_action"}, id="required key missing"),
        pytest.param({"type": "wait_action", "duration": "2"}, id="wrong kind"),
        pytest.param({"type": "send_text_action", "alternatives": [5]}, id="deeper"),
        pytest.param({"type": ["wait_action"]}, id="type not a string"),
        pytest.param({}, id="no type"),
        pytest.param(None, id="null"),
        pytest.param("pause_bot_action", id="no object"),
    ],
)
def test_unknown_actions(action: Any) -> None:
    """Unknown objects are kept raw, between known ones, and sent back."""
    pause = {"type": "pause_bot_action"}
    notification = arrived(pause, action, pause)

    unknown = notification.step.actions[1]

    assert notification.step.actions == [
        PauseBotAction(),
        UnknownAction(data=action),
        PauseBotAction(),
    ]
    assert unknown.received == action
    assert isinstance(unknown.type, str)
    assert sent(notification, notification.step.actions)["actions"][1] == action


def test_unknown_parts() -> None:
    """So are inputs, attachments and the actions of buttons."""
    button = {"type": "button", "title": "t", "action": {"type": "new", "x": 1}}
    cards = {"type": "send_cards_action", "cards": [{"type": "card", "title": "t"}]}
    cards["cards"][0]["buttons"] = [button]  # type: ignore[index]
    message = {"type": "message", "text": "", "attachments": [{"type": "hologram"}, 5]}

    notification = arrived(cards, input=message)
    action: Any = notification.step.actions[0]
    words: Any = notification.input

    assert action.cards[0].buttons[0].action == UnknownAction(data=button["action"])
    assert words.attachments == [
        UnknownAttachment(data={"type": "hologram"}),
        UnknownAttachment(data=5),
    ]
    assert words.attachments[0].type == "hologram"
    assert arrived(input={"type": "new"}).input == UnknownInput(data={"type": "new"})


def test_limits_do_not_matter_when_it_comes_in() -> None:
    """A received action over every limit is typed, and sent back unchanged."""
    action = {
        "type": "send_quick_replies_action",
        "message": "m" * 5000,
        "buttons": [{"title": "t" * 999, "action": {"type": "share_action"}}] * 99,
    }
    notification = arrived(action)

    typed: Any = notification.step.actions[0]

    assert isinstance(typed, SendQuickRepliesAction)
    assert typed.buttons[98].title == "t" * 999
    assert sent(notification, typed)["actions"] == [action]


@pytest.mark.parametrize(
    ("data", "names", "value"),
    [
        ({"interlocutor": None}, "interlocutor", Interlocutor()),
        ({"interlocutor": "Jane"}, "interlocutor", Interlocutor()),
        ({"interlocutor": {"firstName": 5}}, "interlocutor.first_name", 5),
        ({"interlocutor": {"location": []}}, "interlocutor.location", []),
        (
            {"interlocutor": {"customAttributes": 5}},
            "interlocutor.custom_attributes",
            {},
        ),
        (
            {"interlocutor": {"customAttributes": {"age": 25}}},
            "interlocutor.custom_attributes",
            {"age": 25},
        ),
        ({"session": None}, "session", ConversationSession()),
        ({"session": {"values": 5}}, "session.values", {}),
        ({"session": []}, "session.values", {}),
        ({"step": None}, "step", Step()),
        ({"step": {"actions": {}}}, "step.actions", []),
        ({"step": {"userData": {"a": 1}}}, "step.user_data", {"a": 1}),
        ({"channel": 5}, "channel", 5),
        ({"input": "hi"}, "input", UnknownInput(data="hi")),
        ({"input": None}, "input", None),
    ],
)
def test_odd_envelopes(data: Any, names: str, value: Any) -> None:
    """Nothing in an envelope fails a request: a scalar stays raw, a default stands
    where an object or a list should be."""
    found: Any = arrived(**data)
    for name in names.split("."):
        found = getattr(found, name)
    assert found == value


def test_texts_come_in_as_they_were_typed() -> None:
    """Only sent values are cleaned (PROTOCOL 3)."""
    text = " 5 < 6 ½ <script> "
    notification = arrived(input={"type": "message", "text": text})
    assert notification.text == text


# -- lossless ------------------------------------------------------------------------

ACTIONS = [row for row in TYPES if issubclass(row[0], models.Action)]
each_action = pytest.mark.parametrize(
    ("model", "arguments", "document"),
    [pytest.param(*row, id=row[0].__name__) for row in ACTIONS],
)


def with_unknown_keys(value: Any) -> Any:
    """Return a document that has a key that we do not know in each of its objects."""
    if isinstance(value, list):
        return [with_unknown_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: with_unknown_keys(value[key]) for key in value} | {
        "new": [{"a": None}]
    }


def touch(value: Any) -> None:
    """Look at everything there is."""
    if isinstance(value, list):
        for item in value:
            touch(item)
    if isinstance(value, Model):
        for row in attributes_of(type(value)):
            touch(getattr(value, row.name))


@each_action
def test_untouched(model: type[Model], arguments: Any, document: Any) -> None:
    """Reading does not change anything: all keys are sent back."""
    came = with_unknown_keys(document)
    notification = arrived(came)
    touch(notification)

    assert isinstance(notification.step.actions[0], model)
    assert sent(notification, None)["actions"] == [came]
    assert sent(notification, notification.step.actions)["actions"] == [came]
    assert sent(notification, {"actions": [came]})["actions"] == [came]
    assert json.dumps(came) == json.dumps(sent(notification, None)["actions"][0])


@each_action
def test_one_attribute_changed(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """Only changed attributes change; None is sent as for new objects."""
    for row in attributes_of(model):
        if not row.nullable:
            continue
        came = with_unknown_keys(document)
        notification = arrived(came)
        action = notification.step.actions[0]
        setattr(action, row.name, None)

        (left,) = sent(notification, action)["actions"]

        del came[row.key]
        if row.none == "null":
            came[row.key] = None
        assert left == came


def test_a_nested_attribute_changed() -> None:
    """At any depth, also in lists; only changed values are cleaned and validated."""
    came: Any = {
        "type": "send_cards_action",
        "new": 1,
        "cards": [
            {"type": "card", "title": "t" * 999, "new": 2, "imageURL": None},
            {"type": "card", "title": "<u>", "new": 3, "subtitle": "s"},
        ],
    }
    notification = arrived(came)
    action: Any = notification.step.actions[0]

    action.cards[1].subtitle = "＜u>"

    came["cards"][1]["subtitle"] = "&lt;u&gt;"
    assert sent(notification, action)["actions"] == [came]


def test_lists_are_filtered_reordered_and_extended() -> None:
    """A handler can use the step's actions like any list."""
    came = [with_unknown_keys(document) for _, _, document in ACTIONS]
    notification = arrived(*came, {"type": "new", "x": None})
    actions = notification.step.actions
    built = SendTextAction("Hello")

    mine = [action for action in reversed(actions) if action.type != "wait_action"]
    left = sent(notification, [built, *mine, actions[0]])["actions"]

    wanted = [*came, {"type": "new", "x": None}][::-1]
    assert left == [
        {"type": "send_text_action", "alternatives": ["Hello"], "text": "Hello"},
        *(action for action in wanted if action["type"] != "wait_action"),
        came[0],
    ]


def test_the_list_itself_is_changed_and_returned() -> None:
    """Also in place."""
    pause, hologram = {"type": "pause_bot_action", "new": 1}, {"type": "hologram"}
    notification = arrived(pause, hologram)

    notification.step.actions.insert(1, WaitAction())
    notification.step.actions.append(WaitAction(duration=1))
    del notification.step.actions[0]

    assert sent(notification, notification.step.actions)["actions"] == [
        {"type": "wait_action", "duration": 2},
        hologram,
        {"type": "wait_action", "duration": 1},
    ]


def test_items_of_a_received_list_are_filtered_and_extended() -> None:
    """So with the lists inside of an action."""
    buttons = [
        {"title": f"{number}" * 99, "action": with_unknown_keys(GO_JSON), "new": number}
        for number in range(3)
    ]
    came = {"type": "send_quick_replies_action", "message": "m", "buttons": buttons}
    notification = arrived(came | {"new": 1})
    action: Any = notification.step.actions[0]

    action.buttons = [action.buttons[2], QuickReply(title="x", action=GO)]
    action.buttons.append(notification.step.actions[0].buttons[0])  # type: ignore[attr-defined]

    (left,) = sent(notification, action)["actions"]
    assert left == {
        "type": "send_quick_replies_action",
        "message": "m",
        "new": 1,
        "buttons": [
            buttons[2],
            {"type": "quick_reply", "title": "x", "action": GO_JSON},
            buttons[2],
        ],
    }


def test_received_parts_are_moved_into_new_actions() -> None:
    """Received objects in new ones are sent unchanged, even over the limits."""
    card = with_unknown_keys(JSON_OF[Card]) | {"title": "t" * 999}
    jump = with_unknown_keys(JSON_OF[JumpToAction])
    notification = arrived({"type": "send_cards_action", "cards": [card]}, jump)
    cards, jumps = notification.step.actions
    assert isinstance(cards, SendCardsAction) and isinstance(jumps, JumpToAction)
    assert cards.cards[0].buttons is not None
    assert jumps.default_target is not None

    new = SendCardsAction(cards=[Card(title="new"), cards.cards[0]])
    click = GoToAction(target=jumps.default_target)
    replies = SendQuickRepliesAction(
        message="m",
        buttons=[
            QuickReply(title="a", action=cards.cards[0].buttons[0].action),
            QuickReply(title="b", action=click),
        ],
    )
    left = sent(notification, [new, replies])["actions"]

    assert left[0]["cards"][1] == card
    assert left[1]["buttons"][0]["action"] == card["buttons"][0]["action"]
    assert left[1]["buttons"][1]["action"]["target"] == jump["defaultTarget"]


def test_an_intent_may_be_given_by_its_id() -> None:
    """As an argument and as an attribute, in addition to the intent."""
    choice = CustomerSatisfactionChoice(
        kind="neutral", label="l", matching_intent_id=ID
    )
    assert choice.matching_intent == Intent(id=ID)
    assert choice.matching_intent_id == ID
    choice.matching_intent_id = None
    assert dump(choice)[0]["matchingIntent"] is None
    choice.matching_intent = Intent(id=ID, name="Yes")
    assert dump(choice)[0]["matchingIntent"]["name"] == "Yes"

    condition = MatchIntentCondition(intent=Intent(id=ID, name="Yes"))
    wire = {"type": "intent", "id": ID, "name": "Yes"}
    assert dump(condition) == ({"type": "match_intent", "intent": wire}, [])
    _, [violation] = dump(MatchIntentCondition())
    assert violation.path == "intent"


def test_an_intent_that_arrived_is_sent_back_whole() -> None:
    """Its name and its unknown keys are kept while its id is not changed."""
    intent = {"type": "intent", "id": ID, "name": "n", "new": 1}
    condition = {"type": "match_intent", "intent": intent}
    predicate = CONNECTION_JSON["predicates"][0] | {"condition": condition}
    connection = CONNECTION_JSON | {"predicates": [predicate]}
    notification = arrived(
        {"type": "jump_to_action", "defaultTarget": None, "connections": [connection]}
    )
    jump: Any = notification.step.actions[0]
    received = jump.connections[0].predicates[0].condition

    assert received.intent_id == ID
    jump.default_target = STEP
    (left,) = sent(notification, jump)["actions"]
    assert left["connections"] == [connection]

    built = MatchIntentCondition(intent=received.intent)
    assert dump(built) == (condition, [])
    received.intent_id = "b" * 24
    (left,) = sent(notification, jump)["actions"]
    assert left["connections"][0]["predicates"][0]["condition"]["intent"] == {
        "type": "intent",
        "id": "b" * 24,
        "name": "",
    }


@pytest.mark.parametrize("key", ["new", "a.b", ".", "", "0", "type.x"])
def test_unknown_keys_survive_a_change(key: str) -> None:
    """Whatever they are called."""
    came = {"type": "send_text_action", "alternatives": ["a"], key: 1}
    notification = arrived(came)
    action: Any = notification.step.actions[0]
    action.alternatives = ["b"]
    assert sent(notification, action)["actions"] == [came | {"alternatives": ["b"]}]


@each_action
def test_a_misspelt_attribute_of_what_came(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """An unknown attribute that a handler sets is rejected, and not dropped."""
    notification = arrived(document)
    action: Any = notification.step.actions[0]
    action.imageUrl_ = 1
    with pytest.raises(InvalidReply) as caught:
        sent(notification, action)
    paths = [violation.path for violation in caught.value.violations]
    assert paths == ["actions.0.imageUrl_"]


def test_a_change_of_kind_is_a_change() -> None:
    """True is not 1 on the wire, nor is 1.0."""
    notification = arrived(session={"values": {"n": 1, "deep": [0]}, "new": 1})

    notification.session["n"] = True
    notification.session["deep"] = [False]

    session = sent(notification, "hi")["session"]
    assert json.dumps(session, sort_keys=True) == json.dumps(
        {"new": 1, "values": {"deep": [False], "n": True}}, sort_keys=True
    )


def test_an_odd_interlocutor_changed() -> None:
    """Required values are completed; received values are kept."""
    came = {"id": 5, "userID": "2", "location": {"lat": 1}, "email": 7, "new": 1}
    notification = arrived(interlocutor=came)
    notification.interlocutor.first_name = "Zoe"

    left = sent(notification, "hi")["interlocutor"]

    assert left == came | {
        "firstName": "Zoe",
        "lastName": None,
        "phoneNumber": None,
        "customAttributes": {},
    }


# -- conveniences --------------------------------------------------------------------


def test_a_text_action_from_one_text() -> None:
    """One text is the only alternative, and the text."""
    assert SendTextAction("Hello") == SendTextAction(
        alternatives=["Hello"], text="Hello"
    )
    assert SendTextAction(alternatives=["a"]).text is None


def test_a_card_without_a_picture_or_a_link() -> None:
    """Empty strings are sent, because the webchat requires them (PROTOCOL 4)."""
    for way in (dump,):
        assert way(Card(title="t")) == (
            {"type": "card", "title": "t", "imageURL": "", "url": ""},
            [],
        )
        assert way(SimpleCard(title="t")) == (
            {"type": "simple_card", "title": "t", "imageURL": ""},
            [],
        )


def test_a_jump_without_connections() -> None:
    """A jump may have only its default target."""
    assert dump(JumpToAction(default_target=STEP)) == (
        {"type": "jump_to_action", "defaultTarget": STEP_JSON, "connections": []},
        [],
    )


def test_going_to_a_step_or_a_story() -> None:
    """There are shortcuts for the most common buttons."""
    assert GoToAction.step(ID) == GO
    assert GoToAction.story(ID, session_values={"a": 1}) == GoToAction(
        target=StoryTarget(story_id=ID), session_values={"a": 1}
    )


def test_a_wait_with_its_default() -> None:
    """Two seconds, as on the platform."""
    assert dump(WaitAction()) == ({"type": "wait_action", "duration": 2}, [])


def test_the_session_is_used_as_a_dict() -> None:
    """It has the methods of a dict; ``values`` is a dict, as in clustaar.webhook."""
    session = ConversationSession(values={"a": 1})

    session["b"] = 2
    session.update({"c": 3}, d=4)
    assert (session["b"], session.get("x"), session.get("x", 5)) == (2, None, 5)
    assert session.pop("d") == 4 and session.pop("d", None) is None
    assert session.setdefault("e", 6) == session.setdefault("e", 7) == 6
    del session["e"]

    assert list(session) == ["a", "b", "c"] and len(session) == 3
    assert "a" in session and "z" not in session
    assert session.values == {"a": 1, "b": 2, "c": 3}
    assert session and not ConversationSession()


def test_shortcuts_of_the_notification() -> None:
    """Common values are attributes, also where ``clustaar.webhook`` has them."""
    notification = arrived(channel="c", input={"type": "message", "text": "hi"})

    assert notification.match is None
    assert notification.channel == notification.event.channel == "c"
    assert notification.step is notification.event.step
    assert notification.session is notification.event.session
    assert notification.interlocutor is notification.event.interlocutor
    assert notification.input is notification.event.input
    assert notification.text == "hi"


@pytest.mark.parametrize(
    ("came", "text"),
    [
        ({"type": "message", "text": "a < b"}, "a < b"),
        ({"type": "legacy_reply_to_message_action", "message": "m"}, "m"),
        ({"type": "custom_event", "name": "n"}, ""),
        (None, ""),
        ({"type": "message", "text": None}, ""),
    ],
)
def test_the_text_of_a_notification(came: Any, text: str) -> None:
    """The user's message, or the text of a reply button; otherwise empty."""
    assert arrived(input=came).text == text


@pytest.mark.parametrize(
    ("regexp", "pattern"),
    [
        ("(?i)yes", "(?i)yes"),
        (re.compile("(?i)yes"), "(?i)yes"),
        (re.compile("a"), "a"),
    ],
)
def test_a_regular_expression_leaves_as_its_pattern(regexp: Any, pattern: str) -> None:
    """Compiled or not, on both ways."""
    condition = MatchRegexpCondition(regexp=regexp)
    wire = {"type": "match_regexp", "pattern": pattern}
    assert dump(condition) == validate_model(condition) == (wire, [])


@pytest.mark.parametrize(
    ("regexp", "sentence"),
    [
        (re.compile("yes", re.I), "Flags cannot be sent."),
        (re.compile(b"yes"), "Not a valid string."),
        ("[", "Not a valid regular expression."),
        (5, "Not a valid string."),
    ],
)
def test_a_regular_expression_that_cannot_leave(regexp: Any, sentence: str) -> None:
    """The platform would match something else, or nothing."""
    _, [violation] = dump(MatchRegexpCondition(regexp=regexp))
    assert violation.path == "pattern"
    assert violation.message.startswith(sentence)


def test_an_attribute_name_in_a_dict_is_an_error_with_its_key() -> None:
    """In a dict the platform's spelling counts."""
    card = {"type": "card", "title": "Red", "image_url": "https://example.com/a.png"}
    _, [violation] = dump(SendCardsAction(cards=[card]))  # type: ignore[list-item]
    assert violation.message == "Unknown field. Did you mean 'imageURL'?"


# -- what arrived is kept ------------------------------------------------------------


@each_action
def test_replace_keeps_what_arrived(
    model: type[Model], arguments: Any, document: Any
) -> None:
    """'dataclasses.replace' keeps unknown keys and unchanged values."""
    notification = arrived(document | {"new": {"a": [1.0]}})
    (action,) = notification.step.actions
    copied: Any = dataclasses.replace(action)
    assert (copied, copied.received) == (action, action.received)
    assert sent(notification, copied)["actions"] == [document | {"new": {"a": [1.0]}}]


def test_replace_changes_only_what_it_is_given() -> None:
    """At any depth: the rest is sent back unchanged."""
    came = {"type": "wait_action", "duration": 99, "new": 1}
    notification = arrived(came)
    action: Any = notification.step.actions[0]
    changed = dataclasses.replace(action, duration=3)
    assert sent(notification, changed)["actions"] == [came | {"duration": 3}]
    interlocutor = dataclasses.replace(notification.interlocutor, email="a@e.co")
    assert interlocutor.received == notification.interlocutor.received
    reply: Any = schema_for(StepReachedResponse, received=True).load(
        {"actions": [], "new": 1}
    )
    assert dataclasses.replace(reply).received == {"actions": [], "new": 1}


def test_a_button_in_a_simple_card_opens_its_url() -> None:
    """``clustaar.webhook`` has one 'Button' for both kinds of cards (PROTOCOL 5)."""
    button = Button(title="Open", action=OpenURLAction(url="https://e.co"))
    card = SimpleCard(title="T", buttons=[button])
    wire, violations = dump(SendSimpleCardsAction(cards=[card]))
    assert violations == []
    assert wire["cards"][0]["buttons"][0]["type"] == "open_url_button"
    card.buttons = [Button(title="Go", action=GO)]
    assert dump(card)[1]


def test_a_text_action_always_has_a_text() -> None:
    """The webchat reads nothing else (PROTOCOL 4)."""
    wire, violations = dump(SendTextAction(alternatives=["a", "b"]))
    assert (wire["text"], violations) == ("a", [])
    as_dict = {"type": "send_text_action", "alternatives": ["c"]}
    reply = StepReachedResponse()
    reply.actions = [as_dict]  # type: ignore[list-item]
    assert dump(reply)[0]["actions"] == [as_dict | {"text": "c"}]
    _, found = dump(SendTextAction(alternatives=["x" * 1001]))
    assert [violation.path for violation in found] == ["alternatives.0"]


@pytest.mark.parametrize(
    "url",
    [
        "", "https://e.co", "whatsapp://send?text=a", "mailto:a@e.co", "tel:+331",
        "sms:+33100000000", "MAILTO:a@e.co", "{{@session.URL}}", "{{@user.Link}}/a?b",
        "https://bücher.example", "https://[::1]:80/a",
    ],
)  # fmt: skip
def test_urls_that_a_card_can_open(url: str) -> None:
    """PROTOCOL 5."""
    assert dump(Card(title="t", url=url))[1] == []


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)",
        "&#106;avascript:alert(1)", "data:text/html,x", "javascript://e.co/%0aalert(1)",
        "java\nscript://e.co", "vbscript:x", "mailto:", "tel:", "/relative", "e.co",
        "{{@session.X}}javascript:alert(1)", "{{a}}java{{b}}script:alert(1)",
        "{{a}} DATA:text/html,x", "{{a}}\x01j\ta\nvascript:alert(1)",
    ],
)  # fmt: skip
def test_urls_that_no_card_can_open(url: str) -> None:
    """Script URLs are rejected in every spelling that browsers accept."""
    assert [found.path for found in dump(Card(title="t", url=url))[1]] == ["url"]
    action = OpenURLAction(url=url)
    assert dump(action)[1] or not url.lower().startswith(("javascript", "data"))


def test_the_interlocutor_that_is_sent_keeps_the_limits() -> None:
    """PROTOCOL 4: names and numbers, and the names of custom attributes."""
    someone = Interlocutor(first_name="x" * 2001, custom_attributes={"a b": "c"})
    someone.id = someone.remote_id = "1"
    paths = {violation.path for violation in dump(someone)[1]}
    assert paths == {"firstName", "customAttributes.a b"}
    someone.first_name = "x"
    assert [found.path for found in dump(someone)[1]] == ["customAttributes.a b"]


def test_a_custom_attribute_that_a_handler_adds_keeps_the_limits() -> None:
    """Other received values are not checked."""
    someone = INTERLOCUTOR_JSON | {"customAttributes": {"x y": "arrived"}}
    notification = arrived({"type": "pause_bot_action"}, interlocutor=someone)
    notification.interlocutor.custom_attributes["a"] = "b"
    assert dump(notification.interlocutor)[1] == []
    notification.interlocutor.custom_attributes["a b"] = "c"
    paths = [found.path for found in dump(notification.interlocutor)[1]]
    assert paths == ["customAttributes.a b"]


@pytest.mark.parametrize("line_break", ["\n", "\r"])
def test_no_line_break_in_an_address(line_break: str) -> None:
    """It could add headers to the e-mail (PROTOCOL 5)."""
    action = SendEmailAction(
        recipient="a@e.co", subject="s", content="c", from_email=f"a{line_break}b@e.co"
    )
    assert [violation.path for violation in dump(action)[1]] == ["fromEmail"]


@pytest.mark.parametrize(
    "attachment",
    [{"type": "sticker", "url": "https://x/s"}, {"url": "https://x/s"}],
)
def test_every_attachment_has_a_url(attachment: Any) -> None:
    """Also of unknown type."""
    message = load(Message, {"type": "message", "attachments": [attachment]})
    assert [each.url for each in message.attachments] == ["https://x/s"]
    odd = load(Message, {"type": "message", "attachments": [{"url": 5}, None]})
    assert [each.url for each in odd.attachments] == ["", ""]


class Lazy:
    """A lazy string, like those of flask_babel."""

    def __str__(self) -> str:
        return "Bonjour"

    def __getattr__(self, name: str) -> Any:
        return getattr(str(self), name)


def test_lazy_strings_are_strings() -> None:
    """Wherever a string is taken."""
    lazy: Any = Lazy()
    wire, violations = dump(Card(title=lazy, subtitle=lazy))
    assert (wire["title"], wire["subtitle"], violations) == ("Bonjour", "Bonjour", [])
    wire, violations = dump(SendTextAction(alternatives=[lazy]))
    assert (wire["alternatives"], violations) == (["Bonjour"], [])


# -- the session ---------------------------------------------------------------------


def test_the_session_behaves_as_a_dict() -> None:
    """Except 'values', which is the dict itself."""
    session = ConversationSession(values={"a": 1, "b": 2})
    assert session == {"a": 1, "b": 2} and session != {"a": 1}
    assert session == ConversationSession(values={"a": 1, "b": 2})
    assert (session | {"c": 3}, {"a": 0, "d": 4} | session) == (
        {"a": 1, "b": 2, "c": 3},
        {"a": 1, "d": 4, "b": 2},
    )
    assert session | ConversationSession(values={"b": 3}) == {"a": 1, "b": 3}
    session |= [("c", 3)]
    assert list(reversed(session)) == ["c", "b", "a"]
    assert session.popitem() == ("c", 3)
    assert (session.pop("a"), session.pop("a", None)) == (1, None)
    with pytest.raises(KeyError):
        session.pop("a")
    assert session.copy() == {"b": 2} and session.copy() is not session.values
    session.clear()
    assert session.values == {}
    with pytest.raises(KeyError):
        session.popitem()
    number: Any = 1
    for left, right in ((session, number), (number, session)):
        with pytest.raises(TypeError, match="unsupported operand"):
            left | right


def test_clicked_is_what_this_click_brought() -> None:
    """Not the values of earlier clicks, which the session keeps."""
    click = GO_JSON | {"sessionValues": {"kind": "hats"}}
    session = {"values": {"kind": "shoes"}}
    for received, clicked in (
        (click, {"kind": "hats"}),
        (GO_JSON, {}),
        ({"type": "message", "text": "hats"}, {}),
        (None, {}),
    ):
        document = {"topic": "t", "data": {"input": received, "session": session}}
        assert load(Notification, document).clicked == clicked


def test_short_forms() -> None:
    """The most common actions have short forms."""
    assert JumpToAction.step(ID) == JumpToAction(default_target=STEP)
    assert JumpToAction.story(ID).default_target == StoryTarget(story_id=ID)
    share = ShareAction()
    assert SendQuickRepliesAction.ask("Which?", {"Red": ID, "Share": share}) == (
        SendQuickRepliesAction(
            message="Which?",
            buttons=[
                QuickReply(title="Red", action=GO),
                QuickReply(title="Share", action=share),
            ],
        )
    )
