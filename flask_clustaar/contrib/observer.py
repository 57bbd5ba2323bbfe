"""Base class of metrics: receives the signals of webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .. import signals

if TYPE_CHECKING:
    from ..background import Job
    from ..extension import ClustaarWebhook
    from ..models import Notification
    from ..routing import Handler

#: The label for topics without a handler, unknown channels, and unknown tasks.
OTHER = "other"

#: The label for failures without a single responsible handler.
SEVERAL = "several"


class Observer:
    """Receives the signals of webhooks, and calls a method for each.

    Labels are only names from the program: webhooks, handlers, codes, exceptions, and
    topics with a handler. So clients cannot create series.

    :param webhook: the first webhook; :meth:`init_app` adds more.
    """

    def __init__(self, webhook: ClustaarWebhook | None = None) -> None:
        self._topics: WeakKeyDictionary[ClustaarWebhook, frozenset[str | None]] = (
            WeakKeyDictionary()
        )
        # Signals hold this object weakly: see init_app.
        signals.notification_received.connect(self._notification_received)
        signals.handler_failed.connect(self._handler_failed)
        signals.handler_late.connect(self._handler_late)
        signals.job_submitted.connect(self._job_submitted)
        signals.job_performed.connect(self._job_performed)
        signals.reply_repeated.connect(self._reply_repeated)
        signals.request_rejected.connect(self._request_rejected)
        self._listen_further()
        if webhook is not None:
            self.init_app(webhook)

    def init_app(self, webhook: ClustaarWebhook) -> None:
        """Observe a webhook, in all its applications."""
        # A reference from the webhook keeps this object alive.
        observers = vars(webhook).setdefault("_observers", [])
        if self not in observers:
            observers.append(self)

    # -- for subclasses ----------------------------------------------------------------

    def notified(self, webhook: str, topic: str, notification: Notification) -> None:
        """Count a notification that arrived."""

    def handled(self, webhook: str, handler: str, seconds: float) -> None:
        """Count a call of a handler, and record its duration."""

    def failed(self, webhook: str, handler: str, exception: str) -> None:
        """Count a failure."""

    def late(self, webhook: str, handler: str, reason: str) -> None:
        """Count a handler that was late, when it has ended."""

    def submitted(self, webhook: str, task: str) -> None:
        """Count a job that was submitted."""

    def performed(
        self, webhook: str, task: str, seconds: float, exception: str | None
    ) -> None:
        """Count a performed job, with its duration and exception."""

    def replied(self, webhook: str) -> None:
        """Count a reply."""

    def repeated(self, webhook: str) -> None:
        """Count a repeated reply."""

    def rejected(self, webhook: str, code: str) -> None:
        """Count a rejected request."""

    # -- the signals -------------------------------------------------------------------

    def _observes(self, webhook: ClustaarWebhook) -> bool:
        return self in vars(webhook).get("_observers", ())

    def _listen_further(self) -> None:
        """Connect the signals that are sent for every request."""
        signals.handler_called.connect(self._handler_called)
        signals.reply_sent.connect(self._reply_sent)

    def _notification_received(
        self,
        sender: Any,
        webhook: ClustaarWebhook,
        notification: Notification,
        **extra: Any,
    ) -> None:
        if not self._observes(webhook):
            return
        topics = self._topics.get(webhook)
        if topics is None:
            # After the first notification, no handlers can be registered.
            topics = frozenset(handler.topic for handler in webhook.handlers)
            self._topics[webhook] = topics
        topic = notification.topic if notification.topic in topics else OTHER
        self.notified(webhook.name, topic, notification)

    def _handler_called(
        self,
        sender: Any,
        webhook: ClustaarWebhook,
        handler: Handler,
        duration: float,
        **extra: Any,
    ) -> None:
        if self._observes(webhook):
            self.handled(webhook.name, handler.name, duration)

    def _handler_failed(
        self,
        sender: Any,
        webhook: ClustaarWebhook,
        handler: Handler | None,
        exception: BaseException,
        **extra: Any,
    ) -> None:
        if self._observes(webhook):
            name = SEVERAL if handler is None else handler.name
            self.failed(webhook.name, name, type(exception).__name__)

    def _handler_late(
        self,
        sender: Any,
        webhook: ClustaarWebhook,
        handler: Handler,
        reason: str,
        **extra: Any,
    ) -> None:
        if self._observes(webhook):
            self.late(webhook.name, handler.name, reason)

    def _job_submitted(
        self, sender: Any, webhook: ClustaarWebhook, job: Job, **extra: Any
    ) -> None:
        if self._observes(webhook):
            self.submitted(webhook.name, job.task)

    def _job_performed(
        self,
        sender: Any,
        webhook: ClustaarWebhook,
        job: Job,
        duration: float,
        exception: BaseException | None,
        **extra: Any,
    ) -> None:
        if self._observes(webhook):
            task = job.task if job.task in webhook.tasks else OTHER
            name = None if exception is None else type(exception).__name__
            self.performed(webhook.name, task, duration, name)

    def _reply_sent(self, sender: Any, webhook: ClustaarWebhook, **extra: Any) -> None:
        if self._observes(webhook):
            self.replied(webhook.name)

    def _reply_repeated(
        self, sender: Any, webhook: ClustaarWebhook, **extra: Any
    ) -> None:
        if self._observes(webhook):
            self.repeated(webhook.name)

    def _request_rejected(
        self, sender: Any, webhook: ClustaarWebhook, code: str, **extra: Any
    ) -> None:
        if self._observes(webhook):
            self.rejected(webhook.name, code)
