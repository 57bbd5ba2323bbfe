"""``flask clustaar chat``: the user's side of the bot, in the terminal."""

from __future__ import annotations

import itertools
import json
import os
import pty
import readline
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli_bots import (
    ANSWER,
    ASK,
    FAIL,
    KEY,
    PASSWORD,
    USERNAME,
    in_terminal,
    ok,
    run,
    sentence,
    small_bot,
    two_bots,
)
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    Action,
    Button,
    ButtonAction,
    Card,
    CustomerSatisfactionAction,
    CustomerSatisfactionChoice,
    GoToAction,
    JumpToAction,
    LegacyReplyToMessageAction,
    OpenURLAction,
    QuickReply,
    SendCardsAction,
    SendQuickRepliesAction,
    ShareAction,
    StepTarget,
    StoryTarget,
    Target,
)

TOPIC = events.CONVERSATION_STEP_REACHED
STORY = "507f191e810c19729de860ef"


def bot(*actions: Action | str, **settings: Any) -> Flask:
    """Make an application whose bot always answers the same at one step, and tells
    what it heard at all others.
    """
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key=KEY, **settings)

    @webhook.on(TOPIC, filter=StepID(ASK))
    def answer(notification: Notification) -> list[Action | str]:
        return list(actions)

    @webhook.on(TOPIC, filter=~StepID(ASK))
    def tell(notification: Notification) -> str:
        heard = notification.input.type if notification.input else "nothing"
        return f"{heard} {notification.text} at {notification.step.id}"

    return app


def chips(*titles: str, action: ButtonAction | None = None) -> Action:
    """Return quick replies; by default each leads to the other step."""
    leads = action or GoToAction.step(ANSWER)
    buttons = [QuickReply(title=title, action=leads) for title in titles]
    return SendQuickRepliesAction(message="Which?", buttons=buttons)


def talk(app: Flask, *lines: str, options: tuple[str | Path, ...] = ()) -> list[str]:
    """Return the output for piped lines."""
    options = ("--ignore-problems", *options)
    return ok(run(app, "chat", *options, input="\n".join(lines))).splitlines()


# -- a conversation ------------------------------------------------------------------


def test_conversation() -> None:
    """The output for piped lines is a conversation with session values."""
    assert talk(small_bot(), "Hi", "1", "") == [
        f"at {ASK}",
        "you  Hi",
        "bot  Which colour, John?",
        "     [Red] [Blue]",
        "you  [Red]",
        f"at {ANSWER}",
        "bot  Red it is.",
        'session colour = "Red"',
    ]


def test_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal, it prints a hint, and prompts for each line."""
    shown = in_terminal(monkeypatch, small_bot(), "chat", typed="Hi\nblue\n\x04")

    assert "'/help' lists the commands." in shown
    assert shown.count("you  ") >= 3
    assert "\033[32mBlue it is.\033[0m" in shown


def test_options() -> None:
    """Options set the step and the user."""
    said = ("--step", ANSWER, "--session", "colour=Green", "--user", "first_name=Ada")
    assert "bot  Green it is." in talk(small_bot(), "Hi", options=said)
    named = ("--step-name", "Help", "--session", "colour=Green")
    assert talk(small_bot(), options=named) == ["at Help", 'session colour = "Green"']
    support = ("--webhook", "support")
    assert "bot  Support." in talk(two_bots(), "Hi", options=support)


def test_requests_are_authenticated() -> None:
    """Typed messages pass all authentication checks."""
    app = small_bot(auth_username=USERNAME, auth_password=PASSWORD)
    assert "bot  Which colour, John?" in talk(app, "Hi")


def test_wrong_user() -> None:
    """An attribute that a user does not have is an error of usage."""
    result = run(small_bot(), "chat", "--user", "firstName=Ada")
    assert "Did you mean 'first_name=Ada'?" in sentence(result, 2)


def test_first_step_that_does_not_exist() -> None:
    """A name in '--step' that no step has is an error of usage."""
    error = sentence(run(small_bot(), "chat", "--step", "Nowhere"), 2)
    assert error == "There is no step 'Nowhere' in the bot."


def test_session_value_that_is_nested_too_deeply() -> None:
    """An invalid message is a problem, and not a traceback."""
    options = ("--session", f"a={'[' * 400}{']' * 400}")
    shown = talk(small_bot(), "Hi", options=options)
    assert shown[-1] == "     The body is nested too deeply."


def test_handler_that_fails() -> None:
    """A handler's exception is a problem, and the conversation continues."""
    shown = talk(small_bot(), f"/step {FAIL}", f"/step {ANSWER}")
    assert any(line.startswith("bot  500 handler_failed: ") for line in shown)
    assert shown[-1] == "bot  None it is."


