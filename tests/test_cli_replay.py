"""``flask clustaar replay`` and ``record``: a day's traffic and the current code."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli_bots import KEY, ok, run, sentence
from click.testing import Result
from flask import Flask
from serving import notification, signed_headers
from serving import request as http_request

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.filters import StepID
from flask_clustaar.models import (
    GoToAction,
    OpenURLAction,
    QuickReply,
    SendQuickRepliesAction,
    SendTextAction,
    StepReachedResponse,
)
from flask_clustaar.platform.story import Story
from flask_clustaar.replaying.baseline import BaselineError, read_answer
from flask_clustaar.replaying.fixtures import Recording
from flask_clustaar.replaying.stats import Latencies
from flask_clustaar.testing import ClustaarClient, make_notification

GREET = "507f191e810c19729de860ea"
ORDER = "507f191e810c19729de860eb"
CLOCK = "507f191e810c19729de860ec"
FAIL = "507f191e810c19729de860ed"

numbers = itertools.count()


class Code:
    """A program of a bot; another revision differs."""

    greeting = "Hello"
    basket = "basket"
    exclamation = ""
    handles_orders = True
    fails = False
    suffix = ""


def bot(code: Code | None = None, name: str = "bot", **settings: Any) -> Flask:
    """Make an application whose bot greets, and takes orders."""
    app = Flask(name)
    app.testing = True
    add_webhook(app, code or Code(), **settings)
    return app


def add_webhook(
    app: Flask, code: Code, name: str = "clustaar", **settings: Any
) -> None:
    webhook = ClustaarWebhook(app, name=name, **{"private_key": KEY} | settings)

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(GREET))
    def greet(notification: Any) -> str:
        if code.fails:
            raise KeyError("basket")
        return f"{code.greeting} {notification.interlocutor.first_name}"

    if code.handles_orders:

        @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(ORDER))
        def order(notification: Any) -> list[Any]:
            session = notification.session
            session[code.basket] = [*session.get("basket", []), "hat"]
            size = len(session.get("basket", []))
            return [f"{size} in your basket{code.exclamation}"] * (size + 1)

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(CLOCK))
    def clock(notification: Any) -> StepReachedResponse:
        notification.session["now"] = next(numbers)
        return StepReachedResponse(
            actions=[SendTextAction(f"It is now{code.exclamation}")]
        )

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(FAIL))
    def fail(notification: Any) -> str:
        raise ValueError("no")


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    directory = tmp_path / "recordings"
    directory.mkdir(mode=0o700)
    return directory


def recorded(directory: Path, app: Flask, *steps: str, users: int = 1) -> Path:
    """Record a conversation of each of some users, and return the file."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    for number in range(users):
        user = {"id": f"{number:024x}", "first_name": f"Mary{'abcdefgh'[number]}"}
        client = ClustaarClient(app, user=user)
        for step in steps:
            client.at(step).say(f"I am {user['first_name']}")
    (file,) = directory.glob("*.jsonl")
    return file


def replay(app: Flask, *arguments: object, status: int = 0) -> str:
    """Replay, and return the output."""
    result = run(app, "replay", *map(str, arguments))
    assert result.exit_code == status, result.output
    return result.stdout


def groups(app: Flask, *arguments: object) -> list[Any]:
    """Replay with differences, and return them."""
    found: list[Any] = json.loads(replay(app, "--json", *arguments, status=1))["groups"]
    return found


def with_code(**changes: Any) -> Flask:
    """Make the application of another version."""
    code = Code()
    code.__dict__.update(changes)
    return bot(code)


def rewritten(file: Path, *lines: bytes) -> Path:
    """Append lines to a recording."""
    file.write_bytes(file.read_bytes() + b"".join(lines))
    return file


# -- the same code -------------------------------------------------------------------


@pytest.mark.parametrize("redact", ["pseudonyms", "texts", "none"])
def test_same_code_answers_as_recorded(directory: Path, redact: Any) -> None:
    """However a day is redacted, the code that answered answers the same."""
    app = bot(record=directory, record_redact=redact)
    file = recorded(directory, app, GREET, ORDER, ORDER, FAIL, "5" * 24, users=4)

    output = replay(bot(), file)

    assert re.match(
        r"20 requests in \d+\.\d s\. 20 answered as recorded, 0 diff", output
    )


def test_handlers_run_for_real(directory: Path) -> None:
    """An application that is not in testing mode requires '--for-real'."""
    file = recorded(directory, bot(record=directory), GREET)
    app = bot()
    app.testing = False

    refused = sentence(run(app, "replay", file), 2)

    assert "they write to the database" in refused
    assert "'--for-real'" in refused
    assert "1 request in" in replay(app, file, "--for-real")


