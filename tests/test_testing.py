"""Testing a bot without the platform: notifications, and a user who talks."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, g, redirect, request
from flask.typing import ResponseReturnValue

from flask_clustaar import ClustaarWebhook, Notification, events, testing
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    AskDocumentAction,
    AskedDocument,
    AskLocationAction,
    Button,
    ButtonAction,
    Card,
    Choice,
    Coordinates,
    CustomerSatisfactionAction,
    CustomerSatisfactionCallbackAction,
    CustomerSatisfactionChoice,
    CustomEvent,
    DocumentAttachment,
    GoToAction,
    Image,
    Input,
    Interlocutor,
    LegacyReplyToMessageAction,
    Message,
    OpenURLAction,
    OpenURLButton,
    PauseBotAction,
    QuickReply,
    Section,
    SendCardsAction,
    SendChoicesListAction,
    SendQuickRepliesAction,
    SendSimpleCardsAction,
    SendTextAction,
    ShareAction,
    SimpleCard,
    Step,
    StepTarget,
    UnknownInput,
    URLLoadedEvent,
    WaitAction,
)
from flask_clustaar.testing import BOT_ID, STEP_ID, ClustaarClient, make_notification

RED = "507f191e810c19729de860ea"
STORY = "507f191e810c19729de860ec"


def make_app(answer: Any = None, **settings: Any) -> Flask:
    """Return an application whose bot answers *answer*, or what that returns."""
    app = Flask(__name__)
    webhook = ClustaarWebhook(app, **{"private_key": "for tests", **settings})
    handler = answer if callable(answer) else lambda notification: answer
    webhook.on(events.CONVERSATION_STEP_REACHED, handler)
    return app


def make_client(answer: Any = None, **settings: Any) -> ClustaarClient:
    return ClustaarClient(make_app(answer, **settings))


def offering(*actions: Action) -> tuple[ClustaarClient, list[Notification]]:
    """Return a client whose last reply has *actions*, and the next notifications."""
    seen: list[Notification] = []

    def answer(notification: Notification) -> list[Action]:
        seen.append(notification)
        return [*actions]

    client = make_client(answer)
    client.say("hi")
    seen.clear()
    return client, seen


def quick(title: str, action: ButtonAction) -> SendQuickRepliesAction:
    button = QuickReply(title=title, action=action)
    return SendQuickRepliesAction(message="?", buttons=[button])


# -- notifications -------------------------------------------------------------------


def test_notification_has_readable_defaults() -> None:
    """All parts of a notification have defaults."""
    notification = make_notification()

    assert isinstance(notification, Notification)
    assert notification.topic == events.CONVERSATION_STEP_REACHED
    assert notification.bot_id == BOT_ID
    assert notification.channel == "clustaar_web_chat"
    assert notification.text == "hi"
    assert notification.session.values == {}
    assert notification.interlocutor.first_name == "John"
    assert notification.interlocutor.email == "john@example.com"
    assert (notification.step.id, notification.step.name) == (STEP_ID, "A step")
    assert notification.step.actions == []
    assert notification.timestamp is not None
    assert abs(notification.timestamp - time.time()) < 60


def test_notification_says_what_the_test_says() -> None:
    """Each argument is somewhere in the notification."""
    notification = make_notification(
        step=RED,
        step_name="Red",
        actions=[PauseBotAction(), {"type": "wait_action", "duration": 1}],
        user_data="x",
        text="hello",
        session={"colour": "red"},
        user={"first_name": "Jane", "location": Coordinates(lat=1, long=2)},
        channel="intercom",
        bot_id=STORY,
        topic="some.topic",
        timestamp=5,
    )

    assert (notification.step.id, notification.step.name) == (RED, "Red")
    assert notification.step.actions == [PauseBotAction(), WaitAction(duration=1)]
    assert notification.step.user_data == "x"
    assert notification.text == "hello"
    assert notification.session["colour"] == "red"
    assert notification.interlocutor.first_name == "Jane"
    assert notification.interlocutor.last_name == "Doe"
    assert notification.interlocutor.location == Coordinates(lat=1, long=2)
    assert notification.channel == "intercom"
    assert notification.bot_id == STORY
    assert notification.topic == "some.topic"
    assert notification.timestamp == 5


def test_notification_is_loaded_from_json() -> None:
    """A notification is loaded as the webhook would load it."""
    received = make_notification(session={"a": [1]}).received

    assert json.loads(json.dumps(received)) == received
    assert received["data"]["interlocutor"]["userID"] == "john"
    assert received["data"]["session"] == {"values": {"a": [1]}}


@pytest.mark.parametrize(
    ("input", "expected"),
    [
        (CustomEvent(name="paid"), CustomEvent(name="paid")),
        (GoToAction.step(RED), GoToAction.step(RED)),
        ({"type": "message", "text": "5 < 6"}, Message(text="5 < 6")),
        ({"type": "telepathy"}, UnknownInput(data={"type": "telepathy"})),
        (None, None),
    ],
)
def test_notification_has_another_input(
    input: Input | dict[str, Any] | None, expected: Input | None
) -> None:
    """An input wins over the text: a model, JSON, or none."""
    assert make_notification(text="hello", input=input).input == expected


def test_notification_has_no_session() -> None:
    """A session of None is null on the wire."""
    notification = make_notification(session=None)

    assert notification.received["data"]["session"] is None
    assert notification.session.values == {}


def test_notification_has_a_whole_user() -> None:
    """A user that is a model has no attributes of John Doe."""
    user = make_notification(user=Interlocutor(id=RED, remote_id="j")).interlocutor

    assert (user.remote_id, user.first_name) == ("j", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("firstName", "Did you mean 'first_name'?"),
        ("userID", "Did you mean 'remote_id'?"),
        ("emial", "Did you mean 'email'?"),
        ("age", "no attribute 'age'. Custom attributes belong in 'custom_attr"),
    ],
)
def test_attribute_that_a_user_does_not_have(name: str, message: str) -> None:
    """A misspelt attribute is an error with a suggestion."""
    with pytest.raises(TypeError, match=message.replace("?", r"\?")):
        make_notification(user={name: "x"})


@pytest.mark.parametrize(
    "step",
    [
        {"id": RED, "name": "Red", "userData": "x", "actions": []},
        Step(id=RED, name="Red", user_data="x"),
        make_notification(step=RED, step_name="Red", user_data="x").step,
    ],
)
def test_notification_has_a_whole_step(step: Step | dict[str, Any]) -> None:
    """A step can be a model or JSON."""
    reached = make_notification(step=step).step

    assert (reached.id, reached.name, reached.user_data) == (RED, "Red", "x")


@pytest.mark.parametrize(
    "more", [{"step_name": "x"}, {"actions": [{}]}, {"user_data": ""}]
)
def test_whole_step_is_not_passed_twice(more: dict[str, Any]) -> None:
    """A whole step cannot be combined with its parts."""
    with pytest.raises(TypeError, match="Pass either a whole step"):
        make_notification(step=Step(id=RED), **more)


def test_wrong_model_is_an_error_at_its_path() -> None:
    """An impossible notification is an error with its reason."""
    with pytest.raises(
        ValueError, match="would never send this WaitAction:\nduration: "
    ):
        make_notification(actions=[WaitAction(duration=99)])
    with pytest.raises(ValueError, match="customAttributes.age: "):
        make_notification(user={"custom_attributes": {"age": 25}})


def test_json_is_taken_as_it_is() -> None:
    """Unknown types can be in a notification as JSON."""
    hologram = {"type": "send_hologram_action", "size": 9}
    long = {"type": "send_text_action", "alternatives": ["x" * 2000], "new": True}

    notification = make_notification(actions=[hologram, long])

    assert notification.step.received["actions"] == [hologram, long]


def test_value_that_is_not_json_is_an_error() -> None:
    """Session values are JSON."""
    with pytest.raises(TypeError, match="date is not JSON"):
        make_notification(session={"day": datetime.date(2020, 1, 1)})
    with pytest.raises(ValueError, match="not JSON compliant"):
        make_notification(session={"x": float("nan")})


# -- authentication ------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"auth_username": "jane", "auth_password": "a:b:é"},
        {"private_key": None, "auth_username": "jane", "auth_password": "secret"},
        {"credentials": [["new", "1"], ["old", "2"]], "private_key": ["new", "old"]},
        {"signature_algorithms": "sha256"},
        {"date_header": "X-original-date"},
        {"request_max_age": None},
        {"replay_store": "off"},
        {"url_prefix": "/"},
        {"url_prefix": "/bots/sales/"},
        {"name": "sales"},
    ],
)
def test_requests_of_the_client_are_authenticated(settings: dict[str, Any]) -> None:
    """Requests are signed and authenticated as the settings want it."""
    client = make_client("Hello", **settings)

    assert client.say("hi").texts == ["Hello"]
    if client.settings.keys:
        forged = client.send(make_notification(), headers={"X-Hub-Signature": "sha1=0"})
        assert forged.status_code == 400


@pytest.mark.filterwarnings("ignore::flask_clustaar.InsecureWebhookWarning")
def test_client_needs_no_secrets() -> None:
    """The client works with a webhook without authentication."""
    assert make_client("Hello", private_key=None).say("hi").texts == ["Hello"]


def test_headers_can_be_replaced() -> None:
    """Given headers are sent, and a date is signed; None removes a header."""
    client = make_client("Hello", auth_username="jane", auth_password="secret")

    def code(headers: dict[str, str | None]) -> str:
        problem = client.send(make_notification(), headers=headers).problem
        assert problem is not None
        return str(problem["code"])

    assert code({"authorization": None}) == "credentials_missing"
    assert code({"Authorization": "Basic eDp5"}) == "credentials_invalid"
    assert code({"X-Hub-Signature": None}) == "signature_missing"
    assert code({"X-Hub-Signature": f"sha1={'0' * 40}"}) == "signature_invalid"
    assert code({"Date": None}) == "date_missing"
    assert code({"date": "Thu, 13 Sep 2018 11:48:23 GMT"}) == "request_too_old"
    assert code({"Content-Type": "text/html"}) == "unsupported_content"


def test_each_notification_is_a_delivery() -> None:
    """The same notification twice in a second is handled twice."""
    seen: list[Notification] = []
    client = make_client(seen.append)
    notification = make_notification()

    client.send(notification)
    client.send(notification)
    client.say("hi")

    assert len(seen) == 3


def test_delivery_that_is_sent_again_is_handled_once() -> None:
    """A repeated request gets the first reply."""
    seen: list[Notification] = []

    def answer(notification: Notification) -> str:
        seen.append(notification)
        return f"answer {len(seen)}"

    client = make_client(answer)

    first = client.say("hi")

    assert client.resend().texts == first.texts == ["answer 1"]
    assert len(seen) == 1


def test_nothing_can_be_sent_again() -> None:
    """Sending again needs something that was sent."""
    with pytest.raises(LookupError, match="no request to send again"):
        make_client().resend()


# -- where the webhook is ------------------------------------------------------------


def nest(app: Flask, webhook: ClustaarWebhook) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    inner.register_blueprint(webhook.blueprint, url_prefix="/hook")
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/outer")


def rename(app: Flask, webhook: ClustaarWebhook) -> None:
    app.register_blueprint(webhook.blueprint, name="other", url_prefix="/other")


def put_on_subdomain(app: Flask, webhook: ClustaarWebhook) -> None:
    app.config["SERVER_NAME"] = "example.com"
    app.subdomain_matching = True
    app.url_map.default_subdomain = ""
    app.register_blueprint(webhook.blueprint, subdomain="bots")


def put_below(app: Flask, webhook: ClustaarWebhook) -> None:
    app.config["APPLICATION_ROOT"] = "/root"
    webhook.init_app(app)


@pytest.mark.parametrize(
    ("register", "url"),
    [
        (nest, "http://localhost/outer/inner/hook"),
        (rename, "http://localhost/other"),
        (put_below, "http://localhost/root/clustaar"),
        (put_on_subdomain, "http://bots.example.com/clustaar"),
    ],
)
def test_webhook_is_found_wherever_it_is(
    register: Callable[[Flask, ClustaarWebhook], None], url: str
) -> None:
    """The URL comes from the application, not from the webhook's name."""
    app, webhook = Flask(__name__), ClustaarWebhook(private_key="for tests")
    register(app, webhook)
    webhook.fallback(lambda notification: "Hello")
    client = ClustaarClient(app)

    assert client.url.removesuffix("/") == url
    assert client.say("hi").texts == ["Hello"]


