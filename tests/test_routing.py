"""How handlers are registered, found and explained."""

from __future__ import annotations

import functools
import gc
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from blinker import NamedSignal
from hypothesis import given
from hypothesis import strategies as st
from keeping import kept_by

from flask_clustaar.errors import ConfigurationError
from flask_clustaar.events import CONVERSATION_STEP_REACHED
from flask_clustaar.filters import (
    Channel,
    Custom,
    Filter,
    JSONKeyEquals,
    StepID,
    TextEquals,
    TextMatches,
)
from flask_clustaar.routing import Handler, HandlerGroup, Router


@dataclass
class Notification:
    """The attributes that routing uses."""

    received: Any
    topic: str = CONVERSATION_STEP_REACHED


def reached(step: Any = "a", channel: str = "facebook", text: str = "hi") -> Any:
    data = {
        "channel": channel,
        "input": {"type": "message", "text": text},
        "step": {"id": step},
    }
    return Notification({"data": data})


def greet(notification: Any) -> None: ...


def watch(notification: Any) -> None: ...


def sorry(notification: Any) -> None: ...


def functions(handlers: list[Handler]) -> list[Callable[[Any], Any]]:
    return [handler.function for handler in handlers]


def matching(router: Router, notification: Any) -> list[Callable[[Any], Any]]:
    """Return the functions of handlers and of the fallback that match."""
    return functions([e.handler for e in router.explain(notification) if e.matched])


@pytest.fixture
def router() -> Router:
    return Router()


# --- Registration -------------------------------------------------------------------


def test_decorator_gives_the_function_back(router: Router) -> None:
    """The function that was decorated is unchanged."""

    @router.on(CONVERSATION_STEP_REACHED, filter=StepID("a"))
    def handler(notification: Any) -> str:
        return "x"

    assert handler(None) == "x"
    assert functions(router.find(reached())) == [handler]


def test_on_can_be_called(router: Router) -> None:
    """A handler can be registered without a decorator."""
    assert router.on(CONVERSATION_STEP_REACHED, greet, filter=StepID("a")) is greet
    assert functions(router.find(reached())) == [greet]
    assert router.find(reached("b")) == []


def test_plain_functions_are_filters(router: Router) -> None:
    """A function of the notification is a filter."""
    router.on("x", greet, filter=lambda n: n.received["size"] > 1)
    assert router.find(Notification({"size": 2}, "x"))
    assert not router.find(Notification({"size": 1}, "x"))


def test_order_is_that_of_registration(router: Router) -> None:
    """Handlers found by index are in order of registration among the others."""
    for number in range(40):
        test = [None, StepID("a"), Channel("facebook")][number % 3]
        router.on(CONVERSATION_STEP_REACHED, functools.partial(greet), filter=test)
    found = router.find(reached())
    assert tuple(found) == router.handlers


def test_one_function_for_several_events(router: Router) -> None:
    """A function can be registered more than once."""
    router.on("x", router.on("y", greet))
    assert functions(router.find(Notification({}, "x"))) == [greet]
    assert functions(router.find(Notification({}, "y"))) == [greet]
    assert router.find(Notification({}, "z")) == []


class Greeter:
    def __call__(self, notification: Any) -> None: ...

    def method(self, notification: Any) -> None: ...

    @staticmethod
    def static(notification: Any, *, loud: bool = False) -> None: ...


def with_database(function: Callable[..., Any]) -> Callable[[Any], Any]:
    @functools.wraps(function)
    def wrapper(notification: Any) -> None: ...

    return wrapper


@with_database
def wrapped(notification: Any, database: Any) -> None: ...