def test_deliveries_are_not_recorded_again(directory: Path) -> None:
    """A replay changes neither the replay store nor recordings."""
    app = bot(record=directory)
    file = recorded(directory, app, GREET)
    size = file.stat().st_size

    replay(app, file, file)

    installation = app.extensions["clustaar"]["clustaar"].installation(app)
    assert size == file.stat().st_size
    assert installation.store is not None
    ClustaarClient(app).at(GREET).say("hello")
    assert size < file.stat().st_size


def test_compressed_recordings(directory: Path) -> None:
    """A recording can be compressed."""
    file = recorded(directory, bot(record=directory), GREET)
    packed = directory / "day.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))

    assert "1 answered as recorded" in replay(bot(), packed)


# -- other code ----------------------------------------------------------------------


def test_three_changes_are_three_lines(directory: Path) -> None:
    """Differences with one cause are one line, with a count and an example."""
    file = recorded(
        directory, bot(record=directory), GREET, ORDER, ORDER, CLOCK, users=5
    )
    code = {"greeting": "Hi", "basket": "baskte"}

    output = replay(with_code(**code), file, "--only", f"step={GREET}", status=1)
    lines = output.splitlines()
    assert "0 answered as recorded, 5 differently" in lines[0]
    assert lines[1].startswith(f"  5 x  {__name__}.add_webhook.<locals>.greet  ")
    assert "actions.*.alternatives.* changed, actions.*.text changed" in lines[1]
    assert re.search(r'e\.g\. line 1: "Hello First\w{5}" -> "Hi First\w{5}"$', lines[1])

    found = groups(with_code(handles_orders=False, **code), file)
    assert [("status", 10), ("reply", 5), ("reply", 5)] == [
        (group["kind"], group["count"]) for group in found
    ]


def test_misspelt_key(directory: Path) -> None:
    """Answers that differ at a path in common are one group."""
    file = recorded(directory, bot(record=directory), ORDER, ORDER, ORDER, users=2)

    (group,) = groups(with_code(basket="baskte"), file)

    paths = {(each["path"], each["kind"]) for each in group["paths"]}
    assert 6 == group["count"]
    assert ("session.values.baskte", "added") in paths


def test_changes_apart_are_groups_apart(directory: Path) -> None:
    """Two changes in one handler that never show together are two groups."""
    app = bot(record=directory, record_redact="none")
    file = recorded(directory, app, GREET, GREET)
    first, second = [json.loads(line) for line in file.read_text().splitlines()]
    first["reply"]["one"] = 1
    second["reply"]["two"] = 2
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")

    assert ["one", "two"] == [
        group["paths"][0]["path"] for group in groups(bot(), file)
    ]


def test_handler_that_is_gone(directory: Path) -> None:
    """A step that has lost its handler is one line."""
    file = recorded(directory, bot(record=directory), ORDER, ORDER)

    output = replay(with_code(handles_orders=False), file, status=1)

    assert "404 no_handler (was 200)  e.g. line 1" in output


def test_handler_that_fails(directory: Path) -> None:
    """A failure is shown with its exception."""
    file = recorded(directory, bot(record=directory), GREET)

    output = replay(with_code(fails=True), file, status=1)

    assert "500 handler_failed (was 200), KeyError: 'basket'  e.g. line 1" in output


def test_another_handler(directory: Path) -> None:
    """Replies of another handler are one group, independent of their differences."""
    file = recorded(directory, bot(record=directory), ORDER, ORDER)
    app = with_code(handles_orders=False)
    webhook = app.extensions["clustaar"]["clustaar"]
    webhook.fallback(lambda notification: "Sorry")

    (group,) = groups(app, file)

    assert ("handlers", 2) == (group["kind"], group["count"])
    assert f"answered by {__name__}.test_another" in replay(app, file, status=1)


def test_failure_that_is_fixed(directory: Path) -> None:
    """A problem that no longer occurs is a difference."""
    app = bot(code := Code(), record=directory)
    code.fails = True
    file = recorded(directory, app, GREET)

    assert "200 (was 500 handler_failed)" in replay(bot(), file, status=1)


def test_longer_and_shorter_replies(directory: Path) -> None:
    """Added and removed values are reported as such."""
    app = bot(record=directory, record_redact="none")
    file = recorded(directory, app, GREET)
    row = json.loads(file.read_text())
    reply = row["reply"]

    reply["actions"] = [{"type": "pause_bot_action"}, *reply["actions"]]
    file.write_text(json.dumps(row | {"reply": reply}))
    removed = replay(bot(), file, status=1)
    reply["actions"] = []
    file.write_text(json.dumps(row | {"reply": reply}))
    added = replay(bot(), file, status=1)
    reply["actions"] = [{"type": "pause_bot_action"}]
    file.write_text(json.dumps(row | {"reply": reply}))
    changed = replay(bot(), file, status=1)

    assert 'actions.* removed  e.g. line 1: {"type": "pause_bot_action"}\n' in removed
    assert 'actions.* added  e.g. line 1: {"type": "send_text_action"' in added
    assert 'actions.* changed  e.g. line 1: {"type": "pause_bot_action"} -> ' in changed