def make_bots() -> tuple[Flask, ClustaarWebhook, ClustaarWebhook]:
    app = Flask(__name__)
    sales = ClustaarWebhook(app, name="sales", private_key="a")
    support = ClustaarWebhook(app, name="support", private_key="b")
    sales.fallback(lambda notification: "Buy!")
    support.fallback(lambda notification: "Sorry.")
    return app, sales, support


def test_client_talks_with_one_of_several_bots() -> None:
    """A bot is chosen by its name, or by its webhook."""
    app, sales, _ = make_bots()

    assert ClustaarClient(app, sales).say("hi").texts == ["Buy!"]
    assert ClustaarClient(app, "support").say("hi").texts == ["Sorry."]


@pytest.mark.parametrize("name", [None, "salse"])
def test_bot_is_not_guessed(name: str | None) -> None:
    """If there are several bots, the test has to name one."""
    app, _, _ = make_bots()

    with pytest.raises(RuntimeError, match=r"'sales' and 'support'\. Choose one"):
        ClustaarClient(app, name)


def test_application_without_a_bot() -> None:
    """An application without the webhook is an error with a hint."""
    _, sales, _ = make_bots()

    with pytest.raises(RuntimeError, match="no webhook. Did you forget"):
        ClustaarClient(Flask(__name__))
    with pytest.raises(RuntimeError, match="not in this application"):
        ClustaarClient(Flask(__name__), sales)