async def later(notification: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (greet, "greet"),
        (later, "later"),
        (lambda *notifications: "x", "<lambda>"),
        (functools.partial(operator.add, "x"), "add"),
        (functools.partial(greet), "greet"),
        (Greeter(), "Greeter.__call__"),
        (Greeter().method, "Greeter.method"),
        (Greeter.static, "Greeter.static"),
        (wrapped, "wrapped"),
        (operator.itemgetter("x"), "itemgetter.__call__"),
        (print, "print"),
        (max, "max"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_can_be_a_handler(router: Router, function: Any, name: str) -> None:
    """Whatever can be called with one argument can be a handler, and has a name."""
    router.on("x", function)
    (handler,) = router.find(Notification({}, "x"))
    assert handler.function is function
    assert handler.name.endswith(f".{name}")
    assert handler.location.startswith("test_routing.py:") or handler.name.startswith(
        ("_operator.", "builtins.", "operator.")
    )


def no_argument() -> None: ...


def two_arguments(notification: Any, other: Any) -> None: ...


def three_arguments(request: Any, response: Any, notification: Any) -> None: ...


def keyword_only(notification: Any, *, database: Any) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_argument, "'no_argument' must accept one argument"),
        (two_arguments, r"Write it as 'def two_arguments\(notification\): ...'.$"),
        (
            three_arguments,
            r"Write it as 'def three_arguments\(notification\): ...'. "
            r"For '\(request, .*\)', use 'flask_clustaar.compat.Webhook'.$",
        ),
        (keyword_only, "'keyword_only' must accept one argument"),
        (Greeter, r"Did you mean 'Greeter\(\)'"),
        ("greet", "not a 'str'"),
        (StepID("a"), r"Did you mean 'filter=StepID\('a'\)'"),
    ],
)
def test_what_cannot_be_a_handler(router: Router, function: Any, message: str) -> None:
    """Registering a function without exactly one argument is an error."""
    with pytest.raises(TypeError, match=message):
        router.on("x", function)
    with pytest.raises(TypeError, match=message):
        router.on("x")(function)
    with pytest.raises(TypeError, match=message):
        router.fallback("x", function)
    assert router.handlers == ()


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        (greet, TypeError, r"Write '@webhook.on\(\"conversation.step_reached\"\)'"),
        (None, TypeError, "The event must be a string"),
        ("", ValueError, "is empty"),
    ],
)
def test_wrong_events(
    router: Router, event: Any, error: type[Exception], message: str
) -> None:
    """An event is a string; a decorator without parentheses is an error."""
    with pytest.raises(error, match=message):
        router.on(event)


def test_wrong_events_of_fallbacks(router: Router) -> None:
    """The event of a fallback is also a string."""
    with pytest.raises(TypeError, match=r"@webhook.fallback\("):
        router.fallback(3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="a fallback needs no event"):
        router.fallback("")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (StepID, r"Did you mean 'StepID\(...\)'"),
        ("abc", r"Did you mean 'StepID\('abc'\)'"),
        (17, "not an int"),
    ],
)
def test_wrong_filters(router: Router, wrong: Any, message: str) -> None:
    """An invalid filter is an error at registration."""
    with pytest.raises(TypeError, match=message):
        router.on("x", greet, filter=wrong)
    if not isinstance(wrong, str):
        with pytest.raises(TypeError, match=message):
            HandlerGroup(filter=wrong)


def test_groups_have_no_names() -> None:
    """Their first argument is a filter, not a name as of a blueprint."""
    with pytest.raises(TypeError, match="'HandlerGroup' takes no name"):
        HandlerGroup("orders")  # type: ignore[arg-type]


def test_frozen(router: Router) -> None:
    """An included group rejects handlers, with a reason."""
    group = HandlerGroup()
    router.include(group)
    message = "Cannot register 'greet'. Its group is already included."
    with pytest.raises(ConfigurationError, match=message):
        group.on("x", greet)
    with pytest.raises(ConfigurationError, match=message):
        group.fallback(greet)


def test_handler_runs_its_function(router: Router) -> None:
    """A handler can be called as its function."""
    router.on("x", lambda notification: notification.topic)
    assert router.handlers[0](Notification({}, "x")) == "x"


def test_decorator_line(router: Router) -> None:
    """A handler has its decorator as source code."""
    router.on("x", greet)
    router.on("x", greet, filter=StepID("a") & ~Channel("b"))
    router.fallback(greet)
    router.fallback("x", greet)
    assert [handler.decorator for handler in router.handlers] == [
        "@webhook.on('x')",
        "@webhook.on('x', filter=StepID('a') & ~Channel('b'))",
        "@webhook.fallback",
        "@webhook.fallback('x')",
    ]


def test_match_of_a_handler(router: Router) -> None:
    """A handler returns the match of its regular expression."""
    router.on(CONVERSATION_STEP_REACHED, greet, filter=TextMatches("h(.)"))
    router.on(CONVERSATION_STEP_REACHED, greet)
    first, second = router.find(reached())
    found = first.match(reached())
    assert found is not None and found[1] == "i"
    assert second.match(reached()) is None


# --- Signals ------------------------------------------------------------------------

