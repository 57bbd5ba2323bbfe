"""A running inspector, and a browser with its page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

APPS = Path(__file__).parent / "apps"
CHROMIUM = shutil.which("chromium")

#: For tests in a browser.
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="There is no chromium here.")

#: Nothing is loaded but what a test asks for.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

T = TypeVar("T")


def until(attempt: Callable[[], T | None], seconds: float = 60) -> T:
    """Return the first true result of *attempt*, which is called repeatedly."""
    deadline = time.monotonic() + seconds
    while not (result := attempt()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)
    return result


class Inspecting:
    """A run of ``flask clustaar inspect``."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self.process = process
        self.bot = until(lambda: self._address("Bot"))
        #: The address of the page, with its token.
        self.page = until(lambda: self._address("Inspector"))

    @property
    def log(self) -> str:
        """The output of the command."""
        return (self.directory / "log").read_text(errors="replace")

    def _address(self, name: str) -> str | None:
        assert self.process.poll() is None, self.log
        found = re.search(rf"^{name}: +(\S+)$", self.log, re.M)
        return found[1] if found else None

    def stop(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(20)


@contextmanager
def inspecting(directory: Path, *options: str) -> Iterator[Inspecting]:
    """Run the command in a directory, with a copy of the bot of these tests."""
    for name in ("inspected.py", "inspected.json"):
        if not (directory / name).exists():
            shutil.copyfile(APPS / name, directory / name)
    command = [sys.executable, "-m", "flask", "--app", "inspected"]
    command += ["clustaar", "inspect", "--port", "0", "--inspector-port", "0"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(directory),
    }
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all of it can be stopped
        )
    try:
        yield Inspecting(directory, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def browser() -> Iterator[Any]:
    """Run Debian's chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()