def test_one_bot_in_several_applications() -> None:
    """Each application that a factory makes has its own settings."""
    webhook = ClustaarWebhook()
    webhook.fallback(lambda notification: "Hello")

    for key in ("a", "b"):
        app = Flask(__name__)
        app.config["CLUSTAAR_PRIVATE_KEY"] = key
        webhook.init_app(app)
        assert ClustaarClient(app).say("hi").texts == ["Hello"]


# -- a conversation ------------------------------------------------------------------


def test_conversation_reads_as_one() -> None:
    """The state of the conversation continues from act to act."""
    app = Flask(__name__)
    webhook = ClustaarWebhook(app, private_key="for tests")

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(STEP_ID))
    def ask(notification: Notification) -> Any:
        notification.session["name"] = notification.text
        red = GoToAction.step(RED, session_values={"colour": "red"})
        blue = OpenURLAction(url="https://example.com/blue")
        buttons = [
            QuickReply(title="Red", action=red),
            QuickReply(title="Blue", action=blue),
        ]
        question = SendQuickRepliesAction(
            message="Which <b>colour</b>?", buttons=buttons
        )
        return [f"Hello {notification.text}", question]

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(RED))
    def paint(notification: Notification) -> str:
        notification.interlocutor.first_name = notification.session["name"]
        return f"{notification.session['colour']} it is."

    client = ClustaarClient(app, session={"visits": 1})

    reply = client.say("Jane")
    assert reply.ok
    assert reply.status_code == 200
    assert reply.problem is None
    assert reply.texts == ["Hello Jane", "Which <b>colour</b>?"]
    assert reply.titles == ["Red", "Blue"]
    assert reply.actions[0] == SendTextAction("Hello Jane")
    assert reply.json["actions"][0]["text"] == "Hello Jane"
    assert reply.session == {"visits": 1, "name": "Jane"}
    assert reply.interlocutor.first_name == "John"

    reply = client.click("Red")
    assert reply.texts == ["red it is."]
    assert reply.interlocutor.first_name == "Jane"
    assert client.step.id == RED
    assert client.session == {"visits": 1, "name": "Jane", "colour": "red"}
    assert client.user.first_name == "Jane"

    assert f"{client}\n" == (
        f"at {STEP_ID}\n"
        "session visits = 1\n"
        "you  Jane\n"
        "bot  Hello Jane\n"
        "bot  Which colour?\n"
        "     [Red] [Blue]\n"
        'session name = "Jane"\n'
        "you  [Red]\n"
        f"at {RED}\n"
        "bot  red it is.\n"
        'session colour = "red"\n'
        'user first_name = "Jane"\n'
    )
    assert repr(reply) == "<Reply: red it is.>"
    assert repr(client) == f"<ClustaarClient of 'clustaar' at step '{RED}'>"


