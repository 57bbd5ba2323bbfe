"""Conversations that are played to their end, as the platform would play them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import ten_steps
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    Button,
    ButtonAction,
    Card,
    Choice,
    GoToAction,
    Image,
    JumpToAction,
    LegacyReplyToMessageAction,
    OpenURLAction,
    PauseBotAction,
    QuickReply,
    Section,
    SendCardsAction,
    SendChoicesListAction,
    SendQuickRepliesAction,
    ShareAction,
    StepTarget,
    StoreSessionValueAction,
    StoryTarget,
    WaitAction,
)
from flask_clustaar.platform.bot import Bot
from flask_clustaar.platform.errors import ConversationError, JumpLoop, Unknowable
from flask_clustaar.testing import Clickable, ClustaarClient, make_notification
from flask_clustaar.transcript import Line

A = "507f191e810c19729de860ea"
B = "507f191e810c19729de860eb"
C = "507f191e810c19729de860ec"
STORY = "507f191e810c19729de860ef"
TOPIC = events.CONVERSATION_STEP_REACHED


def say(words: str) -> dict[str, Any]:
    return {"type": "send_text_action", "alternatives": [words], "text": words}


def jump(id: str, kind: str = "step") -> dict[str, Any]:
    target = {"type": kind, "id": id}
    return {"type": "jump_to_action", "defaultTarget": target, "connections": []}


#: Two steps, of which the second says what it was reached with.
STEPS: list[dict[str, Any]] = [
    {"id": A, "name": "First"},
    {"id": B, "name": "Second", "actions": [say("Second.")]},
]


def make_client(
    *actions: Action | str | dict[str, Any],
    steps: list[dict[str, Any]] | dict[str, Any] = STEPS,
    **about: Any,
) -> ClustaarClient:
    """Return a client of a bot whose handler for the first step answers *actions*."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="for tests")
    webhook.on(TOPIC, lambda notification: [*actions], filter=StepID(A))
    return ClustaarClient(app, bot=Bot.from_json(steps, "bot.json"), **about)


def lines(client: ClustaarClient) -> list[str]:
    return str(client).splitlines()


# -- to its end ----------------------------------------------------------------------


def test_conversation_of_ten_steps() -> None:
    """Jumps, conditions, stored values, waits and a pause are carried out."""
    client = ClustaarClient(ten_steps.make_app(), bot=Bot.from_json(ten_steps.BOT))

    ten_steps.talk(client)

    assert f"{client}\n" == ten_steps.STORY + ten_steps.REST
    assert client.step.name == client.visited[-1] == "Help"
    assert client.session == {"choice": "Help", "age": 7, "job": None}
    assert client.user.custom_attributes == {"adult": "yes"}
    assert client.elapsed == 4
    assert client.paused


def test_bubbles_are_what_was_seen_since_the_last_act() -> None:
    """The bubbles of all steps that were reached are there as plain text."""
    client = make_client("<b>a</b> &lt;", jump(B))

    assert client.say("hi").texts == ["Second."]
    assert client.bubbles == ["a <", "Second."]
    client.say("again")
    assert client.bubbles == ["Second."]


def test_bot_is_read_from_its_file(tmp_path: Path) -> None:
    """The path of a bot file is as good as the bot."""
    file = tmp_path / "bot.json"
    file.write_text(json.dumps(STEPS))
    client = ClustaarClient(make_client("Hi.").app, bot=file)

    assert client.say("hi").texts == ["Hi."]
    assert client.step.name == "First"


def test_bot_of_which_nothing_is_known() -> None:
    """An empty bot follows jumps to any step that has a handler."""
    client = make_client("Hi.", jump(B))
    other = ClustaarClient(client.app, bot=Bot({}))
    other.at(A)

    reply = other.say("hi")

    assert reply.problem is not None
    assert reply.problem["code"] == "no_handler"
    assert other.visited == [A, B]


# -- where the conversation is -------------------------------------------------------


def test_start_begins_again() -> None:
    """Starting forgets everything that happened."""
    client = make_client(
        StoreSessionValueAction(key="a", value="1"),
        PauseBotAction(),
        session={"b": 1},
        user={"first_name": "Jane"},
    )
    client.say("hi")
    client.user.first_name = "Ada"
    assert client.session == {"a": "1", "b": 1}

    client.start()

    assert client.session == {"b": 1}
    assert client.user.first_name == "Jane"
    assert (client.step.name, client.paused, client.visited) == ("First", False, [])
    assert (client.reply, client.bubbles, str(client)) == (None, [], "")
    assert client.start("Second").step.id == B


