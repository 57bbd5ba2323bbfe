"""Bot files: their content, and the errors of invalid ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flask_clustaar.platform.bot import Bot, BotFileError, BotStory, Link, links

A = "507f191e810c19729de860ea"
B = "507f191e810c19729de860eb"
STORY = "507f191e810c19729de860ef"


def test_bot_file_is_a_list_of_steps(tmp_path: Path) -> None:
    """The short form is a list; a byte order mark at its beginning is ignored."""
    file = tmp_path / "bot.json"
    rows = [{"id": A, "name": "Welcome", "actions": None}, {"id": B, "story": STORY}]
    file.write_text(json.dumps(rows), encoding="utf-8-sig")

    bot = Bot.read(file)

    assert bot.source == str(file)
    assert list(bot.steps) == [A, B]
    assert bot.step("Welcome") is bot.step(A) is bot.steps[A]
    assert bot.steps[A].actions is None
    assert bot.stories == {STORY: BotStory(STORY, B)}


def test_bot_file_is_an_object() -> None:
    """The long form has all data of a bot."""
    bot = Bot.from_json(
        {
            "bot_id": B,
            "steps": [
                {
                    "id": A,
                    "name": "Welcome",
                    "actions": [{"type": "pause_bot_action"}],
                    "userData": "x",
                    "webhook": False,
                    "story": STORY,
                    "next": "Bye",
                },
                {"id": B, "name": "Bye", "user_data": "y", "next": A},
            ],
            "stories": [{"id": STORY, "name": "Greeting", "step": "Welcome"}],
            "online": True,
            "intents": {"hello": A, "x": None},
            "attachments": {"id_card": "https://example.com/a.png"},
        }
    )

    welcome, bye = bot.steps.values()
    assert (welcome.user_data, welcome.webhook, welcome.next) == ("x", False, B)
    assert welcome.actions == [{"type": "pause_bot_action"}]
    assert (bye.user_data, bye.webhook, bye.next) == ("y", None, A)
    assert bot.story("Greeting") is bot.story(STORY)
    assert (bot.bot_id, bot.online) == (B, True)
    assert bot.intents == {"hello": A, "x": None}
    assert bot.attachments == {"id_card": "https://example.com/a.png"}


def wrong(document: Any) -> str:
    with pytest.raises(BotFileError) as caught:
        Bot.from_json(document, "bot.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "bot.json: The bot file has no steps. Write a list of steps, such as"),
        ({}, "bot.json: The bot file has no steps."),
        (5, "bot.json: The bot file has no steps."),
        ({"steps": 5}, "bot.json: steps: Must be a list."),
        ({"steps": [{"id": A}], "stpes": []}, "stpes: Unknown key. Did you mean 'st"),
        ({"steps": [{"id": A}], "online": "yes"}, "online: Must be true or false."),
        ({"steps": [{"id": A}], "bot_id": "x"}, "bot_id: 'x' is not an object id"),
        ({"steps": [{"id": A}], "intents": {"a": 1}}, "intents.a: Must be text."),
        (
            {"steps": [{"id": A}], "attachments": {"a": None}},
            "attachments.a: Must be text.",
        ),
        ([5], "bot.json: steps.0: Must be an object."),
        ([{"name": "x"}], "bot.json: steps.0: 'id' is missing."),
        ([{"id": 5}], "bot.json: steps.0.id: Must be text."),
        ([{"id": "a"}], "steps.0.id: 'a' is not an object id (24 letters and digits)."),
        ([{"id": A}, {"id": A}], "steps.1.id: Another step has this id."),
        ([{"id": A, "title": "x"}], "steps.0.title: Unknown key."),
        ([{"id": A, "actoins": []}], "Unknown key. Did you mean 'actions'?"),
        ([{"id": A, "webhook": "on"}], "steps.0.webhook: Must be true or false."),
        ([{"id": A, "actions": {}}], "steps.0.actions: Must be a list."),
        ([{"id": A, "actions": [5]}], "actions.0: Must be an object with a 'type'."),
        (
            [{"id": A, "actions": [{"type": "jump_to_action", "defaultTarget": {}}]}],
            "steps.0.actions.0.defaultTarget.type: Must be one of: 'step', 'story'.",
        ),
        ([{"id": A, "actions": [{"type": "wait_action", "duration": "x"}]}], "number"),
        (
            [{"id": A, "name": "Welcome", "next": "Welcom"}],
            "steps.0.next: There is no step 'Welcom'. Did you mean 'Welcome'?",
        ),
        (
            [{"id": A, "name": "x"}, {"id": B, "name": "x", "next": "x"}],
            f"steps.1.next: The name 'x' is not unique: '{A}', '{B}'. Use the id.",
        ),
        ({"steps": [{"id": A}], "stories": [{}]}, "stories.0: 'id' is missing."),
        (
            {"steps": [{"id": A}], "stories": [{"id": STORY, "step": "x"}]},
            "stories.0.step: There is no step 'x'.",
        ),
        (
            [{"id": A, "story": STORY}, {"id": B, "story": STORY}],
            f"steps.1.story: The story '{STORY}' already has another first step.",
        ),
    ],
)
def test_wrong_bot_file_is_reported_by_path(document: Any, message: str) -> None:
    """Each mistake is named with the file and the path."""
    assert message in wrong(document)


def test_all_mistakes_are_reported() -> None:
    """A message has one line for each mistake."""
    rows = [{"id": A, "a": 1}, {"id": B, "actions": 5}]
    assert len(wrong(rows).splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[\n{]", "line 2, column 2: The file is not JSON: "),
        (b"[\n\n\xff]", "line 3: The file is not JSON: it is not UTF-8."),
        (b"[NaN]", "The file is not JSON: 'NaN' is not a JSON number."),
        (b"[" * 100_000, "The file is not JSON: it is nested too deeply."),
    ],
)
def test_file_that_is_not_json_is_reported_by_line(
    content: bytes, message: str
) -> None:
    """A syntax error is named with its line."""
    with pytest.raises(BotFileError, match=f"^bot.json: {message}"):
        Bot.parse(content, "bot.json")


def test_action_of_an_unknown_type_is_let_through() -> None:
    """The platform has more types of actions than this package knows."""
    hologram = {"type": "send_hologram_action", "size": 9}
    assert Bot.from_json([{"id": A, "actions": [hologram]}]).steps[A].actions == [
        hologram
    ]


def test_name_that_no_step_has() -> None:
    """An unknown name is an error with the file and a suggestion."""
    bot = Bot.from_json([{"id": A, "name": "Welcome"}], "bot.json")

    with pytest.raises(LookupError, match="no step 'Welcom' in bot.json. Did you mean"):
        bot.step("Welcom")
    with pytest.raises(LookupError, match="There is no story 'x' in bot.json"):
        bot.story("x")


def test_name_that_several_steps_have() -> None:
    """A step is called by its name only where one step has it."""
    bot = Bot.from_json(
        [{"id": A, "name": "x"}, {"id": B, "name": "x"}, {"id": STORY, "name": "y"}]
    )

    with pytest.raises(LookupError, match="The name 'x' is not unique"):
        bot.step("x")
    assert [bot.label(id) for id in (A, STORY, "z")] == [A, "y", "z"]


def test_links_are_found_with_their_paths() -> None:
    """Each target of an action is found, and what looks like one in data is not."""
    step, story = {"type": "step", "id": A}, {"type": "story", "id": B}
    go_to = {"type": "go_to_action", "target": step, "sessionValues": {"target": step}}
    actions = [
        {"buttons": [{"action": go_to}]},
        {"defaultTarget": story, "connections": [{"target": step}]},
        {"target": None, "selectTarget": {"type": "step"}},
    ]

    assert list(links(actions, "actions")) == [
        Link("actions.0.buttons.0.action.target", "step", A),
        Link("actions.1.defaultTarget", "story", B),
        Link("actions.1.connections.0.target", "step", A),
    ]
    assert next(links([{"target": step}])).path == "0.target"