def test_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty input sends no message."""
    monkeypatch.setattr(sys, "stdin", None)
    result = run(small_bot(), "chat")
    assert ok(result).count("\n") == 1


# -- clicks --------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["2", "Blue", "bLUE", " Blue "])
def test_click(typed: str) -> None:
    """A number or a title is a click."""
    assert talk(small_bot(), "Hi", typed)[-1] == 'session colour = "Blue"'


@pytest.mark.parametrize("typed", ["3", "0", "²", "Green", "Bluee", "-1"])
def test_no_click(typed: str) -> None:
    """A text that matches no button is a message."""
    assert talk(small_bot(), "Hi", typed)[-2:] == [
        "bot  Which colour, John?",
        "     [Red] [Blue]",
    ]


def test_everything_has_a_number() -> None:
    """Buttons of cards are numbered with all else that can be clicked."""
    cards = SendCardsAction(
        cards=[
            Card(title=title, buttons=[Button(title="Buy", action=leads)])
            for title, leads in (
                ("One", GoToAction.step(ANSWER, session_values={"n": 1})),
                ("Two", GoToAction.step(ANSWER, session_values={"n": 2})),
            )
        ]
    )
    app = bot(chips("Red"), cards, chips("Blue"))

    shown = talk(app, "Hi", "3", f"/step {ASK}", "Buy", f"/step {ASK}", "4")

    assert shown[3:8] == [
        "     [Red]",
        "bot  | One",
        "     | [Buy]",
        "     --",
        "     | Two",
    ]
    assert "you  [Buy] (2)" in shown
    assert "session n = 2" in shown
    assert "     Several buttons have this title. Type a number: 2, 3." in shown
    assert "you  [Blue]" in shown


def test_clicks_of_all_kinds() -> None:
    """A click is shown, even if it sends no notification."""
    target = StepTarget(step_id=ANSWER)
    satisfied = CustomerSatisfactionAction(
        message="Happy?",
        choices=[
            CustomerSatisfactionChoice(kind="positive", label="Yes", target=target),
            CustomerSatisfactionChoice(kind="negative", label="No", target=target),
        ],
    )
    app = bot(
        chips("Open", action=OpenURLAction(url="https://example.com/")),
        chips("Share", action=ShareAction()),
        chips("Reply", action=LegacyReplyToMessageAction(message="Fine")),
        satisfied,
    )
    shown = talk(app, "Hi", "Open", "Share", "5", f"/step {ASK}", "Reply")

    assert any("'https://example.com/'" in line for line in shown)
    assert any("'Share'" in line for line in shown)
    assert f"bot  go_to_action  at {ANSWER}" in shown
    assert "you  [Reply]" in shown


def test_session_that_stays() -> None:
    """The session is shown when it changes."""
    shown = talk(small_bot(), "Hi", "1", f"/step {ASK}", "1", f"/step {ASK}", "2")
    assert [line for line in shown if "session" in line] == [
        'session colour = "Red"',
        'session colour = "Blue"',
    ]


# -- jumps ---------------------------------------------------------------------------


def jump(target: Target | None) -> Action:
    return JumpToAction(default_target=target)


def test_jump() -> None:
    """A jump that always fires is followed."""
    shown = talk(bot("Off.", jump(StepTarget(step_id=ANSWER))), "Hi")
    assert shown[-3:] == [
        f"     · jumps to {ANSWER}",
        f"at {ANSWER}",
        f"bot  message Hi at {ANSWER}",
    ]


def test_jump_to_nowhere() -> None:
    """A jump without a target is not followed."""
    assert talk(bot("Off.", jump(None)), "Hi")[-1] == "     · jumps nowhere"


def test_jump_in_a_circle() -> None:
    """A bot that jumps endlessly is stopped."""
    shown = talk(bot("Off.", jump(StepTarget(step_id=ASK))), "Hi")
    assert shown.count("bot  Off.") == 26
    assert shown[-1].startswith(
        f"     Stopped after 25 consecutive jumps: {ASK} -> {ASK}"
    )


# -- a file of steps -----------------------------------------------------------------

STEPS: list[dict[str, Any]] = [
    {"id": ASK, "name": "Ask"},
    {
        "id": FAIL,
        "name": "Bye",
        "story": STORY,
        "actions": [{"type": "send_text_action", "alternatives": ["Bye."]}],
    },
    {"id": "507f191e810c19729de860ee", "userData": "x", "actions": None},
]


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A file of steps."""
    file = tmp_path / "steps.json"
    file.write_text(json.dumps(STEPS))
    return file