def test_steps_go_by_their_names() -> None:
    """A name does wherever an id is taken."""
    client = make_client("Hi.")

    assert client.at("Second").step.id == B
    assert client.go_to("First").texts == ["Hi."]
    assert client.visited == ["First"]
    assert client.step_id("Second") == client.step_id(B) == B
    assert client.step_id("Third") is None
    for wrong in (client.at, client.start, client.go_to):
        with pytest.raises(LookupError, match="no step 'Frist' in bot.json. Did you m"):
            wrong("Frist")


def test_steps_that_were_given_go_by_their_names() -> None:
    """So does the name of a step that was given without a bot file."""
    client = ClustaarClient(make_client("Hi.").app)
    client.at(A, step_name="First").at(B)

    assert client.go_to("First").texts == ["Hi."]


def test_step_of_the_file_can_be_given_otherwise() -> None:
    """The data of a step in a test override those of the file."""
    client = make_client("Hi.")
    client.at("First", step_name="Begin", user_data="x")

    assert (client.step.id, client.step.name) == (A, "Begin")
    assert client.say("hi").sent.step.user_data == "x"  # type: ignore[union-attr]
    assert lines(client)[0] == "at Begin"


def test_names_that_several_steps_have_are_not_used() -> None:
    """Steps with one name are called by their ids."""
    steps = [{"id": A, "name": "x"}, {"id": B, "name": "x"}]
    client = make_client("Hi.", steps=steps)
    client.say("hi")

    assert client.visited == [A]
    with pytest.raises(LookupError, match="The name 'x' is not unique"):
        client.at("x")


def test_text_reaches_the_next_step() -> None:
    """A text reaches the step, then the one that follows it; an event does not."""
    steps = [{"id": A, "name": "First", "next": "Second"}, STEPS[1]]
    seen: list[Notification] = []
    client = make_client("Hi.", steps=steps)
    client.app.extensions["clustaar"]["clustaar"].on(TOPIC, seen.append)

    for act in (client.say, client.emit, client.open_url, client.say, client.say):
        act("x")

    assert client.visited == ["First", "First", "First", "Second", "Second"]


def test_story_leads_to_its_first_step() -> None:
    """A click and a jump to a story reach the step that begins it."""
    steps = {
        "steps": STEPS,
        "stories": [{"id": STORY, "name": "Goodbye", "step": "Second"}],
    }
    go = QuickReply(title="Go", action=GoToAction.story(STORY))
    question = SendQuickRepliesAction(message="?", buttons=[go])
    client = make_client(question, steps=steps)
    client.say("hi")
    client.click("Go")
    assert client.visited == ["First", "Second"]

    jumping = make_client(jump(STORY, "story"), steps=steps)
    jumping.say("hi")
    assert jumping.visited == ["First", "Second"]

    unknown = make_client(jump(STORY, "story"))
    with pytest.raises(LookupError, match=f"'{STORY}', which is not in bot.json. Add "):
        unknown.say("hi")


def test_step_that_is_not_there() -> None:
    """A step has to be in the bot file, or to have a handler."""
    client = make_client(jump(C))
    with pytest.raises(
        ConversationError,
        match=f"The step '{C}' is not in bot.json, and no handler matches it.",
    ):
        client.say("hi")

    handled = make_client("Hi.", steps=[STEPS[1]])
    handled.at(A).say("hi")
    assert f"     · the step '{A}' is not in bot.json" in lines(handled)
    assert handled.bubbles == ["Hi."]


# -- what steps do -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"webhook": False}, []),
        ({"webhook": False, "actions": [say("Built.")]}, ["Built."]),
        ({"actions": [say("Built.")]}, ["Hi."]),
        ({"webhook": True, "actions": [say("Built.")]}, ["Hi."]),
    ],
)
def test_step_that_uses_the_webhook(step: dict[str, Any], said: list[str]) -> None:
    """The webhook is called unless it is switched off for the step."""
    client = make_client("Hi.", steps=[{"id": A, "name": "First", **step}])

    reply = client.say("hi")

    assert client.bubbles == reply.texts == said
    assert reply.ok
    if said != ["Hi."]:
        with pytest.raises(RuntimeError, match="no request was sent"):
            reply.status_code  # noqa: B018


