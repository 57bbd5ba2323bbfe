"""The pytest plugin, in separate runs of pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flask_clustaar.testing import make_notification

pytest_plugins = ["pytester"]

#: The files of a user: an application factory, and the fixture that calls it.
CONFTEST = """
import pytest
from flask import Flask
from flask_clustaar import ClustaarWebhook

def create_app():
    app = Flask("bot")
    for name in {names}:
        webhook = ClustaarWebhook(app, name=name, private_key="for tests")
        webhook.fallback(lambda notification: f"Hello {{notification.text}}")
    return app

@pytest.fixture
def app():
    return create_app()
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a test of a user, with this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(
        test: str, names: tuple[str, ...] = ("clustaar",), *, option: str = "-q"
    ) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST.format(names=names))
        pytester.makepyfile(test)
        plugin = "flask_clustaar.pytest_plugin"
        return pytester.runpytest_inprocess("-p", plugin, option)

    return run


def test_client_is_a_fixture(run: Run) -> None:
    """The fixture plays the user of the application."""
    result = run(
        """
        def test(clustaar_client, make_notification):
            assert clustaar_client.say("John").texts == ["Hello John"]
            notification = make_notification(text="Jane")
            assert clustaar_client.send(notification).texts == ["Hello Jane"]
        """
    )

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*Clustaar conversation*")


def test_client_for_each_of_several_bots(run: Run) -> None:
    """For several bots, the fixture has a client for each name."""
    result = run(
        """
        def test(clustaar_clients):
            assert list(clustaar_clients) == ["sales", "support"]
            assert clustaar_clients["support"].say("John").texts == ["Hello John"]
        """,
        ("sales", "support"),
    )

    result.assert_outcomes(passed=1)


def test_no_client_without_a_bot(run: Run) -> None:
    """In an application without a webhook, there are no clients; one is an error."""
    result = run(
        """
        def test(clustaar_clients):
            assert clustaar_clients == {}

        def test_one(clustaar_client): ...
        """,
        (),
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("E *RuntimeError: The application has no webhook. *")


def test_client_needs_an_application(run: Run, pytester: pytest.Pytester) -> None:
    """Without an 'app' fixture, the error says that it is missing."""
    pytester.makepyfile("def test(clustaar_client): ...\n\ndef test_other(): ...")
    result = pytester.runpytest_inprocess("-p", "flask_clustaar.pytest_plugin")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("E *fixture 'app' not found")


def test_failure_shows_the_conversation(run: Run) -> None:
    """The report of a failed test has its conversation, and no other."""
    result = run(
        """
        def test_other(clustaar_client):
            clustaar_client.say("somebody else")

        def test(clustaar_client):
            reply = clustaar_client.say("John")
            assert reply.ok
            assert reply.texts == ["Hello Jane"]
        """
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *'Hello John' != 'Hello Jane'",
            "*- Clustaar conversation -*",
            "at *",
            "you  John",
            "bot  Hello John",
        ]
    )
    result.stdout.no_fnmatch_line("*somebody else*")


def test_failure_shows_clients_of_all_kinds(run: Run) -> None:
    """It does not matter where a client comes from, or how the test fails."""
    result = run(
        """
        from conftest import create_app
        from flask_clustaar.testing import ClustaarClient

        def test():
            ClustaarClient(create_app()).say("John")
            ClustaarClient(create_app()).say("Jane")
            ClustaarClient(create_app()).click("Red")
        """
    )

    result.assert_outcomes(failed=1)
    for name in ("John", "Jane"):
        expected = ["*- Clustaar conversation -*", "at *", f"you  {name}"]
        result.stdout.fnmatch_lines(expected)


