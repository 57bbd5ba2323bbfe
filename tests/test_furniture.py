"""The files around the code: workflows, templates, the citation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flask_clustaar import __version__

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = {path.name: path.read_text() for path in GITHUB.glob("workflows/*.yaml")}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned(name: str) -> None:
    """Each action has the hash of its commit, and the version in a comment."""
    used = re.findall(r"uses: (.+)", WORKFLOWS[name])

    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_may_only_read(name: str) -> None:
    """A workflow reads the repository; only the publishing job has an identity."""
    assert "\npermissions:\n  contents: read\n" in WORKFLOWS[name]
    assert ("id-token: write" in WORKFLOWS[name]) == (name == "release.yaml")


def test_targets_of_the_workflow() -> None:
    """Continuous integration runs targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    wanted = set(re.findall(r"target: \[?([a-z-]+)", WORKFLOWS["tests.yaml"]))
    listed = re.findall(r"^checks=\((.+)\)", (ROOT / ".ci/run").read_text(), re.M)

    assert wanted | {check for line in listed for check in line.split()} <= targets


def test_the_workflow_runs_what_ci_runs() -> None:
    """Each check of ``.ci/run`` is a target of the workflow; 'test-wheel' builds."""
    makefile = (ROOT / "Makefile").read_text()
    [listed] = re.findall(r"^checks=\((.+)\)", (ROOT / ".ci/run").read_text(), re.M)
    wanted = set(re.findall(r"target: \[?([a-z-]+)", WORKFLOWS["tests.yaml"]))

    assert "\ntest-wheel: build " in makefile
    assert set(listed.split()) - {"build"} <= wanted
    assert "chromium" in WORKFLOWS["tests.yaml"]


def test_a_bug_report_asks_for_the_check() -> None:
    """The template asks for what finds most mistakes, and for the versions."""
    template = (GITHUB / "ISSUE_TEMPLATE/bug.yaml").read_text()

    assert "flask clustaar check" in template
    assert "pip freeze" in template


def test_citation_has_the_version() -> None:
    """The citation is of the current version."""
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