def test_conversation_does_not_upset_a_terminal() -> None:
    """Control characters in texts are escaped."""
    client = ClustaarClient(make_app("\x9bJ"), session={"\x7f": 1})
    client.at(RED, step_name="\x1b[2J").say("\x1b[2J")

    assert not {"\x1b", "\x7f", "\x9b"} & set(str(client))


def test_user_writes_and_sends_media() -> None:
    """The text is sent unchanged, with its attachments."""
    client, seen = offering()
    client.say("5 < 6", attachments=[Image(url="https://example.com/a.png")])

    attachments: list[Any] = [Image(url="https://example.com/a.png")]
    assert seen[0].input == Message(text="5 < 6", attachments=attachments)


def test_website_sends_an_event() -> None:
    """An event is a separate input."""
    client, seen = offering()
    client.emit("paid")

    assert seen[0].input == CustomEvent(name="paid")


def test_webchat_is_loaded_on_a_page() -> None:
    """So is a page that the webchat is loaded on."""
    client, seen = offering()
    client.open_url("https://example.com/")

    assert seen[0].input == URLLoadedEvent(url="https://example.com/")


def test_conversation_goes_to_a_step() -> None:
    """Going to a step is what a click does, without anything to click on."""
    client, seen = offering()
    client.go_to(RED, session_values={"colour": "red"})
    client.go_to(STEP_ID)

    assert seen[0].step.id == RED
    assert seen[0].input == GoToAction.step(RED, session_values={"colour": "red"})
    assert seen[0].session.values == {"colour": "red"}
    assert seen[1].session.values == {"colour": "red"}


