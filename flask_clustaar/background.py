"""Background work: tasks, and the jobs that call them."""

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

#: The number of threads for jobs in the process, and the maximum number of waiting
#: jobs.
POOL_THREADS: Final = 4
POOL_JOBS: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of a task in the background."""

    #: The name of the webhook.
    webhook: str
    #: The name of the task, such as ``bot.tell_crm``.
    task: str
    #: The identity of the job, an idempotency key. It is the same if the job is
    #: repeated, and if its delivery is handled again.
    key: str
    #: The notification as JSON; None without one.
    notification: JSON | None = field(default=None, repr=False)
    #: The identity of the delivery that submitted the job.
    delivery: str | None = None
    #: The arguments of the task.
    arguments: JSON = field(default_factory=dict, repr=False)
    #: The trace context, such as the headers ``traceparent`` and ``tracestate``.
    trace: dict[str, str] = field(default_factory=dict)

    def dumps(self) -> str:
        """Return the job as a text: JSON in ASCII."""
        return json.dumps({"v": VERSION, **vars(self)}, allow_nan=False)

    @classmethod
    def loads(cls, text: str | bytes) -> Job:
        """Load a job from its text.

        :raises InvalidJob: if it is not a job, or from an incompatible version of this
            package.
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
            f"The job has version {version!r:.20}, but this program reads "
            f"{VERSION}. Install the same version of Flask-Clustaar on workers "
            "and servers."
        )

    def load_notification(self) -> Notification | None:
        """Return the notification, as it was when the job was created."""
        if self.notification is None:
            return None
        notification = load_notification(json.dumps(self.notification).encode())
        notification.__dict__["_delivery"] = self.delivery
        return notification


class Home(Protocol):
    """The methods of a webhook that tasks use."""

    name: str

    def _submit(self, job: Job) -> None: ...
    def _trace(self) -> dict[str, str]: ...


class Tracing(Protocol):
    """The interface of tracing tools."""

    def inject(self) -> dict[str, str]: ...
    def performing(self, job: Job) -> AbstractContextManager[Any]: ...


