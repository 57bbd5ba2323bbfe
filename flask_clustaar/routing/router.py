"""Find the handlers for a notification, and explain the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple

from ..describe import named_steps, shorten
from ..errors import ClustaarError
from ..events import CONVERSATION_STEP_REACHED
from ..schemas.paths import step_id_of
from .groups import HandlerRegistry
from .handlers import Around, ErrorHandler, Group, Handler, decorator_line
from .topics import Topic


class Explanation(NamedTuple):
    """Whether a handler matches a notification, and why."""

    handler: Handler
    #: For a fallback: whether it is the one that would run.
    matched: bool
    #: The reason, as text.
    sentence: str

    def __str__(self) -> str:
        place = self.handler.location + (", alone" if self.handler.alone else "")
        return f"{self.handler.name} ({place}): {self.sentence}"


class Router(HandlerRegistry):
    """All handlers of a webhook; finds those for a notification."""

    def __init__(self) -> None:
        super().__init__()
        self._topics: dict[str, Topic] = {}
        self._fallbacks: list[Handler] = []

    @property
    def handlers(self) -> tuple[Handler, ...]:
        """The handlers in order of registration, including fallbacks.

        They include functions that are connected to the signal of a topic.
        """
        found = [handler for handler in self._handlers if handler.is_fallback]
        for topic in self._topics.values():
            found += topic._all()
        return tuple(sorted(found, key=attrgetter("_number")))

    def signal(self, topic: str) -> Topic:
        """Return the blinker signal of a topic, whose receivers are its handlers.

        Each notification is sent on the signal of its topic, as the sender. A connected
        function is a handler without a filter, for example temporarily in a test::

            with webhook.signal(events.CONVERSATION_STEP_REACHED).connected_to(spy):
                client.say("hi")

        :param topic: the topic of the notifications (:mod:`flask_clustaar.events`).
        """
        return self._topics.setdefault(topic, Topic(topic))

    def find(self, notification: Any) -> list[Handler]:
        """Return the handlers that match, in order of registration."""
        topic = self._topics.get(notification.topic)
        return [] if topic is None else list(topic._matching(notification))

    def explain(self, notification: Any, *, values: bool = True) -> list[Explanation]:
        """Explain for each handler, in order of registration, whether it matches.

        The fallbacks come last, in the order in which they are tried. A filter that
        raises an exception does not match.

        :param values: False to hide what users wrote, as for
            :meth:`flask_clustaar.filters.Filter.explain`.
        """
        explanations = []
        answered = False
        alone: Group | None = None
        answering = ""
        ordinary = (each for each in self.handlers if not each.is_fallback)
        for handler in [*ordinary, *self._fallbacks]:
            if handler.is_fallback and answered:
                matched, sentence = False, "fallback did not match: another handler did"
            elif (
                alone
                and handler.topic == notification.topic
                and (alone not in handler._groups)
            ):
                matched = False
                sentence = f"did not match: the group of '{answering}' answers alone"
            elif self._is_muted(handler):
                sentence = f"{handler.topic!r} did not match: its signal is muted"
                matched = False
            else:
                matched, sentence = _explained(handler, notification, values)
            answered = answered or matched
            if matched and (group := handler._alone):
                alone, answering = group, handler.name
            explanations.append(Explanation(handler, matched, sentence))
        return explanations

    def _arounds_of(self, handler: Handler) -> list[Around]:
        """Return the ``around`` functions of a handler, outermost first."""
        if not handler._groups:
            return self._arounds
        inner = [each for group in handler._groups for each in group._arounds]
        return [*self._arounds, *inner]

    def _error_handler_for(
        self, handlers: Sequence[Handler], raised: BaseException, problem: BaseException
    ) -> ErrorHandler | None:
        """Return the error handler of the innermost group, for the most specific class.

        :param handlers: the handlers that may have caused the error; only groups that
            contain all of them are searched.
        :param raised: the exception that the handler raised.
        :param problem: what it became. Its classes of this package come after those of
            *raised*.
        """
        own = [k for k in type(problem).__mro__ if issubclass(k, ClustaarError)]
        kinds = [*type(raised).__mro__, *own]
        groups = handlers[0]._groups if handlers else ()
        common = [g for g in groups if all(g in each._groups for each in handlers)]
        registries: list[Group | HandlerRegistry] = [*reversed(common), self]
        for registry in registries:
            for kind in kinds:
                if found := registry._error_handlers.get(kind):
                    return found
        return None

    def _late_handler_for(self, handler: Handler) -> Handler | None:
        """Return the late handler of the innermost group of a handler that is late."""
        for depth in range(len(handler._groups), 0, -1):
            if (late := handler._groups[depth - 1]._late) is not None:
                return replace(late, _groups=handler._groups[:depth])
        return self._late

    def _send(self, notification: Any, **arguments: Any) -> list[tuple[Any, Any]]:
        """Send a notification on the signal of its topic.

        :returns: the handlers that matched, with their return values.
        """
        # Not 'signal()', which would store every topic that a client makes up.
        topic = self._topics.get(notification.topic)
        return [] if topic is None else topic.send(notification, **arguments)

    def _fallback_for(self, notification: Any) -> Handler | None:
        """Return the fallback for a notification that no other handler matches."""
        for handler in self._fallbacks:
            if handler.topic is not None and handler.topic != notification.topic:
                continue
            if handler.filter is None or handler.filter(notification):
                return handler
        return None

    def _suggestion(self, notification: Any) -> str:
        """Return a decorator, as source code, that would match the notification."""
        step_id = step_id_of(notification)
        named = named_steps.get(step_id or "")
        shown = repr(named) if named else shorten(step_id)
        if step_id and notification.topic == CONVERSATION_STEP_REACHED:
            return f"@webhook.on_step({shown})"
        return decorator_line(
            shorten(notification.topic), f"StepID({shown})" if step_id else None
        )

    def _is_muted(self, handler: Handler) -> bool:
        return (
            not handler.is_fallback
            and handler.topic is not None
            and self._topics[handler.topic].is_muted
        )

    def _register(self, handler: Handler) -> Handler:
        handler = super()._register(handler)
        if handler.topic is None or handler.is_fallback:
            self._fallbacks.append(handler)
            self._fallbacks.sort(key=_place_of_fallback)
        else:
            self.signal(handler.topic).connect(handler, weak=False)
        return handler


def _place_of_fallback(handler: Handler) -> tuple[int, bool]:
    """Return the sort key of a fallback: innermost groups first."""
    filters = sum(group.filter is not None for group in handler._groups)
    return -filters, handler.topic is None


def _explained(handler: Handler, notification: Any, values: bool) -> tuple[bool, str]:
    topic = shorten(notification.topic)
    if handler.topic is not None and handler.topic != notification.topic:
        return False, f"{handler.topic!r} did not match: topic is {topic}"
    if handler.filter is None:
        if handler.is_fallback:
            return True, "fallback matched: no other handler did"
        return True, f"{handler.topic!r} matched: topic is {topic}"
    try:
        return handler.filter._explained(notification, values=values)
    except Exception as error:
        return False, f"{handler.filter!r} failed: it raised {type(error).__name__}"