@pytest.mark.parametrize(
    ("before", "differs"), [("true", True), ("1", False), ("1.0", False), ("2", True)]
)
def test_values_are_compared_as_json(
    directory: Path, before: str, differs: bool
) -> None:
    """1 is 1.0, and is not true."""
    app = bot(record=directory, record_redact="none")
    client = ClustaarClient(app, session={"n": 1})
    client.at(GREET).say("hello")
    (file,) = directory.glob("*.jsonl")
    row = json.loads(file.read_text())
    row["reply"]["session"]["values"]["n"] = json.loads(before)
    file.write_text(json.dumps(row))

    replay(bot(), file, status=int(differs))


def test_many_paths_are_shortened(directory: Path) -> None:
    """A group with many paths shows the most frequent ones."""
    app = bot(record=directory, record_redact="none")
    file = recorded(directory, app, GREET)
    row = json.loads(file.read_text())
    row["reply"] = {"a": 1, "b": 2, "507f191e810c19729de860ea": 3}
    file.write_text(json.dumps(row))

    output = replay(bot(), file, status=1)

    assert "* removed, a removed, actions added and 2 more" in output


def test_personal_data_of_the_bot(directory: Path) -> None:
    """Values that a pattern replaced in the bot's texts are not differences."""
    code = Code()
    code.greeting = "Write to help@example.com or 06 12 34 56 78,"
    app = bot(code, record=directory)
    file = recorded(directory, app, GREET)

    assert "help@" not in file.read_text()
    assert "1 answered as recorded" in replay(bot(code), file)
    code.greeting = "Mail to help@example.com or 06 12 34 56 78,"
    replay(bot(code), file, status=1)


# -- noise ---------------------------------------------------------------------------


def test_twice(directory: Path) -> None:
    """Values that differ between two runs of the new code are not compared."""
    file = recorded(directory, bot(record=directory), CLOCK, CLOCK)
    app = with_code(exclamation="!")

    assert 2 == sum(group["count"] for group in groups(bot(), file))
    assert "Not compared, because two runs differ: session.values.now." in replay(
        bot(), file, "--twice"
    )
    (group,) = groups(app, file, "--twice")
    assert "session.values.now" not in {each["path"] for each in group["paths"]}


# -- which lines ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "count"),
    [
        (f"step={GREET}", 2),
        ("step=A step", 5),
        ("handler=greet", 2),
        (f"handler={__name__}.add_webhook.<locals>.order", 1),
        ("status=500", 1),
        ("code=no_handler", 1),
        ("webhook=clustaar", 5),
        ("app=bot", 5),
    ],
)
def test_only(directory: Path, only: str, count: int) -> None:
    """Lines can be chosen by their step, handler, status, code, webhook and app."""
    file = recorded(
        directory, bot(record=directory), GREET, GREET, ORDER, FAIL, "5" * 24
    )
    for line in file.read_text().splitlines():
        assert '"name": "A step"' in line

    output = replay(bot(), file, "--only", only)

    assert output.startswith(f"{count} request")


def test_only_one_line(directory: Path) -> None:
    """Lines can be selected by number; all conditions must match."""
    file = recorded(directory, bot(record=directory), GREET, ORDER)

    assert "1 request in" in replay(bot(), file, "--line", 2)
    refused = run(bot(), "replay", str(file), "--line", "2", "--only", "handler=greet")
    assert "No line was replayed (none was selected)." == sentence(refused)


@pytest.mark.parametrize("only", ["step", "colour=red"])
def test_wrong_only(directory: Path, only: str) -> None:
    """Unknown keys of '--only' are errors."""
    file = recorded(directory, bot(record=directory), GREET)

    assert "is not one of 'step=...', 'handler=...'" in sentence(
        run(bot(), "replay", str(file), "--only", only), 2
    )


