"""Build webhooks for the Clustaar chatbot platform with Flask."""

from __future__ import annotations

from . import events as events
from .errors import ClustaarError as ClustaarError
from .errors import ConfigurationError as ConfigurationError
from .errors import InsecureWebhookWarning as InsecureWebhookWarning
from .errors import InvalidReply as InvalidReply
from .extension import ClustaarWebhook as ClustaarWebhook
from .models import Notification as Notification
from .models import StepReachedResponse as StepReachedResponse
from .routing import HandlerGroup as HandlerGroup
