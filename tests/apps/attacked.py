"""A bot that tests attack: it records what it runs, and touches all that it gets.

``ATTACKED_RUNS`` names the file it appends a line to for each run of a handler, with
the name of the webhook, of the delivery, of the process, and when it began. While
there is a file of that name that ends in ``.hold`` a delivery that asks for it waits. A
delivery may also ask for a pause.
"""

from __future__ import annotations

import copy
import os
import pickle
import time
import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.filters import (
    BotID,
    Channel,
    InputType,
    JMESPath,
    JSONKeyEquals,
    JSONKeyIn,
    SessionValue,
    StepID,
    StepName,
    TestConsole,
    TextEquals,
    TextMatches,
    UserAttribute,
    UserDataContains,
    UserDataEquals,
    UserDataHas,
)
from flask_clustaar.models import PauseBotAction, StepReachedResponse

RUNS = os.environ["ATTACKED_RUNS"]
HOLD = f"{RUNS}.hold"

#: Only ``insider`` knows the secrets of ``secure`` and ``lenient``.
PAIR = ("platform", "wonder:land")
KEYS = {
    "secure": "the key of secure",
    "lenient": "the key of lenient",
    "insider": "the key of insider",
}

app = Flask(__name__)
app.config.from_prefixed_env()
secure = ClustaarWebhook(
    app, name="secure", private_key=KEYS["secure"], credentials=PAIR
)
lenient = ClustaarWebhook(
    app,
    name="lenient",
    private_key=KEYS["lenient"],
    replay_on_store_error="allow",
    credentials=PAIR,
)
insider = ClustaarWebhook(
    app, name="insider", private_key=KEYS["insider"], credentials=PAIR
)
insecure = ClustaarWebhook(app, name="insecure")  # warns, once, when it starts
heavy = ClustaarWebhook(app, name="heavy")
passing = ClustaarWebhook(app, name="passing", on_error="passthrough")


# -- what must run once --------------------------------------------------------------


def record(webhook: str) -> Callable[[Notification], str]:
    def run(notification: Notification) -> str:
        name = notification.session.get("delivery")
        line = f"{webhook} {name} {os.getpid()} {time.time()}\n"
        file = os.open(RUNS, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())  # at once, so that no two lines mix
        os.close(file)
        time.sleep(notification.session.get("pause", 0))
        while notification.session.get("hold") and os.path.exists(HOLD):
            time.sleep(0.01)
        return uuid.uuid4().hex

    return run


for webhook in (secure, lenient):
    webhook.on(events.CONVERSATION_STEP_REACHED, record(webhook.name))


# -- what gets anything --------------------------------------------------------------


def look(notification: Notification) -> None:
    """Do with a notification what a program may do, and answer nothing."""
    twin = copy.copy(notification)
    assert notification == twin and twin == pickle.loads(pickle.dumps(notification))
    assert repr(notification) == repr(copy.deepcopy(notification))
    for part in (notification, notification.event, notification.step):
        assert part.type is not None and part.received is not part
    assert isinstance(notification.text, str)


def echo(notification: Notification) -> Any:
    """Reply with everything received."""
    return StepReachedResponse(
        actions=notification.step.actions, session=notification.session
    )


def back(notification: Notification) -> Any:
    """Reply with all received actions, as JSON."""
    actions = [action.received for action in notification.step.actions]
    return [action for action in actions if isinstance(action, dict)]


def change(notification: Notification) -> Any:
    """Change the received objects, and return None."""
    notification.session["seen"] = [dict(notification.session.values)]
    if notification.interlocutor.id is not None:
        notification.interlocutor.custom_attributes["seen"] = "yes"
    return PauseBotAction()


def spoil(notification: Notification) -> Any:
    """Return a value that cannot be sent."""
    change(notification)
    return {"actions": [{"type": "wait_action", "duration": notification.text}]}


FILTERS: list[Any] = [
    None,
    StepID("507f191e810c19729de860ea"),
    JSONKeyEquals("data.session.values.name", ["John", {"a": [1]}])
    | StepName("A step"),
    JSONKeyIn("data.step.actions.0.type", ["send_text_action", None, [1]]),
    SessionValue("name") & UserAttribute("age", "25") ^ TestConsole(),
    ~TextEquals("hello") & BotID("507f191e810c19729de860ea"),
    TextMatches("^[he]+l*o") | Channel("facebook") & InputType("message", "click"),
    UserDataContains("x") | UserDataEquals("a.b", 1) | UserDataHas("c"),
    JMESPath("data.step.actions[?duration > `1`] || sort_by(data.step.actions, &type)"),
]

for webhook in (insider, insecure):
    for filter in FILTERS:
        webhook.on(events.CONVERSATION_STEP_REACHED, look, filter=filter)
    webhook.on(events.CONVERSATION_STEP_REACHED, echo)
    webhook.on(events.CONVERSATION_STEP_REACHED, change)
insecure.fallback(echo)
for filter in FILTERS:
    heavy.on(events.CONVERSATION_STEP_REACHED, lambda notification: None, filter=filter)
heavy.on(events.CONVERSATION_STEP_REACHED, echo)
heavy.on(events.CONVERSATION_STEP_REACHED, back)
passing.on(events.CONVERSATION_STEP_REACHED, look)
passing.fallback(spoil)
passing.on(events.CONVERSATION_STEP_REACHED, spoil)
