"""Steps by their names, for several bots."""

from __future__ import annotations

import copy
import gc
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, describe, events, replies
from flask_clustaar.errors import ConfigurationError
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Choice,
    GoToAction,
    JumpToAction,
    QuickReply,
    Section,
    SendChoicesListAction,
    SendQuickRepliesAction,
    StepTarget,
)
from flask_clustaar.platform.bot import Bot
from flask_clustaar.steps import MissingStepWarning, Steps
from flask_clustaar.testing import ClustaarClient, make_notification

NORTH, MUTUA = "6a0000000000000000000001", "6a0000000000000000000002"
START = {NORTH: "6b0000000000000000000001", MUTUA: "6b0000000000000000000002"}
AGE = {NORTH: "6c0000000000000000000001", MUTUA: "6c0000000000000000000002"}
PROMO = "6d0000000000000000000001"


def bot(id: str, *more: dict[str, Any]) -> Bot:
    rows = [
        {"id": START[id], "name": "quote.START"},
        {"id": AGE[id], "name": "quote.AGE"},
        {"id": id.replace("6a", "6e"), "actions": []},
    ]
    name = {NORTH: "north.json", MUTUA: "mutua.json"}[id]
    return Bot.from_json({"bot_id": id, "steps": [*rows, *more]}, name)


@pytest.fixture
def steps() -> Steps:
    """The steps of two bots, of which the second lacks one."""
    promo = {"id": PROMO, "name": "promo.HATS"}
    with pytest.warns(
        MissingStepWarning,
        match="^mutua.json lacks steps of another bot: 'promo.HATS'.$",
    ):
        return Steps(bot(NORTH, promo), bot(MUTUA))


def make_app(answer: Any, step: str) -> Flask:
    app = Flask("bots")
    webhook = ClustaarWebhook(app, private_key="for tests")
    webhook.on_step(step)(lambda notification: answer)
    return app


# -- names ---------------------------------------------------------------------------


def test_step_has_an_id_in_each_bot(steps: Steps) -> None:
    """A named step is a string, and knows its ids."""
    start = steps["quote.START"]

    assert start == START[NORTH]
    assert (start.name, start.ids) == ("quote.START", START)
    assert repr(start) == "steps['quote.START']"
    assert list(steps) == ["quote.START", "quote.AGE", "promo.HATS"]
    assert len(steps) == 3
    assert "promo.HATS" in steps and "promo.SHOES" not in steps
    for same in (copy.copy(start), pickle.loads(pickle.dumps(str(start)))):
        assert same == start


def test_steps_are_read_from_files(tmp_path: Path) -> None:
    """Bot files are read at start-up; a single bot requires no id."""
    file = tmp_path / "bot.json"
    file.write_text(json.dumps([{"id": PROMO, "name": "Hats"}]))

    assert Steps(file)["Hats"].ids == {None: PROMO}
    assert Steps(str(file))["Hats"] == PROMO


def test_name_that_no_bot_has(steps: Steps) -> None:
    """An unknown name is an error with the files and a suggestion."""
    with pytest.raises(
        ConfigurationError,
        match="no step 'quote.STRT' in north.json, mutua.json. Did you mean 'quote.STA",
    ):
        steps["quote.STRT"]
    with pytest.raises(ConfigurationError, match="no step 'x' in north.json, mutua.js"):
        steps["x"]


@pytest.mark.parametrize(
    ("bots", "message"),
    [
        ([], "'Steps' requires a bot file: "),
        ([bot(NORTH), Bot.from_json([{"id": PROMO}], "x.json")], "x.json has no 'bot_"),
        ([bot(NORTH), bot(NORTH)], "north.json and north.json have the same 'bot_id'."),
        (
            [Bot.from_json([{"id": PROMO, "name": "x"}, {"id": NORTH, "name": "x"}])],
            f"Two steps in the bot have the name 'x': '{PROMO}' and '{NORTH}'.",
        ),
    ],
)
def test_bots_that_cannot_be_told_apart(bots: list[Bot], message: str) -> None:
    """Bots require different ids, and their steps different names."""
    with pytest.raises(ConfigurationError, match=message):
        Steps(*bots)


def test_names_go_with_the_steps() -> None:
    """Names and translations last as long as one of the steps."""
    north = Bot.from_json([{"id": "6f0000000000000000000001", "name": "Only"}])
    only = Steps(north)["Only"]
    gc.collect()
    before = len(replies.translators)
    assert describe.named_steps[str(only)] is only

    del only
    gc.collect()

    assert "6f0000000000000000000001" not in describe.named_steps
    assert len(replies.translators) == before - 1


# -- handlers and replies ------------------------------------------------------------


@pytest.mark.parametrize("bot_id", [NORTH, MUTUA])
def test_handler_gets_the_step_of_each_bot(steps: Steps, bot_id: str) -> None:
    """A StepID of a named step matches the step of each bot."""
    app = make_app("Hello", steps["quote.START"])
    client = ClustaarClient(app, bot_id=bot_id)

    assert client.at(START[bot_id]).say("hi").texts == ["Hello"]
    assert client.at(steps["quote.START"]).step.id == START[bot_id]
    one, two = StepID(steps["quote.START"]), StepID(steps["quote.START"], PROMO)
    assert one.step_ids() == frozenset(START.values())
    assert two.step_ids() == frozenset([*START.values(), PROMO])