TOPIC = CONVERSATION_STEP_REACHED


def names(router: Router, notification: Any) -> list[str]:
    """Return the names of the functions that a notification is sent to."""
    receivers = router.signal(notification.topic).receivers_for(notification)
    return [receiver.function.__name__ for receiver in receivers]


def test_topics_have_signals(router: Router) -> None:
    """Each topic has a blinker signal of the router's own."""
    signal = router.signal(TOPIC)
    assert isinstance(signal, NamedSignal)
    assert signal.name == TOPIC
    assert router.signal(TOPIC) is signal
    assert Router().signal(TOPIC) is not signal


def test_handlers_are_called_with_the_sender(router: Router) -> None:
    """A notification is sent on the signal of its topic, as the sender."""
    router.on(TOPIC, lambda notification: notification.topic)
    router.on(TOPIC, lambda notification: "b", filter=StepID("b"))
    [(handler, returned)] = router.signal(TOPIC).send(reached("a"))
    assert handler in router.handlers
    assert returned == TOPIC


def test_connected_functions_are_handlers(router: Router) -> None:
    """A connected function gets all notifications of the topic."""
    router.signal(TOPIC).connect(greet)
    [handler] = router.find(reached())
    assert (handler.topic, handler.function, handler.filter) == (TOPIC, greet, None)
    assert router.handlers == (handler,)
    assert [each.handler for each in router.explain(reached())] == [handler]
    assert router.find(Notification({}, "x")) == []


def test_connected_functions_run_in_their_place(router: Router) -> None:
    """Order is that of registration, for handlers with a step and without and for
    connected functions.
    """
    router.signal(TOPIC).connect(greet)
    router.on(TOPIC, watch, filter=StepID("a"))
    router.signal(TOPIC).connect(later)
    router.on(TOPIC, sorry)
    router.on(TOPIC, watch, filter=StepID("a"))
    expected = ["greet", "watch", "later", "sorry", "watch"]
    assert names(router, reached("a")) == expected
    assert [each.function.__name__ for each in router.handlers] == expected
    assert names(router, reached("b")) == ["greet", "later", "sorry"]


def test_connected_functions_may_be_forgotten(router: Router) -> None:
    """A weakly connected function is disconnected with its last reference."""

    def local(notification: Any) -> None: ...

    def kept(notification: Any) -> None: ...

    signal = router.signal(TOPIC)
    signal.connect(local)
    signal.connect(kept, weak=False)
    assert names(router, reached()) == ["local", "kept"]
    del local, kept
    gc.collect()
    assert names(router, reached()) == ["kept"]
    assert [each.function.__name__ for each in router.handlers] == ["kept"]


def test_methods_can_be_connected(router: Router) -> None:
    """A bound method lives as long as its object."""
    greeter = Greeter()
    router.signal(TOPIC).connect(greeter.method)
    assert names(router, reached()) == ["method"]
    del greeter
    gc.collect()
    assert names(router, reached()) == []


def test_functions_can_be_disconnected(router: Router) -> None:
    """A disconnected function is not called, and goes last if connected again."""
    signal = router.signal(TOPIC)
    signal.connect(greet)
    signal.connect(watch)
    signal.disconnect(greet)
    assert names(router, reached()) == ["watch"]
    signal.connect(greet)
    assert names(router, reached()) == ["watch", "greet"]


def test_handlers_can_be_disconnected(router: Router) -> None:
    """A registered handler is a receiver of the signal."""
    router.on(TOPIC, greet)
    router.on(TOPIC, watch)
    router.signal(TOPIC).disconnect(router.handlers[0])
    assert names(router, reached()) == ["watch"]
    assert functions(list(router.handlers)) == [watch]


def test_functions_can_be_connected_for_a_while(router: Router) -> None:
    """``connected_to`` disconnects at the end of its block."""
    router.on(TOPIC, watch)
    with router.signal(TOPIC).connected_to(greet):
        assert names(router, reached()) == ["watch", "greet"]
    assert names(router, reached()) == ["watch"]


def test_signals_can_be_muted(router: Router) -> None:
    """While a signal is muted, no handler matches, and the explanation says so."""
    router.on(TOPIC, greet)
    router.signal(TOPIC).connect(watch)
    router.fallback(sorry)
    with router.signal(TOPIC).muted():
        assert router.find(reached()) == []
        assert router.signal(TOPIC).send(reached()) == []
        assert [each.sentence for each in router.explain(reached())] == [
            "'conversation.step_reached' did not match: its signal is muted",
            "'conversation.step_reached' did not match: its signal is muted",
            "fallback matched: no other handler did",
        ]
    assert len(router.find(reached())) == 2


