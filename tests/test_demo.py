"""``make demo`` and ``make run``."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import demo
import pytest

SCRIPT = Path(demo.__file__)


def test_demo() -> None:
    """It shows the request, the status and the reply, and says that all is well."""
    result = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)

    assert 0 == result.returncode, result.stderr
    request, answer = result.stdout.split("HTTP/1.1 200 OK\n")
    assert "X-Hub-Signature: sha1=" in request
    assert demo.NOTIFICATION.read_text().strip() in request
    assert demo.REPLY.read_text().strip() in answer
    assert "The reply is as expected." in answer


@dataclass
class Staying:
    """``make run``, and what it has printed so far."""

    process: subprocess.Popen[str]
    printed: list[str] = field(default_factory=list)

    def line(self, program: str) -> str:
        """Return the line that asks the bot with a program."""
        assert self.process.stdout
        while not (found := [line for line in self.printed if program in line]):
            self.printed.append(next(self.process.stdout))
        return found[0]


@pytest.fixture(scope="module")
def staying() -> Iterator[Staying]:
    """The bot, which continues to run."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, "--stay"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Staying(process)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert 0 == process.returncode


def test_demo_that_goes_wrong(
    staying: Staying,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An unexpected reply fails."""
    monkeypatch.setattr(demo, "REPLY", tmp_path / "reply.json")
    demo.REPLY.write_text('{"actions": []}')
    url = staying.line("listens on").split()[5].rstrip(".")

    assert 1 == demo.ask(url)
    assert "The reply differs from the expected one" in capfd.readouterr().out


needs_curl = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")),
    reason="The line needs curl and openssl.",
)


@pytest.mark.parametrize(
    ("program", "status"),
    [
        pytest.param("curl", "HTTP/1.1 200 OK", marks=needs_curl),
        pytest.param("clustaar send", "hello", id="send"),
    ],
)
def test_run(staying: Staying, program: str, status: str) -> None:
    """The bot continues to run, and the printed command works repeatedly."""
    for _ in range(2):
        answer = subprocess.run(
            ["sh", "-c", staying.line(program)], capture_output=True, text=True
        ).stdout
        assert status in answer
        assert "Hello John, welcome to the shop!" in answer


def test_server_that_does_not_start(tmp_path: Path) -> None:
    """A missing application is reported, with Flask's message."""
    with (
        pytest.raises(RuntimeError, match=r"did not start.\n(.|\n)*nowhere"),
        demo.serve("nowhere", directory=tmp_path, settings={}, log=tmp_path / "log"),
    ):
        pytest.fail("It runs.")