@pytest.mark.parametrize("webhook", [None, True])
def test_step_that_no_handler_takes(webhook: bool | None) -> None:
    """It executes its own actions; if the webhook is switched on, a line says so."""
    steps = [{"id": B, "name": "x", "webhook": webhook, "actions": [say("Built.")]}]
    client = make_client(steps=steps)

    assert client.say("hi").texts == ["Built."]
    assert ("no handler matches this step" in str(client)) is (webhook is True)


def test_step_that_the_file_does_not_describe() -> None:
    """A step without actions in the file and without a handler is an error."""
    client = make_client(steps=[{"id": B}])
    assert client.say("hi").status_code == 404


def test_filter_that_fails_is_not_hidden() -> None:
    """A step whose filter raises an exception is sent, so that the failure shows."""

    def fail(notification: Any) -> bool:
        raise KeyError("x")

    client = make_client(steps=[STEPS[1]])
    client.webhook.on(TOPIC, lambda notification: None, filter=fail)

    assert client.say("hi").status_code == 500


def test_fallback_takes_a_step() -> None:
    """A step that a fallback takes uses the webhook."""
    client = make_client(steps=[STEPS[1]])
    client.webhook.fallback(lambda notification: "Sorry.")

    assert client.say("hi").texts == ["Sorry."]


def test_wait_takes_no_time_in_a_test() -> None:
    """Waits are counted, and are part of the next notification's time."""
    client = make_client(WaitAction(duration=7), steps=[STEPS[0]])
    first = client.say("hi").sent
    second = client.say("hi").sent

    assert client.elapsed == 14
    assert first is not None and first.timestamp is not None
    assert second is not None and second.timestamp is not None
    assert 7 <= second.timestamp - first.timestamp <= 9


def test_wait_takes_its_time_where_that_is_wanted() -> None:
    """The listener gets lines one by one, so that lines before a wait are shown."""
    told: list[Line | float] = []
    client = make_client(
        "One moment.",
        WaitAction(duration=2),
        "Done.",
        sleep=told.append,
        listener=told.append,
    )
    client.say("hi")

    assert [str(each) for each in told] == [
        "at First",
        "you  hi",
        "bot  One moment.",
        "     … 2 s",
        "2",
        "bot  Done.",
    ]


def test_paused_bot_is_silent() -> None:
    """Nothing behind a pause is run, and the webhook gets nothing until it is over."""
    client = make_client("Wait.", PauseBotAction(), "Never.", jump(B))
    client.say("hi")
    assert client.bubbles == ["Wait."]
    assert lines(client)[-1] == "     · 2 actions after the jump: not executed"

    reply = client.say("hi")

    assert (reply.ok, reply.actions, reply.sent) == (True, [], None)
    assert lines(client)[-2:] == ["you  hi", "     · the bot is paused"]
    assert client.visited == ["First"]
    assert client.at("Second").say("hi").texts == ["Second."]


def test_nothing_runs_behind_a_jump() -> None:
    """Actions after a jump that is taken are not executed; after others they are."""
    nowhere = JumpToAction()
    client = make_client(nowhere, "a", jump(B), "b")
    client.say("hi")

    assert client.bubbles == ["a", "Second."]
    assert "     · jumps nowhere" in lines(client)
    assert "     · 1 action after the jump: not executed" in lines(client)


def test_loop_of_jumps_ends_with_its_path() -> None:
    """After too many jumps, an error shows the steps, and the transcript is kept."""
    steps = [STEPS[0], {"id": B, "name": "Second", "actions": [jump(A)]}]
    client = make_client("Hi.", jump(B), steps=steps, max_jumps=3)

    with pytest.raises(JumpLoop) as caught:
        client.say("hi")

    assert caught.value.path == ["First", "Second", "First", "Second"]
    assert str(caught.value) == (
        "Stopped after 3 consecutive jumps: First -> Second -> First -> Second. "
        "'max_jumps' sets the limit."
    )
    assert client.bubbles == ["Hi.", "Hi."]