def test_steps(steps: Path) -> None:
    """It begins at the first of them, and walks between them by id or by name."""
    shown = talk(
        small_bot(), f"/step {ANSWER}", "/step Ask", "/step", options=("--steps", steps)
    )
    assert shown[0] == "at Ask"
    assert shown.count("at Ask") == 2
    assert f"     · the step '{ANSWER}' is not in {steps}" in shown
    assert shown[-3:] == [
        f"     · known: {ASK} (Ask)",
        f"     · known: {FAIL} (Bye)",
        "     · known: 507f191e810c19729de860ee (A step)",
    ]


def test_steps_of_handlers() -> None:
    """Without a bot file, it lists the steps that handlers ask for."""
    assert talk(small_bot(), "/step")[-3:] == [
        f"     · known: {ASK} (handler {name('ask')})",
        f"     · known: {ANSWER} (handler {name('answer')})",
        f"     · known: {FAIL} (handler {name('fail')})",
    ]


def name(function: str) -> str:
    """Return the name of a handler of the small bot."""
    return f"cli_bots.small_bot.<locals>.{function}"


def test_step_of_a_story(steps: Path) -> None:
    """A click and a jump to a story lead to the step that begins it."""
    app = bot(
        chips("Go", action=GoToAction.story(STORY)), jump(StoryTarget(story_id=STORY))
    )
    shown = talk(app, "Hi", options=("--steps", steps))
    assert shown[-2] == "at Bye"
    app = bot(chips("Go", action=GoToAction.story(STORY)))
    shown = talk(app, "Hi", "Go", options=("--steps", steps))
    assert shown[-1] == f"bot  go_to_action  at {FAIL}"


@pytest.mark.parametrize(
    "action",
    [chips("Go", action=GoToAction.story(STORY)), jump(StoryTarget(story_id=STORY))],
)
def test_unknown_story(action: Action) -> None:
    """If the first step of a story is unknown, the error asks for it."""
    shown = talk(bot(action), "Hi", "Go")
    assert any(
        f"The first step of the story '{STORY}' is unknown." in line for line in shown
    )


def built() -> Flask:
    app = Flask("built")
    ClustaarWebhook(app, private_key=KEY).on("other", lambda _: "Other.")
    return app


def test_step_that_nobody_handles(steps: Path) -> None:
    """A step without a handler executes its own actions."""
    shown = talk(built(), f"/step {FAIL}", "/step Ask", options=("--steps", steps))
    assert "bot  Bye." in shown
    assert any(line.startswith("bot  404 no_handler: ") for line in shown)


def test_step_that_is_not_there() -> None:
    """An unknown name is an error, and the step does not change."""
    shown = talk(small_bot(), "/step Nowhere", "hi")
    assert "     Unknown step 'Nowhere'. '/step' lists the known steps. " in (
        "\n".join(shown)
    )


def test_fallback_of_the_bot(steps: Path) -> None:
    """The bot's fallback gets unmatched notifications."""
    app = built()
    webhook: ClustaarWebhook = app.extensions["clustaar"]["clustaar"]
    webhook.fallback(lambda _: "Sorry.")
    assert talk(app, "/step Bye", options=("--steps", steps))[-1] == "bot  Sorry."


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("{", "Standard input is not a bot file. line 1, column 2: The file is not "),
        ("{}", "Standard input is not a bot file. The bot file has no steps. "),
        ('[{"id": ""}]', "Standard input is not a bot file. steps.0: 'id' is missing."),
    ],
)
def test_no_steps(content: str, error: str) -> None:
    """A file without steps is an error."""
    result = run(small_bot(), "chat", "--steps", "-", input=content)
    assert sentence(result).startswith(error)


