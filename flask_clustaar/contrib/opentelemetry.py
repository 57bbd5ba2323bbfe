"""Traces and metrics with OpenTelemetry. Requires the extra ``opentelemetry``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from opentelemetry import metrics, propagate, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, Status, StatusCode, TracerProvider

from .. import signals
from .._version import __version__
from ..describe import cut
from ..routing.handlers import Around
from .observer import Observer

if TYPE_CHECKING:
    from ..background import Job
    from ..extension import ClustaarWebhook
    from ..models import Notification
    from ..routing import Handler

SCOPE = "flask_clustaar"

#: The context manager around handlers while nothing is recorded.
NOTHING: AbstractContextManager[None] = nullcontext()


class OpenTelemetry(Observer):
    """Records a span for each handler, and metrics about notifications::

        OpenTelemetry(webhook)

    The span of a handler is a child of the request's span, and the parent of spans that
    the handler creates. Without an SDK, nothing is recorded. It must be
    configured before the first request.

    :param webhook: the first webhook; :meth:`init_app` adds more.
    :param tracer_provider: the provider for spans. Default: the global one.
    :param meter_provider: the provider for metrics. Default: the global one.
    :param record_exceptions: whether to add the message and traceback of an exception
        to the handler's span. They may contain personal data.
    """

    def __init__(
        self,
        webhook: ClustaarWebhook | None = None,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        record_exceptions: bool = False,
    ) -> None:
        self._record_exceptions = record_exceptions
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        #: Where the spans of a webhook's handlers will be among what is around them.
        self._places: WeakKeyDictionary[ClustaarWebhook, int] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._has_looked = False
        self._tracer = trace.get_tracer(
            SCOPE, __version__, tracer_provider=tracer_provider
        )
        meter = metrics.get_meter(SCOPE, __version__, meter_provider=meter_provider)
        self._notifications = meter.create_counter(
            "clustaar.notifications",
            "{notification}",
            "Notifications that were authenticated and loaded.",
        )
        self._rejections = meter.create_counter(
            "clustaar.rejections",
            "{request}",
            "Rejected requests, including those that no handler matched.",
        )
        self._durations = meter.create_histogram(
            "clustaar.handler.duration",
            "s",
            "Duration of handlers, including their 'around' functions.",
        )
        self._failures = meter.create_counter(
            "clustaar.handler.failures",
            "{failure}",
            "Handlers that raised an exception, and replies that were invalid.",
        )
        self._late = meter.create_counter(
            "clustaar.handler.late",
            "{handler}",
            "Handlers that were late, counted when they have ended.",
        )
        self._submissions = meter.create_counter(
            "clustaar.jobs.submitted",
            "{job}",
            "Jobs that the engine for background work accepted.",
        )
        self._jobs = meter.create_histogram(
            "clustaar.job.duration", "s", "Duration of jobs."
        )
        self._job_failures = meter.create_counter(
            "clustaar.job.failures", "{job}", "Jobs that raised an exception."
        )
        self._replies = meter.create_counter(
            "clustaar.replies", "{reply}", "Replies that were sent."
        )
        self._repeats = meter.create_counter(
            "clustaar.repeats",
            "{delivery}",
            "Repeated deliveries that got the recorded reply.",
        )
        super().__init__(webhook)

    def init_app(self, webhook: ClustaarWebhook) -> None:
        """Observe a webhook. Call it before the webhook handles its first request.

        :raises ConfigurationError: if it is too late.
        """
        webhook._check_open(self.init_app)
        self._places.setdefault(webhook, len(webhook._arounds))
        super().init_app(webhook)
        webhook._tracing = self

    def inject(self) -> dict[str, str]:
        """Return the context of the current trace, for a job."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return carrier

    def performing(self, job: Job) -> AbstractContextManager[Any]:
        """Return a span for a job, as a child of the span that submitted it."""
        context = propagate.extract(job.trace)
        span = self._tracer.start_span(f"perform {job.task}", context)
        if not span.is_recording():
            return NOTHING
        span.set_attribute("code.function.name", job.task)
        span.set_attribute("clustaar.webhook", job.webhook)
        return self._inside(span)

    def _look_for_sdk(self) -> None:
        """Once, start to record if there is an SDK; otherwise stop listening."""
        with self._lock:
            if self._has_looked:
                return
            self._has_looked = True
            has_traces = _is_sdk(self._tracer_provider or trace.get_tracer_provider())
            if has_traces:
                for webhook, place in self._places.items():
                    around = Around(partial(self._traced, webhook.name), False)
                    webhook._arounds.insert(place, around)
            if _is_sdk(self._meter_provider or metrics.get_meter_provider()):
                super()._listen_further()
            elif not has_traces:
                signals.notification_received.disconnect(self._notification_received)

    def _traced(
        self, webhook: str, notification: Notification, handler: Handler
    ) -> AbstractContextManager[Any]:
        span = self._tracer.start_span(f"handle {handler.name}")
        if not span.is_recording():
            return NOTHING
        span.set_attribute("code.function.name", handler.name)
        span.set_attributes(_attributes(webhook, notification))
        return self._inside(span)

    @contextmanager
    def _inside(self, span: Span) -> Iterator[None]:
        """Make a span the current one, and end it with the outcome of the handler."""
        with trace.use_span(
            span,
            end_on_exit=True,
            record_exception=self._record_exceptions,
            set_status_on_exception=False,
        ):
            try:
                yield
            except BaseException as error:
                kind = type(error).__qualname__
                span.set_attribute("error.type", kind)
                span.set_status(Status(StatusCode.ERROR, kind))
                raise

    def _listen_further(self) -> None:
        """Connect further signals once there is an SDK, to save time without one."""

    def notified(self, webhook: str, topic: str, notification: Notification) -> None:
        self._look_for_sdk()
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attributes(_attributes(webhook, notification))
        self._notifications.add(1, {"webhook": webhook, "topic": topic})

    def handled(self, webhook: str, handler: str, seconds: float) -> None:
        self._durations.record(seconds, {"webhook": webhook, "handler": handler})

    def failed(self, webhook: str, handler: str, exception: str) -> None:
        labels = {"webhook": webhook, "handler": handler, "exception": exception}
        self._failures.add(1, labels)

    def late(self, webhook: str, handler: str, reason: str) -> None:
        labels = {"webhook": webhook, "handler": handler, "reason": reason}
        self._late.add(1, labels)

    def submitted(self, webhook: str, task: str) -> None:
        self._submissions.add(1, {"webhook": webhook, "task": task})

    def performed(
        self, webhook: str, task: str, seconds: float, exception: str | None
    ) -> None:
        self._jobs.record(seconds, {"webhook": webhook, "task": task})
        if exception is not None:
            labels = {"webhook": webhook, "task": task, "exception": exception}
            self._job_failures.add(1, labels)

    def replied(self, webhook: str) -> None:
        self._replies.add(1, {"webhook": webhook})

    def repeated(self, webhook: str) -> None:
        self._repeats.add(1, {"webhook": webhook})

    def rejected(self, webhook: str, code: str) -> None:
        self._rejections.add(1, {"webhook": webhook, "code": code})


def _is_sdk(provider: object) -> bool:
    """Return whether a provider records anything; those of the API do not."""
    return not type(provider).__module__.startswith(_API)


_API = (trace.__name__, metrics.__name__)


def _attributes(webhook: str, notification: Notification) -> dict[str, Any]:
    """Return the attributes of a notification's span, without texts of the user."""
    values = {
        "clustaar.webhook": webhook,
        "clustaar.topic": notification.topic,
        "clustaar.step.id": notification.step.id,
        "clustaar.channel": notification.channel,
    }
    return {key: cut(value, 80) for key, value in values.items() if value}
