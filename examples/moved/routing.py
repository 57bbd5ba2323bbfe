"""All ways to choose a handler in ``clustaar.webhook``, and three additional ones.

The first matching handler answers.
"""

# mypy: allow-untyped-defs, allow-untyped-calls

from flask_clustaar.compat import Webhook, events
from flask_clustaar.filters import (
    JSONKeyEquals,
    JSONKeyExists,
    JSONKeyIn,
    StepID,
    UserDataContains,
    UserDataEquals,
    UserDataHas,
)
from flask_clustaar.models import SendTextAction, StepReachedResponse


def say(text):
    def handler(request, response, notification):
        response.set_header("X-Handler", text)
        return StepReachedResponse(actions=[SendTextAction(alternatives=[text])])

    return handler


def is_trial(request):
    return "X-Trial" in request.headers


app = Webhook()
event = events.CONVERSATION_STEP_REACHED

# A function of the request, and several filters that must all match.
app.on(event, say("trial"), filters=[is_trial, JSONKeyExists("data.input.text")])

app.on(event, say("welcome"), filter=StepID("507f191e810c19729de860ea"))
app.on(
    event,
    say("order"),
    filter=StepID(["507f191e810c19729de860eb", "507f191e810c19729de860ec"]),
)

# The text that the bot designer entered in the step.
app.on(event, say("subscribe"), filter=UserDataEquals("action", "subscribe"))
app.on(event, say("act"), filter=UserDataHas("action"))
app.on(event, say("news"), filter=UserDataContains("newsletter"))

app.on(event, say("facebook"), filter=JSONKeyEquals("data.channel", "facebook"))
app.on(event, say("chat"), filter=JSONKeyIn("data.channel", ["intercom", "twilio"]))