def test_step_has_what_the_bot_designer_made() -> None:
    """A known step is sent with its actions, whenever it is reached."""
    client, seen = offering(quick("Red", GoToAction.step(RED)))
    client.at(RED, step_name="Red", actions=[PauseBotAction()], user_data="x")
    client.at(STEP_ID)
    client.say("hi")
    client.click("Red")
    client.at(RED).say("hi")

    assert client.at(RED).step.name == "Red"
    assert [each.step.id for each in seen] == [STEP_ID, RED, RED]
    assert seen[0].step.actions == []
    for notification in seen[1:]:
        assert notification.step.name == "Red"
        assert notification.step.actions == [PauseBotAction()]
        assert notification.step.user_data == "x"


def test_steps_can_be_passed_in_advance() -> None:
    """Steps may come from elsewhere, also the one that the conversation is at."""
    client, seen = offering()
    client.steps[STEP_ID] = Step(id=STEP_ID, name="Start", actions=[PauseBotAction()])
    client.say("hi")

    assert seen[0].step.actions == [PauseBotAction()]


def test_session_is_what_the_test_sets() -> None:
    """A test may change what the next notification says."""
    client, seen = offering()
    client.session["colour"] = "red"
    client.user.first_name = "Jane"
    client.channel = "intercom"
    client.say("hi")

    assert seen[0].session.values == {"colour": "red"}
    assert seen[0].interlocutor.first_name == "Jane"
    assert seen[0].channel == "intercom"


def test_session_stays_without_one_in_the_reply() -> None:
    """A reply without a session does not change the session."""
    app = make_app("Hello")

    @app.after_request
    def drop(response: Any) -> Any:
        return app.json.response({"actions": response.get_json()["actions"]})

    client = ClustaarClient(app, session={"colour": "red"}, user={"first_name": "Jane"})
    reply = client.say("hi")

    assert reply.session == client.session == {"colour": "red"}
    assert reply.interlocutor.first_name == "Jane"


def test_reply_and_client_share_no_session() -> None:
    """Changing the session in a test does not change earlier replies."""
    client = make_client(lambda n: n.session.setdefault("basket", []) and None)
    reply = client.say("hi")
    client.session["basket"].append("hat")

    assert reply.session == {"basket": []}


def test_conversation_goes_on_from_what_is_sent() -> None:
    """A custom notification is part of the conversation."""
    client, seen = offering(quick("Here", LegacyReplyToMessageAction(message="Yes")))
    client.send(make_notification(step=RED, session={"a": 1}, channel="intercom"))
    client.click("Here")

    assert seen[1].step.id == RED
    assert seen[1].session.values == {"a": 1}
    assert seen[1].channel == "intercom"


def test_notification_can_be_changed_before_it_is_sent() -> None:
    """A notification is sent in its current state; JSON is sent unchanged."""
    client, seen = offering()
    notification = make_notification()
    notification.session["a"] = 1
    client.send(notification)
    client.send(make_notification(text="JSON").received)

    assert seen[0].session.values == {"a": 1}
    assert seen[1].text == "JSON"


def test_client_says_what_it_cannot_send() -> None:
    """An impossible notification is not sent."""
    client, seen = offering()

    with pytest.raises(ValueError, match="StepTarget:\nid: Not an object id"):
        client.go_to("red")
    assert seen == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}"])
def test_rubbish_can_be_sent(body: bytes) -> None:
    """Bytes are sent unchanged, and do not change the conversation."""
    client = make_client("Hello")
    client.say("hi")
    reply = client.send(body)

    assert reply.status_code == 400
    assert reply.problem is not None
    assert reply.problem["code"].startswith("invalid_")
    assert (reply.session, reply.actions, reply.texts) == ({}, [], [])
    assert client.say("hi").texts == ["Hello"]
    assert "· not a notification\nbot  400 invalid_" in str(client)


# -- clicks --------------------------------------------------------------------------

GO_TO = GoToAction.step(RED, session_values={"colour": "red"})

#: Offers a click to the red step.
OFFERS: list[Action] = [
    quick("Red", GO_TO),
    SendCardsAction(
        cards=[
            Card(title="Nothing"),
            Card(title="Shoes", buttons=[Button(title="Red", action=GO_TO)]),
        ]
    ),
    SendChoicesListAction(
        placeholder="Colour",
        action=GO_TO,
        sections=[
            Section(choices=[Choice(title="Red", session_values={"colour": "red"})])
        ],
    ),
]


@pytest.mark.parametrize("offer", OFFERS)
def test_click_goes_to_its_step(offer: Action) -> None:
    """A click is the input, its target the step, and its values are in the session."""
    client, seen = offering(SendTextAction("Choose"), offer)
    client.session["a"] = 1
    client.click("Red")

    (notification,) = seen
    assert notification.input == GO_TO
    assert notification.step.id == RED
    assert notification.session.values == {"a": 1, "colour": "red"}


