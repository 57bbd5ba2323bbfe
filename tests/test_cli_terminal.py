"""The output of commands fits the terminal, and is escaped."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import runpy
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli_bots import KEY, ok, run, small_bot
from flask import Flask
from flask.cli import ScriptInfo
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.cli import clustaar
from flask_clustaar.cli.terminal import columns, echo, is_terminal, width, wrap

TEXTS = st.text(
    st.sampled_from("ab ,./日本。「」é👍🏽👩\u200d❤\ufe0fم\u0301"), max_size=60
)


# -- columns -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 5),
        ("é", 1),
        ("e\u0301", 1),
        ("日本語", 6),
        ("ｱ", 1),
        ("Ａ", 2),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),
        ("مَرحبا", 5),
        ("👍", 2),
        ("👍🏽", 2),
        ("👩\u200d👩\u200d👧", 2),
        ("❤", 1),
        ("❤\ufe0f", 2),
        ("1\ufe0f\u20e3", 2),
        ("🇫🇷", 2),
    ],
)
def test_columns_are_those_that_are_drawn(text: str, expected: int) -> None:
    """Wide letters and emoji take two columns, combining characters none."""
    assert columns(text) == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("ten chars.", ["ten chars."]),
        ("one two three", ["one two", "three"]),
        ("one  two   three", ["one  two", "three"]),
        ("one two    ", ["one two    "]),
        ("a.verylong.word", ["a.", "verylong.", "word"]),
        ("abcdefghijklm", ["abcdefghij", "klm"]),
        ("日本語の日本語の", ["日本語の日", "本語の"]),
        ("日本語日「本」", ["日本語日", "「本」"]),
        ("日本語日本。あ", ["日本語日", "本。あ"]),
        ("a\tb c d e f g", ["a   b c d", "e f g"]),
        ("   indented text", ["   indented"[:10], "d text"]),
    ],
)
def test_lines_are_broken_between_words(text: str, lines: list[str]) -> None:
    """A line is broken at spaces and between wide letters, else after punctuation."""
    assert wrap(text, 10) == lines


@given(text=TEXTS, room=st.integers(2, 20))
def test_every_line_fits(text: str, room: int) -> None:
    """No line is too long, and only spaces are dropped."""
    lines = wrap(text, room)

    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line.rstrip(" ")) <= room for line in lines)


def test_letter_wider_than_the_room_has_a_line() -> None:
    """Even in one column there is an end."""
    assert wrap("日本", 1) == ["日", "本"]


# -- the width -----------------------------------------------------------------------


class Terminal:
    """A terminal of some columns; its standard output is the program's."""

    def __init__(self, patch: pytest.MonkeyPatch, size: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, size, 0, 0))
        self.stdout = open(slave, "w")
        patch.setattr(sys, "stdout", self.stdout)
        patch.delenv("COLUMNS", raising=False)
        patch.delenv("NO_COLOR", raising=False)

    def run(self, app: Flask, *arguments: str) -> list[str]:
        """Run a command; return the lines that it shows, without colours."""
        with ThreadPoolExecutor(1) as executor:
            shown = executor.submit(self.read)
            info = ScriptInfo(create_app=lambda: app)
            clustaar.main([*arguments], obj=info, standalone_mode=False)
            self.stdout.close()
        text = re.sub(r"\033\[[0-9;]*m", "", shown.result())
        return text.replace("\r\n", "\n").splitlines()

    def read(self) -> str:
        shown = b""
        try:
            while chunk := os.read(self.master, 4096):  # pragma: no branch
                shown += chunk
        except OSError:  # Linux raises this for a closed terminal.
            return shown.decode()
        raise AssertionError("A terminal ends with an error.")


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[int], Terminal]]:
    """Return what makes a terminal of some columns."""
    made: list[Terminal] = []

    def make(size: int) -> Terminal:
        made.append(Terminal(monkeypatch, size))
        return made[-1]

    yield make
    for each in made:
        each.stdout.close()
        os.close(each.master)


