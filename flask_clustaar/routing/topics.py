"""The signal of a topic, and its index of handlers by step id."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from threading import RLock
from typing import Any, TypeVar

from blinker import ANY, NamedSignal

from ..filters import Filter, StepID
from ..schemas.paths import step_id_of
from .checks import check_handler
from .handlers import Group, Handler

#: A function that blinker can connect.
_F = TypeVar("_F", bound=Callable[..., Any])


class Topic(NamedSignal):
    """The signal of a topic. Each notification is sent on it as the sender.

    Its receivers are handlers, which run in order of registration. A connected
    function is a handler without a filter.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._index: _Index | None = None
        self._lock = RLock()

    def connect(self, receiver: _F, sender: Any = ANY, weak: bool = True) -> _F:
        """Make a function a handler without a filter.

        :param receiver: a function with one argument, the notification. Its return
            value is its answer.
        :param sender: not supported, because each notification is its own sender.
        :param weak: whether to disconnect the function when nothing else refers to it.
        :raises TypeError: if the function cannot be a handler, or with a *sender*.
        """
        if sender is not ANY:
            raise TypeError(
                "The signal of a topic does not support 'sender', because each "
                "notification is its own sender. Register a handler with a filter: "
                f"'@webhook.on({self.name!r}, filter=...)'."
            )
        check_handler(receiver)
        with self._lock:
            super().connect(receiver, weak=weak)
            self._index = None
        return receiver

    def disconnect(self, receiver: Callable[..., Any], sender: Any = ANY) -> None:
        """Disconnect a function, or a handler that was registered with ``on``."""
        with self._lock:
            super().disconnect(receiver, sender)
            self._index = None

    def send(
        self, sender: Any = None, /, **arguments: Any
    ) -> list[tuple[Callable[..., Any], Any]]:
        """Call the handlers that match a notification, and return their answers.

        Handlers are plain callables, so that they are not inspected for ``async def``,
        as blinker does with each receiver.
        """
        return [
            (handler, handler(sender, **arguments))
            for handler in self._wanted_by(sender)
        ]

    def receivers_for(self, sender: Any) -> Generator[Handler, None, None]:
        """Yield the handlers that match a notification, in order of registration.

        All filters run before the first handler.
        """
        yield from self._wanted_by(sender)

    def _wanted_by(self, notification: Any) -> list[Handler]:
        wanted = getattr(notification, "_wanted", None)
        return list(islice(self._matching(notification), wanted))

    def _matching(self, notification: Any) -> Iterator[Handler]:
        """Yield the handlers that match a notification, in order of registration.

        Each filter runs only when the iteration reaches its handler.
        """
        if self.is_muted:
            return
        alone: Group | None = None
        for handler in self._candidates(step_id_of(notification)):
            if alone is not None and alone not in handler._groups:
                return
            test = handler.filter
            # The index has already applied a StepID.
            if test is None or type(test) is StepID or test(notification):
                yield handler
                if handler._groups:
                    alone = handler._alone or alone

    def _all(self) -> list[Handler]:
        """Return all handlers, in order of registration."""
        with self._lock:
            receivers = list(self.receivers.values())
        return list(self._handlers(receivers))

    def _candidates(self, step_id: str | None) -> list[Handler]:
        """Return the handlers for a step and those for any step, in order."""
        if (index := self._index) is None:
            with self._lock:
                index = self._index = _Index(self.receivers.values())
        found = index.find(step_id)
        return list(self._handlers(found)) if index.has_functions else found

    def _handlers(self, receivers: Iterable[_Receiver]) -> Iterator[Handler]:
        """Yield receivers as handlers; a connected function keeps its position."""
        number = -1
        for receiver in receivers:
            if isinstance(receiver, Handler):
                number = receiver._number
                yield receiver
                continue
            weak = isinstance(receiver, weakref.ref)
            function: Callable[..., Any] | None = receiver() if weak else receiver
            if function is not None:
                yield Handler(self.name, function, _number=number)


#: A receiver, as blinker stores it.
_Receiver = Callable[..., Any] | weakref.ref[Callable[..., Any]]


class _Index:
    """The receivers of a topic, by step id.

    Only registered step ids are stored. Otherwise clients could grow the index without
    limit.
    """

    def __init__(self, receivers: Iterable[_Receiver]) -> None:
        #: Whether functions are connected, so that some receivers are not handlers.
        self.has_functions = False
        self._by_step: dict[str | None, list[tuple[int, _Receiver]]] = {None: []}
        for entry in enumerate(receivers):
            own: Filter | None = None
            if isinstance(entry[1], Handler):
                own = entry[1].filter
            else:
                self.has_functions = True
            step_ids = None if own is None else own.step_ids()
            for step_id in [None] if step_ids is None else step_ids:
                self._by_step.setdefault(step_id, []).append(entry)
        self._found: dict[str | None, list[_Receiver]] = {}

    def find(self, step_id: str | None) -> list[Any]:
        """Return the receivers for a step and those for any step, in order."""
        if step_id not in self._by_step:
            step_id = None
        found = self._found.get(step_id)
        if found is None:
            keys = dict.fromkeys([None, step_id])
            entries = [entry for key in keys for entry in self._by_step[key]]
            found = [receiver for _, receiver in sorted(entries, key=itemgetter(0))]
            self._found[step_id] = found
        return found
