"""A bot with background work in RQ."""

import os
import sqlite3

from flask import Flask
from redis import Redis
from rq import Queue

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.background import current_job

queue = Queue("clustaar", connection=Redis.from_url(os.environ["REDIS_URL"]))


def perform(job: str) -> None:
    """Perform a job of a task, in a worker."""
    webhook.perform(job)


def submit(job: str) -> None:
    """Submit a job of a task, in the server."""
    queue.enqueue(perform, job, result_ttl=0)


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
