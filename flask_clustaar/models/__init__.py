"""The objects of notifications and replies, one class for each type."""

from .actions import Action as Action
from .actions import AITaskBehavior as AITaskBehavior
from .actions import AITaskEngine as AITaskEngine
from .actions import AskDocumentAction as AskDocumentAction
from .actions import AskedDocument as AskedDocument
from .actions import AskLocationAction as AskLocationAction
from .actions import (
    AssignIntercomConversationAction as AssignIntercomConversationAction,
)
from .actions import Card as Card
from .actions import Choice as Choice
from .actions import CloseIAdvizeConversationAction as CloseIAdvizeConversationAction
from .actions import CloseIntercomConversationAction as CloseIntercomConversationAction
from .actions import CreateUserRequestAction as CreateUserRequestAction
from .actions import CreateZendeskTicketAction as CreateZendeskTicketAction
from .actions import CustomerSatisfactionAction as CustomerSatisfactionAction
from .actions import CustomerSatisfactionChoice as CustomerSatisfactionChoice
from .actions import FileType as FileType
from .actions import GoogleCustomSearchAction as GoogleCustomSearchAction
from .actions import IAdvizeDistributionRule as IAdvizeDistributionRule
from .actions import JumpToAction as JumpToAction
from .actions import PauseBotAction as PauseBotAction
from .actions import Section as Section
from .actions import SendAITaskAction as SendAITaskAction
from .actions import SendCardsAction as SendCardsAction
from .actions import SendChoicesListAction as SendChoicesListAction
from .actions import SendEmailAction as SendEmailAction
from .actions import SendImageAction as SendImageAction
from .actions import SendJSEventAction as SendJSEventAction
from .actions import SendQuickRepliesAction as SendQuickRepliesAction
from .actions import SendSimpleCardsAction as SendSimpleCardsAction
from .actions import SendTextAction as SendTextAction
from .actions import SendWebhookRequestAction as SendWebhookRequestAction
from .actions import SetUserAttributeAction as SetUserAttributeAction
from .actions import SimpleCard as SimpleCard
from .actions import StoreSessionValueAction as StoreSessionValueAction
from .actions import (
    TransferIAdvizeConversationAction as TransferIAdvizeConversationAction,
)
from .actions import UnknownAction as UnknownAction
from .actions import WaitAction as WaitAction
from .actions import WebhookRequestField as WebhookRequestField
from .actions import ZendeskUser as ZendeskUser
from .buttons import Button as Button
from .buttons import ButtonAction as ButtonAction
from .buttons import (
    CustomerSatisfactionCallbackAction as CustomerSatisfactionCallbackAction,
)
from .buttons import DocumentAttachment as DocumentAttachment
from .buttons import GoToAction as GoToAction
from .buttons import LegacyReplyToMessageAction as LegacyReplyToMessageAction
from .buttons import OpenURLAction as OpenURLAction
from .buttons import OpenURLButton as OpenURLButton
from .buttons import QuickReply as QuickReply
from .buttons import SatisfactionKind as SatisfactionKind
from .buttons import ShareAction as ShareAction
from .conditions import AttachmentValueGetter as AttachmentValueGetter
from .conditions import Condition as Condition
from .conditions import ConnectionPredicate as ConnectionPredicate
from .conditions import ConnectionTeamPredicate as ConnectionTeamPredicate
from .conditions import ConnectionUserPredicate as ConnectionUserPredicate
from .conditions import ContainCondition as ContainCondition
from .conditions import EqualsCondition as EqualsCondition
from .conditions import FlowConnection as FlowConnection
from .conditions import Intent as Intent
from .conditions import IsGreaterThanCondition as IsGreaterThanCondition
from .conditions import IsGreaterThanOrEqualCondition as IsGreaterThanOrEqualCondition
from .conditions import IsLessThanCondition as IsLessThanCondition
from .conditions import IsLessThanOrEqualCondition as IsLessThanOrEqualCondition
from .conditions import IsLoggedCondition as IsLoggedCondition
from .conditions import IsNotLoggedCondition as IsNotLoggedCondition
from .conditions import IsNotSetCondition as IsNotSetCondition
from .conditions import IsNumberCondition as IsNumberCondition
from .conditions import IsOfflineCondition as IsOfflineCondition
from .conditions import IsOnlineCondition as IsOnlineCondition
from .conditions import IsSetCondition as IsSetCondition
from .conditions import MatchIntentCondition as MatchIntentCondition
from .conditions import MatchRegexpCondition as MatchRegexpCondition
from .conditions import MessageGetter as MessageGetter
from .conditions import Predicate as Predicate
from .conditions import SessionValueGetter as SessionValueGetter
from .conditions import TeamCondition as TeamCondition
from .conditions import UserAttributeGetter as UserAttributeGetter
from .conditions import UserCondition as UserCondition
from .conditions import ValueGetter as ValueGetter
from .inputs import Attachment as Attachment
from .inputs import Audio as Audio
from .inputs import CustomEvent as CustomEvent
from .inputs import File as File
from .inputs import Image as Image
from .inputs import Input as Input
from .inputs import Message as Message
from .inputs import UnknownAttachment as UnknownAttachment
from .inputs import UnknownInput as UnknownInput
from .inputs import URLLoadedEvent as URLLoadedEvent
from .inputs import Video as Video
from .notification import ConversationSession as ConversationSession
from .notification import Coordinates as Coordinates
from .notification import Interlocutor as Interlocutor
from .notification import Notification as Notification
from .notification import Step as Step
from .notification import StepReached as StepReached
from .notification import WebhookRequest as WebhookRequest
from .reply import StepReachedResponse as StepReachedResponse
from .targets import StepTarget as StepTarget
from .targets import StoryTarget as StoryTarget
from .targets import Target as Target
