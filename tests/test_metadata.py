"""The package's metadata, and the files that must agree with them."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import flask_clustaar
from flask_clustaar import __version__

ROOT = Path(__file__).parent.parent
METADATA = metadata.metadata("Flask-Clustaar")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def test_version() -> None:
    """The package has the version at the top of the changelog."""
    changelog = (ROOT / "CHANGELOG.rst").read_text()

    newest = re.search(r"^Version (\S+)\n-+\n\n(\S+)", changelog, re.M)

    assert newest
    assert __version__ == METADATA["Version"] == newest[1]
    assert newest[2] in ("Unreleased", "Released")


def test_pythons() -> None:
    """The supported versions are the tested ones."""
    classifiers = METADATA.get_all("Classifier") or []
    workflow = (ROOT / ".github/workflows/tests.yaml").read_text()

    supported = [c.rpartition(" ")[2] for c in classifiers if " :: 3." in c]
    tested = re.search(r"python: \[(.+)\]", workflow)

    assert ">=" + PYTHONS[0] == METADATA["Requires-Python"]
    assert PYTHONS == supported
    assert tested
    assert PYTHONS == re.findall(r'"(.+?)"', tested[1])


def test_lowest_versions() -> None:
    """The lowest versions that are tested are the lowest that are allowed."""
    lines = (ROOT / "requirements/lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    extras = METADATA.get_all("Provides-Extra") or []
    requirements = [
        Requirement(text) for text in metadata.requires("Flask-Clustaar") or []
    ]
    allowed = {
        requirement.name: Version(bound.version)
        for requirement in requirements
        for bound in requirement.specifier
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)
    }

    assert {"Flask", "marshmallow", "redis"} < set(allowed)
    assert allowed == {name: Version(tested[name]) for name in allowed}


@pytest.mark.parametrize("group", ["flask.commands", "pytest11"])
def test_entry_points(group: str) -> None:
    """The entry points for Flask and pytest can be loaded."""
    (entry_point,) = metadata.entry_points(group=group, name="clustaar")

    assert entry_point.load()


def test_types() -> None:
    """The package is marked as typed for type checkers."""
    assert (Path(flask_clustaar.__file__).parent / "py.typed").exists()


def test_extras_are_for_users() -> None:
    """Dependencies for development are in groups, not in the metadata."""
    extras = set(METADATA.get_all("Provides-Extra") or [])

    assert {"async", "jmespath", "redis"} <= extras
    assert set() == extras & PYPROJECT["dependency-groups"].keys()


def test_names_of_extras_are_quoted() -> None:
    """Zsh takes brackets that are not quoted for a pattern."""
    files = [
        *ROOT.glob("docs/**/*.rst"),
        *ROOT.glob("*.rst"),
        *ROOT.rglob("README.rst"),
    ]
    files += (ROOT / "flask_clustaar").rglob("*.py")
    unquoted = {
        str(file.relative_to(ROOT))
        for file in files
        if re.search(r"pip install.* Flask-Clustaar\[", file.read_text("utf-8"))
    }

    assert set() == unquoted


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("License-Expression", "MIT"),
        ("License-File", "LICENSE"),
        ("Author", "The Flask-Clustaar authors"),
    ],
)
def test_who_and_under_which_terms(field: str, value: str) -> None:
    """The metadata name the authors and the licence."""
    assert value == METADATA[field]


@pytest.mark.parametrize("label", ["Documentation", "Changelog", "Source", "Issues"])
def test_addresses(label: str) -> None:
    """The page of the package leads to each place that a user looks for."""
    urls = dict(url.split(", ", 1) for url in METADATA.get_all("Project-URL") or [])

    assert urls[label].startswith("https://")