def test_lines_that_are_skipped(directory: Path) -> None:
    """Truncated lines, other versions and rejected requests are skipped."""
    client = ClustaarClient(bot(record=directory))
    client.at(GREET).say("hello")
    client.send(b"[]")
    (file,) = directory.glob("*.jsonl")
    line = file.read_bytes().splitlines()[0]
    rewritten(
        file,
        b"\n",
        line.replace(b'"v":1', b'"v":2') + b"\n",
        b"[]\n",
        b'{"v": 1, "request": "{}"}\n',
        line[:100],
    )

    result = run(bot(), "replay", str(file))

    assert 0 == result.exit_code
    assert "1 request in" in result.stdout
    assert "Not replayed: 2 x it is damaged." in result.stdout
    assert "Not replayed: 1 x its request is not recorded." in result.stdout
    warnings = result.stderr.splitlines()
    name = file.name
    assert f"Warning: Skipped line 4 of '{name}': it has version 2" in warnings[0]
    assert "Skipped line 5" in warnings[1]
    assert "it is not a line of a recording." in warnings[1]
    assert f"Skipped line 6 of '{name}': it is damaged." in warnings[2]
    assert f"Skipped line 7 of '{name}': it is damaged." in warnings[3]


def test_lone_surrogates(directory: Path) -> None:
    """JSON that only Python accepts is replayed."""
    client = ClustaarClient(bot(record=directory, record_redact="none"))
    body = json.dumps(notification()).replace('"hello"', '"\\ud800"')
    assert client.send(body.encode()).status_code == 404
    (file,) = directory.glob("*.jsonl")

    assert "1 request in" in replay(bot(), file)


def test_many_damaged_lines(directory: Path) -> None:
    """Of many damaged lines, the first twenty are reported."""
    file = recorded(directory, bot(record=directory), GREET)
    rewritten(file, b"x\n" * 30)

    assert 20 == len(run(bot(), "replay", str(file)).stderr.splitlines())


def test_two_applications_in_one_directory(directory: Path) -> None:
    """Each application replays its own lines."""
    recorded(directory, bot(record=directory), GREET)
    file = recorded(directory, bot(name="other", record=directory), GREET, GREET)

    output = replay(bot(), file)

    assert output.startswith("1 request in")
    assert "Not replayed: 2 x it is of the application 'other'." in output
    assert replay(bot(), file, "--only", "app=other").startswith("2 requests in")


def test_no_line_of_the_application(directory: Path) -> None:
    """If no line is of the application, the error says how to select others."""
    file = recorded(directory, bot(name="other", record=directory), GREET)

    told = sentence(run(bot(), "replay", str(file)))

    assert "No line was replayed (1 x it is of the application 'other')." in told
    assert "'--only app=NAME'" in told


def test_two_webhooks(directory: Path) -> None:
    """Lines are sent to their webhook, or all to the selected one."""
    app = bot(record=directory)
    add_webhook(app, Code(), "sales", record=directory)
    ClustaarClient(app, "clustaar").at(GREET).say("hello")
    ClustaarClient(app, "sales").at(GREET).say("hello")
    (file,) = directory.glob("*.jsonl")

    assert "2 answered as recorded" in replay(app, file)
    assert "2 answered as recorded" in replay(app, file, "--webhook", "sales")
    assert "1 x it is of the webhook 'sales'" in replay(bot(), file)


# -- other documents -----------------------------------------------------------------


def body() -> bytes:
    return json.dumps(make_notification(step=GREET).received).encode()


def test_debug_output(tmp_path: Path) -> None:
    """The platform's debug output also has requests and replies."""
    reply = ClustaarClient(bot()).at(GREET).say("hello").response.get_data(as_text=True)
    calls = [
        {
            "request": {
                "method": "POST",
                "url": "https://...",
                "body": body().decode(),
            },
            "response": {"status": status, "body": answer},
        }
        for status, answer in (
            (200, reply),
            (200, reply.replace("Hello", "Hi")),
            (200, "no JSON"),
            (500, '{"code": "handler_failed"}'),
            (502, "<html>"),
        )
    ]
    calls.append({"request": calls[0]["request"], "error": "timeout"})
    file = tmp_path / "debug.json"
    document = {"bot_reply": {"debug": {"webhookCalls": calls}}}
    file.write_text(json.dumps(document, indent=2))

    result = json.loads(replay(bot(), file, "--json", status=1))

    assert (6, 1, 1) == (
        result["replayed"],
        result["as_recorded"],
        result["without_reply"],
    )
    assert 4 == result["different"]
    # Which handlers answered is not known.
    assert {"status", "reply"} >= {group["kind"] for group in result["groups"]}


def test_saved_request(tmp_path: Path) -> None:
    """A request saved for 'verify' is signed again, and its answer is shown."""
    sent = http_request("/clustaar", signed_headers(body(), key="another key"), body())
    file = tmp_path / "request.http"
    file.write_bytes(sent)

    result = run(bot(), "replay", str(file))

    assert 0 == result.exit_code
    assert "1 request had no reply to compare with." in result.stdout
    assert 'Line 1: 200 {"actions":' in result.stderr


