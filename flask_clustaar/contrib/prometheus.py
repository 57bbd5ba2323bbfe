"""Metrics for Prometheus. Requires the extra ``prometheus``."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from .observer import Observer

if TYPE_CHECKING:
    from ..extension import ClustaarWebhook
    from ..models import Notification

#: Upper bounds of the buckets for the duration of handlers, in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PrometheusMetrics(Observer):
    """Records metrics about the notifications of webhooks::

        metrics = PrometheusMetrics(webhook)
        app.add_url_rule("/metrics", view_func=metrics.view)

    :param webhook: the first webhook; :meth:`init_app` adds more.
    :param registry: the registry of the series. Default: the global one.
    :param buckets: upper bounds of the histogram of durations, in seconds.
    """

    def __init__(
        self,
        webhook: ClustaarWebhook | None = None,
        *,
        registry: CollectorRegistry = REGISTRY,
        buckets: tuple[float, ...] = BUCKETS,
    ) -> None:
        self._registry = registry
        self._notifications = Counter(
            "clustaar_notifications",
            "Notifications that were authenticated and loaded.",
            ["webhook", "topic"],
            registry=registry,
        )
        self._rejections = Counter(
            "clustaar_rejections",
            "Rejected requests, including those that no handler matched.",
            ["webhook", "code"],
            registry=registry,
        )
        self._durations = Histogram(
            "clustaar_handler_duration_seconds",
            "Duration of handlers, including their 'around' functions.",
            ["webhook", "handler"],
            registry=registry,
            buckets=buckets,
        )
        self._failures = Counter(
            "clustaar_handler_failures",
            "Handlers that raised an exception, and replies that were invalid.",
            ["webhook", "handler", "exception"],
            registry=registry,
        )
        self._late = Counter(
            "clustaar_handlers_late",
            "Handlers that were late, counted when they have ended.",
            ["webhook", "handler", "reason"],
            registry=registry,
        )
        self._submissions = Counter(
            "clustaar_jobs_submitted",
            "Jobs that the engine for background work accepted.",
            ["webhook", "task"],
            registry=registry,
        )
        self._jobs = Histogram(
            "clustaar_job_duration_seconds",
            "Duration of jobs.",
            ["webhook", "task"],
            registry=registry,
            buckets=buckets,
        )
        self._job_failures = Counter(
            "clustaar_job_failures",
            "Jobs that raised an exception.",
            ["webhook", "task", "exception"],
            registry=registry,
        )
        self._replies = Counter(
            "clustaar_replies",
            "Replies that were sent.",
            ["webhook"],
            registry=registry,
        )
        self._repeats = Counter(
            "clustaar_repeats",
            "Repeated deliveries that got the recorded reply.",
            ["webhook"],
            registry=registry,
        )
        # For each request: to look for labels takes longer than to count.
        self._notifications_of = cache(self._notifications.labels)
        self._durations_of = cache(self._durations.labels)
        self._replies_of = cache(self._replies.labels)
        super().__init__(webhook)

    def view(self) -> tuple[bytes, int, dict[str, str]]:
        """Return the metrics, as a Flask view.

        With ``PROMETHEUS_MULTIPROC_DIR``, it returns the metrics of all processes.
        """
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return generate_latest(registry), 200, headers

    def notified(self, webhook: str, topic: str, notification: Notification) -> None:
        self._notifications_of(webhook, topic).inc()

    def handled(self, webhook: str, handler: str, seconds: float) -> None:
        self._durations_of(webhook, handler).observe(seconds)

    def failed(self, webhook: str, handler: str, exception: str) -> None:
        self._failures.labels(webhook, handler, exception).inc()

    def late(self, webhook: str, handler: str, reason: str) -> None:
        self._late.labels(webhook, handler, reason).inc()

    def submitted(self, webhook: str, task: str) -> None:
        self._submissions.labels(webhook, task).inc()

    def performed(
        self, webhook: str, task: str, seconds: float, exception: str | None
    ) -> None:
        self._jobs.labels(webhook, task).observe(seconds)
        if exception is not None:
            self._job_failures.labels(webhook, task, exception).inc()

    def replied(self, webhook: str) -> None:
        self._replies_of(webhook).inc()

    def repeated(self, webhook: str) -> None:
        self._repeats.labels(webhook).inc()

    def rejected(self, webhook: str, code: str) -> None:
        self._rejections.labels(webhook, code).inc()
