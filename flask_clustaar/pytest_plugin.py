"""The pytest plugin: a client as a fixture, and the conversation of a failed test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pytest

# Whoever has the package installed loads this in each run of pytest: it imports
# nothing else before a test asks for a fixture.
if TYPE_CHECKING:
    from flask import Flask

    from .models import Notification
    from .testing import ClustaarClient


@pytest.fixture
def clustaar_client(app: Flask) -> ClustaarClient:
    """A user who talks with the bot of the ``app`` fixture.

    For an application with several webhooks see ``clustaar_clients``.
    """
    from .testing import ClustaarClient

    return ClustaarClient(app)


@pytest.fixture
def clustaar_clients(app: Flask) -> dict[str, ClustaarClient]:
    """A user for each webhook of the ``app`` fixture, by the name of the webhook."""
    from .testing import ClustaarClient

    names = app.extensions.get("clustaar", ())
    return {name: ClustaarClient(app, name) for name in names}


@pytest.fixture
def make_notification() -> Callable[..., Notification]:
    """The function :func:`flask_clustaar.testing.make_notification`."""
    from .testing import make_notification

    return make_notification


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget the conversations of the tests before."""
    testing = sys.modules.get("flask_clustaar.testing")
    if testing is not None:
        testing.conversations.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Show the conversations below a test that failed."""
    report = yield
    testing = sys.modules.get("flask_clustaar.testing")
    if testing is not None and report.failed:
        report.sections += [
            ("Clustaar conversation", str(conversation))
            for conversation in testing.conversations
        ]
    return report
