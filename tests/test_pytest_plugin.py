"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

#: What a user has: an application factory, and the fixture that calls it.
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

    def run(test: str, names: tuple[str, ...] = ("clustaar",)) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST.format(names=names))
        pytester.makepyfile(test)
        return pytester.runpytest_inprocess("-p", "flask_clustaar.pytest_plugin")

    return run


def test_client_is_a_fixture(run: Run) -> None:
    """A user who talks is there for whoever has an application."""
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
    """Who has several bots finds the clients by their names."""
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
    """In an application without a bot there are no clients, and one is an error."""
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
    """Who asks for a client without an 'app' fixture is told that it is missing."""
    pytester.makepyfile("def test(clustaar_client): ...\n\ndef test_other(): ...")
    result = pytester.runpytest_inprocess("-p", "flask_clustaar.pytest_plugin")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines("E *fixture 'app' not found")


def test_failure_shows_the_conversation(run: Run) -> None:
    """Below a test that failed stands what was said in it, and in no other."""
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
    """What was said before a test began is shown if that failed."""
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