def world_bot() -> Flask:
    """Make a bot that speaks Japanese, Arabic and emoji."""
    app = Flask("world")
    webhook = ClustaarWebhook(app, private_key="short")
    said = (
        "日本語のテキストはここで折り返されます。" * 3,
        "مرحبا بالعالم " * 6,
        "👩\u200d👩\u200d👧 👍🏽 " * 9,
    )
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda notification: said)
    return app


COMMANDS = [
    ("routes",),
    ("check",),
    ("check", "--rules"),
    ("send",),
    ("send", "--text", "日本語のテキスト" * 9),
]


@pytest.mark.parametrize("size", [40, 80, 200])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_output_fits_the_terminal(
    terminal: Callable[[int], Terminal], arguments: tuple[str, ...], size: int
) -> None:
    """No command prints a line that is wider than the terminal."""
    lines = terminal(size).run(world_bot(), *arguments)

    assert max(map(columns, lines)) <= size


def test_long_lines_are_indented(terminal: Callable[[int], Terminal]) -> None:
    """The further lines of a finding begin below its text."""
    lines = terminal(60).run(world_bot(), "check")
    first = lines.index(next(line for line in lines if line.startswith("warning: ")))
    assert lines[first + 1].startswith(" " * len("warning: "))


def test_table_that_does_not_fit_is_a_list(
    terminal: Callable[[int], Terminal],
) -> None:
    """In a narrow terminal, each handler takes several lines, otherwise one row."""
    narrow = terminal(60).run(small_bot(), "routes")
    wide = terminal(200).run(small_bot(), "routes")
    assert "    StepID('507f191e810c19729de860ea')" in narrow
    assert wide[1].split() == ["Handler", "Place", "Event", "Filter"]


