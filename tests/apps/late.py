"""A bot whose handler is late and asks for a job: both write a line at their end.

``LATE_LINES`` names the file.
"""

from __future__ import annotations

import os
import time

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events

app = Flask(__name__)
app.config.from_prefixed_env()
webhook = ClustaarWebhook(app, deadline=0.5)


def write(line: str) -> None:
    file = os.open(os.environ["LATE_LINES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


@webhook.task
def tell_crm(notification: Notification) -> None:
    time.sleep(notification.session["seconds"])
    write("job")


@webhook.on(events.CONVERSATION_STEP_REACHED)
def slow(notification: Notification) -> None:
    tell_crm.later(notification)
    time.sleep(notification.session["seconds"])
    write("handler")


@webhook.late
def late(notification: Notification) -> str:
    return "One moment."