# -- commands ------------------------------------------------------------------------


def test_help() -> None:
    """'/help' lists all commands."""
    shown = "\n".join(talk(small_bot(), "/help"))
    for name in ("help", "session", "step", "event", "url", "json", "reset", "quit"):
        assert f"· /{name} " in shown


def test_session() -> None:
    """'/session' shows the session values."""
    options = ("--session", 'name="Zoë"')
    assert talk(small_bot(), "/session", options=options)[-1] == (
        '     · session {"name": "Zoë"}'
    )


def test_json() -> None:
    """'/json' shows the last answer as JSON."""
    shown = talk(small_bot(), "/json", "Hi", "/json")
    assert shown[2] == "     There is no reply yet."
    start = shown.index("{")
    assert "actions" in json.loads("\n".join(shown[start:]))


def test_inputs() -> None:
    """The website's events and URLs, and what begins with '/', can be said."""
    app = bot()
    shown = talk(
        app,
        "/event bought",
        "/url https://example.com/",
        "//x",
        options=("--step", ANSWER),
    )
    assert [line for line in shown if line.startswith("bot")] == [
        f"bot  custom_event  at {ANSWER}",
        f"bot  url_loaded_event  at {ANSWER}",
        f"bot  message /x at {ANSWER}",
    ]


def test_reset() -> None:
    """'/reset' begins again, with nothing to click on and the first session."""
    shown = talk(small_bot(), "Hi", "1", "/reset", "/session", "1")
    assert shown[-6:] == [
        f"at {ASK}",
        "you  /session",
        "     · session {}",
        "you  1",
        "bot  Which colour, John?",
        "     [Red] [Blue]",
    ]


@pytest.mark.parametrize("command", ["/quit", "/exit"])
def test_quit(command: str) -> None:
    """'/quit' ends it."""
    assert talk(small_bot(), command, "Hi")[-1] == f"you  {command}"


def test_unknown_command() -> None:
    """An unknown command is an error."""
    shown = talk(small_bot(), "/jump")
    assert shown[-1] == "     Unknown command '/jump'. '/help' lists the commands."


@settings(max_examples=30)
@given(rubbish=st.binary())
def test_rubbish(rubbish: bytes) -> None:
    """The conversation continues after any input."""
    ok(run(small_bot(), "chat", "--ignore-problems", input=rubbish))


@settings(max_examples=30)
@given(
    line=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))
)
def test_any_text(line: str) -> None:
    """Every input ends with a reply or an error."""
    ok(
        run(
            small_bot(),
            "chat",
            "--ignore-problems",
            input=f"Hi\n{line}\n/step {line}\n/event {line}\n/url {line}",
        )
    )


# -- problems ------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["/jump", "/step Nowhere", f"/step {FAIL}"])
def test_piped_line_that_meets_a_problem(line: str) -> None:
    """A problem makes the exit status 1, unless problems are ignored."""
    lines = f"{line}\nHi\n"
    result = run(small_bot(), "chat", input=lines)
    assert result.exit_code == 1
    assert "you  Hi" in result.output
    ok(run(small_bot(), "chat", "--ignore-problems", input=lines))