def test_nothing_is_broken_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, the width is unlimited, and COLUMNS is ignored."""
    monkeypatch.setenv("COLUMNS", "40")
    result = run(world_bot(), "send", "--text", "word " * 100)
    assert "word " * 99 in ok(result)


def test_columns_of_the_environment(
    terminal: Callable[[int], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """COLUMNS says how wide a terminal is; without a size it has 80."""
    made = terminal(0)
    assert width(made.stdout) == 80
    monkeypatch.setenv("COLUMNS", "123")
    assert width(made.stdout) == 123
    monkeypatch.setenv("COLUMNS", "wide")
    assert width(made.stdout) == 80
    assert width(None) is None
    assert not is_terminal(None)


class Console(io.StringIO):
    """A terminal that a program draws itself, as in an editor."""

    def isatty(self) -> bool:
        return True


def test_terminal_without_a_width(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is taken to have 80 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert width(Console()) == 80


# -- colours -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colours_in_a_pipe(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe has colours if FORCE_COLOR asks for them, unless NO_COLOR forbids them."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = run(small_bot(), "check").stdout_bytes
    assert (b"\033[" in shown) == coloured


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_in_a_terminal(
    environment: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal has colours, unless NO_COLOR or TERM=dumb forbids them."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    made = Terminal(monkeypatch, 80)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with ThreadPoolExecutor(1) as executor:
        shown = executor.submit(made.read)
        info = ScriptInfo(create_app=small_bot)
        clustaar.main(["check"], obj=info, standalone_mode=False)
        made.stdout.close()
    os.close(made.master)
    assert ("\033[" in shown.result()) == coloured


# -- what is safe --------------------------------------------------------------------

#: ESC, CR, LF, BEL, an 8-bit control, bidirectional controls, a link, the clipboard.
HOSTILE = "\x1b[2J\r\n\x07\x9b31m\x85\u2028\u202e\u2066\x1b]8;;https://x\x1b\\\x1b]52;c;eA==\x07"
UNSAFE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def hostile_bot() -> Flask:
    """Make a bot that repeats everything, and keys that users typed."""
    app = Flask("hostile")
    webhook = ClustaarWebhook(app, private_key=KEY)

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def repeat(notification: Notification) -> list[str]:
        notification.session[f"key {notification.text}"] = notification.text
        return [notification.text or "", str(notification.step.name)]

    @webhook.on(f"order{HOSTILE}")
    def never(notification: Notification) -> None:
        """Is never run."""

    return app


def hostile_file(directory: Path, document: object) -> str:
    file = directory / "hostile.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


STEP = "507f191e810c19729de860ea"
NOTIFICATION = {
    "topic": "conversation.step_reached",
    "botID": HOSTILE,
    "data": {
        "channel": HOSTILE,
        "input": {"type": "message", "text": HOSTILE, "attachments": []},
        "interlocutor": {"firstName": HOSTILE, "customAttributes": {HOSTILE: HOSTILE}},
        "session": {"values": {HOSTILE: HOSTILE}},
        "step": {"id": HOSTILE, "name": HOSTILE, "userData": HOSTILE, "actions": []},
    },
}
REPLY = {
    "actions": [
        {"type": HOSTILE, HOSTILE: 1},
        {"type": "send_text_action", "alternatives": [HOSTILE], HOSTILE: 1},
        {
            "type": "send_cards_action",
            "cards": [{"type": "card", "title": f"<b>{HOSTILE}", "url": HOSTILE}],
        },
    ],
    "session": {"values": {HOSTILE: float("1e400")}},
    HOSTILE: HOSTILE,
}
STEPS = [
    {"id": STEP, "name": HOSTILE, "actions": [{"type": HOSTILE}], HOSTILE: 1},
    {"id": HOSTILE, "name": HOSTILE},
]
GOOD_STEPS: list[dict[str, Any]] = [
    {"id": STEP, "name": f"Ask {HOSTILE}"},
    {
        "id": "507f191e810c19729de860eb",
        "name": HOSTILE,
        "webhook": False,
        "actions": [
            {"type": "send_text_action", "alternatives": [HOSTILE], "text": HOSTILE},
            {"type": "store_session_value_action", "key": "a", "value": HOSTILE},
        ],
    },
]
REQUEST = (
    f"POST /clustaar HTTP/1.1\nContent-Type: {HOSTILE}\nDate: \x1b[2J\x07 \x9b\n"
    f"X-Hub-Signature: sha1=\x1b]52;c;eA==\x07\n\n{HOSTILE}"
)


def hostile_recording(directory: Path) -> str:
    """Return the name of a recording; both have hostile text in each field."""
    row = {
        "v": 1,
        "at": 1.0,
        "app": "hostile",
        "webhook": "clustaar",
        "request": NOTIFICATION,
        "reply": {"actions": [], "session": {"values": {HOSTILE: 1}}},
        "status": 200,
        "code": HOSTILE,
        "error": HOSTILE,
        "handlers": [{"name": HOSTILE, "ms": 1.0}],
        "timings": {HOSTILE: 1.0},
        "headers": {HOSTILE: [HOSTILE]},
    }
    rows = [
        row,
        row | {"status": 500},
        row | {"app": HOSTILE},
        row | {"webhook": HOSTILE},
        row | {"v": HOSTILE},
        row | {"request": None},
        row | {"request": HOSTILE},
        HOSTILE,
    ]
    file = directory / f"{HOSTILE.replace('/', '')}.jsonl"
    lines = "".join(f"{json.dumps(each)}\n" for each in rows)
    file.write_text(lines, encoding="utf-8")
    return str(file)


def commands(directory: Path) -> Iterator[tuple[list[str], str]]:
    """Yield each command with hostile text in each field, and its standard input."""
    file = directory / "hostile.json"
    notification, reply = json.dumps(NOTIFICATION), json.dumps(REPLY)
    file.write_text(notification)
    yield ["routes"], ""
    yield ["routes", "--explain", "-"], notification
    yield ["routes", "--json"], ""
    yield ["verify", "-"], REQUEST
    yield ["verify", "-", "--json"], REQUEST
    yield ["verify", "-", "--at", HOSTILE], REQUEST
    yield ["check"], ""
    yield ["check", "-"], reply
    yield ["check", "-", "--json"], reply
    yield ["check", "-", "--channel", "facebook"], reply
    yield ["check", "-", "--channel", HOSTILE], reply
    yield ["check", "-"], HOSTILE
    yield ["check", HOSTILE.replace("/", "")], ""
    yield ["check", "--bot", "-"], json.dumps(STEPS)
    yield ["check", "--bot", "-"], json.dumps(GOOD_STEPS)
    yield ["send", "--file", "-"], notification
    yield ["send", "--file", "-", "--curl"], HOSTILE
    yield ["send", "--text", HOSTILE, "--step-name", HOSTILE, "--step", STEP], ""
    yield ["send", "--session", f"{HOSTILE}={HOSTILE}", "--channel", HOSTILE], ""
    yield ["send", "--user", f"{HOSTILE}=1"], ""
    yield ["send", "--header", f"{HOSTILE}: 1"], ""
    yield ["send", "--url", f"{HOSTILE}"], ""
    yield ["send", "--webhook", HOSTILE], ""
    yield ["chat"], f"{HOSTILE}\n/{HOSTILE}\n/step {HOSTILE}\n/event {HOSTILE}\n/json\n"
    yield ["chat", "--steps", "-"], json.dumps(STEPS)
    yield ["chat", "--session", f"{HOSTILE}={HOSTILE}", "--channel", HOSTILE], "Hi\n"
    yield ["new", HOSTILE.replace("/", "")], ""
    yield ["schema", HOSTILE], ""
    yield ["send", "--text", HOSTILE, "--json"], ""
    yield ["send", "--file", "-", "--json"], "{}"
    yield ["send", "--url", f"http://127.0.0.1:1/{HOSTILE}", "--curl"], ""
    yield ["steps", hostile_file(directory, GOOD_STEPS)], ""
    yield ["steps", hostile_file(directory, STEPS)], ""
    yield ["steps", HOSTILE], ""
    recording = hostile_recording(directory)
    yield ["send", "--file", recording, "--curl"], ""
    yield ["record", "stats", recording], ""
    yield ["record", "stats", recording, "--json"], ""
    replay = ["replay", recording, "--for-real"]
    yield replay, ""
    yield [*replay, "--json"], ""
    yield [*replay, "--twice"], ""
    yield [*replay, "--only", HOSTILE], ""
    yield [*replay, "--webhook", HOSTILE], ""
    yield [*replay, "--line", "3"], ""
    yield [*replay, "--baseline", HOSTILE], ""
    yield ["replay", recording, "--line", "1", "--as-test", str(directory / "t")], ""
    yield ["replay", recording, "--line", "5", "--as-test", str(directory / "t")], ""
    for line in ("1", "7"):
        yield ["replay", recording, "--line", line, "--as-story", str(directory)], ""
    yield ["inspect", recording, "--no-reload"], ""


def test_nothing_that_is_printed_is_hostile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command prints a control character, a terminal escape or a bidi control."""
    # 'inspect' switches debug mode on, for its process.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for arguments, input in commands(tmp_path):
        result = run(hostile_bot(), *arguments, input=input)
        shown = result.stdout_bytes.decode() + result.stderr_bytes.decode()
        assert not UNSAFE.search(shown), (arguments, UNSAFE.search(shown), shown)
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_hostile_recording_as_junit(tmp_path: Path) -> None:
    """XML has no control characters, so a server of continuous integration reads it."""
    recording, junit = hostile_recording(tmp_path), tmp_path / "junit.xml"
    run(hostile_bot(), "replay", recording, "--for-real", "--junit", str(junit))
    suite = ElementTree.parse(junit).getroot()
    assert any("\\u001b" in str(case.get("name")) for case in suite)