class Task(Generic[_P, _T]):
    """A function that can be called in the background.

    Created by ``@webhook.task``. Calling it directly calls the function.
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

        In a handler, the job is submitted after the reply was validated. If the
        delivery fails, the job is dropped, because the delivery may be handled again.

        :param notification: the notification for the function, in its current state.
            Pass None to keep personal data out of the job.
        :param arguments: the other arguments, by name. They must be JSON values.
        :raises TypeError: if the function does not have these arguments, or if they are
            not JSON.
        :raises BackgroundUnavailable: outside a handler, if the engine fails.
        """
        if args:
            raise TypeError(
                f"Pass the arguments of '{self.name}' by name, as in "
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
        """Call the function with the arguments of a job.

        :raises InvalidJob: if the function does not have these arguments.
        """
        try:
            inspect.signature(self.function).bind(None, **job.arguments)
        except TypeError as error:
            raise InvalidJob(
                f"The task '{self.name}' cannot be called with the arguments of the "
                f"job: {error}. The job is from another version of the program. Give "
                "new arguments a default value, and keep old ones until their jobs "
                "are done."
            ) from None
        function = cast(Callable[..., Any], self.function)
        return function(job.load_notification(), **job.arguments)

    def _check_arguments(self, notification: Any, arguments: JSON) -> None:
        if notification is not None and not isinstance(notification, Notification):
            raise TypeError(
                "The first argument of 'later' must be the notification or None, not a "
                f"'{type(notification).__name__}'. Pass other arguments by name."
            )
        try:
            inspect.signature(self.function).bind(None, **arguments)
        except TypeError as error:
            raise TypeError(
                f"'{self.name}' cannot be called with these arguments: {error}."
            ) from None
        for name, value in arguments.items():
            if not _is_json(value):
                raise TypeError(
                    f"The argument '{name}' of '{self.name}', a "
                    f"'{type(value).__name__}', is not JSON serializable. Pass texts, "
                    "numbers, booleans, None, and lists and dicts of them. Instead of "
                    "an object, pass its id."
                )


def _is_json(value: Any) -> bool:
    """Return whether a value is unchanged after conversion to JSON and back."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _as_json(notification: Notification) -> JSON:
    """Return the current JSON of a notification, which handlers may change later."""
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
            f"A worker could not import the task '{name}'. Define it at the top level "
            "of a module: '@webhook.task', and below it "
            "'def tell_crm(notification, *, score): ...'."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"The task '{name}' is a generator function, so calling it does nothing. "
            "Make it a plain function."
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
    """Return the trace context of the current job."""
    job = _current.get()
    return {} if job is None else job.trace


# -- the jobs of a delivery ----------------------------------------------------------


class Jobs:
    """The jobs of a delivery, which wait until its reply is validated.

    :param identity: the identity of the delivery, if it has one.
    :param sent: True if there is no reply to wait for.
    """

    def __init__(self, identity: str | None, *, sent: bool = False) -> None:
        self._identity = identity or os.urandom(16).hex()
        self._state = "sent" if sent else "open"
        self._waiting: deque[tuple[Callable[[Job], None], Job]] = deque()
        self._numbers: Counter[str] = Counter()
        # A late handler can add jobs while others are submitted.
        self._lock = threading.Lock()

    def new_key(self, task: str) -> str:
        """Return the key of the next job of a task."""
        with self._lock:
            number = self._numbers[task]
            self._numbers[task] += 1
        return f"{self._identity}:{task}:{number}"

    def add(self, submit: Callable[[Job], None], job: Job) -> None:
        """Add a job; submit it at once if the reply was already validated."""
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
        """Submit the waiting jobs, because the reply is valid.

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
        """Drop the waiting jobs, because the delivery failed."""
        with self._lock:
            self._waiting.clear()

    def end(self) -> None:
        """Drop waiting and later jobs, unless the reply was valid."""
        with self._lock:
            if self._state == "open":
                self._state = "failed"
            self._waiting.clear()


_jobs: ContextVar[Jobs | None] = ContextVar("flask_clustaar.jobs", default=None)


@contextmanager
def collecting(jobs: Jobs) -> Iterator[Jobs]:
    """Collect the jobs that are created in a ``with`` block."""
    token = _jobs.set(jobs)
    try:
        yield jobs
    finally:
        _jobs.reset(token)
        jobs.end()


# -- performing ----------------------------------------------------------------------

_current: ContextVar[Job | None] = ContextVar("flask_clustaar.job", default=None)


def current_job() -> Job:
    """Return the current job, in a task.

    Its ``key`` is the same when the job is repeated. Store it in a unique column to do
    something only once.

    :raises RuntimeError: if no job is being performed.
    """
    job = _current.get()
    if job is None:
        raise RuntimeError(
            "There is no current job, because the task was called directly."
        )
    return job


def perform(tasks: Mapping[str, Task[..., Any]], job: Job) -> Any:
    """Call the task of a job.

    :raises InvalidJob: if the program has no such task.
    """
    task = tasks.get(job.task)
    if task is None:
        known = ", ".join(f"'{name}'" for name in sorted(tasks)) or "none"
        raise InvalidJob(
            f"The program has no task '{job.task:.80}'. Import its module, or finish "
            "the jobs of the version of the program that had it. The tasks are: "
            f"{known}."
        )
    token = _current.set(job)
    try:
        # Jobs of this job have their own keys, which are the same if it is repeated.
        with collecting(Jobs(job.key, sent=True)):
            return task.perform(job)
    finally:
        _current.reset(token)


class Pool:
    """Performs jobs in threads of this process. Waiting jobs can be lost.

    Threads are created on demand, in each process.
    """

    def __init__(self) -> None:
        self._process = 0
        self._lock = threading.Lock()
        self._places: Any = None
        self._threads: Any = None

    def submit(self, perform: Callable[[str], object], job: str) -> None:
        """Submit a job.

        :raises RuntimeError: if too many jobs wait, or if the program is ending.
        """
        self._prepare()
        places = self._places
        if not places.acquire(blocking=False):
            raise RuntimeError(
                f"{POOL_JOBS} jobs are already waiting in this process. Use an engine "
                "that performs jobs in other processes."
            )
        self._threads.submit(_perform_in_thread, perform, job, places)

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
    except BaseException:  # SystemExit would also be lost silently.
        logs.logger.exception("A job of '%s' failed.", Job.loads(job).task)
