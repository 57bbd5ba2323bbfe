"""``flask clustaar`` as a whole: how it is found and fails, what it says of itself."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from cli_bots import flask, ok, run, sentence, small_bot, two_bots
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

import flask_clustaar
from flask_clustaar.cli import clustaar

VERBS = [
    "new", "chat", "inspect", "send", "routes", "check", "verify", "replay", "record",
    "schema", "steps",
]  # fmt: skip
NEED_AN_APP = [
    ("chat",), ("send",), ("routes",), ("check",), ("schema",), ("verify", "-"),
]  # fmt: skip
REQUEST = "Host: example.com\n\n{}"


# -- as it is installed --------------------------------------------------------------


def test_command_of_flask(tmp_path: Path) -> None:
    """Installing the package adds the command to every application."""
    quickstart = Path(__file__).parent.parent / "examples/quickstart.py"
    (tmp_path / "app.py").write_bytes(quickstart.read_bytes())

    listed = flask(tmp_path, "clustaar", "routes")
    talked = flask(tmp_path, "clustaar", "chat", input="Hi\n")

    assert "app.greet" in listed.stdout
    assert "Hello John" in talked.stdout
    for ended in (listed, talked):
        assert ended.returncode == 0
        assert ended.stderr.startswith(
            "Warning: The webhook 'clustaar' accepts unauthenticated"
        )


def test_no_application(tmp_path: Path) -> None:
    """Without an application, the error says how to name one."""
    ended = flask(tmp_path, "clustaar", "routes")

    assert ended.returncode == 2
    assert "Could not locate a Flask application." in ended.stderr


def test_application_that_cannot_be_imported(tmp_path: Path) -> None:
    """A broken application is an error with its place, without a traceback."""
    (tmp_path / "app.py").write_text("import flask\nimport nothing_of_this_name\n")

    ended = flask(tmp_path, "clustaar", "routes")

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert "No module named 'nothing_of_this_name'" in ended.stderr
    assert "app.py, line 2" in ended.stderr


def test_what_flask_loads() -> None:
    """Flask loads the command for every run, so this must be fast."""
    program = (
        "import sys, flask_clustaar.cli\n"
        "print(sorted(name for name in sys.modules if name.startswith('flask_cl')))\n"
        "assert not {'flask', 'marshmallow'} & set(sys.modules)"
    )
    package = Path(flask_clustaar.__file__).parent.parent
    path = os.pathsep.join([str(package), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "['flask_clustaar', 'flask_clustaar.cli']\n"


# -- applications that are not as they should be -------------------------------------


@pytest.mark.parametrize("arguments", NEED_AN_APP)
def test_application_without_the_extension(arguments: tuple[str, ...]) -> None:
    """For an application without a webhook, the error says how to add one."""
    assert sentence(run(Flask("plain"), *arguments, input=REQUEST)) == (
        "The application 'plain' has no Clustaar webhook. "
        "Add one with 'ClustaarWebhook(app)'."
    )


@pytest.mark.parametrize("arguments", NEED_AN_APP)
def test_application_without_settings(arguments: tuple[str, ...]) -> None:
    """An application without a key is warned, in a sentence, and works."""
    result = run(lambda: small_bot(private_key=None), *arguments, input=REQUEST)

    assert result.exception is None or isinstance(result.exception, SystemExit)
    expected = (
        "ccepts unauthenticated requests"
        if arguments[0] != "check"
        else "unauthenticated"
    )
    assert expected in result.output


def test_other_warnings_of_an_application() -> None:
    """Only warnings for users are printed."""

    def make() -> Flask:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return small_bot()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert "old" not in ok(run(make, "routes"))


def test_wrong_settings() -> None:
    """A wrong setting is the sentence that the webhook has for it."""
    error = sentence(run(lambda: small_bot(private_key=""), "routes"))
    assert error.startswith("'private_key' is empty")
    assert re.search(r" See .*cli_bots.py, line \d+\.$", error)


def test_program_that_fails() -> None:
    """An exception of the application is an error with its place."""

    def make() -> Flask:
        raise ZeroDivisionError("no app")

    error = sentence(run(make, "routes"))
    assert error.startswith("The application cannot be loaded: ZeroDivisionError: no")
    assert "test_cli.py, line" in error


@pytest.mark.parametrize(
    "line",
    [
        'webhook.on("a", filter="b")',
        'webhook.on("a", lambda: None)',
        "webhook.on(len)",
        'StepID("a") and StepID("b")',
        "json.loads('{')",
    ],
)
def test_program_that_makes_a_mistake(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place is in the program, not in a library."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    head = "import json\nfrom flask_clustaar.filters import *\n"
    head += "from flask_clustaar import ClustaarWebhook\nwebhook = ClustaarWebhook()\n"
    program = tmp_path / f"bot_with_{abs(hash(line))}.py"
    program.write_text(f"{head}{line}\n")

    info = ScriptInfo(app_import_path=str(program))
    error = sentence(CliRunner().invoke(clustaar, ["routes"], obj=info))

    assert f"({program}, line 5)" in error


def test_program_that_imports_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback that Flask makes a message of becomes a sentence again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "bot_that_is_broken.py").write_text("import nothing_of_this_name\n")
    info = ScriptInfo(app_import_path=str(tmp_path / "bot_that_is_broken.py"))

    error = sentence(CliRunner().invoke(clustaar, ["routes"], obj=info))

    assert "No module named 'nothing_of_this_name'" in error
    assert "bot_that_is_broken.py, line 1" in error


def test_error_of_a_command_in_a_program() -> None:
    """Errors of the application itself are unchanged."""

    def make() -> Flask:
        raise click.ClickException("Not today.")

    assert sentence(run(make, "routes")) == "Not today."


# -- several webhooks ----------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("chat",), ("send",), ("verify", "-")])
def test_several_webhooks(arguments: tuple[str, ...]) -> None:
    """Commands for one webhook require '--webhook' if there are several."""
    assert sentence(run(two_bots(), *arguments, input=REQUEST), 2) == (
        "There are several webhooks. Choose one with '--webhook': 'sales', 'support'."
    )


@pytest.mark.parametrize(
    "arguments", [("chat",), ("send",), ("routes",), ("schema",), ("verify", "-")]
)
def test_unknown_webhook(arguments: tuple[str, ...]) -> None:
    """An error about an unknown webhook lists the known ones."""
    result = run(two_bots(), *arguments, "--webhook", "sale", input=REQUEST)

    assert sentence(result, 2) == (
        "There is no webhook 'sale'. Choose one with '--webhook': 'sales', 'support'."
    )


# -- files and streams ---------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "FILE"),
        ("check", "FILE"),
        ("routes", "--explain", "FILE"),
        ("send", "--file", "FILE"),
        ("chat", "--steps", "FILE"),
    ],
)
def test_file_that_cannot_be_read(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """A missing file and a directory are usage errors."""
    for file, reason in (
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        named = [str(file) if each == "FILE" else each for each in arguments]
        error = sentence(run(small_bot(), *named), 2)
        assert error == f"Cannot read '{file}': {reason}."


def test_standard_input_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """'-' without standard input is an error of usage."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(click.ClickException, match="Standard input is closed."):
        clustaar.main(["check", "-"], standalone_mode=False)