def test_steps_of_a_hostile_bot_file_are_a_module(tmp_path: Path) -> None:
    """Escapes do not change the names."""
    module = ok(run(None, "steps", hostile_file(tmp_path, GOOD_STEPS)))
    (tmp_path / "bot_steps.py").write_text(module)
    names = runpy.run_path(str(tmp_path / "bot_steps.py"))["steps"]
    assert [*names] == [f"Ask {HOSTILE}", HOSTILE]


def test_hostile_bot_file_in_a_conversation(tmp_path: Path) -> None:
    """Names of steps and what they say are safe, also where a bot file has them."""
    file = hostile_file(tmp_path, GOOD_STEPS)
    lines = f"Hi\n/step\n/step {GOOD_STEPS[1]['id']}\n/session\n/json\n"
    result = run(hostile_bot(), "chat", "--steps", file, input=lines)
    assert "\\u001b" in result.stdout
    assert not UNSAFE.search(result.stdout_bytes.decode())


def test_hostile_server() -> None:
    """The code in a server's answer is safe, one by one and counted."""
    from threading import Thread

    from werkzeug.serving import make_server
    from werkzeug.wrappers import Response

    problem = json.dumps({"code": HOSTILE, "detail": HOSTILE, "explanation": [HOSTILE]})
    answer = Response(problem, 500, mimetype="application/json")
    server = make_server("127.0.0.1", 0, answer)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.port}/clustaar"
    try:
        for more in ([], ["--repeat", "2"], ["--repeat", "2", "--json"]):
            result = run(small_bot(), "send", "--url", url, *more)
            assert "\\u001b" in result.stdout
            assert not UNSAFE.search(result.stdout)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_one_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break in a text is shown, and not made."""
    echo("a\nb\rc", label="bot  ")
    assert capsys.readouterr().out == "bot  a\\nb\\rc\n"


def test_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a text, only the label is printed."""
    echo("", label="bot  ")
    echo()
    assert capsys.readouterr().out == "bot\n\n"


