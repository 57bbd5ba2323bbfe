"""The pytest plugin: fixtures, stories, and conversations of failed tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# If the package is installed, every run of pytest loads this module. So it imports the
# rest of the package only when a test or a story needs it.
if TYPE_CHECKING:
    from flask import Flask

    from .models import Notification
    from .platform.bot import Bot
    from .platform.story import Difference
    from .replaying.fixtures import Recording
    from .testing import ClustaarClient


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("clustaar", "Flask-Clustaar")
    group.addoption(
        "--clustaar-update",
        action="store_true",
        help="Update stories and recordings with the current answers of the bot.",
    )
    group.addoption(
        "--no-clustaar-stories",
        action="store_true",
        help="Do not collect stories (test_*.story).",
    )
    parser.addini("clustaar_bot", "The bot file, relative to the root directory.")
    parser.addini(
        "clustaar_stories", "Whether to collect stories.", type="bool", default=True
    )


# -- fixtures ------------------------------------------------------------------------


@pytest.fixture
def clustaar_bot(request: pytest.FixtureRequest) -> Bot | Path | None:
    """The bot file of the fixtures below.

    Default: the file that the setting ``clustaar_bot`` names. Without the setting,
    stories use ``bot.json`` in their directory.
    """
    name: str = request.config.getini("clustaar_bot")
    if name:
        return request.config.rootpath / name
    beside = request.path.with_name("bot.json")
    is_story = request.path.suffix == ".story"
    return beside if is_story and beside.exists() else None


@pytest.fixture
def clustaar_client(app: Flask, clustaar_bot: Bot | Path | None) -> ClustaarClient:
    """A client that plays the user of the bot in the ``app`` fixture.

    If the application has several webhooks, use ``clustaar_clients``.
    """
    from .testing import ClustaarClient

    return ClustaarClient(app, bot=clustaar_bot)


@pytest.fixture
def clustaar_clients(
    app: Flask, clustaar_bot: Bot | Path | None
) -> dict[str, ClustaarClient]:
    """A client for each webhook of the ``app`` fixture, by webhook name."""
    from .testing import ClustaarClient

    names = app.extensions.get("clustaar", ())
    return {name: ClustaarClient(app, name, bot=clustaar_bot) for name in names}


@pytest.fixture
def make_notification() -> Callable[..., Notification]:
    """The function :func:`flask_clustaar.testing.make_notification`."""
    from .testing import make_notification

    return make_notification


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> Callable[[str], Recording]:
    """Open a file in the directory ``recordings`` next to the test."""
    from .replaying.fixtures import Recording

    directory = request.path.parent / "recordings"
    update = bool(request.config.getoption("clustaar_update"))
    return lambda name: Recording(directory / name, update=update)


# -- stories -------------------------------------------------------------------------


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    """Collect stories, such as ``test_colours.story``."""
    if file_path.suffix != ".story" or not file_path.name.startswith("test_"):
        return None
    config = parent.config
    if config.getoption("no_clustaar_stories") or not config.getini("clustaar_stories"):
        return None
    return StoryFile.from_parent(parent, path=file_path)


class StoryFile(pytest.File):
    """A file with a story."""

    def collect(self) -> Iterable[pytest.Item]:
        def tell(clustaar_client: ClustaarClient) -> None:
            self._tell(clustaar_client)

        yield StoryItem.from_parent(self, name=self.path.stem, callobj=tell)

    def _tell(self, client: ClustaarClient) -> None:
        """Run the story."""
        from .platform.story import Story, StoryFailed

        story = Story.read(self.path)
        differences = story.run(client)
        if differences and self.config.getoption("clustaar_update"):
            text = story.updated(differences)
            if text != story.text:
                self.path.write_text(text, encoding="utf-8")
            differences = [each for each in differences if each.is_end]
        if differences:
            raise StoryFailed(str(self.path), differences[0])


class StoryItem(pytest.Function):
    """A story, as a test."""

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name

    def repr_failure(  # type: ignore[override]
        self, excinfo: pytest.ExceptionInfo[BaseException]
    ) -> Any:
        from .platform.story import StoryError, StoryFailed

        match excinfo.value:
            case StoryFailed(difference=difference):
                rows = _side_by_side(difference, self.path)
                return _report(self.path, difference.number, difference.reason, rows)
            case StoryError(number=number, reason=reason):
                return _report(self.path, number, reason, [])
        return super().repr_failure(excinfo)


def _report(path: Path, number: int, reason: str, rows: list[str]) -> str:
    """Format a failure as pytest does: the lines of the story, then the reason."""
    from .printable import printable

    begin = max(0, number - 12)
    shown = [f"    {line}".rstrip() for line in _lines(path)[begin:number]]
    shown[-1:] = [f">{line[1:]}" for line in shown[-1:]]
    reasons = printable(reason, lines=True).split("\n")
    told = [f"E   {row}".rstrip() for row in [*reasons, *rows]]
    head, *_ = reasons
    return "\n".join([f"{path.name}:{number}: {head}", "", *shown, *told])


def _side_by_side(difference: Difference, path: Path) -> list[str]:
    """Return the expected and the actual lines of a turn, side by side."""
    from difflib import SequenceMatcher
    from itertools import zip_longest

    turn = difference.turn
    said = _lines(path)[turn.number - 1 : turn.number - 1 + turn.height]
    pairs = [("the story", "the conversation", " "), *((row, row, " ") for row in said)]
    wanted, got = [row.text for row in turn.expected], difference.shown
    matcher = SequenceMatcher(None, wanted, got, autojunk=False)
    for what, begin, end, start, stop in matcher.get_opcodes():
        mark = " " if what == "equal" else "|"
        rows = zip_longest(wanted[begin:end], got[start:stop], fillvalue="")
        pairs += [(left, right, mark) for left, right in rows]
    return ["", *_in_columns(pairs)]


def _in_columns(pairs: list[tuple[str, str, str]]) -> Iterable[str]:
    from .cli.terminal import columns
    from .printable import printable

    pairs = [(printable(left), printable(right), mark) for left, right, mark in pairs]
    width = max(columns(left) for left, _, _ in pairs)
    for left, right, mark in pairs:
        yield f"  {left}{' ' * (width - columns(left))}  {mark} {right}"


def _lines(path: Path) -> list[str]:
    from .printable import printable

    text = path.read_text("utf-8-sig", errors="replace")
    return [printable(line) for line in text.splitlines()]


# -- failures ------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Drop the conversations of earlier tests."""
    testing = sys.modules.get("flask_clustaar.testing")
    if testing is not None:
        testing.conversations.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Add the conversations to the report of a failed test."""
    report = yield
    testing = sys.modules.get("flask_clustaar.testing")
    if testing is not None and report.failed:
        report.sections += [
            ("Clustaar conversation", str(conversation))
            for conversation in testing.conversations
        ]
    return report