def test_connecting_sends_signals(router: Router) -> None:
    """``receiver_connected`` and ``receiver_disconnected`` are sent."""
    told: list[Any] = []

    def hear(signal: Any, receiver: Any, **extra: Any) -> None:
        told.append((signal, receiver))

    signal = router.signal(TOPIC)
    signal.receiver_connected.connect(hear)
    signal.receiver_disconnected.connect(hear)
    signal.connect(greet)
    signal.disconnect(greet)
    router.on(TOPIC, watch)
    assert told == [
        (signal, greet),
        (signal, greet),
        (signal, router.handlers[0]),
    ]


@pytest.mark.parametrize("sender", ["a", reached()])
def test_receivers_are_for_all_senders(router: Router, sender: Any) -> None:
    """A receiver for a single notification would never be called."""
    with pytest.raises(TypeError, match=r"'@webhook.on\('x', filter=...\)'"):
        router.signal("x").connect(greet, sender)


def test_receivers_take_one_argument(router: Router) -> None:
    """Only functions that can be handlers can be connected."""
    with pytest.raises(TypeError, match="must accept one argument"):
        router.signal("x").connect(two_arguments)
    assert router.handlers == ()


def test_unknown_topics_and_steps_leave_nothing_behind(router: Router) -> None:
    """Anybody can send any topic and step: looking for them keeps nothing."""
    for filter in (None, StepID("a")):
        router.on(TOPIC, greet, filter=filter)
    router.find(reached("a"))
    router.find(reached("b"))
    before = kept_by(router)
    for number in range(100):
        unknown = Notification({}, f"topic.{number}")
        assert router.find(unknown) == []
        assert not any(each.matched for each in router.explain(unknown))
        assert len(router.find(reached(f"step{number}"))) == 1
    assert kept_by(router) == before


def test_all_filters_are_asked_first(router: Router) -> None:
    """A handler does not change what the filters behind it see."""

    def spoil(notification: Any) -> None:
        notification.received["spoilt"] = True

    router.on(TOPIC, spoil)
    router.on(TOPIC, greet, filter=lambda n: "spoilt" not in n.received)
    assert len(router.signal(TOPIC).send(reached())) == 2


# --- Finding ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "received",
    [
        None,
        [],
        "data",
        {},
        {"data": None},
        {"data": []},
        {"data": "step"},
        {"data": {"step": None}},
        {"data": {"step": ["id"]}},
        {"data": {"step": {"id": None}}},
        {"data": {"step": {"id": 0}}},
        {"data": {"step": {"id": ["a"]}}},
        {"data": {"step": {"id": ""}}},
    ],
    ids=repr,
)
def test_notifications_without_a_step_id(router: Router, received: Any) -> None:
    """Without a step's id only handlers for any step are found."""
    router.on("x", greet, filter=StepID("a"))
    router.on("x", watch)
    router.on("x", sorry, filter=JSONKeyEquals("data.step.id", 0))
    step_is_zero = received == {"data": {"step": {"id": 0}}}
    expected = [watch, sorry] if step_is_zero else [watch]
    assert functions(router.find(Notification(received, "x"))) == expected


class Counting(Filter):
    """A filter that counts its calls."""

    calls = 0

    def __call__(self, target: Any) -> bool:
        type(self).calls += 1
        return True


@pytest.mark.parametrize(
    ("make", "calls"),
    [
        (lambda step: StepID(step), 0),
        (lambda step: StepID(step) & Counting(), 1),
        (lambda step: (StepID(step) | StepID(f"{step}x")) & Counting(), 1),
        (lambda step: JSONKeyEquals("data.step.id", step) & Counting(), 1),
    ],
)
def test_handlers_are_found_by_index(
    router: Router, make: Callable[[str], Filter], calls: int
) -> None:
    """Of thousands of handlers with a step each, one is asked."""
    for number in range(2_000):
        router.on(CONVERSATION_STEP_REACHED, greet, filter=make(f"step{number}"))
    Counting.calls = 0
    assert router.find(reached("step77")) == [router.handlers[77]]
    assert Counting.calls == calls
    assert router.find(reached("step77xx")) == []
    assert Counting.calls == calls