def test_problem_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal, the user sees the problem, so the exit status is 0."""
    shown = in_terminal(monkeypatch, small_bot(), "chat", typed="/jump\n\x04")
    assert "Unknown command '/jump'." in shown


def test_failure_is_reported_once() -> None:
    """A failing handler is one answer, and one traceback."""
    output = run(small_bot(), "chat", input=f"/step {FAIL}\n").output
    assert output.count("handler_failed") == 1
    assert output.count("Traceback (most recent call last)") == 1


def test_warning_of_what_users_do_not_see() -> None:
    """HTML where the webchat shows plain text is a warning, and not in the story."""
    result = run(bot(chips("<b>Red</b>")), "chat", input="Hi\n")
    assert "Warning: actions.0.buttons.0.title: " in result.stderr
    assert "Warning" not in result.stdout


def test_warning_of_what_the_bot_designer_built(tmp_path: Path) -> None:
    """A step's own buttons are checked, also without a type, which the platform may
    leave out."""
    button = {"title": "<b>Red</b>", "action": {"type": "share_action"}}
    asks = {"type": "send_quick_replies_action", "message": "?", "buttons": [button]}
    file = tmp_path / "bot.json"
    file.write_text(json.dumps([{"id": ASK, "actions": [asks], "webhook": False}]))
    result = run(small_bot(), "chat", "--steps", file, input="Hi\n")
    assert "Warning: actions.0.buttons.0.title: " in result.stderr


def test_no_hints() -> None:
    """A hint, such as on a limit of Messenger, is for 'check' only."""
    result = run(bot("x" * 501), "chat", "--channel", "facebook", input="Hi\n")
    assert "x" * 501 in ok(result)
    assert "Messenger" not in result.output


# -- stories -------------------------------------------------------------------------


def test_conversation_is_saved(tmp_path: Path) -> None:
    """'--save' and '/save' write the transcript, letter by letter."""
    ended, so_far = tmp_path / "test_red.story", tmp_path / "test_hi.story"
    options = ("--save", ended)

    shown = talk(small_bot(), "Hi", f"/save {so_far}", "Red", options=options)

    typed = f"you  /save {so_far}"
    transcript = [line for line in shown if line != typed and "Saved '" not in line]
    assert ended.read_text().splitlines() == transcript
    assert so_far.read_text().splitlines() == transcript[:4]


def test_story_is_never_overwritten(tmp_path: Path) -> None:
    """A file that exists is not overwritten."""
    story = tmp_path / "test_red.story"
    story.write_text("mine")
    error = sentence(run(small_bot(), "chat", "--save", story, input="Hi\n"), 2)
    assert error == f"'{story}' already exists. Choose another name, or remove it."
    shown = talk(small_bot(), "Hi", f"/save {story}", "/save", "/save /no/where.story")
    assert f"     '{story}' already exists. Choose another name, or remove it." in shown
    assert "     Type '/save' and a file name, such as '/save test_red.story'." in shown
    assert "     Cannot write '/no/where.story': No such file or directory." in shown
    assert story.read_text() == "mine"


# -- what only the platform knows ----------------------------------------------------


ONLINE = {
    "type": "jump_to_action",
    "connections": [
        {
            "type": "flow_connection",
            "target": {"type": "step", "id": ASK},
            "predicates": [
                {
                    "type": "connection_team_predicate",
                    "condition": {"type": "is_online"},
                }
            ],
        }
    ],
    "defaultTarget": None,
}


@pytest.mark.parametrize(
    ("options", "lines", "asks"),
    [
        ((), (), False),
        (("--online",), (), True),
        (("--offline",), (), False),
        ((), ("/online yes",), True),
        (("--online",), ("/online no",), False),
        ((), ("/online perhaps",), False),
    ],
)
def test_agent_is_online(
    options: tuple[str, ...], lines: tuple[str, ...], asks: bool, tmp_path: Path
) -> None:
    """An option or a command sets whether an agent is online."""
    file = tmp_path / "bot.json"
    steps = [{"id": FAIL, "name": "Hall", "actions": [ONLINE], "webhook": False}]
    file.write_text(json.dumps([*steps, {"id": ASK, "name": "Ask"}]))
    shown = talk(small_bot(), *lines, "Hi", options=("--steps", file, *options))
    assert ("bot  Which colour, John?" in shown) == asks


# -- the terminal --------------------------------------------------------------------


def test_tab_completes(tmp_path: Path) -> None:
    """Tab completes commands, steps and buttons."""
    (tmp_path / "app.py").write_text(
        "from cli_bots import small_bot\napp = small_bot()\n"
    )
    shown = typed_at(tmp_path, "Hi\n", "bl\t\n", "/ses\t\n", "/qu\t\n")
    assert "Blue it is." in shown
    assert 'session {"colour": "Blue"}' in shown


def test_completions(monkeypatch: pytest.MonkeyPatch, steps: Path) -> None:
    """Commands, the names and ids of steps, and buttons are completed in any case."""
    arguments = ("chat", "--steps", str(steps))
    in_terminal(monkeypatch, small_bot(), *arguments, typed="Hi\n\x04")
    complete = readline.get_completer()
    readline.set_completer(None)
    assert complete is not None

    def completed(text: str) -> list[str]:
        found = (complete(text, state) for state in itertools.count())
        return [each for each in itertools.takewhile(bool, found) if each]

    assert completed("/s") == [
        *("/session", "/step", "/save"),
        *("/step Ask", "/step Bye", "/step A step"),
        *(f"/step {step['id']}" for step in STEPS),
    ]
    assert completed("/STEP b") == ["/step Bye"]
    assert completed("/q") == ["/quit"]
    assert completed("bl") == ["Blue"]
    assert completed("x") == []


def test_completions_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bot file, the steps that handlers ask for are completed."""
    in_terminal(monkeypatch, small_bot(), "chat", typed="Hi\n\x04")
    complete = readline.get_completer()
    readline.set_completer(None)
    assert complete is not None

    steps = [complete("/step ", state) for state in range(4)]

    assert steps == [f"/step {ASK}", f"/step {ANSWER}", f"/step {FAIL}", None]


