"""Call a function in a thread, and stop waiting when its time is up."""

from __future__ import annotations

import atexit
import contextvars
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, Literal, TypeVar

_T = TypeVar("_T")

#: The reason for a missing result: the time was up, or no thread was free.
Reason = Literal["timeout", "busy"]

#: A job for a thread. It returns a function to call when the thread is free again.
Job = Callable[[], Callable[[], object]]


class TimeIsUp(Exception):
    """A function did not return in time.

    :param reason: the reason.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def shortest(first: float | None, second: float | None) -> float | None:
    """Return the shorter deadline; None if both are None."""
    if first is None or second is None:
        return second if first is None else first
    return min(first, second)


class InThread(Generic[_T]):
    """A call of a function in a thread.

    :param function: the function. It sees the context variables of the caller.
    :param ended_late: called in the thread if the function ends too late, with its
        duration in seconds and its exception.
    :param owner: what the call belongs to.
    """

    #: Whether the function was called.
    has_begun: bool = False
    _value: Any = None
    _error: BaseException | None = None

    def __init__(
        self,
        function: Callable[[], _T],
        ended_late: Callable[[float, BaseException | None], object],
        owner: object,
    ) -> None:
        self._function = function
        self._owner = owner
        self._ended_late = ended_late
        # Taken by the first of two: by the caller, if the function is late, or by the
        # thread, if it is not.
        self._decision = threading.Lock()
        self._has_ended = threading.Lock()
        self._has_ended.acquire()

    def result(self, threads: Threads, until: float) -> _T:
        """Return the result of the function, or raise its exception.

        :param threads: the threads that run it.
        :param until: the end of its time, on the clock ``time.perf_counter``.
        :raises TimeIsUp: if it does not end in time, or cannot start.
        """
        seconds = min(until - time.perf_counter(), threading.TIMEOUT_MAX)
        if seconds <= 0:
            raise TimeIsUp("timeout")
        thread = threads.take(self._owner)
        if thread is None:
            raise TimeIsUp("busy")
        self.has_begun = True
        job = partial(contextvars.copy_context().run, self._run)
        wake, wait = thread.prepare(job), self._has_ended.acquire
        # Nothing may come between these lines, or the thread would wait for this one.
        wake()
        if not wait(timeout=seconds):
            if self._decision.acquire(blocking=False):
                raise TimeIsUp("timeout")
            wait()  # pragma: no cover (it ended in this very moment)
        if self._error is None:
            result: _T = self._value
            return result
        if isinstance(self._error, TimeIsUp):  # pragma: no cover (in this very moment)
            raise TimeIsUp("timeout")
        try:
            raise self._error
        finally:
            self._error = None  # The traceback refers to this frame.

    def _run(self) -> Callable[[], object]:
        """Run the function, in a thread."""
        began = time.perf_counter()
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        is_first = self._decision.acquire(blocking=False)
        if is_first and not isinstance(self._error, TimeIsUp):
            return self._has_ended.release
        # An async function was cancelled, and the caller still waits for this moment.
        if is_first:  # pragma: no cover
            self._has_ended.release()
        raised = None if isinstance(self._error, TimeIsUp) else self._error
        self._ended_late(time.perf_counter() - began, raised)
        return _nothing


def _nothing() -> None:
    """Do nothing."""


class Threads:
    """A bounded pool of threads, without a queue: a job runs at once, or not at all.

    Threads are created on demand, in each process.

    :param size: the maximum number of threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        #: By process, because threads do not survive a fork.
        self._crews: dict[int, _Crew] = {}

    @property
    def busy(self) -> int:
        """The number of busy threads."""
        crew = self._crews.get(os.getpid())
        return 0 if crew is None else len(crew.threads) - len(crew.idle)

    def take(self, owner: object) -> Thread | None:
        """Return an idle thread for a job; None if none is free for it.

        :param owner: what the job belongs to. The last quarter of the threads is for
            those that occupy few, so that one owner cannot occupy all.
        """
        process = os.getpid()
        crew = self._crews.get(process)
        if crew is None:
            # Several threads may come here at once: the first one makes the crew.
            crew = self._crews.setdefault(process, _Crew(self.size))
            weakref.finalize(self, crew.dismiss).atexit = False
        return crew.take(owner)


class _Crew:
    """The threads of one process."""

    def __init__(self, size: int) -> None:
        self.threads: list[Thread] = []
        self.idle: deque[Thread] = deque()
        self.is_dismissed: bool = False
        self._size = size
        self._reserve = min(max(1, size // 4), size - 1)
        self._lock = threading.Lock()
        # Functions registered last are called first. So do not register on import:
        # programs register functions that close the resources of jobs.
        atexit.unregister(_wait)
        atexit.register(_wait)

    def take(self, owner: object) -> Thread | None:
        """Return an idle thread; None if none is free for the owner of a job."""
        with self._lock:
            if self.is_dismissed:  # pragma: no cover (at the end of the process)
                return None
            free = self._size - len(self.threads) + len(self.idle)
            if free <= self._reserve:
                occupied = sum(thread.owner == owner for thread in self.threads)
                if not free or occupied >= self._reserve:
                    return None
            if self.idle:
                thread = self.idle.pop()
            else:
                try:
                    thread = Thread(self)
                except RuntimeError:  # The system has no thread left.
                    return None
                self.threads.append(thread)
            thread.owner = owner
            return thread

    def dismiss(self) -> None:
        """End the threads, because nothing can use them any more."""
        self.is_dismissed = True
        for thread in [*self.threads]:
            thread.wake()


class Thread:
    """A thread that runs jobs, one at a time."""

    def __init__(self, crew: _Crew) -> None:
        self._crew = crew
        self._job: Job | None = None
        #: What its job belongs to; None without a job.
        self.owner: object = None
        self._is_wanted = threading.Lock()
        self._is_wanted.acquire()
        # The program waits for it at its end (see _wait).
        self._thread = threading.Thread(
            target=self._work, name="flask-clustaar-deadline", daemon=True
        )
        # Some interpreters let a thread keep the context variables of its maker.
        contextvars.Context().run(self._thread.start)
        _alive.add(self)

    def prepare(self, job: Job) -> Callable[[], None]:
        """Prepare a job; return a function that starts it."""
        self._job = job
        return self._is_wanted.release

    def wake(self) -> None:
        """Wake the thread, so that it checks whether to end."""
        with suppress(RuntimeError):  # It is already waking.
            self._is_wanted.release()

    def end(self) -> None:  # pragma: no cover (nothing measures the end of a process)
        """Wait until the job has ended, and accept no other one."""
        self._crew.dismiss()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._run_jobs()
        except BaseException:
            # The report of a late job failed. A new thread may replace this one.
            self._crew.threads.remove(self)
            raise
        finally:
            _alive.discard(self)

    def _run_jobs(self) -> None:
        wait, crew = self._is_wanted.acquire, self._crew
        while not crew.is_dismissed:
            # Must follow 'done()' at once, or the caller would wait for this thread.
            wait()
            job, self._job = self._job, None
            if job is not None:
                done = job()
                job = self.owner = None
                crew.idle.append(self)
                done()


#: The threads that have not ended. One that still ran at the end of the interpreter
#: could crash it.
_alive: set[Thread] = set()


def _wait() -> None:  # pragma: no cover (nothing measures the end of a process)
    """Wait until all jobs and threads have ended."""
    for thread in [*_alive]:
        thread.end()