def test_a_filter_that_fails_is_reported(router: Router) -> None:
    """An exception of a custom filter is raised, and does not mean "does not match"."""
    router.on("x", greet, filter=lambda n: n.received["absent"])
    with pytest.raises(KeyError):
        router.find(Notification({}, "x"))


def test_handlers_for_steps(router: Router) -> None:
    """``on_step`` is short for the event with a ``StepID``."""
    group = HandlerGroup()
    assert router.on_step("a")(greet) is greet
    group.on_step("a", "b", filter=Channel("facebook"))(watch)
    router.include(group)
    assert [(each.topic, each.filter) for each in router.handlers] == [
        (TOPIC, StepID("a")),
        (TOPIC, StepID("a", "b") & Channel("facebook")),
    ]
    with pytest.raises(TypeError, match="StepID: pass a string"):
        router.on_step(5)  # type: ignore[arg-type]


def test_on_step_needs_a_step(router: Router) -> None:
    """Also when it is written without parentheses."""
    for wrong in ((), (greet,)):
        with pytest.raises(TypeError, match=r"Write '@webhook.on_step\(\"507f"):
            router.on_step(*wrong)


# --- Fallbacks ----------------------------------------------------------------------


def test_fallback_as_a_decorator(router: Router) -> None:
    """A fallback is registered with and without parentheses, and with an event."""

    @router.fallback
    def first(notification: Any) -> None: ...

    @router.fallback("x")
    def second(notification: Any) -> None: ...

    @router.fallback("y")
    def third(notification: Any) -> None: ...

    def which(topic: str) -> list[Callable[[Any], Any]]:
        return matching(router, Notification({}, topic))

    assert (which("x"), which("y"), which("z")) == ([second], [third], [first])
    assert router.find(Notification({}, "x")) == []


def test_fallback_with_empty_parentheses(router: Router) -> None:
    """A fallback with nothing in its parentheses is for all events."""
    assert router.fallback()(sorry) is sorry
    assert matching(router, reached()) == [sorry]


def test_no_fallback(router: Router) -> None:
    """There need not be a fallback."""
    router.on("x", greet)
    router.fallback("y", sorry)
    assert matching(router, Notification({}, "z")) == []


def test_two_fallbacks_for_the_same(router: Router) -> None:
    """A second fallback for the same notifications is an error."""
    router.fallback("x", sorry)
    router.fallback(sorry)
    with pytest.raises(ConfigurationError, match="sorry' is already the fallback"):
        router.fallback("x", greet)
    with pytest.raises(ConfigurationError, match="greet' would never run"):
        router.fallback(greet)


# --- Groups -------------------------------------------------------------------------


def test_group(router: Router) -> None:
    """The filter of a group applies to all its handlers, before their own."""
    group = HandlerGroup(filter=Channel("facebook"))
    group.on(CONVERSATION_STEP_REACHED, greet, filter=StepID("a"))
    group.on(CONVERSATION_STEP_REACHED)(watch)
    group.fallback(sorry)
    router.on(CONVERSATION_STEP_REACHED, later, filter=StepID("a"))
    router.include(group)
    assert functions(router.find(reached())) == [later, greet, watch]
    assert functions(router.find(reached(channel="intercom"))) == [later]
    assert functions([*router.handlers]) == [later, greet, watch, sorry]
    assert router.handlers[1].filter == Channel("facebook") & StepID("a")
    assert names(router, reached("b")) == ["watch"]


def test_fallback_of_a_group(router: Router) -> None:
    """The fallback of the innermost group that matches comes first."""
    inner = HandlerGroup(filter=StepID("a"))
    outer = HandlerGroup(filter=Channel("facebook"))
    router.fallback(CONVERSATION_STEP_REACHED, greet)
    outer.fallback(watch)
    inner.fallback(sorry)
    outer.include(inner)
    router.include(outer)

    assert matching(router, reached("a")) == [sorry]
    assert matching(router, reached("b")) == [watch]
    assert matching(router, reached("a", channel="intercom")) == [greet]
    assert matching(router, Notification({}, "x")) == []


def test_a_group_has_its_handlers() -> None:
    """In the order of registration, with those of groups that it includes."""
    inner, outer = HandlerGroup(), HandlerGroup()
    inner.on("x", watch)
    outer.on("x", greet)
    outer.include(inner)
    outer.fallback(sorry)
    assert functions(list(outer.handlers)) == [greet, watch, sorry]