# -- what the command says of itself -------------------------------------------------


def test_version() -> None:
    """'--version' has the versions that a report of a mistake needs."""
    first, second, third = ok(run(None, "--version")).splitlines()
    assert re.fullmatch(r"Flask-Clustaar \d+\.\d+\.\d+\S*", first)
    assert re.fullmatch(r"Flask \S+, marshmallow \S+", second)
    assert third == f"Python {sys.version.split()[0]}"


def test_error_of_usage() -> None:
    """An error of usage says how to get help."""
    result = run(None, "send", "--nonsense")
    assert result.stderr.startswith("Usage: clustaar send [OPTIONS]\nTry 'clustaar ")
    assert result.exit_code == 2


def completed(app: Flask | None, *words: str) -> list[str]:
    """Return what a shell offers for the last word."""
    from click.shell_completion import BashComplete

    info = ScriptInfo(create_app=None if app is None else lambda: app)
    complete = BashComplete(clustaar, {"obj": info}, "clustaar", "_CLUSTAAR_COMPLETE")
    *before, last = words
    return [item.value for item in complete.get_completions([*before], last)]


def test_completion(tmp_path: Path) -> None:
    """A shell completes commands, options, webhooks, steps, channels and files."""
    app = small_bot()
    bot = hostile_file(tmp_path, [{"id": "a" * 24, "name": "Hall"}, {"id": "b" * 24}])
    assert completed(app, "ch") == ["chat", "check"]
    assert "--repeat" in completed(app, "send", "--re")
    assert completed(app, "send", "--webhook", "cl") == ["clustaar"]
    assert completed(app, "send", "--step", STEP[:-1]) == [
        STEP,
        f"{STEP[:-1]}b",
        f"{STEP[:-1]}c",
    ]
    assert completed(app, "chat", "--steps", bot, "--step", "Ha") == ["Hall"]
    assert completed(app, "chat", "--steps", bot, "--step", "aa") == ["a" * 24]
    assert completed(app, "chat", "--steps", "none", "--step", "Ha") == []
    hostile = hostile_file(tmp_path, GOOD_STEPS)
    assert completed(app, "chat", "--steps", hostile, "--step", "Ask") == []
    assert completed(app, "chat", "--channel", "fa") == ["facebook"]
    assert completed(app, "check", "--channel", "tw") == ["twilio"]
    assert completed(app, "send", "--user", "first") == ["first_name="]
    assert completed(Flask("empty"), "send", "--step", "") == []


def test_completion_without_an_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an application nothing is offered, and nothing fails."""
    monkeypatch.chdir(tmp_path)
    assert completed(None, "send", "--webhook", "") == []


def test_readable_json(terminal: Callable[[int], Terminal]) -> None:
    """In a terminal JSON has readable letters, in a pipe it is ASCII."""
    lines = terminal(80).run(small_bot(), "send", "--json", "--user", "first_name=Zoë")
    assert any("Zoë" in line for line in lines)
    assert json.loads("\n".join(lines))["actions"]