@pytest.mark.parametrize(
    ("typed", "shown"), [("Blue", 1), ("2", 2)], ids=["a title", "a number"]
)
def test_click_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, typed: str, shown: int
) -> None:
    """A title is on the screen already; for a number, the chat says what it is."""
    result = in_terminal(monkeypatch, small_bot(), "chat", typed=f"Hi\n{typed}\n\x04")

    assert result.count("[Blue]") == shown  # The bot's offer is the first.


def test_ctrl_c_while_the_bot_answers() -> None:
    """Ctrl-C while the bot answers ends the conversation, and is not a problem."""
    app = Flask("interrupted")
    webhook = ClustaarWebhook(app, private_key=KEY)
    webhook.fallback(lambda _: signal.raise_signal(signal.SIGINT))
    assert ok(run(app, "chat", input="Hi\nagain\n")).splitlines()[1:] == [
        "you  Hi",
        "",
    ]


def test_ctrl_c_ends_the_conversation(tmp_path: Path) -> None:
    """Ctrl-C ends a conversation without a traceback, also while the bot waits."""
    (tmp_path / "app.py").write_text(SLOW)
    shown = typed_at(tmp_path, "Hi\n", "\x03")
    assert "Traceback" not in shown


SLOW = """
import time
from flask import Flask
from flask_clustaar import ClustaarWebhook

app = Flask("slow")
webhook = ClustaarWebhook(app, private_key="k")

@webhook.fallback
def think(notification):
    print("thinking", flush=True)
    time.sleep(60)
"""


def typed_at(directory: Path, *lines: str) -> str:
    """Type at 'flask clustaar chat' in a real terminal; return what it shows."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        tests = Path(__file__).parent
        path = os.pathsep.join([str(tests.parent), str(tests), *sys.path])
        os.chdir(directory)
        os.environ |= {"PYTHONPATH": path, "TERM": "dumb", "FLASK_SKIP_DOTENV": "1"}
        code = "from flask.cli import main; main()"
        os.execv(sys.executable, [sys.executable, "-c", code, "clustaar", "chat"])
    shown = ""
    for line in lines:
        while not shown.endswith("you  "):
            shown += os.read(terminal, 4096).decode(errors="replace")
            if line == "\x03" and "thinking" in shown:
                break
        os.write(terminal, line.encode())
        shown += " "
    with suppress(OSError):  # Linux raises this for a closed terminal.
        while chunk := os.read(terminal, 4096):
            shown += chunk.decode(errors="replace")
    os.close(terminal)
    os.waitpid(pid, 0)
    return shown


def test_wait_takes_its_time(tmp_path: Path) -> None:
    """A bot that waits makes the user wait, as long as the action says."""
    file = tmp_path / "bot.json"
    wait = {"type": "wait_action", "duration": 0.5}
    file.write_text(json.dumps([{"id": FAIL, "actions": [wait], "webhook": False}]))
    began = time.monotonic()
    talk(small_bot(), "Hi", options=("--steps", file))
    assert time.monotonic() - began >= 0.5
