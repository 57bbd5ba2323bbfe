"""A bot with metrics, which does all that metrics count."""

from __future__ import annotations

from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.contrib.prometheus import PrometheusMetrics

app = Flask(__name__)
app.config.from_prefixed_env()
webhook = ClustaarWebhook(app)
metrics = PrometheusMetrics(webhook)
app.add_url_rule("/metrics", view_func=metrics.view)


@webhook.on(events.CONVERSATION_STEP_REACHED)
def answer(notification: Notification) -> str:
    """Answer, fail, or answer with something invalid."""
    match notification.text:
        case "fail":
            raise LookupError("nobody must read this")
        case "invalid":
            return ""
        case _:
            return "Hello"
