"""The package itself: its names, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import flask_clustaar


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout


def test_every_public_name_is_there() -> None:
    """Each name is in its declared module, and in ``dir``."""
    for name in flask_clustaar._HOMES:
        assert getattr(flask_clustaar, name) is not None
        assert name in dir(flask_clustaar)


def test_a_star_imports_every_public_name() -> None:
    """The names that are imported when they are first used are among them."""
    names: dict[str, object] = {}
    exec("from flask_clustaar import *", names)
    assert names.keys() - {"__builtins__"} == set(flask_clustaar._HOMES)


def test_a_name_that_is_not_there_is_an_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'ClustarWebhook'"):
        flask_clustaar.ClustarWebhook  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("module", ["flask_clustaar", "flask_clustaar.pytest_plugin"])
def test_importing_the_pytest_plugin_is_cheap(module: str) -> None:
    """The pytest plugin must not import Flask in unrelated test runs."""
    program = f"import sys, {module}; print('flask' in sys.modules)"
    assert run(program) == "False\n"


def test_a_program_does_not_pay_for_the_tools() -> None:
    """Only tests, the command line and the docs import their tools."""
    program = "import sys; from flask_clustaar import ClustaarWebhook, events; "
    program += "print(sorted(m for m in sys.modules if m.startswith('flask_clustaar')))"
    tools = ("testing", "transcript", "cli", "json_schema", "reference", "compat")
    imported = run(program)
    assert not [tool for tool in tools if f"flask_clustaar.{tool}" in imported]
    assert "justhtml" not in run(program.replace("flask_clustaar')", "justhtml')"))
