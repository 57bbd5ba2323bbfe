"""A bot of ten steps, as a bot file and as an application, for whole conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    GoToAction,
    JumpToAction,
    QuickReply,
    SendQuickRepliesAction,
    StepTarget,
    StoreSessionValueAction,
)

NAMES = (
    "Welcome", "Menu", "Age", "Check age", "Adult", "Minor", "Job", "Wait", "Help",
    "Account",
)  # fmt: skip
IDS = {name: f"507f191e810c19729de860{number:02d}" for number, name in enumerate(NAMES)}

Handler = Callable[[Notification], Any]

KEY = "only for tests"


def target(name: str) -> dict[str, Any]:
    return {"type": "step", "id": IDS[name]}


def text(words: str) -> dict[str, Any]:
    return {"type": "send_text_action", "alternatives": [words], "text": words}


def jump(default: str | None, *connections: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "jump_to_action",
        "defaultTarget": None if default is None else target(default),
        "connections": list(connections),
    }


def connection(
    name: str, kind: str, condition: dict[str, Any], getter: dict[str, Any] | None
) -> dict[str, Any]:
    predicate = {"type": kind, "condition": condition}
    if getter is not None:
        predicate["valueGetter"] = getter
    return {
        "type": "flow_connection",
        "target": target(name),
        "predicates": [predicate],
    }


#: The bot file. The webhook is called for the steps that have a handler.
BOT: dict[str, Any] = {
    "steps": [
        {"id": IDS["Welcome"], "name": "Welcome", "next": "Menu"},
        {"id": IDS["Menu"], "name": "Menu"},
        {
            "id": IDS["Age"],
            "name": "Age",
            "next": "Check age",
            "actions": [text("How old are you?")],
        },
        {"id": IDS["Check age"], "name": "Check age"},
        {
            "id": IDS["Adult"],
            "name": "Adult",
            "actions": [
                text("You may order."),
                {"type": "set_user_attribute_action", "key": "adult", "value": "yes"},
                jump("Menu"),
            ],
        },
        {
            "id": IDS["Minor"],
            "name": "Minor",
            "actions": [
                text("You may look."),
                jump(
                    "Menu",
                    connection(
                        "Adult",
                        "connection_predicate",
                        {"type": "equals", "expected": "yes"},
                        {"type": "user_attribute", "key": "adult"},
                    ),
                ),
            ],
        },
        {"id": IDS["Job"], "name": "Job", "webhook": True},
        {
            "id": IDS["Wait"],
            "name": "Wait",
            "webhook": False,
            "actions": [{"type": "wait_action", "duration": 2}, jump("Job")],
        },
        {
            "id": IDS["Help"],
            "name": "Help",
            "actions": [text("A colleague takes over."), {"type": "pause_bot_action"}],
        },
        {
            "id": IDS["Account"],
            "name": "Account",
            "actions": [
                jump(
                    "Welcome",
                    connection(
                        "Menu", "connection_user_predicate", {"type": "is_logged"}, None
                    ),
                )
            ],
        },
    ]
}


def make_app(polls: int = 3) -> Flask:
    """Make the application.

    :param polls: how many times a job is asked for before it is done.
    """
    app = Flask("ten_steps")
    webhook = ClustaarWebhook(app, private_key=KEY)
    asked: list[Notification] = []

    def on(name: str) -> Callable[[Handler], Handler]:
        return webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(IDS[name]))

    @on("Welcome")
    def welcome(notification: Notification) -> str:
        return f"Hello <b>{notification.interlocutor.first_name}</b>."

    @on("Menu")
    def menu(notification: Notification) -> Action:
        titles = {"My age": "Age", "Report": "Job", "Help": "Help", "Log in": "Account"}
        return SendQuickRepliesAction(
            message="What now?",
            buttons=[
                QuickReply(
                    title=title,
                    action=GoToAction.step(IDS[name], session_values={"choice": title}),
                )
                for title, name in titles.items()
            ],
        )

    @on("Check age")
    def check_age(notification: Notification) -> list[Any]:
        if not notification.text.isdecimal():
            return ["That is not a number.", jump("Age")]
        adult = connection(
            "Adult",
            "connection_predicate",
            {"type": "is_greater_than_or_equal", "minimum": 18},
            {"type": "session_value", "key": "age"},
        )
        return [
            StoreSessionValueAction(key="age", value=notification.text, is_int=True),
            jump("Minor", adult),
        ]

    @on("Job")
    def job(notification: Notification) -> list[Any]:
        asked.append(notification)
        if len(asked) % polls == 0:
            notification.session["job"] = None
            return ["Your report is ready."]
        started = notification.session.get("job") is not None
        notification.session["job"] = 7
        wait = JumpToAction(default_target=StepTarget(step_id=IDS["Wait"]))
        return [wait] if started else ["One moment.", wait]

    return app


#: A conversation with a client.
def talk(client: Any) -> None:
    client.start("Welcome")
    client.say("hello")
    client.say("what can you do?")
    client.click("My age")
    client.say("old")
    client.say("42")
    client.click("My age")
    client.say("7")
    client.click("Log in")
    client.say("menu")
    client.click("Report")
    client.at("Menu")
    client.say("again")
    client.click("Help")
    client.say("anybody there?")


#: The same conversation, as it is typed into a terminal.
TYPED = [
    "hello", "what can you do?", "My age", "old", "42", "1", "7", "Log in", "menu",
    "Report",
]  # fmt: skip

STORY = """\
at Welcome
you  hello
bot  Hello John.
you  what can you do?
at Menu
bot  What now?
     [My age] [Report] [Help] [Log in]
you  [My age]
at Age
bot  How old are you?
session choice = "My age"
you  old
at Check age
bot  That is not a number.
     · jumps to Age
at Age
bot  How old are you?
you  42
at Check age
     · stores session value age = 42
     · jumps to Adult: session value age is greater than or equal 18
at Adult
bot  You may order.
     · stores user attribute adult = yes
     · jumps to Menu
at Menu
bot  What now?
     [My age] [Report] [Help] [Log in]
session age = 42
user custom_attributes.adult = "yes"
you  [My age]
at Age
bot  How old are you?
you  7
at Check age
     · stores session value age = 7
     · jumps to Minor
at Minor
bot  You may look.
     · jumps to Adult: user attribute adult equals yes
at Adult
bot  You may order.
     · stores user attribute adult = yes
     · jumps to Menu
at Menu
bot  What now?
     [My age] [Report] [Help] [Log in]
session age = 7
you  [Log in]
at Account
     · jumps to Welcome
at Welcome
bot  Hello John.
session choice = "Log in"
you  menu
at Menu
bot  What now?
     [My age] [Report] [Help] [Log in]
you  [Report]
at Job
bot  One moment.
     · jumps to Wait
at Wait
     … 2 s
     · jumps to Job
at Job
     · jumps to Wait
at Wait
     … 2 s
     · jumps to Job
at Job
bot  Your report is ready.
session choice = "Report"
session job = null
"""

#: Acts in :func:`talk` that are not typed.
REST = """\

at Menu
you  again
bot  What now?
     [My age] [Report] [Help] [Log in]
you  [Help]
at Help
bot  A colleague takes over.
     · pauses the bot
session choice = "Help"
you  anybody there?
     · the bot is paused
"""