def test_unknown_document(tmp_path: Path) -> None:
    """In another file, every line is reported as damaged."""
    file = tmp_path / "notes.txt"
    file.write_text('{"a": 1}\nxyz\n')

    result = run(bot(), "replay", str(file))

    assert "Skipped line 1 of" in result.stderr
    assert "it is not a line of a recording" in result.stderr
    assert "No line was replayed" in sentence(result)
    file.write_text('{"a": 1}')
    assert "No line was replayed" in sentence(run(bot(), "replay", str(file)))


def test_requests_without_a_step(tmp_path: Path) -> None:
    """A request that is not a notification cannot be selected by step."""
    file = tmp_path / "request.http"
    file.write_bytes(b"Host: bot.example.com\n\n[]")

    refused = run(bot(), "replay", str(file), "--only", f"step={GREET}")

    assert "none was selected" in sentence(refused)


# -- reports -------------------------------------------------------------------------


def test_junit(directory: Path, tmp_path: Path) -> None:
    """Each group is a failed test; without one there is a test that passed."""
    file = recorded(directory, bot(record=directory), GREET, GREET)
    xml = tmp_path / "report.xml"

    replay(bot(), file, "--junit", xml)
    passed = ElementTree.fromstring(xml.read_bytes())
    replay(with_code(greeting="Hi"), file, "--junit", xml, status=1)
    failed = ElementTree.fromstring(xml.read_bytes())

    assert ("1", "0") == (passed.attrib["tests"], passed.attrib["failures"])
    assert ("1", "1") == (failed.attrib["tests"], failed.attrib["failures"])
    (failure,) = failed.iter("failure")
    assert "2 requests: " in str(failure.text)


def test_examples_name_their_file(directory: Path, tmp_path: Path) -> None:
    """With several files an example says which one it is in."""
    file = recorded(directory, bot(record=directory), GREET)
    other = tmp_path / "other.jsonl"
    other.write_bytes(file.read_bytes())
    app = with_code(handles_orders=False, greeting="Hi")
    first = recorded(directory, bot(record=directory), ORDER)

    output = replay(app, other, first, status=1)

    assert "e.g. other.jsonl, line 1" in output


# -- the version before --------------------------------------------------------------

PROGRAM = """
from flask import Flask
from flask_clustaar import ClustaarWebhook, events

app = Flask(__name__)
app.testing = True
webhook = ClustaarWebhook(app, private_key="x")

@webhook.on(events.CONVERSATION_STEP_REACHED)
def greet(notification):
    return "{greeting}"
"""


def git(directory: Path, *arguments: str) -> None:
    environment = {
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )


def flask(directory: Path, *arguments: object, **environment: str) -> tuple[int, str]:
    """Run a command as a process; return its status and output."""
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "program", "clustaar", "replay"]
        + [str(argument) for argument in arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.fixture(name="repository")
def _repository(tmp_path: Path, directory: Path) -> Path:
    """Return a repository whose program has changed since its last commit."""
    repository = tmp_path / "repository"
    (repository / "src").mkdir(parents=True)
    program = repository / "src/program.py"
    program.write_text(PROGRAM.format(greeting="Hello"))
    git(repository, "init", "-q")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "first")
    program.write_text(PROGRAM.format(greeting="Hi"))
    recorded(directory, bot(record=directory), GREET, ORDER)
    return repository / "src"


def test_baseline(repository: Path, directory: Path) -> None:
    """The answers are compared with those of another version in git."""
    (file,) = directory.glob("*.jsonl")
    arguments = [file, "--only", "app=bot", "--baseline", "HEAD", "--for-real"]

    status, output = flask(repository, *arguments, PYTHONPATH=str(repository))

    assert 1 == status, output
    assert "2 x  program.greet  actions.*.alternatives.* changed" in output
    assert '"Hello" -> "Hi"' in output
    assert not (repository.parent / ".git/worktrees").exists()


