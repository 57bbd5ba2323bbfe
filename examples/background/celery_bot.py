"""A bot with background work in Celery."""

import os
import sqlite3

from celery import Celery
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.background import current_job

celery = Celery("bot", broker=os.environ["REDIS_URL"])


@celery.task(
    name="clustaar",
    acks_late=True,
    reject_on_worker_lost=True,
    ignore_result=True,
)
def perform(job: str) -> None:
    """Perform a job of a task, in a worker."""
    webhook.perform(job)


def submit(job: str) -> None:
    """Submit a job of a task, in the server."""
    perform.apply_async((job,), retry=False)


app = Flask(__name__)
app.config.from_prefixed_env()
webhook = ClustaarWebhook(app, background=submit)


@webhook.task
def tell_crm(notification: Notification, *, score: int) -> None:
    """Store a lead in the database, once."""
    lead = (current_job().key, notification.interlocutor.first_name, score)
    with sqlite3.connect(os.environ.get("CRM", "crm.db")) as crm:
        crm.execute("CREATE TABLE IF NOT EXISTS leads (key PRIMARY KEY, name, score)")
        crm.execute("INSERT OR IGNORE INTO leads VALUES (?, ?, ?)", lead)


@webhook.on(events.CONVERSATION_STEP_REACHED)
def lead(notification: Notification) -> str:
    """Submit the job, and reply at once."""
    tell_crm.later(notification, score=3)
    return "Thank you. We will call you."
