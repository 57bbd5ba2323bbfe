"""A bot whose answers are in a file: one handler for all steps of several bots.

The bot designer writes a key word as the text of a step, and turns on "use webhook".
The bot looks up its answer by the bot's id and the key word.
"""

from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from tinydb import TinyDB, where

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.models import SendTextAction, Step

webhook = ClustaarWebhook()


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["ANSWERS"] = str(Path(__file__).with_name("answers.json"))
    app.config["DEFAULT_ANSWER"] = "Sorry, I have no answer to that yet."
    app.config.from_prefixed_env()
    app.cli.add_command(learn)
    webhook.init_app(app)
    return app


@webhook.on(events.CONVERSATION_STEP_REACHED)
def answer(notification: Notification) -> str:
    wanted = (where("bot") == notification.bot_id) & (
        where("word") == first_text(notification.step)
    )
    # Opened for each request: threads must not share it.
    with open_answers("r") as answers:
        for found in answers.search(wanted):
            return str(found["answer"])
    return str(current_app.config["DEFAULT_ANSWER"])


def first_text(step: Step) -> str | None:
    texts = (
        text
        for action in step.actions
        if isinstance(action, SendTextAction)
        for text in action.alternatives
    )
    return next(texts, None)


def open_answers(mode: str) -> TinyDB:
    return TinyDB(current_app.config["ANSWERS"], access_mode=mode, encoding="utf-8")


@click.command()
@click.argument("bot")
@click.argument("word")
@click.argument("answer")
@with_appcontext
def learn(bot: str, word: str, answer: str) -> None:
    """Let BOT say ANSWER at the steps whose text is WORD."""
    with open_answers("r+") as answers:
        row = {"bot": bot, "word": word, "answer": answer}
        answers.upsert(row, (where("bot") == bot) & (where("word") == word))