def here(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in the repository of a program that 'flask' finds without being told."""
    (repository / "program.py").rename(repository / "app.py")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "second")
    monkeypatch.chdir(repository)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(repository), str(Path(__file__).parents[1])])
    )


def test_baseline_of_the_current_directory(
    repository: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other version gets the same choice of lines."""
    here(repository, monkeypatch)
    (file,) = directory.glob("*.jsonl")
    arguments = [file, "--baseline", "HEAD", "--only", "app=bot", "--for-real"]

    both = replay(bot(), *arguments, status=1)
    one = replay(bot(), *arguments, "--line", 1, "--webhook", "clustaar", status=1)

    assert "2 requests in" in both
    assert "1 request in" in one


def test_answers_of_a_version(
    repository: Path,
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A revision writes its answers to a file, if it is the expected one."""
    here(repository, monkeypatch)
    (file,) = directory.glob("*.jsonl")
    app, answers = bot(), tmp_path / "answers"
    arguments = ["--answers", answers, "--inside", app.root_path]

    assert "" == replay(app, file, *arguments)
    with answers.open("rb") as written:
        assert 200 == read_answer(written, 1).status
        with pytest.raises(BaselineError, match="did not answer line 7"):
            read_answer(written, 7)
    arguments = ["--answers", str(answers), "--inside", str(tmp_path / "no")]
    refused = run(app, "replay", *map(str, [file, *arguments]))
    assert "its application was imported from" in sentence(refused)


def test_versions_that_cannot_answer(
    repository: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown revision, a broken one, and missing git are errors."""
    here(repository, monkeypatch)
    (file,) = directory.glob("*.jsonl")
    arguments = [str(file), "--baseline"]

    unknown = sentence(run(bot(), "replay", *arguments, "no-such-version"))
    (repository / "app.py").write_text("raise SystemExit(3)")
    git(repository, "commit", "-q", "-a", "-m", "broken")
    broken = sentence(run(bot(), "replay", *arguments, "HEAD"))
    monkeypatch.setenv("PATH", "/nowhere")
    without = sentence(run(bot(), "replay", *arguments, "HEAD"))

    assert "The revision 'no-such-version' cannot run: fatal:" in unknown
    assert "The revision 'HEAD' cannot run: it ended without a message" in broken
    assert "git cannot be run: No such file or directory" in without


def test_baseline_that_fails(
    repository: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error message of the other revision is shown."""
    (file,) = directory.glob("*.jsonl")
    program = repository / "program.py"
    program.write_text(program.read_text().replace("app.testing = True", ""))
    here(repository, monkeypatch)

    error = sentence(run(bot(), "replay", str(file), "--baseline", "HEAD"))

    assert "'HEAD' cannot run: The application is not in testing mode." in error


def test_baseline_in_a_repository_of_another_user(
    repository: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error message of git is shown, on one line."""
    (file,) = directory.glob("*.jsonl")
    here(repository, monkeypatch)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")

    error = sentence(run(bot(), "replay", str(file), "--baseline", "HEAD"))

    assert "'HEAD' cannot run: fatal: detected dubious ownership" in error
    assert "call: git config --global --add safe.directory" in error


def test_baseline_with_other_lines(
    repository: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer of the other version belongs to a line."""
    here(repository, monkeypatch)
    (file,) = directory.glob("*.jsonl")
    arguments = [str(file), "--baseline", "HEAD"]

    output = replay(bot(), *arguments, "--only", "app=bot", status=1)

    assert "2 differently" in output
    # The other revision has another name, and skips all lines.
    assert "did not answer line 1" in sentence(run(bot(), "replay", *arguments))


def test_baseline_of_an_installed_program(
    repository: Path, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that is not imported from the worktree is an error."""
    (file,) = directory.glob("*.jsonl")
    library, elsewhere = tmp_path / "lib", repository.parent / "elsewhere"
    library.mkdir()
    (repository / "program.py").rename(library / "app.py")
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    git(repository.parent, "add", ".")
    git(repository.parent, "commit", "-q", "-m", "second")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*sys.path, str(library)]))

    arguments = [str(file), "--only", "app=bot", "--baseline", "HEAD"]

    error = sentence(run(bot(), "replay", *arguments))
    assert "its application was imported from" in error


# -- tests from recordings -----------------------------------------------------------


def test_test_of_a_line(directory: Path, tmp_path: Path) -> None:
    """A line becomes a file and a test."""
    file = recorded(directory, bot(record=directory), GREET)
    tests = tmp_path / "tests"
    arguments = [file, "--line", 1, "--as-test", tests]

    output = replay(bot(), *arguments)

    created = [Path(line.removeprefix("Created ")) for line in output.splitlines()]
    assert all(path.is_file() for path in created)
    assert f"{file.stem}-1.json" == created[0].name
    written: dict[str, Any] = {}
    exec(created[1].read_text(), written)
    (test,) = [value for name, value in written.items() if name.startswith("test_")]
    test(
        clustaar_client=ClustaarClient(bot()), recording=lambda _: Recording(created[0])
    )
    again = sentence(run(bot(), "replay", *map(str, arguments)))
    assert again.endswith("already exists. Remove it first.")


def test_test_of_one_of_two_webhooks(directory: Path, tmp_path: Path) -> None:
    """With several webhooks the test names the one."""
    app = bot(record=directory)
    add_webhook(app, Code(), "sales", record=directory)
    ClustaarClient(app, "sales").at(GREET).say("hello")
    (file,) = directory.glob("*.jsonl")

    replay(app, file, "--line", 1, "--as-test", tmp_path)

    (test,) = tmp_path.glob("test_*.py")
    assert "replayed_by(clustaar_clients['sales'])" in test.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--line", "9"], "has no line 9."),
        (["--line", "2"], "cannot be replayed: its request is not recorded."),
        ([], "'--as-test' and '--as-story' need one FILE and '--line'."),
    ],
)
def test_test_of_nothing(
    directory: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    """A test needs one line that can be replayed."""
    client = ClustaarClient(bot(record=directory))
    client.at(GREET).say("hello")
    client.send(b"[]")
    (file,) = directory.glob("*.jsonl")

    result = run(bot(), "replay", str(file), "--as-test", str(tmp_path), *arguments)

    assert sentence(result, result.exit_code).endswith(message)


# -- stories from recordings ---------------------------------------------------------


def talking_bot(**settings: Any) -> Flask:
    """Create an application whose bot asks, and repeats the clicked title."""
    app = Flask("bot")
    app.testing = True
    webhook = ClustaarWebhook(app, private_key=KEY, **settings)

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(GREET))
    def ask(notification: Any) -> SendQuickRepliesAction:
        return SendQuickRepliesAction(
            message=f"Which colour, {notification.interlocutor.first_name}?",
            buttons=[
                *(colour(title) for title in ("Red", "Blue")),
                QuickReply(title="Help", action=OpenURLAction(url="https://e.com")),
                QuickReply(title="Menu", action=GoToAction.story(CLOCK)),
            ],
        )

    @webhook.on(events.CONVERSATION_STEP_REACHED, filter=StepID(ORDER))
    def repeat(notification: Any) -> str:
        return f"{notification.session.get('colour')} it is."

    return app