def test_failed_fixture_shows_the_conversation(run: Run) -> None:
    """The report also has conversations of fixtures."""
    result = run(
        """
        import pytest

        @pytest.fixture
        def red(clustaar_client):
            clustaar_client.say("John")
            clustaar_client.click("Red")

        def test(red): ...
        """
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*- Clustaar conversation -*", "bot  Hello John"])


def test_failure_of_others_is_left_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that talked with no bot has no conversation."""
    monkeypatch.delitem(sys.modules, "flask_clustaar.testing", raising=False)
    result = run("def test(): assert False")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*Clustaar conversation*")


# -- stories -------------------------------------------------------------------------

STEP = "507f191e810c19729de860ea"
STORY = "at Hall\nyou  John\nbot  Hello John\n"


@pytest.fixture
def tell(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stories with a bot file."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(CONFTEST.format(names=("clustaar",)))
    bot = json.dumps([{"id": STEP, "name": "Hall"}])
    pytester.makefile(".json", bot=bot)

    def tell(*options: str, **stories: str) -> pytest.RunResult:
        for name, story in stories.items():
            (pytester.path / f"{name}.story").write_text(story, encoding="utf-8")
        return pytester.runpytest_inprocess(
            "-p", "flask_clustaar.pytest_plugin", *options
        )

    return tell


def test_story_is_a_test(tell: Run) -> None:
    """Files named test_*.story are tests; others are not."""
    result = tell("-v", test_john=STORY, jane="rubbish")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines("test_john.story::test_john PASSED*")


@pytest.mark.parametrize("off", ["--no-clustaar-stories", "-oclustaar_stories=false"])
def test_stories_can_be_left_out(tell: Run, off: str) -> None:
    """An option and a setting switch stories off."""
    tell(off, test_john=STORY).assert_outcomes()


def test_difference_is_shown_side_by_side(tell: Run) -> None:
    """A story that differs fails at its line, in the style of pytest."""
    story = '# Wide: 日本\nat Hall\nyou  日本\nbot  Hello Jane\nuser first_name = "A"\n'
    result = tell(test_jane=story)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_jane.story:4: The conversation differs.",
            "",
            "    # Wide: 日本",
            "    at Hall",
            "    you  日本",
            ">   bot  Hello Jane",
            "E   The conversation differs.",
            "E",
            "E     the story                the conversation",
            "E     you  日本                you  日本",
            "E     bot  Hello Jane        | bot  Hello 日本",
            'E     user first_name = "A"  |',
            "*- Clustaar conversation -*",
            "FAILED test_jane.story::test_jane - test_jane.story:4: The conversation *",
        ],
        consecutive=False,
    )


def test_story_that_cannot_be_read_fails_at_its_line(tell: Run) -> None:
    """A wrong line is shown with what belongs there."""
    result = tell(test_wrong="at Hall\nyuo  hi\n")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [">   yuo  hi", "E   'yuo  hi' is not a line of a sto*"]
    )


@pytest.mark.parametrize(
    "story",
    [
        "at Hall\nyou  {0}\nbot  {0}\n",
        "at {0}\nyou  {0}\n",
        "{0}\n",
        "at Hall\nyou  [{0}]\n",
    ],
)
def test_story_with_terminal_escapes_fails_safely(tell: Run, story: str) -> None:
    """Control characters in a story are escaped."""
    result = tell(test_hostile=story.format("a \x1b]52;c;eA==\x07\x9b2J\u202e"))

    result.assert_outcomes(failed=1)
    assert "\\u001b" in result.stdout.str()
    assert not set(result.stdout.str()) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_empty_story_fails(tell: Run) -> None:
    """An empty file is not a story."""
    tell(test_empty="").assert_outcomes(failed=1)


def test_stories_are_updated(tell: Run, pytester: pytest.Pytester) -> None:
    """With the option a story becomes what the bot answers; the rest still fails."""
    old = "at Hall\nyou  Jane\nbot  Hello John\n"
    end = "at Hall\nyou  [Red]\n"
    same = "at Hall\nyou  [Blue]\n"
    result = tell(
        "--clustaar-update", test_john=STORY, test_old=old, test_end=old + end[8:]
    )

    result.assert_outcomes(passed=2, failed=1)
    written = {path.name: path.read_text() for path in pytester.path.glob("*.story")}
    new = old.replace("John", "Jane")
    assert written == {
        "test_john.story": STORY,
        "test_old.story": new,
        "test_end.story": new + end[8:],
    }
    tell("--clustaar-update", test_same=same).assert_outcomes(passed=2, failed=2)
    assert (pytester.path / "test_same.story").read_text() == same


def test_story_needs_an_application(tell: Run, pytester: pytest.Pytester) -> None:
    """Other errors are shown as those of any test."""
    (pytester.path / "conftest.py").write_text("")
    result = tell(test_john=STORY)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("E *fixture 'app' not found")


def test_exception_in_a_story_has_its_traceback(
    tell: Run, pytester: pytest.Pytester
) -> None:
    """Other exceptions are reported as usual."""
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("\n@pytest.fixture\ndef clustaar_client(): return None\n")
    result = tell(test_john=STORY)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("E *AttributeError: 'NoneType' object has no *")


def test_bot_file_of_the_fixtures(tell: Run, pytester: pytest.Pytester) -> None:
    """A setting names the bot file; without it, only stories use 'bot.json'."""
    pytester.makepyfile(
        test_bot="""
        def test(clustaar_client, clustaar_clients):
            assert clustaar_client.bot is None
            assert clustaar_clients["clustaar"].bot is None
        """
    )
    tell().assert_outcomes(passed=1)

    pytester.makepyfile(
        test_bot="""
        def test(clustaar_client):
            assert clustaar_client.bot.step("Hall")
        """
    )
    (pytester.path / "bot.json").rename(pytester.path / "steps.json")
    found = tell("-oclustaar_bot=steps.json", test_john=STORY)
    found.assert_outcomes(passed=2)


def test_plugin_loads_nothing() -> None:
    """A run of pytest that has nothing to do with bots pays nothing for the plugin."""
    program = """
import sys, flask_clustaar, pytest
before = set(sys.modules)
import flask_clustaar.pytest_plugin
print(*sys.modules.keys() - before)
"""
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert output.split() == ["flask_clustaar.pytest_plugin"]


# -- recordings ----------------------------------------------------------------------

#: A test that was made of a recording.
RECORDED = """
def test(clustaar_client, recording):
    recorded = recording("1.json")
    replay = recorded.replayed_by(clustaar_client)
    assert replay.status == 200 and replay.reply["actions"]
    assert recorded.request["topic"] and "actions" in recorded.reply
    assert replay.same_reply
    assert "as recorded" in repr(replay)
"""


@pytest.fixture(name="recorded")
def _recorded(pytester: pytest.Pytester) -> Path:
    """Write a recording whose bot answers no longer as it did."""
    request = make_notification(text="John").received
    row = {
        "v": 1,
        "status": 200,
        "code": None,
        "redact": "none",
        "request": request,
        "reply": {
            "actions": [{"type": "send_text_action", "text": "Hi John"}],
            "session": {"values": {}},
        },
    }
    pytester.mkdir("recordings")
    file = pytester.path / "recordings/1.json"
    file.write_text(json.dumps(row))
    return file


def test_recording_that_differs(run: Run, recorded: Path) -> None:
    """A test of a recording fails with what differs."""
    result = run(RECORDED)

    result.assert_outcomes(failed=1)
    told = '*<Replay of 1.json: actions.*.text changed: "Hi John" -> "Hello John"; *'
    result.stdout.fnmatch_lines([told])


def test_recordings_are_updated(run: Run, recorded: Path) -> None:
    """With '--clustaar-update' the new reply is written, and the test passes."""
    run(RECORDED, option="--clustaar-update").assert_outcomes(passed=1)
    updated = recorded.read_text()

    run(RECORDED).assert_outcomes(passed=1)
    run(RECORDED, option="--clustaar-update").assert_outcomes(passed=1)
    assert updated == recorded.read_text()
    assert "Hello John" in updated


def test_recordings_of_problems(run: Run, recorded: Path) -> None:
    """A reply that is not JSON can be recorded."""
    row = json.loads(recorded.read_text())
    row |= {"status": 404, "code": "no_handler", "reply": "<p>Sorry</p>"}
    recorded.write_text(json.dumps(row))

    result = run(
        """
        def test(clustaar_client, recording):
            from flask_clustaar.errors import NoHandler
            clustaar_client.app.register_error_handler(
                NoHandler, lambda error: ("<p>Sorry</p>", 404)
            )
            clustaar_client.webhook._fallbacks.clear()
            replay = recording("1.json").replayed_by(clustaar_client)
            assert replay.reply == "<p>Sorry</p>"
            assert "answer status" in repr(replay)
        """
    )

    result.assert_outcomes(passed=1)
