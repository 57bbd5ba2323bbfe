"""The example of ``clustaar.webhook``: it clears the session except for a name."""

# mypy: allow-untyped-defs

from flask_clustaar.compat import Webhook, events
from flask_clustaar.models import ConversationSession, StepReachedResponse


def remember(request, response, notification):
    print(notification.topic)
    session = ConversationSession(values={"name": "John"})
    return StepReachedResponse(actions=[], session=session)


app = Webhook()
app.on(events.CONVERSATION_STEP_REACHED, remember)