def test_click_on_what_a_dict_offers() -> None:
    """It does not matter if the bot answers with models or with dicts."""
    target = {"type": "step", "id": RED, "name": "Red"}
    values = {"colour": "red"}
    go_to = {"type": "go_to_action", "target": target, "sessionValues": values}
    button = {"type": "quick_reply", "title": "Red", "action": go_to}
    action = {"type": "send_quick_replies_action", "message": "?", "buttons": [button]}
    client = make_client(lambda notification: [action])
    client.say("hi")
    client.click("Red")

    assert client.step.id == RED
    assert client.session == {"colour": "red"}


def test_title_is_not_html() -> None:
    """A title is shown literally, and clicked by what is shown."""
    client, seen = offering(quick("<b>Red</b>  or\nblue", GO_TO))
    with pytest.raises(LookupError, match="It has '<b>Red</b> or blue'"):
        client.click("Red or blue")
    client.click("<b>Red</b> or blue")

    assert seen[0].step.id == RED


@pytest.mark.parametrize("values", [{"city": "Paris"}, None])
def test_values_of_a_choice_replace_those_of_the_list(
    values: dict[str, Any] | None,
) -> None:
    """A choice sends its own session values alone, or none if it has none."""
    choices = [Choice(title="Paris", session_values=values)]
    client, seen = offering(
        SendChoicesListAction(
            placeholder="City", action=GO_TO, sections=[Section(choices=choices)]
        )
    )
    client.choose("Paris")

    assert seen[0].session.values == (values or {})
    assert seen[0].input == GoToAction.step(RED, session_values=values)


def satisfaction(target: StepTarget | None) -> CustomerSatisfactionAction:
    return CustomerSatisfactionAction(
        message="Happy?",
        choices=[
            CustomerSatisfactionChoice(kind="positive", label="Yes", target=target),
            CustomerSatisfactionChoice(kind="negative", label="No"),
        ],
    )


@pytest.mark.parametrize(
    "offer",
    [
        satisfaction(StepTarget(step_id=RED)),
        quick(
            "Yes",
            CustomerSatisfactionCallbackAction(
                kind="positive", target=StepTarget(step_id=RED)
            ),
        ),
    ],
)
def test_satisfied_click_goes_to_its_target(offer: Action) -> None:
    """A satisfaction answer continues at its target."""
    client, seen = offering(offer)
    client.click("Yes")

    assert seen[0].step.id == RED
    assert seen[0].input == GoToAction.step(RED)


def test_click_that_replies_stays_at_the_step() -> None:
    """A button that writes for the user is a separate input (PROTOCOL 3)."""
    attachments = [DocumentAttachment(name="a", url="https://example.com/a")]
    action = LegacyReplyToMessageAction(message="Yes!", attachments=attachments)
    client, seen = offering(quick("Yes", action))
    client.click("Yes")

    assert seen[0].input == action
    assert seen[0].text == "Yes!"
    assert seen[0].step.id == STEP_ID


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        (
            quick("Buy", OpenURLAction(url="https://x.org/")),
            "'Buy' opens 'https://x.org/', so the webhook is not called",
        ),
        (
            quick("Buy", ShareAction()),
            "'Buy' is a 'share_action' that leads to no step",
        ),
        (
            SendSimpleCardsAction(
                cards=[
                    SimpleCard(
                        title="x",
                        buttons=[
                            OpenURLButton(
                                title="Buy", action=OpenURLAction(url="https://x.org/")
                            )
                        ],
                    )
                ]
            ),
            "'Buy' opens 'https://x.org/'",
        ),
    ],
)
def test_click_that_sends_no_notification(offer: Action, message: str) -> None:
    """A click that sends no notification is an error."""
    client, seen = offering(offer)

    with pytest.raises(LookupError, match=message):
        client.click("Buy")
    assert seen == []


def test_satisfied_click_without_a_target() -> None:
    """Without a target the conversation goes nowhere."""
    client, _ = offering(satisfaction(None))

    with pytest.raises(LookupError, match="'No' .* leads to no step"):
        client.click("No")


def test_click_on_what_is_not_there() -> None:
    """An unknown title is an error that lists the known ones."""
    client, _ = offering(satisfaction(None), quick("Maybe", GO_TO))

    with pytest.raises(LookupError, match=r"no 'Red' .* has 'Yes', 'No', 'Maybe'\."):
        client.click("Red")


def test_click_on_nothing() -> None:
    """Before the first reply, a click is an error."""
    with pytest.raises(LookupError, match=r"It has nothing to click on\."):
        make_client().click("Red")


