"""Stories: conversations that are kept as text."""

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
    Card,
    Coordinates,
    GoToAction,
    QuickReply,
    SendCardsAction,
    SendQuickRepliesAction,
)
from flask_clustaar.platform.bot import Bot
from flask_clustaar.platform.story import Difference, Story, StoryError, StoryFailed
from flask_clustaar.testing import ClustaarClient

ASK = "507f191e810c19729de860ea"
TELL = "507f191e810c19729de860eb"
BOT = Bot.from_json([{"id": ASK, "name": "Ask"}, {"id": TELL, "name": "Tell"}])


@pytest.fixture
def client() -> ClustaarClient:
    """A client of a bot that asks for a colour, and repeats its values."""
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="for tests")

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(ASK))
    def ask(notification: Notification) -> list[Action]:
        go = GoToAction.step(TELL, session_values={"colour": "red"})
        card = Card(title="Shoes", buttons=[Button(title="Buy", action=go)])
        return [
            SendQuickRepliesAction(
                message="Which <b>colour</b>?\n\nSay it.",
                buttons=[QuickReply(title="Red", action=go)],
            ),
            SendCardsAction(cards=[card, card]),
        ]

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(TELL))
    def tell(notification: Notification) -> str:
        message = notification.input
        files = [file.url for file in getattr(message, "attachments", ())]
        user = notification.interlocutor
        known = [notification.text, files, dict(notification.session), user.first_name]
        return json.dumps([*known, user.custom_attributes, notification.channel])

    return ClustaarClient(app, bot=BOT)


def run(client: ClustaarClient, text: str) -> list[Difference]:
    return Story(text, "test.story").run(client)


ASKED = """\
at Ask
you  hello
bot  Which colour?

     Say it.
     [Red]
bot  | Shoes
     | [Buy]
     --
     | Shoes
     | [Buy]
"""


def test_transcript_of_a_conversation_is_a_story() -> None:
    """The transcript of a client or a terminal can be run as a story."""
    bot = Bot.from_json(ten_steps.BOT)
    client = ClustaarClient(ten_steps.make_app(), bot=bot)
    ten_steps.talk(client)
    again = ClustaarClient(ten_steps.make_app(), bot=bot)

    Story(str(client), "test.story").check(again)

    assert str(again) == str(client)


def test_story_reads_as_it_is_written(client: ClustaarClient) -> None:
    """Comments, empty lines and invisible lines are optional."""
    story = """\
# A colour.
at Ask

you hello
bot  Which colour?
     Say it.
# All of this is drawn.
     [Red]
bot  | Shoes
     | [Buy]
     --
     | Shoes

     | [Buy]

you  [Buy] (2)
at Tell
bot  ["", [], {"colour": "red"}, "John", {}, "clustaar_web_chat"]
session colour = "red"
user first_name = "John"
session size is removed
"""
    assert run(client, story) == []


def test_what_a_story_sets(client: ClustaarClient) -> None:
    """Values before what the user does are set; a later place is gone to."""
    story = """\
at Tell
channel = "facebook"
online = true
session basket = ["hat", 1]
session my key = null
user first_name = "Jane"
user location = {"lat": 1, "long": 2}
user custom_attributes.age = "25"
you  hi
bot  ["hi", [], {"basket": ["hat", 1], "my key": null}, "Jane", {"age": "25"}, \
"facebook"]

# Later.
at Ask
session basket is removed
you  hi
bot  Which colour?
     Say it.
     [Red]
bot  | Shoes
     | [Buy]
     --
     | Shoes
     | [Buy]
"""
    assert run(client, story) == []
    assert client.online is True
    assert client.user.location == Coordinates(lat=1, long=2)


