"""What all tests share: how hypothesis looks for examples."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

# A slow machine must not make a test fail.
PATIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)

# The same examples in each run, so that a test passes or fails for everybody.
settings.register_profile("repeatable", PATIENT, derandomize=True)
# Other examples in each run: pytest --hypothesis-profile=exploring
settings.register_profile("exploring", PATIENT, max_examples=1000)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Write nothing into a checkout that belongs to another user."""
    if not os.access(config.rootpath, os.W_OK):
        home = Path(tempfile.gettempdir(), f"hypothesis-of-{os.getuid()}")
        set_hypothesis_home_dir(home)
