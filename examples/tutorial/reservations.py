"""A bot that takes reservations for a restaurant."""

from flask import Flask

from flask_clustaar import ClustaarWebhook
from flask_clustaar.models import (
    GoToAction,
    JumpToAction,
    PauseBotAction,
    QuickReply,
    SendQuickRepliesAction,
)

# The ids of the steps. Replace them with those of your bot.
GUESTS = "507f191e810c19729de860ea"
DAY = "507f191e810c19729de860eb"
DONE = "507f191e810c19729de860ec"

webhook = ClustaarWebhook()


def create_app(config=None):
    """Create the application."""
    app = Flask(__name__)
    app.config.from_prefixed_env()  # reads FLASK_CLUSTAAR_PRIVATE_KEY
    app.config.from_mapping(config)
    webhook.init_app(app)
    return app


@webhook.on_step(GUESTS)
def ask_guests(notification):
    """Ask how many guests come, and read the number that the user typed."""
    if not notification.text.strip().isdecimal():
        return question("A table for how many guests?", ["2", "4", "6"], DAY, "guests")
    guests = int(notification.text)
    if guests == 0:
        return "Please write a number from 1 on."
    if guests > 12:
        return ["For so many guests, a colleague takes over.", PauseBotAction()]
    notification.session["guests"] = str(guests)
    return JumpToAction.step(DAY)


@webhook.on_step(DAY)
def ask_day(notification):
    """Ask for the day."""
    return question("On which day?", ["Today", "Tomorrow"], DONE, "day")


@webhook.on_step(DONE)
def confirm(notification):
    """Repeat what is in the session."""
    session = notification.session
    if not {"guests", "day"} <= session.keys():
        return JumpToAction.step(GUESTS)
    return f"A table for {session['guests']}, {session['day'].lower()}. See you then!"


@webhook.fallback
def leave_as_it_is(notification):
    """Execute the actions that all other steps have in the platform."""
    return notification.step.actions


def question(message, titles, step, key):
    """Return quick replies that go to *step*, and store their title under *key*."""
    return SendQuickRepliesAction(
        message=message,
        buttons=[
            QuickReply(
                title=title,
                action=GoToAction.step(step, session_values={key: title}),
            )
            for title in titles
        ],
    )