def test_groups_nest(router: Router) -> None:
    """A handler has the filters of all the groups around it, from the outside in."""
    groups = [HandlerGroup(filter=StepID("a")), HandlerGroup(), HandlerGroup(watch)]
    groups[0].on("x", greet, filter=TextEquals("c"))
    groups[1].include(groups[0])
    groups[2].include(groups[1])
    router.include(groups[2])
    assert repr(router.handlers[0].filter) == "watch & StepID('a') & TextEquals('c')"


def test_one_group_in_several_routers() -> None:
    """A group can be included in several routers, once in each."""
    group = HandlerGroup()
    group.on("x", greet)
    for router in (Router(), Router()):
        router.include(group)
        assert functions(router.find(Notification({}, "x"))) == [greet]
        with pytest.raises(ConfigurationError, match="would run twice"):
            router.include(group)


def test_group_that_was_included_takes_no_more() -> None:
    """A handler that would be lost is an error."""
    group = HandlerGroup()
    Router().include(group)
    with pytest.raises(ConfigurationError, match="after its last handler"):
        group.on("x", greet)


def test_what_cannot_be_included(router: Router) -> None:
    """Only a group can be included, and not in itself."""
    for wrong, name in ((Router(), "Router"), (greet, "function")):
        with pytest.raises(
            TypeError, match=f"requires a 'HandlerGroup', not a '{name}'"
        ):
            router.include(wrong)  # type: ignore[arg-type]
    group = HandlerGroup()
    with pytest.raises(ConfigurationError, match="cannot include itself"):
        group.include(group)


# --- Groups that answer alone -------------------------------------------------------


def alone_router(**wrong: Any) -> Router:
    """A router with handlers before and after a group that answers alone."""
    router, group = Router(), HandlerGroup(filter=Channel("facebook"), alone=True)
    router.on(TOPIC, greet)
    group.on(TOPIC, watch, filter=StepID("a", "b"))
    group.on(TOPIC, sorry, filter=StepID("a"))
    router.include(group)
    router.on(TOPIC, later)
    router.signal(TOPIC).connect(wrapped)
    return router


@pytest.mark.parametrize(
    ("notification", "expected"),
    [
        (reached("a"), ["greet", "watch", "sorry"]),
        (reached("b"), ["greet", "watch"]),
        (reached("c"), ["greet", "later", "wrapped"]),
        (reached("a", channel="intercom"), ["greet", "later", "wrapped"]),
    ],
)
def test_a_group_can_answer_alone(notification: Any, expected: list[str]) -> None:
    """If one of its handlers matches, no later handler runs."""
    assert names(alone_router(), notification) == expected


def test_groups_that_answer_alone_can_be_nested() -> None:
    """The innermost decides: nothing after it runs, be it in the same outer group."""
    router = Router()
    inner, plain = HandlerGroup(filter=StepID("a"), alone=True), HandlerGroup()
    outer = HandlerGroup(filter=Channel("facebook"), alone=True)
    inner.on(TOPIC, greet)
    inner.on(TOPIC, watch)
    outer.include(inner)
    plain.on(TOPIC, sorry)
    outer.include(plain)
    router.include(outer)
    router.on(TOPIC, later)
    assert names(router, reached("a")) == ["greet", "watch"]
    assert names(router, reached("b")) == ["sorry"]
    assert names(router, reached("b", channel="intercom")) == ["later"]


def test_who_answers_alone_is_explained() -> None:
    """The explanation says why handlers after the group do not run."""
    router = alone_router()
    router.on("x", greet)
    explanations = router.explain(reached("b"))
    assert [each.matched for each in explanations] == [True, True] + [False] * 4
    assert ", alone): " in str(explanations[1])
    assert ", alone): " not in str(explanations[0])
    why = f"did not match: the group of '{__name__}.watch' answers alone"
    assert explanations[3].sentence == why
    assert explanations[4].sentence == why
    assert explanations[5].sentence.startswith("'x' did not match")
    assert [each.handler for each in explanations if each.matched] == router.find(
        reached("b")
    )


# --- Explaining ---------------------------------------------------------------------