TEAM = {
    "type": "jump_to_action",
    "defaultTarget": None,
    "connections": [
        {
            "type": "flow_connection",
            "target": {"type": "step", "id": B},
            "predicates": [
                {
                    "type": "connection_team_predicate",
                    "condition": {"type": "is_online"},
                }
            ],
        }
    ],
}


def test_what_only_the_platform_knows_must_be_passed() -> None:
    """It is in the bot file or an argument; otherwise the error asks for it."""
    with pytest.raises(Unknowable, match="Pass 'online=True' or 'online=False'"):
        make_client(TEAM).say("hi")

    file = {"steps": STEPS, "online": True}
    for client in (make_client(TEAM, online=True), make_client(TEAM, steps=file)):
        client.say("hi")
        assert client.visited == ["First", "Second"]
        assert "jumps to Second: the team is online" in str(client)
    said = make_client(TEAM, steps=file, online=False)
    said.say("hi")
    assert said.visited == ["First"]
    assert lines(said)[:2] == ["at First", "online = false"]


def test_arguments_add_to_the_bot_file() -> None:
    """Intents and documents are those of the file and of the arguments."""
    file = {"steps": STEPS, "intents": {"a": A}, "attachments": {"b": "https://x/b"}}
    client = make_client(
        steps=file, intents={"c": None}, attachments={"d": None}, bot_id=C
    )

    assert client.intents == {"a": A, "c": None}
    assert client.attachments == {"b": "https://x/b", "d": None}
    assert client.bot_id == C


# -- clicks --------------------------------------------------------------------------


def row(*titles: str, action: ButtonAction | None = None) -> Action:
    leads = action or GoToAction.step(B)
    buttons = [QuickReply(title=title, action=leads) for title in titles]
    return SendQuickRepliesAction(message="?", buttons=buttons)


def carousel(*titles: str, action: ButtonAction | None = None) -> Action:
    leads = action or GoToAction.step(B)
    return SendCardsAction(
        cards=[
            Card(title="x", buttons=[Button(title=title, action=leads)])
            for title in titles
        ]
    )


def choices(*titles: str) -> Action:
    sections = [Section(choices=[Choice(title=title) for title in titles])]
    return SendChoicesListAction(
        placeholder="?", sections=sections, action=GoToAction.step(B)
    )


@pytest.mark.parametrize(
    ("offer", "place"),
    [
        (row("Red", "Blue"), "in a row of quick replies"),
        (carousel("Red", "Blue"), "in a carousel"),
        (choices("Red", "Blue"), "in a list"),
    ],
)
def test_one_click_is_taken(offer: Action, place: str) -> None:
    """A row, a carousel and a list take one click, also when the bot went on."""
    client = make_client(offer, row("Green"))
    client.say("hi")
    client.click("Red")
    assert client.offers == []

    for title in ("Red", "Blue"):
        message = f"'{title}' cannot be clicked on: 'Red' was, and .* one click {place}"
        with pytest.raises(LookupError, match=message):
            client.click(title)
    client.click("Green")
    assert client.visited == ["First", "Second", "Second"]


def test_click_on_what_is_shown_last() -> None:
    """Of buttons with one title the latest is meant."""
    client = make_client(row("Red", action=LegacyReplyToMessageAction(message="Yes")))
    client.say("hi")
    client.say("hi")
    client.click("Red")
    assert [offer.title for offer in client.offers] == ["Red"]
    client.click("Red")
    client.click("Red")

    assert lines(client).count("you  [Red]") == 3
    assert client.reply is not None and client.reply.sent is not None
    assert client.reply.sent.text == "Yes"


@pytest.mark.parametrize(
    "action", [OpenURLAction(url="https://example.com"), ShareAction()]
)
def test_click_that_sends_nothing(action: ButtonAction) -> None:
    """A click that sends no notification is an error."""
    client = make_client(row("Open", action=action))
    client.say("hi")

    for _ in range(2):
        with pytest.raises(
            LookupError, match="'Open' .*, so the webhook is not called."
        ):
            client.click("Open")
    assert lines(client)[-1] == "     [Open]"


