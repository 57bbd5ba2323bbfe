"""``flask clustaar check --bot``: mistakes in a bot file and in the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cli_bots import KEY, PASSWORD, USERNAME, ok, run, sentence
from flask import Flask

from flask_clustaar import ClustaarWebhook
from flask_clustaar.replay import MemoryReplayStore

HALL, ASK, ANSWER, CELLAR = (
    f"507f191e810c19729de860{n}" for n in ("e0", "e1", "e2", "e3")
)
STORY = "507f191e810c19729de860ff"

PROGRAM = f"""
from flask import Flask
from flask_clustaar import ClustaarWebhook, HandlerGroup, events
from flask_clustaar.filters import *
from flask_clustaar.models import *

TOPIC = events.CONVERSATION_STEP_REACHED
ASK = {ASK!r}
ANSWER = {ANSWER!r}
KEY = "colour"
webhook = ClustaarWebhook()
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Any]:
    """Return what makes an application of the source of its handlers."""
    names: list[str] = []

    def make(source: str) -> Flask:
        file = tmp_path / f"program_{len(names)}.py"
        file.write_text(PROGRAM + source)
        module = ModuleType(file.stem)
        module.__file__ = str(file)
        sys.modules[file.stem] = module
        names.append(file.stem)
        exec(compile(file.read_text(), str(file), "exec"), vars(module))
        app = Flask("bot", root_path=str(tmp_path))
        webhook: ClustaarWebhook = module.webhook
        app.config.update(
            CLUSTAAR_PRIVATE_KEY=KEY,
            CLUSTAAR_AUTH_USERNAME=USERNAME,
            CLUSTAAR_AUTH_PASSWORD=PASSWORD,
            CLUSTAAR_REPLAY_STORE=MemoryReplayStore(9),
        )
        webhook.init_app(app)
        return app

    yield make
    for name in names:
        del sys.modules[name]


def found(app: Flask, steps: Any) -> list[str]:
    """Return the findings, as 'code where: message'."""
    result = run(app, "check", "--bot", "-", "--json", input=json.dumps(steps))
    rows = json.loads(result.stdout)
    return [f"{row['code']} {row['where']}: {row['message']}" for row in rows]


def step(id: str, name: str, *actions: Any, **more: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "actions": list(actions), **more}


def jump(kind: str, id: str) -> dict[str, Any]:
    target = {"type": kind, "id": id}
    return {"type": "jump_to_action", "connections": [], "defaultTarget": target}


EVERYTHING = "webhook.fallback(lambda notification: None)"


def test_bot_without_mistakes(program: Any) -> None:
    """Nothing is found in a bot whose steps lead to one another."""
    app = program(
        """
@webhook.on(TOPIC, filter=StepID(ASK))
def ask(notification):
    notification.session[KEY] = "red"
    return GoToAction.step(ANSWER)

@webhook.on(TOPIC, filter=StepName("Answer"))
def answer(notification):
    return notification.session.get("colour")
"""
    )
    steps = [
        step(HALL, "Hall", jump("step", ASK), webhook=False),
        step(ASK, "Ask", webhook=True),
        step(ANSWER, "Answer", jump("story", STORY), webhook=True),
        step(CELLAR, "Cellar", webhook=False, story=STORY),
    ]
    assert found(app, steps) == []
    file = json.dumps(steps)
    assert ok(run(app, "check", "--bot", "-", input=file)) == "No problems found.\n"


def test_steps_that_nothing_leads_to(program: Any) -> None:
    """A step has to be reached by a button, a jump, 'next', a story or a handler."""
    app = program(EVERYTHING)
    steps = [
        step(HALL, "Hall", next="Ask"),
        step(ASK, "Ask"),
        step(ANSWER, "Answer", jump("step", CELLAR)),
        step(CELLAR, "Cellar"),
    ]
    expected = (
        "This step cannot be reached: no button, jump, 'next' or story leads to it, "
        "and no handler names it."
    )
    assert found(app, steps) == [
        f"unreachable Answer: {expected}",
        f"unreachable Cellar: {expected}",
    ]


@pytest.mark.parametrize(
    "line",
    [
        f"GoToAction.step({ASK!r})",
        "GoToAction.step(ASK)",
        "[ids.ASK]",
        "'Ask'",
        "ASK, StepID(ASK)",
    ],
)
def test_step_that_the_program_leads_to(program: Any, line: str) -> None:
    """A step whose id or name the program uses may be reached."""
    app = program(f"{EVERYTHING}\ndef more(ids): return {line}")
    assert found(app, [step(HALL, "Hall"), step(ASK, "Ask")]) == []