def leading_to(step: str) -> list[Any]:
    """Return what leads to a step: buttons, a list, a jump, also as a dict."""
    go = GoToAction.step(step, session_values={"step": step})
    return [
        SendQuickRepliesAction(message="?", buttons=[QuickReply(title="a", action=go)]),
        SendChoicesListAction(
            placeholder="?",
            action=GoToAction(target=StepTarget(step_id=step)),
            sections=[Section(choices=[Choice(title="a")])],
        ),
        {
            "type": "jump_to_action",
            "defaultTarget": {"type": "step", "id": step},
            "connections": [],
        },
    ]


@pytest.mark.parametrize("bot_id", [NORTH, MUTUA])
def test_reply_leads_to_the_step_of_the_bot_that_asked(
    steps: Steps, bot_id: str
) -> None:
    """Targets are sent with the ids of the bot; models are unchanged."""
    answer = leading_to(steps["quote.AGE"])
    app = make_app(answer, steps["quote.START"])

    reply = ClustaarClient(app, bot_id=bot_id).at(START[bot_id]).say("hi")

    quick, choices, jump = reply.json["actions"]
    assert quick["buttons"][0]["action"]["target"]["id"] == AGE[bot_id]
    assert choices["action"]["target"]["id"] == AGE[bot_id]
    assert jump["defaultTarget"]["id"] == AGE[bot_id]
    assert answer[0].buttons[0].action.target.step_id == AGE[NORTH]
    # Other objects are data.
    assert quick["buttons"][0]["action"]["sessionValues"] == {"step": AGE[NORTH]}


def test_error_handlers_answer_for_the_bot_that_asked(steps: Steps) -> None:
    """The reply of an error handler is also translated."""

    def fail(notification: Notification) -> None:
        raise KeyError("x")

    app = Flask("bots")
    webhook = ClustaarWebhook(app, private_key="for tests")
    webhook.on_step(steps["quote.START"])(fail)
    webhook.errorhandler(KeyError)(
        lambda error, notification: JumpToAction.step(steps["quote.AGE"])
    )
    reply = ClustaarClient(app, bot_id=MUTUA).at(START[MUTUA]).say("hi")

    assert reply.json["actions"][0]["defaultTarget"]["id"] == AGE[MUTUA]


def test_reply_that_leads_to_a_step_of_another_bot(steps: Steps) -> None:
    """It is not sent, and the error names the step, the bot and the path."""
    app = make_app(leading_to(steps["promo.HATS"]), steps["quote.START"])

    assert ClustaarClient(app, bot_id=NORTH).at(START[NORTH]).say("hi").ok
    problem = ClustaarClient(app, bot_id=MUTUA).at(START[MUTUA]).say("hi").problem

    assert problem is not None and problem["code"] == "invalid_reply"
    assert problem["errors"][0] == {
        "path": "actions.0.buttons.0.action.target",
        "message": "The step 'promo.HATS' is not in mutua.json.",
    }
    assert len(problem["errors"]) == 3


def test_bot_that_is_in_no_file_gets_its_reply(steps: Steps) -> None:
    """For another bot nothing is translated."""
    app = make_app(leading_to(steps["quote.AGE"]), steps["quote.START"])
    reply = ClustaarClient(app).at(START[MUTUA]).say("hi")

    assert reply.json["actions"][2]["defaultTarget"]["id"] == AGE[NORTH]


# -- what is shown -------------------------------------------------------------------


def test_names_are_shown(steps: Steps, caplog: pytest.LogCaptureFixture) -> None:
    """Explanations, problems, logs and transcripts show the names."""
    app = make_app("Hello", steps["quote.START"])
    webhook: ClustaarWebhook = app.extensions["clustaar"]["clustaar"]
    (handler,) = webhook.handlers
    assert repr(handler.filter) == "StepID(steps['quote.START'])"

    notification = make_notification(step=AGE[MUTUA], bot_id=MUTUA)
    (explanation,) = webhook.explain(notification)
    assert explanation.sentence == (
        "StepID(steps['quote.START']) did not match: data.step.id is "
        f"'{AGE[MUTUA]}' (quote.AGE)"
    )

    client = ClustaarClient(app, bot_id=MUTUA)
    reply = client.at(AGE[MUTUA]).say("hi")
    assert reply.problem is not None
    detail = f"of the step '{AGE[MUTUA]}' (quote.AGE)."
    assert reply.problem["detail"].endswith(detail)
    assert detail in caplog.text
    assert "@webhook.on_step(steps['quote.AGE'])" in caplog.text
    assert str(client).startswith("at quote.AGE\n")


def test_events_are_logged_by_name(
    steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    """The log shows the name of a step in the program."""
    app = make_app("Hello", steps["quote.START"])
    with caplog.at_level("INFO", "flask_clustaar"):
        ClustaarClient(app, bot_id=MUTUA).at(START[MUTUA], step_name="S").say("hi")

    assert f"the step '{START[MUTUA]}' (quote.START)" in caplog.text
    assert events.CONVERSATION_STEP_REACHED not in caplog.text
