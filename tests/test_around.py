"""Context managers around handlers, of the webhook and of groups."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NoReturn

import pytest
from flask import Flask
from flask_babel import Babel, force_locale, get_locale
from flask_babel.speaklater import LazyString

from flask_clustaar import Answer, ClustaarWebhook, HandlerGroup, events
from flask_clustaar.errors import ConfigurationError
from flask_clustaar.filters import StepID, TextMatches
from flask_clustaar.models import (
    Notification,
    OpenURLAction,
    SendQuickRepliesAction,
)
from flask_clustaar.routing import Call, Handler
from flask_clustaar.testing import ClustaarClient

TOPIC = events.CONVERSATION_STEP_REACHED


class Bot:
    """A webhook whose handlers and context managers record their calls."""

    def __init__(self, **settings: Any) -> None:
        self.app = Flask(__name__)
        self.webhook = ClustaarWebhook(self.app, private_key="a key", **settings)
        self.events: list[str] = []

    def say(self, text: str = "hi") -> Any:
        return ClustaarClient(self.app).say(text)

    def handler(self, name: str, error: type[Exception] | None = None) -> Any:
        def handle(notification: Notification) -> str:
            self.events.append(name)
            if error is not None:
                raise error
            return name

        return handle

    def around(self, name: str) -> Any:
        @contextmanager
        def tell(notification: Notification, handler: Handler) -> Iterator[None]:
            self.events.append(f"<{name}")
            try:
                yield
            except Exception as error:
                self.events.append(f"{name} {type(error).__name__}")
                raise
            finally:
                self.events.append(f"{name}>")

        return tell


@pytest.fixture
def bot() -> Bot:
    return Bot()


def test_each_handler_is_called_inside(bot: Bot) -> None:
    """Each call has its own context."""
    bot.webhook.around(bot.around("a"))
    bot.webhook.on(TOPIC, bot.handler("one"))
    bot.webhook.on(TOPIC, bot.handler("two"))
    assert bot.say().texts == ["one", "two"]
    assert bot.events == ["<a", "one", "a>", "<a", "two", "a>"]


def test_the_first_is_outside(bot: Bot) -> None:
    """This is true even if it is registered after the handler."""
    bot.webhook.on(TOPIC, bot.handler("one"))
    bot.webhook.around(bot.around("a"))
    bot.webhook.around(bot.around("b"))
    bot.say()
    assert bot.events == ["<a", "<b", "one", "b>", "a>"]


def test_groups_are_inside_the_webhook(bot: Bot) -> None:
    """The context managers of a group wrap only its handlers, outermost first."""
    inner, outer = HandlerGroup(), HandlerGroup(filter=TextMatches("hi"))
    inner.around(bot.around("inner"))
    inner.on(TOPIC, bot.handler("one"))
    outer.around(bot.around("outer"))
    outer.include(inner)
    outer.on(TOPIC, bot.handler("two"))
    bot.webhook.include(outer)
    bot.webhook.around(bot.around("webhook"))
    bot.webhook.on(TOPIC, bot.handler("three"))
    bot.say()
    assert bot.events == [
        *["<webhook", "<outer", "<inner", "one", "inner>", "outer>", "webhook>"],
        *["<webhook", "<outer", "two", "outer>", "webhook>"],
        *["<webhook", "three", "webhook>"],
    ]


def test_fallbacks_and_connected_functions_are_called_inside(bot: Bot) -> None:
    """They are handlers."""
    bot.webhook.around(bot.around("a"))
    bot.webhook.fallback(bot.handler("fallback"))
    bot.say()
    with bot.webhook.signal(TOPIC).connected_to(bot.handler("connected")):
        bot.say()
    assert bot.events == ["<a", "fallback", "a>", "<a", "connected", "a>"]


def test_the_notification_and_the_handler_are_passed(bot: Bot) -> None:
    """The handler is the registered one."""
    seen: list[tuple[Notification, Handler]] = []

    @bot.webhook.around
    @contextmanager
    def look(notification: Notification, handler: Handler) -> Iterator[None]:
        seen.append((notification, handler))
        yield

    bot.webhook.on(TOPIC, bot.handler("one"))
    bot.say("hello")
    [(notification, handler)] = seen
    assert notification.text == "hello"
    assert handler == bot.webhook.handlers[0]


@pytest.mark.parametrize("is_async", [False, True])
def test_what_was_returned_is_known_after_the_yield(bot: Bot, is_async: bool) -> None:
    """An argument ``call`` has it; awaited, if the handler is async."""
    seen: list[Any] = []

    @bot.webhook.around
    @contextmanager
    def look(notification: Any, handler: Handler, call: Call) -> Iterator[None]:
        seen.append(call.returned)
        yield
        seen.append(call.returned)

    async def later(notification: Any) -> list[str]:
        return ["a", "b"]

    bot.webhook.on(TOPIC, later if is_async else lambda notification: ["a", "b"])
    assert bot.say().texts == ["a", "b"]
    assert seen == [None, ["a", "b"]]


def test_classes_are_context_managers(bot: Bot) -> None:
    """Anything that returns a context manager can be around."""

    @bot.webhook.around
    class Around:
        def __init__(self, notification: Notification, handler: Handler) -> None:
            self.name = notification.text

        def __enter__(self) -> None:
            bot.events.append(f"<{self.name}")

        def __exit__(self, *error: object) -> None:
            bot.events.append(f"{self.name}>")

    bot.webhook.on(TOPIC, bot.handler("one"))
    bot.say("hi")
    assert bot.events == ["<hi", "one", "hi>"]


def test_async_handlers_run_inside(bot: Bot) -> None:
    """The handler sees context variables that the context manager sets."""
    language = contextvars.ContextVar("language", default="none")

    @bot.webhook.around
    @contextmanager
    def localized(notification: Notification, handler: Handler) -> Iterator[None]:
        token = language.set("fr")
        yield
        language.reset(token)

    @bot.webhook.on(TOPIC)
    async def later(notification: Notification) -> str:
        await asyncio.sleep(0)
        return language.get()

    assert bot.say().texts == ["fr"]


def test_lazy_texts_are_translated_inside(bot: Bot) -> None:
    """Wherever they are in an answer, which the next user gets in another language."""
    Babel(bot.app)
    lazy = LazyString(lambda: str(get_locale()))
    hats = SendQuickRepliesAction.ask(lazy, {"x": OpenURLAction(url="https://e.co")})
    hats.buttons[0].title = lazy
    text = {"type": "send_text_action", "alternatives": [lazy]}

    @bot.webhook.around
    @contextmanager
    def in_language(notification: Notification, handler: Handler) -> Iterator[None]:
        with force_locale(notification.text):
            yield

    @bot.webhook.fallback
    def ask(notification: Notification) -> Answer:
        return [lazy, hats, text, *notification.step.actions]

    made = {"type": "odd_action", "message": "unchanged"}
    for language in ("fr", "de"):
        client = ClustaarClient(bot.app).at("507f191e810c19729de860ea", actions=[made])
        spoken, asked, dumped, passed_on = client.say(language).json["actions"]
        assert spoken["text"] == asked["message"] == language
        assert asked["buttons"][0]["title"] == language
        assert dumped["alternatives"] == [language]
        assert passed_on == made


def test_a_handler_that_fails_is_seen(bot: Bot) -> None:
    """The exception passes through, and handlers behind do not run."""
    bot.webhook.around(bot.around("a"))
    bot.webhook.on(TOPIC, bot.handler("one"))
    bot.webhook.on(TOPIC, bot.handler("two", KeyError))
    bot.webhook.on(TOPIC, bot.handler("three"))
    assert bot.say().problem["code"] == "handler_failed"
    assert bot.events == ["<a", "one", "a>", "<a", "two", "a KeyError", "a>"]


def test_an_invalid_return_value_is_raised(bot: Bot) -> None:
    """A transaction is rolled back if the return value is invalid."""
    bot.webhook.around(bot.around("a"))
    bot.webhook.on(TOPIC, lambda notification: 5)  # type: ignore[type-var]
    assert bot.say().problem["code"] == "handler_failed"
    assert bot.events == ["<a", "a TypeError", "a>"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_exception_around_is_a_failure_of_the_handler(bot: Bot, when: str) -> None:
    """Before the yield, the handler does not run."""

    @bot.webhook.around
    @contextmanager
    def broken(notification: Notification, handler: Handler) -> Iterator[None]:
        if when == "before":
            raise ZeroDivisionError
        yield
        raise ZeroDivisionError

    bot.webhook.on(TOPIC, bot.handler("one"))
    problem = bot.say().problem
    assert problem["code"] == "handler_failed"
    assert "handle' raised ZeroDivisionError." in problem["detail"]
    assert bot.events == ([] if when == "before" else ["one"])


def test_a_return_value_that_is_not_a_context_manager_is_a_failure(bot: Bot) -> None:
    """A function with another return value is an error at the first call."""
    bot.webhook.around(lambda notification, handler: None)  # type: ignore[type-var]
    bot.webhook.on(TOPIC, bot.handler("one"))
    assert bot.say().problem["code"] == "handler_failed"
    assert bot.events == []


def test_an_exception_can_be_suppressed(bot: Bot) -> None:
    """The handler counts as one that returned None."""

    @bot.webhook.around
    @contextmanager
    def lenient(notification: Notification, handler: Handler) -> Iterator[None]:
        with suppress(KeyError):
            yield

    bot.webhook.on(TOPIC, bot.handler("one", KeyError))
    bot.webhook.on(TOPIC, bot.handler("two"))
    assert bot.say().texts == ["two"]


def test_error_handlers_and_filters_are_outside(bot: Bot) -> None:
    """Context managers wrap only handlers."""
    bot.webhook.around(bot.around("a"))
    bot.webhook.errorhandler(KeyError)(lambda error: "sorry")
    bot.webhook.on(TOPIC, bot.handler("one", KeyError), filter=StepID("a", "b"))
    bot.webhook.fallback(bot.handler("two", KeyError))
    assert bot.say().texts == ["sorry"]
    assert bot.events == ["<a", "two", "a KeyError", "a>"]


def test_it_can_be_too_late(bot: Bot) -> None:
    """After the first request, and after a group was included."""
    group = HandlerGroup()
    bot.webhook.include(group)
    with pytest.raises(ConfigurationError, match="Cannot register '.*tell'"):
        group.around(bot.around("a"))
    bot.say()
    with pytest.raises(ConfigurationError, match="Cannot register '.*tell'"):
        bot.webhook.around(bot.around("a"))


def generator(notification: Any, handler: Any) -> Iterator[None]:
    yield pytest.fail("This is never called.")


async def coroutine(notification: Any, handler: Any) -> NoReturn:
    raise AssertionError("This is never called.")


@asynccontextmanager
async def async_manager(notification: Any, handler: Any) -> Any:
    yield pytest.fail("This is never called.")


def one_argument(notification: Any) -> NoReturn:
    raise AssertionError("This is never called.")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (generator, "'generator' is a generator function.*'@contextmanager' between"),
        (coroutine, "'coroutine' is async"),
        (async_manager, "'async_manager' is async"),
        (
            one_argument,
            r"'one_argument' cannot be called.*'def name\(notification, handler\)",
        ),
        (contextmanager(one_argument), "'one_argument' cannot be called"),
        (suppress(KeyError), "'@contextmanager'"),
    ],
)
def test_what_cannot_be_around(bot: Bot, wrong: Any, message: str) -> None:
    """It is an error when the program starts, which says what to write."""
    with pytest.raises(TypeError, match=message):
        bot.webhook.around(wrong)


def test_the_function_is_returned_unchanged(bot: Bot) -> None:
    """Every decorator of a webhook does this."""
    function = bot.around("a")
    assert bot.webhook.around(function) is function