def test_step_that_the_program_only_answers_for(program: Any) -> None:
    """A filter for a step does not lead to it."""
    app = program("webhook.on(TOPIC, lambda n: None, filter=StepID(ASK))")
    steps = [step(HALL, "Hall"), step(ASK, "Ask")]
    assert [each.split(":")[0] for each in found(app, steps)] == ["unreachable Ask"]


def test_links_that_lead_nowhere(program: Any) -> None:
    """Jumps and buttons have to lead to steps and stories of the file."""
    app = program(EVERYTHING)
    steps = [step(HALL, "Hall", jump("step", ASK), jump("story", STORY))]
    assert found(app, steps) == [
        f"no_such_step Hall.actions.0.defaultTarget: There is no step '{ASK}'.",
        f"no_such_story Hall.actions.1.defaultTarget: There is no story '{STORY}'.",
    ]


# -- handlers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter", "handled"),
    [
        ("StepID(ASK)", True),
        ("StepID(ANSWER)", False),
        ("StepName('Ask')", True),
        ("StepName('Answer')", False),
        ("~StepID(ASK)", False),
        ("~StepID(ANSWER)", True),
        ("~TextEquals('hi')", True),
        ("StepID(ASK) & TextEquals('hi')", True),
        ("StepID(ANSWER) & TextEquals('hi')", False),
        ("StepID(ANSWER) | TextEquals('hi')", True),
        ("StepID(ANSWER) | StepName('Other')", False),
        ("StepID(ASK) | StepName('Other')", True),
        ("StepID(ASK) & StepName('Ask')", True),
        ("BotID('a')", True),
        ("None", True),
    ],
)
def test_step_that_a_handler_is_for(program: Any, filter: str, handled: bool) -> None:
    """A step with a webhook needs a handler that may get its notifications."""
    app = program(f"webhook.on(TOPIC, lambda n: None, filter={filter})")
    steps = [step(ASK, "Ask", webhook=True), step(ANSWER, "Answer", webhook=False)]
    expected = (
        "not_handled Ask: The webhook is switched on for this step, but no handler "
        f"matches it. Add one with '@webhook.on_step({ASK!r})', or a fallback."
    )
    assert (expected in found(app, steps)) == (not handled)


def test_bot_of_the_file_is_known(program: Any) -> None:
    """A filter on the bot is compared with that of the file; other events are not."""
    app = program(
        "webhook.on(TOPIC, lambda n: None, filter=BotID('a' * 24))\n"
        "webhook.on('other', lambda n: None)"
    )
    for bot, handled in (("a", True), ("b", False)):
        file = {"bot_id": bot * 24, "steps": [step(ASK, "Ask", webhook=True)]}
        assert (found(app, file) == []) == handled


def test_handler_for_a_step_that_is_not_there(program: Any) -> None:
    """Ids and names in filters have to be those of steps in the file."""
    app = program(
        "webhook.on(TOPIC, lambda n: None, filter=StepID(ASK) & TextEquals('a'))\n"
        "webhook.on(TOPIC, lambda n: None, filter=StepName('Hal'))\n"
    )
    first, second = found(app, [step(HALL, "Hall")])
    where = "which is not in the bot file."
    assert f"is for the step '{ASK}', {where} Did you mean '{HALL}'?" in first
    assert f"is for the step 'Hal', {where} Did you mean 'Hall'?" in second


# -- session values ------------------------------------------------------------------


def reads(*actions: Any) -> list[dict[str, Any]]:
    return [step(HALL, "Hall", *actions)]


def if_set(key: str) -> dict[str, Any]:
    getter = {"type": "session_value", "key": key}
    predicate = {
        "type": "connection_predicate",
        "condition": {"type": "is_set"},
        "valueGetter": getter,
    }
    target = {"type": "step", "id": HALL}
    connection = {
        "type": "flow_connection",
        "target": target,
        "predicates": [predicate],
    }
    return {
        "type": "jump_to_action",
        "connections": [connection],
        "defaultTarget": None,
    }


def text(said: str) -> dict[str, Any]:
    return {"type": "send_text_action", "alternatives": [said], "text": said}