@pytest.mark.parametrize(
    ("lines", "heard"),
    [
        ("you  [Red]x", "[Red]x"),
        ("you  \\[Red]", "[Red]"),
        ("you  \\· event paid", "· event paid"),
        ("you  \\\\o/", "\\o/"),
        ("you  \\o/", "\\o/"),
        ("you", ""),
        ("you  a\n     b\n\n     c", "a\nb\n\nc"),
        ("you\ta\n  b", "a\nb"),
    ],
)
def test_text_that_is_written(client: ClustaarClient, lines: str, heard: str) -> None:
    """A text is literal, even if it looks like another line."""
    run(client, f"at Tell\n{lines}\n     · a note")
    assert json.loads(client.bubbles[0])[0] == heard


def test_other_things_that_a_user_does(client: ClustaarClient) -> None:
    """Files are sent, pages loaded, events sent, and steps gone to."""
    story = """\
at Tell
you  look
     · image https://example.com/a.png
     · file https://example.com/b.pdf
bot  ["look", ["https://example.com/a.png", "https://example.com/b.pdf"], {}, "John", \
{}, "clustaar_web_chat"]
you  · audio https://example.com/c.mp3
bot  ["", ["https://example.com/c.mp3"], {}, "John", {}, "clustaar_web_chat"]
you  · event paid
bot  ["", [], {}, "John", {}, "clustaar_web_chat"]
you  · opens https://example.com/
bot  ["", [], {}, "John", {}, "clustaar_web_chat"]
you  · goes to Ask
at Ask
bot  Which colour?
     Say it.
     [Red]
bot  | Shoes
     | [Buy]
     --
     | Shoes
     | [Buy]
"""
    assert run(client, story) == []


TOLD = '["hi", [], {}, "John", {}, "clustaar_web_chat"]'


@pytest.mark.parametrize(
    ("lines", "number", "reason"),
    [
        ("bot  Hello.", 3, "The conversation differs."),
        (f"bot  {TOLD}\nbot  Bye.", 4, "The conversation differs."),
        ("", 2, f"The conversation continues: 'bot  {TOLD}'."),
        (f'bot  {TOLD}\nsession a = "b"', 4, "The conversation differs."),
        (f"bot  {TOLD}\nuser first_name is removed", 4, "The conversation differs."),
        (f"bot  {TOLD}\nat Ask", 4, "The conversation differs."),
        (f"bot  {TOLD}\n     · waits", 4, "The conversation differs."),
    ],
)
def test_difference_is_found_at_its_line(
    client: ClustaarClient, lines: str, number: int, reason: str
) -> None:
    """The first line that differs from the conversation is named."""
    (difference,) = run(client, f"at Tell\nyou  hi\n{lines}")
    assert (difference.number, difference.reason) == (number, reason)


def test_difference_shows_what_the_story_speaks_of(client: ClustaarClient) -> None:
    """Invisible lines are shown if the story has such lines."""
    (difference,) = run(client, "at Tell\nyou  · goes to Tell\nat Ask\nsession a = 1")
    assert difference.shown == [difference.actual[0], *difference.actual[1:]]

    story = ASKED + 'you  [Red]\nbot  Red.\nsession colour = "blue"'
    (difference,) = run(client, story)
    assert difference.shown[-1] == 'session colour = "red"'
    assert "at Tell" not in difference.shown
    assert "at Tell" in difference.actual


@pytest.mark.parametrize(
    ("story", "number", "reason"),
    [
        ("at Aks\nyou  hi", 1, "no step 'Aks' in the bot. Did you mean 'Ask'?"),
        (f"{ASKED}you  [Rot]\nyou  hi", 12, "The last reply has no 'Rot' to click on."),
        ("at Tell\nuser id = 5\nyou  hi", 3, "The platform would never send this"),
    ],
)
def test_story_ends_with_what_cannot_be_done(
    client: ClustaarClient, story: str, number: int, reason: str
) -> None:
    """A missing step or button ends the story at its line."""
    (difference,) = run(client, story)
    assert difference.number == number
    assert reason in difference.reason
    assert difference.is_end


