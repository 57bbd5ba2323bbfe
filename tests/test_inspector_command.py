"""``flask clustaar inspect``: two servers, in one process here."""

from __future__ import annotations

import _thread
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cli_bots import run, sentence
from flask import Flask
from inspected_bots import inspected_bot
from inspecting import until

from flask_clustaar.recording.delivery import VERSION

PORTS = ("--port", "0", "--inspector-port", "0", "--no-reload")


def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore what the command sets for its process, which is this one here."""
    for name in ("FLASK_DEBUG", "CLUSTAAR_INSPECTOR_STATE", "WERKZEUG_SERVER_FD"):
        monkeypatch.setenv(name, "")


def serve(
    app: Flask | Callable[[], Flask] | None,
    *options: str,
    look: Callable[[str, str], None],
) -> str:
    """Run the command; when it serves, call *look* with both addresses and end it."""

    def visit() -> None:
        try:
            state = until(lambda: os.environ["CLUSTAAR_INSPECTOR_STATE"])
            session = json.loads(state)
            bot = f"http://127.0.0.1:{session['port']}/"
            page = f"http://127.0.0.1:{session['inspector_port']}/{session['token']}/"
            until(lambda: answers(bot) and answers(page))
            look(bot, page)
        finally:
            _thread.interrupt_main()

    with ThreadPoolExecutor(1) as executor:
        visiting = executor.submit(visit)
        result = run(app, "inspect", *PORTS, *options)
        visiting.result()
    assert result.exit_code == 0, result.output
    return result.output


def answers(url: str) -> bool:
    try:
        return get(url)[0] > 0
    except OSError:
        return False


def test_two_servers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command prints two addresses: the bot's, and the page's with its token."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    def look(bot: str, page: str) -> None:
        assert get(bot + "other") == (200, "something else")
        assert get(page)[0] == 200
        assert json.loads(get(page + "api/app")[1])["state"] == "ok"
        assert get(re.sub("[^/]+/$", "", page))[0] == 403

    output = serve(inspected_bot(), "--open", look=look)

    (page,) = re.findall(r"^Inspector:  (\S+)$", output, re.M)
    assert re.search(r"^Bot:        http://127\.0\.0\.1:\d+$", output, re.M)
    assert opened == [page]
    assert list(tmp_path.iterdir()) == []


def test_application_that_cannot_be_loaded() -> None:
    """An exception in the program is shown by the page, and the bot answers 503."""

    def create() -> Flask:
        raise ZeroDivisionError("in the program")

    def look(bot: str, page: str) -> None:
        assert get(bot)[0] == 503
        state = json.loads(get(page + "api/app")[1])
        assert "ZeroDivisionError: in the program" in state["traceback"]

    assert "ZeroDivisionError" in serve(create, look=look)


def test_recording(tmp_path: Path) -> None:
    """The requests of a recording are in the list."""
    recording = tmp_path / "recording.jsonl"
    recording.write_text(json.dumps({"v": VERSION, "status": 418}) + "\n")

    def look(bot: str, page: str) -> None:
        (row,) = json.loads(get(page + "api/deliveries")[1])
        assert (row["status"], row["source"]) == (418, "recording")

    serve(inspected_bot(), str(recording), look=look)


def test_bot_file(tmp_path: Path) -> None:
    """The steps of a bot file are known to the chat."""
    steps = tmp_path / "steps.json"
    steps.write_text('[{"id": "507f191e810c19729de860ea", "name": "Welcome"}]')

    serve(
        inspected_bot(),
        "--steps",
        str(steps),
        look=lambda bot, page: None,
    )


def test_wrong_recording(tmp_path: Path) -> None:
    """A file that is not a recording is an error with its line."""
    recording = tmp_path / "recording.jsonl"
    recording.write_text('{"status": 200}\n[]\n')

    error = sentence(run(inspected_bot(), "inspect", *PORTS, recording))

    assert "Line 2 of" in error


@pytest.mark.parametrize("options", [(), ("--webhook", "nobody")])
def test_nothing_to_inspect(options: tuple[str, ...]) -> None:
    """Without a webhook there is nothing to wait for: the command ends."""
    app = inspected_bot() if options else Flask("empty")

    result = run(app, "inspect", *PORTS, *options)

    assert result.exit_code in (1, 2)
    assert "webhook" in result.output


def test_no_application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an application the command ends."""
    monkeypatch.chdir(tmp_path)

    result = run(None, "inspect", *PORTS)

    assert result.exit_code == 2


def test_import_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An import in the program that fails is shown by its own traceback."""
    (tmp_path / "app.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "app", raising=False)

    def look(bot: str, page: str) -> None:
        state = json.loads(get(page + "api/app")[1])
        assert "No module named 'nothing_of_this_name'" in state["traceback"]

    serve(None, look=look)


def test_port_in_use() -> None:
    """If the inspector's port is in use, the error names the option."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(
            inspected_bot(), "inspect", "--port", "0", "--inspector-port", port
        )

    assert "'--inspector-port'" in sentence(result)


def test_nothing_of_it_is_imported_by_a_bot(tmp_path: Path) -> None:
    """A bot that runs, and the help of the commands, do not import the inspector."""
    script = (
        "import sys, flask_clustaar, flask_clustaar.extension, flask_clustaar.cli\n"
        "assert not [m for m in sys.modules if 'clustaar.inspector' in m]\n"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