STORE = {"type": "store_session_value_action", "key": "colour", "value": "red"}
CHIP = {
    "type": "send_quick_replies_action",
    "message": "?",
    "buttons": [
        {
            "title": "Red",
            "action": {
                "type": "go_to_action",
                "target": {"type": "step", "id": HALL},
                "sessionValues": {"colour": "red"},
            },
        }
    ],
}


@pytest.mark.parametrize("read", [if_set("colour"), text("{{ @session.colour }}")])
@pytest.mark.parametrize("write", [None, STORE, CHIP])
def test_value_that_the_bot_reads(program: Any, read: Any, write: Any) -> None:
    """Values that conditions or texts read must be written by actions or buttons."""
    rows = found(program(EVERYTHING), reads(read, *([write] if write else [])))
    assert rows == (
        []
        if write
        else [
            "never_written : The session value 'colour' is read (Hall) and never "
            "written."
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        "n.session['colour'] = 1",
        "n.session[KEY] = 1",
        "n.session.setdefault('colour', 1)",
        "n.session.update(colour=1)",
        "n.session.update({'colour': 1})",
        "n.session.values = {'colour': 1}; n.session |= {'colour': 1}",
        "GoToAction.step(ASK, session_values={'colour': 1})",
        "StoreSessionValueAction(key='colour', value='1')",
        "ConversationSession(values={'colour': 1})",
        "n.session[n.text] = 1",
        "n.session.update(n.values)",
    ],
)
def test_value_that_the_program_writes(program: Any, line: str) -> None:
    """Values that the program writes, or may write, count as written."""
    app = program(f"{EVERYTHING}\ndef more(n): {line}")
    assert found(app, reads(if_set("colour"))) == []


@pytest.mark.parametrize(
    "line",
    [
        "n.session['kolour']",
        "n.session.get('kolour', KEY)",
        "SessionValue('kolour', 1)",
        "del n.session['x']; n.session['kolour'] + n.other['x']",
        "n.session.get(n.text), n.session['kolour'], n.session.clear()",
    ],
)
def test_value_that_the_program_reads(program: Any, line: str) -> None:
    """Values that the program reads must be written; the place is named."""
    app = program(f"{EVERYTHING}\ndef more(n): {line}; GoToAction(session_values=None)")
    (one,) = found(app, reads(STORE))
    assert one.startswith(
        "never_written : The session value 'kolour' is read (program_"
    )
    assert one.endswith(" and never written. Did you mean 'colour'?")


# -- wrong files ---------------------------------------------------------------------


def test_file_that_is_not_a_bot(program: Any) -> None:
    """An invalid bot file is an error with the paths of the first mistakes."""
    wrong = json.dumps([{"id": 5}, *[{}] * 5])
    result = run(program(EVERYTHING), "check", "--bot", "-", input=wrong)
    assert sentence(result) == (
        "Standard input is not a bot file. steps.0.id: Must be text. "
        "steps.1: 'id' is missing. steps.2: 'id' is missing. steps.3: 'id' is missing. "
        "steps.4: 'id' is missing. And 1 more."
    )


def test_options_that_exclude_each_other(program: Any) -> None:
    """A reply is checked without the application."""
    for option in ("--bot", "--webhook"):
        result = run(program(EVERYTHING), "check", "reply.json", option, "x")
        assert sentence(result, 2) == (
            "'--bot' and '--webhook' check the application. Remove them, or FILE."
        )


# -- groups --------------------------------------------------------------------------


GROUPS = """
inner, outer, forgotten, empty = (HandlerGroup() for _ in range(4))
again = forgotten
inner.on(TOPIC, lambda notification: None)
forgotten.on(TOPIC, lambda notification: None)
outer.include(inner)
webhook.include(outer)
"""


def test_group_that_is_never_included(program: Any) -> None:
    """A group of the program that has handlers and is nowhere included is found."""
    rows = json.loads(run(program(GROUPS), "check", "--json").stdout)
    assert [(row["code"], row["message"]) for row in rows] == [
        (
            "not_included",
            "The handler group 'program_0.forgotten' is never included, so its "
            "handlers never run. Write 'webhook.include(forgotten)'.",
        )
    ]


def test_group_of_two_webhooks(program: Any) -> None:
    """A group that two webhooks include is included."""
    app = program(GROUPS.replace("forgotten.on", "inner.on"))
    other = ClustaarWebhook(app, name="other")
    other.include(sys.modules["program_0"].outer)
    assert json.loads(run(app, "check", "--json").stdout) == []
