"""A webhook that requires credentials and a signature."""

# mypy: allow-untyped-defs

import os

from flask_clustaar.compat import Webhook, events
from flask_clustaar.models import StepReachedResponse


def echo(request, response, notification):
    return StepReachedResponse(actions=notification.event.step.actions)


app = Webhook(
    auth_username=os.environ["CLUSTAAR_AUTH_USERNAME"],
    auth_password=os.environ["CLUSTAAR_AUTH_PASSWORD"],
    private_key=os.environ["CLUSTAAR_PRIVATE_KEY"],
)
app.on(events.CONVERSATION_STEP_REACHED, echo)