class Broken(io.StringIO):
    """A stream that cannot be written to."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self._error = error

    def write(self, _: str) -> int:
        raise OSError(self._error, os.strerror(self._error))


def test_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that cannot be written is an error without a traceback."""
    monkeypatch.setattr(sys, "stdout", Broken(errno.ENOSPC))
    with pytest.raises(click.ClickException, match="No space left on device."):
        clustaar.main(["schema", "reply"], standalone_mode=False)


def test_nobody_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe, as with 'head', is not reported."""
    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    with pytest.raises(SystemExit) as ended:
        clustaar.main(["schema", "reply"], standalone_mode=False)
    assert ended.value.code == 1


def test_characters_that_a_terminal_does_not_have(tmp_path: Path) -> None:
    """Characters that cannot be printed are printed as question marks."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        clustaar.main(["new", str(tmp_path / "名前")], standalone_mode=False)
    stream.seek(0)
    assert "??'. Next steps:" in stream.read()


# -- what it says of itself ----------------------------------------------------------


def test_verbs() -> None:
    """All commands are listed, in the order of use."""
    help = ok(run(None, "--help"))
    lines = help[help.index("Commands:") :].splitlines()[1:]

    assert [line.split()[0] for line in lines] == VERBS
    assert not any(line.endswith("...") for line in lines)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str) -> None:
    """The help of each verb has an example."""
    assert f"\n    flask clustaar {verb}" in ok(run(None, verb, "--help"))


def test_unknown_verb() -> None:
    """A verb that does not exist is an error of usage."""
    assert "'talk'" in sentence(run(None, "talk"), 2)