def colour(title: str) -> QuickReply:
    action = GoToAction.step(ORDER, session_values={"colour": title})
    return QuickReply(title=title, action=action)


def test_story_of_a_conversation(directory: Path, tmp_path: Path) -> None:
    """A conversation becomes a story, which passes."""
    app = talking_bot(record=directory)
    other = ClustaarClient(app, user={"id": "0" * 24})
    client = ClustaarClient(app, user={"first_name": "Mary"}, channel="facebook")
    client.at(GREET).say("hello, I am Mary")
    other.at(GREET).say("hello")
    client.click("Red")
    client.at(GREET).say("again")
    client.go_to(ORDER, session_values={"colour": "green"})
    client.at(GREET).emit("paid")
    client.send(b"[]")
    (file,) = directory.glob("*.jsonl")

    output = replay(app, file, "--line", 3, "--as-story", tmp_path / "stories")

    path = Path(output.strip().removeprefix("Created "))
    text = path.read_text()
    name = re.search(r'user first_name = "(First\w+)"', text)
    assert name
    assert f"you  hello, I am {name[1]}\nbot  Which colour, {name[1]}?\n" in text
    assert f"you  [Red]\nat {ORDER}\nbot  Red it is.\n" in text
    assert f"you  · goes to {ORDER}\nat {ORDER}\nbot  green it is.\n" in text
    assert "you  · event paid" in text
    Story.read(path).check(ClustaarClient(talking_bot()))

    again = run(app, "replay", str(file), "--line", "3", "--as-story", str(path.parent))
    assert sentence(again).endswith("already exists. Remove it first.")


def test_story_with_names_of_a_bot_file(directory: Path, tmp_path: Path) -> None:
    """Steps have the names that the bot file beside the story gives them."""
    steps = [{"id": GREET, "name": "Greet"}, {"id": ORDER, "name": "Order"}]
    bot = tmp_path / "bot.json"
    bot.write_text(json.dumps({"steps": steps}))
    app = talking_bot(record=directory)
    client = ClustaarClient(app)
    client.at(GREET).say("hello")
    client.click("Red")
    (file,) = directory.glob("*.jsonl")

    output = replay(app, file, "--line", 1, "--as-story", tmp_path)

    path = Path(output.strip().removeprefix("Created "))
    assert "you  [Red]\nat Order\n" in path.read_text()
    Story.read(path).check(ClustaarClient(talking_bot(), bot=bot))


def test_story_with_buttons_of_one_title(directory: Path, tmp_path: Path) -> None:
    """A click on one of several buttons with a title says which one it was."""
    app = Flask("bot")
    app.testing = True
    webhook = ClustaarWebhook(app, private_key=KEY, record=directory)

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def offer(notification: Any) -> list[Any]:
        buttons = [colour("Red"), colour("Blue")]
        for button in buttons:
            button.title = "Buy"
        message = f"{notification.session.get('colour')} it is."
        return [SendQuickRepliesAction(message=message, buttons=buttons)]

    client = ClustaarClient(app)
    client.at(GREET).say("hello")
    client.click("Buy", index=1)
    (file,) = directory.glob("*.jsonl")

    output = replay(app, file, "--line", 1, "--as-story", tmp_path)

    path = Path(output.strip().removeprefix("Created "))
    assert f"you  [Buy] (2)\nat {ORDER}\nbot  Blue it is.\n" in path.read_text()
    Story.read(path).check(ClustaarClient(app))