def test_failed_story_is_an_assertion(client: ClustaarClient) -> None:
    """Without pytest a difference is an AssertionError at its line."""
    story = Story("you  hi\nbot  Hello.", "test.story")
    with pytest.raises(StoryFailed, match="test.story:2: The conversation differs."):
        story.check(client)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0: Write an act of the user: 'you  hello'."),
        ("at Ask", "1: Write an act of the user: 'you  hello'."),
        ("you  hi\n\nat Ask", "3: Write an act of the user: 'you  hello'."),
        (
            "at Ask\nyuo  hi",
            "2: 'yuo  hi' is not a line of a story. Here, a line begins with 'at', ",
        ),
        (
            "you  hi\nbto  hi",
            "2: 'bto  hi' is not a line of a story. Here, a line begins",
        ),
        ("at Ask\nbot  hi", "2: 'bot  hi' is not a line of a story."),
        (
            "session a = red\nyou",
            "1: 'red' is not JSON. Put texts in quotation marks.",
        ),
        (
            "you\nsession a = red",
            "2: 'red' is not JSON. Put texts in quotation marks.",
        ),
        ("channel = sms\nyou", "1: 'sms' is not JSON."),
        (
            'user firstname = "Jane"\nyou',
            "1: Users have no attribute 'firstname'. Did you mean 'first_name'? For ",
        ),
        ('user age = "25"\nyou', "write 'custom_attributes.age'."),
        (
            "you  · dances",
            "1: Unknown act '· dances'. A story can have '· event ...', '· opens ...'",
        ),
    ],
)
def test_line_that_cannot_be_read(text: str, message: str) -> None:
    """A wrong line is an error with its number, before anything is done."""
    with pytest.raises(StoryError) as caught:
        Story(text, "test.story")
    assert message in str(caught.value)


def test_story_is_read_from_its_file(tmp_path: Path) -> None:
    """A file is UTF-8, with or without a byte order mark."""
    file = tmp_path / "test.story"
    file.write_text("you  é", encoding="utf-8-sig")
    assert len(Story.read(file).turns) == 1

    file.write_bytes(b"you  hi\n\xff")
    with pytest.raises(StoryError, match="test.story:2: The file is not UTF-8."):
        Story.read(file)


def test_update_writes_what_the_bot_answers(client: ClustaarClient) -> None:
    """Turns that differ are rewritten; comments and the other turns stay."""
    text = f"""\
# The first.
at Tell
you hi
bot  {TOLD}

you  a
     b
# A comment.
bot  Old.

bot  Older.
# The last.
you  hi

you  [Red]
"""
    story = Story(text, "test.story")
    differences = story.run(client)

    updated = story.updated(differences)

    assert (
        updated
        == f"""\
# The first.
at Tell
you hi
bot  {TOLD}

you  a
     b
# A comment.
bot  {TOLD.replace("hi", "a" + chr(92) + "nb")}
# The last.
you  hi
bot  {TOLD}

you  [Red]
"""
    )
    assert [each.is_end for each in differences] == [False, False, True]
    assert len(Story(updated, "test.story").run(client)) == 1


def test_updated_transcript_passes(client: ClustaarClient) -> None:
    """A story of what the user does alone becomes a whole one."""
    bare = Story("at Ask\nyou  hello\nyou  [Red]\n", "test.story")
    whole = bare.updated(bare.run(client))

    assert whole == f"{client}\n"
    assert whole.startswith(ASKED)
    assert run(client, whole) == []


def test_end_of_a_value(client: ClustaarClient) -> None:
    """A removed value is shown as such, also for the user."""
    client.session["a"] = 1
    story = "at Tell\nuser is_logged is removed\nsession a is removed\nyou  hi"
    seen: list[Any] = []
    client.app.extensions["clustaar"]["clustaar"].on(
        events.CONVERSATION_STEP_REACHED, seen.append
    )
    run(client, story)
    assert seen[0].interlocutor.is_logged is None
    assert "a" not in seen[0].session