@pytest.mark.parametrize("kind", ["legacy", "satisfaction"])
def test_card_button_that_is_not_drawn(kind: str) -> None:
    """Buttons that the webchat does not show cannot be clicked."""
    action = {
        "legacy": {"type": "legacy_reply_to_message_action", "message": "Yes"},
        "satisfaction": {
            "type": "customer_satisfaction_callback_action",
            "kind": "positive",
            "target": {"type": "step", "id": B},
        },
    }[kind]
    button = {"type": "button", "title": "Yes", "action": action}
    card = {"type": "card", "title": "x", "buttons": [button]}
    client = make_client({"type": "send_cards_action", "cards": [card]})
    reply = client.say("hi")

    assert reply.titles == []
    with pytest.raises(LookupError, match="It has nothing to click on"):
        client.click("Yes")


def test_choose_takes_choices_only() -> None:
    """A button is not a choice."""
    client = make_client(row("Red"), choices("Blue"))
    client.say("hi")

    with pytest.raises(LookupError, match="no 'Red' to click on. It has 'Blue'"):
        client.choose("Red")
    client.choose("Blue")
    assert client.visited == ["First", "Second"]


def test_click_after_an_error() -> None:
    """The error says that the last answer was one."""
    client = make_client(row("Red"), steps=[STEPS[0], {"id": B}])
    client.say("hi")
    client.click("Red")

    message = "no 'Red' to click on: the last answer was an error, '404 no_handler: "
    with pytest.raises(LookupError, match=message):
        client.click("Red")


# -- the transcript ------------------------------------------------------------------


def test_set_up_is_shown_before_it_is_used() -> None:
    """Values that a test sets are before the user's act, in a separate part."""
    client = make_client(
        "Hi.",
        session={"a": 1},
        user={"first_name": "Jane", "custom_attributes": {"age": "25"}},
        channel="facebook",
    )
    client.say("hi", attachments=[Image(url="https://example.com/a.png")])
    client.session["b"] = [2]
    client.user.is_logged = True
    client.say("")
    client.at("Second").emit("paid")

    assert lines(client) == [
        "at First",
        'channel = "facebook"',
        "session a = 1",
        'user first_name = "Jane"',
        'user custom_attributes.age = "25"',
        "you  hi",
        "     · image https://example.com/a.png",
        "bot  Hi.",
        "",
        "at First",
        "session b = [2]",
        "user is_logged = true",
        "you",
        "bot  Hi.",
        "",
        "at Second",
        "you  · event paid",
        "bot  Second.",
    ]


def test_jump_that_is_not_followed_is_shown() -> None:
    """Without a bot file, a jump is not followed, and the transcript says so."""
    client = ClustaarClient(make_client("Hi.", jump(B), "Bye.").app)
    client.at(A).say("hi")

    assert client.visited == [A]
    assert client.bubbles == ["Hi.", "Bye."]
    assert lines(client)[3:5] == [
        f"     · jumps to step {B}",
        "     · the jump is not followed: pass a bot file, or call 'go_to'",
    ]


def test_conversation_goes_on_after_what_was_sent() -> None:
    """Jumps in the reply to a custom notification are followed."""
    client = make_client("Hi.", jump(B))
    client.send(make_notification(step=A, text="x", session={"a": 1}))

    assert client.visited == ["First", "Second"]
    assert lines(client)[:3] == ["at First", "session a = 1", "you  x"]
    assert client.resend().repeated is False
    assert client.send(b"{").status_code == 400
    assert client.step.name == "Second"


def test_repeated_reply_is_marked() -> None:
    """A reply from the replay store is marked as such."""
    app = make_client("Hi.").app

    @app.after_request
    def mark(response: Any) -> Any:
        response.headers["Idempotent-Replayed"] = "true"
        return response

    client = ClustaarClient(app)
    assert client.at(A).say("hi").repeated
    assert (
        "     · repeated: the replay store had the reply, so no handler ran"
        in lines(client)
    )


def test_target_of_a_model_is_checked() -> None:
    """Invalid targets raise an exception."""
    client = make_client("Hi.")
    step = GoToAction(target=StepTarget(step_id="x"))
    story = GoToAction(target=StoryTarget(story_id=STORY))
    with pytest.raises(ValueError, match="would never send this"):
        client.press(Clickable("x", step))
    with pytest.raises(LookupError, match="client.stories"):
        ClustaarClient(client.app).press(Clickable("x", story))
