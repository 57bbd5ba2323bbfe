"""Work in the background: tasks, and the jobs that say which task is to be done."""

from __future__ import annotations

import copy
import inspect
import json
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
)

from . import logs
from .errors import InvalidJob
from .models import Notification
from .notifications import load_notification
from .routing import name_of
from .schemas import schema_for
from .wire import JSON

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: The version of the format of jobs.
VERSION: Final = 1

#: How many threads perform jobs in the process, and how many jobs may wait for them.
POOL_THREADS: Final = 4
POOL_JOBS: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of a task that is to be made in the background."""

    #: The name of the webhook.
    webhook: str
    #: The name of the task, such as ``bot.tell_crm``.
    task: str
    #: The identity of the job: an idempotency key. It is the same if the job is
    #: performed again, and if the delivery that it comes from runs again.
    key: str
    #: The notification as JSON; None without one.
    notification: JSON | None = field(default=None, repr=False)
    #: The identity of the delivery that the job comes from.
    delivery: str | None = None
    #: The arguments of the task.
    arguments: JSON = field(default_factory=dict, repr=False)
    #: The trace context, such as the headers ``traceparent`` and ``tracestate``.
    trace: dict[str, str] = field(default_factory=dict)

    def dumps(self) -> str:
        """Return the job as text: JSON in ASCII."""
        return json.dumps({"v": VERSION, **vars(self)}, allow_nan=False)

    @classmethod
    def loads(cls, text: str | bytes) -> Job:
        """Read a job.

        :raises InvalidJob: if it is not one, or from another version of this package.
        """
        try:
            values = json.loads(text)
            version = values.pop("v")
            if version == VERSION:
                names = cls.__dataclass_fields__
                return cls(**{name: values[name] for name in names})
        except (TypeError, ValueError, KeyError, AttributeError):
            raise InvalidJob("This is not a job of 'task.later'.") from None
        raise InvalidJob(
            f"The job has the version {version!r:.20}, and this program reads "
            f"{VERSION}. Let workers and servers have the same version of "
            "Flask-Clustaar."
        )

    def load_notification(self) -> Notification | None:
        """Return the notification, as it was when the job was made."""
        if self.notification is None:
            return None
        notification = load_notification(json.dumps(self.notification).encode())
        notification.__dict__["_delivery"] = self.delivery
        return notification


class Home(Protocol):
    """What a task has to know of its webhook."""

    name: str

    def _submit(self, job: Job) -> None: ...
    def _trace(self) -> dict[str, str]: ...


class Tracing(Protocol):
    """A tool for traces."""

    def inject(self) -> dict[str, str]: ...
    def performing(self, job: Job) -> AbstractContextManager[Any]: ...


class Task(Generic[_P, _T]):
    """A function that can be called in the background.

    It is made by ``@webhook.task``, and can still be called as the function.
    """

    def __init__(
        self, home: Home, function: Callable[Concatenate[Any, _P], _T]
    ) -> None:
        _check_task(function)
        self._home = home
        #: The function.
        self.function: Callable[Concatenate[Any, _P], _T] = function
        #: The name with its module, such as ``bot.tell_crm``.
        self.name: str = f"{function.__module__}.{name_of(function)}"
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(
        self, notification: Notification | None, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        return self.function(notification, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task '{self.name}'>"

    def later(
        self,
        notification: Notification | None,
        /,
        *args: _P.args,
        **arguments: _P.kwargs,
    ) -> None:
        """Call the function in the background.

        In a handler, the job is submitted when the reply is valid. If the delivery
        fails, it is dropped, because the delivery may run again.

        :param notification: the notification for the function, as it is now. None keeps
            personal data out of the job.
        :param arguments: the other arguments, by their names. They are JSON.
        :raises TypeError: if the function does not have these arguments, or they are
            not JSON.
        :raises BackgroundUnavailable: outside of a handler, if the engine fails.
        """
        if args:
            raise TypeError(
                f"Pass the arguments of '{self.name}' by their names, as in "
                f"'{self.function.__name__}.later(notification, score=3)'."
            )
        self._check_arguments(notification, arguments)
        wire = None if notification is None else _as_json(notification)
        jobs = _jobs.get() or Jobs(None, sent=True)
        job = Job(
            webhook=self._home.name,
            task=self.name,
            key=jobs.new_key(self.name),
            notification=wire,
            delivery=None if notification is None else notification.delivery,
            arguments=copy.deepcopy(cast(JSON, arguments)),
            trace=self._home._trace() or _trace_of_job(),
        )
        jobs.add(self._home._submit, job)

    def perform(self, job: Job) -> Any:
        """Call the function as a job says.

        :raises InvalidJob: if the function does not have these arguments.
        """
        try:
            inspect.signature(self.function).bind(None, **job.arguments)
        except TypeError as error:
            raise InvalidJob(
                f"The task '{self.name}' cannot be called with the arguments of the "
                f"job: {error}. The job is from another version of the program: give "
                "new arguments a default value, and keep old ones until their jobs "
                "are done."
            ) from None
        function = cast(Callable[..., Any], self.function)
        return function(job.load_notification(), **job.arguments)

    def _check_arguments(self, notification: Any, arguments: JSON) -> None:
        if notification is not None and not isinstance(notification, Notification):
            raise TypeError(
                f"The first argument of 'later' is the notification or None, not a "
                f"'{type(notification).__name__}'. Pass others by their names."
            )
        try:
            inspect.signature(self.function).bind(None, **arguments)
        except TypeError as error:
            raise TypeError(f"'{self.name}' cannot be called so: {error}.") from None
        for name, value in arguments.items():
            if not _is_json(value):
                raise TypeError(
                    f"The argument '{name}' of '{self.name}' is not JSON, but a "
                    f"'{type(value).__name__}' or has something in it that is not. "
                    "Pass text, numbers, booleans, None, and lists and dicts of them; "
                    "an id in place of an object."
                )


def _is_json(value: Any) -> bool:
    """Tell if a value arrives as it is sent."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _as_json(notification: Notification) -> JSON:
    """Return a notification as JSON, as it is now: handlers may change it later."""
    wire = schema_for(Notification).dump(notification)
    try:
        found: JSON = json.loads(json.dumps(wire, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"The notification cannot be in a job, because it is not JSON: {error}."
        ) from error
    return found


def _check_task(function: Any) -> None:
    name = name_of(function) if callable(function) else repr(function)
    if not inspect.isroutine(function) or "<" in name:
        raise TypeError(
            f"A worker could not find the task '{name}'. Write it as a function at "
            "the top of a module: '@webhook.task', and below it "
            "'def tell_crm(notification, *, score): ...'."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"The task '{name}' is a generator function. Calling it does nothing."
        )
    first, *others = [*inspect.signature(function).parameters.values(), None]
    if first is None or first.kind not in (
        first.POSITIONAL_ONLY,
        first.POSITIONAL_OR_KEYWORD,
    ):
        raise TypeError(
            f"The first argument of the task '{name}' must be the notification, as in "
            f"'def {name}(notification, *, score): ...'."
        )
    for other in others:
        if other and other.kind in (other.POSITIONAL_ONLY, other.VAR_POSITIONAL):
            raise TypeError(
                f"The arguments of the task '{name}' are passed by name, so "
                f"'{other}' cannot be one. Write '*' after the notification."
            )


def _trace_of_job() -> dict[str, str]:
    """Return the trace context of the job that is being performed."""
    job = _current.get()
    return {} if job is None else job.trace


# -- the jobs of a delivery ----------------------------------------------------------


class Jobs:
    """The jobs of a delivery: they wait until its reply is valid.

    :param identity: the identity of the delivery, if it has one.
    :param sent: whether there is no reply to wait for.
    """

    def __init__(self, identity: str | None, *, sent: bool = False) -> None:
        self._identity = identity or os.urandom(16).hex()
        self._state = "sent" if sent else "open"
        self._waiting: deque[tuple[Callable[[Job], None], Job]] = deque()
        self._numbers: Counter[str] = Counter()
        # A handler that is late adds jobs while they are submitted.
        self._lock = threading.Lock()

    def new_key(self, task: str) -> str:
        """Return the key of the next job of a task."""
        with self._lock:
            number = self._numbers[task]
            self._numbers[task] += 1
        return f"{self._identity}:{task}:{number}"

    def add(self, submit: Callable[[Job], None], job: Job) -> None:
        """Add a job. It is submitted at once if the reply was valid already."""
        with self._lock:
            if self._state == "open":
                self._waiting.append((submit, job))
                return
        if self._state == "sent":
            submit(job)
            return
        logs.logger.warning(
            "A job of '%s' was dropped, because its delivery failed and may run again.",
            job.task,
            extra=logs.extra(webhook=job.webhook, delivery=job.delivery),
        )

    def submit(self) -> None:
        """Submit what waits, because the reply is valid.

        :raises BackgroundUnavailable: if an engine fails.
        """
        while True:
            with self._lock:
                if not self._waiting:
                    self._state = "sent"
                    return
                submit, job = self._waiting.popleft()
            submit(job)

    def drop(self) -> None:
        """Drop what waits, because the delivery failed."""
        with self._lock:
            self._waiting.clear()

    def end(self) -> None:
        """Drop what waits and what comes, unless the reply was valid."""
        with self._lock:
            if self._state == "open":
                self._state = "failed"
            self._waiting.clear()


_jobs: ContextVar[Jobs | None] = ContextVar("flask_clustaar.jobs", default=None)


@contextmanager
def collecting(jobs: Jobs) -> Iterator[Jobs]:
    """Collect the jobs that are made in a block."""
    token = _jobs.set(jobs)
    try:
        yield jobs
    finally:
        _jobs.reset(token)
        jobs.end()


# -- performing ----------------------------------------------------------------------

_current: ContextVar[Job | None] = ContextVar("flask_clustaar.job", default=None)


def current_job() -> Job:
    """Return the job that a task is called for.

    Its ``key`` is the same when the job runs again: write it where it must be unique,
    to do things once.

    :raises RuntimeError: if no job is being performed.
    """
    job = _current.get()
    if job is None:
        raise RuntimeError("No job is being performed: the task was called directly.")
    return job


def perform(tasks: Mapping[str, Task[..., Any]], job: Job) -> Any:
    """Call the task of a job.

    :raises InvalidJob: if there is none.
    """
    task = tasks.get(job.task)
    if task is None:
        known = ", ".join(f"'{name}'" for name in sorted(tasks)) or "none"
        raise InvalidJob(
            f"The program has no task '{job.task:.80}'. The job is from another "
            "version of it, or the module with the task is not imported. The tasks "
            f"are: {known}."
        )
    token = _current.set(job)
    try:
        # Jobs of this job have keys of their own, the same if it runs again.
        with collecting(Jobs(job.key, sent=True)):
            return task.perform(job)
    finally:
        _current.reset(token)


class Pool:
    """Performs jobs in threads of this process. What waits there can be lost.

    Threads are made when they are needed, in the process that needs them.
    """

    def __init__(self) -> None:
        self._process = 0
        self._lock = threading.Lock()
        self._places: Any = None
        self._threads: Any = None

    def submit(self, perform: Callable[[str], object], job: str) -> None:
        """Have a job performed.

        :raises RuntimeError: if too many wait, or the program ends.
        """
        self._prepare()
        places = self._places
        if not places.acquire(blocking=False):
            raise RuntimeError(
                f"{POOL_JOBS} jobs are waiting in this process already. Let an engine "
                "perform them in processes of their own."
            )
        try:
            self._threads.submit(_perform_in_thread, perform, job, places)
        except BaseException:
            places.release()
            raise

    def _prepare(self) -> None:
        with self._lock:
            if self._process == os.getpid():
                return
            from concurrent.futures import ThreadPoolExecutor

            # Threads do not survive a fork.
            self._process = os.getpid()
            self._places = threading.BoundedSemaphore(POOL_JOBS)
            self._threads = ThreadPoolExecutor(
                POOL_THREADS, thread_name_prefix="flask-clustaar-background"
            )


def _perform_in_thread(
    perform: Callable[[str], object], job: str, places: threading.BoundedSemaphore
) -> None:
    places.release()
    try:
        perform(job)
    except Exception:
        logs.logger.exception("A job of '%s' failed.", Job.loads(job).task)