def test_story_needs_the_actions_of_steps(directory: Path, tmp_path: Path) -> None:
    """A step with its own actions must be in a bot file."""
    app = bot(record=directory)
    actions = [{"type": "pause_bot_action"}]
    ClustaarClient(app).at(GREET, actions=actions).say("hello")
    (file,) = directory.glob("*.jsonl")

    result = run(app, "replay", str(file), "--line", "1", "--as-story", str(tmp_path))

    assert 0 == result.exit_code
    assert (
        "The story needs a bot file with the actions and user data of these steps: "
        f"{GREET}." in result.stderr
    )


def test_conversations_end_after_half_an_hour(directory: Path, tmp_path: Path) -> None:
    """A message hours later begins another conversation."""
    app = bot(record=directory)
    for _ in range(4):
        ClustaarClient(app).at(GREET).say("hello")
    (file,) = directory.glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row, at in zip(rows, [0, 5_000, 5_001, 9_000], strict=True):
        row["at"] = at
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    replay(app, file, "--line", 3, "--as-story", tmp_path)

    (story,) = tmp_path.glob("*.story")
    assert 2 == story.read_text().count("you  hello")


def test_story_of_an_odd_request(directory: Path, tmp_path: Path) -> None:
    """A request without a user or a step is a conversation as well."""
    app = bot(record=directory)
    client = ClustaarClient(app)
    client.webhook.fallback(lambda notification: "What?")
    client.send({"topic": events.CONVERSATION_STEP_REACHED, "data": {}})
    (file,) = directory.glob("*.jsonl")

    replay(app, file, "--line", 1, "--as-story", tmp_path)

    (story,) = tmp_path.glob("*.story")
    assert "bot  What?" in story.read_text()


# -- stats ---------------------------------------------------------------------------


def stats(*arguments: object) -> Result:
    return run(None, "record", "stats", *map(str, arguments))


def test_stats(directory: Path) -> None:
    """The numbers of a day: handlers, codes, and how long each step took."""
    app = bot(record=directory)
    file = recorded(directory, app, GREET, GREET, FAIL)
    client = ClustaarClient(app)
    client.send(b"[]")
    client.at(GREET).say("hello")
    client.resend()
    rewritten(file, b"x\n")

    counted = json.loads(ok(stats(file, "--json")))

    assert (7, 4, 1, 1) == (
        counted["lines"],
        counted["notifications"],
        counted["repeated"],
        counted["damaged"],
    )
    assert {"200": 4, "500 handler_failed": 1, "400 invalid_notification": 1} == (
        counted["outcomes"]
    )
    assert [3, 1] == [each["count"] for each in counted["handlers"].values()]
    assert [f"{GREET} (A step)", f"{FAIL} (A step)"] == list(counted["steps"])
    assert {"load", "handlers", "reply", "total"} == counted["parts"].keys()


def test_stats_as_text(directory: Path) -> None:
    """Without '--json', the statistics are tables."""
    file = recorded(directory, bot(record=directory), GREET, GREET)

    lines = ok(stats(file)).splitlines()

    assert "2 lines, 2 notifications, 0 repeated, 0 unreadable" == lines[0]
    assert re.fullmatch(r"status and code  count", lines[2])
    assert any(re.match(rf"{GREET} \(A step\) +2 +[\d.]+ ", line) for line in lines)


def test_stats_of_nothing(directory: Path) -> None:
    """A table without rows is left out."""
    ClustaarClient(bot(record=directory)).send(b"[]")
    (file,) = directory.glob("*.jsonl")

    assert "handler" not in ok(stats(file))


def test_stats_of_long_bodies(directory: Path) -> None:
    """A request that is too large to record has handlers, but no known step."""
    file = recorded(directory, bot(record=directory, record_bytes=10), GREET)

    counted = json.loads(ok(stats(file, "--json")))

    assert 1 == counted["notifications"]
    assert {} == counted["steps"]


def test_percentiles() -> None:
    """A percentile is a duration that occurred."""
    latencies = Latencies()
    for ms in range(1, 101):
        latencies.add(ms)

    assert [50, 95, 100] == [latencies.percentile(each) for each in (50, 95, 100)]
    assert 0 == Latencies().percentile(50)