def test_title_that_is_there_twice() -> None:
    """If several buttons have the title, the test has to select one."""
    client, seen = offering(
        quick("Buy", GO_TO),
        quick("Look", GO_TO),
        quick("Buy", GoToAction.step(STEP_ID)),
    )

    with pytest.raises(LookupError, match="'Buy' 2 times. Pass 'index', from 0 to 1"):
        client.click("Buy")
    with pytest.raises(LookupError, match="'Buy' 2 times"):
        client.click("Buy", index=2)
    client.click("Buy", index=1)
    client.click("Look", index=0)

    assert [notification.step.id for notification in seen] == [STEP_ID, RED]


def test_click_that_leads_to_a_story() -> None:
    """Only the platform knows the first step of a story, so it must be set."""
    client, seen = offering(quick("Story", GoToAction.story(STORY)))

    with pytest.raises(LookupError, match=rf"client.stories\['{STORY}'\] = "):
        client.click("Story")
    client.stories[STORY] = RED
    client.click("Story")

    assert seen[0].step.id == RED
    assert seen[0].input == GoToAction.story(STORY)


# -- replies -------------------------------------------------------------------------


def test_texts_are_what_the_bot_says() -> None:
    """Each bubble is a text."""
    document = AskedDocument(message="x", name="id", authorized_file_types=[])
    choices = SendChoicesListAction(
        message="Which?",
        placeholder="x",
        action=GO_TO,
        sections=[Section(choices=[Choice(title="x")])],
    )
    reply = make_client(
        [
            SendTextAction(alternatives=["Hello", "Hi"]),
            SendTextAction("Hey"),
            quick("x", GO_TO),
            choices,
            satisfaction(None),
            AskLocationAction(message="Where?", callback_action=GO_TO),
            AskDocumentAction(message="A file", documents=[document]),
            AskDocumentAction(message="", documents=[document]),
            PauseBotAction(),
        ]
    ).say("hi")

    said = ["Hello", "Hey", "?", "Which?", "Happy?", "Where?"]
    assert reply.texts == reply.bubbles == said


TEXT = {"type": "send_text_action", "alternatives": ["Hi"], "text": "Hi"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("Hello", None),
        (["Hello"], None),
        ({}, "actions"),
        ({"actions": {}}, "actions"),
        ({"actions": ["Hello"]}, "actions.0.type"),
        ({"actions": [TEXT, {"type": "send_hologram_action"}]}, "actions.1.type"),
        ({"actions": [{"type": "wait_action", "duration": 99}]}, "actions.0.duration"),
        ({"actions": [{"type": "jump_to_action", "defaultTarget": None,
                       "connections": [{"type": "flow_connection", "target": None,
                                        "predicates": [{}]}]}]},
         "actions.0.connections.0.target"),
        ({"actions": [], "session": []}, "session"),
        ({"actions": [], "session": {"values": 5}}, "session"),
        ({"actions": [], "interlocutor": 5}, "interlocutor"),
    ],
)  # fmt: skip
def test_response_that_is_not_a_reply(body: Any, path: str | None) -> None:
    """A 200 is ok only if it is a valid reply."""
    app = make_app("Hello")
    app.before_request(lambda: app.json.response(body))
    reply = ClustaarClient(app).say("hi")

    assert not reply.ok
    assert reply.problem is not None and reply.problem["status"] == 200
    assert reply.problem["detail"].startswith("The response is not a valid reply")
    if path is not None:
        assert reply.problem["errors"][0]["path"] == path
    assert (reply.texts, reply.bubbles, reply.titles, reply.session) == ([], [], [], {})


def test_reply_with_what_the_platform_sent() -> None:
    """Received actions can be sent back, with any type and length."""
    long = {"type": "send_text_action", "alternatives": ["x" * 5000]}
    hologram = {"type": "send_hologram_action"}
    app = make_app("Hello")
    changed = {**long, "text": "y" * 5000}
    body = {"actions": [hologram, changed], "session": None, "interlocutor": None}
    app.before_request(lambda: app.json.response(body))

    assert ClustaarClient(app).at(RED, actions=[long, hologram]).say("hi").ok


def test_failure_is_a_problem() -> None:
    """The reply has the problem, and the session is unchanged."""

    def fail(notification: Notification) -> None:
        notification.session["x"] = 1
        raise KeyError("x")

    client = ClustaarClient(make_app(fail), session={"a": 1})
    reply = client.say("hi")

    assert not reply.ok
    assert reply.status_code == 500
    assert reply.problem is not None
    assert reply.problem["code"] == "handler_failed"
    assert reply.texts == []
    assert client.session == reply.session == {"a": 1}
    assert repr(reply).startswith("<Reply: 500 handler_failed: The handler ")