def test_explain(router: Router) -> None:
    """Each handler is explained, the fallbacks last."""
    router.fallback(sorry)
    router.on("x", greet)
    router.on(CONVERSATION_STEP_REACHED, greet, filter=StepID("b"))
    router.on(CONVERSATION_STEP_REACHED, greet, filter=StepID("a") & Channel("x"))
    router.on(CONVERSATION_STEP_REACHED, greet, filter=lambda n: n.size)
    explanations = router.explain(reached())
    assert [each.sentence for each in explanations] == [
        "'x' did not match: topic is 'conversation.step_reached'",
        "StepID('b') did not match: data.step.id is 'a'",
        "StepID('a') & Channel('x') did not match: data.channel is 'facebook'",
        "test_explain.<locals>.<lambda> failed: it raised AttributeError",
        "fallback matched: no other handler did",
    ]
    assert [each.matched for each in explanations] == [False] * 4 + [True]
    assert str(explanations[1]).startswith(f"{__name__}.greet (test_routing.py:")
    assert str(explanations[1]).endswith("): " + explanations[1].sentence)


def test_explain_handlers_without_a_filter(router: Router) -> None:
    """A handler without a filter matches all notifications of its event."""
    router.on("x", greet)
    router.fallback(sorry)
    assert [
        (each.matched, each.sentence) for each in router.explain(Notification({}, "x"))
    ] == [
        (True, "'x' matched: topic is 'x'"),
        (False, "fallback did not match: another handler did"),
    ]


def test_explain_fallbacks(router: Router) -> None:
    """Of several fallbacks, the one that runs is explained as matching."""
    group = HandlerGroup(filter=StepID("b"))
    group.fallback(watch)
    router.fallback(sorry)
    router.fallback("x", sorry)
    router.fallback(CONVERSATION_STEP_REACHED, greet)
    router.include(group)
    assert [each.sentence for each in router.explain(reached())] == [
        "StepID('b') did not match: data.step.id is 'a'",
        "'x' did not match: topic is 'conversation.step_reached'",
        "fallback matched: no other handler did",
        "fallback did not match: another handler did",
    ]


def test_explain_without_values(router: Router) -> None:
    """Without values, explanations show no texts of users."""
    router.on(CONVERSATION_STEP_REACHED, greet, filter=TextEquals("x"))
    (explanation,) = router.explain(reached(text="secret"))
    assert explanation.sentence.endswith(": data.input.text is 'secret'")
    (explanation,) = router.explain(reached(text="secret"), values=False)
    assert explanation.sentence == (
        "TextEquals('x') did not match: data.input.text is a string"
    )


# --- Any handlers, any notifications ------------------------------------------------

steps = st.sampled_from(["a", "b", "c"])
tests = st.recursive(
    st.one_of(
        st.builds(StepID, steps),
        st.builds(StepID, st.lists(steps, min_size=1)),
        st.builds(JSONKeyEquals, st.just("data.step.id"), steps | st.just(0)),
        st.builds(Channel, st.sampled_from(["facebook", "intercom"])),
        st.sampled_from([TextMatches("^a"), Custom(lambda n: n.topic == "x")]),
    ),
    lambda inner: st.one_of(
        inner.map(operator.invert),
        *(
            st.builds(operate, inner, inner)
            for operate in (operator.and_, operator.or_, operator.xor)
        ),
    ),
    max_leaves=5,
)
topics = st.sampled_from([CONVERSATION_STEP_REACHED, "x"])
registrations = st.lists(
    st.tuples(
        topics,
        st.none() | tests,
        st.sampled_from(["router", "group"]),
    ),
    max_size=8,
)
notifications = st.builds(
    reached,
    steps | st.sampled_from(["d", 0, None]),
    st.sampled_from(["facebook", "intercom", "x"]),
    st.sampled_from(["a", "b"]),
)


@given(registrations, st.none() | tests, notifications, topics)
def test_find_is_the_plain_loop(
    registrations: list[tuple[str, Filter | None, str]],
    group_filter: Filter | None,
    notification: Notification,
    topic: str,
) -> None:
    """Finding by index finds what trying each handler in order does, and the
    explanations agree.
    """
    notification.topic = topic
    router, group = Router(), HandlerGroup(group_filter)
    for event, test, where in registrations:
        (router if where == "router" else group).on(event, greet, filter=test)
    router.include(group)
    plain = [
        handler
        for handler in router.handlers
        if handler.topic == topic
        and (handler.filter is None or handler.filter(notification))
    ]
    assert router.find(notification) == plain
    assert plain == [
        each.handler for each in router.explain(notification) if each.matched
    ]
