"""Settings for all tests: how Hypothesis generates examples, and what is measured."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# A slow machine must not make a test fail.
PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)

# The same examples in each run, so that results are reproducible.
settings.register_profile("repeatable", PATIENT, derandomize=True)
# Other examples in each run: pytest --hypothesis-profile=exploring
settings.register_profile("exploring", PATIENT, max_examples=1000)
settings.load_profile("repeatable")
# Not in the checkout, which may belong to another user.
set_hypothesis_home_dir(Path(tempfile.gettempdir(), f"hypothesis-{os.getuid()}"))


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process that runs the tests."""
    # A shell that starts the suite in the background makes it ignore Ctrl-C. Programs
    # that the tests end by Ctrl-C would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "unmeasured: run without measuring the coverage")
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        # Programs that tests start are run as users run them.
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
        os.environ.pop("PYTHONDEVMODE", None)
        os.environ.pop("PYTHONMALLOC", None)
    else:
        sys.settrace(None)  # The workers run the tests, and are measured.


# -- coverage ------------------------------------------------------------------------

# Measuring doubles the time of a test.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Do not measure modules with ``pytestmark = pytest.mark.unmeasured``."""
    with unmeasured(item.get_closest_marker("unmeasured") is not None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Do not measure tests of generated values, which may or may not reach a line."""
    with unmeasured(item.get_closest_marker("hypothesis") is not None):
        return (yield)


@contextmanager
def unmeasured(really: bool) -> Iterator[None]:
    """Pause coverage.py in this thread."""
    trace = sys.gettrace()
    if really:
        sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(trace)