def test_invalid_reply_lists_its_errors() -> None:
    """A reply that the platform rejects is reported with its path."""
    client = make_client(WaitAction(duration=99))
    client.say("hi")

    assert "bot  500 invalid_reply: " in str(client)
    assert "\n       actions.0.duration: " in str(client)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: abort(503), "503 Service Unavailable"),
        (
            lambda: redirect("/login", 302),
            "302 The application redirects to '/login'.",
        ),
        (
            lambda: redirect("https://example.com/", 302),
            "302 The application redirects to 'https://example.com/'. If only HTTPS is "
            "missing, set 'PREFERRED_URL_SCHEME' to 'https'.",
        ),
        (lambda: (["not", "a", "problem"], 400), "400 Bad Request"),
        (
            lambda: ("", 799),
            "799 The server did not return a valid HTTP status.",
        ),
    ],
)
def test_answer_that_is_not_the_webhooks(
    answer: Callable[[], ResponseReturnValue], status: str
) -> None:
    """An answer of the application before the webhook is also a problem."""
    app = make_app("Hello")
    app.before_request(answer)
    reply = ClustaarClient(app).say("hi")

    assert reply.problem == {"status": int(status[:3]), "detail": status[4:]}


# -- other packages ------------------------------------------------------------------


def test_test_that_is_a_coroutine() -> None:
    """An async handler works even if an event loop is running."""

    async def answer(notification: Notification) -> str:
        await asyncio.sleep(0)
        return f"Hello {g.name} at {request.path}"

    app = make_app(answer)

    @app.before_request
    def remember() -> None:
        g.name = "John"

    async def test() -> list[str]:
        with app.app_context():
            return ClustaarClient(app).say("hi").texts

    assert asyncio.run(test()) == ["Hello John at /clustaar"]


def test_exception_passes_through_a_thread() -> None:
    """Exceptions of the application reach the test, also in an event loop."""
    app = make_app("Hello", on_error="problem")
    app.testing = True

    @app.before_request
    def fail() -> None:
        raise ZeroDivisionError

    async def test() -> None:
        ClustaarClient(app).say("hi")

    with pytest.raises(ZeroDivisionError):
        asyncio.run(test())


def test_last_conversations_are_kept() -> None:
    """Only the last conversations are kept in memory."""
    testing.conversations.clear()
    clients = [make_client("Hello") for _ in range(10)]
    for client in [*clients, *clients[2:]]:
        client.say("hi")

    kept = list(testing.conversations)
    assert kept == [client.transcript for client in clients[2:]]


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({"SERVER_NAME": "bot.example.com"}, "http://bot.example.com/clustaar"),
        ({"TRUSTED_HOSTS": ["bot.example.com"]}, "http://bot.example.com/clustaar"),
        ({"TRUSTED_HOSTS": [".example.com", "b"]}, "http://example.com/clustaar"),
        pytest.param(
            {"SERVER_NAME": "a.example.com", "TRUSTED_HOSTS": ["b.example.com"]},
            "http://b.example.com/clustaar",
            marks=pytest.mark.skipif(
                metadata.version("flask") < "3.1",
                reason="Flask has TRUSTED_HOSTS from 3.1 on.",
            ),
        ),
        ({"PREFERRED_URL_SCHEME": "https"}, "https://localhost/clustaar"),
        ({"APPLICATION_ROOT": "/bots"}, "http://localhost/bots/clustaar"),
    ],
)
def test_host_is_one_that_the_application_accepts(
    config: dict[str, Any], url: str
) -> None:
    """The URL has the server name or the first trusted host."""
    app = Flask(__name__)
    app.config.update(config)
    ClustaarWebhook(app, private_key="a").fallback(lambda notification: request.url)
    client = ClustaarClient(app)

    assert client.url == url
    assert client.say("hi").texts == [url]


def test_base_url_can_be_given() -> None:
    """Scheme, host and root of the requests can be chosen."""
    app = Flask(__name__)
    ClustaarWebhook(app, private_key="a").fallback(lambda notification: request.url)
    client = ClustaarClient(app, base_url="https://bot.example.com/bots/")

    assert client.say("hi").texts == ["https://bot.example.com/bots/clustaar"]


@pytest.mark.parametrize(
    "base_url", ["bot.example.com", "https://", "ftp://x/", "http://x/?a=1"]
)
def test_base_url_is_checked(base_url: str) -> None:
    """A base URL is an http or https URL with a host."""
    client = ClustaarClient(make_app(), base_url=base_url)
    with pytest.raises(ValueError, match="is not a base URL. Pass scheme, host and"):
        client.say("hi")


def test_url_with_variables_is_not_known() -> None:
    """A webhook whose URL has variables cannot be talked with."""
    app = Flask(__name__)
    ClustaarWebhook(app, private_key="a", url_prefix="/<tenant>/clustaar")

    with pytest.raises(LookupError, match="has variables: '/<tenant>/clustaar'"):
        ClustaarClient(app).say("hi")
