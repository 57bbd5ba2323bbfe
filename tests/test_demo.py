"""``make demo`` and ``make run``."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
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
    assert "The bot answered as it should." in answer


def test_demo_that_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A reply that is not the right one fails."""
    monkeypatch.setattr(demo, "REPLY", tmp_path / "reply.json")
    demo.REPLY.write_text('{"actions": []}')

    assert 1 == demo.main([])
    assert "This is not the right reply" in capfd.readouterr().out


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
def test_run(program: str, status: str) -> None:
    """The bot goes on running, and a line that is printed asks it, again and again."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, "--stay"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        line = next(line for line in process.stdout if program in line)
        answers = [
            subprocess.run(["sh", "-c", line], capture_output=True, text=True).stdout
            for _ in range(2)
        ]
        process.send_signal(signal.SIGTERM)
        process.communicate()

    assert 0 == process.returncode
    for answer in answers:
        assert status in answer
        assert "Hello John, welcome to the shop!" in answer


def test_server_that_does_not_start(tmp_path: Path) -> None:
    """An application that cannot be found is told, with what Flask says."""
    with (
        pytest.raises(RuntimeError, match=r"did not start.\n(.|\n)*nowhere"),
        demo.serve("nowhere", directory=tmp_path, settings={}, log=tmp_path / "log"),
    ):
        pytest.fail("It runs.")
