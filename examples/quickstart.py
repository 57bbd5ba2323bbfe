"""The smallest bot: ``flask --app quickstart run``."""

from flask import Flask

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import StepID

app = Flask(__name__)
app.config.from_prefixed_env()  # reads FLASK_CLUSTAAR_PRIVATE_KEY
webhook = ClustaarWebhook(app)


@webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID("507f191e810c19729de860ea"))
def greet(notification):
    return f"Hello {notification.interlocutor.first_name}"


@webhook.fallback
def leave_as_it_is(notification):
    """Execute the actions that all other steps have in the platform."""
    return notification.step.actions
